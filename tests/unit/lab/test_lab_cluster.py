"""If these fail, the lab's cluster calls itself enforced without having seen it, or reads its datapath's records wrongly."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from curtilage.commands.enforcement import enforcement, said
from curtilage.commands.up_platform import PlatformOutcome
from curtilage.errors import StepError
from curtilage.probes.pod_cells import BY_CLUSTER_POLICY, BY_POLICY, Lateral, lateral, outward, streamed
from curtilage.region import load_region
from curtilage.verdict import Verdict
from lab.kubernetes import build, drops, trial

DENIED = [BY_POLICY]


@pytest.mark.parametrize(
    ("expected", "before", "before_heard", "under", "under_heard", "said"),
    [
        (Verdict.PASS, "000", True, "110", False, DENIED),
        (Verdict.FAIL, "000", True, "000", True, []),
        (Verdict.FAIL, "000", True, "110", True, DENIED),
        (Verdict.FAIL, "000", True, "000", False, DENIED),
        (Verdict.INVALID, "110", False, "110", False, DENIED),
        (Verdict.INVALID, "000", False, "110", False, DENIED),
        (Verdict.INVALID, "000", True, "110", False, []),
        (Verdict.INVALID, "000", True, "110", False, ["Stale or unroutable IP"]),
    ],
)
def test_a_trial_passes_only_with_its_control_its_silence_and_its_record(
    expected: Verdict, before: str, before_heard: bool, under: str, under_heard: bool, said: list[str]
) -> None:
    verdict, reason = trial.judge(before, before_heard, under, under_heard, said)
    assert verdict is expected
    assert reason


def test_an_answer_that_was_not_kept_is_not_run(tmp_path: Path) -> None:
    assert trial.read(tmp_path / "none")[0] is Verdict.NOT_RUN
    (tmp_path / "cut").write_text('{"verdict": "PA', encoding="utf-8")
    assert trial.read(tmp_path / "cut")[0] is Verdict.NOT_RUN
    trial.write(tmp_path / "kept", (Verdict.FAIL, "why"))
    assert trial.read(tmp_path / "kept") == (Verdict.FAIL, "why")


def test_a_drop_record_names_its_packet_and_anything_else_is_no_record(tmp_path: Path) -> None:
    record = {
        "type": "drop",
        "reason": "Policy denied",
        "summary": {"tcp": "{...}", "l3": {"src": "10.244.0.9", "dst": "203.0.113.7"}, "l4": {"src": "40000", "dst": "443"}},
    }
    log = tmp_path / "drops.jsonl"
    lines = [json.dumps(record), "Press Ctrl-C to quit", json.dumps({"type": "drop", "reason": "Policy denied"}), json.dumps(record)[:-5]]
    log.write_text("\n".join(lines), encoding="utf-8")
    assert drops.read(log) == [drops.Drop(source="10.244.0.9", destination="203.0.113.7", protocol="tcp", port=443, reason="Policy denied")]
    assert drops.read(log, skip=1) == []
    assert drops.lines(log) == 3, "a line still being written is not one"


def test_every_cell_from_pods_is_named_once_and_has_its_own_packet() -> None:
    cells = [cell for number, place in enumerate(("workload", "gateway", "init")) for cell in outward(place, number)]
    cells += streamed("rollout", 3, "EG-21")
    path = Lateral(source="workload", destination="evidence", port=8443, allowed=False)
    cells += lateral(path, ("10.244.0.9", "fd00:244::9"))
    assert len({cell.id for cell in cells}) == len(cells)
    assert len({(cell.host, cell.kind, cell.target, cell.port) for cell in cells}) == len(cells)
    assert {cell.family for cell in cells} == {4, 6}


def test_who_must_have_stopped_a_packet_goes_with_where_it_was_for() -> None:
    for control, reason in (("network-policy", BY_POLICY), ("cluster-policy", BY_CLUSTER_POLICY)):
        path = Lateral(source="workload", destination="evidence", port=8443, allowed=False, control=control)
        (cell,) = lateral(path, ("10.244.0.9",))
        assert cell.counter == reason
    assert {cell.counter for cell in outward("gateway", 0)} == {BY_CLUSTER_POLICY}


@pytest.mark.parametrize(("found", "sealed"), [((Verdict.FAIL, "ignores"), False), ((Verdict.PASS, "enforced"), True)])
def test_a_region_on_a_cluster_that_ignores_policies_fails_and_is_said_not_to_be_sealed(found: tuple[Verdict, str], sealed: bool) -> None:
    region = load_region("lab-k8s")
    decision = cast(Any, SimpleNamespace(verdict=Verdict.PASS, document=dict))
    outcome = PlatformOutcome(region=region, decision=decision, changes={}, unchanged=True, packets=found)
    assert outcome.verdict is (Verdict.NOT_RUN if sealed else Verdict.FAIL)
    assert outcome.document()["packets"] == {"verdict": str(found[0]), "reason": found[1]}
    assert any("not sealed" in line for line in said(region, found)) is not sealed


def test_no_other_cluster_is_tried_by_us() -> None:
    assert enforcement(load_region("fr-paris")) is None
    assert enforcement(load_region("lab")) is None


def test_what_a_module_is_corrected_by_is_refused_where_the_text_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, found, meant = build.CORRECTED
    module = tmp_path / "module"
    (module / file).parent.mkdir(parents=True)
    monkeypatch.setattr(build, "_directory", lambda *_: module)
    monkeypatch.setattr(build, "_go", lambda *_: None)
    (module / file).write_text(f"before\n{found}after\n", encoding="utf-8")
    pins = build._corrected(tmp_path / "one", tmp_path / "log")
    assert (pins.parent / "cilium" / file).read_text(encoding="utf-8") == f"before\n{meant}after\n"
    assert pins.read_text(encoding="utf-8").endswith(f"replace {build.CILIUM[1]} => {pins.parent / 'cilium'}\n")
    (module / file).write_text("another release\n", encoding="utf-8")
    with pytest.raises(StepError, match="is not the one to correct"):
        build._corrected(tmp_path / "two", tmp_path / "log")
