"""What rules of either API are made of: peers, ports, networks; read once, asked as formulas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from curtilage.proof.formula import TRUE, All, Either, Formula, Not, Test, Unknown, equals
from curtilage.proof.kubernetes.objects import Manifest
from curtilage.proof.kubernetes.select import ADDRESS, KIND, NAMED, NAMESPACE, Selector, World, is_pod

Network = IPv4Network | IPv6Network
PROTOCOLS = {"TCP": 6, "UDP": 17, "SCTP": 132}
MAPPED = IPv6Network("::ffff:0:0/96")
_PORT_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")


@dataclass(frozen=True)
class Peer:
    """One peer of a rule; all parts hold. ``doubt`` says why it cannot be read, or which addresses it stands for is not known."""

    pods: Selector | None = None
    namespaces: Selector | None = None
    """None with ``pods``: the policy's own namespace."""
    networks: tuple[Network, ...] = ()
    excepted: tuple[Network, ...] = ()
    doubt: str = ""
    addresses: bool = False
    """What is in doubt are addresses outside of pods: no pod is meant."""

    def __str__(self) -> str:
        if self.doubt:
            return self.doubt
        if self.networks:
            return ", ".join(map(str, self.networks)) + (f" except {', '.join(map(str, self.excepted))}" if self.excepted else "")
        space = (
            "its own namespace"
            if self.namespaces is None
            else f"namespaces [{self.namespaces}]"
            if str(self.namespaces)
            else "any namespace"
        )
        return f"pods [{self.pods}] of {space}" if self.pods is not None and str(self.pods) else f"pods of {space}"

    def formula(self, world: World, side: str, own: int | None) -> Formula:
        """The end on ``side`` is this peer; ``own`` is the policy's namespace."""
        if self.doubt:
            return All((equals(f"{side}.{KIND}", ADDRESS), Unknown(self.doubt))) if self.addresses else Unknown(self.doubt)
        if self.networks:
            inside = Either(tuple(in_network(side, item) for item in self.networks))
            return All((inside, Not(Either(tuple(in_network(side, item) for item in self.excepted))))) if self.excepted else inside
        parts = [is_pod(side)]
        if self.namespaces is not None:
            parts.append(world.spaces(side, self.namespaces))
        elif own is not None:
            parts.append(equals(f"{side}.{NAMESPACE}", own))
        if self.pods is not None:
            parts.append(world.pods(side, self.pods))
        return All(tuple(parts))


@dataclass(frozen=True)
class Port:
    """One port of a rule. No protocol means every protocol."""

    protocol: str | None = None
    low: int = 0
    high: int = 65535
    name: str | None = None
    doubt: str = ""

    def __str__(self) -> str:
        if self.doubt:
            return self.doubt
        what = self.name or (
            "" if (self.low, self.high) == (0, 65535) else str(self.low) if self.low == self.high else f"{self.low}-{self.high}"
        )
        return f"{self.protocol or 'any protocol'} {what}".strip()

    def formula(self, destination: str) -> Formula:
        """The packet is for this port of the end ``destination``."""
        if self.doubt:
            return Unknown(self.doubt)
        protocols = [self.protocol] if self.protocol else list(PROTOCOLS) if self.name else []
        number: Formula = Test("port", self.low, self.high) if (self.low, self.high) != (0, 65535) else TRUE
        if not protocols:
            return number
        return Either(
            tuple(
                All(
                    (
                        equals("protocol", PROTOCOLS[item]),
                        number if self.name is None else equals(f"{destination}.{NAMED}{item}:{self.name}", 1),
                    )
                )
                for item in protocols
            )
        )


@dataclass(frozen=True)
class Rule:
    """One rule: some peer and some port. None stands for every one."""

    policy: Manifest
    direction: str
    index: int
    peers: tuple[Peer, ...] | None
    ports: tuple[Port, ...] | None
    action: str = ""
    name: str = ""

    def __str__(self) -> str:
        named = f" '{self.name}'" if self.name else ""
        return f"{self.policy} {self.direction}[{self.index}]{named}"

    @property
    def says(self) -> str:
        """What the rule lets through, or not, in words."""
        who = "anywhere" if self.peers is None else "; ".join(map(str, self.peers))
        what = "every protocol and port" if self.ports is None else ", ".join(map(str, self.ports))
        return f"{self.action + ' ' if self.action else ''}{'to' if self.direction == 'egress' else 'from'} {who}, {what}"

    def formula(self, world: World, peer: str, destination: str, own: int | None) -> Formula:
        """The packet is one that the rule speaks of."""
        parts: list[Formula] = []
        if self.peers is not None:
            parts.append(Either(tuple(item.formula(world, peer, own) for item in self.peers)))
        if self.ports is not None:
            parts.append(Either(tuple(item.formula(destination) for item in self.ports)))
        return All(tuple(parts))


def in_network(side: str, network: Network) -> Formula:
    """The address of an end lies in a network; a pod's address is an address too."""
    version = equals("version", network.version)
    if network.prefixlen == 0:
        return version
    return All((version, Test(f"{side}.ip{network.version}", int(network.network_address), int(network.broadcast_address))))


def read_network(value: Any) -> Network | None:
    """A network as the API takes it: host bits are dropped; None for one that implementations read differently, or not at all."""
    if not isinstance(value, str) or "/" not in value or not value.rpartition("/")[2].isdigit():
        return None
    try:
        found = ip_network(value, strict=False)
    except ValueError:
        return None
    # An IPv4-mapped network: some implementations match IPv4 packets with it, some none.
    return None if found.version == 6 and found.prefixlen >= 96 and found.subnet_of(MAPPED) else found


def unknown_keys(value: Mapping[str, Any], *known: str) -> str:
    """The first key that is none of the known, for a message."""
    return next((str(key) for key in value if key not in known), "")


def port_number(value: Any) -> int | None:
    """A port, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535 else None


def port_name(value: Any) -> str | None:
    """A port's name (IANA_SVC_NAME), or None."""
    good = isinstance(value, str) and len(value) <= 15 and _PORT_NAME.match(value) and any(c.isalpha() for c in value) and "--" not in value
    return value if good else None
