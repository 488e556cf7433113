"""What runs in the cluster: storage classes, the device plugin, and the very components of platform ``kubernetes``.

Invariant: inside an AWS region the Kubernetes objects are derived and declared by the same code as everywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes

from components.aws.cluster import Cluster
from components.aws.gpu_node_pool import GpuNodePool
from components.aws.legal_segment import LegalSegment
from components.aws.model_image import ModelImage
from components.kubernetes.objects import declare
from components.kubernetes.region import declare_cluster
from curtilage.derive.kubernetes.on_aws import device_plugin, storage_classes
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class LlmServiceArgs:
    """The region and its cluster."""

    region: Region
    segment: LegalSegment
    cluster: Cluster
    nodes: GpuNodePool
    models: ModelImage


class LlmService(pulumi.ComponentResource):
    """The inside of the cluster."""

    cluster_name: pulumi.Output[str]
    """The cluster it runs in."""

    def __init__(self, name: str, args: LlmServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        region = args.region
        super().__init__("curtilage:aws:LlmService", name, {"region": region.name, "models": [model.name for model in region.models]}, opts)
        provider = pulumi_kubernetes.Provider(
            f"{name}-cluster",
            kubeconfig=args.cluster.kubeconfig,
            delete_unreachable=False,
            enable_server_side_apply=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.nodes]),
        )
        child = pulumi.ResourceOptions(parent=self, provider=provider)
        classes = storage_classes(region, args.segment.keys["disks"].arn, args.models.file_system_id)
        declare(f"{name}-storage", classes, child, keep=True)
        declare(f"{name}-devices", device_plugin(region), child, keep=True)
        declare_cluster(region, name, child)
        self.cluster_name = args.cluster.name
        self.register_outputs({"clusterName": self.cluster_name})
