"""``gateway.yaml``: the whole configuration of a gateway, checked before anything listens.

Written by the ``gateway`` role or by ``curtilage gateway init``; relative paths are relative to the file::

    listen:                                  # every address the gateway answers on; IPv4 and IPv6 each need an entry
      - {address: 192.0.2.21, port: 443}
      - {address: "2001:db8:1::21", port: 443}
    tls: {certificate: /etc/curtilage/gateway.pem, key: /etc/curtilage/gateway.key}     # PEM; leaf first, then the CA
    names:                                   # exact names (Host and SNI) and the dialect spoken there; 'any' picks by path
      api.openai.com: openai
      api.anthropic.com: anthropic
    upstreams:                               # vLLM hosts; private, loopback or documentation addresses, nothing else
      - http://192.0.2.11:8000
      - http://192.0.2.12:8000
    models: {gpt-4o: lab-mistral, claude-sonnet-4-5: lab-mistral}                       # what callers ask for -> what is served
    tasks: {lab-embed: embed}                # optional: served models that do not generate: embed (which ranks too) or rerank
    ledger: {directory: /var/lib/curtilage/ledger, signing_key: /etc/curtilage/ledger.key, name: gw-1.lab/ledger}
    matters: /var/lib/curtilage/matters.db   # or a .yaml that says which PostgreSQL database it is (curtilage.matters.postgresql)
    region: {name: lab, jurisdiction: DE}
    metrics: {textfile: /var/lib/prometheus/node-exporter/curtilage_gateway.prom}       # or {listen: {address: 127.0.0.1, port: 9109}}
    evidence:                                # optional: where checkpoints are pushed (curtilage.audit.push)
      url: https://192.0.2.41:8443/
      ca: /etc/curtilage/ca.pem
      certificate: /etc/curtilage/gateway-client.pem
      key: /etc/curtilage/gateway-client.key
    issuers:                                 # optional: identity providers whose tokens are believed (curtilage.gateway.tokens)
      - {issuer: "https://login.example.org/realms/legal", audience: curtilage, jwks: jwks.json, algorithms: [ES256]}
    classification: /etc/curtilage/fields/   # optional: exported field metadata; custom fields it does not open are then privileged
    content: /var/lib/curtilage/content      # optional: what was said, sealed under each matter's key (curtilage.audit.content)
    fields: [legal_case_strategy__c, privileged_communication__c, "*sensitive__c"]      # optional: these are the defaults
    serving: {file: /etc/curtilage/serving.json, withdrawn: /var/lib/curtilage/gateway/withdrawn.json}   # optional: canaries and adapters
    limits: {body_bytes: 16777216}           # optional: see Limits
    budgets: {identity: {calls_per_minute: 600}, matter: {kilobytes_per_minute: 50000}}   # optional: see Budget
    policies: /etc/curtilage/policies/       # optional: the owner's own policies in Cedar (curtilage.gateway.cedar)
    workers: 2                               # optional: processes, each with a ledger of its own under ledger.directory (ADR 0008)
    console: {address: 127.0.0.1, port: 9110}   # optional: a read-only page for operators, on a loopback address
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from curtilage.errors import ConfigError
from curtilage.gateway.surfaces import SURFACES
from curtilage.gateway.tokens import Issuer
from curtilage.inside import is_address, is_inside
from curtilage.sanitize.fields import DEFAULT_FIELD_RULES, FieldRules
from curtilage.vendor_models import Task

Address = IPv4Address | IPv6Address

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listen(_Part):
    """An address and a port."""

    address: Address
    port: Annotated[int, Field(ge=0, le=65535, strict=True)]


class Tls(_Part):
    """The gateway's certificate chain and key; with a client CA, callers may prove themselves by certificate."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


class LedgerPart(_Part):
    """Where the ledger is, what signs it, and under which name (that of the key's ``.pub`` unless given)."""

    directory: Path
    signing_key: Path
    name: str | None = None


class RegionPart(_Part):
    """The region this gateway stands in."""

    name: str
    jurisdiction: Annotated[str, Field(pattern=r"^[A-Z]{2,3}$")]


class Metrics(_Part):
    """Metrics: a node-exporter textfile, or a loopback address."""

    textfile: Path | None = None
    listen: Listen | None = None

    @field_validator("listen")
    @classmethod
    def _only_loopback(cls, value: Listen | None) -> Listen | None:
        if value is not None and not value.address.is_loopback:
            raise ValueError(f"{value.address} is not a loopback address; metrics have no access control")
        return value


class Evidence(_Part):
    """Where ledger checkpoints are pushed, over mutual TLS."""

    url: Annotated[str, Field(pattern=r"^https://[^@\s]+$")]
    ca: Path
    certificate: Path
    key: Path
    every_seconds: Annotated[float, Field(gt=0)] = 10.0


class ServingPart(_Part):
    """Where canaries and adapters are read from, and where a canary that was taken back is remembered (curtilage.gateway.serving)."""

    file: Path
    withdrawn: Path


class Limits(_Part):
    """Bounds on what one call may take."""

    body_bytes: Annotated[int, Field(gt=0, le=16 << 20)] = 16 << 20
    body_seconds: Annotated[float, Field(gt=0)] = 30.0
    header_seconds: Annotated[float, Field(gt=0)] = 10.0
    connect_seconds: Annotated[float, Field(gt=0)] = 2.0
    first_byte_seconds: Annotated[float, Field(gt=0)] = 300.0
    between_chunks_seconds: Annotated[float, Field(gt=0)] = 60.0
    write_seconds: Annotated[float, Field(gt=0)] = 60.0
    drain_seconds: Annotated[int, Field(gt=0)] = 30
    answer_bytes: Annotated[int, Field(gt=0)] = 64 << 20
    call_seconds: Annotated[float, Field(gt=0)] = 1800.0
    outstanding_per_upstream: Annotated[int, Field(gt=0)] = 256
    queue: Annotated[int, Field(ge=0)] = 1024
    queue_seconds: Annotated[float, Field(gt=0)] = 15.0


