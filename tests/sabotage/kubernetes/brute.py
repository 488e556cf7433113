"""The specification once more, written plainly and on its own: one flow at a time, straight from the documents.

It shares no code with the product: what both say alike is what the specification says, unless both err alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """An end of a flow: a pod in a namespace, or an address."""

    ip: str
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    space_labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Packet:
    source: Place
    destination: Place
    protocol: str
    port: int


def selected(selector: Document | None, labels: Mapping[str, str]) -> bool:
    selector = selector or {}
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for item in selector.get("matchExpressions") or []:
        have, values = labels.get(item["key"]), item.get("values") or []
        good = {
            "In": have is not None and have in values,
            "NotIn": have is None or have not in values,
            "Exists": have is not None,
            "DoesNotExist": have is None,
        }[item["operator"]]
        if not good:
            return False
    return True


def in_block(ip: str, cidr: str) -> bool:
    address, network = ip_address(ip), ip_network(cidr, strict=False)
    return address.version == network.version and address in network


def port_matches(item: Document, packet: Packet) -> bool:
    if item.get("protocol", "TCP") != packet.protocol:
        return False
    port = item.get("port")
    if port is None:
        return True
    if isinstance(port, str):
        return packet.destination.ports.get((packet.protocol, port)) == packet.port
    return port <= packet.port <= item.get("endPort", port)


def peer_matches(peer: Document, place: Place, own: str | None) -> bool:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        return in_block(place.ip, block["cidr"]) and not any(in_block(place.ip, text) for text in block.get("except") or [])
    if place.namespace is None:
        return False
    if "namespaceSelector" in peer:
        if not selected(peer["namespaceSelector"], place.space_labels):
            return False
    elif place.namespace != own:
        return False
    return "podSelector" not in peer or selected(peer["podSelector"], place.labels)


def network_policies_allow(documents: list[Document], packet: Packet, direction: str) -> tuple[bool, bool]:
    """Whether the deciding pod is isolated, and whether some policy allows the packet."""
    own, other = (packet.source, packet.destination) if direction == "Egress" else (packet.destination, packet.source)
    isolated = allowed = False
    for item in documents:
        if item["kind"] != "NetworkPolicy" or item["metadata"]["namespace"] != own.namespace:
            continue
        spec = item["spec"]
        types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
        if direction not in types or not selected(spec.get("podSelector"), own.labels):
            continue
        isolated = True
        key, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
        for rule in spec.get(key) or []:
            peer = not rule.get(peers) or any(peer_matches(one, other, own.namespace) for one in rule[peers])
            port = not rule.get("ports") or any(port_matches(one, packet) for one in rule["ports"])
            allowed = allowed or (peer and port)
    return isolated, allowed


def cluster_peer(peer: Document, place: Place) -> bool:
    if "networks" in peer:
        return any(in_block(place.ip, text) for text in peer["networks"])
    if place.namespace is None:
        return False
    if "namespaces" in peer:
        return selected(peer["namespaces"], place.space_labels)
    both = peer["pods"]
    return selected(both.get("namespaceSelector"), place.space_labels) and selected(both.get("podSelector"), place.labels)


def cluster_port(item: Document, packet: Packet) -> bool:
    if "destinationNamedPort" in item:
        return packet.destination.ports.get((packet.protocol, item["destinationNamedPort"])) == packet.port
    ((protocol, wanted),) = item.items()
    if protocol.upper() != packet.protocol:
        return False
    port = wanted.get("destinationPort") or {"range": {"start": 0, "end": 65535}}
    return port["number"] == packet.port if "number" in port else port["range"]["start"] <= packet.port <= port["range"]["end"]


def tier(documents: list[Document], name: str, packet: Packet, direction: str) -> set[str]:
    """What a tier may do with a packet: several where policies of one priority disagree."""
    own, other = (packet.source, packet.destination) if direction == "Egress" else (packet.destination, packet.source)
    key, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    policies = [item["spec"] for item in documents if item["kind"] == "ClusterNetworkPolicy" and item["spec"]["tier"] == name]
    for priority in sorted({spec["priority"] for spec in policies}):
        found: set[str] = set()
        for spec in policies:
            if spec["priority"] != priority or not cluster_peer(spec["subject"], own):
                continue
            for rule in spec.get(key) or []:
                port = not rule.get("protocols") or any(cluster_port(one, packet) for one in rule["protocols"])
                if port and any(cluster_peer(one, other) for one in rule[peers]):
                    found.add(rule["action"])
                    break
        if found:
            return found
    return {"Pass"}


def outcomes(documents: list[Document], packet: Packet, direction: str) -> set[str]:
    """What may become of a packet in one direction."""
    own = packet.source if direction == "Egress" else packet.destination
    if own.namespace is None:
        return {"allow"}
    found: set[str] = set()
    for action in tier(documents, "Admin", packet, direction):
        if action == "Accept":
            found.add("allow")
        elif action == "Deny":
            found.add("deny")
        else:
            isolated, allowed = network_policies_allow(documents, packet, direction)
            if isolated:
                found.add("allow" if allowed else "deny")
            else:
                found |= {"deny" if one == "Deny" else "allow" for one in tier(documents, "Baseline", packet, direction)}
    return found


def verdict(documents: list[Document], packet: Packet) -> str:
    egress, ingress = outcomes(documents, packet, "Egress"), outcomes(documents, packet, "Ingress")
    if "allow" not in egress or "allow" not in ingress:
        return "deny"
    return "allow" if egress == ingress == {"allow"} else "not_proven"
