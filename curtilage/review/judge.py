"""Judges each region of a pull request: what changes, what becomes possible, what policies and proof say of the new plan."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from curtilage.errors import ConfigError
from curtilage.output import progress
from curtilage.region import Platform, Region, load_region
from curtilage.review.model import Delta, Policies, Proof, RegionReview, Review
from curtilage.review.plans import FIREWALL, REGION, Planned, changes_between
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
        _delta(old, new, delta)
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


def _delta(old: Planned | None, new: Planned | None, delta: Delta) -> None:
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

        cluster_delta(old, new, delta)


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
        resource = importlib.import_module("policies.rules._rule").Resource
    except ImportError as error:
        return Policies(verdict=Verdict.NOT_RUN, violations=(f"the policy pack is not here: {error.name} is missing",))
    told: list[str] = []
    everything = [
        resource(type=item["type"], name=item["urn"].rsplit("::", 1)[-1], props=item["inputs"]) for item in plan.resources.values()
    ]
    for rule in rules:
        if rule.stack_check is not None:
            told += _said(rule.name, "the stack", partial(rule.stack_check, everything))
            continue
        for item in everything:
            if rule.resource_type in (None, item.type):
                told += _said(rule.name, item.name, partial(rule.check, {**item.props, "type": item.type}))
    return Policies(verdict=Verdict.FAIL if told else Verdict.PASS, violations=tuple(dict.fromkeys(told)))


def _said(rule: str, name: str, check: Callable[[], Any]) -> list[str]:
    try:
        return [f"{rule}: {name}: {sentence}" for sentence in check()]
    except Exception as error:  # noqa: BLE001 - as in the pack: a rule that cannot judge refuses; the value it broke on is not told
        return [f"{rule}: {name}: cannot be judged ({type(error).__name__})"]
