"""Published advisories against what the hosts run: OSV records that were carried over, held against the hash-locked packages.

Nothing is asked over a network. Put OSV records (https://ossf.github.io/osv-schema/, one JSON file each) into
``$CURTILAGE_STATE/advisories``; `curtilage configure` then hands Prometheus a constant series for each that concerns a locked version.
Without that directory nothing is known, and nothing is claimed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
from packaging.version import Version
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curtilage.derive.monitoring import Advisory
from curtilage.errors import ConfigError
from curtilage.osv import concern, normal_name
from curtilage.paths import CHECKOUT, state_dir

LOCKS = (
    CHECKOUT / "lab" / "trees" / "curtilage.lock",
    CHECKOUT / "model_images" / "vllm-cpu" / "requirements.lock",
)
"""What runs on hosts; the CRM's own machine is not ours to patch."""


class _Record(BaseModel):
    """The part of an OSV record that is read; a record has more, and more may come."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Package(_Record):
    ecosystem: str
    name: str


class _Range(_Record):
    type: str
    events: tuple[dict[str, str], ...]


class _Affected(_Record):
    package: _Package | None = None
    ranges: tuple[_Range, ...] = ()
    versions: tuple[str, ...] = ()


class _Osv(_Record):
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{3,80}$")]
    published: datetime | None = None
    modified: datetime
    withdrawn: datetime | None = None
    affected: tuple[_Affected, ...] = ()
    database_specific: dict[str, Any] = {}


@dataclass(frozen=True)
class Advisories:
    """What the carried-over records say."""

    newest_seconds: int | None = None
    records: int = 0
    concerns: tuple[Advisory, ...] = ()


def directory() -> Path:
    """Where the operator puts records."""
    return state_dir() / "advisories"


def read_advisories(source: Path | None = None, locks: tuple[Path, ...] = LOCKS) -> Advisories:
    """Judge the locked packages by the records.

    Args:
        source: directory of OSV records; the operator's own by default. One that is not there holds none.
        locks: requirement files with exact versions.

    Raises:
        ConfigError: a file there is not an OSV record: a list with a hole in it would look like a clean one.
    """
    source = directory() if source is None else source
    if not source.is_dir():
        return Advisories()
    pinned = dict(_pins(locks))
    newest, count, concerns = None, 0, set()
    for path in sorted(source.iterdir()):
        record = _read(path)
        count += 1
        newest = max(newest or 0, int(record.modified.timestamp()))
        if record.withdrawn is None:
            concerns |= set(_concerns(record, pinned))
    return Advisories(newest_seconds=newest, records=count, concerns=tuple(sorted(concerns, key=lambda one: (one.package, one.advisory))))


def _read(path: Path) -> _Osv:
    try:
        return _Osv.model_validate(orjson.loads(path.read_bytes()))
    except (OSError, ValueError, ValidationError) as error:
        raise ConfigError(
            f"{path.name}: {' '.join(str(error).split())[:200]}",
            rule="every file of the advisories is one OSV record in JSON",
            fix="take it out, or carry it over again",
            file=path,
        ) from error


def _pins(locks: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    for lock in locks:
        for name, version in re.findall(
            r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^\s;\\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE
        ):
            yield normal_name(name), version


def _concerns(record: _Osv, pinned: Mapping[str, str]) -> Iterator[Advisory]:
    for affected in record.affected:
        if affected.package is None or affected.package.ecosystem.partition(":")[0] != "PyPI":
            continue
        name = normal_name(affected.package.name)
        version = pinned.get(name)
        if version is not None and _inside(version, affected):
            yield Advisory(
                advisory=record.id,
                package=name,
                severity=str(record.database_specific.get("severity", "unknown")).lower()[:20],
                published_seconds=int((record.published or record.modified).timestamp()),
            )


def _inside(version: str, affected: _Affected) -> bool:
    """Whether a version is concerned; one that cannot be compared counts as concerned, so that somebody looks."""
    try:
        return concern(version, affected.model_dump(), Version).inside
    except ValueError:
        return True
