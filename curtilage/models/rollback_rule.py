"""When a new version of a model is taken back by itself: more errors, slower answers, or a worse evaluation than the version before.

A pure function of what was measured. Too few calls decide nothing (NOT-PROVEN: keep watching), except when they are bad enough already:
failures are held against the allowed rate by exact binomial tails (Clopper and Pearson, Biometrika 26, 1934), so that three failures out
of three count and one out of three does not. Approximate intervals are wrong just there, at few calls and small rates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from curtilage.verdict import Verdict, worst

_DOUBT = 0.025  # in each direction
_Finite = Annotated[float, Field(allow_inf_nan=False)]


class Measured(BaseModel):
    """What is known of one version.

    Attributes:
        calls: calls that reached it and were not ended by their caller.
        failed: those it did not answer.
        p95_milliseconds: 95th percentile of the time of answered calls; None when none was answered.
        evaluation: its score on the held-back evaluation, higher is better; None when it was not evaluated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    calls: Annotated[int, Field(ge=0)]
    failed: Annotated[int, Field(ge=0)]
    p95_milliseconds: Annotated[_Finite, Field(ge=0)] | None = None
    evaluation: _Finite | None = None

    @model_validator(mode="after")
    def _no_more_failures_than_calls(self) -> Measured:
        if self.failed > self.calls:
            raise ValueError("more calls failed than were made")
        return self


class Limits(BaseModel):
    """How much worse a version may be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    error_rate_rise: Annotated[_Finite, Field(ge=0, le=1)] = 0.02
    latency_factor: Annotated[_Finite, Field(ge=1)] = 1.5
    evaluation_drop: Annotated[_Finite, Field(ge=0)] = 0.02
    calls_for_latency: Annotated[int, Field(ge=1)] = 50


class Judgement(BaseModel):
    """FAIL means: take it back. NOT_PROVEN means: keep it, keep watching. Reasons are one line each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: Verdict
    reasons: tuple[str, ...]


def judge(before: Measured, after: Measured, limits: Limits | None = None) -> Judgement:
    """Whether the version ``after`` may stay, given the version ``before``."""
    limits = limits or Limits()
    parts = (_errors(before, after, limits), _latency(before, after, limits), _evaluation(before, after, limits))
    return Judgement(verdict=worst(verdict for verdict, _ in parts), reasons=tuple(f"{verdict}: {reason}" for verdict, reason in parts))


def tails(failed: int, calls: int, rate: float) -> tuple[float, float]:
    """The chances of at most, and of at least, so many failures if each call failed with this rate."""
    if rate <= 0 or rate >= 1:
        certain = 0 if rate <= 0 else calls
        return float(certain <= failed), float(certain >= failed)

    def chance(number: int) -> float:
        ways = math.lgamma(calls + 1) - math.lgamma(number + 1) - math.lgamma(calls - number + 1)
        return math.exp(ways + number * math.log(rate) + (calls - number) * math.log1p(-rate))

    at_most = math.fsum(chance(number) for number in range(failed + 1))
    at_least = math.fsum(chance(number) for number in range(failed, calls + 1))
    return min(1.0, at_most), min(1.0, at_least)


def _errors(before: Measured, after: Measured, limits: Limits) -> tuple[Verdict, str]:
    # Without calls before, the comparison is with a version that never failed: the new one has to earn its place.
    allowed = (before.failed / before.calls if before.calls else 0.0) + limits.error_rate_rise
    at_most, at_least = tails(after.failed, after.calls, allowed)
    said = f"{after.failed} of {after.calls} calls failed, {allowed:.1%} are allowed"
    if at_least < _DOUBT and after.failed > 1:  # one failure alone may be a cable
        return Verdict.FAIL, said
    return (Verdict.PASS if at_most < _DOUBT else Verdict.NOT_PROVEN), said + ("" if at_most < _DOUBT else "; too few calls to tell")


def _latency(before: Measured, after: Measured, limits: Limits) -> tuple[Verdict, str]:
    answered = min(before.calls - before.failed, after.calls - after.failed)
    if before.p95_milliseconds is None or after.p95_milliseconds is None or answered < limits.calls_for_latency:
        return Verdict.NOT_PROVEN, f"{answered} answered calls to compare times of, {limits.calls_for_latency} are needed"
    allowed = before.p95_milliseconds * limits.latency_factor
    said = f"95th percentile {after.p95_milliseconds:.0f} ms, {allowed:.0f} ms are allowed"
    return (Verdict.FAIL if after.p95_milliseconds > allowed else Verdict.PASS), said


def _evaluation(before: Measured, after: Measured, limits: Limits) -> tuple[Verdict, str]:
    if before.evaluation is None or after.evaluation is None:
        return Verdict.NOT_PROVEN, "not both versions were evaluated"
    allowed = before.evaluation - limits.evaluation_drop
    said = f"evaluation {after.evaluation:.4f}, {allowed:.4f} is allowed"
    return (Verdict.FAIL if after.evaluation < allowed else Verdict.PASS), said


def measured(rows: Iterable[Mapping[str, Any]], version: str, evaluation: float | None = None) -> Measured:
    """What the ledger's rows (`curtilage audit query --json`) say about one version.

    Only calls the model answered or failed count: a refusal, or a caller who went away, says nothing about the model.
    """
    answered: list[float] = []
    failed = 0
    for row in rows:
        if row.get("model_version") != version:
            continue
        if row.get("result") == "failed":
            failed += 1
        elif row.get("result") == "completed" and isinstance(row.get("milliseconds"), int | float):
            answered.append(float(row["milliseconds"]))
    answered.sort()
    p95 = answered[max(0, math.ceil(0.95 * len(answered)) - 1)] if answered else None
    return Measured(calls=len(answered) + failed, failed=failed, p95_milliseconds=p95, evaluation=evaluation)
