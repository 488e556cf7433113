"""If these fail, a model that remembers what it saw once gets a card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curtilage.errors import StepError
from curtilage.finetune import training
from curtilage.finetune.card import model_card, model_card_text
from curtilage.finetune.generator import generate
from curtilage.finetune.recipe import Recipe


def _train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: str) -> dict[str, Any]:
    generate(tmp_path / "data", count=4, seed=1)

    def isolated(module: str, job: dict[str, Any], **_: object) -> dict[str, Any]:
        (tmp_path / "out.training.json").write_text(json.dumps({"memorisation": {"verdict": verdict}}))
        return {"verdict": "PASS"}

    monkeypatch.setattr(training, "run_isolated", isolated)
    monkeypatch.setattr(training, "find_spec", lambda _: object())
    clearance = training.cleared_by_generator(tmp_path / "data")
    return training.train(tmp_path / "data", tmp_path / "out", Recipe(), lambda _: None, clearance=clearance)


@pytest.mark.parametrize("verdict", ["FAIL", "INVALID", "NOT_PROVEN"])
def test_only_a_model_that_was_seen_to_remember_nothing_is_handed_on(verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StepError, match=f"memorisation: {verdict}"):
        _train(tmp_path, monkeypatch, verdict)


def test_a_run_without_canaries_says_not_run_in_its_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = _train(tmp_path, monkeypatch, "NOT_RUN") | {
        "recipe": Recipe().model_dump(), "parameters": 1, "data": "d", "documents": 1, "tokens_seen": 1, "code": "c", "libraries": {},
        "isolation": {"interfaces": ["lo"]}, "held_back_documents": 1, "held_back_loss": 1.0, "base_loss": 2.0,
    }  # fmt: skip
    text = model_card_text(model_card("m", record))
    assert "memorisation: NOT_RUN\n" in text
    assert "trace of its calls: PASS\n" in text
