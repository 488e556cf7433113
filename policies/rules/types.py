"""A region holds nothing that the rules do not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policies.rules._rule import Rule

KNOWN = frozenset(
    {
        "curtilage:index:LegalRegion",
        *(
            f"curtilage:hosts:{noun}"
            for noun in ("LegalSegment", "EgressFirewall", "GpuNodePool", "ModelImage", "LlmService", "EvidenceStore")
        ),
        *(
            f"curtilage:kubernetes:{noun}"
            for noun in ("LegalSegment", "EgressFirewall", "GpuNodePool", "ModelImage", "LlmService", "EvidenceStore")
        ),
        *(
            f"curtilage:aws:{noun}"
            for noun in (
                "LegalSegment", "EgressFirewall", "GpuNodePool", "ModelImage", "LlmService", "EvidenceStore", "Network", "Cluster",
                "Endpoints", "Registry", "CrmLink",
            )
        ),
        "pulumi:pulumi:Stack",
        "pulumi:providers:aws",
        "pulumi:providers:kubernetes",
        *(f"kubernetes:{kind}" for kind in (
            "core/v1:ConfigMap", "core/v1:LimitRange", "core/v1:Namespace", "core/v1:PersistentVolumeClaim", "core/v1:ResourceQuota",
            "core/v1:Service", "core/v1:ServiceAccount", "apps/v1:DaemonSet", "apps/v1:Deployment", "apps/v1:StatefulSet",
            "autoscaling/v2:HorizontalPodAutoscaler", "policy/v1:PodDisruptionBudget", "networking.k8s.io/v1:NetworkPolicy",
            "policy.networking.k8s.io/v1alpha2:ClusterNetworkPolicy", "rbac.authorization.k8s.io/v1:ClusterRole",
            "rbac.authorization.k8s.io/v1:ClusterRoleBinding", "rbac.authorization.k8s.io/v1:RoleBinding",
            "admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy",
            "admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding", "scheduling.k8s.io/v1:PriorityClass",
            "storage.k8s.io/v1:StorageClass", "monitoring.coreos.com/v1:PodMonitor", "monitoring.coreos.com/v1:PrometheusRule",
        )),
        *(f"aws:{kind}" for kind in (
            "autoscaling/attachment:Attachment", "backup/plan:Plan", "backup/selection:Selection", "backup/vault:Vault",
            "backup/vaultLockConfiguration:VaultLockConfiguration", "cloudtrail/trail:Trail", "cloudwatch/logGroup:LogGroup",
            "ebs/defaultKmsKey:DefaultKmsKey", "ebs/encryptionByDefault:EncryptionByDefault",
            "ebs/snapshotBlockPublicAccess:SnapshotBlockPublicAccess", "ec2/defaultNetworkAcl:DefaultNetworkAcl",
            "ec2/defaultRouteTable:DefaultRouteTable", "ec2/defaultSecurityGroup:DefaultSecurityGroup", "ec2/flowLog:FlowLog",
            "ec2/imageBlockPublicAccess:ImageBlockPublicAccess", "ec2/instanceMetadataDefaults:InstanceMetadataDefaults",
            "ec2/launchTemplate:LaunchTemplate", "ec2/networkAcl:NetworkAcl", "ec2/routeTable:RouteTable",
            "ec2/routeTableAssociation:RouteTableAssociation", "ec2/securityGroup:SecurityGroup", "ec2/subnet:Subnet", "ec2/vpc:Vpc",
            "ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions", "ec2/vpcEndpoint:VpcEndpoint",
            "ec2/vpcEndpointService:VpcEndpointService",
            "ec2/vpcEndpointServiceAllowedPrinciple:VpcEndpointServiceAllowedPrinciple", "ecr/repository:Repository",
            "ecr/repositoryPolicy:RepositoryPolicy", "efs/fileSystem:FileSystem", "efs/mountTarget:MountTarget",
            "eks/accessEntry:AccessEntry", "eks/accessPolicyAssociation:AccessPolicyAssociation", "eks/addon:Addon",
            "eks/cluster:Cluster", "eks/nodeGroup:NodeGroup", "eks/podIdentityAssociation:PodIdentityAssociation", "iam/role:Role",
            "iam/rolePolicy:RolePolicy", "iam/rolePolicyAttachment:RolePolicyAttachment", "kms/alias:Alias", "kms/key:Key",
            "lb/listener:Listener", "lb/loadBalancer:LoadBalancer", "lb/targetGroup:TargetGroup",
            "route53/resolverFirewallConfig:ResolverFirewallConfig", "route53/resolverFirewallDomainList:ResolverFirewallDomainList",
            "route53/resolverFirewallRule:ResolverFirewallRule", "route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup",
            "route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation",
            "route53/resolverQueryLogConfig:ResolverQueryLogConfig",
            "route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation",
            "s3/accountPublicAccessBlock:AccountPublicAccessBlock", "s3/bucket:Bucket",
            "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration", "s3/bucketOwnershipControls:BucketOwnershipControls",
            "s3/bucketPolicy:BucketPolicy", "s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
            "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
            "s3/bucketVersioning:BucketVersioning", "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
            "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        )),
    }
)  # fmt: skip


def _is_known(props: Mapping[str, Any]) -> Iterator[str]:
    if props["type"] not in KNOWN:
        yield f"The resource type {props['type']} must be one the seal is proved for; nobody has said whether this one opens it."


RULES = (Rule(name="known-type", description="Every resource is of a type the seal is proved for.", fields=(), check=_is_known),)
