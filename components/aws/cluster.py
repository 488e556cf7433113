"""A private cluster: its API answers inside the VPC alone, and the CNI enforces policies from a pod's first packet.

Invariant: no public endpoint, no machine outside the VPC, and nobody administers but the roles that the stack file names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch, eks, iam

from components.aws.egress_firewall import EgressFirewall
from components.aws.legal_segment import LegalSegment
from components.aws.network import Network
from curtilage.derive.aws.names import log_days, settings, tags
from curtilage.derive.aws.policies import files_policy, trust
from curtilage.derive.kubernetes.names import settings_of
from curtilage.region import Region

LOGS = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
CNI = {"enableNetworkPolicy": "true", "env": {"NETWORK_POLICY_ENFORCING_MODE": "strict", "ENABLE_V6_EGRESS": "false"}}
"""Strict: a pod starts closed and opens with its policies; the default starts open for the seconds until they are programmed (EG-21)."""


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """The region and what the cluster stands in."""

    region: Region
    segment: LegalSegment
    network: Network
    firewall: EgressFirewall


class Cluster(pulumi.ComponentResource):
    """EKS and its add-ons."""

    name: pulumi.Output[str]
    """The cluster's name."""
    kubeconfig: pulumi.Output[str]
    """How to reach it from inside; credentials are the caller's own."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        region = args.region
        super().__init__("curtilage:aws:Cluster", name, {"region": region.name, "version": settings(region).kubernetes_version}, opts)
        child = pulumi.ResourceOptions(parent=self)
        logs = cloudwatch.LogGroup(
            f"{name}-logs",
            name=f"/aws/eks/{region.name}/cluster",
            retention_in_days=log_days(region),
            kms_key_id=args.segment.keys["logs"].arn,
            tags=tags(region, "cluster-logs"),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        role = iam.Role(
            f"{name}-role",
            name=f"{region.name}-cluster",
            assume_role_policy=trust(region, "eks.amazonaws.com"),
            tags=tags(region, "cluster-role"),
            opts=child,
        )
        attached = iam.RolePolicyAttachment(
            f"{name}-role-policy", role=role.name, policy_arn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy", opts=child
        )
        self.cluster = eks.Cluster(
            f"{name}-cluster",
            name=region.name,
            version=settings(region).kubernetes_version,
            role_arn=role.arn,
            bootstrap_self_managed_addons=False,
            deletion_protection=True,
            enabled_cluster_log_types=LOGS,
            access_config={"authentication_mode": "API", "bootstrap_cluster_creator_admin_permissions": False},
            encryption_config={"provider": {"key_arn": args.segment.keys["cluster"].arn}, "resources": ["secrets"]},
            kubernetes_network_config={"ip_family": "ipv4", "service_ipv4_cidr": str(settings_of(region).services[0])},
            vpc_config={
                "subnet_ids": [subnet.id for subnet in args.network.subnets],
                "security_group_ids": [args.firewall.groups["control"].id],
                "endpoint_private_access": True,
                "endpoint_public_access": False,
            },
            tags=tags(region, "cluster"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[logs, attached], protect=True),
        )
        self._administrators(name, region, child)
        self.addons = self._addons(name, region, child)
        self.name = self.cluster.name
        self.kubeconfig = pulumi.Output.all(self.cluster.endpoint, self.cluster.certificate_authority["data"], self.cluster.name).apply(
            lambda found: kubeconfig(region, *found)
        )
        self.register_outputs({"name": self.name})

    def _administrators(self, name: str, region: Region, child: pulumi.ResourceOptions) -> None:
        for number, role in enumerate(settings(region).administrators):
            entry = eks.AccessEntry(
                f"{name}-administrator-{number}",
                cluster_name=self.cluster.name,
                principal_arn=role,
                type="STANDARD",
                tags=tags(region, f"administrator-{number}"),
                opts=child,
            )
            eks.AccessPolicyAssociation(
                f"{name}-administrator-{number}-policy",
                cluster_name=self.cluster.name,
                principal_arn=entry.principal_arn,
                policy_arn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
                access_scope={"type": "cluster"},
                opts=child,
            )

    def _addons(self, name: str, region: Region, child: pulumi.ResourceOptions) -> list[pulumi.Resource]:
        found: list[pulumi.Resource] = []
        for addon, values in (
            ("vpc-cni", json.dumps(CNI, sort_keys=True)),
            ("kube-proxy", None),
            ("coredns", None),
            ("eks-pod-identity-agent", None),
            ("aws-ebs-csi-driver", None),
            ("aws-efs-csi-driver", None),
            ("metrics-server", None),
        ):
            found.append(
                eks.Addon(
                    f"{name}-addon-{addon}",
                    cluster_name=self.cluster.name,
                    addon_name=addon,
                    configuration_values=values,
                    resolve_conflicts_on_create="OVERWRITE",
                    resolve_conflicts_on_update="OVERWRITE",
                    tags=tags(region, addon),
                    opts=child,
                )
            )
        for account, short, policy in (("ebs-csi-controller-sa", "disks", None), ("efs-csi-controller-sa", "files", files_policy(region))):
            role = iam.Role(
                f"{name}-{short}-role",
                name=f"{region.name}-{short}",
                assume_role_policy=trust(region, "pods.eks.amazonaws.com", tagging=True),
                tags=tags(region, f"{short}-role"),
                opts=child,
            )
            if policy is None:
                arn = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"
                iam.RolePolicyAttachment(f"{name}-{short}-role-policy", role=role.name, policy_arn=arn, opts=child)
            else:
                iam.RolePolicy(f"{name}-{short}-role-policy", name="files", role=role.name, policy=policy, opts=child)
            eks.PodIdentityAssociation(
                f"{name}-{short}-identity",
                cluster_name=self.cluster.name,
                namespace="kube-system",
                service_account=account,
                role_arn=role.arn,
                tags=tags(region, f"{short}-identity"),
                opts=child,
            )
        return found


def kubeconfig(region: Region, endpoint: str, certificate: str, cluster: str) -> str:
    """A kubeconfig without a secret: tokens are made by the caller's own credentials."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": region.name,
        "clusters": [{"name": region.name, "cluster": {"server": endpoint, "certificate-authority-data": certificate}}],
        "contexts": [{"name": region.name, "context": {"cluster": region.name, "user": region.name}}],
        "users": [
            {
                "name": region.name,
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": "aws",
                        "args": ["--region", region.site, "eks", "get-token", "--cluster-name", cluster],
                    }
                },
            }
        ],
    }
    return json.dumps(document, sort_keys=True)
