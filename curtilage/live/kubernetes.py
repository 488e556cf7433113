"""Audits a live cluster: what stands there, proved by the very proof of the plan, and held against what the region derives."""

from __future__ import annotations

import time

from curtilage.derive.kubernetes.names import ADMISSION, SEALED
from curtilage.errors import ConfigError
from curtilage.kubeconfig import context_of
from curtilage.live.kube_client import KubeClient, UnansweredError
from curtilage.live.kube_read import Reading, read_cluster
from curtilage.live.kube_rights import decide_rights
from curtilage.live.kube_wanted import compare
from curtilage.live.report import UNREAD, LiveAudit, ordered
from curtilage.proof.kubernetes import Scope, prove_manifests
from curtilage.proof.report import Finding
from curtilage.region import Region
from curtilage.verdict import Verdict

NOT_RUN = (
    "packets from pods: the audit proves objects, and no CNI is asked whether it enforces them",
    "rights inside other namespaces: who runs pods in kube-system administers the cluster",
    "nodes: static pods, kubelets' and the CNI's own settings, routes and firewalls outside the cluster",
)


def audit_cluster(region: Region, *, context: str | None = None, administrators: tuple[str, ...] = ()) -> LiveAudit:
    """Read the cluster of a region and decide it.

    Args:
        region: the region; its context is used, never the default one.
        context: for a region whose file names none, on AWS.
        administrators: subjects that may open the seal and are answered for, as ``Kind:name``.

    Raises:
        ConfigError: there is no such context, it cannot be trusted, or the API knows no such user.
    """
    started = time.monotonic()
    named = region.kubernetes.context if region.kubernetes else None
    if named and context and context != named:
        raise ConfigError(
            f"--context {context}, and the region's file says {named}",
            rule="a region is audited in the cluster that its file names",
            fix="leave --context out, or correct kubernetes.context",
            key="kubernetes.context",
        )
    if region.kubernetes is None:
        raise ConfigError(
            f"region {region.name} is on {region.platform}", rule="a cluster is audited", fix="name a region on kubernetes or aws"
        )
    client = KubeClient(context_of(context or named, f"stacks/Pulumi.{region.name}.yaml"))
    legal = (*SEALED, ADMISSION)
    subject = f"{region.name}: cluster of context '{client.context.name}'"
    try:
        reading = read_cluster(client, legal)
    except UnansweredError as error:
        reason = f"nothing could be read: {error}"
        fix = f"change: reach {client.context.server} from inside (docs/regions.md) and run the audit again"
        return LiveAudit(
            subject,
            (Finding(UNREAD, "cluster", Verdict.NOT_PROVEN, reason, None, (fix,)),),
            None,
            {},
            (),
            NOT_RUN,
            time.monotonic() - started,
        )
    return _decide(region, subject, reading, legal, frozenset(administrators), started)


def _decide(
    region: Region, subject: str, reading: Reading, legal: tuple[str, ...], administrators: frozenset[str], started: float
) -> LiveAudit:
    objects = tuple(reading.objects)
    proof = prove_manifests(reading.manifests(), Scope.of(region), subject=subject)
    rights, trusted = decide_rights(region, objects, legal, administrators)
    findings = [*(_unread(item, reading) for item in proof.findings), *rights, *compare(region, objects)]
    return LiveAudit(
        subject=subject,
        findings=ordered(findings),
        proof=proof.document(),
        read=reading.read,
        assumptions=(*proof.assumptions, *trusted),
        not_run=NOT_RUN,
        seconds=time.monotonic() - started,
    )


def _unread(finding: Finding, reading: Reading) -> Finding:
    """A gap of the reading is told as one, with the address that was not read."""
    for about, what in reading.gaps:
        if finding.reason == f"{about}: {what}":
            return Finding(
                UNREAD, "cluster", Verdict.NOT_PROVEN, f"not read: {finding.reason}", None, (about, "change: let the auditor list it")
            )
    return finding
