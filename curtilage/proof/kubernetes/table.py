"""The flows that policies allow, as a table: every pair of listed workloads, and what is outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from curtilage.proof.kubernetes.decision import Cluster
from curtilage.proof.kubernetes.flows import Flow, Flows
from curtilage.proof.kubernetes.rules import PROTOCOLS
from curtilage.proof.ports import port_ranges


def table(cluster: Cluster) -> list[dict[str, str]]:
    """Every flow that is allowed, by listed workload: what each may reach, by protocol and ports.

    Beside the workloads each namespace has a row for a pod with none of the labels that policies name, and two destinations stand for the
    addresses outside.
    """
    flows = Flows(cluster)
    ends = _ends(cluster)
    outside = [("any address (ipv4)", {"ip": "198.51.100.10"}), ("any address (ipv6)", {"ip": "2001:db8:f::10"})]
    rows = []
    for source, sender in ends:
        for destination, receiver in [*ends, *outside]:
            for protocol in (*PROTOCOLS, "ICMP"):
                base = {"source": sender, "destination": receiver, "protocol": protocol}
                for verdict, ports in _ports(flows, base, _cuts(cluster, protocol)):
                    rows.append({"source": source, "destination": destination, "protocol": protocol, "ports": ports, "verdict": verdict})
    return rows


def _ends(cluster: Cluster) -> list[tuple[str, dict[str, Any]]]:
    listed = [(str(item.owner), {"namespace": item.namespace, "pod": item.owner.name}) for item in cluster.templates]
    spaces = [item.name for item in cluster.world.namespaces if item.listed]
    return [*listed, *((f"any other pod of namespace {name}", {"namespace": name, "labels": {}}) for name in spaces)]


def _cuts(cluster: Cluster, protocol: str) -> list[int]:
    """The first port of each range over which no policy changes its mind."""
    found = {1}
    for rule in cluster.rules:
        for port in rule.ports or ():
            if port.protocol in (None, protocol) and not port.name:
                found |= {max(port.low, 1), port.high + 1}
    for item in cluster.templates:
        for numbers in (item.named_ports() or {}).values():
            found |= {number for port in numbers for number in (port, port + 1)}
    return sorted(number for number in found if number <= 65535)


def _ports(flows: Flows, base: dict[str, Any], cuts: list[int]) -> Iterable[tuple[str, str]]:
    whole = flows.answer(Flow.model_validate(base)).verdict
    if whole == "allow":
        return [("allow", "all")]
    if whole == "deny":
        return []
    if base["protocol"] == "ICMP":
        return [("not_proven", "all")]
    return port_ranges(cuts, lambda port: flows.answer(Flow.model_validate({**base, "port": port})).verdict)
