"""The CRM side comes in: a PrivateLink service before the gateway. Nothing goes out by it.

Invariant: the balancer is internal, principals are named, and each connection is accepted by a person.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import autoscaling, ec2, lb

from components.aws.egress_firewall import EgressFirewall
from components.aws.gpu_node_pool import GpuNodePool
from components.aws.network import Network
from curtilage.derive.aws.names import settings, tags
from curtilage.derive.kubernetes.names import HTTPS, NODE_PORT
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class CrmLinkArgs:
    """The region and what stands behind the link."""

    region: Region
    network: Network
    firewall: EgressFirewall
    nodes: GpuNodePool


class CrmLink(pulumi.ComponentResource):
    """Balancer and endpoint service."""

    service_name: pulumi.Output[str]
    """What the CRM side's endpoint names."""

    def __init__(self, name: str, args: CrmLinkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        region, found = args.region, settings(args.region)
        super().__init__("curtilage:aws:CrmLink", name, {"region": region.name, "principals": list(found.crm_principals)}, opts)
        child = pulumi.ResourceOptions(parent=self)
        balancer = lb.LoadBalancer(
            f"{name}-balancer",
            name=f"{region.name}-crm"[:32],
            internal=True,
            load_balancer_type="network",
            subnets=[subnet.id for subnet in args.network.subnets],
            security_groups=[args.firewall.groups["balancer"].id],
            # What comes by PrivateLink has been accepted by a person; groups know no principal.
            enforce_security_group_inbound_rules_on_private_link_traffic="off",
            enable_cross_zone_load_balancing=True,
            enable_deletion_protection=True,
            ip_address_type="ipv4",
            tags=tags(region, "crm"),
            opts=child,
        )
        target = lb.TargetGroup(
            f"{name}-gateway",
            name=f"{region.name}-gateway"[:32],
            vpc_id=args.network.vpc.id,
            target_type="instance",
            protocol="TCP",
            port=NODE_PORT,
            # The gateway sees the balancer's addresses, which are the VPC's own and all that its policy lets in.
            preserve_client_ip="false",
            health_check={"protocol": "TCP", "port": str(NODE_PORT), "interval": 10, "healthy_threshold": 2, "unhealthy_threshold": 2},
            tags=tags(region, "gateway"),
            opts=child,
        )
        lb.Listener(
            f"{name}-listener",
            load_balancer_arn=balancer.arn,
            port=HTTPS,
            protocol="TCP",
            default_actions=[{"type": "forward", "target_group_arn": target.arn}],
            tags=tags(region, "listener"),
            opts=child,
        )
        autoscaling.Attachment(
            f"{name}-machines", autoscaling_group_name=args.nodes.system_group_names, lb_target_group_arn=target.arn, opts=child
        )
        service = ec2.VpcEndpointService(
            f"{name}-service",
            acceptance_required=True,
            network_load_balancer_arns=[balancer.arn],
            supported_ip_address_types=["ipv4"],
            tags=tags(region, "crm"),
            opts=child,
        )
        for number, principal in enumerate(found.crm_principals):
            ec2.VpcEndpointServiceAllowedPrinciple(
                f"{name}-principal-{number}", vpc_endpoint_service_id=service.id, principal_arn=principal, opts=child
            )
        self.service_name = service.service_name
        self.register_outputs({"serviceName": self.service_name})
