"""Law as data: what each jurisdiction in ``jurisdictions/*.yaml`` says, and the one question asked of it.

The data is a technical control's default, not legal advice: every entry carries its source, what nobody has read is listed under
``not_read``, and whether counsel has reviewed a file is part of the file. Silence is refusal: a pair of jurisdictions that no entry names
may not process each other's matters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from curtilage.errors import ConfigError

DATA = Path(__file__).resolve().parent / "jurisdictions"

Code = Annotated[str, Field(pattern=r"^[A-Z]{2,3}$")]
Citation = Annotated[str, Field(min_length=5)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CloudRegion(_Entry):
    """A cloud region physically inside the jurisdiction."""

    name: Annotated[str, Field(pattern=r"^[a-z]{2,5}(-[a-z]+)+-\d$")]
    place: str
    source: Citation


class SecrecyRule(_Entry):
    """A rule of professional secrecy or privilege that a matter brings with it."""

    rule: str
    summary: str
    source: Citation


class Residency(_Entry):
    """Where, besides at home, a matter of this jurisdiction may be processed."""

    jurisdictions: Annotated[tuple[Code, ...], Field(min_length=1)]
    basis: str
    conditions: tuple[str, ...] = ()
    source: Citation


class Transfer(_Entry):
    """A transfer instrument for personal data. Recorded for counsel; alone it never opens a route (secrecy is a second question)."""

    to: Annotated[tuple[Code, ...], Field(min_length=1)]
    basis: str
    conditions: tuple[str, ...] = ()
    source: Citation


class Retention(_Entry):
    """How long a kind of record is kept."""

    what: str
    days: Annotated[int, Field(gt=0, strict=True)]
    source: Citation


class Jurisdiction(_Entry):
    """One jurisdiction, or a bloc of them (``members``)."""

    code: Code
    name: str
    country_codes: tuple[Code, ...] = ()
    members: tuple[Code, ...] = ()
    membership_source: Citation | None = None
    cloud_regions: Mapping[str, tuple[CloudRegion, ...]]
    home: Residency
    residency: tuple[Residency, ...] = ()
    secrecy: tuple[SecrecyRule, ...]
    transfers: tuple[Transfer, ...] = ()
    retention: tuple[Retention, ...] = ()
    counsel_reviewed: date | None = None
    not_read: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_a_country_or_a_bloc(self) -> Self:
        if bool(self.members) == bool(self.country_codes):
            raise ValueError("a jurisdiction has either country_codes (a country) or members (a bloc)")
        if self.members and not self.membership_source:
            raise ValueError("a bloc's members need membership_source")
        if set(self.home.jurisdictions) != {self.code}:
            raise ValueError(f"home names {self.home.jurisdictions}, not {self.code}")
        return self

    @property
    def retention_days(self) -> int | None:
        """The longest recorded period, or None when no source has been read: retention is then the owner's decision."""
        return max((entry.days for entry in self.retention), default=None)

    def cloud_region_names(self, provider: str = "aws") -> tuple[str, ...]:
        """The provider's regions that lie inside this jurisdiction."""
        return tuple(region.name for region in self.cloud_regions.get(provider, ()))

    def contains_country(self, country: str) -> bool:
        """Whether a data centre in a country (ISO 3166-1 alpha-2) stands inside this jurisdiction."""
        return country in self.country_codes or country in self.members


class Decision(_Entry):
    """May a matter be processed there, and on what ground."""

    allowed: bool
    basis: str
    source: str
    conditions: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def _registry() -> Mapping[str, Jurisdiction]:
    found: dict[str, Jurisdiction] = {}
    for path in sorted(DATA.glob("*.yaml")):
        try:
            entry = Jurisdiction.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError) as error:
            raise ConfigError(
                f"not a valid jurisdiction: {error}",
                rule="law as data is complete and sourced, or it is not loaded",
                fix="correct the file; every entry needs its source",
                file=path.name,
            ) from error
        if entry.code != path.stem:
            raise ConfigError(
                f"the file says code {entry.code}", rule="a file is named by its code", fix="rename the file", file=path.name, key="code"
            )
        found[entry.code] = entry
    return found


def jurisdictions() -> Iterator[Jurisdiction]:
    """Every jurisdiction on record, by code."""
    return iter(_registry().values())


def load_jurisdiction(code: str) -> Jurisdiction:
    """The jurisdiction with a code; an unknown one is an error that lists those on record."""
    try:
        return _registry()[code]
    except KeyError:
        raise ConfigError(
            f"unknown jurisdiction '{code}'",
            rule="a jurisdiction is one whose law is on record",
            fix=f"use one of {', '.join(sorted(_registry()))}, or add curtilage/jurisdictions/<code>.yaml with sources",
            key="jurisdiction",
        ) from None


def _countries(code: str) -> frozenset[str]:
    """A code as countries: a bloc opens into its members, GB and UK are one."""
    entry = _registry().get(code)
    if entry is None:
        aliases = [known.code for known in _registry().values() if code in known.country_codes]
        return frozenset(aliases or [code])
    return frozenset(entry.members) if entry.members else frozenset({entry.code})


@lru_cache(maxsize=1024)
def may_process(matter_jurisdiction: str, processing_jurisdiction: str) -> Decision:
    """Whether a matter of one jurisdiction may be processed in another; what no entry names is refused."""
    matter = _registry().get(matter_jurisdiction)
    if matter is None:
        return Decision(allowed=False, basis=f"no law on record for matters of '{matter_jurisdiction}'", source="silence is refusal")
    if not processing_jurisdiction:
        return Decision(allowed=False, basis="no processing jurisdiction given", source="silence is refusal")
    where = _countries(processing_jurisdiction)
    for entry in (matter.home, *matter.residency):
        granted = frozenset[str]().union(*(_countries(code) for code in entry.jurisdictions))
        if where <= granted:
            return Decision(allowed=True, basis=entry.basis, source=entry.source, conditions=entry.conditions)
    for transfer in matter.transfers:
        if where <= frozenset[str]().union(*(_countries(code) for code in transfer.to)):
            return Decision(
                allowed=False,
                basis=f"no residency rule of {matter.code} covers {processing_jurisdiction}; for personal data alone: {transfer.basis}",
                source=transfer.source,
                conditions=transfer.conditions,
            )
    return Decision(
        allowed=False,
        basis=f"no residency rule of {matter.code} covers {processing_jurisdiction}",
        source=f"curtilage/jurisdictions/{matter.code}.yaml: silence is refusal",
    )
