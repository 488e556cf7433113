"""Reads where an account keeps data and records, and where copies of it go: buckets, trails, backups, files."""

from __future__ import annotations

from typing import Any

from curtilage.live.aws_client import Account
from curtilage.proof.aws.plan import UNKNOWN

_PUBLIC = ("/AllUsers", "/AuthenticatedUsers")
_DELIVERY = "/s3/LogDelivery"


def read_data(account: Account) -> None:
    """Everything that keeps data, or copies it."""
    for item in account.items("s3", "list_buckets"):
        _bucket(account, item["Name"])
    block = account.one("s3control", "get_public_access_block", AccountId=account.account)
    if isinstance(block, dict):
        account.add("aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock", account.account, **_block(block))
    for item in account.items("s3control", "list_access_points", AccountId=account.account):
        name = item["Name"]
        policy = account.one("s3control", "get_access_point_policy", AccountId=account.account, Name=name)
        account.add("aws:s3/accessPoint:AccessPoint", name, policy=policy)
    _trails(account)
    _backups(account)
    _files(account)


def _bucket(account: Account, name: str) -> None:
    where = account.one("s3", "get_bucket_location", Bucket=name)
    region = where if where is UNKNOWN else {None: "us-east-1", "EU": "eu-west-1"}.get(where, where)
    lock = account.one("s3", "get_object_lock_configuration", Bucket=name)
    locked = lock if lock is UNKNOWN else isinstance(lock, dict) and lock.get("ObjectLockEnabled") == "Enabled"
    arn = f"arn:aws:s3:::{name}"
    account.add("aws:s3/bucket:Bucket", name, bucket=name, arn=arn, region=region, objectLockEnabled=locked)
    if isinstance(lock, dict) and lock.get("Rule"):
        kept = lock["Rule"].get("DefaultRetention") or {}
        kind = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
        account.add(kind, name, bucket=name, rule={"defaultRetention": {"mode": kept.get("Mode"), "days": kept.get("Days")}})
    policy = account.one("s3", "get_bucket_policy", Bucket=name)
    if policy is not None:
        account.add("aws:s3/bucketPolicy:BucketPolicy", name, bucket=name, policy=policy)
    block = account.one("s3", "get_public_access_block", Bucket=name)
    if block is not UNKNOWN:
        # Without one everything may be opened, which is what four times false says.
        kind = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
        account.add(kind, name, bucket=name, **_block(block or {}))
    _list(account, name)
    _copies(account, name)


def _block(found: dict[str, Any]) -> dict[str, Any]:
    return {key[0].lower() + key[1:]: found.get(key, False) for key in _BLOCKS}


_BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def _list(account: Account, name: str) -> None:
    found = account.one("s3", "get_bucket_acl", Bucket=name)
    if not isinstance(found, dict):
        return
    owner = (found.get("Owner") or {}).get("ID")
    acl, others = "private", []
    for entry in found.get("Grants") or []:
        who = entry.get("Grantee") or {}
        group = str(who.get("URI", ""))
        if group.endswith(_PUBLIC):
            acl = "public-read"
        elif group.endswith(_DELIVERY):
            acl = "log-delivery-write" if acl == "private" else acl
        elif who.get("ID") is None or who.get("ID") != owner:
            others.append(entry.get("Permission"))
    account.add("aws:s3/bucketAcl:BucketAcl", name, bucket=name, acl=acl, grants=others or None)


