"""All official SDKs of both generations, unmodified, on the CRM's server, with only DNS and the CA changed, before real models."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from curtilage.commands.ask import ask_generation, ledger_rows
from curtilage.commands.reach import reach
from curtilage.finetune.recipe import Recipe
from curtilage.region import load_region
from lab.lab import Lab

CLOSED = "curtilage.route_unknown"
NO_MODEL_CALL = {"files", "batches", "gemini files", "async invoke", "datasets"}
DOCUMENTS = 2
"""How many each call of ranking gives."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("tree", ["crm", "crm-old"])
def test_every_call_is_answered_by_a_local_model_or_refused_because_it_is_not_for_one(lab: Lab, tree: str) -> None:
    region, began = load_region("lab"), datetime.now(UTC)
    found = ask_generation(region, reach(region), tree)
    assert len(found["versions"]) == 6
    outcomes = {f"{call['sdk']} {call['call']}": (call["call"], call["outcome"], call["detail"]) for call in found["calls"]}
    assert len(outcomes) >= 50
    closed = {key for key, (call, outcome, detail) in outcomes.items() if outcome == "refused" and detail.endswith(CLOSED)}
    assert closed == {key for key, (call, _, _) in outcomes.items() if call in NO_MODEL_CALL}
    wrong = {key: said for key, said in outcomes.items() if key not in closed and said[1] not in ("answered", "absent")}
    assert not wrong, wrong
    absent = {key for key, (_, outcome, _) in outcomes.items() if outcome == "absent"}
    assert absent == (set() if tree == "crm" else {"anthropic foundry messages", "anthropic foundry messages stream"})

    sizes = {key: call["size"] for key, call in zip(outcomes, found["calls"], strict=True)}
    vectors = {key: size for key, size in sizes.items() if "embed" in key}
    assert (len(vectors), set(vectors.values())) == (9, {Recipe().hidden}), "each number of the model's vectors came, in every dialect"
    ranked = {key: size for key, size in sizes.items() if "rerank" in key}
    assert (len(ranked), set(ranked.values())) == (2, {DOCUMENTS})

    rows = [row for row in ledger_rows(region, reach(region), began) if row.get("model") == "lab-embed"]
    assert len(rows) == len(vectors) + len(ranked), "each has its entry on the ledger"
    (embedding,) = (host for host in region.hosts_by_role("gpu") if region.served_by(host).name == "lab-embed")
    assert {(row["result"], row["upstream"]) for row in rows} == {("completed", f"http://{embedding.ipv4}:8000")}
    assert all(row["model_version"] for row in rows)
