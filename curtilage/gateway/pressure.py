"""What one identity and one matter may use, and how each dialect tells a caller to come again later.

Official SDKs wait for ``retry-after``; the other headers are what each vendor documents beside its 429 (OpenAI: rate limits guide;
Anthropic: rate limits, response headers). They speak of the budget that refused the call, of nothing else.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from curtilage.gateway.config import Budget, Budgets
from curtilage.gateway.reasons import Reason, Refusal

_MOST_BUCKETS = 65536


@dataclass(slots=True)
class _Bucket:
    """Tokens that refill evenly; it may go below zero, when a call turns out larger than was known at its start."""

    level: float
    at: float

    def refill(self, per_second: float, most: float, now: float) -> None:
        self.level = min(most, self.level + max(0.0, now - self.at) * per_second)
        self.at = now


class BudgetKeeper:
    """Keeps the budgets of one worker.

    Args:
        budgets: from the configuration.
        workers: how many workers share them; each keeps its part.
    """

    def __init__(self, budgets: Budgets, workers: int = 1) -> None:
        self._budgets = (("identity", budgets.identity), ("matter", budgets.matter))
        self._idle = budgets == Budgets()
        self._workers = workers
        self._buckets: OrderedDict[tuple[str, str, str], _Bucket] = OrderedDict()

    def take(self, identity: str, matter: str, size: int, now: float | None = None) -> None:
        """Charge a call that begins; refused when a budget is used up, and then nothing is charged.

        Args:
            identity: whose call.
            matter: on which matter.
            size: bytes received.
            now: seconds of a clock that only goes forward.
        """
        if self._idle:
            return
        now = time.monotonic() if now is None else now
        due = self._due(identity, matter, size, now)
        for bucket, amount, per_minute, kind in due:
            # A body larger than a whole minute's worth is let through on a full bucket, which then owes it.
            if bucket.level < min(amount, per_minute):
                self._refuse(bucket, min(amount, per_minute), per_minute, kind)
        for bucket, amount, _, _ in due:
            bucket.level -= amount

    def charge(self, identity: str, matter: str, size: int, now: float | None = None) -> None:
        """Charge what came back; whatever it was, it was used."""
        if self._idle:
            return
        now = time.monotonic() if now is None else now
        for bucket, amount, _, kind in self._due(identity, matter, size, now):
            if kind.endswith("kilobytes"):
                bucket.level -= amount

    def _due(self, identity: str, matter: str, size: int, now: float) -> list[tuple[_Bucket, float, float, str]]:
        found = []
        for (scope, budget), subject in zip(self._budgets, (identity, matter), strict=True):
            for kind, per_minute, amount in _kinds(budget, size):
                most = per_minute / self._workers
                bucket = self._bucket((scope, kind, subject), most, now)
                found.append((bucket, amount, most, f"{scope}'s {kind}"))
        return found

    def _bucket(self, key: tuple[str, str, str], most: float, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(most, now)
            if len(self._buckets) > _MOST_BUCKETS:
                self._buckets.popitem(last=False)  # the one unused for longest: it has refilled
        else:
            bucket.refill(most / 60, most, now)
            self._buckets.move_to_end(key)
        return bucket

    def _refuse(self, bucket: _Bucket, amount: float, per_minute: float, kind: str) -> None:
        wait = (amount - bucket.level) / (per_minute / 60)
        allowance = (math.floor(per_minute), max(0, math.floor(bucket.level))) if kind.endswith("calls") else None
        raise Refusal(
            Reason.BUDGET_EXHAUSTED,
            f"the {kind} of this minute are used up; ask again in {wait:.0f} seconds, or have the budget raised",
            retry_after_seconds=wait,
            allowance=allowance,
        )


def _kinds(budget: Budget, size: int) -> list[tuple[str, float, float]]:
    found: list[tuple[str, float, float]] = []
    if budget.calls_per_minute is not None:
        found.append(("calls", float(budget.calls_per_minute), 1.0))
    if budget.kilobytes_per_minute is not None:
        found.append(("kilobytes", float(budget.kilobytes_per_minute), size / 1024))
    return found


def later_headers(surface: str, refusal: Refusal) -> list[tuple[bytes, bytes]]:
    """The headers with which a dialect says when to come again; none for a refusal that will not pass."""
    wait = refusal.retry_after_seconds
    if wait is None:
        return []
    seconds = max(1, math.ceil(wait))
    headers = [(b"retry-after", str(seconds).encode())]
    if refusal.allowance is None:
        return headers
    limit, left = (str(number).encode() for number in refusal.allowance)
    if surface == "anthropic":
        reset = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds").replace("+00:00", "Z")
        prefix, when = b"anthropic-ratelimit-requests-", reset.encode()
        return [*headers, (prefix + b"limit", limit), (prefix + b"remaining", left), (prefix + b"reset", when)]
    return [
        *headers,
        (b"retry-after-ms", str(math.ceil(wait * 1000)).encode()),
        (b"x-ratelimit-limit-requests", limit),
        (b"x-ratelimit-remaining-requests", left),
        (b"x-ratelimit-reset-requests", f"{seconds}s".encode()),
    ]
