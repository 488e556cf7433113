"""JSON documents in a text. A key that stands twice hides a value from a parser, so each is said to be sound or not."""

from __future__ import annotations

import json
from typing import Any


def next_opening(text: str, position: int) -> int:
    """Where the next object or list may begin; -1 where none does."""
    found = [index for index in (text.find("{", position), text.find("[", position)) if index >= 0]
    return min(found, default=-1)


class _Pairs:
    """Notes duplicate keys while the decoder builds objects."""

    def __init__(self) -> None:
        self.sound = True

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        self.sound = self.sound and len(built) == len(pairs)
        return built


def parse(text: str) -> tuple[Any, bool]:
    """A text that is one document: its tree, and whether no key stands twice.

    Raises:
        ValueError, RecursionError: it is none, or nested too deep.
    """
    pairs = _Pairs()
    return json.loads(text, object_pairs_hook=pairs, strict=False), pairs.sound


def parse_at(text: str, position: int) -> tuple[Any, int, bool]:
    """The document that begins there: its tree, its end, and whether no key stands twice.

    Raises:
        ValueError, RecursionError: none begins there, or it is nested too deep.
    """
    pairs = _Pairs()
    tree, end = json.JSONDecoder(object_pairs_hook=pairs, strict=False).raw_decode(text, position)
    return tree, end, pairs.sound
