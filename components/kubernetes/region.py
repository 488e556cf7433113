"""All components of a cluster, in the order that keeps it sealed: policies and admission stand before the first pod."""

from __future__ import annotations

import pulumi

from components.kubernetes.egress_firewall import EgressFirewall, EgressFirewallArgs
from components.kubernetes.evidence_store import EvidenceStore, EvidenceStoreArgs
from components.kubernetes.gpu_node_pool import GpuNodePool, GpuNodePoolArgs
from components.kubernetes.legal_segment import LegalSegment, LegalSegmentArgs
from components.kubernetes.llm_service import LlmService, LlmServiceArgs
from components.kubernetes.model_image import ModelImage, ModelImageArgs
from curtilage.region import Region


def declare_cluster(region: Region, name: str, opts: pulumi.ResourceOptions) -> None:
    """The region's objects under one parent, with the provider that ``opts`` carries."""
    segment = LegalSegment(f"{name}-segment", LegalSegmentArgs(region=region), opts)
    firewall = EgressFirewall(
        f"{name}-firewall", EgressFirewallArgs(region=region, namespaces=segment.namespaces, after=tuple(segment.made)), opts
    )
    sealed = (*segment.made, *firewall.made)
    GpuNodePool(f"{name}-gpu", GpuNodePoolArgs(region=region, after=tuple(segment.made)), opts)
    models = ModelImage(f"{name}-models", ModelImageArgs(region=region, after=sealed), opts)
    LlmService(f"{name}-llm", LlmServiceArgs(region=region, after=(*sealed, *models.made)), opts)
    EvidenceStore(f"{name}-evidence", EvidenceStoreArgs(region=region, after=sealed), opts)
