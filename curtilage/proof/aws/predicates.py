"""Packets as z3 terms: the sets of destinations, protocols and ports that routes, access lists and groups name, and a readable witness."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

import z3

Network = IPv4Network | IPv6Network
Term = Any
"""A z3 Boolean; the library has no types."""

V6 = z3.Bool("v6")
DST4 = z3.BitVec("dst4", 32)
DST6 = z3.BitVec("dst6", 128)
PROTOCOL = z3.BitVec("protocol", 8)
PORT = z3.BitVec("port", 16)
EVERYTHING: tuple[Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))

NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
_WITH_PORTS = (6, 17)

NOT_ROUTED: tuple[Network, ...] = (
    IPv4Network("0.0.0.0/8"),
    IPv4Network("127.0.0.0/8"),
    IPv4Network("169.254.0.0/16"),  # metadata, resolver and time are not reached by routes: they are decided apart
    IPv4Network("224.0.0.0/4"),
    IPv4Network("240.0.0.0/4"),
    IPv6Network("::/128"),
    IPv6Network("::1/128"),
    IPv6Network("fe80::/10"),
    IPv6Network("ff00::/8"),
    IPv6Network("fd00:ec2::/32"),
)
"""No route table of a VPC delivers to these; the link-local services have checks of their own."""


@dataclass(frozen=True)
class Packet:
    """A concrete packet that a term admits."""

    family: str
    protocol: str
    destination: str
    port: int | None

    def document(self, source: str) -> dict[str, Any]:
        """The counterexample of the contract."""
        return {
            "family": self.family,
            "protocol": self.protocol,
            "source": source,
            "destination": self.destination,
            "port": self.port,
        }


def inside(network: Network) -> Term:
    """The destination lies in a network."""
    if network.prefixlen == 0:
        return V6 if network.version == 6 else z3.Not(V6)
    word, width = (DST6, 128) if network.version == 6 else (DST4, 32)
    high, low = width - 1, width - network.prefixlen
    same = z3.Extract(high, low, word) == z3.BitVecVal(int(network.network_address) >> low, network.prefixlen)
    return z3.And(V6 if network.version == 6 else z3.Not(V6), same)


def any_of(terms: Iterable[Term]) -> Term:
    """At least one; none at all is false."""
    found = list(terms)
    return z3.Or(*found) if len(found) > 1 else found[0] if found else z3.BoolVal(False)


def in_any(networks: Iterable[Network]) -> Term:
    """The destination lies in one of the networks."""
    return any_of(inside(item) for item in networks)


def network(text: Any) -> Network | None:
    """A CIDR, host bits and all, as AWS reads it; None when it is none."""
    if not isinstance(text, str):
        return None
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def protocol_number(value: Any) -> int | None:
    """An IANA protocol number; -1 is every protocol; None is not understood."""
    text = str(value).strip().lower()
    if text in ("-1", "all"):
        return -1
    if text in NUMBERS:
        return NUMBERS[text]
    return int(text) if text.isdecimal() and int(text) <= 255 else None


def number(value: Any) -> int | None:
    """A whole number, which a plan may hold as a float or as text."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = int(value) if not isinstance(value, float) or value.is_integer() else None
    except (TypeError, ValueError):
        return None
    return found


def service(protocol: int, low: int | None, high: int | None) -> Term:
    """A protocol and a range of ports. Types of ICMP are not told apart, so such a rule counts as wider than it is."""
    if protocol == -1:
        return z3.BoolVal(True)
    chosen = protocol == PROTOCOL
    if protocol not in _WITH_PORTS or low is None or high is None or low < 0 or (low, high) == (0, 65535):
        return chosen
    return z3.And(chosen, z3.UGE(PORT, low), z3.ULE(PORT, high))


ROUTED = z3.Not(in_any(NOT_ROUTED))

_NICE = (
    in_any((IPv4Network("203.0.113.0/24"), IPv6Network("2001:db8:f::/48"))),
    z3.Not(V6),
    PROTOCOL == 6,
    PORT == 443,
    any_of((int(IPv4Address("203.0.113.10")) == DST4, int(IPv6Address("2001:db8:f::10")) == DST6)),
)
"""A reader recognises documentation addresses and HTTPS at once; each wish is kept only while a packet remains."""


def find(*terms: Term) -> Packet | None:
    """A packet that all terms admit, as plain as possible; None when there is none at all."""
    solver = z3.Solver()
    solver.add(ROUTED, *terms)
    if solver.check() != z3.sat:
        return None
    for wish in _NICE:
        solver.push()
        solver.add(wish)
        if solver.check() != z3.sat:
            solver.pop()
    # What the wishes leave open is the smallest there is: the same plans give the same witness in every process.
    for field in (PROTOCOL, PORT):
        smallest(solver, field)
    solver.check()
    smallest(solver, DST6 if z3.is_true(solver.model().eval(V6, model_completion=True)) else DST4)
    solver.check()
    model = solver.model()

    def value(term: Term) -> int:
        return int(model.eval(term, model_completion=True).as_long())

    v6 = z3.is_true(model.eval(V6, model_completion=True))
    protocol = value(PROTOCOL)
    names = {number: name for name, number in NUMBERS.items()}
    return Packet(
        family="ipv6" if v6 else "ipv4",
        protocol=names.get(protocol, str(protocol)),
        destination=str(IPv6Address(value(DST6)) if v6 else IPv4Address(value(DST4))),
        port=value(PORT) if protocol in _WITH_PORTS else None,
    )


def smallest(solver: z3.Solver, field: Any) -> None:
    """Bind a field to its smallest value, bit by bit from the highest."""
    if solver.check() != z3.sat:
        return
    value = solver.model().eval(field, model_completion=True).as_long()
    solver.push()
    solver.add(field != value)
    bound = solver.check() == z3.unsat
    solver.pop()
    if bound:
        return
    for bit in range(field.size() - 1, -1, -1):
        solver.push()
        solver.add(z3.Extract(bit, bit, field) == 0)
        if solver.check() != z3.sat:
            solver.pop()
            solver.add(z3.Extract(bit, bit, field) == 1)


def admits(packet: Packet, term: Term) -> bool:
    """Whether a term admits one concrete packet: which rule of several lets a witness through."""
    solver = z3.Solver()
    solver.add(term, packet_term(packet))
    return bool(solver.check() == z3.sat)


def packet_term(packet: Packet) -> Term:
    """Exactly one packet."""
    v6 = packet.family == "ipv6"
    to = int(IPv6Address(packet.destination)) == DST6 if v6 else int(IPv4Address(packet.destination)) == DST4
    parts = [V6 if v6 else z3.Not(V6), to, NUMBERS.get(packet.protocol, number(packet.protocol) or 0) == PROTOCOL]
    if packet.port is not None:
        parts.append(packet.port == PORT)
    return z3.And(*parts)
