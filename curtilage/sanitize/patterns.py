"""The patterns: RE2, so no text can make one slow; a checksum wherever the identifier has one.

A pattern's group 1, where it has one, is the identifier and the rest is the context that makes it one. Order is precedence between
overlapping finds of the same length. Types are stable names: they appear in placeholders, ledger counts and reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from curtilage.sanitize.checks import Check
from curtilage.sanitize.unicode import fold

SECRET = "SECRET"  # noqa: S105 - a type's name

Row = tuple[str, str, Check | None]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One kind of thing that is found by its shape."""

    type: str
    regex: Any
    check: Check | None = None


# The automata's memory is bounded together; a text that needs more states than fit makes them start over, not miss.
_GROUP, _GROUP_MEMORY = 40, 12 << 20


class PatternTable(tuple[Pattern, ...]):
    """Patterns, and automata that say in one pass which of them can match at all.

    Most texts match none; asking each pattern by itself would cost as many passes as there are patterns.
    """

    _rows: tuple[Row, ...]
    _sets: list[tuple[int, Any]]

    def only(self, type_: str) -> PatternTable:
        """The patterns of one type."""
        return self.compile(tuple(row for row in self._rows if row[0] == type_))

    def candidates(self, text: str) -> list[int]:
        """Indices of the patterns that match somewhere in the text."""
        encoded = text.encode("utf-8", "surrogatepass")
        return sorted(first + index for first, found in self._sets for index in found.Match(encoded) or ())

    @classmethod
    def compile(cls, rows: tuple[Row, ...]) -> PatternTable:
        """Compile rows of type, expression and check."""
        table = cls(Pattern(type_, re2.compile(regex), check) for type_, regex, check in rows)
        table._rows, table._sets = rows, []
        options = re2.Options()
        options.max_mem = _GROUP_MEMORY
        for first in range(0, len(rows), _GROUP):
            found = re2.Set.SearchSet(options)
            for _, regex, _ in rows[first : first + _GROUP]:
                found.Add(regex)
            found.Compile()
            table._sets.append((first, found))
        return table


LETTER = "A-Za-zÀ-ɏ"  # \\pL would compile to a program RE2 runs out of memory on; folded text has Latin look-alikes as Latin
_MARKS = r"[\s\"'*_:=#().,;|<>/`„“”«»\-]"
_NUMBER_WORD = (
    rf"(?:{_MARKS}{{0,3}}(?:n\.?[º°]|n\.o|(?:no|nos|number|num|nr|nummer|numéro|numero|número|n|id|code"
    r"|is|was|namely|nämlich|à savoir|cioè|es decir|ist|war|lautet|est|è|es|era"
    rf"|sous le|als|of the \w{{3,12}}|of|for|de la|de|del|della|di|du|der|des|mit der|vom)(?:[^{LETTER}]|\b))){{0,3}}{_MARKS}{{0,4}}"
)


# Nothing is tried first: the letters in front of a number may be its own ("FG 123 HJ").
_FILLER = rf"(?:|(?:,? [{LETTER}]{{1,16}}){{1,3}}[\s:=(,;])"
_CELL = r"(?:</t[dh]>\s*<t[dh]>)?"


def context(words: str, value: str, *, near: bool = False) -> str:
    """A value that is an identifier only behind one of the words; the value is group 1.

    Args:
        words: the labels, as alternatives.
        value: the identifier's shape.
        near: up to three other words may stand between ("the BSN of the Dutch employee is …"); for shapes that are nothing else there.
    """
    return rf"(?i:\b(?:{fold(words)}){_FILLER if near else ''}{_CELL}{_NUMBER_WORD})({value})\b"


def behind(words: str, value: str) -> str:
    """The next number behind one of the words, whatever stands between; for identifiers with a check digit. The value is group 1."""
    return rf"(?i:(?:\b|^)(?:{fold(words)})[^\d\n]{{0,64}}?(?:\n[^\d\n]{{0,16}}?)?)\b({value})\b"


@lru_cache(maxsize=1)
def default_patterns() -> PatternTable:
    """The shipped patterns, compiled once."""
    from curtilage.sanitize import patterns_contact, patterns_europe, patterns_identity, patterns_legal, patterns_money, patterns_secret

    rows: tuple[Row, ...] = (
        *patterns_secret.ROWS,
        *patterns_contact.FIRST,
        *patterns_money.ROWS,
        *patterns_identity.ROWS,
        *patterns_europe.ROWS,
        *patterns_legal.ROWS,
        *patterns_contact.LAST,
    )
    return PatternTable.compile(rows)
