"""FieldDefinition rows, as ``sf data query --use-tooling-api`` writes them: which custom fields were looked at, and what was decided.

The query (Tooling API Object Reference, FieldDefinition)::

    SELECT EntityDefinition.QualifiedApiName, QualifiedApiName, DataType, SecurityClassification, ComplianceGroup, BusinessStatus
    FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName IN ('Case', 'Account')
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curtilage.errors import ConfigError
from curtilage.sanitize.fields import DEFAULT_FIELD_RULES, FieldRules

# From open to closed; a field without any is closed.
LEVELS = ("public", "internal", "confidential", "restricted", "missioncritical")
SHOWN = dict(zip(LEVELS, ("Public", "Internal", "Confidential", "Restricted", "MissionCritical"), strict=True))
OPEN = frozenset({"public", "internal"})
_NAME = re.compile(r"[A-Za-z]\w{0,79}")
_MAX_BYTES = 64 << 20
_COLUMNS = {
    "object": ("EntityDefinition.QualifiedApiName", "EntityDefinitionId", "EntityDefinition", "Object"),
    "field": ("QualifiedApiName", "Field"),
    "level": ("SecurityClassification",),
    "groups": ("ComplianceGroup",),
}
_ALWAYS_CLOSED = FieldRules(DEFAULT_FIELD_RULES)


@dataclass(frozen=True, slots=True, order=True)
class CrmField:
    """One field of one object.

    Args:
        object: API name.
        field: API name.
        level: lower case, empty when nobody classified it.
        groups: compliance groups.
    """

    object: str
    field: str
    level: str = ""
    groups: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``Case.Budget__c``."""
        return f"{self.object}.{self.field}"

    @property
    def custom(self) -> bool:
        """Whether the org, not the platform, made it."""
        return self.field.lower().endswith(("__c", "__pc"))

    @property
    def closed_because(self) -> str | None:
        """Why it may not be sent; ``None`` when it may."""
        if _ALWAYS_CLOSED.matches(self.field):
            return "a field rule of the gateway"
        if not self.level:
            return "not classified"
        if self.level not in OPEN:
            return f"classified {SHOWN[self.level]}"
        return f"compliance group {', '.join(self.groups)}" if self.groups else None


def read(paths: Iterable[Path]) -> list[CrmField]:
    """Every field in the files; one named twice takes the stricter level and all groups."""
    found: dict[str, CrmField] = {}
    for path in paths:
        for number, row in enumerate(_rows(path), 1):
            item = _field(row, path, number)
            known = found.get(item.name.lower())
            found[item.name.lower()] = item if known is None else _stricter(known, item)
    if not found:
        raise ConfigError("no field in the files", rule="an import names at least one field", fix="check the query's WHERE clause")
    return sorted(found.values())


def _stricter(first: CrmField, second: CrmField) -> CrmField:
    both = (first.level, second.level)
    level = "" if "" in both else max(both, key=LEVELS.index)
    return CrmField(first.object, first.field, level, tuple(sorted({*first.groups, *second.groups})))


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"larger than {_MAX_BYTES} bytes")
        text = path.read_text(encoding="utf-8-sig")
        yield from _json(text) if text.lstrip()[:1] in ("{", "[") else _csv(text)
    except (OSError, ValueError, csv.Error, RecursionError) as error:
        raise ConfigError(
            f"not FieldDefinition rows: {getattr(error, 'strerror', None) or error}",
            rule="what `sf data query --use-tooling-api --result-format json|csv` wrote",
            fix="run the query in docs/salesforce.md again",
            file=path,
        ) from None


def _json(text: str) -> Iterator[Mapping[str, Any]]:
    tree = json.loads(text)
    if isinstance(tree, dict) and tree.get("status") not in (0, None):
        raise ValueError(f"the query failed: {tree.get('message', 'no message')}")
    result = tree.get("result", tree) if isinstance(tree, dict) else {"records": tree}
    records = result.get("records") if isinstance(result, dict) else None
    if not isinstance(records, list) or not all(isinstance(row, dict) for row in records):
        raise ValueError("no list of records")
    total = result.get("totalSize", len(records))
    if result.get("done") is False or (isinstance(total, int) and total > len(records)):
        raise ValueError(f"only {len(records)} of {total} rows; a field that is missing here would stay unclassified unseen")
    for row in records:
        owner = row.get("EntityDefinition")
        yield {**row, "EntityDefinition.QualifiedApiName": owner.get("QualifiedApiName")} if isinstance(owner, dict) else row


def _csv(text: str) -> Iterator[Mapping[str, Any]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    for row in reader:
        if None in row or None in row.values():
            raise ValueError(f"line {reader.line_num} has not as many cells as the header")
        yield row


def _field(row: Mapping[str, Any], path: Path, number: int) -> CrmField:
    cells = {key: next((row[name] for name in names if name in row), None) for key, names in _COLUMNS.items()}
    for key in ("level", "groups"):
        if not any(name in row for name in _COLUMNS[key]):
            raise ConfigError(
                f"row {number} has no {_COLUMNS[key][0]}", rule="the query asks for it", fix="add it to the SELECT list", file=path
            )
    owner, field = str(cells["object"] or ""), str(cells["field"] or "")
    level = re.sub(r"[\s_-]", "", str(cells["level"] or "")).lower()
    if not _NAME.fullmatch(owner) or not _NAME.fullmatch(field) or (level and level not in LEVELS):
        raise ConfigError(
            f"row {number}: object {owner!r}, field {field!r}, classification {cells['level']!r}",
            rule=f"API names, and one of {', '.join(SHOWN.values())} or nothing",
            fix="run the query in docs/salesforce.md again",
            file=path,
        )
    groups = sorted({part.strip() for part in str(cells["groups"] or "").split(";")} - {""})
    return CrmField(owner, field, level, tuple(groups))
