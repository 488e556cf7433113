"""What makes a part of an account a legal segment: locks that no resource opens, and a key a purpose.

Invariant: no key is used for two purposes, and none is multi-region: key material stays in the jurisdiction.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import ebs, ec2, kms, s3

from curtilage.derive.aws.names import PURPOSES, tags
from curtilage.derive.aws.policies import key_policy
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class LegalSegmentArgs:
    """The region."""

    region: Region


class LegalSegment(pulumi.ComponentResource):
    """Locks and keys."""

    key_arns: pulumi.Output[dict[str, str]]
    """The key of each purpose."""

    def __init__(self, name: str, args: LegalSegmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        region = args.region
        super().__init__(
            "curtilage:aws:LegalSegment", name, {"region": region.name, "networks": [str(region.segment.ipv4)], "lab": False}, opts
        )
        child = pulumi.ResourceOptions(parent=self)
        # The data is lost with its key, so keys are protected; STATE KEY: a renamed key is a new key.
        kept = pulumi.ResourceOptions(parent=self, protect=True)
        self.keys: dict[str, kms.Key] = {}
        for purpose in PURPOSES:
            key = kms.Key(
                f"{name}-key-{purpose}",
                description=f"Curtilage {region.name}: {purpose}",
                enable_key_rotation=True,
                multi_region=False,
                deletion_window_in_days=30,
                policy=key_policy(region, purpose),
                tags=tags(region, f"key-{purpose}"),
                opts=kept,
            )
            kms.Alias(f"{name}-alias-{purpose}", name=f"alias/curtilage/{region.name}/{purpose}", target_key_id=key.key_id, opts=child)
            self.keys[purpose] = key
        ec2.VpcBlockPublicAccessOptions(f"{name}-block", internet_gateway_block_mode="block-bidirectional", opts=child)
        s3.AccountPublicAccessBlock(
            f"{name}-buckets",
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        ec2.ImageBlockPublicAccess(f"{name}-images", state="block-new-sharing", opts=child)
        ebs.SnapshotBlockPublicAccess(f"{name}-snapshots", state="block-all-sharing", opts=child)
        ebs.EncryptionByDefault(f"{name}-disks", enabled=True, opts=child)
        ebs.DefaultKmsKey(f"{name}-disks-key", key_arn=self.keys["disks"].arn, opts=child)
        ec2.InstanceMetadataDefaults(
            f"{name}-metadata", http_tokens="required", http_put_response_hop_limit=1, http_endpoint="enabled", opts=child
        )
        self.key_arns = pulumi.Output.all(**{purpose: key.arn for purpose, key in self.keys.items()})
        self.register_outputs({"keyArns": self.key_arns, "networks": [str(region.segment.ipv4)]})
