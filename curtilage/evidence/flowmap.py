"""Allowed flows with what was observed laid over them; the difference is a finding.

Rows join flows of the same name, port and roles, so that a region of any size stays legible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from curtilage.evidence.dossier import Dossier, Machine
from curtilage.verdict import Verdict, worst

_BUILT_IN = ("localhost", "in-addr.arpa", "ip6.arpa")
"""Zones that a resolver answers by itself (RFC 6303, 6761): of loopback and of private addresses, never from elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the picture.

    Attributes:
        client, server: roles; ``outside`` for what lies beyond the segments.
        seen: how often it was observed; None where nothing was read that could have shown it.
        source: where it was observed.
    """

    name: str
    client: str
    server: str
    protocol: str
    port: int
    seen: int | None
    source: str = ""
    finding: bool = False


@dataclass(frozen=True, kw_only=True)
class FlowMap:
    """The picture's data."""

    rows: tuple[Row, ...]
    dropped: Mapping[str, Mapping[str, int]]
    """Role → control → packets that were dropped and counted."""
    findings: tuple[str, ...]
    unread: tuple[str, ...]
    observed: bool

    @property
    def verdict(self) -> Verdict:
        """FAIL for a flow that nothing allows; NOT_RUN where nothing was observed, or a part could not be read."""
        if self.findings:
            return Verdict.FAIL
        return worst([Verdict.NOT_RUN if not self.observed or self.unread else Verdict.PASS])

    @property
    def conclusive(self) -> bool:
        """Whether there is a result to record: a finding, or everything read and nothing found."""
        return self.verdict is not Verdict.NOT_RUN

    def document(self) -> dict[str, Any]:
        """The map as JSON."""
        return {
            "dropped": {role: dict(found) for role, found in self.dropped.items()},
            "findings": list(self.findings),
            "observed": self.observed,
            "rows": [vars(row) for row in self.rows],
            "unread": list(self.unread),
            "verdict": str(self.verdict),
        }


def flow_map(dossier: Dossier) -> FlowMap:
    """The flows of a dossier."""
    by_name = {machine.name: machine for machine in dossier.machines}
    by_address = {_plain(address): machine for machine in dossier.machines for address in machine.addresses}
    observed = dossier.observed
    groups: dict[tuple[str, str, str, str, int], None] = {}
    for flow in dossier.flows:
        groups[flow.name, by_name[flow.client].role, by_name[flow.server].role, flow.protocol, flow.port] = None
    allowed = {(flow.client, flow.server, flow.protocol, flow.port) for flow in dossier.flows}
    seen: dict[tuple[str, str, str, int], int] = {}
    findings: list[str] = []
    extra: list[Row] = []
    for item in observed.connections if observed else ():
        client, server = by_address.get(item.source), by_address.get(item.destination)
        if client and server and (client.name, server.name, item.protocol, item.port) in allowed:
            key = (client.role, server.role, item.protocol, item.port)
            seen[key] = max(seen.get(key, 0), 0) + item.count
            continue
        if _by_allowance(dossier, client, item.destination, item.protocol, item.port):
            continue
        where = f"{item.source} → {item.destination} {item.protocol} {item.port}, on {item.host}'s books"
        findings.append(f"observed, but no flow allows it: {where}")
        extra.append(
            Row(
                name=f"{item.source} → {item.destination}", client=client.role if client else "outside",
                server=server.role if server else "outside", protocol=item.protocol, port=item.port, seen=item.count,
                source="connection table", finding=True,
            )
        )  # fmt: skip
    findings += _names(dossier)
    rows = [
        Row(
            name=name, client=client, server=server, protocol=protocol, port=port,
            seen=_seen(dossier, name, client, protocol, seen.get((client, server, protocol, port), 0)), source=_source(dossier, name),
        )
        for name, client, server, protocol, port in groups
    ]  # fmt: skip
    rows += [
        Row(
            name=f"allowance {item['id']}", client=str(item["from_role"]), server="outside", protocol=str(item["protocol"]), port=int(port),
            seen=None,
        )
        for item in dossier.region.get("allowances", ()) for port in item["ports"]
    ]  # fmt: skip
    return FlowMap(
        rows=(*rows, *extra),
        dropped=_dropped(dossier),
        findings=tuple(findings),
        unread=observed.unread if observed else (),
        observed=observed is not None,
    )


def _plain(address: str) -> str:
    """An address in its one form; a network or a namespace, which is no address, as it is."""
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def _by_allowance(dossier: Dossier, client: Machine | None, destination: str, protocol: str, port: int) -> bool:
    return client is not None and any(
        item["from_role"] == client.role
        and item["protocol"] == protocol
        and port in item["ports"]
        and ip_address(destination) in ip_network(item["destination"])
        for item in dossier.region.get("allowances", ())
    )


def _names(dossier: Dossier) -> list[str]:
    """An answered name that no zone of the region holds was answered from elsewhere."""
    if dossier.observed is None:
        return []
    zones = (*(zone.lower().rstrip(".") for zone in dossier.zones), *_BUILT_IN)
    return [
        f"the resolver answered {asked.client}'s question for {name}, which no zone of the region holds"
        for asked in dossier.observed.names
        for name in asked.answered
        if not any(name == zone or name.endswith(f".{zone}") for zone in zones)
    ]


def _seen(dossier: Dossier, name: str, client: str, protocol: str, tracked: int) -> int | None:
    """The larger of what the connection tables still held and what the resolver's log or the ledger counted."""
    if dossier.observed is None:
        return None
    counted = 0
    if name == "names" and protocol == "udp":  # the log does not tell the protocol, and nearly every question is a datagram
        roles = {address: machine.role for machine in dossier.machines for address in machine.addresses}
        counted = sum(sum(asked.counts.values()) for asked in dossier.observed.names if roles.get(asked.client) == client)
    elif name in ("answers", "inference"):
        counted = sum(int(call["count"]) for call in dossier.observed.calls if name == "answers" or call["upstream"])
    return max(tracked, counted)


def _source(dossier: Dossier, name: str) -> str:
    if dossier.observed is None:
        return ""
    return {"names": "resolver's log, connection table", "answers": "ledger", "inference": "ledger"}.get(name, "connection table")


def _dropped(dossier: Dossier) -> dict[str, dict[str, int]]:
    roles = {machine.name: machine.role for machine in dossier.machines}
    found: dict[str, dict[str, int]] = {}
    for host, counted in dossier.observed.counters.items() if dossier.observed else ():
        role = found.setdefault(roles.get(host, host), {})
        for name, packets in counted.items():
            if name in ("output_drop", "forward_drop", "input_drop", "netdev_drop"):
                role[name.removesuffix("_drop")] = role.get(name.removesuffix("_drop"), 0) + packets
    return found
