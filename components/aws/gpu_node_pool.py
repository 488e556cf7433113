"""The machines: two to four with cards, and those without for gateway and evidence.

Invariant: IMDSv2 with hop limit 1, encrypted disks, no public address, our own groups and no others: EKS's own group sends everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_aws import ec2, eks, iam

from components.aws.cluster import Cluster
from components.aws.egress_firewall import EgressFirewall
from components.aws.legal_segment import LegalSegment
from components.aws.network import Network
from curtilage.derive.aws.names import settings, tags
from curtilage.derive.aws.policies import node_policy, trust
from curtilage.region import Region
from curtilage.region_aws import AwsGpu, Capacity
from curtilage.region_parts import CARDS

NODE_POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly")


@dataclass(frozen=True, kw_only=True)
class GpuNodePoolArgs:
    """The region and what machines stand in."""

    region: Region
    segment: LegalSegment
    network: Network
    firewall: EgressFirewall
    cluster: Cluster


class GpuNodePool(pulumi.ComponentResource):
    """Node groups and their launch templates."""

    system_group_names: pulumi.Output[str]
    """The scaling group of the machines without cards, behind the balancer."""

    def __init__(self, name: str, args: GpuNodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        region, found = args.region, settings(args.region)
        nodes = [{"name": f"gpu-{number + 1}", "card": found.gpu.card} for number in range(found.gpu.nodes)]
        super().__init__("curtilage:aws:GpuNodePool", name, {"region": region.name, "nodes": nodes, "lab": False}, opts)
        child = pulumi.ResourceOptions(parent=self)
        role = iam.Role(
            f"{name}-role",
            name=f"{region.name}-nodes",
            assume_role_policy=trust(region, "ec2.amazonaws.com"),
            tags=tags(region, "nodes-role"),
            opts=child,
        )
        ready: list[pulumi.Resource] = [*args.cluster.addons[:1]]
        ready += [
            iam.RolePolicyAttachment(f"{name}-role-{policy}", role=role.name, policy_arn=f"arn:aws:iam::aws:policy/{policy}", opts=child)
            for policy in NODE_POLICIES
        ]
        ready.append(iam.RolePolicy(f"{name}-role-limits", name="limits", role=role.name, policy=node_policy(region), opts=child))

        def group(short: str, instance: str, count: int, disk: int, extra: dict[str, Any], template: dict[str, Any]) -> eks.NodeGroup:
            machine = ec2.LaunchTemplate(
                f"{name}-machine-{short}",
                name=f"{region.name}-{short}",
                update_default_version=True,
                ebs_optimized="true",
                vpc_security_group_ids=[args.firewall.groups["nodes"].id],
                metadata_options={
                    "http_endpoint": "enabled",
                    "http_tokens": "required",
                    "http_put_response_hop_limit": 1,
                    "instance_metadata_tags": "disabled",
                },
                block_device_mappings=[
                    {
                        "device_name": "/dev/xvda",
                        "ebs": {
                            "volume_size": disk,
                            "volume_type": "gp3",
                            "encrypted": "true",
                            "kms_key_id": args.segment.keys["disks"].arn,
                            "delete_on_termination": "true",
                        },
                    }
                ],
                monitoring={"enabled": True},
                tag_specifications=[{"resource_type": kind, "tags": tags(region, short)} for kind in ("instance", "volume")],
                tags=tags(region, f"machine-{short}"),
                opts=child,
                **template,
            )
            return eks.NodeGroup(
                f"{name}-nodes-{short}",
                cluster_name=args.cluster.cluster.name,
                node_group_name=short,
                node_role_arn=role.arn,
                subnet_ids=[subnet.id for subnet in args.network.subnets],
                instance_types=[instance],
                launch_template={"id": machine.id, "version": machine.latest_version.apply(str)},
                scaling_config={"desired_size": count, "min_size": count, "max_size": count},
                update_config={"max_unavailable": 1},
                tags=tags(region, short),
                opts=pulumi.ResourceOptions(parent=self, depends_on=ready),
                **extra,
            )

        gpu: dict[str, Any] = {
            "ami_type": "AL2023_x86_64_NVIDIA",
            "labels": {"curtilage.dev/pool": "gpu", "nvidia.com/gpu.product": CARDS[found.gpu.card].product},
            "taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}],
            "capacity_type": "CAPACITY_BLOCK" if found.gpu.capacity is Capacity.CAPACITY_BLOCK else "ON_DEMAND",
        }
        group("gpu", found.gpu.instance, found.gpu.nodes, found.gpu.disk_gib, gpu, reservation(found.gpu))
        system = {"ami_type": "AL2023_x86_64_STANDARD", "labels": {"curtilage.dev/pool": "system"}, "capacity_type": "ON_DEMAND"}
        plain = group("system", found.system.instance, found.system.nodes, found.system.disk_gib, system, {})
        self.system_group_names = plain.resources[0].autoscaling_groups[0].name
        self.register_outputs({"nodes": nodes})


def reservation(gpu: AwsGpu) -> dict[str, Any]:
    """A launch template's part about reserved machines."""
    if gpu.reservation is None:
        return {}
    found: dict[str, Any] = {
        "capacity_reservation_specification": {
            "capacity_reservation_target": {"capacity_reservation_id": gpu.reservation},
            "capacity_reservation_preference": "capacity-reservations-only",
        }
    }
    if gpu.capacity is Capacity.CAPACITY_BLOCK:
        found["instance_market_options"] = {"market_type": "capacity-block"}
    return found
