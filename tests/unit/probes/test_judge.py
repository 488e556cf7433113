"""Silence alone never passes (breaks: 'a negative probe counts only with a control, a canary and attribution')."""

from __future__ import annotations

import dataclasses

import pytest

from curtilage.probes.cells import Cell
from curtilage.probes.judge import Observation, judge
from curtilage.verdict import Verdict

CELL = Cell(
    host="crm-1", kind="tcp", family=4, target="198.51.100.7", port=443, control="output", counter="output_drop_ip4",
    counter_host="crm-1", expected=frozenset({"timeout"}), catalogue="EG-36",
)  # fmt: skip
STOPPED = Observation(signature="timeout", canary_hits=0, path_control=True, tool_control=True, attributed=1)


def test_a_stopped_seen_and_attributed_packet_passes() -> None:
    assert judge(CELL, STOPPED)[0] is Verdict.PASS


@pytest.mark.parametrize(
    ("change", "verdict", "word"),
    [
        ({"canary_hits": 1}, Verdict.FAIL, "canary"),
        ({"signature": "connected"}, Verdict.FAIL, "connected"),
        ({"signature": "answered"}, Verdict.FAIL, "answered"),
        ({"signature": None}, Verdict.INVALID, "did not run"),
        ({"path_control": False}, Verdict.INVALID, "path control"),
        ({"tool_control": False}, Verdict.INVALID, "tool control"),
        ({"signature": "unreachable"}, Verdict.INVALID, "unexpected"),
        ({"signature": "error:gaierror"}, Verdict.INVALID, "unexpected"),
        ({"attributed": 0}, Verdict.INVALID, "did not move"),
        ({"attributed": None}, Verdict.INVALID, "could not be read"),
    ],
)
def test_anything_missing_is_not_a_pass(change: dict[str, object], verdict: Verdict, word: str) -> None:
    found, reason = judge(CELL, dataclasses.replace(STOPPED, **change))  # type: ignore[arg-type]
    assert (found, word in reason) == (verdict, True), reason


def test_a_heard_packet_fails_even_without_any_control() -> None:
    nothing_else = Observation(signature=None, canary_hits=1, path_control=False, tool_control=False, attributed=None)
    assert judge(CELL, nothing_else)[0] is Verdict.FAIL