class Budget(_Part):
    """What one identity, or one matter, may use; a bucket that refills evenly and holds one minute's worth."""

    calls_per_minute: Annotated[int, Field(gt=0)] | None = None
    kilobytes_per_minute: Annotated[int, Field(gt=0)] | None = None  # received and returned: known in every dialect, also when cut off


class Budgets(_Part):
    """Budgets of each identity and of each matter; none unless given."""

    identity: Budget = Budget()
    matter: Budget = Budget()


class GatewayConfig(_Part):
    """A whole ``gateway.yaml``."""

    listen: Annotated[tuple[Listen, ...], Field(min_length=1)]
    tls: Tls
    names: Annotated[dict[str, str], Field(min_length=1)]
    upstreams: Annotated[tuple[str, ...], Field(min_length=1, max_length=4)]
    models: Annotated[dict[str, str], Field(min_length=1)]
    tasks: dict[str, Task] = {}
    ledger: LedgerPart
    matters: Path
    region: RegionPart
    metrics: Metrics = Metrics()
    evidence: Evidence | None = None
    issuers: tuple[Issuer, ...] = ()
    classification: Path | None = None
    content: Path | None = None
    serving: ServingPart | None = None
    fields: tuple[str, ...] = DEFAULT_FIELD_RULES
    limits: Limits = Limits()
    budgets: Budgets = Budgets()
    policies: Path | None = None
    workers: Annotated[int, Field(ge=1, le=64, strict=True)] = 1
    console: Listen | None = None

    @field_validator("console")
    @classmethod
    def _console_is_local(cls, value: Listen | None) -> Listen | None:
        if value is not None and not value.address.is_loopback:
            raise ValueError(f"{value.address} is not a loopback address; the console has no access control, so reach it over ssh")
        return value

    @field_validator("names")
    @classmethod
    def _names_are_exact(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if not _NAME.fullmatch(name) and not is_address(name):
                raise ValueError(f"{name!r} is not a lower-case host name or an address; there are no wildcards")
        unknown = set(value.values()) - {"any", *SURFACES}
        if unknown:
            raise ValueError(f"unknown dialects {sorted(unknown)}; a name speaks one of {', '.join(sorted(SURFACES))}, or any")
        return value

    @field_validator("upstreams")
    @classmethod
    def _upstreams_are_inside(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("an upstream is named twice")
        return tuple(map(upstream_url, value))

    @field_validator("fields")
    @classmethod
    def _fields_are_rules(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        missing = set(DEFAULT_FIELD_RULES) - {rule.lower() for rule in value}
        if missing:
            raise ValueError(f"the shipped field rules cannot be switched off; add {', '.join(sorted(missing))}")
        FieldRules(value)
        return value

    @model_validator(mode="after")
    def _tasks_are_of_served_models(self) -> Self:
        unserved = set(self.tasks) - set(self.models.values())
        if unserved:
            raise ValueError(f"tasks names {sorted(unserved)}, which no entry of models serves")
        return self

    @model_validator(mode="after")
    def _workers_share_ports(self) -> Self:
        if self.workers > 1 and any(entry.port == 0 for entry in self.listen):
            raise ValueError("several workers share one port, so it has to be named; port 0 lets each take another")
        return self


def upstream_url(url: str) -> str:
    """A model host's address in normal form, or a refusal: the gateway cannot route out (invariant of the design).

    Only an address counts, never a name: a name is what somebody else's resolver says it is. ``localhost`` is this machine by RFC 6761.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.username is not None or parts.query or parts.fragment or parts.path not in ("", "/"):
        raise ValueError(f"{url!r} is not http(s)://ADDRESS:PORT")
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    try:
        address, port = ip_address(host), parts.port
    except ValueError:
        raise ValueError(f"{url!r}: an upstream is an address, not a name; names can be made to point out of the region") from None
    if not is_inside(address):
        raise ValueError(f"{url!r}: {address} is not a private, loopback or documentation address; the gateway has no upstream outside")
    shown = f"[{address}]" if address.version == 6 else str(address)
    return f"{parts.scheme}://{shown}:{port or (443 if parts.scheme == 'https' else 80)}"


def load_config(path: Path) -> GatewayConfig:
    """Read and check a ``gateway.yaml``; a mistake is told with its key, the rule and what to do."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read it: {error.strerror}", rule="the gateway starts from one file", fix="check the path and its mode", file=path
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"not YAML: {error}", rule="the configuration is one YAML document", fix="correct it", file=path) from error
    try:
        config = GatewayConfig.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "gateway.yaml"
        raise ConfigError(
            first["msg"],
            rule="see the format in curtilage/gateway/config.py; unknown keys are refused",
            fix=f"correct {key}",
            file=path,
            key=key,
        ) from error
    return _absolute(config, path.resolve().parent)


def _absolute(config: GatewayConfig, base: Path) -> GatewayConfig:
    """The same configuration with absolute paths."""

    def placed(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(map(placed, value))
        return base / value if isinstance(value, Path) else under(value) if isinstance(value, BaseModel) else value

    def under(part: BaseModel) -> BaseModel:
        return part.model_copy(update={name: placed(value) for name, value in part})

    found = under(config)
    assert isinstance(found, GatewayConfig)  # noqa: S101 - model_copy keeps the class; for the type checker
    return found
