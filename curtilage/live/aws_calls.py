"""Every call that the audit of an account makes, and the right each needs: the one table behind the reader and behind its IAM policy.

A call that is not in the table cannot be made (:meth:`curtilage.live.aws_client.Account.items` looks it up), so the policy that
``curtilage verify REGION --iam-policy`` prints is exactly what the audit does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_PREFIX = {"elbv2": "elasticloadbalancing", "efs": "elasticfilesystem", "s3control": "s3", "sesv2": "ses", "dms": "dms"}


@dataclass(frozen=True)
class Call:
    """One operation.

    Attributes:
        service: as boto3 names it.
        operation: as boto3 names it.
        key: where the answer holds what was asked for; empty: the answer is it.
        action: the right, where it is not the operation's own name.
        absent: error codes that say that there is none.
    """

    service: str
    operation: str
    key: str = ""
    action: str = ""
    absent: frozenset[str] = frozenset()

    @property
    def right(self) -> str:
        """The IAM action."""
        name = "".join(part.title() for part in self.operation.split("_"))
        return self.action or f"{_PREFIX.get(self.service, self.service)}:{name}"


def _calls(service: str, **operations: str | tuple[Any, ...]) -> list[Call]:
    """Calls of one service: each operation with its key, or with (key, action, codes that say that there is none)."""
    found = []
    for operation, given in operations.items():
        key, action, absent = (given, "", ()) if isinstance(given, str) else (*given, ())[:3]
        found.append(Call(service, operation, key, str(action), frozenset(absent)))
    return found


_EC2: dict[str, Any] = {
    "describe_vpcs": "Vpcs",
    "describe_vpc_attribute": "",
    "describe_subnets": "Subnets",
    "describe_route_tables": "RouteTables",
    "describe_network_acls": "NetworkAcls",
    "describe_security_groups": "SecurityGroups",
    "describe_managed_prefix_lists": "PrefixLists",
    "get_managed_prefix_list_entries": "Entries",
    "describe_internet_gateways": "InternetGateways",
    "describe_egress_only_internet_gateways": "EgressOnlyInternetGateways",
    "describe_nat_gateways": "NatGateways",
    "describe_carrier_gateways": "CarrierGateways",
    "describe_vpn_gateways": "VpnGateways",
    "describe_vpn_connections": "VpnConnections",
    "describe_customer_gateways": "CustomerGateways",
    "describe_client_vpn_endpoints": "ClientVpnEndpoints",
    "describe_transit_gateways": "TransitGateways",
    "describe_transit_gateway_attachments": "TransitGatewayAttachments",
    "describe_vpc_peering_connections": "VpcPeeringConnections",
    "describe_vpc_endpoints": "VpcEndpoints",
    "describe_vpc_endpoint_service_configurations": "ServiceConfigurations",
    "describe_vpc_endpoint_service_permissions": "AllowedPrincipals",
    "describe_instance_connect_endpoints": "InstanceConnectEndpoints",
    "describe_traffic_mirror_sessions": "TrafficMirrorSessions",
    "describe_addresses": "Addresses",
    "describe_network_interfaces": "NetworkInterfaces",
    "describe_instances": "Reservations",
    "describe_launch_templates": "LaunchTemplates",
    "describe_launch_template_versions": "LaunchTemplateVersions",
    "describe_flow_logs": "FlowLogs",
    "describe_dhcp_options": "DhcpOptions",
    "describe_vpc_block_public_access_options": "VpcBlockPublicAccessOptions",
    "describe_vpc_block_public_access_exclusions": "VpcBlockPublicAccessExclusions",
    "describe_images": "Images",
    "describe_snapshots": "Snapshots",
    "describe_snapshot_attribute": "CreateVolumePermissions",
    "get_instance_metadata_defaults": "AccountLevel",
}
_NO_POLICY = ("NoSuchBucketPolicy",)
_S3: dict[str, Any] = {
    "list_buckets": ("Buckets", "s3:ListAllMyBuckets"),
    "get_bucket_location": "LocationConstraint",
    "get_bucket_policy": ("Policy", "", _NO_POLICY),
    "get_bucket_acl": "",
    "get_public_access_block": (
        "PublicAccessBlockConfiguration",
        "s3:GetBucketPublicAccessBlock",
        ("NoSuchPublicAccessBlockConfiguration",),
    ),
    "get_bucket_replication": (
        "ReplicationConfiguration",
        "s3:GetReplicationConfiguration",
        ("ReplicationConfigurationNotFoundError",),
    ),
    "get_bucket_logging": "LoggingEnabled",
    "get_object_lock_configuration": (
        "ObjectLockConfiguration",
        "s3:GetBucketObjectLockConfiguration",
        ("ObjectLockConfigurationNotFoundError",),
    ),
    "get_bucket_notification_configuration": ("", "s3:GetBucketNotification"),
    "get_bucket_website": ("", "s3:GetBucketWebsite", ("NoSuchWebsiteConfiguration",)),
    "get_bucket_accelerate_configuration": ("Status", "s3:GetAccelerateConfiguration"),
}
_RESOLVER: dict[str, Any] = {
    "list_firewall_rule_groups": "FirewallRuleGroups",
    "list_firewall_rules": "FirewallRules",
    "list_firewall_domain_lists": "FirewallDomainLists",
    "list_firewall_domains": "Domains",
    "list_firewall_rule_group_associations": "FirewallRuleGroupAssociations",
    "list_firewall_configs": "FirewallConfigs",
    "list_resolver_rules": "ResolverRules",
    "list_resolver_rule_associations": "ResolverRuleAssociations",
    "list_resolver_endpoints": "ResolverEndpoints",
    "list_resolver_endpoint_ip_addresses": "IpAddresses",
    "list_resolver_query_log_configs": "ResolverQueryLogConfigs",
    "list_resolver_query_log_config_associations": "ResolverQueryLogConfigAssociations",
}
_GONE = ("ResourceNotFoundException", "PolicyNotFound", "NotFoundException")

CALLS: dict[tuple[str, str], Call] = {
    (item.service, item.operation): item
    for item in (
        *_calls("sts", get_caller_identity=""),
        *_calls("ec2", **_EC2),
        *_calls("s3", **_S3),
        *_calls(
            "s3control",
            get_public_access_block=(
                "PublicAccessBlockConfiguration",
                "s3:GetAccountPublicAccessBlock",
                ("NoSuchPublicAccessBlockConfiguration",),
            ),
            list_access_points="AccessPointList",
            get_access_point_policy=("Policy", "", ("NoSuchAccessPointPolicy",)),
        ),
        *_calls("route53resolver", **_RESOLVER),
        *_calls("route53", list_hosted_zones="HostedZones", get_hosted_zone="VPCs"),
        *_calls(
            "eks",
            list_clusters="clusters",
            describe_cluster="cluster",
            list_nodegroups="nodegroups",
            describe_nodegroup="nodegroup",
            list_addons="addons",
            describe_addon="addon",
            list_fargate_profiles="fargateProfileNames",
            list_access_entries="accessEntries",
            describe_access_entry="accessEntry",
            list_pod_identity_associations="associations",
            describe_pod_identity_association="association",
        ),
        *_calls("kms", list_keys="Keys", describe_key="KeyMetadata", get_key_policy="Policy", list_grants="Grants"),
        *_calls("iam", get_account_authorization_details="", list_access_keys="AccessKeyMetadata"),
        *_calls(
            "ecr",
            describe_repositories="repositories",
            get_repository_policy=("policyText", "", ("RepositoryPolicyNotFoundException",)),
            get_registry_policy=("policyText", "", ("RegistryPolicyNotFoundException",)),
            describe_registry="replicationConfiguration",
            describe_pull_through_cache_rules="pullThroughCacheRules",
        ),
        *_calls(
            "logs",
            describe_log_groups="logGroups",
            describe_subscription_filters="subscriptionFilters",
            describe_resource_policies="resourcePolicies",
            describe_destinations="destinations",
        ),
        *_calls("cloudtrail", describe_trails="trailList", get_trail_status=""),
        *_calls(
            "backup",
            list_backup_vaults="BackupVaultList",
            get_backup_vault_access_policy=("Policy", "", _GONE),
            list_backup_plans="BackupPlansList",
            get_backup_plan="BackupPlan",
        ),
        *_calls(
            "elbv2",
            describe_load_balancers="LoadBalancers",
            describe_load_balancer_attributes="Attributes",
            describe_listeners="Listeners",
            describe_rules="Rules",
            describe_target_groups="TargetGroups",
            describe_target_health="TargetHealthDescriptions",
        ),
        *_calls("autoscaling", describe_auto_scaling_groups="AutoScalingGroups"),
        *_calls(
            "efs",
            describe_file_systems="FileSystems",
            describe_mount_targets="MountTargets",
            describe_mount_target_security_groups="SecurityGroups",
            describe_file_system_policy=("Policy", "", ("PolicyNotFound",)),
            describe_replication_configurations=("Replications", "", ("ReplicationNotFound", "FileSystemNotFound")),
        ),
        *_calls(
            "lambda",
            list_functions="Functions",
            get_policy=("Policy", "", _GONE),
            list_function_url_configs="FunctionUrlConfigs",
        ),
        *_calls("sns", list_topics="Topics", get_topic_attributes="Attributes", list_subscriptions="Subscriptions"),
        *_calls("sqs", list_queues="QueueUrls", get_queue_attributes="Attributes"),
        *_calls(
            "events",
            list_event_buses="EventBuses",
            list_rules="Rules",
            list_targets_by_rule="Targets",
            list_api_destinations="ApiDestinations",
            list_connections="Connections",
        ),
        *_calls("secretsmanager", list_secrets="SecretList", get_resource_policy="ResourcePolicy"),
        *_calls("ssm", describe_activations="ActivationList", list_documents="DocumentIdentifiers", get_document=""),
        *_calls("ram", get_resource_shares="resourceShares", list_principals="principals"),
        *_calls(
            "rds",
            describe_db_instances=("DBInstances", "rds:DescribeDBInstances"),
            describe_db_clusters=("DBClusters", "rds:DescribeDBClusters"),
        ),
        *_calls("dynamodb", list_tables="TableNames"),
        *_calls("firehose", list_delivery_streams="DeliveryStreamNames"),
        *_calls("network-firewall", list_firewalls=("Firewalls", "network-firewall:ListFirewalls")),
        *_calls("codebuild", list_projects="projects"),
        *_calls("transfer", list_servers="Servers"),
        *_calls("datasync", list_tasks="Tasks"),
        *_calls("dms", describe_replication_instances="ReplicationInstances"),
        *_calls("apigateway", get_rest_apis=("items", "apigateway:GET")),
        *_calls("apigatewayv2", get_apis=("Items", "apigateway:GET")),
        *_calls("sesv2", list_email_identities="EmailIdentities"),
        *_calls("directconnect", describe_virtual_interfaces="virtualInterfaces"),
        *_calls("sagemaker", list_notebook_instances="NotebookInstances", list_endpoints="Endpoints"),
        *_calls("glue", list_jobs="JobNames"),
        *_calls("resourcegroupstaggingapi", get_resources=("ResourceTagMappingList", "tag:GetResources")),
    )
}
"""What is read. The last asks for every tagged resource, so that one of a kind that nobody thought of is named."""


def iam_policy() -> dict[str, Any]:
    """The policy that the audit's role needs: these rights and no other, none of which changes or reads content."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "CurtilageAudit", "Effect": "Allow", "Action": sorted({item.right for item in CALLS.values()}), "Resource": "*"}
        ],
    }
