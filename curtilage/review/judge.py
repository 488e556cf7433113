"""Judges each region of a pull request: what changes, what becomes possible, what policies and proof say of the new plan."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from curtilage.errors import ConfigError
from curtilage.output import progress
from curtilage.proof.aws.plan import SENTINELS
from curtilage.region import Platform, Region, load_region
from curtilage.review.model import Delta, Policies, Proof, RegionReview, Review
from curtilage.review.plans import FIREWALL, REGION, Planned, changes_between
from curtilage.review.redact import SIGNATURE
from curtilage.verdict import Verdict, worst

Regions = Callable[[str], Region | None]
"""Finds a region's configuration by name; None where there is none."""


def of_checkout(name: str) -> Region | None:
    """The checkout's own region of a stack's name, if there is one."""
    try:
        return load_region(name)
    except ConfigError:
        return None


def judge(old: Mapping[str, Planned], new: Mapping[str, Planned], *, regions: Regions = of_checkout) -> Review:
    """Every region of both sides, worst first."""
    if not old and not new:
        raise ConfigError("no plan on either side", rule="a review compares plans", fix="name the plans with --old and --new")
    found = []
    for name in sorted({*old, *new}):
        progress(f"review: {name}")
        found.append(judge_region(name, old.get(name), new.get(name), regions))
    order = ["red", "yellow", "green"]
    return Review(regions=tuple(sorted(found, key=lambda item: (order.index(item.severity), item.region))))


def judge_region(name: str, old: Planned | None, new: Planned | None, regions: Regions) -> RegionReview:
    """One region."""
    digests = (old.digest if old else None, new.digest if new else None)
    same = digests[0] == digests[1]
    status = "new" if old is None else "removed" if new is None else "unchanged" if same else "changed"
    delta = Delta()
    if not same:
        _delta(old, new, delta, regions)
    return RegionReview(
        region=name,
        status=status,
        platform=", ".join(parts_of(new or old)) or "none that a proof knows",
        digests=digests,
        changes=changes_between(old, new),
        delta=delta,
        policies=judge_policies(new) if new else Policies(verdict=None),
        proof=prove_parts(new, regions) if new else Proof(verdict=Verdict.PASS),
    )


def parts_of(plan: Planned | None) -> list[str]:
    """The platforms a plan has resources of."""
    if plan is None:
        return []
    found = []
    if plan.of(FIREWALL) or any(item["inputs"].get("platform") == "hosts" for item in plan.of(REGION)):
        found.append(Platform.HOSTS.value)
    if plan.has("aws:"):
        found.append(Platform.AWS.value)
    if plan.has("kubernetes:"):
        found.append(Platform.KUBERNETES.value)
    return found


def _delta(old: Planned | None, new: Planned | None, delta: Delta, regions: Regions) -> None:
    parts = {*parts_of(old), *parts_of(new)}
    # z3 takes a second to load, which a review of unchanged regions need not wait for.
    if Platform.HOSTS in parts:
        from curtilage.review.hosts import hosts_delta

        hosts_delta(old, new, delta)
    if Platform.AWS in parts:
        from curtilage.review.aws import aws_delta

        aws_delta(old, new, delta)
    if Platform.KUBERNETES in parts:
        from curtilage.review.cluster import cluster_delta

        cluster_delta(old, new, delta, next((regions(side.region) for side in (new, old) if side is not None), None))


def prove_parts(plan: Planned, regions: Regions) -> Proof:
    """The proof of every platform the plan has resources of; of none at all nothing is proved."""
    found: list[Proof] = []
    parts = parts_of(plan)
    if Platform.HOSTS in parts:
        from curtilage.review.hosts import prove_hosts

        found.append(prove_hosts(plan))
    if Platform.AWS in parts:
        from curtilage.review.aws import prove_aws

        region = regions(plan.region) if plan.project == "curtilage" else None
        found.append(prove_aws(plan, region if region and region.platform is Platform.AWS else None))
    if Platform.KUBERNETES in parts:
        from curtilage.review.cluster import prove_cluster

        found.append(prove_cluster(plan, regions(plan.region)))
    if not found:
        reason = "the plan holds no resource of a platform that the proof knows"
        finding: dict[str, Any] = {
            "id": "no-platform",
            "segment": "",
            "verdict": "NOT_PROVEN",
            "counterexample": None,
            "path": [],
            "reason": reason,
        }
        return Proof(verdict=Verdict.NOT_PROVEN, findings=(finding,))
    return Proof(
        verdict=worst(item.verdict for item in found),
        findings=tuple(finding for item in found for finding in item.findings),
        unused_allowances=tuple(name for item in found for name in item.unused_allowances),
    )


def judge_policies(plan: Planned) -> Policies:
    """What the policy pack says of the plan's own resources: the very rules that the engine runs, on the inputs as the plan holds them.

    A plan without a region of ours has nothing for the pack to judge.
    """
    if not plan.of(REGION):
        return Policies(verdict=None)
    try:
        rules = importlib.import_module("policies.rules").RULES
    except ImportError as error:
        return Policies(verdict=Verdict.NOT_RUN, violations=(f"the policy pack is not here: {error.name} is missing",))
    told: list[str] = []
    everything = [
        SimpleNamespace(resource_type=item["type"], name=item["urn"].rsplit("::", 1)[-1], props=_clouded(item["inputs"]))
        for item in plan.resources.values()
    ]
    for rule in rules:

        def report(sentence: str, _urn: str | None, name: str = rule.name) -> None:
            told.append(f"{name}: {sentence}")

        for item in everything:
            rule.validate(item, report)
        rule.validate_stack(SimpleNamespace(resources=everything), report)
    return Policies(verdict=Verdict.FAIL if told else Verdict.PASS, violations=tuple(dict.fromkeys(told)))


class NotKnown:
    """A value that a plan does not tell; a rule that looks at it cannot judge, and says so."""


def _clouded(value: Any) -> Any:
    """Inputs as a rule sees them: what is unknown or secret is no text that could pass for a value."""
    if isinstance(value, dict):
        return NotKnown() if SIGNATURE in value else {key: _clouded(item) for key, item in value.items() if key != "__defaults"}
    if isinstance(value, list):
        return [_clouded(item) for item in value]
    return NotKnown() if isinstance(value, str) and (value == "[secret]" or any(mark in value for mark in SENTINELS)) else value
