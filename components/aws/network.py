"""The VPC: three zones, local routes, and no gateway of any kind.

Invariant: no internet, egress-only, NAT, carrier, VPN or transit gateway and no peering is declared here or anywhere; what AWS makes by
itself (default table, list, group) is adopted and emptied, because it would otherwise let everything pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2

from curtilage.derive.aws.names import subnets, tags
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """The region."""

    region: Region


class Network(pulumi.ComponentResource):
    """VPC, subnets, tables."""

    vpc_id: pulumi.Output[str]
    """The VPC."""
    subnet_ids: pulumi.Output[list[str]]
    """One subnet a zone."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        region = args.region
        super().__init__("curtilage:aws:Network", name, {"region": region.name, "zones": list(subnets(region))}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.vpc = ec2.Vpc(
            f"{name}-vpc",
            cidr_block=str(region.segment.ipv4),
            assign_generated_ipv6_cidr_block=False,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            enable_network_address_usage_metrics=False,
            instance_tenancy="default",
            tags=tags(region, "vpc"),
            opts=child,
        )
        ec2.DefaultRouteTable(
            f"{name}-default-table",
            default_route_table_id=self.vpc.default_route_table_id,
            routes=[],
            tags=tags(region, "default-empty"),
            opts=child,
        )
        self.table = ec2.RouteTable(f"{name}-table", vpc_id=self.vpc.id, routes=[], tags=tags(region, "private"), opts=child)
        self.subnets: list[ec2.Subnet] = []
        for zone, network in subnets(region).items():
            subnet = ec2.Subnet(
                f"{name}-subnet-{zone}",
                vpc_id=self.vpc.id,
                availability_zone=zone,
                cidr_block=str(network),
                map_public_ip_on_launch=False,
                assign_ipv6_address_on_creation=False,
                tags=tags(region, f"private-{zone}"),
                opts=child,
            )
            ec2.RouteTableAssociation(f"{name}-association-{zone}", subnet_id=subnet.id, route_table_id=self.table.id, opts=child)
            self.subnets.append(subnet)
        self.vpc_id = self.vpc.id
        self.subnet_ids = pulumi.Output.all(*(subnet.id for subnet in self.subnets))
        self.register_outputs({"vpcId": self.vpc_id, "subnetIds": self.subnet_ids})
