"""Finding personal data and secrets in one text: patterns over the folded text, overlaps resolved, spans in the original."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from curtilage.sanitize.patterns import Pattern
from curtilage.sanitize.unicode import fold_with_offsets, original_span


class Span(NamedTuple):
    """A find: its type and where it is in the original text."""

    type: str
    start: int
    end: int


# Every pattern needs a digit, an at sign (or its spelled-out form), or the armour of a key: a text without is done.
_WORTH_A_LOOK = re.compile(r"[0-9@]|[\[({]\s?at\s?[\])}]|-----BEGIN|\bsk-|\bgh[pousr]_|\bxox[abprs]-|\beyJ", re.IGNORECASE)
_NOT_AN_ADDRESS = re.compile(
    r"(?:section|sect?\.|clause|article|art\.|§+|para(?:graph)?\.?|ziff(?:er)?\.?|abschnitt|version|release|v\.?|no\.|nr\.)\s*$",
    re.IGNORECASE,
)


def find(text: str, patterns: Sequence[Pattern]) -> list[Span]:
    """Every find, left to right, without overlaps: the longest wins, then the earlier pattern."""
    folded, offsets = fold_with_offsets(text)
    if not _WORTH_A_LOOK.search(folded):
        return []
    found: list[tuple[int, int, int, str]] = []
    for rank, pattern in enumerate(patterns):
        for match in pattern.regex.finditer(folded):
            start, end = match.span(1) if match.re.groups else match.span()
            if pattern.check is not None:
                length = pattern.check(folded[start:end])
                if length is None:
                    continue
                end = start + length
            if pattern.type == "IP_ADDRESS" and _NOT_AN_ADDRESS.search(folded[max(0, start - 16) : start]):
                continue
            if pattern.type == "PHONE" and folded[max(0, start - 2) : start - 1].isdigit() and folded[start - 1 : start] == " ":
                continue  # the tail of a longer row of digit groups is no number of its own
            if start < end:
                found.append((start, end, rank, pattern.type))
    return [Span(type_, *original_span(offsets, start, end)) for start, end, _, type_ in _without_overlaps(found)]


def _without_overlaps(found: list[tuple[int, int, int, str]]) -> list[tuple[int, int, int, str]]:
    kept: list[tuple[int, int, int, str]] = []
    for candidate in sorted(found, key=lambda item: (item[0] - item[1], item[2], item[0])):
        if all(candidate[1] <= other[0] or candidate[0] >= other[1] for other in kept):
            kept.append(candidate)
    return sorted(kept)
