"""A region: one file in ``stacks/``, parsed by :func:`load_region` alone.

The plan, the proof, the roles and the probes all derive from this one object, so whatever it accepts is what gets built. It therefore
refuses rather than repairs: unknown keys, public or overlapping segments, addresses in the wrong place, mutable images, expired allowances.
Nothing derived is written here twice; derived facts are functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from curtilage.allowance import Allowance, Name, Role, Text, refusal
from curtilage.canonical import canonical_json
from curtilage.errors import ConfigError
from curtilage.jurisdiction import load_jurisdiction
from curtilage.stackfile import config_error, read_stack, shown, stack_path

GPU_NODES = range(2, 5)
LAB = "lab"
CPU_CARD = "cpu"

_PRIVATE: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv6Network("fc00::/7"),
)
_DOCUMENTATION: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("192.0.2.0/24"),
    IPv4Network("198.51.100.0/24"),
    IPv4Network("203.0.113.0/24"),
    IPv6Network("2001:db8::/32"),
)

_IMAGE = re.compile(r"^[a-z0-9][a-z0-9./:_-]*@sha256:[0-9a-f]{64}$")
_MANIFEST = re.compile(r"^model_images/[a-z][a-z0-9-]*(/manifest\.yaml)?$")

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
DnsName = Annotated[str, Field(max_length=253, pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$")]


def _none_word(value: Any) -> Any:
    """``none`` in a stack file is the explicit 'this segment has no IPv6'; leaving the key out is not."""
    return None if value == "none" else value


class Platform(StrEnum):
    """What the region runs on."""

    AWS = "aws"
    KUBERNETES = "kubernetes"
    HOSTS = "hosts"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Segment(_Part):
    """A legal segment: the only network its hosts can reach. IPv6 is stated, never assumed; absent, it is still dropped."""

    ipv4: IPv4Network
    ipv6: Annotated[IPv6Network | None, BeforeValidator(_none_word)]
    router_ipv4: IPv4Address
    router_ipv6: Annotated[IPv6Address | None, BeforeValidator(_none_word)] = None

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The segment's networks, IPv4 first."""
        return (self.ipv4,) if self.ipv6 is None else (self.ipv4, self.ipv6)


class Host(_Part):
    """A machine in a segment. ``card`` is the GPU model of a gpu host; ``cpu`` is the lab's alone."""

    name: Name
    role: Role
    segment: str
    ipv4: IPv4Address
    ipv6: Annotated[IPv6Address | None, BeforeValidator(_none_word)] = None
    card: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$")] | None = None


class Operator(_Part):
    """Where the people and tools that configure the region connect from: an address inside a segment, ssh in, nothing else."""

    name: Name
    ipv4: IPv4Address
    ipv6: Annotated[IPv6Address | None, BeforeValidator(_none_word)] = None


class GatewaySettings(_Part):
    """What the gateway answers for: vendor names that resolve to it inside the segment."""

    intercept: Annotated[tuple[DnsName, ...], Field(min_length=1)]

    @field_validator("intercept")
    @classmethod
    def _named_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        repeated = _repeated(names)
        if repeated:
            raise refusal(f"{repeated} named twice", rule="an intercepted name is named once", fix="remove the repetition")
        return names


class Model(_Part):
    """A model the region serves.

    ``weights`` is the digest of the signed weights; null at site lab means our own pipeline builds them there, null elsewhere means the
    manifest has not been imported: such a region can be previewed but not brought up.
    """

    name: Name
    manifest: str
    image: str | None
    weights: Digest | None

    @field_validator("manifest")
    @classmethod
    def _inside_the_repository(cls, manifest: str) -> str:
        if not _MANIFEST.match(manifest):
            raise refusal(
                f"manifest '{manifest}'", rule="a manifest lies in model_images/<model>", fix="write model_images/<model>/manifest.yaml"
            )
        return manifest

    @field_validator("image")
    @classmethod
    def _immutable(cls, image: str | None) -> str | None:
        if image is not None and not _IMAGE.match(image):
            raise refusal(
                f"image '{image}' can change under the same name",
                rule="an image is named by digest (name@sha256:<64 hex>); a tag alone is mutable",
                fix="resolve the tag once and write its digest",
            )
        return image


