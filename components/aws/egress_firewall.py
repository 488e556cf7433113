"""The seal of a VPC: groups by reference, one access list, a DNS firewall that ends in BLOCK, and emptied defaults.

Invariant: no rule names a network but the VPC's own; every other destination is a group, or the prefix list of the S3 gateway endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import ec2, route53, vpc

from components.aws.network import Network
from curtilage.derive.aws.names import domains, tags
from curtilage.derive.kubernetes.names import NODE_PORT
from curtilage.region import Region

GROUPS = ("nodes", "control", "endpoints", "balancer", "files")
HTTPS, KUBELET, NFS = 443, 10250, 2049
FLOWS: tuple[tuple[str, str, int], ...] = (
    ("nodes", "endpoints", HTTPS),
    ("nodes", "control", HTTPS),
    ("nodes", "files", NFS),
    ("control", "nodes", HTTPS),
    ("control", "nodes", KUBELET),
    ("balancer", "nodes", NODE_PORT),
)
"""Who opens connections to whom, between groups; nodes among themselves beside it. Nothing comes from outside but through the balancer."""


@dataclass(frozen=True, kw_only=True)
class EgressFirewallArgs:
    """The region and its network."""

    region: Region
    network: Network


class EgressFirewall(pulumi.ComponentResource):
    """Groups, list and names."""

    group_ids: pulumi.Output[dict[str, str]]
    """Each group by what stands in it."""

    def __init__(self, name: str, args: EgressFirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self._region, self._network = args.region, args.network
        super().__init__("curtilage:aws:EgressFirewall", name, {"region": args.region.name, "names": domains(args.region)}, opts)
        self._child = pulumi.ResourceOptions(parent=self)
        self.groups = self._groups(name)
        self._flows(name)
        self._lists(name)
        self._names(name)
        self.group_ids = pulumi.Output.all(**{key: group.id for key, group in self.groups.items()})
        self.register_outputs({"groupIds": self.group_ids})

    def _groups(self, name: str) -> dict[str, ec2.SecurityGroup]:
        region, network = self._region, self._network
        ec2.DefaultSecurityGroup(
            f"{name}-default-group",
            vpc_id=network.vpc.id,
            ingress=[],
            egress=[],
            tags=tags(region, "default-empty"),
            opts=self._child,
        )
        # Rules are resources of their own: mixed with inline ones, each takes the other's away.
        return {
            key: ec2.SecurityGroup(
                f"{name}-group-{key}",
                name=f"{region.name}-{key}",
                description=f"Curtilage {region.name}: {key}",
                vpc_id=network.vpc.id,
                revoke_rules_on_delete=True,
                tags=tags(region, key),
                opts=self._child,
            )
            for key in GROUPS
        }

    def _flows(self, name: str) -> None:
        for source, goal, port in (*FLOWS, ("nodes", "nodes", 0)):
            ports = {"ip_protocol": "tcp", "from_port": port, "to_port": port} if port else {"ip_protocol": "-1"}
            suffix = f"{source}-{goal}-{port or 'all'}"
            vpc.SecurityGroupEgressRule(
                f"{name}-out-{suffix}",
                security_group_id=self.groups[source].id,
                referenced_security_group_id=self.groups[goal].id,
                description=f"{source} to {goal}",
                tags=tags(self._region, f"out-{suffix}"),
                opts=self._child,
                **ports,
            )
            vpc.SecurityGroupIngressRule(
                f"{name}-in-{suffix}",
                security_group_id=self.groups[goal].id,
                referenced_security_group_id=self.groups[source].id,
                description=f"{source} to {goal}",
                tags=tags(self._region, f"in-{suffix}"),
                opts=self._child,
                **ports,
            )

    def allow_to_list(self, name: str, prefix_list_id: pulumi.Input[str]) -> None:
        """Nodes may send to a gateway endpoint's prefix list: that of S3, whose policy decides whose buckets."""
        vpc.SecurityGroupEgressRule(
            f"{name}-out-nodes-s3",
            security_group_id=self.groups["nodes"].id,
            prefix_list_id=prefix_list_id,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            description="nodes to S3 through the gateway endpoint",
            tags=tags(self._region, "out-nodes-s3"),
            opts=self._child,
        )

    def _lists(self, name: str) -> None:
        region, network = self._region, self._network
        own = str(region.segment.ipv4)
        ec2.DefaultNetworkAcl(
            f"{name}-default-list",
            default_network_acl_id=network.vpc.default_network_acl_id,
            ingress=[],
            egress=[],
            subnet_ids=[],
            tags=tags(region, "default-empty"),
            opts=self._child,
        )

        # A list has no state and takes no prefix list: S3 answers from public addresses, which only the gateway endpoint's route reaches.
        ec2.NetworkAcl(
            f"{name}-list",
            vpc_id=network.vpc.id,
            subnet_ids=[subnet.id for subnet in network.subnets],
            egress=[out(100, own, "-1", 0, 0), out(110, "0.0.0.0/0", "tcp", HTTPS, HTTPS)],
            ingress=[back(100, own, "-1", 0, 0), back(110, "0.0.0.0/0", "tcp", 1024, 65535)],
            tags=tags(region, "private"),
            opts=self._child,
        )

    def _names(self, name: str) -> None:
        region, network = self._region, self._network
        lists = {
            key: route53.ResolverFirewallDomainList(
                f"{name}-names-{key}", name=f"{region.name}-{key}", domains=found, tags=tags(region, f"names-{key}"), opts=self._child
            )
            for key, found in (("own", domains(region)), ("all", ["*."]))
        }
        group = route53.ResolverFirewallRuleGroup(f"{name}-names", name=region.name, tags=tags(region, "names"), opts=self._child)
        route53.ResolverFirewallRule(
            f"{name}-names-allow",
            name="own",
            action="ALLOW",
            priority=100,
            firewall_rule_group_id=group.id,
            firewall_domain_list_id=lists["own"].id,
            # A name that is allowed and points elsewhere is judged by where it points.
            firewall_domain_redirection_action="INSPECT_REDIRECTION_DOMAIN",
            opts=self._child,
        )
        route53.ResolverFirewallRule(
            f"{name}-names-block",
            name="everything-else",
            action="BLOCK",
            block_response="NXDOMAIN",
            priority=200,
            firewall_rule_group_id=group.id,
            firewall_domain_list_id=lists["all"].id,
            opts=self._child,
        )
        route53.ResolverFirewallRuleGroupAssociation(
            f"{name}-names-vpc",
            name=region.name,
            firewall_rule_group_id=group.id,
            vpc_id=network.vpc.id,
            priority=101,
            mutation_protection="ENABLED",
            tags=tags(region, "names-vpc"),
            opts=self._child,
        )
        # Closed while the firewall cannot be reached: no answer rather than any answer.
        route53.ResolverFirewallConfig(f"{name}-names-closed", resource_id=network.vpc.id, firewall_fail_open="DISABLED", opts=self._child)


def out(number: int, cidr: str, protocol: str, low: int, high: int) -> ec2.NetworkAclEgressArgs:
    """An entry of an access list that lets out."""
    return ec2.NetworkAclEgressArgs(rule_no=number, action="allow", protocol=protocol, cidr_block=cidr, from_port=low, to_port=high)


def back(number: int, cidr: str, protocol: str, low: int, high: int) -> ec2.NetworkAclIngressArgs:
    """An entry of an access list that lets in."""
    return ec2.NetworkAclIngressArgs(rule_no=number, action="allow", protocol=protocol, cidr_block=cidr, from_port=low, to_port=high)
