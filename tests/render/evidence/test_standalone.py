"""The one-file verifier: it runs on Python alone and answers as the product's own verifier does, for good bundles and for broken ones."""

from __future__ import annotations

import base64
import os
import random
import runpy
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from curtilage.audit.note import Signer
from curtilage.canonical import canonical_json
from curtilage.evidence.archive import pack, unpack
from curtilage.evidence.bundle import MANIFEST, MANIFEST_TYPE
from curtilage.evidence.commands import standalone_verifier
from curtilage.evidence.dsse import seal
from curtilage.evidence.inputs import BundleInputs
from curtilage.evidence.verify import verify_bundle
from curtilage.verdict import Verdict

Run = Callable[..., BundleInputs]
NOW = datetime(2030, 1, 2, 4, 0, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("alone") / "verify_evidence.py"
    path.write_bytes(standalone_verifier())
    return runpy.run_path(str(path))


def second_opinion(alone: dict[str, Any], path: Path, key: Path | None, **options: Any) -> Verdict:
    asked = {"bundle": str(path), "key": None if key is None else str(key), "region": None, "plan_digest": None, "not_before": None,
             "max_age": None, "tsa_ca": None} | options  # fmt: skip
    findings, _ = alone["judge"](SimpleNamespace(**asked), NOW)
    return Verdict(min((finding[0] for finding in findings), key=alone["LATTICE"].index, default="PASS"))


@pytest.fixture
def good(run: Run, signer: Signer, tmp_path: Path) -> Path:
    (tmp_path / "evidence.pub").write_text(f"{signer.verifier}\n", encoding="utf-8")
    return run().build(signer, tmp_path / "lab.tar")


def test_it_needs_nothing_but_python(good: Path, tmp_path: Path) -> None:
    script = tmp_path / "empty" / "verify_evidence.py"
    script.parent.mkdir()
    script.write_bytes(standalone_verifier())
    # -I -S: no site-packages, no environment. A network namespace of its own where this user may make one.
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else []
    for arguments, code in (
        (["--key", "evidence.pub", "--region", "lab"], 0),
        ([], 3),
        (["--key", "evidence.pub", "--region", "other"], 1),
        (["--key", "evidence.pub", "--max-age", "-100000"], 1),
        (["--key", "missing.pub"], 2),
    ):
        command = [*unshare, sys.executable, "-I", "-S", str(script), str(good), *arguments]
        env = {"PATH": os.environ["PATH"], "FAKETIME": ""}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
        # The run is dated 2030: until then its clock is wrong here, which is INVALID and never hides a FAIL.
        expected = 3 if code == 0 and datetime.now(UTC) < NOW - timedelta(hours=1) else code
        assert done.returncode == expected, (arguments, done.stdout, done.stderr)


def test_both_verifiers_accept_the_good_bundle(good: Path, alone: dict[str, Any], tmp_path: Path, signer: Signer) -> None:
    assert second_opinion(alone, good, tmp_path / "evidence.pub") is Verdict.PASS
    assert verify_bundle(good, key=signer.verifier, now=NOW).verdict is Verdict.PASS
    assert second_opinion(alone, good, None) is verify_bundle(good, key=None, now=NOW).verdict is Verdict.NOT_PROVEN


def test_every_sampled_flipped_byte_is_refused_by_both(good: Path, alone: dict[str, Any], tmp_path: Path, signer: Signer) -> None:
    data = good.read_bytes()
    changed = tmp_path / "changed.tar"
    for place in random.Random(8).sample(range(len(data)), 60):
        changed.write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
        assert second_opinion(alone, changed, tmp_path / "evidence.pub") is Verdict.FAIL, place
        assert verify_bundle(changed, key=signer.verifier, now=NOW).verdict is Verdict.FAIL, place


def test_both_refuse_what_was_removed_added_replaced_or_re_signed(
    good: Path, run: Run, alone: dict[str, Any], tmp_path: Path, signer: Signer
) -> None:
    files, key = unpack(good.read_bytes()), tmp_path / "evidence.pub"
    other = Signer.generate("curtilage/evidence")
    cases: dict[str, bytes] = {f"without {name}": pack({k: v for k, v in files.items() if k != name}) for name in files}
    cases["added"] = pack(files | {"extra/more": b""})
    cases["cut"] = good.read_bytes()[:-512]
    cases["empty"] = b""
    cases["other key"] = run().build(other, tmp_path / "other.tar").read_bytes()
    older = unpack(run(collected=NOW - timedelta(days=40)).build(signer, tmp_path / "older.tar").read_bytes())
    cases["older statement"] = pack(files | {"attestations/provenance.dsse.json": older["attestations/provenance.dsse.json"]})
    cases["older papers"] = pack(files | {"documents/dpia.html": older["documents/dpia.html"]})
    cases["older results"] = pack(files | {"probes.json": files["probes.json"].replace(b'"PASS"', b'"FAIL"', 1)})
    envelope = orjson.loads(files[MANIFEST])
    manifest = orjson.loads(base64.b64decode(envelope["payload"]))
    manifest["files"]["probes.json"] = manifest["files"]["audit/checkpoint"]
    cases["manifest of another's making"] = pack(files | {MANIFEST: seal(MANIFEST_TYPE, canonical_json(manifest), other)})
    path = tmp_path / "case.tar"
    for name, data in cases.items():
        path.write_bytes(data)
        assert second_opinion(alone, path, key) is Verdict.FAIL, name
        assert verify_bundle(path, key=signer.verifier, now=NOW).verdict is Verdict.FAIL, name


JUNK: tuple[Any, ...] = (
    None,
    0,
    -1,
    1.5,
    "",
    "x",
    "2030-13-01T00:00:00Z",
    [],
    ["x"],
    [1],
    {},
    {"x": 1},
    {"x": "sha256:x"},
    {"x": {}},
    True,
)


def test_no_manifest_however_formed_and_signed_makes_either_fail_in_another_way(
    good: Path, alone: dict[str, Any], tmp_path: Path, signer: Signer
) -> None:
    files, key, path = unpack(good.read_bytes()), tmp_path / "evidence.pub", tmp_path / "case.tar"
    manifest = orjson.loads(base64.b64decode(orjson.loads(files[MANIFEST])["payload"]))
    documents: list[Any] = [*JUNK, manifest | {"more": 1}]
    for name in manifest:
        documents.append({field: value for field, value in manifest.items() if field != name})
        free = ({}, {"x": "sha256:x"}) if name == "tools" else ()  # which tools there were is the signer's to say
        documents += [manifest | {name: junk} for junk in JUNK if junk != manifest[name] and junk not in free]
    for document in documents:
        path.write_bytes(pack(files | {MANIFEST: seal(MANIFEST_TYPE, canonical_json(document), signer)}))
        verdicts = {
            second_opinion(alone, path, key), second_opinion(alone, path, None), verify_bundle(path, key=signer.verifier, now=NOW).verdict,
            verify_bundle(path, key=None, now=NOW).verdict,
        }  # fmt: skip
        assert verdicts == {Verdict.FAIL}, document


@pytest.mark.parametrize("name", ["probes.json", "documents/facts.json", "documents/coverage.json", "documents/tests.json"])
def test_no_content_however_formed_and_signed_passes_or_makes_either_fail_in_another_way(
    name: str, good: Path, alone: dict[str, Any], tmp_path: Path, signer: Signer
) -> None:
    files, path = unpack(good.read_bytes()), tmp_path / "case.tar"
    manifest = orjson.loads(base64.b64decode(orjson.loads(files[MANIFEST])["payload"]))
    for junk in (*(canonical_json(junk) for junk in JUNK), b"", b"[[", b"\xff", b'[{"id":"a"}]', b'[{"id":1,"verdict":"PASS"}]'):
        entry = {"sha256": sha256(junk).hexdigest(), "size": len(junk)}
        sealed = seal(MANIFEST_TYPE, canonical_json(manifest | {"files": manifest["files"] | {name: entry}}), signer)
        path.write_bytes(pack(files | {name: junk, MANIFEST: sealed}))
        assert verify_bundle(path, key=signer.verifier, now=NOW).verdict is Verdict.FAIL, (name, junk)
        if name == "probes.json":
            assert second_opinion(alone, path, tmp_path / "evidence.pub") is Verdict.FAIL, junk


def test_both_say_the_same_of_removed_tests_other_regions_plans_ages_and_clocks(
    run: Run, alone: dict[str, Any], tmp_path: Path, signer: Signer
) -> None:
    key = tmp_path / "evidence.pub"
    key.write_text(str(signer.verifier), encoding="utf-8")
    thinned = run()
    thinned = thinned.model_copy(update={"probe_results": thinned.probe_results[1:]})
    failed = run()
    failed = failed.model_copy(update={"probe_results": [failed.probe_results[0] | {"verdict": "INVALID"}, *failed.probe_results[1:]]})
    future = run(collected=NOW + timedelta(hours=1))
    skewed = run(collected=NOW + timedelta(seconds=200))
    cases: list[tuple[BundleInputs, dict[str, Any], Verdict]] = [
        (thinned, {}, Verdict.NOT_RUN),
        (failed, {}, Verdict.INVALID),
        (future, {}, Verdict.INVALID),
        (skewed, {}, Verdict.PASS),
        (run(required=[]), {}, Verdict.NOT_RUN),
        (run(), {"region": "ch-zurich"}, Verdict.FAIL),
        (run(), {"plan_digest": "sha256:" + "8" * 64}, Verdict.FAIL),
        (run(), {"max_age": 0.01}, Verdict.FAIL),
        (run(), {"not_before": "2030-01-02T03:30:00Z"}, Verdict.FAIL),
        (run(), {"not_before": "2030-01-02T03:04:05Z", "max_age": 1.0, "region": "lab"}, Verdict.PASS),
    ]
    for number, (inputs, options, expected) in enumerate(cases):
        path = inputs.build(signer, tmp_path / f"{number}.tar")
        assert second_opinion(alone, path, key, **options) is expected, number
        ours: dict[str, Any] = {name.replace("max_age", "max_age_days"): value for name, value in options.items()}
        if "not_before" in ours:
            ours["not_before"] = datetime.fromisoformat(ours["not_before"])
        assert verify_bundle(path, key=signer.verifier, now=NOW, **ours).verdict is expected, number


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32), st.integers(0, 511))
def test_its_ed25519_agrees_with_the_library(alone: dict[str, Any], message: bytes, seed: bytes, bit: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert alone["signed"](public, message, signature)
    assert not alone["signed"](public, message + b"x", signature)
    spoilt = bytearray(signature)
    spoilt[bit // 8] ^= 1 << bit % 8
    assert not alone["signed"](public, message, bytes(spoilt))


def test_its_ed25519_refuses_forms_that_are_not_canonical(alone: dict[str, Any]) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    public, signature = key.public_key().public_bytes_raw(), key.sign(b"m")
    scalar = int.from_bytes(signature[32:], "little") + alone["L"]
    assert not alone["signed"](public, b"m", signature[:32] + scalar.to_bytes(32, "little"))
    assert not alone["signed"](b"\xff" * 32, b"m", signature)
    assert not alone["signed"](public[:31], b"m", signature)


def test_it_shares_no_line_with_the_product(tmp_path: Path) -> None:
    text = standalone_verifier().decode()
    assert "curtilage.e" not in text.replace("curtilage.evidence", "").replace("application/vnd.curtilage.e", "")
    assert "import curtilage" not in text
    assert "from curtilage" not in text
