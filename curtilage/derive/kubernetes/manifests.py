"""All objects of a region, by the component that declares them, in the order in which they may be made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from curtilage.derive.kubernetes import admission, gateway, models, monitoring, network, segment
from curtilage.derive.kubernetes.names import Manifest
from curtilage.derive.yaml_text import yaml_text
from curtilage.region import Region

LEGAL_SEGMENT, EGRESS_FIREWALL, GPU_NODE_POOL = "legal_segment", "egress_firewall", "gpu_node_pool"
MODEL_IMAGE, LLM_SERVICE, EVIDENCE_STORE = "model_image", "llm_service", "evidence_store"


def manifests(region: Region) -> Mapping[str, tuple[Manifest, ...]]:
    """Each component's objects."""
    return {
        LEGAL_SEGMENT: tuple(_of(region, segment.namespaces, segment.quotas, segment.priorities, segment.accounts, segment.access)),
        EGRESS_FIREWALL: tuple(
            _of(
                region,
                network.network_policies,
                network.cluster_policies,
                admission.parameters,
                admission.policies,
                admission.bindings,
            )
        ),
        GPU_NODE_POOL: tuple(_of(region, segment.expectations)),
        MODEL_IMAGE: tuple(_of(region, models.store)),
        LLM_SERVICE: tuple(_of(region, models.workloads, gateway.gateway)),
        EVIDENCE_STORE: tuple(_of(region, gateway.evidence, monitoring.monitoring)),
    }


def _of(region: Region, *parts: Callable[[Region], Iterator[Manifest]]) -> Iterator[Manifest]:
    for part in parts:
        yield from part(region)


def logical_name(item: Manifest) -> str:
    """A name for the state, of what never changes in an object: kind, namespace, name."""
    meta = item["metadata"]
    where = f"-{meta['namespace']}" if "namespace" in meta else ""
    return f"{item['kind'].lower()}{where}-{meta['name']}"


def rendered(items: tuple[Manifest, ...]) -> str:
    """Objects as one YAML stream, for goldens, for `curtilage prove --manifests` and for readers."""
    return "".join("---\n" + yaml_text(item) for item in items)
