"""Requirement → artefact → test ids → last result → age. What is missing shows as missing; what is old shows as stale.

A line is PASS only when every artefact is in the bundle and every selector found results that are PASS and young enough. A requirement
that only people can meet is NOT_RUN here, whatever else is green.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from curtilage.evidence.requirements import Framework, Requirement, every_requirement, mapping_digest
from curtilage.verdict import Verdict, worst

STAMP = "%Y-%m-%dT%H:%M:%SZ"
_HOST_TEST = re.compile(r"host/(test_[a-z0-9_]+)(\[.*\])?", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Result:
    """The last result of one test id.

    Attributes:
        id: a cell's, a host test's, a decision's, or a pytest id.
        verdict: of the lattice.
        time: when it was seen.
        control: for a cell, the control that has to stop the packet.
        catalogue: for a cell, the way out it exercises.
    """

    id: str
    verdict: Verdict
    time: datetime
    control: str = ""
    catalogue: str = ""


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What came of one selector of a requirement."""

    selector: str
    ids: tuple[str, ...]
    verdict: Verdict
    oldest: datetime | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One requirement and what stands behind it."""

    framework: Framework
    requirement: Requirement
    artefacts: tuple[tuple[str, bool], ...]
    tests: tuple[Tested, ...]
    verdict: Verdict
    reasons: tuple[str, ...]

    def age_days(self, now: datetime) -> int | None:
        """Days since the oldest result this line rests on; None where there is none."""
        times = [test.oldest for test in self.tests if test.oldest is not None]
        return max(0, (now - min(times)).days) if times else None

    def document(self, now: datetime) -> dict[str, Any]:
        """The line as JSON."""
        return {
            "age_days": self.age_days(now),
            "artefacts": [{"name": name, "present": present} for name, present in self.artefacts],
            "asks": self.requirement.asks,
            "cite": self.requirement.cite,
            "framework": self.framework.framework,
            "id": self.requirement.id,
            "needs_review": not self.requirement.read or self.framework.counsel_reviewed is None,
            "people": self.requirement.people,
            "reasons": list(self.reasons),
            "tests": [
                {
                    "oldest": None if test.oldest is None else test.oldest.strftime(STAMP),
                    "results": len(test.ids),
                    "selector": test.selector,
                    "verdict": str(test.verdict),
                }
                for test in self.tests
            ],
            "verdict": str(self.verdict),
        }


def matches(selector: str, result: Result) -> bool:
    """Whether a selector means a result."""
    kind, _, wanted = selector.partition(":")
    if kind == "id":
        return result.id == wanted
    if kind == "host":
        found = _HOST_TEST.fullmatch(result.id)
        return found is not None and found[1] == wanted
    if kind == "pytest":
        return result.id == wanted or result.id.startswith((f"{wanted}[", f"{wanted}::"))
    if not result.control:
        return False
    key, _, value = wanted.partition("=")
    return {
        "all": True,
        "control": result.control == value,
        "catalogue": result.catalogue == value,
        "host": result.id.split("/", 1)[0] == value,
        "kind": result.id.split("/", 2)[1].split("-")[0].rstrip("46") == value if result.id.count("/") >= 2 else False,
    }[key]


def coverage(results: Iterable[Result], files: Collection[str], now: datetime) -> list[Line]:
    """Every requirement's line.

    Args:
        results: the last result of every test id that is known.
        files: names of what the bundle holds.
        now: the time at which results are judged old.
    """
    known = list(results)
    return [_line(framework, requirement, known, files, now) for framework, requirement in every_requirement()]


def _line(framework: Framework, requirement: Requirement, results: Sequence[Result], files: Collection[str], now: datetime) -> Line:
    if requirement.organisational:
        return Line(
            framework=framework, requirement=requirement, artefacts=(), tests=(), verdict=Verdict.NOT_RUN,
            reasons=(f"to be shown by people: {requirement.people}",),
        )  # fmt: skip
    artefacts = tuple((name, any(fnmatchcase(file, name) for file in files)) for name in requirement.artefacts)
    tests = tuple(_tested(selector, results, requirement.max_age_days, now) for selector in requirement.tests)
    missing = [f"missing: {name}" for name, present in artefacts if not present]
    reasons = missing + [f"{test.selector}: {test.reason}" for test in tests if test.verdict is not Verdict.PASS]
    verdict = worst([*(test.verdict for test in tests), *([Verdict.NOT_RUN] if missing else [])])
    return Line(
        framework=framework, requirement=requirement, artefacts=artefacts, tests=tests, verdict=verdict, reasons=tuple(reasons)
    )  # fmt: skip


def _tested(selector: str, results: Sequence[Result], max_age_days: int, now: datetime) -> Tested:
    found = [result for result in results if matches(selector, result)]
    if not found:
        return Tested(selector=selector, ids=(), verdict=Verdict.NOT_RUN, oldest=None, reason="no result")
    oldest = min(result.time for result in found)
    verdict = worst(result.verdict for result in found)
    reason = ""
    if verdict is not Verdict.PASS:
        bad = [result for result in found if result.verdict is not Verdict.PASS]
        reason = f"{len(bad)} of {len(found)} not PASS, first {bad[0].id}"
    elif (now - oldest).total_seconds() > max_age_days * 86400:
        verdict, reason = Verdict.NOT_RUN, f"stale: {(now - oldest).days} days old, at most {max_age_days}"
    elif (oldest - now).total_seconds() > 300:
        verdict, reason = Verdict.INVALID, f"dated {oldest.strftime(STAMP)}, which lies in the future"
    return Tested(selector=selector, ids=tuple(result.id for result in found), verdict=verdict, oldest=oldest, reason=reason)


def document(lines: Sequence[Line], now: datetime) -> dict[str, Any]:
    """All lines as one JSON document."""
    return {
        "at": now.strftime(STAMP),
        "frameworks": [
            {
                "counsel_reviewed": None if framework.counsel_reviewed is None else framework.counsel_reviewed.isoformat(),
                "framework": framework.framework,
                "source": framework.source,
                "title": framework.title,
            }
            for framework in {line.framework.framework: line.framework for line in lines}.values()
        ],
        "mapping": mapping_digest(),
        "requirements": [line.document(now) for line in lines],
    }
