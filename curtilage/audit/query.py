"""Questions to the ledger: which calls touched a matter, who made them, what was removed, how they ended.

A row joins an intent with its outcome; refusals and events are rows of their own.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What a spreadsheet takes for a formula at a cell's start, full-width forms included (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "|", "%")


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What is asked for; None asks for everything."""

    matter: str | None = None
    identity: str | None = None
    since: str | None = None
    until: str | None = None

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Whether a row is asked for. Stamps are ISO 8601 in UTC, so they compare as text."""
        return (
            (self.matter is None or row["matter"] == self.matter)
            and (self.identity is None or row["identity"] == self.identity)
            and (self.since is None or row["time"] >= self.since)
            and (self.until is None or row["time"] < self.until)
        )


def merge(logs: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """The rows of several gateways' ledgers as one list by time; each row says whose it is. An index counts within its own log."""
    rows = [{**row, "log": name} for name, records in logs.items() for row in calls(records)]
    return sorted(rows, key=lambda row: (row["time"], row["log"], row["index"]))


COLUMNS = ("index", "time", "kind", "call", "matter", "identity", "surface", "model", "result", "reason")
PRIVILEGE_COLUMNS = (
    "index",
    "time",
    "matter",
    "identity",
    "model",
    "model_version",
    "purpose",
    "direction",
    "break_glass",
    "removed",
    "removed_from_answer",
    "readers",
    "readers_count",
    "result",
    "reason",
)
"""Who spoke to which model about the matter, at whose direction, what never reached it, and who could technically read it."""


def calls(records: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """One row per call, in the order of intents; a call that still runs has no ``result``."""
    rows: list[dict[str, Any]] = []
    waiting: dict[int, dict[str, Any]] = {}
    for record in records:
        if record["kind"] == "outcome":
            row = waiting.pop(record["intent"], None)
            if row is not None:
                row["ended"] = record["time"]
                for key, value in record["data"].items():
                    if isinstance(value, Mapping) and isinstance(row.get(key), Mapping):
                        row[key] = {**row[key], **value}  # e.g. commitments: to the prompt at the start, to the answer at the end
                    elif value is not None:
                        row[key] = value
            continue
        row = {
            "call": record.get("call", ""),
            "index": record["index"],
            "kind": record["kind"],
            "time": record["time"],
            "matter": None,
            "identity": None,
        }
        row |= record["data"]
        if record["kind"] == "intent":
            waiting[record["index"]] = row
        elif record["kind"] == "refused":
            row.setdefault("result", "refused")
        rows.append(row)
    yield from rows


def select(records: Iterable[Mapping[str, Any]], wanted: Filter) -> list[dict[str, Any]]:
    """The rows asked for."""
    return [row for row in calls(records) if wanted.takes(row)]


def counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many, by result, identity, model and removed class."""
    removed: Counter[str] = Counter()
    for row in rows:
        value = row.get("removed")
        if isinstance(value, Mapping):
            removed.update({str(name): int(number) for name, number in value.items() if isinstance(number, int)})
        elif isinstance(value, list):
            removed.update(str(name) for name in value)
    return {
        "by_identity": dict(sorted(Counter(str(row["identity"]) for row in rows if row["identity"]).items())),
        "by_model": dict(sorted(Counter(str(row["model"]) for row in rows if row.get("model")).items())),
        "by_result": dict(
            sorted(Counter(str(row.get("result", "open" if row["kind"] == "intent" else row["kind"])) for row in rows).items())
        ),
        "removed": dict(sorted(removed.items())),
        "rows": len(rows),
    }


def cell(value: Any) -> str:
    """A value on one line."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return " ".join(f"{name}:{inner}" for name, inner in sorted(value.items()))
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return str(value)


def to_csv(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """CSV with a header. A value that a spreadsheet would run as a formula is quoted with an apostrophe."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        texts = [cell(row.get(column)) for column in columns]
        writer.writerow([f"'{text}" if text.lstrip().startswith(_FORMULA) or text[:1] in _FORMULA else text for text in texts])
    return buffer.getvalue()
