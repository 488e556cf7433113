"""Who may talk to whom: default deny both ways in every namespace, the three flows that answer a question, and the admin-tier deny.

Pods have no DNS and no other service of the cluster. Network policies are additive: who may write one can open egress again
(egress catalogue EG-23). The ClusterNetworkPolicy denies above them where the cluster serves it; admission refuses the opening everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from curtilage.allowance import Allowance, Role
from curtilage.derive.kubernetes.names import (
    APP_LABEL,
    EVIDENCE,
    GATEWAY,
    GATEWAY_PORT,
    MODEL_PORT,
    MODELS,
    SEALED,
    SEGMENT_LABEL,
    STORE_PORT,
    Manifest,
    metadata,
    settings_of,
)
from curtilage.region import Region

BOTH = ["Ingress", "Egress"]
NAMESPACE_OF = {Role.GPU: MODELS, Role.GATEWAY: GATEWAY, Role.EVIDENCE: EVIDENCE}
EVERYTHING = ("0.0.0.0/0", "::/0")


def allowances_of(region: Region) -> Iterator[tuple[str, Allowance]]:
    """Each allowance with the namespace whose pods it is for; role crm has no pods here."""
    for item in region.allowances:
        if item.from_role in NAMESPACE_OF:
            yield NAMESPACE_OF[item.from_role], item


def network_policies(region: Region) -> Iterator[Manifest]:
    """Every NetworkPolicy of the segment."""
    settings = settings_of(region)
    for namespace in SEALED:
        yield _policy(region, "default-deny", namespace, {})
    crm = [{"ipBlock": {"cidr": str(network)}} for network in settings.crm_networks]
    yield _policy(
        region,
        "gateway",
        GATEWAY,
        {APP_LABEL: "gateway"},
        ingress=[{"from": crm, "ports": [_tcp(GATEWAY_PORT)]}],
        egress=[
            {"to": [_pods(MODELS, "vllm")], "ports": [_tcp(MODEL_PORT)]},
            {"to": [_pods(EVIDENCE, "evidence-store")], "ports": [_tcp(STORE_PORT)]},
        ],
    )
    scraping = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": settings.monitoring_namespace}},
        "podSelector": {"matchLabels": {APP_LABEL: "prometheus"}},
    }
    yield _policy(
        region,
        "vllm",
        MODELS,
        {APP_LABEL: "vllm"},
        ingress=[{"from": [_pods(GATEWAY, "gateway"), scraping], "ports": [_tcp(MODEL_PORT)]}],
    )
    yield _policy(
        region,
        "evidence-store",
        EVIDENCE,
        {APP_LABEL: "evidence-store"},
        ingress=[{"from": [_pods(GATEWAY, "gateway")], "ports": [_tcp(STORE_PORT)]}],
    )
    for namespace, item in allowances_of(region):
        # An allowance has an end: `curtilage plan` refuses a region whose allowance has passed it, so its policy goes with it.
        found = _policy(
            region,
            f"allowance-{item.id}",
            namespace,
            {},
            egress=[
                {
                    "to": [{"ipBlock": {"cidr": str(item.destination)}}],
                    "ports": [{"protocol": item.protocol.upper(), "port": port} for port in item.ports],
                }
            ],
        )
        found["metadata"]["annotations"] = {
            "curtilage.dev/owner": item.owner,
            "curtilage.dev/reason": item.reason,
            "curtilage.dev/expires": item.expires.isoformat(),
        }
        yield found


def cluster_policies(region: Region) -> Iterator[Manifest]:
    """The deny that no namespace overrides, where the cluster serves the API; pods of the segment pass on to the policies above."""
    settings = settings_of(region)
    if not settings.cluster_network_policy:
        return
    segment = {"matchLabels": {SEGMENT_LABEL: "legal"}}
    watching = {"matchLabels": {"kubernetes.io/metadata.name": settings.monitoring_namespace}}
    passes: list[dict[str, Any]] = [{"name": "segment", "action": "Pass", "to": [{"namespaces": segment}]}]
    for _, item in allowances_of(region):
        number = {"tcp": "tcp", "udp": "udp"}[item.protocol]
        passes.append(
            {
                "name": f"allowance-{item.id}",
                "action": "Pass",
                "to": [{"networks": [str(item.destination)]}],
                "protocols": [{number: {"destinationPort": {"number": port}}} for port in item.ports],
            }
        )
    yield {
        "apiVersion": "policy.networking.k8s.io/v1alpha2",
        "kind": "ClusterNetworkPolicy",
        "metadata": metadata(region, "legal-seal"),
        "spec": {
            "tier": "Admin",
            # Zero is before every other policy of the tier: nothing that a later one accepts is ever asked.
            "priority": 0,
            "subject": {"namespaces": segment},
            "ingress": [
                {"name": "segment", "action": "Pass", "from": [{"namespaces": segment}]},
                {"name": "monitoring", "action": "Pass", "from": [{"namespaces": watching}]},
                {"name": "deny-other-namespaces", "action": "Deny", "from": [{"namespaces": {}}]},
            ],
            "egress": [
                *passes,
                {"name": "deny-other-namespaces", "action": "Deny", "to": [{"namespaces": {}}]},
                # The families are separate networks: one of them alone would leave the other open.
                *({"name": f"deny-ipv{ip_network(text).version}", "action": "Deny", "to": [{"networks": [text]}]} for text in EVERYTHING),
            ],
        },
    }


def _policy(
    region: Region,
    name: str,
    namespace: str,
    selector: dict[str, str],
    ingress: list[dict[str, Any]] | None = None,
    egress: list[dict[str, Any]] | None = None,
) -> Manifest:
    # A direction without rules is left out, not written as []: the provider drops an empty list, and drift in it would never be seen.
    spec: dict[str, Any] = {"podSelector": {"matchLabels": selector} if selector else {}, "policyTypes": list(BOTH)}
    if ingress:
        spec["ingress"] = ingress
    if egress:
        spec["egress"] = egress
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata(region, name, namespace), "spec": spec}


def _pods(namespace: str, app: str) -> dict[str, Any]:
    return {
        "namespaceSelector": {"matchLabels": {SEGMENT_LABEL: "legal", "kubernetes.io/metadata.name": namespace}},
        "podSelector": {"matchLabels": {APP_LABEL: app}},
    }


def _tcp(port: int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": port}
