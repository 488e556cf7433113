"""Data of a region on AWS: locked buckets, keys that stay, images that do not change, records that cannot be removed, roles of services."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from policies.rules._rule import Rule

_TAGGED = (
    "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:ec2/securityGroup:SecurityGroup", "aws:ec2/vpcEndpoint:VpcEndpoint",
    "aws:eks/cluster:Cluster", "aws:eks/nodeGroup:NodeGroup", "aws:iam/role:Role", "aws:kms/key:Key", "aws:s3/bucket:Bucket",
    "aws:ecr/repository:Repository", "aws:efs/fileSystem:FileSystem", "aws:backup/vault:Vault", "aws:lb/loadBalancer:LoadBalancer",
    "aws:cloudwatch/logGroup:LogGroup", "aws:cloudtrail/trail:Trail",
)  # fmt: skip
_ACCOUNT = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")
_TAGS = ("region", "jurisdiction", "segment", "data-class", "owner", "cost-centre")


def _statements(text: str) -> list[dict[str, Any]]:
    found = json.loads(text)["Statement"]
    return found if isinstance(found, list) else [found]


def _bucket(props: Mapping[str, Any]) -> Iterator[str]:
    if props.get("objectLockEnabled") is not True:
        yield "A bucket must have object lock: what is recorded cannot be removed before its time."
    if props.get("forceDestroy"):
        yield "A bucket must not be destroyed with what it holds."
    if props.get("acl") not in (None, "private"):
        yield "A bucket must have no access list."


def _lock(props: Mapping[str, Any]) -> Iterator[str]:
    retention = ((props.get("rule") or {}).get("defaultRetention")) or {}
    if retention.get("mode") not in ("COMPLIANCE", "GOVERNANCE") or not retention.get("days"):
        yield "Object lock must have a default retention."


def _closed(props: Mapping[str, Any]) -> Iterator[str]:
    for field in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"):
        if props.get(field) is not True:
            yield f"A bucket must be closed to the public: {field}."


def _versions(props: Mapping[str, Any]) -> Iterator[str]:
    if (props.get("versioningConfiguration") or {}).get("status") != "Enabled":
        yield "A bucket must keep versions."


def _bucket_policy(props: Mapping[str, Any]) -> Iterator[str]:
    statements = _statements(props["policy"])
    denied = json.dumps([item for item in statements if item["Effect"] == "Deny"])
    for key in ("aws:PrincipalOrgID", "aws:RequestedRegion", "aws:SecureTransport"):
        if key not in denied:
            yield f"A bucket's policy must deny by {key}."
    for item in statements:
        if item["Effect"] == "Allow" and item.get("Principal") in ("*", {"AWS": "*"}):
            yield "A bucket's policy must allow nobody in general."


def _key(props: Mapping[str, Any]) -> Iterator[str]:
    if props.get("multiRegion") not in (None, False):
        yield "A key must stay in its region."
    if props.get("enableKeyRotation") is not True:
        yield "A key must rotate."
    for item in _statements(props["policy"]):
        if item["Effect"] == "Allow" and item.get("Principal") in ("*", {"AWS": "*"}):
            yield "A key's policy must allow nobody in general."


def _key_owner(props: Mapping[str, Any]) -> Iterator[str]:
    accounts: set[str] = set()
    for item in _statements(props["policy"]):
        named = item.get("Principal")
        listed = named.get("AWS", []) if isinstance(named, dict) and item["Effect"] == "Allow" else []
        accounts |= {(_ACCOUNT.search(text) or [text])[0] for text in ([listed] if isinstance(listed, str) else listed)}
    if len(accounts) != 1:
        yield f"A key's policy must serve one account, not {', '.join(sorted(accounts)) or 'none'}."


def _repository(props: Mapping[str, Any]) -> Iterator[str]:
    if props.get("imageTagMutability") != "IMMUTABLE":
        yield "A repository's tags must be immutable."
    if (props.get("imageScanningConfiguration") or {}).get("scanOnPush") is not True:
        yield "A repository must scan on push."


def _trust(props: Mapping[str, Any]) -> Iterator[str]:
    for item in _statements(props["assumeRolePolicy"]):
        principal = item.get("Principal")
        if item["Effect"] == "Allow" and (not isinstance(principal, dict) or set(principal) != {"Service"}):
            yield "A role must be taken by a service alone; people come by the organisation's own roles."


def _trail(props: Mapping[str, Any]) -> Iterator[str]:
    if props.get("enableLogFileValidation") is not True or props.get("enableLogging") is False:
        yield "The trail must log, with validation."


def _kept(props: Mapping[str, Any]) -> Iterator[str]:
    if not props.get("retentionInDays"):
        yield "A log group must say how long it keeps."


def _files(props: Mapping[str, Any]) -> Iterator[str]:
    if props.get("encrypted") is not True:
        yield "Shared files must be encrypted."


def _flow(props: Mapping[str, Any]) -> Iterator[str]:
    if props.get("trafficType") != "ALL":
        yield "Flow logs must hold all traffic."


def _backup(props: Mapping[str, Any]) -> Iterator[str]:
    for rule in props.get("rules") or []:
        if rule.get("copyActions"):
            yield "A backup must not be copied to another vault."


def _tagged(props: Mapping[str, Any]) -> Iterator[str]:
    tags = props.get("tags") or {}
    for name in _TAGS:
        if not str(tags.get(f"curtilage:{name}", "")).strip():
            yield f"The resource must have the tag curtilage:{name}."


def _of(name: str, description: str, kind: str | tuple[str, ...], fields: tuple[str, ...], check: Any) -> Rule:
    return Rule(name=name, description=description, resource_type=kind, fields=fields, check=check)


RULES = (
    _of("aws-bucket-locked", "A bucket is locked and stays.", "aws:s3/bucket:Bucket",
        ("objectLockEnabled", "forceDestroy", "acl"), _bucket),
    _of("aws-bucket-retention", "Object lock has a default retention.",
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration", ("rule",), _lock),
    _of("aws-bucket-closed", "A bucket is closed to the public.",
        ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock"),
        ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), _closed),
    _of("aws-bucket-versions", "A bucket keeps versions.", "aws:s3/bucketVersioning:BucketVersioning",
        ("versioningConfiguration",), _versions),
    _of("aws-bucket-policy", "A bucket denies outside the organisation, the region and TLS.", "aws:s3/bucketPolicy:BucketPolicy",
        ("policy",), _bucket_policy),
    _of("aws-key-stays", "A key stays in its region and rotates.", "aws:kms/key:Key", ("multiRegion", "enableKeyRotation", "policy"), _key),
    _of("aws-key-of-one-account", "A key serves one account.", "aws:kms/key:Key", ("policy",), _key_owner),
    _of("aws-images-immutable", "Images do not change and are scanned.", "aws:ecr/repository:Repository",
        ("imageTagMutability", "imageScanningConfiguration"), _repository),
    _of("aws-role-of-service", "A role is a service's.", "aws:iam/role:Role", ("assumeRolePolicy",), _trust),
    _of("aws-trail-on", "The trail logs, with validation.", "aws:cloudtrail/trail:Trail",
        ("enableLogFileValidation", "enableLogging"), _trail),
    _of("aws-logs-kept", "Logs are kept for a stated time.", "aws:cloudwatch/logGroup:LogGroup", ("retentionInDays",), _kept),
    _of("aws-files-encrypted", "Shared files are encrypted.", "aws:efs/fileSystem:FileSystem", ("encrypted",), _files),
    _of("aws-flows-logged", "All flows are logged.", "aws:ec2/flowLog:FlowLog", ("trafficType",), _flow),
    _of("aws-backup-here", "A backup stays in the region.", "aws:backup/plan:Plan", ("rules",), _backup),
    _of("aws-tagged", "A resource says whose it is and where the law holds it.", _TAGGED, ("tags",), _tagged),
)  # fmt: skip
