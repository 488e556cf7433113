"""Which versions of a package an OSV record concerns (ossf.github.io/osv-schema, "evaluation").

One reader for whoever holds versions against such records. It decides nothing where it cannot compare: what that means (somebody looks, or
nothing is proven) is for the caller to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Concern:
    """What one entry of a record's ``affected`` says about one version."""

    inside: bool
    fixed: str | None
    """The version that ends the range it is in; None where none does, or where it is in none."""


def normal_name(name: str) -> str:
    """A package's name as the Python index compares names (PEP 503); Debian's names are so already."""
    return re.sub(r"[-_.]+", "-", name).lower()


def concern(version: str, affected: Mapping[str, Any], order: Callable[[str], Any]) -> Concern:
    """Hold a version against the listed versions and the version ranges of one entry of ``affected``.

    Args:
        version: the version in use.
        affected: the entry, as the record has it.
        order: a version's place among the versions of its ecosystem.

    Raises:
        ValueError: an event is not one pair, or ``order`` cannot place a version.
        KeyError, TypeError, AttributeError: the entry is not of the schema's shape.
    """
    inside, fixed = version in affected.get("versions", ()), None
    for item in affected.get("ranges", ()):
        if item.get("type") == "ECOSYSTEM":
            within, until = _within(version, item["events"], order)
            inside, fixed = inside or within, until or fixed
    return Concern(inside, fixed)


def _within(version: str, events: Sequence[Mapping[str, str]], order: Callable[[str], Any]) -> tuple[bool, str | None]:
    mine, inside, until = order(version), False, None

    def place(event: Mapping[str, str]) -> Any:
        """Where an event stands: "0" is before every version, and the format does not promise an order."""
        ((_, value),) = event.items()
        return (0, ()) if value == "0" else (1, order(value))

    for event in sorted((event for event in events if "limit" not in event), key=place):
        ((what, value),) = event.items()
        if what == "introduced" and (value == "0" or mine >= order(value)):
            inside, until = True, None
        elif what == "fixed":
            if mine >= order(value):
                inside = False
            elif inside and until is None:
                until = value
        elif what == "last_affected" and mine > order(value):
            inside = False
    return inside, until if inside else None
