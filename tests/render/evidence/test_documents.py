"""What is generated of a run: the same run gives the same bytes, other people's tools accept it, and it claims no more than was tested."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from curtilage.audit.note import Signer
from curtilage.errors import ConfigError
from curtilage.evidence.archive import unpack
from curtilage.evidence.bundle import build_bundle
from curtilage.evidence.documents import NAMES
from curtilage.evidence.inputs import BundleInputs
from curtilage.evidence.sbom import locked_components
from curtilage.evidence.verify import verify_bundle
from curtilage.paths import CHECKOUT, cache_dir
from curtilage.verdict import Verdict

Run = Callable[..., BundleInputs]
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&‮evil"


def documents(inputs: BundleInputs) -> dict[str, bytes]:
    return inputs.documents()


def test_the_same_run_gives_the_same_bytes_and_every_document(run: Run, signer: Signer, tmp_path: Path) -> None:
    first, second = run().build(signer, tmp_path / "a.tar"), run().build(signer, tmp_path / "b.tar")
    assert first.read_bytes() == second.read_bytes()
    assert {name for name in unpack(first.read_bytes()) if name.startswith("documents/")} == {f"documents/{name}" for name in NAMES}


def test_building_and_verifying_stay_within_their_seconds(run: Run, signer: Signer, tmp_path: Path) -> None:
    inputs = run()
    began = time.monotonic()
    path = inputs.build(signer, tmp_path / "a.tar")
    built = time.monotonic()
    result = verify_bundle(path, key=signer.verifier, now=inputs.collected, region="lab")
    assert (result.verdict, result.findings) == (Verdict.PASS, [])
    assert built - began < 30
    assert time.monotonic() - built < 5


def test_what_was_not_there_has_no_document_and_shows_as_missing(run: Run) -> None:
    told = documents(run(seen=None, tests=[], models={}))
    assert not {"documents/observed.json", "documents/tests.json", "documents/model-cards.html"} & set(told)
    lines = {line["id"]: line for line in orjson.loads(told["documents/coverage.json"])["requirements"]}
    assert lines["mp-2.2-002"]["verdict"] == "NOT_RUN"
    assert "missing: documents/observed.json" in lines["mp-2.2-002"]["reasons"]
    assert lines["au-10"]["verdict"] == "NOT_RUN", "it rests on the product's own tests, of which there are no results"


def trestle() -> Path | None:
    """compliance-trestle's interpreter: it lives outside our environment, because its licences and pins are not ours."""
    named = os.environ.get("CURTILAGE_TRESTLE_PYTHON")
    found = Path(named) if named else cache_dir() / "tools" / "trestle" / "bin" / "python"
    return found if found.is_file() else None


READ = """
import sys
from pathlib import Path
from trestle.oscal.assessment_plan import AssessmentPlan
from trestle.oscal.assessment_results import AssessmentResults
from trestle.oscal.component import ComponentDefinition
from trestle.oscal.poam import PlanOfActionAndMilestones
kinds = {"component-definition": ComponentDefinition, "assessment-plan": AssessmentPlan, "assessment-results": AssessmentResults,
         "plan-of-action-and-milestones": PlanOfActionAndMilestones}
for name, kind in kinds.items():
    assert kind.oscal_read(Path(sys.argv[1]) / f"{name}.json") is not None, name
"""


