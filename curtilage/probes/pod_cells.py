"""The attack matrix from pods: which packet, from which place of a cluster, and which policy the datapath says it was dropped by.

Every cell has an address or a port of its own, so that a record of the datapath (which carries no payload) is a record of one cell: source,
destination and port name it. Silence is all that a dropped packet leaves behind in a pod, whatever the protocol, so a cell rests on its
controls, the canary and that record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from curtilage.probes.cells import METADATA_IPV4, Cell

BY_CLUSTER_POLICY, BY_POLICY = "Policy denied by denylist", "Policy denied"
"""What the datapath's reason begins with when a ClusterNetworkPolicy denied, and when any policy did (Cilium's drop reasons).

Where a ClusterNetworkPolicy passes a packet on to the NetworkPolicies and none of them allows it, Cilium 1.20 writes the first of them too:
it makes the default deny an entry of its own. So the first tells only of addresses outside, about which no NetworkPolicy is asked."""
DATAPATH = "datapath"
CLUSTER_POLICY, NETWORK_POLICY = "cluster-policy", "network-policy"
NOTHING = frozenset({"timeout"})
NO_ANSWER = frozenset({"sent"})
_BASE4, _BASE6 = IPv4Address("203.0.113.16"), IPv6Address("2001:db8:c::")


@dataclass(frozen=True, kw_only=True)
class Lateral:
    """A connection inside the cluster: from a place to a place's port, and whether the region's policies mean it to work."""

    source: str
    destination: str
    port: int
    allowed: bool
    control: str = NETWORK_POLICY


def outward(place: str, number: int) -> list[Cell]:
    """What must not leave from a place; ``number`` gives the place its own addresses outside."""
    four, six = str(_BASE4 + number), str(_BASE6 + number)
    cells = []
    for family, target in ((4, four), (6, six)):
        for port, catalogue in ((22, "EG-36"), (80, "EG-36"), (443, "EG-42"), (853, "EG-42")):
            cells.append(_cell(place, "tcp", family, target, port, NOTHING, catalogue))
        for port, catalogue in ((123, "EG-45"), (443, "EG-15"), (4789, "EG-43")):
            cells.append(_cell(place, "udp", family, target, port, NO_ANSWER, catalogue))
        cells.append(_cell(place, "dns", family, target, 53, NO_ANSWER, "EG-42", qtype="TXT"))
        cells.append(_cell(place, "icmp", family, target, 0, NO_ANSWER, "EG-43"))
    cells.append(_cell(place, "tcp", 4, METADATA_IPV4, 8000 + number, NOTHING, "EG-16"))
    return cells


def streamed(place: str, number: int, catalogue: str) -> list[Cell]:
    """What a place sends without pause while something changes under it."""
    four, six = str(_BASE4 + number), str(_BASE6 + number)
    return [
        _cell(place, kind, family, target, port, expected, catalogue)
        for family, target in ((4, four), (6, six))
        for kind, port, expected in (("tcp", 443, NOTHING), ("udp", 443, NO_ANSWER), ("icmp", 0, NO_ANSWER))
    ]


@dataclass(frozen=True, kw_only=True)
class LateralCell(Cell):
    """A cell whose address is a pod's, which changes: its id names the place instead."""

    to: str

    @property
    def id(self) -> str:
        """Stable id: from where, what, to which place."""
        return f"{self.host}/{self.kind}{self.family}/{self.to}:{self.port}"


def lateral(path: Lateral, addresses: Sequence[str]) -> list[LateralCell]:
    """The cells of a connection that must not come about, one for each of the destination's addresses."""
    return [
        LateralCell(
            host=path.source, kind="tcp", family=6 if ":" in target else 4, target=target, port=path.port, control=path.control,
            counter=BY_CLUSTER_POLICY if path.control == CLUSTER_POLICY else BY_POLICY, counter_host=DATAPATH, expected=NOTHING,
            catalogue="EG-52", to=path.destination,
        )
        for target in addresses
    ]  # fmt: skip


def _cell(place: str, kind: str, family: int, target: str, port: int, expected: frozenset[str], catalogue: str, **extra: Any) -> Cell:
    return Cell(
        host=place, kind=kind, family=family, target=target, port=port, control=CLUSTER_POLICY, counter=BY_CLUSTER_POLICY,
        counter_host=DATAPATH, expected=expected, catalogue=catalogue, extra=tuple(sorted(extra.items())),
    )  # fmt: skip
