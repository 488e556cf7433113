"""Reads an account through boto3: only calls of the table, to their last page, and what fails is a gap by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from curtilage.errors import ConfigError, MachineError
from curtilage.live.aws_calls import CALLS, Call
from curtilage.live.report import UNREAD
from curtilage.proof.aws.plan import UNKNOWN, Gap, Plan, Resource
from curtilage.region import Region

MOST_ITEMS = 100_000
PROJECT = "curtilage"
_DENIED = ("AccessDenied", "UnauthorizedOperation", "AccessDeniedException", "AuthorizationError")


class Account:
    """One account in one AWS region, read only; what is read becomes the resources of a state.

    Args:
        region: the region; its site is the AWS region.
        session: a boto3 session.
        account: the account the credentials are of.
    """

    def __init__(self, region: Region, session: Any, account: str) -> None:
        self.region, self.site, self.account = region, region.site, account
        self._session = session
        self._clients: dict[str, Any] = {}
        self.gaps: list[Gap] = []
        self.read: dict[str, int] = {}
        self.resources: dict[str, Resource] = {}
        self.provider = self.add("pulumi:providers:aws", "account", region=self.site, allowedAccountIds=[account]).urn

    def client(self, service: str) -> Any:
        """A client of a service."""
        if service not in self._clients:
            from botocore.config import Config

            config = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10, read_timeout=60)
            self._clients[service] = self._session.client(service, region_name=self.site, config=config)
        return self._clients[service]

    def items(self, service: str, operation: str, /, **given: Any) -> list[Any]:
        """Everything that a call lists; what could not be read is noted, and what was read before is given."""
        call = CALLS[service, operation]
        found: list[Any] = []
        self._ask(call, given, found)
        name = f"{service}:{operation}"
        self.read[name] = self.read.get(name, 0) + len(found)
        return found

    def one(self, service: str, operation: str, /, **given: Any) -> Any:
        """The one thing that a call gives; None where there is none, UNKNOWN where it could not be read."""
        call = CALLS[service, operation]
        found: list[Any] = []
        if not self._ask(call, given, found):
            return UNKNOWN
        name = f"{service}:{operation}"
        self.read[name] = self.read.get(name, 0) + len(found)
        return found[0] if found else None

    def _ask(self, call: Call, given: dict[str, Any], found: list[Any]) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        what = f"{call.service}:{call.operation}" + (f" of {', '.join(_shown(given))}" if given else "")
        try:
            client = self.client(call.service)
            pages: Iterable[Mapping[str, Any]]
            if client.can_paginate(call.operation):
                pages = client.get_paginator(call.operation).paginate(**given)
            else:
                pages = (getattr(client, call.operation)(**given),)
            for page in pages:
                part = page.get(call.key) if call.key else {key: item for key, item in page.items() if key != "ResponseMetadata"}
                if isinstance(part, list):
                    found.extend(part)
                elif part is not None:
                    found.append(part)
                if len(found) > MOST_ITEMS:
                    self.gap(what, f"there are more than {MOST_ITEMS}")
                    return False
                if not client.can_paginate(call.operation) and any(page.get(key) for key in ("NextToken", "nextToken")):
                    self.gap(what, "there is more, and no way to it is known")
                    return False
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "no code"))
            if code in call.absent:
                return True
            needs = f"; it needs {call.right}" if any(word in code for word in _DENIED) else ""
            self.gap(what, f"it could not be read: {code}{needs}")
            return False
        except BotoCoreError as error:
            self.gap(what, f"it could not be read: {type(error).__name__}")
            return False
        except NotImplementedError:
            # An emulator says so; an account never does.
            self.gap(what, "it could not be read: not implemented here")
            return False
        return True

    def gap(self, about: str, what: str) -> None:
        """Note what was not read."""
        found = Gap(about, what, UNREAD)
        if found not in self.gaps:
            self.gaps.append(found)

    def add(self, kind: str, id: str, /, **outputs: Any) -> Resource:
        """A resource as it stands there."""
        name = id.replace("::", ":")
        urn = f"urn:pulumi:{self.region.name}::{PROJECT}::{kind}::{name}"
        number = 1
        while urn in self.resources:
            number += 1
            urn = f"urn:pulumi:{self.region.name}::{PROJECT}::{kind}::{name} ({number})"
        kept = {key: value for key, value in outputs.items() if value is not None}
        made = Resource(
            urn=urn,
            type=kind,
            inputs={},
            outputs={"id": id, **kept},
            id=id,
            depends={},
            provider="" if kind.startswith("pulumi:") else f"{self.provider}::account",
            custom=True,
            live=True,
        )
        self.resources[urn] = made
        return made

    def plan(self) -> Plan:
        """The account as the proof takes it."""
        return Plan(kind="account", stack=self.region.name, project=PROJECT, resources=self.resources, gaps=list(self.gaps), digest="")


def open_account(region: Region, *, account: str | None = None, profile: str | None = None) -> tuple[Any, str]:
    """A session whose credentials are those of the region's account.

    Args:
        region: the region.
        account: the account expected, where not the region file's.
        profile: an AWS profile.

    Raises:
        ConfigError: there are no credentials, they are of another account, or nobody answers.
        MachineError: boto3 is not installed.
    """
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise MachineError(f"boto3 is not installed ({error})\n  fix:  pip install 'curtilage[aws]'") from error
    if region.aws is None:
        raise ConfigError(f"region {region.name} is on {region.platform}", rule="an account is audited", fix="name a region on aws")
    expected = account or region.aws.account
    rule = "a region is read and changed with credentials of its own account, and no other is touched"
    try:
        session = boto3.Session(profile_name=profile, region_name=region.site)
        found = str(session.client("sts", region_name=region.site).get_caller_identity().get("Account"))
    except (BotoCoreError, ClientError) as error:
        raise ConfigError(
            f"who the credentials are of could not be asked ({type(error).__name__})",
            rule=rule,
            fix="log in (aws sso login, or AWS_PROFILE), reach the STS endpoint, and run it again; nothing was read or changed",
        ) from None
    if found != expected:
        raise ConfigError(
            f"the credentials are of account {found}; the region is in {expected}",
            rule=rule,
            fix="log in to the region's account, or correct aws.account or --account; nothing was read or changed",
            file=f"stacks/Pulumi.{region.name}.yaml",
            key="aws.account",
        )
    return session, found


def _shown(given: Mapping[str, Any]) -> list[str]:
    """What a call was about, without its settings."""
    return [str(value) for value in given.values() if isinstance(value, str)][:2]
