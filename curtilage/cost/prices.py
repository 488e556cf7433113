"""The dated file of prices and assumptions, and its rules."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from curtilage.errors import ConfigError

DEFAULT = Path(__file__).with_name("prices.yaml")
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Source = Annotated[str, Field(min_length=3)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Node(_Part):
    """One GPU machine, rented by the hour or owned."""

    name: str
    card: str
    cards: Annotated[int, Field(gt=0)]
    hourly: Positive | None = None
    monthly: Positive | None = None
    source: Source

    @model_validator(mode="after")
    def _one_price(self) -> Node:
        if (self.hourly is None) == (self.monthly is None):
            raise ValueError(f"node {self.name} names either hourly or monthly")
        return self


class Fixed(_Part):
    """A cost a region has whatever it serves."""

    name: str
    amount: Amount
    platforms: tuple[Literal["aws", "kubernetes", "hosts"], ...]
    source: Source


class Storage(_Part):
    """Weights, ledger, evidence."""

    gib: Amount
    per_gib_month: Amount
    source: Source


class Staff(_Part):
    """People who run it."""

    share_of_one_person: Amount
    yearly: Amount
    source: Source


class Throughput(_Part):
    """What one card serves at full load, for models up to a size."""

    card: str
    parameters_billion: Positive
    tokens_per_second: Positive
    source: Source


class Utilisation(_Part):
    """How much of full load the month has on average."""

    share: Share
    source: Source


class Cloud(_Part):
    """A cloud API's price for a million tokens."""

    name: str
    read: Positive
    written: Positive
    source: Source


class Prices(_Part):
    """All of the file."""

    date: datetime.date
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    hours_per_month: Annotated[float, Field(gt=0, le=744)]
    minimum_nodes: Annotated[int, Field(ge=1)]
    nodes: Annotated[tuple[Node, ...], Field(min_length=1)]
    fixed_monthly: tuple[Fixed, ...]
    storage: Storage
    staff: Staff
    throughput: Annotated[tuple[Throughput, ...], Field(min_length=1)]
    utilisation: Utilisation
    written_share: Annotated[float, Field(ge=0, le=1)]
    matters: Annotated[int, Field(gt=0)]
    cloud: Annotated[tuple[Cloud, ...], Field(min_length=1)]
    reference: str

    @model_validator(mode="after")
    def _names(self) -> Prices:
        for kind, names in (("node", [node.name for node in self.nodes]), ("cloud", [cloud.name for cloud in self.cloud])):
            if len(set(names)) != len(names):
                raise ValueError(f"a {kind} is named twice")
        if self.reference not in {cloud.name for cloud in self.cloud}:
            raise ValueError(f"reference '{self.reference}' is no cloud of this file")
        return self


def read_prices(path: Path = DEFAULT) -> Prices:
    """The file.

    Raises:
        ConfigError: it cannot be read or breaks a rule.
    """
    try:
        document: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Prices.model_validate(document)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read", rule="prices are a YAML file", fix="copy curtilage/cost/prices.yaml") from error
    except yaml.YAMLError as error:
        raise ConfigError("not YAML: " + " ".join(str(error).split()), rule="prices are YAML", fix="correct it", file=path) from error
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in found["loc"])
        raise ConfigError(found["msg"], rule="prices follow their schema", fix="see docs/cost.md", file=path, key=where or None) from error
