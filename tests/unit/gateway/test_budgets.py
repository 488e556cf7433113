"""Budgets: a bucket of one minute's worth that refills evenly, shared among workers, never charged for a call that is refused."""

from __future__ import annotations

import pytest

from curtilage.gateway.config import Budget, Budgets
from curtilage.gateway.pressure import BudgetKeeper, later_headers
from curtilage.gateway.reasons import Reason, Refusal


def refused(keeper: BudgetKeeper, now: float, *, identity: str = "a", matter: str = "m", size: int = 0) -> Refusal | None:
    try:
        keeper.take(identity, matter, size, now)
    except Refusal as refusal:
        return refusal
    return None


def test_a_minutes_calls_are_taken_at_once_and_come_back_evenly() -> None:
    keeper = BudgetKeeper(Budgets(identity=Budget(calls_per_minute=6)))
    assert [refused(keeper, 0.0) for _ in range(6)] == [None] * 6
    found = refused(keeper, 0.0)
    assert found is not None
    assert (found.reason, found.status, found.allowance) == (Reason.BUDGET_EXHAUSTED, 429, (6, 0))
    assert found.retry_after_seconds == pytest.approx(10.0)
    assert refused(keeper, 9.9) is not None
    assert refused(keeper, 10.1) is None
    assert refused(keeper, 0.0, identity="b") is None, "another's budget is its own"


def test_a_call_refused_by_one_budget_is_charged_to_none() -> None:
    keeper = BudgetKeeper(Budgets(identity=Budget(calls_per_minute=2), matter=Budget(calls_per_minute=1)))
    assert refused(keeper, 0.0, matter="m") is None
    assert refused(keeper, 0.0, matter="m") is not None
    assert refused(keeper, 0.0, matter="n") is None, "the refused call left the identity's budget alone"


def test_what_came_back_is_charged_and_owed() -> None:
    keeper = BudgetKeeper(Budgets(matter=Budget(kilobytes_per_minute=60)))
    assert refused(keeper, 0.0, size=1024) is None
    keeper.charge("a", "m", 100 * 1024, 0.0)
    assert refused(keeper, 30.0, size=1024) is not None
    assert refused(keeper, 45.0, size=1024) is None


def test_a_body_larger_than_the_whole_budget_passes_once_and_then_waits() -> None:
    keeper = BudgetKeeper(Budgets(matter=Budget(kilobytes_per_minute=10)))
    assert refused(keeper, 0.0, size=30 * 1024) is None
    assert refused(keeper, 60.0, size=1024) is not None
    assert refused(keeper, 190.0, size=1024) is None


def test_workers_share_a_budget_and_a_clock_that_goes_back_gives_nothing() -> None:
    keeper = BudgetKeeper(Budgets(identity=Budget(calls_per_minute=4)), workers=2)
    assert [refused(keeper, 100.0) is None for _ in range(3)] == [True, True, False]
    assert refused(keeper, 0.0) is not None


def test_only_a_refusal_that_passes_says_when_to_come_again() -> None:
    assert later_headers("openai", Refusal(Reason.ETHICAL_WALL, "no")) == []
    busy = Refusal(Reason.BUSY, "busy", retry_after_seconds=0.2)
    assert later_headers("openai", busy) == [(b"retry-after", b"1")]
