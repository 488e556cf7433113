"""If this fails, a plan's name would depend on the machine, or a plan could be shown as better than it is."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest

from curtilage.commands.plan import Decision, prove
from curtilage.commands.up import _fresh, up
from curtilage.derive.firewall import render_ruleset
from curtilage.engine import Engine, Plan, plan_digest
from curtilage.engine_output import Violation, only_taken_over
from curtilage.errors import ConfigError, StepError
from curtilage.region import load_region
from curtilage.verdict import Verdict

LAB = load_region("lab")


def preview(op: str = "create") -> dict[str, Any]:
    steps = [
        {
            "op": op,
            "urn": f"urn:pulumi:lab::curtilage::curtilage:hosts:EgressFirewall::lab-firewall-{host.name}",
            "newState": {
                "urn": f"urn:pulumi:lab::curtilage::curtilage:hosts:EgressFirewall::lab-firewall-{host.name}",
                "type": "curtilage:hosts:EgressFirewall",
                "custom": False,
                "inputs": {"host": host.name, "ruleset": render_ruleset(LAB, host)},
                "sourcePosition": "project:///components/region.py#9",
                "stackTrace": [{"sourcePosition": "project:///../elsewhere/asyncio/events.py#80"}],
            },
        }
        for host in LAB.hosts
    ]
    return {"steps": steps, "duration": 123, "changeSummary": {op: len(steps)}}


def plan_of(document: dict[str, Any], *violations: Violation) -> Plan:
    return Plan(digest=plan_digest(document), changes=document["changeSummary"], violations=violations, document=document)


def test_paths_times_order_and_what_was_there_before_do_not_change_the_digest() -> None:
    other = preview("same")
    other["duration"] = 9
    other["steps"].reverse()
    other["diagnostics"] = ["told"]
    for step in other["steps"]:
        step["newState"]["sourcePosition"] = "project:///elsewhere.py#1"
        step["newState"]["stackTrace"] = []
        step["oldState"] = step["newState"]
    assert plan_digest(other) == plan_digest(preview())


def test_any_input_changes_the_digest() -> None:
    other = preview()
    other["steps"][0]["newState"]["inputs"]["ruleset"] += " "
    assert plan_digest(other) != plan_digest(preview())


def test_a_deleted_resource_is_not_part_of_what_the_plan_leads_to() -> None:
    fewer = preview()
    del fewer["steps"][0]
    deleted = copy.deepcopy(preview())
    deleted["steps"][0] |= {"op": "delete", "newState": None}
    assert plan_digest(deleted) == plan_digest(fewer) != plan_digest(preview())


def test_a_plan_holds_each_hosts_ruleset() -> None:
    assert plan_of(preview()).rulesets() == {host.name: render_ruleset(LAB, host) for host in LAB.hosts}


def test_the_planned_rulesets_of_the_lab_are_proved() -> None:
    assert prove(LAB, plan_of(preview())) == (Verdict.PASS, ())


def test_a_planned_ruleset_that_is_open_fails_although_the_region_derives_a_closed_one() -> None:
    document = preview()
    inputs = document["steps"][0]["newState"]["inputs"]
    inputs["ruleset"] = inputs["ruleset"].replace("policy drop", "policy accept").replace(" drop\n", " accept\n")
    verdict, findings = prove(LAB, plan_of(document))
    assert verdict == Verdict.FAIL
    assert findings[0]["host"] == "gpu-1"


def test_a_plan_without_a_hosts_ruleset_is_not_proven() -> None:
    document = preview()
    del document["steps"][0]
    verdict, findings = prove(LAB, plan_of(document))
    assert verdict == Verdict.NOT_PROVEN
    assert findings[0]["reason"] == "the plan holds no ruleset for gpu-1"


@pytest.mark.parametrize(("proof", "stopped", "verdict"), [("PASS", False, "PASS"), ("PASS", True, "FAIL"), ("NOT_RUN", False, "NOT_RUN")])
def test_a_decision_is_no_better_than_its_worst_part(proof: str, stopped: bool, verdict: str) -> None:
    refused = [Violation(policy="known-type", level="mandatory", urn="u", message="m")] if stopped else []
    decision = Decision(region=LAB, plan=plan_of(preview(), *refused), proof=Verdict(proof), findings=())
    assert decision.verdict == Verdict(verdict)
    assert decision.document()["verdict"] == verdict


def test_a_region_whose_models_are_not_imported_is_not_brought_up(tmp_path: Path) -> None:
    engine = Engine(load_region("ch-zurich"), pulumi=tmp_path, state=tmp_path)
    with pytest.raises(ConfigError, match="without digests: mistral-7b-instruct"):
        engine.up()


def test_the_engine_gets_nothing_of_the_callers_environment_but_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-the-engine")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///elsewhere")
    environment = Engine(LAB, pulumi=tmp_path / "bin", state=tmp_path).environment()
    assert "AWS_SECRET_ACCESS_KEY" not in environment
    assert environment["PULUMI_BACKEND_URL"] == (tmp_path / "pulumi" / "backend").as_uri(), "the lab's state is the checkout's own"
    assert environment["PATH"].split(os.pathsep)[1] == str(tmp_path / "bin")


def test_a_real_region_keeps_the_operators_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///elsewhere")
    assert Engine(load_region("ch-zurich"), pulumi=tmp_path, state=tmp_path).exports()["PULUMI_BACKEND_URL"] == "file:///elsewhere"


def test_a_plan_other_than_the_reviewed_one_is_refused_before_anything_is_applied() -> None:
    plan = plan_of(preview())
    _fresh(plan, plan.digest, LAB)
    _fresh(plan, None, LAB)
    with pytest.raises(StepError, match="nothing was applied"):
        _fresh(plan, "sha256:" + "0" * 64, LAB)


@pytest.mark.parametrize("given", ["latest", "sha256:0", "sha256:" + "G" * 64, ""])
def test_a_digest_that_is_none_is_a_mistake_of_the_caller_not_a_plan_that_differs(given: str) -> None:
    with pytest.raises(ConfigError, match="--plan-digest"):
        up("lab", plan_digest=given, json_output=False)


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ('Apply failed with 1 conflict: conflict with "kubectl-edit" using v1: .spec', True),
        ('Apply failed with 2 conflicts: conflicts with "kubectl-patch":\\n- .a\\nconflicts with "before-first-apply":\\n- .b', True),
        ('Apply failed with 2 conflicts: conflicts with "kubectl-edit":\\n- .a\\nconflicts with "argocd-controller":\\n- .b', False),
        ("the server is on fire", False),
        ("", False),
    ],
)
def test_only_edits_by_hand_are_taken_over(text: str, taken: bool) -> None:
    assert only_taken_over(text) is taken
