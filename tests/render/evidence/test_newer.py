"""Older results passed off as new: by date, by copy, by an edited run, by a shorter ledger."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from curtilage.audit.note import Checkpoint, Signer
from curtilage.errors import ConfigError
from curtilage.evidence.commands import app
from curtilage.evidence.inputs import BundleInputs, inputs_path, recall, remember
from curtilage.evidence.keys import load_or_create
from curtilage.evidence.verify import verify_bundle
from curtilage.verdict import Verdict

Run = Callable[..., BundleInputs]
LEDGER = Signer.generate("gateway.example/ledger")


def head(size: int) -> str:
    return Checkpoint(LEDGER.name, size, bytes(32)).sign(LEDGER).decode()


def later(inputs: BundleInputs, when: datetime, reason: str = "seen again", **changes: object) -> BundleInputs:
    results = [cell | {"reason": reason} for cell in inputs.probe_results]
    return inputs.model_copy(update={"collected": when, "probe_results": results} | changes)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURTILAGE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("CURTILAGE_OUT", str(tmp_path / "out"))


def test_only_a_later_run_with_results_of_its_own_is_newer(run: Run, signer: Signer, tmp_path: Path) -> None:
    first = run(audit_checkpoint=head(7), audit_key=str(LEDGER.verifier))
    known = first.build(signer, tmp_path / "known.tar")
    when = first.collected + timedelta(days=1)

    def judged(inputs: BundleInputs) -> tuple[Verdict, str]:
        path = inputs.build(signer, tmp_path / "next.tar")
        result = verify_bundle(path, key=signer.verifier, now=when, newer_than=known)
        return result.verdict, "; ".join(finding.reason for finding in result.findings)

    assert judged(later(first, when, audit_checkpoint=head(9))) == (Verdict.PASS, "")
    for inputs, words in (
        (first, "not after"),
        (first.model_copy(update={"collected": when}), "older results passed off as new"),
        (later(first, first.collected - timedelta(days=1)), "not after"),
        (later(first, when, audit_checkpoint=head(3)), "cut short"),
        (later(first, when, audit_checkpoint=None), "cut short"),
    ):
        verdict, reason = judged(inputs)
        assert verdict is Verdict.FAIL
        assert words in reason


def test_a_broken_or_foreign_bundle_makes_nothing_newer(run: Run, signer: Signer, tmp_path: Path) -> None:
    first = run()
    path = later(first, first.collected + timedelta(days=1)).build(signer, tmp_path / "next.tar")
    known = first.build(Signer.generate("curtilage/evidence"), tmp_path / "known.tar")
    assert verify_bundle(path, key=signer.verifier, now=path_time(first), newer_than=known).verdict is Verdict.FAIL


def path_time(inputs: BundleInputs) -> datetime:
    return inputs.collected + timedelta(days=2)


def test_a_run_s_inputs_cannot_be_dated_afresh_or_edited(run: Run) -> None:
    inputs = run()
    path = remember(inputs)
    assert recall("lab") == inputs
    sealed = orjson.loads(path.read_bytes())
    plain = inputs.model_copy(update={"collected": inputs.collected + timedelta(days=100)}).model_dump_json().encode()
    for data in (plain, orjson.dumps(sealed | {"payload": sealed["payload"][:-8] + "AAAAAAA="}), b"{}", b""):
        path.write_bytes(data)
        with pytest.raises(ConfigError, match="sealed by a run, not written by hand"):
            recall("lab")
    path.write_bytes(orjson.dumps(sealed))
    assert recall("lab") == inputs
    path.unlink()
    with pytest.raises(ConfigError, match="no run of 'lab' is remembered"):
        recall("lab")


def test_building_again_later_does_not_make_results_new(run: Run) -> None:
    inputs = run()
    remember(inputs)
    done = CliRunner().invoke(app, ["build", "lab", "--json"])
    assert orjson.loads(done.stdout)["collected"] == "2030-01-02T03:04:05Z"
    assert inputs_path("lab").is_file()


def test_a_region_s_name_verifies_its_newest_bundle_with_the_key_of_this_checkout(run: Run, tmp_path: Path) -> None:
    key = load_or_create("evidence")
    run().build(key)
    newest = later(run(), run().collected + timedelta(hours=1)).build(key)
    told = orjson.loads(CliRunner().invoke(app, ["verify", "lab", "--json"]).stdout)
    assert told["bundle"] == str(newest)
    assert told["key"]["pinned"]
    refused = CliRunner().invoke(app, ["verify", "ch-zurich"])
    assert isinstance(refused.exception, ConfigError)
    assert CliRunner().invoke(app, ["verify", str(newest), "--region", "ch-zurich"]).exit_code == 1


def test_coverage_is_judged_today_and_not_when_the_bundle_was_made(run: Run, signer: Signer, tmp_path: Path) -> None:
    (tmp_path / "evidence.pub").write_text(str(signer.verifier), encoding="utf-8")
    now = datetime.now(UTC).replace(microsecond=0)
    for days, code in ((1, 0), (40, 3), (100, 3)):
        inputs = run(collected=now - timedelta(days=days))
        tests = [test.model_copy(update={"time": inputs.collected}) for test in inputs.dossier.tests] if inputs.dossier else []
        assert inputs.dossier is not None
        inputs = inputs.model_copy(update={"dossier": inputs.dossier.model_copy(update={"tests": tuple(tests)})})
        path = inputs.build(signer, tmp_path / f"{days}.tar")
        done = CliRunner().invoke(app, ["coverage", str(path), "--key", str(tmp_path / "evidence.pub"), "--missing", "--json"])
        assert done.exit_code == code, (days, done.output)
        open_ids = {line["id"] for line in orjson.loads(done.stdout)["requirements"]}
        assert {"nis2-21-2-g", "sc-7.14"} <= open_ids
        assert ("sc-7.10" in open_ids) is (days > 31)
        assert ("sc-7.5" in open_ids) is (days > 92)
    other = Signer.generate("curtilage/evidence")
    (tmp_path / "other.pub").write_text(str(other.verifier), encoding="utf-8")
    assert CliRunner().invoke(app, ["coverage", str(tmp_path / "1.tar"), "--key", str(tmp_path / "other.pub")]).exit_code == 1
    assert isinstance(CliRunner().invoke(app, ["coverage", str(tmp_path / "1.tar"), "--framework", "hipaa"]).exception, ConfigError)
