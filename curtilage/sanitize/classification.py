"""Field classification of a CRM: which custom fields somebody looked at, and what they said.

Salesforce keeps it per field (Setup, Data Classification): ``securityClassification`` (Public, Internal, Confidential, Restricted,
MissionCritical), ``complianceGroup`` (PII, GDPR, HIPAA, …) and ``businessStatus``. The importer reads what the platform's own tools export:
CustomField metadata (XML of the Metadata API or a source project), or JSON rows of the Tooling API's FieldDefinition. With a classification
the default is to deny: a custom field nobody classified is treated as privileged. An open field of a compliance group is personal data as a
whole, whatever stands in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from curtilage.errors import ConfigError

OPEN_LEVELS = frozenset(("public", "internal"))
LEVELS = OPEN_LEVELS | {"confidential", "restricted", "missioncritical"}
_API_NAME = re.compile(r"(?:[A-Za-z]\w*\.)?[A-Za-z]\w*")
_CUSTOM = re.compile(r"(?i)\w+__(?:c|pc|r|pr|x|e|b)")


@dataclass(frozen=True, slots=True)
class Classification:
    """The custom fields that may pass, by lower-case API name without namespace and object; of those, the ones that are personal data."""

    allowed: frozenset[str]
    denied: frozenset[str] = frozenset()
    personal: frozenset[str] = frozenset()

    def refuses(self, segment: str) -> bool:
        """Whether a key is a custom field that was classified closed, or not at all."""
        lower = segment.strip().lower()
        if not _CUSTOM.fullmatch(lower):
            return False
        return _field(lower) not in self.allowed

    def is_personal(self, segment: str) -> bool:
        """Whether a key is a custom field of a compliance group."""
        lower = segment.strip().lower()
        return _CUSTOM.fullmatch(lower) is not None and _field(lower) in self.personal


def _field(name: str) -> str:
    """``ns__Budget__c``, ``Budget__r`` and ``Account.Budget__c`` are one field."""
    stem, _, _ = name.rpartition("__")
    return stem.rpartition(".")[2].rpartition("__")[2]


def build(rows: Iterable[Mapping[str, Any]]) -> Classification:
    """A classification from rows with a field's API name and level; one field of one name on two objects takes the stricter level."""
    allowed: set[str] = set()
    denied: set[str] = set()
    personal: set[str] = set()
    for row in rows:
        name, level = str(row["field"]), str(row.get("level") or "").replace(" ", "").lower()
        if not _API_NAME.fullmatch(name) or (level and level not in LEVELS):
            raise ConfigError(
                f"field {name!r} with level {row.get('level')!r}",
                rule=f"an API name and one of {', '.join(sorted(LEVELS))}",
                fix="export the metadata again",
            )
        if _CUSTOM.fullmatch(name.rpartition(".")[2]):
            (allowed if level in OPEN_LEVELS else denied).add(_field(name.lower()))
            if str(row.get("groups") or "").strip():
                personal.add(_field(name.lower()))
    return Classification(frozenset(allowed - denied), frozenset(denied), frozenset(personal - denied))


def load(path: Path) -> Classification:
    """Read a file or a folder of exported metadata."""
    try:
        files = sorted(file for file in path.rglob("*") if file.suffix in (".json", ".xml")) if path.is_dir() else [path]
        rows = [row for file in files for row in (_xml(file) if file.suffix == ".xml" else _json(file))]
    except (OSError, ValueError, KeyError, ElementTree.ParseError) as error:
        raise ConfigError(
            f"not field metadata: {error}",
            rule="CustomField metadata as XML, or FieldDefinition rows as JSON",
            fix="export it again",
            file=path,
        ) from error
    if not rows:
        raise ConfigError("no field in it", rule="a classification names at least one field", fix="check the path", file=path)
    return build(rows)


def _json(path: Path) -> Iterator[dict[str, Any]]:
    tree = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(tree, dict):
        tree = tree.get("records") or tree.get("fields") or tree.get("result", {}).get("records") or []
    for row in tree:
        name = row.get("QualifiedApiName") or row.get("fullName") or row.get("field") or row["name"]
        level = row.get("SecurityClassification") or row.get("securityClassification") or row.get("level")
        yield {"field": name, "level": level, "groups": row.get("ComplianceGroup") or row.get("complianceGroup")}


def _xml(path: Path) -> Iterator[dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("document types are not read")
    root = ElementTree.fromstring(text)  # noqa: S314 - no document type, so no entity
    name_space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    fields = [root] if root.tag == f"{name_space}CustomField" else root.iter(f"{name_space}fields")
    for field in fields:
        name = field.findtext(f"{name_space}fullName") or path.name.partition(".")[0]
        level, groups = (field.findtext(f"{name_space}{tag}") for tag in ("securityClassification", "complianceGroup"))
        yield {"field": name, "level": level, "groups": groups}
