"""The attack matrix: which packet, from which host, stopped by which control, and how that control shows that it did it.

One :class:`Cell` is one claim: 'this packet does not leave'. Ids are stable: evidence requires them by name, so a removed cell is noticed.
EG-numbers refer to the bypass catalogue in docs/threat-model.md.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from curtilage.region import Host, Region

CANARY_IPV4 = "198.51.100.7"
CANARY_IPV4_OTHER = "203.0.113.7"
CANARY_IPV6 = "2001:db8:f::7"
METADATA_IPV4 = "169.254.169.254"

SILENT = frozenset({"timeout", "eperm"})
SILENT_DATAGRAM = frozenset({"eperm"})
FRAME_DROPPED = frozenset({"enobufs"})
REFUSED_NAME = frozenset({"rcode:REFUSED"})

VLLM_PORT = 8000
ETH_IPV4, ETH_IPV6, ETH_EXPERIMENTAL = 0x0800, 0x86DD, 0x88B5


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One negative claim.

    Attributes:
        host: where the attacker sits (``ops`` for the unsealed operator namespace).
        kind: the agent's probe kind.
        family: 4 or 6.
        target: address the packet is for.
        port: destination port; 0 where the protocol has none.
        control: the control that must stop it: output, forward, netdev, resolver, vllm-ingress.
        counter: the named counter that must rise, or ``resolver-log`` for a name refused by the resolver.
        counter_host: where that counter is read.
        expected: signatures the attacker may see; any other makes the cell INVALID.
        catalogue: the bypass it exercises.
    """

    host: str
    kind: str
    family: int
    target: str
    port: int
    control: str
    counter: str
    counter_host: str
    expected: frozenset[str]
    catalogue: str
    extra: tuple[tuple[str, Any], ...] = ()

    @property
    def id(self) -> str:
        """Stable id: host, what is sent, where to."""
        label = "-".join(str(value) for _, value in self.extra)
        port = f":{self.port}" if self.port else ""
        return f"{self.host}/{self.kind}{self.family}{'-' + label if label else ''}/{self.target}{port}"

    @property
    def path_key(self) -> tuple[Any, ...]:
        """What the path control must show once for all hosts: the same packet, sent by an unsealed sender, arrives."""
        kind = "udp" if self.kind == "forward" else self.kind
        return (kind, self.family, self.target, self.port, self.extra)

    def probe(self, uuid: str) -> dict[str, Any]:
        """The agent's order for this cell."""
        base = {"id": self.id, "kind": self.kind, "family": self.family, "target": self.target, "port": self.port, "uuid": uuid}
        return base | dict(self.extra)


def region_cells(region: Region) -> list[Cell]:
    """Every cell of a region: the outward matrix from each host, names, nested guests, raw frames, and lateral paths to the models."""
    cells: list[Cell] = []
    for host in region.hosts:
        cells += _outward(host)
        cells += _names(host, region)
    cells += _lateral(region)
    return cells


def _outward(host: Host) -> list[Cell]:
    def cell(kind: str, family: int, target: str, port: int, control: str, expected: frozenset[str], catalogue: str, **extra: Any) -> Cell:
        counter = "netdev_drop" if control == "netdev" else f"{control}_drop_ip{family}"
        return Cell(
            host=host.name, kind=kind, family=family, target=target, port=port, control=control, counter=counter,
            counter_host=host.name, expected=expected, catalogue=catalogue, extra=tuple(sorted(extra.items())),
        )  # fmt: skip

    cells = []
    for family, target in ((4, CANARY_IPV4), (6, CANARY_IPV6)):
        cells += [cell("tcp", family, target, port, "output", SILENT, "EG-42" if port == 853 else "EG-36") for port in (22, 80, 443, 853)]
        cells += [cell("udp", family, target, port, "output", SILENT_DATAGRAM, catalogue)
                  for port, catalogue in ((53, "EG-42"), (123, "EG-45"), (443, "EG-42"), (4789, "EG-43"))]  # fmt: skip
        cells.append(cell("icmp", family, target, 0, "output", SILENT_DATAGRAM, "EG-43"))
        cells.append(cell("rawip", family, target, 0, "output", SILENT_DATAGRAM, "EG-43", protocol_number=47))
        cells.append(cell("frame", family, target, 9999, "netdev", FRAME_DROPPED, "EG-37", ethertype=ETH_IPV4 if family == 4 else ETH_IPV6))
        cells.append(cell("forward", family, target, 443, "forward", frozenset({"sent"}), "EG-38"))
    cells.append(cell("frame", 4, "broadcast", 0, "netdev", FRAME_DROPPED, "EG-37", ethertype=ETH_EXPERIMENTAL))
    cells.append(cell("tcp", 4, METADATA_IPV4, 80, "output", SILENT, "EG-16"))
    cells.append(cell("tcp", 4, CANARY_IPV4_OTHER, 443, "output", SILENT, "EG-42"))
    cells.append(cell("dns", 4, CANARY_IPV4, 53, "output", SILENT_DATAGRAM, "EG-42", qtype="TXT"))
    return cells


def _names(host: Host, region: Region) -> list[Cell]:
    """Names tunnelled through the region's own resolver (EG-42): it must refuse, and its log must say so."""
    resolver = region.hosts_by_role("gateway")[0]
    return [
        Cell(
            host=host.name, kind="dns", family=4, target=str(resolver.ipv4), port=53, control="resolver", counter="resolver-log",
            counter_host=resolver.name, expected=REFUSED_NAME, catalogue="EG-42", extra=(("qtype", qtype),),
        )
        for qtype in ("A", "AAAA", "NULL", "TXT")
    ]  # fmt: skip


def _lateral(region: Region) -> list[Cell]:
    """Nobody but the gateway reaches a model: stopped at the sender, and, for an unsealed sender, at the model's own host."""
    cells = []
    for gpu in region.hosts_by_role("gpu"):
        senders = [host.name for host in region.hosts if host.role in ("crm", "evidence")]
        cells += [_to_model(sender, gpu, "output", "output_drop_ip4", sender) for sender in senders]
        cells.append(_to_model("ops", gpu, "vllm-ingress", "input_drop_vllm", gpu.name))
        cells.append(dataclasses.replace(cells[-1], family=6, target=str(gpu.ipv6)))
    return cells


def _to_model(source: str, gpu: Host, control: str, counter: str, counter_host: str) -> Cell:
    return Cell(
        host=source, kind="tcp", family=4, target=str(gpu.ipv4), port=VLLM_PORT, control=control, counter=counter,
        counter_host=counter_host, expected=SILENT, catalogue="EG-52",
    )  # fmt: skip
