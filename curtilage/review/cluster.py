"""Kubernetes objects of a plan, decided by the proof of manifests where this distribution has it; else said to be open, never passed."""

from __future__ import annotations

import importlib
from typing import Any

from curtilage.region import Region
from curtilage.review.model import Delta, Proof
from curtilage.review.plans import Planned
from curtilage.verdict import Verdict

PROOF = "curtilage.proof.kubernetes"


def prove_cluster(plan: Planned, region: Region | None) -> Proof:
    """NOT_PROVEN while no proof of manifests takes a plan's objects."""
    count = sum(item["type"].startswith("kubernetes:") for item in plan.resources.values())
    reason = f"{count} Kubernetes objects are not decided here: {PROOF} does not take a plan's objects; run `curtilage prove --manifests`"
    finding: dict[str, Any] = {
        "id": "k8s-not-decided", "segment": "", "verdict": "NOT_PROVEN", "counterexample": None, "path": [], "reason": reason,
    }  # fmt: skip
    return Proof(verdict=Verdict.NOT_PROVEN, findings=(finding,))


def cluster_delta(old: Planned | None, new: Planned | None, delta: Delta) -> None:
    """What changes for pods is open too."""
    before, after = _objects(old), _objects(new)
    if before != after:
        delta.undecided.append("what Kubernetes objects newly allow is not decided here; the changes above name them")


def _objects(plan: Planned | None) -> dict[str, Any]:
    return {urn: item["inputs"] for urn, item in plan.resources.items() if item["type"].startswith("kubernetes:")} if plan else {}


def available() -> bool:
    """Whether the proof of manifests is part of this distribution."""
    try:
        importlib.import_module(PROOF)
    except ImportError:
        return False
    return True
