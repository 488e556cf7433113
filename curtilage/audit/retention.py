"""How long a matter is kept once it is closed: the longest period its jurisdiction's file names, or the owner's where it names none.

A legal hold outlasts every period. The ledger itself is never cut: it has identifiers and commitments, which mean nothing once the matter's
secret is gone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from curtilage.errors import ConfigError
from curtilage.jurisdiction import load_jurisdiction
from curtilage.matters.model import Matter, Snapshot

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Retention:
    """Where a matter stands."""

    matter: str
    jurisdiction: str
    state: str  # open, held, retained, due, shredded, undecided
    days: int | None
    ends_at: float | None


def retention_of(matter: Matter, *, days: int | None = None, now: float | None = None) -> Retention:
    """Whether a matter may be shredded, and from when on.

    Args:
        matter: from the directory.
        days: the owner's period; one shorter than the law's is not taken.
        now: seconds since 1970; the host's clock unless given.
    """
    now = time.time() if now is None else now
    lawful = load_jurisdiction(matter.jurisdiction).retention_days
    if days is not None and lawful is not None and days < lawful:
        raise ConfigError(
            f"{days} days for a matter of {matter.jurisdiction}",
            rule=f"its jurisdiction's file names {lawful} days",
            fix="name at least as many",
        )
    period = days if days is not None else lawful
    if matter.shredded_at is not None:
        state, ends = "shredded", None
    elif matter.is_open or matter.closed_at is None:
        state, ends = "open", None
    elif period is None:
        state, ends = "undecided", None
    else:
        ends = matter.closed_at + period * _DAY
        state = "due" if now >= ends else "retained"
    if matter.legal_hold and state != "shredded":
        state = "held"
    return Retention(matter.id, matter.jurisdiction, state, period, ends)


def all_retentions(directory: Snapshot, now: float | None = None) -> list[Retention]:
    """Every matter's state."""
    return [retention_of(matter, now=now) for matter in directory.matters.values()]


def shreddable_from(matter: Matter, *, days: int | None = None, now: float | None = None) -> float:
    """When the matter may be shredded; a message for whoever asks too early, or without a period."""
    found = retention_of(matter, days=days, now=now)
    if found.ends_at is None or found.state not in ("due", "retained"):
        raise ConfigError(
            f"matter {matter.id} is {found.state}",
            rule="a matter is shredded when it is closed, free of legal hold, and past a retention that somebody has named",
            fix="close it, wait, or name --retention-days where its jurisdiction's file has no period",
        )
    return found.ends_at