class Region(_Part):
    """Everything a person decides about a region; everything else follows from it."""

    name: Name
    jurisdiction: str
    platform: Platform
    site: str
    owner: Text
    cost_centre: Text
    segments: Annotated[Mapping[Name, Segment], Field(min_length=1)]
    hosts: tuple[Host, ...]
    operators: Annotated[tuple[Operator, ...], Field(min_length=1)]
    gateway: GatewaySettings
    models: Annotated[tuple[Model, ...], Field(min_length=1)]
    allowances: tuple[Allowance, ...] = ()
    retention_days: Annotated[int, Field(gt=0, strict=True)] | None = None

    @model_validator(mode="after")
    def _obeys_the_rules(self) -> Self:
        self._check_site()
        self._check_segments()
        self._check_hosts()
        self._check_operators()
        self._check_names_and_addresses()
        self._check_allowances()
        return self

    # Facts other rooms ask for.

    @property
    def lab(self) -> bool:
        """Whether this is the one-machine region: documentation addresses, CPU 'cards', lab-built weights."""
        return self.site == LAB

    @property
    def segment(self) -> Segment:
        """The legal segment, which every region has."""
        return self.segments["legal"]

    def hosts_by_role(self, role: Role | str) -> tuple[Host, ...]:
        """The hosts of a role, in the file's order."""
        return tuple(host for host in self.hosts if host.role == role)

    def host(self, name: str) -> Host:
        """The host with a name; KeyError when the region has none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)

    def segment_of(self, host: Host) -> Segment:
        """The segment a host stands in."""
        return self.segments[host.segment]

    def unimported_models(self) -> tuple[Model, ...]:
        """Models that cannot be brought up: no weights digest, and no lab pipeline to make one."""
        return () if self.lab else tuple(model for model in self.models if model.weights is None or model.image is None)

    def effective_retention_days(self) -> int | None:
        """The owner's retention, else the jurisdiction's, else None (undecided)."""
        return self.retention_days or load_jurisdiction(self.jurisdiction).retention_days

    def document(self) -> dict[str, Any]:
        """The region as plain JSON types; ``Region.model_validate`` reads it back."""
        return self.model_dump(mode="json")

    def canonical(self) -> str:
        """Canonical JSON: the same region gives the same bytes on every machine."""
        return canonical_json(self.document()).decode()

    # Rules.

    def _check_site(self) -> None:
        law = load_jurisdiction(self.jurisdiction)
        if self.platform is Platform.AWS:
            allowed = law.cloud_region_names("aws")
            if self.site not in allowed:
                raise refusal(
                    f"site '{self.site}' is not an AWS region inside {law.code}",
                    rule=f"a cloud region lies inside the jurisdiction: {', '.join(allowed) or 'none of AWS is there'}",
                    fix="choose one of these, or platform hosts",
                    key="site",
                )
        elif not (self.lab and self.platform is Platform.HOSTS) and not law.contains_country(self.site):
            raise refusal(
                f"site '{self.site}' is outside {law.code}",
                rule="the data centre's country lies inside the region's jurisdiction",
                fix=f"use one of {', '.join(law.country_codes or law.members)}"
                + ("" if self.platform is not Platform.HOSTS else ", or lab"),
                key="site",
            )

    def _check_segments(self) -> None:
        if "legal" not in self.segments:
            raise refusal("no segment 'legal'", rule="every region has the segment 'legal'", fix="name it", key="segments")
        permitted = _PRIVATE + (_DOCUMENTATION if self.lab else ())
        seen: list[tuple[str, IPv4Network | IPv6Network]] = []
        for name, segment in self.segments.items():
            key = f"segments.{name}"
            for network in segment.networks:
                if not any(_inside(network, ground) for ground in permitted):
                    documentation = any(_inside(network, ground) for ground in _DOCUMENTATION)
                    raise refusal(
                        f"segment '{name}' ({network}) is {'a documentation range' if documentation else 'not private'}",
                        rule="a segment is private (RFC 1918, RFC 4193); documentation ranges only at site lab",
                        fix="use 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or fc00::/7",
                        key=f"{key}.ipv{network.version}",
                    )
                for other_name, other in seen:
                    if other.version == network.version and network.overlaps(other):
                        raise refusal(
                            f"segment '{name}' ({network}) overlaps '{other_name}' ({other})",
                            rule="segments do not overlap",
                            fix="give each segment its own network",
                            key=key,
                        )
                seen.append((name, network))
            _check_pair(f"segment '{name}' router", segment.router_ipv4, segment.router_ipv6, segment, key)

    def _check_hosts(self) -> None:
        gpus = len(self.hosts_by_role(Role.GPU))
        if gpus not in GPU_NODES:
            raise refusal(f"{gpus} gpu hosts", rule="a region has 2 to 4 GPU nodes", fix="add or remove hosts with role gpu", key="hosts")
        for role in (Role.GATEWAY, Role.EVIDENCE):
            if not self.hosts_by_role(role):
                raise refusal(f"no {role} host", rule=f"a region has a {role} host", fix=f"add a host with role {role}", key="hosts")
        for index, host in enumerate(self.hosts):
            key = f"hosts.{index}"
            if host.segment not in self.segments:
                raise refusal(
                    f"host '{host.name}' is in segment '{host.segment}', which the region has not",
                    rule="a host stands in a segment of its region",
                    fix=f"use one of {', '.join(sorted(self.segments))}",
                    key=f"{key}.segment",
                )
            _check_pair(f"host '{host.name}'", host.ipv4, host.ipv6, self.segments[host.segment], key)
            if (host.card is not None) != (host.role is Role.GPU):
                raise refusal(
                    f"host '{host.name}' with role {host.role} has card {host.card or 'none'}",
                    rule="gpu hosts name their card, others have none",
                    fix="name the card, for example L40S" if host.role is Role.GPU else "remove card",
                    key=f"{key}.card",
                )
            if host.card == CPU_CARD and not self.lab:
                raise refusal(
                    f"host '{host.name}' has card cpu", rule="card cpu is for site lab alone", fix="name the GPU", key=f"{key}.card"
                )

    def _check_operators(self) -> None:
        for index, operator in enumerate(self.operators):
            homes = [segment for segment in self.segments.values() if operator.ipv4 in segment.ipv4]
            if not homes:
                raise refusal(
                    f"operator '{operator.name}' ({operator.ipv4}) is in no segment",
                    rule="operators connect from inside a segment; nothing enters from outside",
                    fix="give the operator's jump host an address in a segment",
                    key=f"operators.{index}.ipv4",
                )
            _check_pair(f"operator '{operator.name}'", operator.ipv4, operator.ipv6, homes[0], f"operators.{index}")

    def _check_names_and_addresses(self) -> None:
        machines: list[Host | Operator] = [*self.hosts, *self.operators]
        _refuse_repeats("name", (machine.name for machine in machines), "hosts")
        addresses: list[object] = [address for machine in machines for address in (machine.ipv4, machine.ipv6) if address]
        for segment in self.segments.values():
            addresses += [address for address in (segment.router_ipv4, segment.router_ipv6) if address]
        _refuse_repeats("address", map(str, addresses), "hosts")
        _refuse_repeats("model", (model.name for model in self.models), "models")
        _refuse_repeats("allowance", (allowance.id for allowance in self.allowances), "allowances")

    def _check_allowances(self) -> None:
        for index, allowance in enumerate(self.allowances):
            for name, segment in self.segments.items():
                for network in segment.networks:
                    if network.version == allowance.destination.version and network.overlaps(allowance.destination):
                        raise refusal(
                            f"allowance '{allowance.id}' ({allowance.destination}) lies in segment '{name}' ({network})",
                            rule="flows inside a segment are derived from roles, never allowed by hand",
                            fix="remove the allowance",
                            key=f"allowances.{index}.destination",
                        )


def load_region(name_or_path: str | Path, *, as_of: date | None = None) -> Region:
    """The region of ``stacks/Pulumi.<region>.yaml``, or of the file pointed at.

    Args:
        name_or_path: a region's name, or a path.
        as_of: the day allowances are judged on; today in UTC by default.

    Raises:
        ConfigError: naming file, key, rule and fix.
    """
    path = stack_path(name_or_path)
    file, document = shown(path), read_stack(path)
    try:
        region = Region.model_validate(document, context={"as_of": as_of})
    except ValidationError as error:
        raise config_error(error, file) from error
    except ConfigError as error:
        raise ConfigError(error.given, rule=error.rule, fix=error.fix, file=file, key=error.key) from error
    if path.name.startswith("Pulumi.") and path.name != f"Pulumi.{region.name}.yaml":
        raise ConfigError(
            f"the region is named '{region.name}'",
            rule="a stack file is named by its region",
            fix=f"rename the file to Pulumi.{region.name}.yaml",
            file=file,
            key="name",
        )
    return region


def _inside(network: IPv4Network | IPv6Network, ground: IPv4Network | IPv6Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(ground, IPv4Network) and network.subnet_of(ground)
    return isinstance(ground, IPv6Network) and network.subnet_of(ground)


def _repeated(values: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def _refuse_repeats(what: str, values: Iterable[str], key: str) -> None:
    repeated = _repeated(values)
    if repeated:
        raise refusal(f"{what} {repeated} is used twice", rule=f"every {what} is used once", fix="give each its own", key=key)


def _check_pair(who: str, ipv4: IPv4Address, ipv6: IPv6Address | None, segment: Segment, key: str) -> None:
    """Both families, each inside the segment and neither its first nor last address."""
    if (ipv6 is None) != (segment.ipv6 is None):
        raise refusal(
            f"{who} has {'no IPv6 address' if ipv6 is None else f'{ipv6}'} while its segment has {segment.ipv6 or 'ipv6: none'}",
            rule="a machine has an address of each family its segment has",
            fix="give both families, or say ipv6: none for the segment and leave the address out",
            key=f"{key}.ipv6",
        )
    pairs: list[tuple[IPv4Address | IPv6Address, IPv4Network | IPv6Network]] = [(ipv4, segment.ipv4)]
    if ipv6 is not None and segment.ipv6 is not None:
        pairs.append((ipv6, segment.ipv6))
    for address, network in pairs:
        reserved = {network.network_address} | ({network.broadcast_address} if network.version == 4 else set())
        if address not in network or address in reserved:
            raise refusal(
                f"{who} has {address}, which is {'reserved in' if address in reserved else 'outside'} {network}",
                rule="an address lies inside its segment and is a machine's",
                fix=f"choose a free address in {network}",
                key=f"{key}.ipv{network.version}",
            )
