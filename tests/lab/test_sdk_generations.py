"""All official SDKs of both generations, unmodified, on the CRM's server, with only DNS and the CA changed, before real models."""

from __future__ import annotations

import pytest

from curtilage.commands.ask import ask_generation
from curtilage.commands.reach import reach
from curtilage.region import load_region
from lab.lab import Lab

# The lab serves one model, and it generates: calls of another task are refused, and say why.
OTHER_TASK = "curtilage.model_unmapped"
CLOSED = "curtilage.route_unknown"
NO_MODEL_CALL = {"files", "batches", "gemini files", "async invoke", "datasets"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("tree", ["crm", "crm-old"])
def test_every_call_is_answered_by_the_local_model_or_refused_with_a_reason(lab: Lab, tree: str) -> None:
    region = load_region("lab")
    found = ask_generation(region, reach(region), tree)
    assert len(found["versions"]) == 6
    outcomes = {f"{call['sdk']} {call['call']}": (call["call"], call["outcome"], call["detail"]) for call in found["calls"]}
    assert len(outcomes) >= 50
    wrong = {}
    for key, (call, outcome, detail) in outcomes.items():
        expected = OTHER_TASK if "embed" in call or "rerank" in call else CLOSED if call in NO_MODEL_CALL else ""
        good = (outcome == "refused" and detail.endswith(expected)) if expected else outcome in ("answered", "absent")
        if not good:
            wrong[key] = (outcome, detail)
    assert not wrong, wrong
    absent = {key for key, (_, outcome, _) in outcomes.items() if outcome == "absent"}
    assert absent == (set() if tree == "crm" else {"anthropic foundry messages", "anthropic foundry messages stream"})