def _copies(account: Account, name: str) -> None:
    copies = account.one("s3", "get_bucket_replication", Bucket=name)
    if isinstance(copies, dict):
        rules = [
            {
                "destination": {
                    "bucket": (rule.get("Destination") or {}).get("Bucket"),
                    "account": (rule.get("Destination") or {}).get("Account"),
                }
            }
            for rule in copies.get("Rules") or []
            if rule.get("Status") != "Disabled"
        ]
        account.add("aws:s3/bucketReplicationConfig:BucketReplicationConfig", name, bucket=name, rules=rules)
    logging = account.one("s3", "get_bucket_logging", Bucket=name)
    if isinstance(logging, dict):
        account.add("aws:s3/bucketLogging:BucketLogging", name, bucket=name, targetBucket=logging.get("TargetBucket", UNKNOWN))
    notices = account.one("s3", "get_bucket_notification_configuration", Bucket=name)
    if isinstance(notices, dict) and notices:
        account.add(
            "aws:s3/bucketNotification:BucketNotification",
            name,
            bucket=name,
            topics=[{"topicArn": entry.get("TopicArn")} for entry in notices.get("TopicConfigurations") or []],
            queues=[{"queueArn": entry.get("QueueArn")} for entry in notices.get("QueueConfigurations") or []],
            lambdaFunctions=[
                {"lambdaFunctionArn": entry.get("LambdaFunctionArn")} for entry in notices.get("LambdaFunctionConfigurations") or []
            ],
        )
    site = account.one("s3", "get_bucket_website", Bucket=name)
    if isinstance(site, dict):
        account.add("aws:s3/bucketWebsiteConfiguration:BucketWebsiteConfiguration", name, bucket=name)
    if account.one("s3", "get_bucket_accelerate_configuration", Bucket=name) == "Enabled":
        account.add("aws:s3/bucketAccelerateConfiguration:BucketAccelerateConfiguration", name, bucket=name)


def _trails(account: Account) -> None:
    for item in account.items("cloudtrail", "describe_trails", includeShadowTrails=False):
        status = account.one("cloudtrail", "get_trail_status", Name=item.get("TrailARN") or item["Name"])
        account.add(
            "aws:cloudtrail/trail:Trail",
            item["Name"],
            arn=item.get("TrailARN"),
            s3BucketName=item.get("S3BucketName"),
            enableLogging=status.get("IsLogging") if isinstance(status, dict) else UNKNOWN,
        )


def _backups(account: Account) -> None:
    for item in account.items("backup", "list_backup_vaults"):
        name = item["BackupVaultName"]
        account.add("aws:backup/vault:Vault", name, name=name, arn=item.get("BackupVaultArn"))
        if account.one("backup", "get_backup_vault_access_policy", BackupVaultName=name) is not None:
            account.add("aws:backup/vaultPolicy:VaultPolicy", name)
    for item in account.items("backup", "list_backup_plans"):
        plan = account.one("backup", "get_backup_plan", BackupPlanId=item["BackupPlanId"])
        rules: Any = UNKNOWN
        if isinstance(plan, dict):
            rules = [
                {
                    "targetVaultName": rule.get("TargetBackupVaultName"),
                    "copyActions": [{"destinationVaultArn": e.get("DestinationBackupVaultArn")} for e in rule.get("CopyActions") or []],
                }
                for rule in plan.get("Rules") or []
            ]
        account.add("aws:backup/plan:Plan", item["BackupPlanId"], rules=rules)


def _files(account: Account) -> None:
    for item in account.items("efs", "describe_file_systems"):
        name = item["FileSystemId"]
        account.add("aws:efs/fileSystem:FileSystem", name, arn=item.get("FileSystemArn"))
        for mount in account.items("efs", "describe_mount_targets", FileSystemId=name):
            groups = account.items("efs", "describe_mount_target_security_groups", MountTargetId=mount["MountTargetId"])
            account.add("aws:efs/mountTarget:MountTarget", mount["MountTargetId"], subnetId=mount.get("SubnetId"), securityGroups=groups)
        policy = account.one("efs", "describe_file_system_policy", FileSystemId=name)
        if isinstance(policy, str):
            account.add("aws:efs/fileSystemPolicy:FileSystemPolicy", name, policy=policy)
    for item in account.items("efs", "describe_replication_configurations"):
        account.add("aws:efs/replicationConfiguration:ReplicationConfiguration", str(item.get("SourceFileSystemId")))
