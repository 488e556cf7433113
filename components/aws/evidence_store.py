"""Where records are kept: flows, names, calls of the account and evidence, in locked buckets, and a backup that stays in the region.

Invariant: what is recorded cannot be removed before its time, and no copy leaves the region.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import backup, cloudtrail, ec2, iam, route53

from components.aws.buckets import locked_bucket
from components.aws.legal_segment import LegalSegment
from components.aws.network import Network
from curtilage.derive.aws.names import retention_days, tags
from curtilage.derive.aws.policies import backup_policy, trust
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class EvidenceStoreArgs:
    """The region, its keys and its network."""

    region: Region
    segment: LegalSegment
    network: Network


class EvidenceStore(pulumi.ComponentResource):
    """Buckets, logs and backup."""

    bucket_names: pulumi.Output[list[str]]
    """Buckets of logs and of evidence."""

    def __init__(self, name: str, args: EvidenceStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        region, keys, network = args.region, args.segment.keys, args.network
        super().__init__("curtilage:aws:EvidenceStore", name, {"region": region.name, "retentionDays": retention_days(region)}, opts)
        child = pulumi.ResourceOptions(parent=self)
        logs, locks = locked_bucket(name, region, "logs", keys["logs"], self)
        evidence, _ = locked_bucket(name, region, "evidence", keys["evidence"], self)
        after = pulumi.ResourceOptions(parent=self, depends_on=locks)
        ec2.FlowLog(
            f"{name}-flows",
            vpc_id=network.vpc.id,
            traffic_type="ALL",
            log_destination_type="s3",
            log_destination=logs.arn,
            max_aggregation_interval=60,
            tags=tags(region, "flows"),
            opts=after,
        )
        queries = route53.ResolverQueryLogConfig(
            f"{name}-names", name=region.name, destination_arn=logs.arn, tags=tags(region, "names"), opts=after
        )
        route53.ResolverQueryLogConfigAssociation(
            f"{name}-names-vpc", resolver_query_log_config_id=queries.id, resource_id=network.vpc.id, opts=child
        )
        cloudtrail.Trail(
            f"{name}-trail",
            name=region.name,
            s3_bucket_name=logs.id,
            kms_key_id=keys["logs"].arn,
            enable_log_file_validation=True,
            enable_logging=True,
            include_global_service_events=True,
            is_multi_region_trail=True,
            tags=tags(region, "trail"),
            opts=after,
        )
        self._backup(name, region, keys["evidence"].arn, child)
        self.bucket_names = pulumi.Output.all(logs.bucket, evidence.bucket)
        self.register_outputs({"bucketNames": self.bucket_names})

    def _backup(self, name: str, region: Region, key: pulumi.Input[str], child: pulumi.ResourceOptions) -> None:
        role = iam.Role(
            f"{name}-backup-role",
            name=f"{region.name}-backup",
            assume_role_policy=trust(region, "backup.amazonaws.com"),
            tags=tags(region, "backup-role"),
            opts=child,
        )
        # AWS's own policy for backups may copy into any vault; this one makes recovery points and nothing else.
        iam.RolePolicy(f"{name}-backup-role-policy", name="backup", role=role.name, policy=backup_policy(region), opts=child)
        vault = backup.Vault(
            f"{name}-vault", name=region.name, kms_key_arn=key, force_destroy=False, tags=tags(region, "vault"),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )  # fmt: skip
        backup.VaultLockConfiguration(f"{name}-vault-lock", backup_vault_name=vault.name, min_retention_days=7, opts=child)
        plan = backup.Plan(
            f"{name}-plan",
            name=region.name,
            # No copy action: a copy stands in another vault, and none of ours stands elsewhere.
            rules=[
                {
                    "rule_name": "daily",
                    "target_vault_name": vault.name,
                    "schedule": "cron(0 3 * * ? *)",
                    "start_window": 60,
                    "completion_window": 480,
                    "lifecycle": {"delete_after": 35},
                }
            ],
            tags=tags(region, "plan"),
            opts=child,
        )
        backup.Selection(
            f"{name}-selection",
            name=region.name,
            iam_role_arn=role.arn,
            plan_id=plan.id,
            selection_tags=[{"type": "STRINGEQUALS", "key": "curtilage:region", "value": region.name}],
            opts=child,
        )
