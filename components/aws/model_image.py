"""Where weights are: a locked bucket that the air-gap bundle is brought into, and shared files that pods read them from.

Invariant: both are encrypted with the models' key; a weight that was signed cannot be changed in place.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import efs

from components.aws.buckets import locked_bucket
from components.aws.egress_firewall import EgressFirewall
from components.aws.legal_segment import LegalSegment
from components.aws.network import Network
from curtilage.derive.aws.names import tags
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class ModelImageArgs:
    """The region, its keys, network and groups."""

    region: Region
    segment: LegalSegment
    network: Network
    firewall: EgressFirewall


class ModelImage(pulumi.ComponentResource):
    """Bucket and files of weights."""

    file_system_id: pulumi.Output[str]
    """The shared files."""

    def __init__(self, name: str, args: ModelImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        region = args.region
        super().__init__("curtilage:aws:ModelImage", name, {"region": region.name, "models": [model.name for model in region.models]}, opts)
        child = pulumi.ResourceOptions(parent=self)
        locked_bucket(name, region, "models", args.segment.keys["models"], self, mode="GOVERNANCE")
        files = efs.FileSystem(
            f"{name}-files",
            creation_token=f"{region.name}-models",
            encrypted=True,
            kms_key_id=args.segment.keys["models"].arn,
            performance_mode="generalPurpose",
            throughput_mode="elastic",
            tags=tags(region, "models"),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        for number, subnet in enumerate(args.network.subnets):
            efs.MountTarget(
                f"{name}-files-{number}",
                file_system_id=files.id,
                subnet_id=subnet.id,
                security_groups=[args.firewall.groups["files"].id],
                opts=child,
            )
        self.file_system_id = files.id
        self.register_outputs({"fileSystemId": self.file_system_id})
