"""The table for a terminal, and the JSON document."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Any

from curtilage.scan.engine import Result
from curtilage.scan.model import Reported, Severity

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def printable(text: str) -> str:
    """Text from a scanned file with everything that could steer a terminal or hide a character written as an escape."""
    return "".join(
        character if unicodedata.category(character) not in _INVISIBLE else character.encode("unicode_escape", "replace").decode()
        for character in text
    )  # fmt: skip


def summary(result: Result) -> str:
    """One line."""
    counted = Counter(item.finding.severity for item in result.reported if item.counts)
    parts = [f"{counted[severity]} {severity.label}" for severity in sorted(Severity, reverse=True) if counted[severity]]
    off = sum(not item.counts for item in result.reported)
    unknown = sum(item.finding.cannot_tell and item.counts for item in result.reported)
    told = f"{', '.join(parts) or 'no findings'} in {result.counts.files} files"
    told += f"; {unknown} of them could not be told" if unknown else ""
    return told + (f"; {off} suppressed or in the baseline" if off else "") + "."


def table(result: Result) -> list[str]:
    """Lines that terminals and editors turn into links: ``path:line:column: severity rule message``."""
    return [line(item) for item in result.reported if item.counts]


def line(item: Reported) -> str:
    """One finding."""
    found, place = item.finding, item.finding.place
    marks = "".join([" [AI]" if found.vendor else "", " [cannot tell]" if found.cannot_tell else ""])
    more = f"; sensitive: {', '.join(found.fields)}" if found.fields else ""
    return printable(f"{place.path}:{place.line}:{place.column}: {found.severity.label} {found.rule}{marks} {found.message}{more}")


def document(result: Result, verdict: str) -> dict[str, Any]:
    """The JSON document; text of undecodable file names is written with replacement characters."""
    counts = result.counts
    return {
        "verdict": verdict,
        "summary": summary(result),
        "files": {"read": counts.files, "apex": counts.apex, "metadata": counts.metadata, "web": counts.web, "skipped": counts.skipped},
        "mitigated": [_clean(text) for text in counts.mitigated],
        "findings": [_clean(item.document()) for item in result.reported],
    }


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    return value
