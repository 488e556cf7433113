"""The mapping of laws to evidence: no claim without an artefact and a test that exist, no stale or missing evidence shown as met."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from curtilage.errors import ConfigError
from curtilage.evidence.coverage import Result, coverage, document, matches
from curtilage.evidence.documents import results_of
from curtilage.evidence.inputs import BundleInputs
from curtilage.evidence.junit import TestOutcome, read_report, read_reports
from curtilage.evidence.requirements import DATA, Framework, Requirement, every_requirement, frameworks
from curtilage.evidence.universe import FILES, dangling, universe
from curtilage.paths import CHECKOUT
from curtilage.region import load_region
from curtilage.verdict import Verdict

Run = Callable[..., BundleInputs]


def test_every_claim_rests_on_artefacts_and_tests_that_exist() -> None:
    assert dangling(universe(load_region("lab"), CHECKOUT / "tests")) == []


def test_an_artefact_or_test_that_does_not_exist_turns_red() -> None:
    known = universe(load_region("lab"), CHECKOUT / "tests")
    without = [result for result in known if not result.id.startswith("proof/")]
    assert any("no such test: id:proof/no-packet-leaves" in line for line in dangling(without))
    renamed = [result for result in known if "test_sanitizer.py" not in result.id]
    assert any("no such test: pytest:tests/unit/sanitize/test_sanitizer.py" in line for line in dangling(renamed))
    assert any("no such artefact: probes.json" in line for line in dangling(known, [name for name in FILES if name != "probes.json"]))


def test_a_file_of_the_mapping_that_claims_without_evidence_is_not_loaded(tmp_path: Path) -> None:
    good = yaml.safe_load((DATA / "gdpr.yaml").read_text(encoding="utf-8"))
    for change in ({"artefacts": []}, {"tests": []}, {"organisational": True}, {"tests": ["cells:everything"]}, {"colour": "red"}):
        broken = good | {"requirements": [good["requirements"][0] | change]}
        (tmp_path / "gdpr.yaml").write_text(yaml.safe_dump(broken), encoding="utf-8")
        frameworks.cache_clear()
        with pytest.raises(ConfigError, match=r"gdpr\.yaml"):
            frameworks(tmp_path)
    with pytest.raises(ValidationError):
        Framework.model_validate(good | {"source": ""})


def test_the_laws_named_by_the_product_are_all_there() -> None:
    ids = {requirement.id for _, requirement in every_requirement()}
    assert {f"nis2-21-2-{letter}" for letter in "abcdefghij"} <= ids
    assert {"gdpr-30-1", "gdpr-30-2", "gdpr-32-1-a", "gdpr-32-1-b", "gdpr-32-1-c", "gdpr-32-1-d", "gdpr-35-7"} <= ids
    assert {"gdpr-44", "gdpr-45-47", "gdpr-48", "gdpr-49", "sc-7", "sc-7.5", "sc-7.10", "mp-2.2-002", "measure-2.7"} <= ids
    assert all(framework.counsel_reviewed is None for framework in frameworks()), "say who reviewed it, in the commit that sets the date"


def test_a_whole_run_meets_every_requirement_that_machines_can_meet(run: Run) -> None:
    inputs = run()
    assert inputs.dossier is not None
    lines = coverage(results_of(inputs.probe_results, inputs.dossier, inputs.collected), FILES, inputs.collected)
    assert [line.requirement.id for line in lines if line.verdict is not Verdict.PASS] == ["nis2-21-2-g", "sc-7.14"]
    assert all(line.requirement.organisational for line in lines if line.verdict is not Verdict.PASS)


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.PASS])
def test_one_bad_result_shows_in_every_requirement_that_rests_on_it(verdict: Verdict, run: Run) -> None:
    inputs = run()
    assert inputs.dossier is not None
    results = results_of(inputs.probe_results, inputs.dossier, inputs.collected)
    bad = [Result(**{**vars(result), "verdict": verdict}) if result.id == "proof/no-packet-leaves" else result for result in results]
    for line in coverage(bad, FILES, inputs.collected):
        if "id:proof/no-packet-leaves" in line.requirement.tests:
            assert line.verdict is verdict, line.requirement.id


def test_missing_and_stale_evidence_shows_as_missing(run: Run) -> None:
    inputs = run()
    assert inputs.dossier is not None
    results = results_of(inputs.probe_results, inputs.dossier, inputs.collected)
    by_id = {line.requirement.id: line for line in coverage(results, [name for name in FILES if "dpia" not in name], inputs.collected)}
    assert by_id["gdpr-35-7"].verdict is Verdict.NOT_RUN
    assert by_id["gdpr-35-7"].reasons == ("missing: documents/dpia.html",)
    by_id = {line.requirement.id: line for line in coverage([], FILES, inputs.collected)}
    assert {line.verdict for line in by_id.values()} == {Verdict.NOT_RUN}
    later = inputs.collected + timedelta(days=32)
    by_id = {line.requirement.id: line for line in coverage(results, FILES, later)}
    assert by_id["sc-7.10"].verdict is Verdict.NOT_RUN
    assert "stale: 32 days old, at most 31" in by_id["sc-7.10"].reasons[0]
    assert by_id["sc-7.5"].verdict is Verdict.PASS, "a quarter, where a requirement does not say less"
    assert by_id["sc-7.10"].age_days(later) == 32


def test_a_result_of_the_future_proves_nothing(run: Run) -> None:
    inputs = run()
    assert inputs.dossier is not None
    results = results_of(inputs.probe_results, inputs.dossier, inputs.collected)
    lines = coverage(results, FILES, inputs.collected - timedelta(hours=3))
    assert {line.verdict for line in lines if line.requirement.tests} == {Verdict.INVALID}


def test_selectors_mean_what_they_say() -> None:
    known = {result.id: result for result in universe(load_region("lab"), CHECKOUT / "tests")}
    cell = known["gpu-1/dns4-TXT/192.0.2.21:53"]
    assert all(
        matches(text, cell)
        for text in ("cells:all", "cells:control=resolver", "cells:host=gpu-1", "cells:kind=dns", "cells:catalogue=EG-42")
    )
    assert not any(
        matches(text, cell) for text in ("cells:control=output", "cells:host=gpu-2", "cells:kind=tcp", "host:test_x", "id:policy/pack")
    )
    outcome = Result(id="tests/a/test_b.py::test_c[x::y]", verdict=Verdict.PASS, time=cell.time)
    assert matches("pytest:tests/a/test_b.py::test_c", outcome)
    assert matches("pytest:tests/a/test_b.py", outcome)
    assert not matches("pytest:tests/a/test_b.py::test_", outcome)
    assert not matches("cells:all", outcome)


def test_coverage_as_json_says_who_has_to_review(run: Run) -> None:
    inputs = run()
    assert inputs.dossier is not None
    lines = coverage(results_of(inputs.probe_results, inputs.dossier, inputs.collected), FILES, inputs.collected)
    told = document(lines, inputs.collected)
    assert all(entry["needs_review"] for entry in told["requirements"])
    assert {entry["framework"] for entry in told["frameworks"]} == {"gdpr", "nis2", "nist-800-53", "nist-ai-rmf", "nist-ai-600-1"}


JUNIT = """<?xml version="1.0"?><testsuites><testsuite name="pytest" timestamp="{time}">
<testcase classname="tests.unit.a.test_b" name="test_c[x]" time="0.1"/>
<testcase classname="tests.unit.a.test_b" name="test_d" time="0.1"><failure message="no">trace</failure></testcase>
<testcase classname="tests.unit.a.test_b" name="test_e" time="0.1"><skipped message="needs root"/></testcase>
</testsuite></testsuites>"""


def test_pytest_reports_are_read_with_their_time_and_the_newest_counts(tmp_path: Path) -> None:
    old, new = tmp_path / "old.xml", tmp_path / "new.xml"
    old.write_text(JUNIT.format(time="2030-01-01T00:00:00+00:00"), encoding="utf-8")
    new.write_text(JUNIT.format(time="2030-01-02T00:00:00+00:00").replace('<failure message="no">trace</failure>', ""), encoding="utf-8")
    found = {outcome.id: outcome for outcome in read_reports([new, old])}
    assert {name.rpartition("::")[2]: str(outcome.verdict) for name, outcome in found.items()} == {
        "test_c[x]": "PASS", "test_d": "PASS", "test_e": "NOT_RUN",
    }  # fmt: skip
    assert isinstance(found["tests/unit/a/test_b.py::test_e"], TestOutcome)
    assert found["tests/unit/a/test_b.py::test_e"].reason == "needs root"
    assert {outcome.time.day for outcome in found.values()} == {2}


def test_a_file_that_could_not_be_collected_fails_every_claim_that_rests_on_it(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    case = '<testcase classname="" name="tests.unit.a.test_b" time="0"><error message="collection failure">E</error></testcase>'
    path.write_text(f'<testsuite timestamp="2030-01-01T00:00:00+00:00">{case}</testsuite>', encoding="utf-8")
    (outcome,) = read_report(path)
    assert (outcome.id, outcome.verdict) == ("tests/unit/a/test_b.py", Verdict.FAIL)
    assert matches("pytest:tests/unit/a/test_b.py", Result(id=outcome.id, verdict=outcome.verdict, time=outcome.time))


@pytest.mark.parametrize(
    "text",
    ["", "<x/>", JUNIT, '<!DOCTYPE a [<!ENTITY b "c">]><testsuite timestamp="2030-01-01T00:00:00"/>',
     JUNIT.format(time="2030-01-01T00:00:00").replace("tests.unit", "elsewhere")],
)  # fmt: skip
def test_what_is_no_report_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="not a test report"):
        read_report(path)


def test_a_requirement_says_either_what_shows_it_or_what_people_must_show() -> None:
    with pytest.raises(ValidationError):
        Requirement(id="x-1", cite="Art. 1", asks="something that nobody shows at all")
