"""If these fail, a bad version stays, or a good one is taken back for nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from curtilage.models.rollback_rule import Limits, Measured, judge, measured, tails
from curtilage.verdict import Verdict

GOOD = Measured(calls=1000, failed=5, p95_milliseconds=800, evaluation=0.90)


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (GOOD, Verdict.PASS),
        (GOOD.model_copy(update={"failed": 60}), Verdict.FAIL),
        (GOOD.model_copy(update={"p95_milliseconds": 1201.0}), Verdict.FAIL),
        (GOOD.model_copy(update={"p95_milliseconds": 1199.0}), Verdict.PASS),
        (GOOD.model_copy(update={"evaluation": 0.87}), Verdict.FAIL),
        (GOOD.model_copy(update={"evaluation": 0.89}), Verdict.PASS),
        (GOOD.model_copy(update={"evaluation": None}), Verdict.NOT_PROVEN),
        (Measured(calls=0, failed=0), Verdict.NOT_PROVEN),
        (Measured(calls=3, failed=3), Verdict.FAIL),
        (Measured(calls=3, failed=1, p95_milliseconds=10), Verdict.NOT_PROVEN),
    ],
)
def test_a_version_is_judged_by_errors_latency_and_evaluation(after: Measured, verdict: Verdict) -> None:
    assert judge(GOOD, after).verdict is verdict


def test_one_bad_measure_outweighs_every_good_and_every_missing_one() -> None:
    slow = Measured(calls=500, failed=0, p95_milliseconds=5000, evaluation=None)
    found = judge(GOOD, slow)
    assert found.verdict is Verdict.FAIL
    assert sum(reason.startswith("FAIL") for reason in found.reasons) == 1


@given(st.integers(0, 400), st.floats(0, 1), st.data())
def test_the_tails_overlap_in_what_was_seen_alone(calls: int, rate: float, data: st.DataObject) -> None:
    failed = data.draw(st.integers(0, calls))
    at_most, at_least = tails(failed, calls, rate)
    below = tails(failed - 1, calls, rate)[0] if failed else 0.0
    assert below + at_least == pytest.approx(1, abs=1e-9)
    assert at_most >= below - 1e-12


def test_the_tails_are_those_of_the_binomial_distribution() -> None:
    assert tails(1, 3, 0.5) == pytest.approx((0.5, 0.875))
    assert tails(0, 0, 0.3) == pytest.approx((1.0, 1.0))


@given(st.integers(0, 300), st.integers(0, 300))
def test_more_failures_never_turn_a_failed_version_into_one_that_may_stay(fewer: int, more: int) -> None:
    fewer, more = sorted((fewer, more))
    first, second = (judge(GOOD, GOOD.model_copy(update={"calls": 300, "failed": failed})).verdict for failed in (fewer, more))
    if first is Verdict.FAIL:
        assert second is Verdict.FAIL


@pytest.mark.parametrize("wrong", [{"failed": 2000}, {"p95_milliseconds": float("nan")}, {"evaluation": float("inf")}, {"calls": -1}])
def test_measures_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Measured.model_validate(GOOD.model_dump() | wrong)


def test_limits_cannot_be_loosened_into_meaninglessness() -> None:
    with pytest.raises(ValidationError):
        Limits(error_rate_rise=2)


def test_the_ledgers_rows_give_the_measures_of_one_version() -> None:
    mine, other = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    rows = [{"model_version": mine, "result": "completed", "milliseconds": number} for number in range(1, 101)]
    rows += [
        {"model_version": mine, "result": result, "milliseconds": 9e9} for result in ("failed", "disconnected", "interrupted", "refused")
    ]
    rows += [{"model_version": other, "result": "failed"}, {"result": "completed", "milliseconds": 1}]
    assert measured(rows, mine, 0.5) == Measured(calls=101, failed=1, p95_milliseconds=95, evaluation=0.5)
