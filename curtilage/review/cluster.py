"""Kubernetes objects of a plan: the proof of manifests on both sides, and which leaks are new."""

from __future__ import annotations

from typing import Any

from curtilage.proof.aws.plan import parse_plan
from curtilage.proof.kubernetes import Scope, from_plan, prove_manifests
from curtilage.proof.report import Finding, ProofResult
from curtilage.region import Platform, Region
from curtilage.review.model import Delta, Flow, Proof
from curtilage.review.plans import Planned
from curtilage.verdict import Verdict


def prove_cluster(plan: Planned, region: Region | None) -> Proof:
    """The new plan's objects, as ``curtilage prove manifests`` decides them."""
    return Proof.of(_proved(plan, region))


def _proved(plan: Planned, region: Region | None) -> ProofResult:
    own = region is not None and plan.project == "curtilage" and region.platform in (Platform.KUBERNETES, Platform.AWS)
    return prove_manifests(from_plan(parse_plan(plan.document)), Scope.of(region) if own and region else Scope(), subject=plan.region)


def cluster_delta(old: Planned | None, new: Planned | None, delta: Delta, region: Region | None = None) -> None:
    """Leaks of pods that one side has and the other has not.

    The proof gives one packet for each way out. Where a side leaks already, a second packet by the same way is not told apart, and that is
    said.
    """
    if _objects(old) == _objects(new):
        return
    sides = [_by_key(_proved(item, region)) if item is not None else {} for item in (old, new)]
    for key, finding in sides[1].items():
        if key not in sides[0]:
            _tell(finding, delta.added, delta)
    for key, finding in sides[0].items():
        if key not in sides[1] and finding.counterexample is not None and finding.verdict is Verdict.FAIL:
            _tell(finding, delta.removed, delta)
    both = {finding.segment for key, finding in sides[1].items() if key in sides[0] and finding.verdict is Verdict.FAIL}
    delta.undecided += [
        f"{name}: its pods could leave before this change; what more they can do now is not told apart" for name in sorted(both)
    ]


def _by_key(proof: ProofResult) -> dict[tuple[Any, ...], Finding]:
    found = {}
    for item in proof.findings:
        shown = item.counterexample or {}
        found[item.id, item.segment, item.reason, shown.get("destination"), shown.get("port"), shown.get("protocol")] = item
    return found


def _tell(finding: Finding, to: list[Flow], delta: Delta) -> None:
    shown = finding.counterexample
    if finding.verdict is not Verdict.FAIL or not shown:
        text = f"{finding.segment}: {finding.reason}"
        (delta.undecided if finding.verdict is not Verdict.FAIL else delta.denies_removed).append(text)
        return
    port = shown.get("port")
    to.append(
        Flow(
            where=f"pods of {finding.segment}",
            destination=str(shown.get("destination")),
            protocol=str(shown.get("protocol")),
            ports=str(port) if port is not None else "-",
            witness=shown,
            leaves=True,
        )
    )


def _objects(plan: Planned | None) -> dict[str, Any]:
    return {urn: item["inputs"] for urn, item in plan.resources.items() if item["type"].startswith("kubernetes:")} if plan else {}
