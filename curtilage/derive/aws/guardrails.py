"""Documents for the organisation's own team: what no identity of the account may do, and what no resource of it may grant.

Service control and resource control policies are the organisation's to apply, not a region's: they are written out, reviewed as goldens
and never part of the plan. Without them, people with rights to change the account can undo the seal; the proof says so.
"""

from __future__ import annotations

from typing import Any

from curtilage.derive.aws.names import settings
from curtilage.region import Region

_OPENS = (
    "ec2:AcceptVpcPeeringConnection", "ec2:AssociateAddress", "ec2:AttachInternetGateway", "ec2:AttachVpnGateway",
    "ec2:CreateCarrierGateway",
    "ec2:CreateEgressOnlyInternetGateway", "ec2:CreateInstanceConnectEndpoint", "ec2:CreateInternetGateway", "ec2:CreateNatGateway",
    "ec2:CreateTransitGatewayVpcAttachment", "ec2:CreateTrafficMirrorSession", "ec2:CreateVpcBlockPublicAccessExclusion",
    "ec2:CreateVpcPeeringConnection", "ec2:CreateVpnConnection", "ec2:DisableImageBlockPublicAccess",
    "ec2:DisableSnapshotBlockPublicAccess",
    "ec2:ModifyImageAttribute", "ec2:ModifySnapshotAttribute", "ec2:ModifyVpcBlockPublicAccessOptions",
)  # fmt: skip
_RELAYS = (
    "appstream:*", "cloudshell:*", "codebuild:CreateProject", "events:CreateApiDestination", "events:CreateConnection",
    "ec2-instance-connect:OpenTunnel", "globalaccelerator:*", "lambda:CreateFunctionUrlConfig", "sagemaker:CreateNotebookInstance",
    "ses:Send*", "sns:Subscribe", "ssm:StartAutomationExecution", "ssm:StartSession", "states:CreateStateMachine", "transfer:*",
    "workspaces:*",
)  # fmt: skip
_UNDO = (
    "backup:DeleteBackupVaultLockConfiguration", "cloudtrail:DeleteTrail", "cloudtrail:StopLogging", "cloudtrail:UpdateTrail",
    "ec2:DeleteFlowLogs", "kms:DisableKey", "kms:PutKeyPolicy", "kms:ReplicateKey", "kms:ScheduleKeyDeletion", "logs:DeleteLogGroup",
    "logs:PutRetentionPolicy", "route53resolver:DeleteFirewallRule", "route53resolver:DisassociateFirewallRuleGroup",
    "route53resolver:DisassociateResolverQueryLogConfig", "route53resolver:UpdateFirewallConfig", "route53resolver:UpdateFirewallRule",
    "s3:BypassGovernanceRetention", "s3:DeleteBucketPolicy", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketPolicy",
    "s3:PutReplicationConfiguration",
)  # fmt: skip
RELEASER = "role/curtilage-deployer"


def service_control_policy(region: Region) -> dict[str, Any]:
    """What identities of the account may not do."""
    found = settings(region)
    deployer = {"ArnNotLike": {"aws:PrincipalArn": f"arn:{found.partition}:iam::{found.account}:{RELEASER}"}}
    # Services that are global answer in one region of their own.
    everywhere = ["iam:*", "organizations:*", "sts:*", "support:*", "cloudfront:Get*", "route53:*", "budgets:*", "account:*", "health:*"]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "NoWayOut", "Effect": "Deny", "Action": list(_OPENS), "Resource": "*"},
            {"Sid": "NoRelay", "Effect": "Deny", "Action": list(_RELAYS), "Resource": "*"},
            {"Sid": "OnlyTheReviewedPlanUndoes", "Effect": "Deny", "Action": list(_UNDO), "Resource": "*", "Condition": deployer},
            {
                "Sid": "NothingInAnotherRegion",
                "Effect": "Deny",
                "NotAction": everywhere,
                "Resource": "*",
                "Condition": {"StringNotEquals": {"aws:RequestedRegion": region.site}},
            },
            {
                "Sid": "NoForeignResources",
                "Effect": "Deny",
                "Action": ["s3:PutObject", "sqs:SendMessage", "kinesis:PutRecord*", "events:PutEvents", "sts:AssumeRole"],
                "Resource": "*",
                "Condition": {"StringNotEqualsIfExists": {"aws:ResourceOrgID": found.organisation}},
            },
            {
                "Sid": "NoLongLivedKeys",
                "Effect": "Deny",
                "Action": ["iam:CreateAccessKey", "iam:CreateUser", "iam:CreateLoginProfile"],
                "Resource": "*",
            },
        ],
    }


def resource_control_policy(region: Region) -> dict[str, Any]:
    """What resources of the account may not grant, whatever their own policies say."""
    found = settings(region)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "OnlyTheOrganisation",
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["s3:*", "sqs:*", "kms:*", "secretsmanager:*", "sts:AssumeRole"],
                "Resource": "*",
                "Condition": {
                    "StringNotEqualsIfExists": {"aws:PrincipalOrgID": found.organisation},
                    "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
                },
            },
            {
                "Sid": "ServicesForThisOrganisationAlone",
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["s3:*", "sqs:*", "kms:*", "secretsmanager:*"],
                "Resource": "*",
                "Condition": {
                    "StringNotEqualsIfExists": {"aws:SourceOrgID": found.organisation},
                    "Null": {"aws:SourceAccount": "false"},
                    "Bool": {"aws:PrincipalIsAWSService": "true"},
                },
            },
            {
                "Sid": "NothingWithoutTls",
                "Effect": "Deny",
                "Principal": "*",
                "Action": ["s3:*", "sqs:*", "kms:*", "secretsmanager:*"],
                "Resource": "*",
                "Condition": {"BoolIfExists": {"aws:SecureTransport": "false"}},
            },
        ],
    }
