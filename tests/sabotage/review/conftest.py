"""Plans of the lab, as the engine prints them, and of a sealed AWS region."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.hosts.egress_firewall import firewall_inputs
from curtilage.canonical import digest_of
from curtilage.region import load_region

LAB = load_region("lab")
PARENT = "curtilage:index:LegalRegion"


def step(kind: str, name: str, inputs: dict[str, Any], *, stack: str = "lab", op: str = "create", **more: Any) -> dict[str, Any]:
    chain = kind if kind == PARENT else f"{PARENT}${kind}"
    urn = f"urn:pulumi:{stack}::curtilage::{chain}::{name}"
    return {"op": op, "urn": urn, "newState": {"urn": urn, "type": kind, "custom": False, "inputs": inputs, **more}}


def hosts_plan(stack: str = "lab") -> dict[str, Any]:
    """A preview of the lab's segments and firewalls, under a stack's name."""
    facts = {"region": stack, "jurisdiction": "DE", "platform": "hosts", "site": "lab", "owner": "Legal", "costCentre": "lab"}
    hosts = [host.name for host in LAB.hosts]
    segment = LAB.segments["legal"]
    steps = [
        step(PARENT, stack, facts | {"hosts": hosts}, stack=stack),
        step("curtilage:hosts:LegalSegment", "legal", {"lab": True, "networks": [str(net) for net in segment.networks]}, stack=stack),
        *(step("curtilage:hosts:EgressFirewall", f"fw-{host.name}", firewall_inputs(LAB, host), stack=stack) for host in LAB.hosts),
    ]
    return {"steps": steps, "changeSummary": {"create": len(steps)}}


def firewall(plan: dict[str, Any], host: str) -> dict[str, Any]:
    found: dict[str, Any] = next(s["newState"]["inputs"] for s in plan["steps"] if s["newState"]["inputs"].get("host") == host)
    return found


def rewrite(plan: dict[str, Any], host: str, old: str, new: str) -> None:
    """Change a host's ruleset, and its digest as an honest program would."""
    inputs = firewall(plan, host)
    assert old in inputs["ruleset"], "the change must hit"
    inputs["ruleset"] = inputs["ruleset"].replace(old, new)
    inputs["rulesetDigest"] = digest_of(inputs["ruleset"])


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], Path]:
    def written(name: str, document: Any) -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(document))
        return file

    return written