@pytest.mark.parametrize("bad", [False, True])
def test_oscal_is_read_by_compliance_trestle(bad: bool, run: Run, tmp_path: Path) -> None:
    python = trestle()
    if python is None:
        pytest.skip("NOT-RUN: compliance-trestle is not installed; python tools/checkers.py makes its environment")
    told = documents(run())
    for name, content in told.items():
        if name.startswith("documents/oscal/"):
            spoilt = content.replace(b'"not-satisfied"', b'"passed"') if bad else content
            (tmp_path / Path(name).name).write_bytes(spoilt)
    done = subprocess.run([str(python), "-c", READ, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is not bad, done.stderr[-2000:]


def test_oscal_says_of_every_requirement_what_coverage_says(run: Run) -> None:
    told = documents(run())
    lines = {line["id"]: line["verdict"] for line in orjson.loads(told["documents/coverage.json"])["requirements"]}
    (result,) = orjson.loads(told["documents/oscal/assessment-results.json"])["assessment-results"]["results"]
    states = {finding["target"]["target-id"]: finding["target"]["status"]["state"] for finding in result["findings"]}
    assert states == {name: "satisfied" if verdict == "PASS" else "not-satisfied" for name, verdict in lines.items()}
    items = orjson.loads(told["documents/oscal/plan-of-action-and-milestones.json"])["plan-of-action-and-milestones"]["poam-items"]
    assert len(items) >= sum(verdict != "PASS" for verdict in lines.values())


def test_the_bill_of_materials_fits_cyclonedx_and_names_every_locked_package(run: Run) -> None:
    text = documents(run())["documents/sbom.cdx.json"].decode()
    assert JsonStrictValidator(SchemaVersion.V1_7).validate_str(text) is None
    assert JsonStrictValidator(SchemaVersion.V1_7).validate_str(text.replace('"bomFormat"', '"format"')) is not None
    names = {item["name"] for item in json.loads(text)["components"] if item["type"] == "library"}
    assert {"cryptography", "pydantic", "pulumi"} <= names
    assert len(names) == len(locked_components(CHECKOUT / "requirements.lock"))
    assert {item["type"] for item in json.loads(text)["components"]} == {"library", "container", "machine-learning-model"}


def test_a_lock_without_digests_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    lock.write_text("alpha==1.0 \\\n    --hash=sha256:" + "a" * 64 + "\nBeta_Two==2\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="beta-two has no digest"):
        locked_components(lock)


def test_papers_name_the_plan_leave_people_s_answers_open_and_state_no_recipient_for_a_sealed_region(run: Run) -> None:
    told = documents(run())
    for name in ("record-of-processing", "transfer-statement", "dpia", "measures", "model-cards"):
        page = told[f"documents/{name}.html"].decode()
        assert "sha256:" + "1" * 64 in page
        assert "http://" not in page.replace("http://www.w3.org", "")
        assert "default-src &#x27;none&#x27;" in page
    assert "OPEN – to be filled in" in told["documents/record-of-processing.html"].decode()
    assert "names no recipient outside them" in told["documents/record-of-processing.html"].decode()


@pytest.mark.parametrize("verdict", ["FAIL", "NOT_RUN"])
def test_a_paper_says_so_where_the_proof_does_not_hold(verdict: str, run: Run) -> None:
    inputs = run()
    cells = [cell | {"verdict": verdict} if cell["id"] == "proof/no-packet-leaves" else cell for cell in inputs.probe_results]
    page = documents(inputs.model_copy(update={"probe_results": cells}))["documents/transfer-statement.html"].decode()
    assert f"Proof that no packet can leave: {verdict}" in page


def test_hostile_names_stay_text_in_every_document(run: Run) -> None:
    inputs = run(
        models={HOSTILE: "sha256:" + "4" * 64}, model_documents={HOSTILE: {"card": {"limits": HOSTILE}, "manifest": {HOSTILE: HOSTILE}}}
    )
    assert inputs.dossier is not None
    region = inputs.dossier.region | {"owner": HOSTILE}
    cells = [*inputs.probe_results, {"id": HOSTILE, "verdict": "FAIL", "control": HOSTILE, "host": HOSTILE, "reason": HOSTILE}]
    spoilt = inputs.model_copy(update={"dossier": inputs.dossier.model_copy(update={"region": region}), "probe_results": cells})
    for name, content in documents(spoilt).items():
        if name.endswith((".html", ".svg")):
            assert b"<img" not in content, name
            assert b"<script" not in content, name


def resealed(inputs: BundleInputs, signer: Signer, out: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """The bundle of a key's owner who changes documents before signing."""
    told = inputs.documents()
    change(told)
    return build_bundle(
        inputs.region, plan_digest=inputs.plan_digest, rulesets=inputs.rulesets, images=inputs.images, models=inputs.models,
        probe_results=inputs.probe_results, required=inputs.required, key=signer, documents=told, collected=inputs.collected, out=out,
        audit_checkpoint=(inputs.audit_checkpoint or "").encode(), audit_key=inputs.audit_key,
    )  # fmt: skip


def improved(told: dict[str, bytes]) -> None:
    document: dict[str, Any] = orjson.loads(told["documents/coverage.json"])
    document["requirements"] = [line | {"verdict": "PASS"} for line in document["requirements"]]
    told["documents/coverage.json"] = orjson.dumps(document)


def renamed(told: dict[str, bytes]) -> None:
    told["documents/facts.json"] = told["documents/facts.json"].replace(b'"name": "lab"', b'"name": "ch-zurich"')


def redrawn(told: dict[str, bytes]) -> None:
    told["documents/flows.svg"] = told["documents/flows.svg"].replace(b"sha256:" + b"1" * 64, b"sha256:" + b"9" * 64)


def emptied(told: dict[str, bytes]) -> None:
    told["documents/coverage.json"] = b"[]"


@pytest.mark.parametrize("change", [improved, renamed, redrawn, emptied])
def test_even_the_key_s_owner_cannot_claim_more_than_the_results_say(
    change: Callable[[dict[str, bytes]], None], run: Run, signer: Signer, tmp_path: Path
) -> None:
    inputs = run()
    good = resealed(inputs, signer, tmp_path / "good.tar", lambda told: None)
    assert verify_bundle(good, key=signer.verifier, now=inputs.collected).verdict is Verdict.PASS
    bad = verify_bundle(resealed(inputs, signer, tmp_path / "bad.tar", change), key=signer.verifier, now=inputs.collected)
    assert bad.verdict is Verdict.FAIL
    assert [finding.id for finding in bad.findings] == ["evidence.documents"]
