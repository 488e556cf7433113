"""What may leave: the segments, the allowances, and the control traffic that a link keeps to itself. Everything else is a leak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from curtilage.proof.fields import ETHERTYPE, L4
from curtilage.proof.formula import All, Either, Formula, Test, equals, one_of

Network = IPv4Network | IPv6Network

LINK_CONTROL = (IPv6Network("fe80::/10"), IPv6Network("ff01::/16"), IPv6Network("ff02::/16"))
"""Never forwarded by a router (RFC 4291); ICMPv6 to it is how neighbours find one another."""
LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
"""No link carries it: the kernel neither sends it out nor forwards it."""


@dataclass(frozen=True)
class Opening:
    """A destination outside the segments that an allowance names."""

    id: str
    destination: Network
    protocol: str
    ports: tuple[int, ...]


@dataclass(frozen=True)
class Allowed:
    """Where packets of a host may go.

    Args:
        segment: how findings name it.
        networks: the segments' networks.
        openings: allowances of this host.
        sources: the host's own addresses; findings show them as the packet's source.
    """

    segment: str
    networks: tuple[Network, ...]
    openings: tuple[Opening, ...] = ()
    sources: tuple[str, ...] = ()

    def formula(self) -> Formula:
        """The packets that are no leak, judged by the frame on the wire."""
        wire = {4: ETHERTYPE["ip"], 6: ETHERTYPE["ip6"]}
        parts: list[Formula] = [equals("wire", ETHERTYPE["arp"])]
        for version in (4, 6):
            networks = [network for network in (*self.networks, *LOOPBACK) if network.version == version]
            parts.append(All((equals("wire", wire[version]), to(networks))))
        parts.append(All((honest("ip6"), equals("l4proto", L4["icmpv6"]), to(LINK_CONTROL))))
        parts += [opening_formula(item) for item in self.openings]
        return Either(tuple(parts))

    def inbound(self) -> Formula:
        """The packets that may come in: from the segments, or the link's own control traffic."""
        wire = {4: ETHERTYPE["ip"], 6: ETHERTYPE["ip6"]}
        parts = [
            All((equals("wire", wire[version]), to([item for item in (*self.networks, *LOOPBACK) if item.version == version], "saddr")))
            for version in (4, 6)
        ]
        # The unspecified address is a neighbour that checks its own.
        neighbours = to((*LINK_CONTROL, IPv6Network("::/128")), "saddr")
        return Either((*parts, All((honest("ip6"), equals("l4proto", L4["icmpv6"]), neighbours))))


def to(networks: Sequence[Network], side: str = "daddr") -> Formula:
    """The destination, or the source, lies in one of the networks."""
    return Either(
        tuple(
            Test(f"{'ip' if item.version == 4 else 'ip6'}.{side}", int(item.network_address), int(item.broadcast_address))
            for item in networks
        )
    )


def honest(family: str) -> Formula:
    """The frame is what it claims to be, so that its transport header is the one the rules saw."""
    return All((equals("wire", ETHERTYPE[family]), equals("protocol", ETHERTYPE[family])))


def opening_formula(item: Opening) -> Formula:
    """The packets an allowance covers."""
    family = "ip" if item.destination.version == 4 else "ip6"
    return All(
        (honest(family), to([item.destination]), equals("l4proto", L4[item.protocol]), equals("fragment", 0), one_of("dport", item.ports))
    )
