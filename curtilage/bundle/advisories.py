"""Known vulnerabilities of an image's packages, from a database that was carried in: OSV records (ossf.github.io/osv-schema) as files.

Nothing is asked over a network. Python versions are compared by PEP 440, Debian ones by the rules of Debian policy 5.6.12. A record that
cannot be read, or a version that cannot be compared, makes the answer NOT-PROVEN: never clean. Without a database it is NOT-RUN.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from packaging.version import Version
from pydantic import BaseModel, ConfigDict

from curtilage.errors import ConfigError
from curtilage.osv import concern, normal_name
from curtilage.verdict import Verdict

STALE_DAYS = 14
_PURL = re.compile(r"pkg:(?P<type>pypi|deb/debian)/(?P<name>[^@]+)@(?P<version>.+)")
_KIND = {"pypi": "PyPI", "deb/debian": "Debian"}


class Advisory(BaseModel):
    """One vulnerability of one package."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    package: str
    version: str
    fixed: str | None
    summary: str


class Report(BaseModel):
    """What an image's bill of materials says against a database."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: Verdict
    reason: str
    packages: int
    records: int
    newest: str | None
    found: tuple[Advisory, ...]
    unread: tuple[str, ...]


def examine(sbom: Mapping[str, Any], database: Path | None, *, now: datetime | None = None) -> Report:
    """Hold a CycloneDX bill of materials against a directory of OSV records.

    Args:
        sbom: the document.
        database: the directory; None where none was supplied.
        now: the time that the database's age is counted from.
    """
    packages = {(_KIND[match["type"]], normal_name(unquote(match["name"]))): unquote(match["version"]) for match in _purls(sbom)}
    if database is None:
        return Report(
            verdict=Verdict.NOT_RUN, reason="no database was supplied", packages=len(packages), records=0, newest=None, found=(), unread=()
        )
    if not database.is_dir():
        raise ConfigError(f"{database} is not a directory", rule="a database is a directory of OSV records", fix="unpack it there")
    found: list[Advisory] = []
    unread: list[str] = []
    newest, records = "", 0
    for path in sorted(database.rglob("*.json")):
        try:
            record = json.loads(path.read_bytes())
            newest, records = max(newest, str(record["modified"])), records + 1
            if not record.get("withdrawn"):
                found += _matches(record, packages)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            unread.append(f"{path.relative_to(database)}: {' '.join(str(error).split())[:100] or type(error).__name__}")
    verdict, reason = _verdict(found, unread, records, newest, now or datetime.now(UTC))
    return Report(
        verdict=verdict,
        reason=reason,
        packages=len(packages),
        records=records,
        newest=newest or None,
        found=tuple(found),
        unread=tuple(unread),
    )


def _verdict(found: list[Advisory], unread: list[str], records: int, newest: str, now: datetime) -> tuple[Verdict, str]:
    if found:
        return Verdict.FAIL, f"{len(found)} known vulnerabilities"
    if not records:
        return Verdict.NOT_PROVEN, "the database holds no record"
    if unread:
        return Verdict.NOT_PROVEN, f"{len(unread)} records were not read"
    try:
        age = now - datetime.fromisoformat(newest.replace("Z", "+00:00"))
    except (ValueError, TypeError):
        return Verdict.NOT_PROVEN, f"the newest record's time '{newest[:40]}' is none"
    if age > timedelta(days=STALE_DAYS):
        return Verdict.NOT_PROVEN, f"the newest record is {age.days} days old, {STALE_DAYS} are allowed"
    return Verdict.PASS, f"none known among {records} records"


def _purls(sbom: Mapping[str, Any]) -> Iterator[re.Match[str]]:
    for component in sbom.get("components", []):
        match = _PURL.fullmatch(str(component.get("purl", "")))
        if match is not None:
            yield match


def _matches(record: Mapping[str, Any], packages: Mapping[tuple[str, str], str]) -> Iterator[Advisory]:
    for affected in record["affected"]:
        package = affected.get("package") or {}
        kind = str(package.get("ecosystem", "")).partition(":")[0]
        name = normal_name(str(package.get("name", "")))
        version = packages.get((kind, name))
        if version is None:
            continue
        found = concern(version, affected, Version if kind == "PyPI" else _debian)
        if found.inside:
            summary = " ".join(str(record.get("summary") or record.get("details") or "").split())[:160]
            yield Advisory(id=str(record["id"]), package=name, version=version, fixed=found.fixed, summary=summary)


def _debian(version: str) -> tuple[int, list[Any], list[Any]]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, hyphen, revision = rest.rpartition("-")
    return int(epoch), _parts(upstream if hyphen else rest), _parts(revision if hyphen else "0")


def _parts(text: str) -> list[Any]:
    """Words and numbers in turn; in a word ``~`` sorts before the end, letters before everything else (deb-version(7))."""
    found: list[Any] = []
    for word, number in re.findall(r"(\D*)(\d*)", text):
        found.append([*(-1 if sign == "~" else ord(sign) if sign.isalpha() else ord(sign) + 256 for sign in word), 0])
        found.append(int(number or 0))
    return found
