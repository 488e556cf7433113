"""What laws and standards ask for, as data: ``mappings/*.yaml``, requirement → artefacts → tests.

The texts are in our own words with their article; ``counsel_reviewed`` says when counsel read a file, and null says that nobody has.
``read: false`` marks an entry written from memory of its source. A requirement that only people can meet says so (``organisational``)
and never shows as met.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from curtilage.canonical import digest_of
from curtilage.errors import ConfigError

DATA = Path(__file__).resolve().parent / "mappings"
MAX_AGE_DAYS = 92
"""A quarter: how old a result may be where a requirement does not say less."""

SELECTOR = r"^(cells:(all|(control|catalogue|host|kind)=[A-Za-z0-9._-]+)|host:test_[a-z0-9_]+|id:[a-z]+/[a-z-]+|pytest:tests/[A-Za-z0-9_/]+\.py(::test_[a-z0-9_]+)?)$"  # noqa: E501
Selector = Annotated[str, Field(pattern=SELECTOR)]
Artefact = Annotated[str, Field(pattern=r"^[A-Za-z0-9*][A-Za-z0-9*._/-]*$")]


class Requirement(BaseModel):
    """One thing that is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9._-]{1,40}$")]
    cite: Annotated[str, Field(min_length=3)]
    asks: Annotated[str, Field(min_length=20)]
    words: tuple[str, ...] = ()
    artefacts: tuple[Artefact, ...] = ()
    tests: tuple[Selector, ...] = ()
    people: str = ""
    organisational: bool = False
    read: bool = True
    max_age_days: Annotated[int, Field(gt=0)] = MAX_AGE_DAYS

    @model_validator(mode="after")
    def _claims_rest_on_something(self) -> Self:
        if self.organisational and (self.artefacts or self.tests or not self.people):
            raise ValueError(f"{self.id}: an organisational requirement has no artefact and no test, and says what people must show")
        if not self.organisational and not (self.artefacts and self.tests):
            raise ValueError(f"{self.id}: a claim needs an artefact and a test")
        for name, values in (("artefacts", self.artefacts), ("tests", self.tests)):
            if len(set(values)) != len(values):
                raise ValueError(f"{self.id}: {name} are named once")
        return self


class Framework(BaseModel):
    """One law or standard."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    framework: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    title: str
    source: Annotated[str, Field(min_length=5)]
    counsel_reviewed: date | None
    requirements: Annotated[tuple[Requirement, ...], Field(min_length=1)]


@lru_cache(maxsize=4)
def frameworks(folder: Path = DATA) -> tuple[Framework, ...]:
    """Every mapping, by file name.

    Raises:
        ConfigError: a file that is not a mapping, or an id given twice.
    """
    found, seen = [], set[str]()
    for path in sorted(folder.glob("*.yaml")):
        try:
            entry = Framework.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError) as error:
            raise ConfigError(
                f"not a valid mapping: {error}",
                rule="a requirement has a citation, an artefact and a test, or says that only people can show it",
                fix="correct the file",
                file=path.name,
            ) from error
        for requirement in entry.requirements:
            if requirement.id in seen:
                raise ConfigError(f"id {requirement.id!r} twice", rule="an id names one requirement", fix="rename one", file=path.name)
            seen.add(requirement.id)
        if entry.framework != path.stem:
            raise ConfigError(f"framework {entry.framework!r}", rule="a file is named by its framework", fix="rename it", file=path.name)
        found.append(entry)
    return tuple(found)


def every_requirement() -> Iterator[tuple[Framework, Requirement]]:
    """All of them, with their framework."""
    for framework in frameworks():
        for requirement in framework.requirements:
            yield framework, requirement


def mapping_digest() -> str:
    """Names the mapping that a coverage was computed with."""
    return digest_of([framework.model_dump(mode="json") for framework in frameworks()])
