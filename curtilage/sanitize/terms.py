"""The matter's own dictionary: clients, opponents, project names, numbers that no pattern knows. Found in any case and any dress."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import ahocorasick

from curtilage.sanitize.detect import Span
from curtilage.sanitize.unicode import fold_with_offsets, original_span

CLIENT_TERM = "CLIENT_TERM"
SHORTEST = 3


class Terms:
    """An automaton over a matter's terms.

    Args:
        terms: term -> type, or terms of the type CLIENT_TERM.
    """

    def __init__(self, terms: Mapping[str, str] | Iterable[str]) -> None:
        pairs = terms.items() if isinstance(terms, Mapping) else ((term, CLIENT_TERM) for term in terms)
        self._automaton = ahocorasick.Automaton()
        self._count = 0
        for term, type_ in pairs:
            key = _normal(term)[0].strip()
            if len(key) >= SHORTEST:
                self._automaton.add_word(key, (len(key), type_))
                self._count += 1
        if self._count:
            self._automaton.make_automaton()

    def __len__(self) -> int:
        return self._count

    def find(self, text: str) -> list[Span]:
        """Whole words only: a term inside a longer word is another word."""
        if not self._count:
            return []
        normal, offsets = _normal(text)
        found = []
        for last, (length, type_) in self._automaton.iter(normal):
            start, end = last + 1 - length, last + 1
            if (start == 0 or not (normal[start - 1].isalnum() and normal[start].isalnum())) and (
                end == len(normal) or not (normal[end].isalnum() and normal[end - 1].isalnum())
            ):
                found.append(Span(type_, *original_span(offsets, start, end)))
        return found


def _normal(text: str) -> tuple[str, list[int] | None]:
    """Folded, lower case, runs of white space as one blank; with the way back."""
    folded, offsets = fold_with_offsets(text)
    if len(folded.lower()) == len(folded) and "  " not in folded and not any(char in folded for char in "\t\n\r"):
        return folded.lower(), offsets
    pieces: list[str] = []
    places: list[int] = []
    for index, char in enumerate(folded):
        if char.isspace():
            if pieces and pieces[-1] == " ":
                continue
            char = " "
        for lowered in char.lower():
            pieces.append(lowered)
            places.append(offsets[index] if offsets is not None else index)
    places.append(len(text))
    return "".join(pieces), places


@lru_cache(maxsize=256)
def compiled(terms: tuple[tuple[str, str], ...]) -> Terms:
    """The automaton of a matter's terms, kept while they stay the same."""
    return Terms(dict(terms))
