"""Whether a cluster's nodes are what the region's file says, read before anything is changed: cards, labels, taints, room for the gateways.

What a pod asks for and no node has is no error to an API server: the pod waits, and a region that is "up" answers nobody. So it is asked
for first. GPU feature discovery and NVIDIA's device plugin write what is read here; the driver is in the node image, or they write nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from curtilage.errors import StepError
from curtilage.kubeconfig import context_of
from curtilage.live.kube_client import KubeClient, RefusedError, UnansweredError
from curtilage.region import Region
from curtilage.region_parts import CARDS, CPU_CARD

POOL = "curtilage.dev/pool"
PRODUCT = "nvidia.com/gpu.product"
CARD_RESOURCE = "nvidia.com/gpu"
PAST_POLICIES = ("rdma/", "sriov", "nvidia.com/ib", "hostdev")
"""Devices by which a pod's traffic leaves past every network policy (EG-26)."""


def require_nodes(region: Region) -> None:
    """Hold that the named cluster's nodes carry the region.

    Raises:
        StepError: they do not, or may not be read; nothing was changed.
        ConfigError: the context is in no kubeconfig, or is not one that is trusted.
    """
    wanted = region.kubernetes.context if region.kubernetes is not None else None
    try:
        nodes = list(KubeClient(context_of(wanted)).pages("/api/v1/nodes"))
    except RefusedError as error:
        raise StepError("cluster", f"its nodes may not be read: {error}; nothing was changed", fix="grant get and list on nodes") from error
    except UnansweredError as error:
        raise StepError("cluster", f"its nodes could not be read: {error}; nothing was changed", fix="bring the API server up") from error
    gaps = lacking(region, nodes)
    if gaps:
        raise StepError(
            "cluster",
            "; ".join(gaps) + "; nothing was changed",
            fix="docs/regions.md says what nodes must be before: labels, taint, driver and device plugin; or correct kubernetes.gpu",
        )


def lacking(region: Region, nodes: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the nodes lack of what the region needs, one sentence each.

    Args:
        region: a region with ``kubernetes``.
        nodes: the API's node objects.
    """
    settings = region.kubernetes
    if settings is None or settings.gpu is None:
        return []
    card, wanted, per_node = settings.gpu.card, settings.gpu.nodes, settings.gpu.per_node
    usable = [node for node in nodes if _usable(node)]
    gaps = [f"node {_name(node)} offers {device}, which leaves past network policies" for node in usable for device in _devices(node)]
    system = [node for node in usable if _labels(node).get(POOL) == "system"]
    if len(system) < settings.gateway_replicas:
        gaps.append(f"{len(system)} ready nodes have label {POOL}=system; {settings.gateway_replicas} gateways stand on one each")
    pool = [node for node in usable if _labels(node).get(POOL) == "gpu"]
    if card == CPU_CARD:
        return gaps
    product = CARDS[card].product
    found = [node for node in pool if _labels(node).get(PRODUCT) == product]
    if len(found) < wanted:
        others = sorted({str(_labels(node).get(PRODUCT, "no card")) for node in pool} - {product})
        seen = f" (there: {', '.join(others)})" if others else ""
        gaps.append(f"{len(found)} ready nodes have labels {POOL}=gpu and {PRODUCT}={product}, the region names {wanted}{seen}")
    for node in found:
        cards = _count(node)
        if cards < per_node:
            gaps.append(f"node {_name(node)} offers {cards} of {CARD_RESOURCE}, the region names {per_node} a node")
        if not any(taint.get("key") == CARD_RESOURCE and taint.get("effect") == "NoSchedule" for taint in _spec(node).get("taints") or []):
            gaps.append(f"node {_name(node)} lacks taint {CARD_RESOURCE}:NoSchedule, so anything may take its room")
    return gaps


def _usable(node: Mapping[str, Any]) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
    return ready and not _spec(node).get("unschedulable")


def _devices(node: Mapping[str, Any]) -> list[str]:
    offered = (node.get("status") or {}).get("allocatable") or {}
    return sorted(name for name, count in offered.items() if str(count) != "0" and any(word in name.lower() for word in PAST_POLICIES))


def _count(node: Mapping[str, Any]) -> int:
    text = str(((node.get("status") or {}).get("allocatable") or {}).get(CARD_RESOURCE, "0"))
    return int(text) if text.isdigit() else 0


def _name(node: Mapping[str, Any]) -> str:
    return str((node.get("metadata") or {}).get("name"))


def _labels(node: Mapping[str, Any]) -> Mapping[str, Any]:
    return (node.get("metadata") or {}).get("labels") or {}


def _spec(node: Mapping[str, Any]) -> Mapping[str, Any]:
    return node.get("spec") or {}
