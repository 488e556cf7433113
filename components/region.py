"""A region's resources, by its platform: segments, firewalls, GPU nodes, models, the service, the evidence store.

Invariant: each host of a region on hosts gets exactly one firewall, and the policy pack counts them; a cluster's policies and admission
stand before its first pod.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from components.aws.region import declare_on_aws
from components.hosts.egress_firewall import EgressFirewall, EgressFirewallArgs
from components.hosts.evidence_store import EvidenceStore, EvidenceStoreArgs
from components.hosts.gpu_node_pool import GpuNodePool, GpuNodePoolArgs
from components.hosts.legal_segment import LegalSegment, LegalSegmentArgs
from components.hosts.llm_service import LlmService, LlmServiceArgs
from components.hosts.model_image import ModelImage, ModelImageArgs, refuse_unimported
from components.kubernetes.cluster import declare_on_kubernetes
from curtilage.allowance import Role
from curtilage.derive.inventory import inventory
from curtilage.errors import ConfigError
from curtilage.region import Platform, Region


@dataclass(frozen=True, kw_only=True)
class LegalRegionArgs:
    """The parsed region."""

    region: Region


class LegalRegion(pulumi.ComponentResource):
    """One jurisdiction's sealed region."""

    document: pulumi.Output[str]
    """The region as canonical JSON."""
    inventory: pulumi.Output[dict[str, Any]]
    """The Ansible inventory."""

    def __init__(self, name: str, args: LegalRegionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        region = args.region
        _refuse_before_anything_is_registered(region)
        props = {
            "region": region.name,
            "jurisdiction": region.jurisdiction,
            "platform": region.platform.value,
            "site": region.site,
            "owner": region.owner,
            "costCentre": region.cost_centre,
            "hosts": [host.name for host in region.hosts],
        }
        if region.platform is not Platform.HOSTS:
            props["images"] = list(region.missing_images)
        super().__init__("curtilage:index:LegalRegion", name, props, opts)
        child = pulumi.ResourceOptions(parent=self)
        match region.platform:
            case Platform.HOSTS:
                _declare_hosts(region, name, child)
            case Platform.KUBERNETES:
                declare_on_kubernetes(region, name, child)
            case Platform.AWS:
                declare_on_aws(region, name, child)
        self.document = pulumi.Output.from_input(region.canonical())
        self.inventory = pulumi.Output.from_input(inventory(region))
        # Rules about the whole stack see a component's outputs alone, so the hosts' names are one.
        self.register_outputs(
            {"hosts": props["hosts"], "platform": props["platform"], "document": self.document, "inventory": self.inventory}
        )


def _declare_hosts(region: Region, name: str, child: pulumi.ResourceOptions) -> None:
    for segment_name, segment in region.segments.items():
        LegalSegment(f"{name}-segment-{segment_name}", LegalSegmentArgs(segment=segment, lab=region.lab), child)
    for host in region.hosts:
        EgressFirewall(f"{name}-firewall-{host.name}", EgressFirewallArgs(region=region, host=host), child)
    GpuNodePool(f"{name}-gpu", GpuNodePoolArgs(hosts=region.hosts_by_role(Role.GPU), lab=region.lab), child)
    for model in region.models:
        ModelImage(f"{name}-model-{model.name}", ModelImageArgs(model=model, lab=region.lab), child)
    LlmService(f"{name}-llm", LlmServiceArgs(region=region), child)
    EvidenceStore(f"{name}-evidence", EvidenceStoreArgs(region=region), child)


def _refuse_before_anything_is_registered(region: Region) -> None:
    if not pulumi.runtime.is_dry_run():
        for model in region.models:
            refuse_unimported(model, lab=region.lab)
        if region.missing_images:
            raise ConfigError(
                f"no digest for {', '.join(region.missing_images)}",
                rule="only imported, signed images are brought up; until then a region can be previewed",
                fix="import the image into the registry inside and write its digest into the stack file",
                key=region.missing_images[0],
            )
