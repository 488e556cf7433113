"""Audits a live account: reads what stands there through boto3 and decides it by the very proof of the plan."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

import orjson

from curtilage.live.aws_client import Account, open_account
from curtilage.live.aws_compute import read_compute
from curtilage.live.aws_data import read_data
from curtilage.live.aws_identity import read_identity, read_keys, read_policies
from curtilage.live.aws_names import read_names
from curtilage.live.aws_network import read_network
from curtilage.live.aws_presence import read_presence
from curtilage.live.report import MISSING, RIGHTS, LiveAudit, ordered
from curtilage.output import progress
from curtilage.proof.aws import prove_plan
from curtilage.proof.aws.plan import UNKNOWN, Plan
from curtilage.proof.report import Finding
from curtilage.region import Region
from curtilage.verdict import Verdict

NOT_RUN = (
    "packets from machines and pods: AWS is asked what it was told to do, not whether it does it",
    "other AWS regions of the account: service control policies deny them; only the region's own was read",
    "organisation policies, and people who may change the account",
    "services that no tagged resource names and no call of the table lists",
)
REQUIRED: tuple[tuple[str, str, str], ...] = (
    ("aws:ec2/flowLog:FlowLog", "vpcId", "no flow log watches it: packets that left would not be seen"),
    (
        "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation",
        "resourceId",
        "no query log watches it: names that left would not be seen",
    ),
)
"""What each VPC has to have: (type, the property that names the VPC, what its absence means)."""
ONCE: tuple[tuple[str, str], ...] = (
    ("aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions", "VPC Block Public Access is not set"),
    ("aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock", "the account does not block public access to buckets"),
    ("aws:cloudtrail/trail:Trail", "no trail records the account's calls"),
    ("aws:eks/cluster:Cluster", "there is no cluster, so this is not the region's account or the region is not up"),
)


def audit_account(region: Region, *, account: str | None = None, profile: str | None = None) -> LiveAudit:
    """Read the account of a region and decide it.

    Args:
        region: the region, on AWS.
        account: the account expected, where not the region file's.
        profile: an AWS profile.

    Raises:
        ConfigError: the credentials are of another account, or of none.
        MachineError: boto3 is not installed.
    """
    started = time.monotonic()
    session, number = open_account(region, account=account, profile=profile)
    return decide_account(region, read_account(region, session, number), started)


def read_account(region: Region, session: Any, number: str) -> tuple[Account, tuple[str, ...]]:
    """The account as resources, and whom the verdict trusts."""
    found = Account(region, session, number)
    progress(f"reading account {number} in {region.site}")
    trusted: list[str] = []
    parts: dict[str, Callable[[Account], object]] = {
        "the network": read_network,
        "names": read_names,
        "identities": lambda account: trusted.extend(read_identity(account)),
        "keys": read_keys,
        "policies": read_policies,
        "data": read_data,
        "what runs": read_compute,
        "what is a way out by being there": read_presence,
    }
    for name, read in parts.items():
        try:
            read(found)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # An answer that is not as AWS documents it: what came before it was read, what comes after it was not.
            found.gap(name, f"an answer has a form that is not known ({type(error).__name__}: {error})")
    return found, tuple(trusted)


def decide_account(region: Region, read: tuple[Account, tuple[str, ...]], started: float | None = None) -> LiveAudit:
    """The proof of what was read, and what is missing."""
    began = time.monotonic() if started is None else started
    account, trusted = read
    plan = account.plan()
    lines = sorted(
        f"{item.urn} {orjson.dumps(dict(item.outputs), default=str, option=orjson.OPT_SORT_KEYS).decode()}"
        for item in account.resources.values()
    )
    plan.digest = "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()
    unread = {gap.resource for gap in plan.gaps}
    entered = _entered(plan, region)
    proof = prove_plan(plan, region=region, organisation=region.aws.organisation if region.aws else None)
    return LiveAudit(
        subject=f"{region.name}: account {account.account} in {account.site}",
        findings=ordered([*proof.findings, *entered, *_missing(plan, unread)]),
        proof=proof.document(),
        read=account.read,
        assumptions=(*proof.assumptions, *trusted),
        not_run=NOT_RUN,
        seconds=time.monotonic() - began,
    )


def _entered(plan: Plan, region: Region) -> list[Finding]:
    """Who may enter a cluster by the account's own table beside whom the region names: machines, which EKS enters, and nobody else."""
    named = set(region.aws.administrators) if region.aws else set()
    findings: list[Finding] = []
    for item in plan.of("aws:eks/accessEntry:AccessEntry"):
        who, kind = item.get("principalArn"), item.get("type")
        if kind is UNKNOWN:
            continue  # a gap of the reading, by its call
        if kind in ("STANDARD", None) and who not in named:
            reason = f"{item}: {who} may enter the cluster, and the region's file does not name it"
            path = (str(item), "change: remove the entry, or name the role in aws.administrators")
            findings.append(Finding(RIGHTS, "aws", Verdict.FAIL, reason, None, path))
    return findings


def _missing(plan: Plan, unread: set[str]) -> list[Finding]:
    """What the region derives, the proof does not need, and an account must not lack; what was not read is said by name already."""
    findings: list[Finding] = []

    def note(what: str) -> None:
        findings.append(Finding(MISSING, "aws", Verdict.FAIL, what, None, ("change: curtilage up makes it again",)))

    for vpc in plan.of("aws:ec2/vpc:Vpc"):
        for kind, prop, what in REQUIRED:
            if not any(item.get(prop) == vpc.id for item in plan.of(kind)) and not _covered(kind, unread):
                note(f"{vpc}: {what}")
    for kind, what in ONCE:
        if not plan.of(kind) and not _covered(kind, unread):
            note(what)
    for trail in plan.of("aws:cloudtrail/trail:Trail"):
        if trail.get("enableLogging") is False:
            note(f"{trail} is stopped: the account's calls are not recorded")
    return findings


_READ_BY = {
    "aws:ec2/flowLog:FlowLog": "ec2:describe_flow_logs",
    "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation": (
        "route53resolver:list_resolver_query_log_config_associations"
    ),
    "aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions": "ec2:describe_vpc_block_public_access_options",
    "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock": "s3control:get_public_access_block",
    "aws:cloudtrail/trail:Trail": "cloudtrail:describe_trails",
    "aws:eks/cluster:Cluster": "eks:list_clusters",
}


def _covered(kind: str, unread: set[str]) -> bool:
    """Whether the call that would have listed it failed, which is a gap of its own."""
    return any(item.split(" of ")[0] == _READ_BY[kind] for item in unread)
