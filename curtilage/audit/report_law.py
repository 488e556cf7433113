"""Which questions a jurisdiction asks about privilege: ``privilege/*.yaml``, questions and sources, never answers.

The answers are facts of the report; whether privilege holds is counsel's judgement. An entry marked ``read: false`` was written from
commentary or memory, not from its source.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curtilage.errors import ConfigError

DATA = Path(__file__).resolve().parent / "privilege"


class Topic(StrEnum):
    """A section of the report that a question rests on."""

    THIRD_PARTIES = "third_parties"
    READERS = "readers"
    LOCATION = "location"
    RETENTION = "retention"
    DIRECTION = "direction"
    REDACTIONS = "redactions"
    REFUSALS = "refusals"
    CONTROLS = "controls"


class Factor(BaseModel):
    """One question."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    asks: Annotated[str, Field(min_length=20)]
    rests_on: Annotated[tuple[Topic, ...], Field(min_length=1)]
    read: bool = True


class Template(BaseModel):
    """A jurisdiction's questions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: Annotated[str, Field(pattern=r"^[A-Z]{2,3}$")]
    title: str
    counsel_reviewed: date | None
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    factors: Annotated[tuple[Factor, ...], Field(min_length=1)]


@lru_cache(maxsize=1)
def templates() -> dict[str, Template]:
    """Every template by jurisdiction."""
    found: dict[str, Template] = {}
    for path in sorted(DATA.glob("*.yaml")):
        try:
            entry = Template.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError) as error:
            raise ConfigError(f"not a template: {error}", rule="questions with sources", fix="correct the file", file=path.name) from error
        if entry.code != path.stem:
            raise ConfigError(f"code {entry.code}", rule="a file is named by its code", fix="rename it", file=path.name)
        found[entry.code] = entry
    return found


def template(code: str) -> Template:
    """The questions of a jurisdiction; one without any is told, not replaced by another's."""
    try:
        return templates()["UK" if code == "GB" else code]
    except KeyError:
        raise ConfigError(
            f"no privilege template for {code!r}",
            rule="a report asks the questions of the matter's own jurisdiction",
            fix=f"name one of {', '.join(sorted(templates()))} with --jurisdiction, or add curtilage/audit/privilege/{code}.yaml",
        ) from None
