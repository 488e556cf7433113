"""The verdict lattice shared by the proof, the probes and the evidence (docs/architecture.md, 'Verdicts')."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """One answer about one claim, worst first when compared by :func:`worst`."""

    FAIL = "FAIL"
    INVALID = "INVALID"
    NOT_PROVEN = "NOT_PROVEN"
    NOT_RUN = "NOT_RUN"
    PASS = "PASS"  # noqa: S105 -- a verdict, not a password

    @property
    def exit_code(self) -> int:
        """0 PASS, 1 FAIL, 3 for anything that is not evidence either way."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1}.get(self, 3)


_SEVERITY = list(Verdict)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of the verdicts; nothing at all is NOT_RUN, never PASS."""
    found = list(verdicts)
    return min(found, key=_SEVERITY.index) if found else Verdict.NOT_RUN
