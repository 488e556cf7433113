"""The smallest set of endpoints a private cluster works with, each with a policy. Invariant: no endpoint stands without one."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2

from components.aws.egress_firewall import EgressFirewall
from components.aws.network import Network
from curtilage.derive.aws.names import endpoints, tags
from curtilage.derive.aws.policies import endpoint_policy
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class EndpointsArgs:
    """The region, its network and its groups."""

    region: Region
    network: Network
    firewall: EgressFirewall


class Endpoints(pulumi.ComponentResource):
    """Ways into AWS's services that stay inside the VPC."""

    services: pulumi.Output[list[str]]
    """The services reached."""

    def __init__(self, name: str, args: EndpointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        region, network = args.region, args.network
        named = ["s3", *endpoints(region)]
        super().__init__("curtilage:aws:Endpoints", name, {"region": region.name, "services": named}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.s3 = ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=network.vpc.id,
            service_name=f"com.amazonaws.{region.site}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[network.table.id],
            policy=endpoint_policy(region, "s3"),
            tags=tags(region, "s3"),
            opts=child,
        )
        for service in endpoints(region):
            ec2.VpcEndpoint(
                f"{name}-{service.replace('.', '-')}",
                vpc_id=network.vpc.id,
                service_name=f"com.amazonaws.{region.site}.{service}",
                vpc_endpoint_type="Interface",
                subnet_ids=[subnet.id for subnet in network.subnets],
                security_group_ids=[args.firewall.groups["endpoints"].id],
                private_dns_enabled=True,
                policy=endpoint_policy(region, service),
                tags=tags(region, service),
                opts=child,
            )
        args.firewall.allow_to_list(name, self.s3.prefix_list_id)
        self.services = pulumi.Output.from_input(named)
        self.register_outputs({"services": self.services})
