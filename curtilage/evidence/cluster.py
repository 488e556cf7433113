"""Machines and flows of a region on a cluster, read off the derived network policies: the picture shows what those allow and no other.

A conversation inside the segment is allowed when the client's policy lets it out and the server's lets it in; one end alone is not a flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curtilage.derive.kubernetes.names import APP_LABEL, EVIDENCE, GATEWAY, MODELS, settings_of
from curtilage.derive.kubernetes.network import network_policies
from curtilage.region import Region

ROLES = {GATEWAY: "gateway", MODELS: "gpu", EVIDENCE: "evidence"}
NAMES = {
    ("crm", "gateway"): "answers",
    ("gateway", "gpu"): "inference",
    ("gateway", "evidence"): "checkpoints",
    ("operator", "gpu"): "metrics",
}
NAMESPACE = "kubernetes.io/metadata.name"

Machine = tuple[str, str, tuple[str, ...]]
"""Name, role, addresses or what stands for them."""
Flow = tuple[str, str, str, str, int]
"""Name, client, server, protocol, port."""


def machines_and_flows(region: Region) -> tuple[list[Machine], list[Flow]]:
    """What the picture shows of a region on a cluster.

    Raises:
        ValueError: a policy names a peer this module does not know; it is not left out in silence.
    """
    settings = settings_of(region)
    crm = {str(network) for network in settings.crm_networks}
    outward: set[tuple[str, str, str, int]] = set()
    inward: set[tuple[str, str, str, int]] = set()
    apps: dict[str, Machine] = {"crm": ("CRM networks", "crm", tuple(sorted(crm)))}
    for policy in network_policies(region):
        namespace, spec = str(policy["metadata"]["namespace"]), policy["spec"]
        role, app = ROLES[namespace], spec["podSelector"].get("matchLabels", {}).get(APP_LABEL)
        if app is None:  # default deny, and allowances: the region's own list of allowances is drawn from its file
            continue
        apps[role] = (str(app), role, (namespace,))
        for peer, protocol, port in _rules(spec.get("ingress", ()), "from"):
            inward.add((_role(peer, crm, settings.monitoring_namespace), role, protocol, port))
        for peer, protocol, port in _rules(spec.get("egress", ()), "to"):
            outward.add((role, _role(peer, crm, settings.monitoring_namespace), protocol, port))
    if any(client == "operator" for client, *_ in inward):
        apps["operator"] = ("prometheus", "operator", (settings.monitoring_namespace,))
    sealed = set(ROLES.values())
    allowed = {flow for flow in inward if flow[0] not in sealed or flow in outward}
    flows = [
        (NAMES.get((client, server), f"{client} to {server}"), apps[client][0], apps[server][0], protocol, port)
        for client, server, protocol, port in sorted(allowed)
    ]
    return [apps[role] for role in sorted(apps)], flows


def _rules(rules: Any, side: str) -> Iterator[tuple[Mapping[str, Any], str, int]]:
    for rule in rules:
        for peer in rule[side]:
            for port in rule["ports"]:
                yield peer, str(port["protocol"]).lower(), int(port["port"])


def _role(peer: Mapping[str, Any], crm: set[str], monitoring: str) -> str:
    if "ipBlock" in peer:
        if str(peer["ipBlock"]["cidr"]) in crm:
            return "crm"
        raise ValueError(f"a policy names {peer['ipBlock']['cidr']}, which is no network of the CRM")
    namespace = str(peer["namespaceSelector"]["matchLabels"].get(NAMESPACE))
    if namespace in ROLES:
        return ROLES[namespace]
    if namespace == monitoring:
        return "operator"
    raise ValueError(f"a policy names namespace {namespace}, which is none of the segment's")
