"""A bucket as every bucket of a region is: locked, encrypted with its own key, versioned, closed to the public and to everyone else.

Invariant: what is written cannot be removed before its time; it is read by the organisation, in the region, over TLS.
"""

from __future__ import annotations

import pulumi
from pulumi_aws import kms, s3

from curtilage.derive.aws.names import bucket, retention_days, tags
from curtilage.derive.aws.policies import bucket_policy
from curtilage.region import Region


def locked_bucket(
    name: str, region: Region, purpose: str, key: kms.Key, parent: pulumi.Resource, *, mode: str = "COMPLIANCE"
) -> tuple[s3.Bucket, list[pulumi.Resource]]:
    """A bucket and its locks.

    Args:
        name: prefix of the resources' names.
        region: the region.
        purpose: what it keeps; part of its physical name.
        key: the purpose's key.
        parent: the component it belongs to.
        mode: COMPLIANCE, which nobody lifts, or GOVERNANCE, which the organisation's root may.

    Returns:
        The bucket, and what must be there before anything writes to it.
    """
    child, kept = pulumi.ResourceOptions(parent=parent), pulumi.ResourceOptions(parent=parent, protect=True)
    # STATE KEY: the physical name; renaming replaces the bucket, and object lock refuses to let the old one go.
    found = s3.Bucket(
        f"{name}-{purpose}",
        bucket=bucket(region, purpose),
        object_lock_enabled=True,
        force_destroy=False,
        tags=tags(region, purpose),
        opts=kept,
    )
    locks: list[pulumi.Resource] = [
        s3.BucketVersioning(f"{name}-{purpose}-versions", bucket=found.id, versioning_configuration={"status": "Enabled"}, opts=child),
        s3.BucketObjectLockConfiguration(
            f"{name}-{purpose}-lock",
            bucket=found.id,
            object_lock_enabled="Enabled",
            rule={"default_retention": {"mode": mode, "days": retention_days(region)}},
            opts=child,
        ),
        s3.BucketServerSideEncryptionConfiguration(
            f"{name}-{purpose}-encryption",
            bucket=found.id,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": key.arn},
                    "bucket_key_enabled": True,
                }
            ],
            opts=child,
        ),
        s3.BucketPublicAccessBlock(
            f"{name}-{purpose}-block",
            bucket=found.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        ),
        s3.BucketOwnershipControls(
            f"{name}-{purpose}-owner", bucket=found.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=child
        ),
        s3.BucketPolicy(f"{name}-{purpose}-policy", bucket=found.id, policy=bucket_policy(region, purpose), opts=child),
    ]
    return found, locks
