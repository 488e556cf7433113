"""What an import makes: the gateway's classification file, and the package's allow-list as custom metadata records."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

from curtilage.crm.fields import SHOWN, CrmField
from curtilage.errors import ConfigError
from curtilage.sanitize.classification import load

RECORDS = Path("force-app/main/default/customMetadata")
_PREFIX, _SUFFIX = "Curtilage_Field.", ".md-meta.xml"


def classification(fields: Iterable[CrmField]) -> str:
    """The file that ``gateway.yaml`` names under ``classification``: what is closed for any reason is written as closed."""
    rows = []
    for item in fields:
        level = item.level if item.closed_because is None or item.level not in ("public", "internal") else "restricted"
        rows.append({"field": item.name, "level": SHOWN.get(level, ""), "because": item.closed_because or "open"})
    return json.dumps({"fields": rows}, indent=2) + "\n"


def check(path: Path) -> None:
    """Read it back with the gateway's own reader."""
    load(path)


def record_name(item: CrmField) -> str:
    """A developer name: letters, digits, single underscores, at most 40 characters; a digest keeps long ones apart."""
    plain = re.sub(r"_+", "_", f"{item.object}_{item.field}").strip("_")
    if plain == f"{item.object}_{item.field}" and len(plain) <= 40:
        return plain
    return f"{plain[:31].rstrip('_')}_{hashlib.sha256(item.name.lower().encode()).hexdigest()[:8]}"


def record(item: CrmField) -> str:
    """One record of the package's allow-list."""
    cells = (
        ("Object__c", "string", item.object),
        ("Field__c", "string", item.field),
        ("Classification__c", "string", SHOWN.get(item.level, "")),
        ("Compliance_Groups__c", "string", "; ".join(item.groups)[:255]),
        ("Allowed__c", "boolean", "true" if item.closed_because is None else "false"),
    )
    values = "".join(
        f'    <values>\n        <field>{name}</field>\n        <value xsi:type="xsd:{kind}">{escape(value)}</value>\n    </values>\n'
        if value
        else f'    <values>\n        <field>{name}</field>\n        <value xsi:nil="true"/>\n    </values>\n'
        for name, kind, value in cells
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<CustomMetadata xmlns="http://soap.sforce.com/2006/04/metadata" '
        'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
        f"    <label>{escape(item.name[:40])}</label>\n    <protected>false</protected>\n{values}</CustomMetadata>\n"
    )


def package_files(fields: Iterable[CrmField], package: Path) -> dict[Path, str | None]:
    """What each record file shall hold; ``None`` for one whose field is gone from an object that was imported."""
    fields = list(fields)
    directory = package / RECORDS
    wanted: dict[Path, str | None] = {directory / f"{_PREFIX}{record_name(item)}{_SUFFIX}": record(item) for item in fields}
    imported = {f'<value xsi:type="xsd:string">{item.object}</value>' for item in fields}
    for path in sorted(directory.glob(f"{_PREFIX}*{_SUFFIX}")):
        if path not in wanted and any(owner in path.read_text(encoding="utf-8") for owner in imported):
            wanted[path] = None
    return wanted


def diff(wanted: dict[Path, str | None], root: Path) -> str:
    """A unified diff of everything that would change."""
    lines: list[str] = []
    for path, text in sorted(wanted.items()):
        try:
            before = path.read_text(encoding="utf-8") if path.exists() else ""
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot read it: {error}", rule="records are text files", fix="check the file", file=path) from None
        name = path.relative_to(root) if path.is_relative_to(root) else path
        lines += difflib.unified_diff(
            before.splitlines(keepends=True), (text or "").splitlines(keepends=True),
            f"a/{name}" if before else "/dev/null", f"b/{name}" if text is not None else "/dev/null",
        )  # fmt: skip
    return "".join(lines)


def write(wanted: dict[Path, str | None]) -> None:
    """Write every file, each as a whole."""
    for path, text in sorted(wanted.items()):
        if text is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
