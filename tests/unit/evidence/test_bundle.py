"""The bundle and its offline verifier: what an auditor is given cannot be changed, thinned out, aged or swapped unnoticed."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given, settings
from hypothesis import strategies as st
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementProto
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
from typer.testing import CliRunner

from curtilage.audit.note import Checkpoint, Signer
from curtilage.errors import ConfigError
from curtilage.evidence import keys
from curtilage.evidence.archive import ArchiveError, pack, unpack
from curtilage.evidence.bundle import build_bundle
from curtilage.evidence.commands import app
from curtilage.evidence.inputs import BundleInputs, remember
from curtilage.evidence.verify import verify_bundle
from curtilage.verdict import Verdict

KEY = Signer.generate("curtilage/evidence")
LEDGER = Signer.generate("gateway.example/ledger")
PLAN = "sha256:" + "1" * 64
WHEN = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
CELLS = [
    {"id": f"{host}/tcp4/198.51.100.7:443", "host": host, "control": "output", "verdict": "PASS", "reason": "dropped, counted, unseen"}
    for host in ("gpu-1", "gpu-2", "gw-1", "crm-1")
]
IDS = [str(cell["id"]) for cell in CELLS]

Build = Callable[..., Path]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    def make(**changes: Any) -> Path:
        given: dict[str, Any] = {
            "plan_digest": PLAN,
            "rulesets": {"gpu-1": "table inet curtilage {}\n", "gw-1": "table inet curtilage { }\n"},
            "images": {"vllm": "sha256:" + "2" * 64},
            "models": {"tiny": "sha256:" + "3" * 64},
            "probe_results": CELLS,
            "required": IDS,
            "key": KEY,
            "audit_checkpoint": Checkpoint(LEDGER.name, 7, bytes(32)).sign(LEDGER),
            "audit_key": str(LEDGER.verifier),
            "extra": {"junit.xml": b"<testsuites/>"},
            "tools": {"nft": "1.0.6"},
            "collected": WHEN,
            "out": tmp_path / "lab.tar",
        }
        return build_bundle("lab", **(given | changes))

    return make


def green(path: Path, **options: Any) -> bool:
    return verify_bundle(path, **({"key": KEY.verifier, "now": WHEN + timedelta(hours=1)} | options)).verdict is Verdict.PASS


def test_a_good_bundle_is_green_and_the_same_run_gives_the_same_bytes(build: Build, tmp_path: Path) -> None:
    first, second = build(), build(out=tmp_path / "again.tar")
    assert first.read_bytes() == second.read_bytes()
    result = verify_bundle(first, key=KEY.verifier, plan_digest=PLAN, not_before=WHEN, required=IDS[:1])
    assert result.document()["findings"] == [] or result.findings[0].id == "evidence.age"
    result = verify_bundle(first, key=KEY.verifier, plan_digest=PLAN, not_before=WHEN, now=WHEN)
    assert (result.verdict, result.counts, result.required, result.audit_size) == (Verdict.PASS, {"PASS": 4}, 4, 7)
    assert result.fingerprint == KEY.verifier.fingerprint


def test_added_removed_and_swapped_files_make_it_fail(build: Build, tmp_path: Path) -> None:
    path = build()
    files, changed = unpack(path.read_bytes()), tmp_path / "changed.tar"
    older = unpack(build(collected=WHEN - timedelta(days=30), out=tmp_path / "older.tar").read_bytes())
    for name in files:
        changed.write_bytes(pack({key: value for key, value in files.items() if key != name}))
        assert verify_bundle(changed, key=KEY.verifier, now=WHEN).verdict is Verdict.FAIL, f"removed {name}"
    for name in ("extra/more", "rulesets/crm-1.nft"):
        changed.write_bytes(pack(files | {name: b""}))
        assert verify_bundle(changed, key=KEY.verifier, now=WHEN).verdict is Verdict.FAIL, f"added {name}"
    changed.write_bytes(pack(files | {"attestations/provenance.dsse.json": older["attestations/provenance.dsse.json"]}))
    assert verify_bundle(changed, key=KEY.verifier, now=WHEN).verdict is Verdict.FAIL


def test_a_replaced_key_fails_and_an_unpinned_one_proves_nothing(build: Build) -> None:
    other = Signer.generate("curtilage/evidence")
    forged = build(key=other)
    assert verify_bundle(forged, key=KEY.verifier, now=WHEN).verdict is Verdict.FAIL
    unpinned = verify_bundle(forged, key=None, now=WHEN)
    assert unpinned.verdict is Verdict.NOT_PROVEN
    assert unpinned.fingerprint == other.verifier.fingerprint
    assert unpinned.fingerprint in unpinned.findings[0].reason


def test_a_removed_test_is_noticed_by_the_bundle_s_own_list_and_by_the_callers(build: Build) -> None:
    thinned = verify_bundle(build(probe_results=CELLS[1:]), key=KEY.verifier, now=WHEN)
    assert thinned.verdict is Verdict.NOT_RUN
    assert [finding.id for finding in thinned.findings] == [IDS[0]]
    both = build(probe_results=CELLS[1:], required=IDS[1:])
    assert green(both)
    assert verify_bundle(both, key=KEY.verifier, required=IDS, now=WHEN).verdict is Verdict.NOT_RUN
    assert verify_bundle(build(required=[]), key=KEY.verifier, now=WHEN).verdict is Verdict.NOT_RUN


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.PASS])
def test_any_result_but_pass_decides_the_bundle_by_the_lattice(verdict: Verdict, build: Build) -> None:
    found = verify_bundle(build(probe_results=[CELLS[0] | {"verdict": verdict.value}, *CELLS[1:]]), key=KEY.verifier, now=WHEN)
    assert found.verdict is verdict
    assert found.verdict.exit_code == (1 if verdict is Verdict.FAIL else 3)
    mixed = [CELLS[0] | {"verdict": verdict.value}, CELLS[1] | {"verdict": "FAIL"}, *CELLS[2:]]
    assert verify_bundle(build(probe_results=mixed), key=KEY.verifier, now=WHEN).verdict is Verdict.FAIL


def test_older_results_another_plan_and_a_clock_in_the_future_are_refused(build: Build) -> None:
    path = build()
    assert green(path, not_before=WHEN, plan_digest=PLAN)
    assert verify_bundle(path, key=KEY.verifier, not_before=WHEN + timedelta(seconds=1), now=WHEN).verdict is Verdict.FAIL
    assert verify_bundle(path, key=KEY.verifier, plan_digest="sha256:" + "9" * 64, now=WHEN).verdict is Verdict.FAIL
    assert verify_bundle(path, key=KEY.verifier, now=WHEN - timedelta(days=1)).verdict is Verdict.INVALID


def test_a_forged_ledger_head_inside_is_noticed(build: Build) -> None:
    other = Checkpoint(LEDGER.name, 7, bytes(32)).sign(Signer.generate(LEDGER.name))
    assert verify_bundle(build(audit_checkpoint=other), key=KEY.verifier, now=WHEN).verdict is Verdict.FAIL


def test_results_that_occur_twice_or_have_no_verdict_are_refused(build: Build) -> None:
    for cells in ([*CELLS, CELLS[0]], [{"id": "x"}], [{"id": "x", "verdict": "GREEN"}], [{"verdict": "PASS"}]):
        with pytest.raises(ConfigError):
            build(probe_results=cells)
    for digest in ("1" * 64, "md5:" + "1" * 32, "sha256:" + "g" * 64):
        with pytest.raises(ConfigError):
            build(plan_digest=digest)


def test_other_people_s_tools_open_the_envelopes_and_statements(build: Build) -> None:
    files = unpack(build().read_bytes())
    public = SSlibKey.from_crypto(KEY.key.public_key(), keyid=KEY.verifier.fingerprint)
    for name in ("test-result", "provenance"):
        document = orjson.loads(files[f"attestations/{name}.dsse.json"])
        envelope = Envelope.from_dict(document)
        envelope.verify([public], 1)
        Statement.copy_from_pb(
            ParseDict(
                {
                    {"_type": "type", "predicateType": "predicate_type"}.get(key, key): value
                    for key, value in orjson.loads(envelope.payload).items()
                },
                StatementProto(),
            )
        ).validate()
    with tarfile.open(fileobj=io.BytesIO(build().read_bytes())) as archive:
        assert archive.getnames() == sorted(files)


def test_the_test_result_names_every_test_by_its_outcome(build: Build) -> None:
    cells = [CELLS[0] | {"verdict": "FAIL"}, CELLS[1] | {"verdict": "NOT_RUN"}, *CELLS[2:]]
    envelope = orjson.loads(unpack(build(probe_results=cells).read_bytes())["attestations/test-result.dsse.json"])
    predicate = orjson.loads(Envelope.from_dict(envelope).payload)["predicate"]
    assert (predicate["result"], predicate["failedTests"], predicate["warnedTests"], predicate["passedTests"]) == (
        "FAILED",
        [IDS[0]],
        [IDS[1]],
        sorted(IDS[2:]),
    )


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,2}", fullmatch=True), st.binary(max_size=700), max_size=5))
def test_an_archive_is_a_function_of_its_files(files: dict[str, bytes]) -> None:
    assert unpack(pack(files)) == files
    assert pack(dict(reversed(files.items()))) == pack(files)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a//b", "-x", "", "a" * 120, "a/../b", "a b"])
def test_names_that_could_escape_are_refused(name: str) -> None:
    with pytest.raises(ArchiveError):
        pack({name: b""})


def test_archives_with_links_devices_or_other_metadata_are_refused() -> None:
    for change in (
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"mtime": 5},
        {"mode": 0o755},
        {"uid": 1},
        {"type": tarfile.DIRTYPE},
    ):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            header = tarfile.TarInfo("x")
            header.mode = 0o644
            for name, value in change.items():
                setattr(header, name, value)
            archive.addfile(header)
        with pytest.raises(ArchiveError):
            unpack(buffer.getvalue())


def test_the_verbs_build_and_verify_with_the_contract_s_exit_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURTILAGE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("CURTILAGE_OUT", str(tmp_path / "out"))
    run = CliRunner()
    assert isinstance(run.invoke(app, ["build", "lab"]).exception, ConfigError)
    remember(BundleInputs(region="lab", plan_digest=PLAN, collected=WHEN - timedelta(days=3650), required=IDS, probe_results=CELLS))
    built = run.invoke(app, ["build", "lab", "--json"])
    assert built.exit_code == 0, built.output
    bundle = orjson.loads(built.stdout)["bundle"]
    public = tmp_path / "evidence.pub"
    public.write_text(run.invoke(app, ["key"]).stdout)
    assert run.invoke(app, ["verify", bundle, "--key", str(public)]).exit_code == 0
    assert run.invoke(app, ["verify", bundle]).exit_code == 3
    assert run.invoke(app, ["verify", bundle, "--key", str(public), "--plan-digest", "sha256:" + "9" * 64]).exit_code == 1
    assert run.invoke(app, ["verify", bundle, "--key", str(public), "--not-before", "2030-01-01"]).exit_code == 1
    more = tmp_path / "required"
    more.write_text("another/test\n")
    assert run.invoke(app, ["verify", bundle, "--key", str(public), "--required", str(more)]).exit_code == 3
    assert isinstance(run.invoke(app, ["verify", str(tmp_path / "none")]).exception, ConfigError)


def test_the_verifier_needs_only_the_bundle_and_the_key(build: Build, tmp_path: Path) -> None:
    path = build(collected=datetime.now(UTC))
    public = tmp_path / "evidence.pub"
    public.write_text(f"{KEY.verifier}\n")
    code = "import sys; sys.argv = ['curtilage', 'evidence', 'verify', *sys.argv[1:]]; from curtilage.cli import main; main()"
    arguments = [sys.executable, "-c", code, str(path), "--key", str(public)]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / ".state").exists()


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURTILAGE_STATE", str(tmp_path))
    first = keys.load_or_create("evidence")
    assert keys.load_or_create("evidence").verifier == first.verifier == keys.public_key("evidence")
    assert keys.load_or_create("ledger-gw-1").verifier.public != first.verifier.public
    keys.key_path("evidence").chmod(0o644)
    with pytest.raises(ConfigError, match="readable by others"):
        keys.load_or_create("evidence")
    for purpose in ("../x", "", "A", "a/b"):
        with pytest.raises(ConfigError):
            keys.key_path(purpose)
