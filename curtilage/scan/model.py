"""What a scan says: findings with a place, a severity, the endpoints and fields they name, and whether anything could not be told."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class Severity(IntEnum):
    """How bad a finding is; ordered, so that ``--fail-on`` is a comparison."""

    NOTE = 1
    LOW = 2
    MEDIUM = 3
    HIGH = 4
    CRITICAL = 5

    @property
    def label(self) -> str:
        """Lower case, as the command line and the reports write it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A file below the scanned directory, and a line and column that start at one."""

    path: str
    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One way out, or one thing the scanner could not tell.

    Args:
        rule: the rule's id.
        place: where.
        message: what leaves, and to where.
        severity: how bad.
        symbol: what the finding is about, without line numbers; makes the fingerprint survive edits elsewhere in the file.
        endpoints: where to, as far as resolved; ``{...}`` stands for what is not known.
        vendor: the AI service, ``suspected`` when only names speak for it, ``None`` when it is none.
        fields: sensitive fields that would go along.
        mitigations: what already reduces it (``user-mode``, ``strip-inaccessible``).
        cannot_tell: the scanner could not decide; never to be read as harmless.
        context: how the code is reached (``future``, ``queueable``, ``batch``, ...).
        trace: places on the way from source to sink.
    """

    rule: str
    place: Place
    message: str
    severity: Severity
    symbol: str
    endpoints: tuple[str, ...] = ()
    vendor: str | None = None
    fields: tuple[str, ...] = ()
    mitigations: tuple[str, ...] = ()
    cannot_tell: bool = False
    context: tuple[str, ...] = ()
    trace: tuple[Place, ...] = ()

    def fingerprint(self, occurrence: int = 0) -> str:
        """Stable over edits elsewhere: rule, path, symbol and how many alike came before it in the file."""
        text = "\0".join((self.rule, self.place.path, self.symbol, str(occurrence)))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Reported:
    """A finding with its fingerprint, and why it does not count, if it does not."""

    finding: Finding
    fingerprint: str
    suppressed: str | None = None
    baseline: bool = False

    @property
    def counts(self) -> bool:
        """Whether it may fail the scan."""
        return self.suppressed is None and not self.baseline

    def document(self) -> dict[str, Any]:
        """As the JSON report writes it."""
        found = self.finding
        return {
            "rule": found.rule,
            "severity": found.severity.label,
            "path": found.place.path,
            "line": found.place.line,
            "column": found.place.column,
            "message": found.message,
            "symbol": found.symbol,
            "endpoints": list(found.endpoints),
            "ai": found.vendor,
            "sensitive_fields": list(found.fields),
            "mitigations": list(found.mitigations),
            "cannot_tell": found.cannot_tell,
            "context": list(found.context),
            "trace": [{"path": place.path, "line": place.line, "column": place.column} for place in found.trace],
            "fingerprint": self.fingerprint,
            "suppressed": self.suppressed,
            "baseline": self.baseline,
        }


@dataclass(slots=True)
class Suppression:
    """A comment that takes findings out of the count, with the reason it gives."""

    path: str
    lines: tuple[int, int]  # first and last line it covers
    rules: frozenset[str]
    reason: str


@dataclass(slots=True)
class Counts:
    """What was looked at."""

    files: int = 0
    apex: int = 0
    metadata: int = 0
    web: int = 0
    skipped: int = 0
    bytes: int = 0
    mitigated: list[str] = field(default_factory=list)
