"""Bringing the directory in line with an export of the CRM's matters: CSV with a header, or a JSON list of objects.

Columns: ``matter``, ``jurisdiction`` and ``confidentiality`` have to be there; ``open`` (yes/no), ``members`` (identities, separated by
spaces or semicolons) and ``direction`` may be. The export decides about the matters that it names and about nothing else: it opens no
shredded matter, lifts no hold, takes down no wall, and a matter it does not name stays as it is. The whole file is checked before anything
changes; each change then has its own entry in the directory's record.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from curtilage.errors import ConfigError
from curtilage.matters.directory import Directory
from curtilage.matters.model import Confidentiality, Snapshot
from curtilage.matters.more_changes import identifier

MAX_EXPORT_BYTES = 64 << 20
_FLAGS = {"yes": True, "true": True, "1": True, "open": True, "no": False, "false": False, "0": False, "closed": False}


def _flag(value: Any) -> Any:
    return _FLAGS.get(value.strip().lower(), value) if isinstance(value, str) else value


def _level(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _names(value: Any) -> Any:
    return frozenset(value.replace(";", " ").split()) if isinstance(value, str) else value


class Row(BaseModel):
    """One matter as the CRM has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    matter: Annotated[str, Field(min_length=1)]
    jurisdiction: Annotated[str, Field(pattern=r"^[A-Z]{2,3}$")]
    confidentiality: Annotated[Confidentiality, BeforeValidator(_level)]
    open: Annotated[bool, BeforeValidator(_flag)] = True
    members: Annotated[frozenset[str] | None, BeforeValidator(_names)] = None
    direction: Annotated[str, Field(max_length=64)] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs."""

    action: str
    matter: str
    detail: str = ""
    identity: str = ""


def read_export(path: Path) -> list[Row]:
    """The export's rows, all of them sound. Raises :class:`ConfigError` with the row."""
    try:
        raw = path.read_bytes()
        if len(raw) > MAX_EXPORT_BYTES:
            raise ValueError(f"larger than {MAX_EXPORT_BYTES} bytes")
        rows = orjson.loads(raw) if path.suffix == ".json" else list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
        if not isinstance(rows, list) or not rows:
            raise ValueError("no rows")
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(str(error), rule="CSV with a header, or a JSON list of objects", fix="export it again", file=path) from error
    found: dict[str, Row] = {}
    for number, raw_row in enumerate(rows, start=1):
        row = _row(raw_row, number, path)
        if row.matter in found:
            raise ConfigError(
                f"row {number}: {row.matter} is there twice", rule="each matter once", fix="export one row a matter", file=path
            )
        found[row.matter] = row
    return list(found.values())


def _row(raw: Any, number: int, path: Path) -> Row:
    if isinstance(raw, Mapping):
        raw = {key: value for key, value in raw.items() if value not in ("", None)}
    try:
        row = Row.model_validate(raw)
        identifier("matter", row.matter)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        column = ".".join(map(str, first["loc"])) or "row"
        rule = f"columns {', '.join(Row.model_fields)}; no other"
        raise ConfigError(f"row {number}: {column}: {first['msg']}", rule=rule, fix="correct the export", file=path) from error
    return row


def differences(rows: Sequence[Row], directory: Snapshot) -> Iterator[Change]:
    """What would have to change, in the order in which it is changed."""
    for row in rows:
        matter = directory.matters.get(row.matter)
        if matter is None:
            if not row.open:
                continue  # closed before we heard of it: nobody works on it, so nobody needs it here
            yield Change("add", row.matter, f"{row.jurisdiction} {row.confidentiality.value}")
        else:
            if matter.confidentiality is not row.confidentiality:
                yield Change("confidentiality", row.matter, row.confidentiality.value)
            if matter.is_open != row.open:
                yield Change("open" if row.open else "close", row.matter)
        if row.direction is not None and (matter is None or matter.direction != row.direction):
            yield Change("direction", row.matter, row.direction)
        if row.members is not None:
            now = {identity for identity, own in directory.memberships.items() if row.matter in own}
            for identity in sorted(row.members - now):
                yield Change("member", row.matter, identity=identity)
            for identity in sorted(now - row.members):
                yield Change("no member", row.matter, identity=identity)


def sync(directory: Directory, rows: Sequence[Row], *, dry_run: bool = False, file: Path | None = None) -> list[Change]:
    """Bring the directory in line; returns what changed, or would.

    Raises:
        ConfigError: a row contradicts what may not change, or names an identity that is not in the directory; nothing was changed then.
    """
    before = directory.snapshot()
    for row in rows:
        matter = before.matters.get(row.matter)
        wrong = None
        if unknown := (row.members or frozenset()) - set(before.identities):
            wrong = f"members {', '.join(sorted(unknown))} are not in the directory"
        elif matter is not None and matter.jurisdiction != row.jurisdiction:
            wrong = f"its jurisdiction is {matter.jurisdiction}, the export says {row.jurisdiction}"
        elif matter is not None and matter.shredded_at is not None and row.open:
            wrong = "it was shredded and cannot be opened"
        if wrong:
            raise ConfigError(
                f"{row.matter}: {wrong}",
                rule="people are added by `matters identity`; a matter keeps its jurisdiction; what was shredded stays so",
                fix="add who is missing, or correct the export",
                file=file,
            )
    changes = list(differences(rows, before))
    if not dry_run:
        for change in changes:
            _apply(directory, change)
    return changes


def _apply(directory: Directory, change: Change) -> None:
    if change.action == "add":
        jurisdiction, level = change.detail.split()
        directory.add_matter(change.matter, jurisdiction=jurisdiction, confidentiality=Confidentiality(level))
    elif change.action == "confidentiality":
        directory.set_matter(change.matter, confidentiality=Confidentiality(change.detail))
    elif change.action in ("open", "close"):
        directory.set_matter(change.matter, is_open=change.action == "open")
    elif change.action == "direction":
        directory.set_matter(change.matter, direction=change.detail)
    elif change.action == "member":
        directory.add_member(change.identity, change.matter)
    else:
        directory.remove_member(change.identity, change.matter)
