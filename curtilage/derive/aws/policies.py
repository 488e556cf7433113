"""Policy documents of a region on AWS. Each says who is own: an organisation and an account, stated in the stack file.

An endpoint's policy asks both whose principal and whose resource it is: with one of them alone, foreign keys work through our endpoint, or
our keys on a foreign bucket (EG-03, EG-05, EG-06).
"""

from __future__ import annotations

import json
from typing import Any

from curtilage.derive.aws.names import ADDON_REGISTRY, arn, bucket_arns, settings
from curtilage.region import Region

Statement = dict[str, Any]


def document(*statements: Statement) -> str:
    """A policy as text, the same for the same statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}, sort_keys=True)


def own(region: Region) -> dict[str, Any]:
    """The condition that principal and resource are the organisation's."""
    organisation = settings(region).organisation
    return {"StringEquals": {"aws:PrincipalOrgID": organisation, "aws:ResourceOrgID": organisation}}


def _perimeter(region: Region) -> Statement:
    return {
        "Sid": "OwnPrincipalsOnOwnResources",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "*",
        "Resource": "*",
        "Condition": own(region),
    }


def endpoint_policy(region: Region, service: str) -> str:
    """The policy of one endpoint."""
    found = settings(region)
    principal = {"StringEquals": {"aws:PrincipalOrgID": found.organisation}}
    statements = [_perimeter(region)]
    if service == "s3":
        statements.append(
            {
                "Sid": "ReadImageLayersThatEcrKeepsInItsOwnBucket",
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": f"arn:{found.partition}:s3:::prod-{region.site}-starport-layer-bucket/*",
            }
        )
    if service in ("ecr.api", "ecr.dkr"):
        statements.append(
            {
                "Sid": "ReadAddOnsOfEks",
                "Effect": "Allow",
                "Principal": "*",
                "Action": ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                "Resource": f"arn:{found.partition}:ecr:{region.site}:{ADDON_REGISTRY}:repository/eks/*",
                "Condition": principal,
            }
        )
    return document(*statements)


def key_policy(region: Region, purpose: str) -> str:
    """Who may use a key: the account's own identities as their policies say, and the one service that writes with it."""
    found = settings(region)
    root = f"arn:{found.partition}:iam::{found.account}:root"
    statements: list[Statement] = [
        {"Sid": "AccountDecides", "Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"},
        {
            "Sid": "NobodyOutsideTheOrganisation",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "kms:*",
            "Resource": "*",
            "Condition": {
                "StringNotEquals": {"aws:PrincipalOrgID": found.organisation},
                "Bool": {"aws:PrincipalIsAWSService": "false"},
            },
        },
    ]
    use = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*", "kms:DescribeKey"]
    mine = {"StringEquals": {"aws:SourceAccount": found.account}}
    if purpose == "logs":
        writers = (f"logs.{region.site}.amazonaws.com", "delivery.logs.amazonaws.com", "cloudtrail.amazonaws.com")
        statements += [
            {
                "Sid": f"Write{service.split('.')[0].capitalize()}",
                "Effect": "Allow",
                "Principal": {"Service": service},
                "Action": use,
                "Resource": "*",
                "Condition": mine,
            }
            for service in writers
        ]
    if purpose == "disks":
        scaling = f"arn:{found.partition}:iam::{found.account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
        statements += [
            {"Sid": "NodeDisks", "Effect": "Allow", "Principal": {"AWS": scaling}, "Action": use, "Resource": "*"},
            {
                "Sid": "NodeDisksGrant",
                "Effect": "Allow",
                "Principal": {"AWS": scaling},
                "Action": "kms:CreateGrant",
                "Resource": "*",
                "Condition": {"Bool": {"kms:GrantIsForAWSResource": "true"}},
            },
        ]
    return document(*statements)


def bucket_policy(region: Region, purpose: str) -> str:
    """Deny outside the organisation, outside the region, without TLS; and let the log services of this account write where logs go."""
    found = settings(region)
    arns = bucket_arns(region, purpose)
    service = {"aws:PrincipalIsAWSService": "false"}
    statements: list[Statement] = [
        {
            "Sid": "NobodyOutsideTheOrganisation",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": arns,
            "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": found.organisation}, "Bool": service},
        },
        {
            "Sid": "NobodyFromAnotherRegion",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": arns,
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": region.site}, "Bool": service},
        },
        {
            "Sid": "NothingWithoutTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": arns,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
    if purpose == "logs":
        for name in ("delivery.logs.amazonaws.com", "cloudtrail.amazonaws.com"):
            mine = {"StringEquals": {"aws:SourceAccount": found.account}}
            title = name.split(".")[0].capitalize()
            statements += [
                {
                    "Sid": f"{title}Writes",
                    "Effect": "Allow",
                    "Principal": {"Service": name},
                    "Action": "s3:PutObject",
                    "Resource": arns[1],
                    "Condition": mine,
                },
                {
                    "Sid": f"{title}Looks",
                    "Effect": "Allow",
                    "Principal": {"Service": name},
                    "Action": "s3:GetBucketAcl",
                    "Resource": arns[0],
                    "Condition": mine,
                },
            ]
    return document(*statements)


def repository_policy(region: Region) -> str:
    """Images are the organisation's to pull; who pushes is decided by identities of the account."""
    organisation = settings(region).organisation
    return document(
        {
            "Sid": "NobodyOutsideTheOrganisation",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "ecr:*",
            "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": organisation}, "Bool": {"aws:PrincipalIsAWSService": "false"}},
        }
    )


def trust(region: Region, service: str, *, tagging: bool = False) -> str:
    """Who may take a role: one service, for this account."""
    actions: Any = ["sts:AssumeRole", "sts:TagSession"] if tagging else "sts:AssumeRole"
    statement: Statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": actions}
    if service != "ec2.amazonaws.com":
        # EC2 sends no source with it; the role is bound to the machine by its profile.
        statement["Condition"] = {"StringEquals": {"aws:SourceAccount": settings(region).account}}
    return document(statement)


def node_policy(region: Region) -> str:
    """What a machine may do beside joining: use the key of its disks through EC2 alone."""
    return document(
        {
            "Sid": "NothingButReadingImages",
            "Effect": "Deny",
            "Action": ["s3:PutObject", "s3:DeleteObject", "sts:AssumeRole"],
            "Resource": "*",
        },
        {
            "Sid": "LogsOfTheCluster",
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": arn(region, "logs", f"log-group:/aws/eks/{region.name}/*"),
        },
    )


def files_policy(region: Region) -> str:
    """What the driver of shared files may do: make and remove access points of the region's own file system."""
    where = {"StringEquals": {"aws:ResourceTag/curtilage:region": region.name}}
    return document(
        {"Effect": "Allow", "Action": ["elasticfilesystem:Describe*", "ec2:DescribeAvailabilityZones"], "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["elasticfilesystem:CreateAccessPoint", "elasticfilesystem:TagResource", "elasticfilesystem:DeleteAccessPoint"],
            "Resource": [arn(region, "elasticfilesystem", "file-system/*"), arn(region, "elasticfilesystem", "access-point/*")],
            "Condition": where,
        },
    )


def backup_policy(region: Region) -> str:
    """What the backup service may do with the region's disks and files: read their state and make recovery points in the own vault."""
    where = {"StringEquals": {"aws:ResourceTag/curtilage:region": region.name}}
    return document(
        {
            "Effect": "Allow",
            "Action": ["ec2:DescribeVolumes", "ec2:DescribeSnapshots", "elasticfilesystem:DescribeFileSystems", "tag:GetResources"],
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Action": ["ec2:CreateSnapshot", "ec2:CreateTags", "elasticfilesystem:Backup"],
            "Resource": [
                arn(region, "ec2", "volume/*"),
                f"arn:{settings(region).partition}:ec2:{region.site}::snapshot/*",
                arn(region, "elasticfilesystem", "file-system/*"),
            ],
        },
        {
            "Effect": "Allow",
            "Action": ["ec2:DeleteSnapshot"],
            "Resource": f"arn:{settings(region).partition}:ec2:{region.site}::snapshot/*",
            "Condition": where,
        },
        {
            "Effect": "Allow",
            "Action": ["backup:DescribeBackupVault"],
            "Resource": arn(region, "backup", f"backup-vault:{region.name}"),
        },
    )
