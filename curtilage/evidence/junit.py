"""Results of the product's own tests, as pytest's JUnit reports leave them: one id, one verdict, one time each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from xml.etree import ElementTree

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from curtilage.errors import ConfigError
from curtilage.paths import state_dir
from curtilage.verdict import Verdict

MAX_BYTES = 64 * 1024 * 1024
_CLASS = re.compile(r"tests(\.[A-Za-z0-9_]+)+")


class TestOutcome(BaseModel):
    """What came of one test, and when.

    ``id`` is pytest's: ``tests/unit/audit/test_note.py::test_…``, with ``[parameters]`` where it has some.
    """

    __test__ = False  # not a test of pytest's, whatever its name begins with
    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(min_length=1, max_length=2000)]
    verdict: Verdict
    time: AwareDatetime
    reason: Annotated[str, Field(max_length=400)] = ""


def reports() -> list[Path]:
    """Where ``make test`` leaves its reports, one a tier."""
    return sorted((state_dir() / "tests").glob("*.xml"))


def read_reports(paths: Iterable[Path]) -> list[TestOutcome]:
    """The newest outcome of every test of these reports."""
    newest: dict[str, TestOutcome] = {}
    for path in paths:
        for outcome in read_report(path):
            known = newest.get(outcome.id)
            if known is None or known.time < outcome.time or (known.time == outcome.time and known.verdict is Verdict.PASS):
                newest[outcome.id] = outcome
    return [newest[name] for name in sorted(newest)]


def read_report(path: Path) -> list[TestOutcome]:
    """One report.

    Raises:
        ConfigError: it is not a JUnit report of pytest's.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES} bytes")
        data = path.read_bytes()
        if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
            raise ValueError("a document type or an entity, which pytest never writes")
        root = ElementTree.fromstring(data)  # noqa: S314 - entities were refused above
        suites = [root] if root.tag == "testsuite" else list(root.iter("testsuite"))
        if not suites:
            raise ValueError("no test suite in it")
        return [_outcome(case, _time(suite)) for suite in suites for case in suite.iter("testcase")]
    except (OSError, ElementTree.ParseError, KeyError, ValueError) as error:
        raise ConfigError(
            f"not a test report: {error}", rule="a report is the JUnit file of pytest", fix="run the tests again", file=path
        ) from error


def _time(suite: ElementTree.Element) -> datetime:
    """When the suite began; pytest writes local time, with its offset since 8.2 and without it before."""
    when = datetime.fromisoformat(suite.attrib["timestamp"])
    return when if when.tzinfo else when.astimezone(UTC)


def _outcome(case: ElementTree.Element, time: datetime) -> TestOutcome:
    owner, name = case.attrib.get("classname", ""), case.attrib["name"]
    if not owner and _CLASS.fullmatch(name):  # a file that could not be collected: none of its tests ran
        return TestOutcome(id=f"{name.replace('.', '/')}.py", verdict=Verdict.FAIL, time=time, reason="could not be collected")
    if not _CLASS.fullmatch(owner):
        raise ValueError(f"{owner!r} is not a module under tests")
    verdict, reason = Verdict.PASS, ""
    for child in case:
        if child.tag in ("failure", "error"):
            verdict, reason = Verdict.FAIL, child.attrib.get("message", "")
            break
        if child.tag == "skipped":
            verdict, reason = Verdict.NOT_RUN, child.attrib.get("message", "")
    return TestOutcome(id=f"{owner.replace('.', '/')}.py::{name}", verdict=verdict, time=time, reason=reason[:400])
