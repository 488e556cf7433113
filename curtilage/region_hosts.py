"""What a region says of machines: segments, hosts, operators, and the rules about them.

On platform ``hosts`` machines are listed; on the others only the segment is, because the platform places what runs in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from curtilage.allowance import Name, Role, refusal
from curtilage.region_parts import CPU_CARD, GPU_NODES, Part

_TAKEN = frozenset({"all", "ungrouped", "localhost", *(role.value for role in Role)})


def _none_word(value: Any) -> Any:
    """``none`` in a stack file is the explicit 'this segment has no IPv6'; leaving the key out is not."""
    return None if value == "none" else value


class Segment(Part):
    """A legal segment: the only network its hosts can reach. IPv6 is stated, never assumed; absent, it is still dropped."""

    ipv4: IPv4Network
    ipv6: Annotated[IPv6Network | None, BeforeValidator(_none_word)]
    router_ipv4: IPv4Address | None = None
    router_ipv6: Annotated[IPv6Address | None, BeforeValidator(_none_word)] = None

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The segment's networks, IPv4 first."""
        return (self.ipv4,) if self.ipv6 is None else (self.ipv4, self.ipv6)


class Host(Part):
    """A machine in a segment.

    ``card`` is the GPU model of a gpu host; ``cpu`` is the lab's alone. ``serves`` is the model of a gpu host, where that is not the
    region's first one that generates. ``rack`` is what it fails with.
    """

    name: Name
    role: Role
    segment: str
    ipv4: IPv4Address
    ipv6: Annotated[IPv6Address | None, BeforeValidator(_none_word)] = None
    card: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$")] | None = None
    serves: Name | None = None
    rack: Name | None = None


class Operator(Part):
    """Where the people and tools that configure the region connect from: an address inside a segment, ssh in, nothing else."""

    name: Name
    ipv4: IPv4Address
    ipv6: Annotated[IPv6Address | None, BeforeValidator(_none_word)] = None


def check_hosts(hosts: tuple[Host, ...], segments: Mapping[str, Segment], *, lab: bool) -> None:
    """Machines of platform ``hosts``: enough of each role, each in its segment, cards where they belong."""
    gpus = sum(host.role is Role.GPU for host in hosts)
    if gpus not in GPU_NODES:
        raise refusal(f"{gpus} gpu hosts", rule="a region has 2 to 4 GPU nodes", fix="add or remove hosts with role gpu", key="hosts")
    for role in (Role.GATEWAY, Role.EVIDENCE):
        if not any(host.role is role for host in hosts):
            raise refusal(f"no {role} host", rule=f"a region has a {role} host", fix=f"add a host with role {role}", key="hosts")
    for index, host in enumerate(hosts):
        key = f"hosts.{index}"
        if host.name in _TAKEN:
            raise refusal(
                f"host '{host.name}'",
                rule=f"a host is not named like a group of the inventory or this machine ({', '.join(sorted(_TAKEN))})",
                fix=f"number it, such as {host.role}-1",
                key=f"{key}.name",
            )
        if host.segment not in segments:
            raise refusal(
                f"host '{host.name}' is in segment '{host.segment}', which the region has not",
                rule="a host stands in a segment of its region",
                fix=f"use one of {', '.join(sorted(segments))}",
                key=f"{key}.segment",
            )
        check_pair(f"host '{host.name}'", host.ipv4, host.ipv6, segments[host.segment], key)
        if (host.card is not None) != (host.role is Role.GPU):
            raise refusal(
                f"host '{host.name}' with role {host.role} has card {host.card or 'none'}",
                rule="gpu hosts name their card, others have none",
                fix="name the card, for example L40S" if host.role is Role.GPU else "remove card",
                key=f"{key}.card",
            )
        if host.serves is not None and host.role is not Role.GPU:
            raise refusal(
                f"host '{host.name}' with role {host.role} serves {host.serves}",
                rule="gpu hosts serve models, others do not",
                fix="remove serves",
                key=f"{key}.serves",
            )
        if host.card == CPU_CARD and not lab:
            raise refusal(f"host '{host.name}' has card cpu", rule="card cpu is for site lab alone", fix="name the GPU", key=f"{key}.card")
    _check_racks(hosts)


def _check_racks(hosts: tuple[Host, ...]) -> None:
    """Where racks are named, all hosts name theirs, and what there are several of does not fail with one rack."""
    racks = {host.rack for host in hosts}
    if racks == {None}:
        return
    for index, host in enumerate(hosts):
        if host.rack is None:
            raise refusal(
                f"host '{host.name}' names no rack, others do",
                rule="either every host names its rack or none does",
                fix="name the rack of each host",
                key=f"hosts.{index}.rack",
            )
    for role in (Role.GATEWAY, Role.GPU):
        placed = [host.rack for host in hosts if host.role is role]
        if len(placed) > 1 and len(set(placed)) == 1:
            raise refusal(
                f"all {len(placed)} {role} hosts stand in rack '{placed[0]}'",
                rule="hosts of a role that there are several of stand in two racks at least, so that one rack's loss leaves some",
                fix=f"move a {role} host to another rack, or leave racks out where there is one",
                key="hosts",
            )


def check_operators(operators: tuple[Operator, ...], segments: Mapping[str, Segment]) -> None:
    """Operators connect from inside."""
    for index, operator in enumerate(operators):
        homes = [segment for segment in segments.values() if operator.ipv4 in segment.ipv4]
        if not homes:
            raise refusal(
                f"operator '{operator.name}' ({operator.ipv4}) is in no segment",
                rule="operators connect from inside a segment; nothing enters from outside",
                fix="give the operator's jump host an address in a segment",
                key=f"operators.{index}.ipv4",
            )
        check_pair(f"operator '{operator.name}'", operator.ipv4, operator.ipv6, homes[0], f"operators.{index}")


def repeated_of(values: Iterable[str]) -> str | None:
    """The first value that comes twice."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def refuse_repeats(what: str, values: Iterable[str], key: str) -> None:
    """Every value is used once."""
    repeated = repeated_of(values)
    if repeated:
        raise refusal(f"{what} {repeated} is used twice", rule=f"every {what} is used once", fix="give each its own", key=key)


def check_pair(who: str, ipv4: IPv4Address, ipv6: IPv6Address | None, segment: Segment, key: str) -> None:
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
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            raise refusal(f"{who} has {address}", rule="an address names no link", fix="leave out what follows %", key=f"{key}.ipv6")
        if address not in network or address in reserved:
            raise refusal(
                f"{who} has {address}, which is {'reserved in' if address in reserved else 'outside'} {network}",
                rule="an address lies inside its segment and is a machine's",
                fix=f"choose a free address in {network}",
                key=f"{key}.ipv{network.version}",
            )
