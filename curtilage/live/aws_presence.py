"""Reads what has a path out of its own by being there at all, and names what is tagged in the account and of no kind that was read."""

from __future__ import annotations

from typing import Any

from curtilage.live.aws_client import Account
from curtilage.proof.aws.plan import UNKNOWN

THERE: tuple[tuple[str, str, str, str], ...] = (
    ("events", "list_api_destinations", "Name", "aws:cloudwatch/eventApiDestination:EventApiDestination"),
    ("events", "list_connections", "Name", "aws:cloudwatch/eventConnection:EventConnection"),
    ("ssm", "describe_activations", "ActivationId", "aws:ssm/activation:Activation"),
    ("rds", "describe_db_clusters", "DBClusterIdentifier", "aws:rds/cluster:Cluster"),
    ("dynamodb", "list_tables", "", "aws:dynamodb/table:Table"),
    ("firehose", "list_delivery_streams", "", "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"),
    ("network-firewall", "list_firewalls", "FirewallName", "aws:networkfirewall/firewall:Firewall"),
    ("codebuild", "list_projects", "", "aws:codebuild/project:Project"),
    ("transfer", "list_servers", "ServerId", "aws:transfer/server:Server"),
    ("datasync", "list_tasks", "TaskArn", "aws:datasync/task:Task"),
    ("dms", "describe_replication_instances", "ReplicationInstanceIdentifier", "aws:dms/replicationInstance:ReplicationInstance"),
    ("apigateway", "get_rest_apis", "id", "aws:apigateway/restApi:RestApi"),
    ("apigatewayv2", "get_apis", "ApiId", "aws:apigatewayv2/api:Api"),
    ("sesv2", "list_email_identities", "IdentityName", "aws:sesv2/emailIdentity:EmailIdentity"),
    ("directconnect", "describe_virtual_interfaces", "virtualInterfaceId", "aws:dx/privateVirtualInterface:PrivateVirtualInterface"),
    ("sagemaker", "list_notebook_instances", "NotebookInstanceName", "aws:sagemaker/notebookInstance:NotebookInstance"),
    ("sagemaker", "list_endpoints", "EndpointName", "aws:sagemaker/endpoint:Endpoint"),
    ("glue", "list_jobs", "", "aws:glue/job:Job"),
)
"""(service, operation, what names one, the type): the proof knows each type as a way out, or does not know it and says so."""

KNOWN: frozenset[str] = frozenset(
    {
        "acm", "autoscaling", "backup", "cloudtrail", "ec2", "ecr", "eks", "elasticfilesystem", "elasticloadbalancing", "events", "iam",
        "kms", "lambda", "logs", "route53", "route53resolver", "s3", "secretsmanager", "sns", "sqs", "ssm", "codebuild", "transfer",
        "datasync", "dms", "apigateway", "ses", "sagemaker", "glue", "rds", "dynamodb", "firehose", "network-firewall", "ram", "dx",
    }
)  # fmt: skip
"""Services that the audit reads; a tagged resource of any other is named."""
EC2: frozenset[str] = frozenset(
    {
        "vpc", "subnet", "route-table", "network-acl", "security-group", "security-group-rule", "prefix-list", "internet-gateway",
        "egress-only-internet-gateway", "natgateway", "carrier-gateway", "vpn-gateway", "vpn-connection", "customer-gateway",
        "client-vpn-endpoint", "transit-gateway", "transit-gateway-attachment", "vpc-peering-connection", "vpc-endpoint",
        "vpc-endpoint-service", "instance-connect-endpoint", "traffic-mirror-session", "elastic-ip", "network-interface", "instance",
        "launch-template", "vpc-flow-log", "dhcp-options", "image", "snapshot", "volume", "key-pair", "placement-group",
        "capacity-reservation", "vpc-block-public-access-exclusion",
    }
)  # fmt: skip
"""Of EC2, which is many services in one, the kinds that are read or carry nothing."""


def read_presence(account: Account) -> None:
    """What is a way out by being there."""
    for service, operation, key, kind in THERE:
        for item in account.items(service, operation):
            account.add(kind, str(item.get(key) if key and isinstance(item, dict) else item))
    for item in account.items("rds", "describe_db_instances"):
        kind = "aws:rds/instance:Instance"
        account.add(kind, item["DBInstanceIdentifier"], publiclyAccessible=item.get("PubliclyAccessible", UNKNOWN))
    for item in account.items("ssm", "list_documents", Filters=[{"Key": "Owner", "Values": ["Self"]}]):
        name = item["Name"]
        one = account.one("ssm", "get_document", Name=name)
        content = one.get("Content", UNKNOWN) if isinstance(one, dict) else UNKNOWN
        account.add("aws:ssm/document:Document", name, content=content, documentType=item.get("DocumentType"))
    _shares(account)
    _copies(account)
    for item in account.items("resourcegroupstaggingapi", "get_resources"):
        arn = str(item.get("ResourceARN", ""))
        service = arn.split(":")[2] if arn.count(":") >= 5 else ""
        if service not in KNOWN:
            account.gap(arn or "a tagged resource", f"service {service or 'of no name'} is not read by the audit")
        elif service == "ec2" and (kind := arn.split(":", 5)[5].split("/")[0]) not in EC2:
            account.gap(arn, f"EC2's {kind} is not read by the audit")


def _shares(account: Account) -> None:
    for item in account.items("ram", "get_resource_shares", resourceOwner="SELF"):
        if item.get("status") in ("DELETED", "DELETING"):
            continue
        external = item.get("allowExternalPrincipals", UNKNOWN)
        account.add("aws:ram/resourceShare:ResourceShare", str(item.get("resourceShareArn")), allowExternalPrincipals=external)
    for item in account.items("ram", "list_principals", resourceOwner="SELF"):
        principal: Any = item.get("id", UNKNOWN)
        account.add("aws:ram/principalAssociation:PrincipalAssociation", str(principal), principal=principal)


def _copies(account: Account) -> None:
    """Images and snapshots that are shared."""
    for item in account.items("ec2", "describe_images", Owners=["self"]):
        if item.get("Public"):
            account.add("aws:ec2/amiLaunchPermission:AmiLaunchPermission", item["ImageId"])
        else:
            account.add("aws:ec2/ami:Ami", item["ImageId"])
    for item in account.items("ec2", "describe_snapshots", OwnerIds=["self"]):
        name = item["SnapshotId"]
        for entry in account.items("ec2", "describe_snapshot_attribute", SnapshotId=name, Attribute="createVolumePermission"):
            kind = "aws:ec2/snapshotCreateVolumePermission:SnapshotCreateVolumePermission"
            account.add(kind, f"{name}-{entry.get('UserId') or entry.get('Group')}")
