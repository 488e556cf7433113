"""Suppressions in comments, and the baseline file; both take findings out of the count, never out of the report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from curtilage.errors import ConfigError
from curtilage.scan.model import Finding, Place, Reported, Severity, Suppression
from curtilage.scan.rules import RULES

_COMMENT = re.compile(r"curtilage:ignore\b(.*)", re.IGNORECASE | re.DOTALL)
_FORM = re.compile(r"\s+(SF\d{3}(?:\s*,\s*SF\d{3})*)\s+because\s+(\S.*)", re.IGNORECASE | re.DOTALL)


def read_comment(path: str, text: str, line: int, last: int) -> Suppression | Finding | None:
    """A suppression, or a finding when it is not honoured; ``None`` when the comment is about something else."""
    match = _COMMENT.search(text)
    if match is None:
        return None
    said = re.split(r"\n|\*/|-->", match.group(1), maxsplit=1)[0].rstrip()
    form = _FORM.fullmatch(said)
    rules = frozenset(re.split(r"\s*,\s*", form.group(1).upper())) if form else frozenset()
    if form is None or rules - RULES.keys():
        why = f"names unknown rules: {', '.join(sorted(rules - RULES.keys()))}" if rules else "says no rule or no reason"
        return Finding("SF091", Place(path, line), f"the suppression {why}, so it is not honoured", Severity.LOW, said.strip()[:80])
    return Suppression(path, (line, last), rules, form.group(2).strip())


def report(findings: Iterable[Finding], suppressions: list[Suppression], baseline: frozenset[str]) -> list[Reported]:
    """In a fixed order, each with its fingerprint and what takes it out of the count."""
    by_path: dict[str, list[Suppression]] = {}
    for item in suppressions:
        by_path.setdefault(item.path, []).append(item)
    seen: dict[tuple[str, str, str], int] = {}
    found: list[Reported] = []
    ordered = sorted(set(findings), key=lambda item: (item.place, item.rule, item.symbol, item.message, item.endpoints))
    for finding in ordered:
        key = (finding.rule, finding.place.path, finding.symbol)
        fingerprint = finding.fingerprint(seen.get(key, 0))
        seen[key] = seen.get(key, 0) + 1
        same = (item for item in by_path.get(finding.place.path, ()) if finding.rule in item.rules)
        reason = next((item.reason for item in same if item.lines[0] <= finding.place.line <= item.lines[1]), None)
        found.append(Reported(finding, fingerprint, reason, fingerprint in baseline))
    return found


def read_baseline(path: Path) -> frozenset[str]:
    """The fingerprints that were accepted."""
    try:
        document = json.loads(path.read_bytes())
        version, entries = document["version"], document["findings"]
        if version != 1:
            raise ValueError(f"version {version!r}")
        return frozenset(str(entry["fingerprint"]) for entry in entries)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: {error}", rule="a baseline is what --write-baseline wrote", fix="write it again, and review what it holds"
        ) from None


def write_baseline(path: Path, reported: list[Reported]) -> None:
    """Accept everything that counts now; sorted, so that a diff of it can be reviewed."""
    entries = [
        {"fingerprint": item.fingerprint, "rule": item.finding.rule, "path": item.finding.place.path, "message": item.finding.message}
        for item in reported
        if item.suppressed is None
    ]
    entries.sort(key=lambda entry: (entry["path"], entry["rule"], entry["fingerprint"]))
    path.write_text(json.dumps({"version": 1, "findings": entries}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
