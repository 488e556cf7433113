"""All official SDKs of both generations pass their calls, unmodified, with only name resolution and the CA changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.gateway import sdk_generations
from tests.gateway.conftest import AZURE_NAMES

# What is no model call stays closed; what a generation does not have is not there to be called.
REFUSED = {
    ("openai", "files"), ("anthropic", "batches"), ("google-genai", "gemini files"), ("boto3", "async invoke"),
    ("cohere", "datasets"), ("mistralai", "files"),
}  # fmt: skip
ABSENT = {"current": set(), "before": {("anthropic", "foundry messages"), ("anthropic", "foundry messages stream")}}


@pytest.fixture
def found(gateway: Any, model: Any) -> dict[str, dict[str, Any]]:
    return {name: sdk_generations.run(gateway, name, AZURE_NAMES, ca=gateway.ca) for name in sdk_generations.GENERATIONS}


@pytest.mark.timeout(900)
def test_every_call_of_both_generations_is_answered_or_refused_by_the_sdks_own_error(found: dict[str, dict[str, Any]], model: Any) -> None:
    for generation, one in found.items():
        outcomes = {(call["sdk"], call["call"]): (call["outcome"], call["detail"]) for call in one["calls"]}
        assert len(outcomes) == len(one["calls"]) >= 50
        wanted = dict.fromkeys(outcomes, "answered") | dict.fromkeys(REFUSED, "refused") | dict.fromkeys(ABSENT[generation], "absent")
        assert {call: outcome for call, (outcome, _) in outcomes.items()} == wanted, outcomes
    assert sdk_generations.render(found) == sdk_generations.DOCUMENT.read_text(), "python tools/surface_tables.py"
    assert not any("authorization" in {name.lower() for name in seen.headers} for seen in model.seen)


@pytest.mark.timeout(600)
def test_without_our_ca_every_call_fails(gateway: Any, model: Any) -> None:
    one = sdk_generations.run(gateway, "before", AZURE_NAMES)
    assert {call["outcome"] for call in one["calls"]} <= {"failed", "absent"}
    assert not model.seen
