"""Writes a case of the corpus as Terraform, so that scanners that read Terraform can be asked about the same region.

What is kept: every resource of the AWS provider with its inputs, references as references (``aws_vpc.vpc.id``), policies as JSON text, and
values that a plan does not know as variables without a default. What is lost: component resources, outputs of a state, and resources whose
type has no counterpart in the table below, which the page names.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.sabotage.aws.plans import REGION, UNKNOWN, Ref, Stack

MAPS = frozenset({"tags", "environment_variables"})
"""Attributes whose value is a map, not a nested block."""
SINGULAR = {
    "routes": "route", "vpcs": "vpc", "targetIps": "target_ip", "ipAddresses": "ip_address", "topics": "topic", "queues": "queue",
    "lambdaFunctions": "lambda_function", "replicas": "replica", "defaultActions": "default_action", "rules": "rule", "grants": "grant",
    "inlinePolicies": "inline_policy", "logDestinationConfigs": "log_destination_config", "entries": "entry", "websites": "website",
    "replicationConfigurations": "replication_configuration", "statefulRules": "stateful_rule", "destinations": "destination",
    "subnetMappings": "subnet_mapping",
}  # fmt: skip
"""Pulumi names repeated blocks in the plural, Terraform in the singular."""
TYPES: dict[str, str] = {
    "aws:ec2/vpc:Vpc": "aws_vpc", "aws:ec2/subnet:Subnet": "aws_subnet", "aws:ec2/routeTable:RouteTable": "aws_route_table",
    "aws:ec2/defaultRouteTable:DefaultRouteTable": "aws_default_route_table", "aws:ec2/route:Route": "aws_route",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "aws_route_table_association",
    "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation": "aws_main_route_table_association",
    "aws:ec2/internetGateway:InternetGateway": "aws_internet_gateway", "aws:ec2/natGateway:NatGateway": "aws_nat_gateway",
    "aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway": "aws_egress_only_internet_gateway",
    "aws:ec2/carrierGateway:CarrierGateway": "aws_ec2_carrier_gateway", "aws:ec2/vpnGateway:VpnGateway": "aws_vpn_gateway",
    "aws:ec2/eip:Eip": "aws_eip", "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": "aws_vpc_peering_connection",
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter": "aws_vpc_peering_connection_accepter",
    "aws:ec2transitgateway/transitGateway:TransitGateway": "aws_ec2_transit_gateway",
    "aws:ec2transitgateway/vpcAttachment:VpcAttachment": "aws_ec2_transit_gateway_vpc_attachment",
    "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint": "aws_ec2_instance_connect_endpoint",
    "aws:ec2/securityGroup:SecurityGroup": "aws_security_group", "aws:ec2/securityGroupRule:SecurityGroupRule": "aws_security_group_rule",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "aws_default_security_group",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "aws_vpc_security_group_egress_rule",
    "aws:ec2/managedPrefixList:ManagedPrefixList": "aws_ec2_managed_prefix_list",
    "aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry": "aws_ec2_managed_prefix_list_entry",
    "aws:ec2/networkAcl:NetworkAcl": "aws_network_acl", "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl": "aws_default_network_acl",
    "aws:ec2/networkAclRule:NetworkAclRule": "aws_network_acl_rule",
    "aws:ec2/networkAclAssociation:NetworkAclAssociation": "aws_network_acl_association",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "aws_vpc_endpoint", "aws:ec2/vpcEndpointPolicy:VpcEndpointPolicy": "aws_vpc_endpoint_policy",
    "aws:ec2/vpcEndpointService:VpcEndpointService": "aws_vpc_endpoint_service",
    "aws:ec2/vpcEndpointServiceAllowedPrinciple:VpcEndpointServiceAllowedPrinciple": "aws_vpc_endpoint_service_allowed_principal",
    "aws:ec2/vpcDhcpOptions:VpcDhcpOptions": "aws_vpc_dhcp_options",
    "aws:ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation": "aws_vpc_dhcp_options_association",
    "aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions": "aws_vpc_block_public_access_options",
    "aws:ec2/vpcBlockPublicAccessExclusion:VpcBlockPublicAccessExclusion": "aws_vpc_block_public_access_exclusion",
    "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation": "aws_vpc_ipv4_cidr_block_association",
    "aws:ec2/networkInterface:NetworkInterface": "aws_network_interface", "aws:ec2/instance:Instance": "aws_instance",
    "aws:ec2/launchTemplate:LaunchTemplate": "aws_launch_template", "aws:ec2/flowLog:FlowLog": "aws_flow_log",
    "aws:ec2/trafficMirrorSession:TrafficMirrorSession": "aws_ec2_traffic_mirror_session",
    "aws:ec2/snapshotCreateVolumePermission:SnapshotCreateVolumePermission": "aws_snapshot_create_volume_permission",
    "aws:ec2/amiLaunchPermission:AmiLaunchPermission": "aws_ami_launch_permission",
    "aws:route53/resolverFirewallDomainList:ResolverFirewallDomainList": "aws_route53_resolver_firewall_domain_list",
    "aws:route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup": "aws_route53_resolver_firewall_rule_group",
    "aws:route53/resolverFirewallRule:ResolverFirewallRule": "aws_route53_resolver_firewall_rule",
    "aws:route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation":
        "aws_route53_resolver_firewall_rule_group_association",
    "aws:route53/resolverFirewallConfig:ResolverFirewallConfig": "aws_route53_resolver_firewall_config",
    "aws:route53/resolverQueryLogConfig:ResolverQueryLogConfig": "aws_route53_resolver_query_log_config",
    "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation":
        "aws_route53_resolver_query_log_config_association",
    "aws:route53/resolverRule:ResolverRule": "aws_route53_resolver_rule",
    "aws:route53/resolverRuleAssociation:ResolverRuleAssociation": "aws_route53_resolver_rule_association",
    "aws:route53/resolverEndpoint:ResolverEndpoint": "aws_route53_resolver_endpoint", "aws:route53/zone:Zone": "aws_route53_zone",
    "aws:route53/vpcAssociationAuthorization:VpcAssociationAuthorization": "aws_route53_vpc_association_authorization",
    "aws:s3/bucketV2:BucketV2": "aws_s3_bucket",
    "aws:s3/bucket:Bucket": "aws_s3_bucket", "aws:s3/bucketPolicy:BucketPolicy": "aws_s3_bucket_policy",
    "aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2": "aws_s3_bucket_object_lock_configuration",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "aws_s3_bucket_public_access_block",
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": "aws_s3_bucket_replication_configuration",
    "aws:s3/bucketAclV2:BucketAclV2": "aws_s3_bucket_acl", "aws:s3/bucketAcl:BucketAcl": "aws_s3_bucket_acl",
    "aws:s3/bucketNotification:BucketNotification": "aws_s3_bucket_notification",
    "aws:s3/bucketWebsiteConfigurationV2:BucketWebsiteConfigurationV2": "aws_s3_bucket_website_configuration",
    "aws:cloudtrail/trail:Trail": "aws_cloudtrail",
    "aws:kms/key:Key": "aws_kms_key", "aws:kms/replicaKey:ReplicaKey": "aws_kms_replica_key",
    "aws:kms/grant:Grant": "aws_kms_grant", "aws:ecr/repository:Repository": "aws_ecr_repository",
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "aws_ecr_repository_policy",
    "aws:ecr/replicationConfiguration:ReplicationConfiguration": "aws_ecr_replication_configuration",
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule": "aws_ecr_pull_through_cache_rule",
    "aws:cloudwatch/logGroup:LogGroup": "aws_cloudwatch_log_group", "aws:cloudwatch/metricAlarm:MetricAlarm": "aws_cloudwatch_metric_alarm",
    "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter": "aws_cloudwatch_log_subscription_filter",
    "aws:cloudwatch/eventApiDestination:EventApiDestination": "aws_cloudwatch_event_api_destination",
    "aws:cloudwatch/eventTarget:EventTarget": "aws_cloudwatch_event_target",
    "aws:cloudwatch/eventRule:EventRule": "aws_cloudwatch_event_rule",
    "aws:iam/role:Role": "aws_iam_role", "aws:iam/rolePolicy:RolePolicy": "aws_iam_role_policy", "aws:iam/policy:Policy": "aws_iam_policy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "aws_iam_role_policy_attachment", "aws:iam/user:User": "aws_iam_user",
    "aws:iam/accessKey:AccessKey": "aws_iam_access_key",
    "aws:eks/cluster:Cluster": "aws_eks_cluster", "aws:eks/addon:Addon": "aws_eks_addon",
    "aws:eks/nodeGroup:NodeGroup": "aws_eks_node_group", "aws:eks/fargateProfile:FargateProfile": "aws_eks_fargate_profile",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": "aws_eks_pod_identity_association",
    "aws:lambda/function:Function": "aws_lambda_function", "aws:lambda/functionUrl:FunctionUrl": "aws_lambda_function_url",
    "aws:lambda/permission:Permission": "aws_lambda_permission", "aws:sns/topic:Topic": "aws_sns_topic",
    "aws:sns/topicPolicy:TopicPolicy": "aws_sns_topic_policy", "aws:sns/topicSubscription:TopicSubscription": "aws_sns_topic_subscription",
    "aws:sqs/queue:Queue": "aws_sqs_queue", "aws:sqs/queuePolicy:QueuePolicy": "aws_sqs_queue_policy",
    "aws:ssm/document:Document": "aws_ssm_document", "aws:ssm/activation:Activation": "aws_ssm_activation",
    "aws:codebuild/project:Project": "aws_codebuild_project", "aws:ram/resourceShare:ResourceShare": "aws_ram_resource_share",
    "aws:ram/principalAssociation:PrincipalAssociation": "aws_ram_principal_association",
    "aws:networkfirewall/firewallPolicy:FirewallPolicy": "aws_networkfirewall_firewall_policy",
    "aws:networkfirewall/ruleGroup:RuleGroup": "aws_networkfirewall_rule_group",
    "aws:networkfirewall/firewall:Firewall": "aws_networkfirewall_firewall",
    "aws:lb/loadBalancer:LoadBalancer": "aws_lb", "aws:lb/listener:Listener": "aws_lb_listener",
    "aws:lb/targetGroupAttachment:TargetGroupAttachment": "aws_lb_target_group_attachment", "aws:rds/instance:Instance": "aws_db_instance",
    "aws:autoscaling/group:Group": "aws_autoscaling_group", "aws:secretsmanager/secret:Secret": "aws_secretsmanager_secret",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "aws_secretsmanager_secret_policy",
    "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream": "aws_kinesis_firehose_delivery_stream",
    "aws:ses/emailIdentity:EmailIdentity": "aws_ses_email_identity",
    "aws:cloudfront/distribution:Distribution": "aws_cloudfront_distribution",
    "aws:vpclattice/serviceNetworkVpcAssociation:ServiceNetworkVpcAssociation": "aws_vpclattice_service_network_vpc_association",
    "aws:apigatewayv2/api:Api": "aws_apigatewayv2_api",
}  # fmt: skip
_LABEL = re.compile(r"[^A-Za-z0-9_-]")


def translate(stack: Stack, prefix: str = "") -> tuple[str, list[str]]:
    """The region as Terraform, every label with a prefix, and the names of resources that have no counterpart."""
    lost = [name for name, item in stack.items.items() if item.custom and item.type.startswith("aws:") and item.type not in TYPES]
    parts = ['variable "unknown" {}', f'provider "aws" {{\n  region = "{REGION}"\n}}']
    for name, item in stack.items.items():
        if item.type in TYPES:
            body = "".join(_entry(key, value, stack, 1, prefix) for key, value in item.inputs.items())
            parts.append(f'resource "{TYPES[item.type]}" "{prefix}{_label(name)}" {{\n{body}}}')
    return "\n\n".join(parts) + "\n", lost


def _label(name: str) -> str:
    found = _LABEL.sub("_", name)
    return found if found[0].isalpha() or found[0] == "_" else f"_{found}"


def _snake(key: str) -> str:
    return SINGULAR.get(key) or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()


def _entry(key: str, value: Any, stack: Stack, depth: int, prefix: str) -> str:
    name, pad = _snake(key), "  " * depth
    if value is None:
        return ""
    blocks = value if isinstance(value, list) else [value]
    if blocks and all(isinstance(item, dict) for item in blocks) and name not in MAPS:
        out = ""
        for block in blocks:
            body = "".join(_entry(inner, item, stack, depth + 1, prefix) for inner, item in block.items())
            out += f"{pad}{name} {{\n{body}{pad}}}\n"
        return out
    return f"{pad}{name} = {_value(value, stack, prefix)}\n"


def _value(value: Any, stack: Stack, prefix: str) -> str:
    if isinstance(value, Ref):
        kind = stack.items[value.name].type if value.name in stack.items else ""
        if kind not in TYPES:
            return "var.unknown"
        return f"{TYPES[kind]}.{prefix}{_label(value.name)}.{_snake(value.attribute)}"
    if value == UNKNOWN:
        return "var.unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(_value(item, stack, prefix) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(item, stack, prefix)}" for key, item in value.items()) + " }"
    return json.dumps(str(value)).replace("${", "$${").replace("%{", "%%{")
