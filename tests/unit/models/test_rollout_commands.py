"""If these fail, the verbs say or do something else than the rules they stand for."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from curtilage.errors import ConfigError, StepError
from curtilage.models import rollout
from curtilage.models.commands import app
from curtilage.models.signing import create_keys, sign

OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture
def lab(unsigned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lab's state with two signed versions of its model."""
    state = tmp_path / "state"
    monkeypatch.setenv("CURTILAGE_STATE", str(state))
    create_keys(state / "keys" / "model-signing.key", state / "keys" / "model-signing.pub")
    for digest in (OLD, NEW):
        target = state / "models" / "lab-mistral" / digest
        shutil.copytree(unsigned, target)
        manifest = json.loads((target / "manifest.json").read_text()) | {"name": "lab-mistral", "digest": f"sha256:{digest}"}
        (target / "manifest.json").write_text(json.dumps(manifest))
        sign(target, state / "keys" / "model-signing.key")
    return state


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=True)


def calls(path: Path, failed: int) -> str:
    rows = [{"model_version": f"sha256:{OLD}", "result": "completed", "milliseconds": 100} for _ in range(400)]
    rows += [
        {"model_version": f"sha256:{NEW}", "result": "failed" if at < failed else "completed", "milliseconds": 100} for at in range(400)
    ]
    path.write_text(json.dumps({"rows": rows, "verified": True}))
    return str(path)


def test_a_version_is_promoted_by_its_first_digits_and_listed_as_served(lab: Path) -> None:
    assert json.loads(run("promote", "lab", OLD[:8], "--json").stdout)["serving"] == f"sha256:{OLD}"
    assert json.loads(run("promote", "lab", NEW, "--json").stdout)["previous"] == [f"sha256:{OLD}"]
    listed = json.loads(run("versions", "lab", "--json").stdout)["versions"]
    assert {item["digest"][7:]: item["state"] for item in listed} == {OLD: "previous", NEW: "serving"}
    assert json.loads(run("rollback", "lab", "--json").stdout)["serving"] == f"sha256:{OLD}"


@pytest.mark.parametrize("words", [["promote", "lab", "a"], ["promote", "lab", "ffffffff"], ["promote", "lab", OLD, "--model", "other"]])
def test_a_version_or_model_that_is_not_named_exactly_is_refused(words: list[str], lab: Path) -> None:
    assert isinstance(run(*words).exception, ConfigError)
    assert rollout.serving("lab", "lab-mistral") is None


def test_a_worse_version_is_taken_back_by_the_rule_and_a_good_one_stays(lab: Path, tmp_path: Path) -> None:
    run("promote", "lab", OLD)
    run("promote", "lab", NEW)
    scores = ("--evaluation-before", "0.9", "--evaluation-after", "0.9")
    assert run("judge", "lab", "--calls", calls(tmp_path / "good.json", 2), *scores, "--rollback").exit_code == 0
    assert rollout.serving("lab", "lab-mistral") == f"sha256:{NEW}"
    assert run("judge", "lab", "--calls", calls(tmp_path / "open.json", 2), "--rollback").exit_code == 3, "not evaluated"
    bad = calls(tmp_path / "bad.json", 60)
    assert run("judge", "lab", "--calls", bad, *scores).exit_code == 1
    assert rollout.serving("lab", "lab-mistral") == f"sha256:{NEW}", "judged, not acted upon"
    done = run("judge", "lab", "--calls", bad, *scores, "--rollback", "--json")
    assert (done.exit_code, json.loads(done.stdout)["rolled_back_to"]) == (1, f"sha256:{OLD}")
    assert rollout.serving("lab", "lab-mistral") == f"sha256:{OLD}"


@pytest.mark.parametrize("content", ["", "[]", '{"rows": 3}', '{"rows": [3]}'])
def test_calls_that_are_no_query_of_a_ledger_are_refused(content: str, lab: Path, tmp_path: Path) -> None:
    run("promote", "lab", OLD)
    run("promote", "lab", NEW)
    (tmp_path / "calls.json").write_text(content)
    assert isinstance(run("judge", "lab", "--calls", str(tmp_path / "calls.json")).exception, ConfigError)


def test_a_rollback_with_nothing_before_is_refused(lab: Path) -> None:
    assert isinstance(run("rollback", "lab").exception, StepError)


def test_the_lab_serves_the_quantized_form_of_what_was_staged_last_and_of_nothing_else(lab: Path) -> None:
    store = lab / "models"

    def staged(digest: str, seconds: int, quantized_from: str | None) -> None:
        path = store / "lab-mistral" / digest / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["provenance"]["quantized_from"] = quantized_from
        path.write_text(json.dumps(manifest))
        os.utime(path.parent, (seconds, seconds))

    staged(OLD, 1, None)
    staged(NEW, 2, None)
    assert rollout.newest(store, "lab-mistral") == f"sha256:{NEW}"
    staged(NEW, 2, f"sha256:{OLD}")
    assert rollout.newest(store, "lab-mistral") == f"sha256:{NEW}", "the quantized form of the only other version"
    staged(OLD, 3, None)
    assert rollout.newest(store, "lab-mistral") == f"sha256:{NEW}", "staged again, and its quantized form is still its own"
    staged(NEW, 9, "sha256:" + "9" * 64)
    assert rollout.newest(store, "lab-mistral") == f"sha256:{OLD}", "the quantized form of another model is nothing to serve"
    staged(OLD, 3, "sha256:" + "9" * 64)
    assert rollout.newest(store, "lab-mistral") is None


def test_a_version_whose_right_answers_became_less_likely_is_refused_and_nothing_changes(lab: Path, tmp_path: Path) -> None:
    def comparison(second: str, after: float) -> str:
        path = tmp_path / "compared.json"
        figures = {"documents": 100, "answer_tokens": 5_000, "first": f"sha256:{OLD}", "second": second, "perplexity_first": 1.2,
                   "perplexity_second": after, "loaded_as": ["none", "int8"], "agreement": 0.9, "similarity": 0.99}  # fmt: skip
        path.write_text(json.dumps(figures))
        return str(path)

    run("promote", "lab", OLD)
    worse = run("promote", "lab", NEW, "--canary", "0.1", "--comparison", comparison(f"sha256:{NEW}", 1.3))
    assert isinstance(worse.exception, StepError)
    assert "nothing changed" in str(worse.exception)
    other = run("promote", "lab", NEW, "--comparison", comparison(f"sha256:{OLD}", 1.2))
    assert isinstance(other.exception, ConfigError)
    assert rollout.serving("lab", "lab-mistral") == f"sha256:{OLD}"
    assert run("promote", "lab", NEW, "--canary", "0.1", "--comparison", comparison(f"sha256:{NEW}", 1.21)).exit_code == 0
    listed = {item["digest"]: item["state"] for item in json.loads(run("versions", "lab", "--json").stdout)["versions"]}
    assert listed == {f"sha256:{OLD}": "serving", f"sha256:{NEW}": "canary"}
    assert run("rollback", "lab", "--json").exit_code == 0
    assert rollout.load("lab").models["lab-mistral"].canary is None
