"""A region on AWS: an account's locks, a VPC without a way out, a private cluster, and what runs in it."""

from __future__ import annotations

import pulumi
import pulumi_aws

from components.aws.cluster import Cluster, ClusterArgs
from components.aws.crm_link import CrmLink, CrmLinkArgs
from components.aws.egress_firewall import EgressFirewall, EgressFirewallArgs
from components.aws.endpoints import Endpoints, EndpointsArgs
from components.aws.evidence_store import EvidenceStore, EvidenceStoreArgs
from components.aws.gpu_node_pool import GpuNodePool, GpuNodePoolArgs
from components.aws.legal_segment import LegalSegment, LegalSegmentArgs
from components.aws.llm_service import LlmService, LlmServiceArgs
from components.aws.model_image import ModelImage, ModelImageArgs
from components.aws.network import Network, NetworkArgs
from components.aws.registry import Registry, RegistryArgs
from curtilage.derive.aws.names import settings
from curtilage.region import Region


def declare_on_aws(region: Region, name: str, child: pulumi.ResourceOptions) -> None:
    """The region in its account; credentials of another account are refused by the provider before anything is made."""
    provider = pulumi_aws.Provider(f"{name}-account", region=region.site, allowed_account_ids=[settings(region).account], opts=child)
    opts = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(provider=provider))
    segment = LegalSegment(f"{name}-segment", LegalSegmentArgs(region=region), opts)
    network = Network(f"{name}-network", NetworkArgs(region=region), opts)
    firewall = EgressFirewall(f"{name}-firewall", EgressFirewallArgs(region=region, network=network), opts)
    Endpoints(f"{name}-endpoints", EndpointsArgs(region=region, network=network, firewall=firewall), opts)
    Registry(f"{name}-registry", RegistryArgs(region=region, segment=segment), opts)
    EvidenceStore(f"{name}-records", EvidenceStoreArgs(region=region, segment=segment, network=network), opts)
    cluster = Cluster(f"{name}-eks", ClusterArgs(region=region, segment=segment, network=network, firewall=firewall), opts)
    models = ModelImage(f"{name}-weights", ModelImageArgs(region=region, segment=segment, network=network, firewall=firewall), opts)
    nodes = GpuNodePool(
        f"{name}-machines", GpuNodePoolArgs(region=region, segment=segment, network=network, firewall=firewall, cluster=cluster), opts
    )
    CrmLink(f"{name}-crm", CrmLinkArgs(region=region, network=network, firewall=firewall, nodes=nodes), opts)
    LlmService(f"{name}-inside", LlmServiceArgs(region=region, segment=segment, cluster=cluster, nodes=nodes, models=models), opts)
