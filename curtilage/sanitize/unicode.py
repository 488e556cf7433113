"""Folding for detection: what a person reads, not what the bytes say.

Zero-width characters, full-width digits and Cyrillic letters that look Latin are a known way around patterns, so patterns and field
rules see folded text. The text itself is kept: only what a rule found is cut out of the original, through the offset map.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from confusable_homoglyphs import confusables

_SPACES = frozenset("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\u2028\u2029\u0085")
_DASHES = frozenset("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d")
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_LATIN_TARGETS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@._-+:/")


# Letters that are drawn as something else: small capitals, white on black, flags, in brackets.
_DRAWN = re.compile(
    r"(?:(?:NEGATIVE (?:CIRCLED|SQUARED) |PARENTHESIZED )?LATIN (LETTER SMALL|SMALL|CAPITAL)(?: CAPITAL)?(?: LETTER)?"
    r"|REGIONAL INDICATOR SYMBOL LETTER) ([A-Z])"
)


@lru_cache(maxsize=65536)
def fold_char(char: str) -> str:
    """One character as a reader sees it: '' for an invisible one, an ASCII look-alike where there is one, NFKC otherwise."""
    category = unicodedata.category(char)
    if category == "Cf" or char in _INVISIBLE or "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef":
        return ""
    if char in _SPACES:
        return " "
    if char in _DASHES:
        return "-"
    if category in ("Mn", "Me"):
        return ""  # a combining or enclosing mark: the letter below it is what a rule looks for
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    drawn = _DRAWN.fullmatch(unicodedata.name(char, ""))
    if drawn is not None:
        return drawn.group(2).lower() if drawn.group(1) in ("LETTER SMALL", "SMALL") else drawn.group(2)
    folded = unicodedata.normalize("NFKC", char)
    if folded.isascii():
        return folded
    if len(folded) == 1 and not _is_latin(folded):
        return _lookalike(folded)
    return folded


def _is_latin(char: str) -> bool:
    return unicodedata.name(char, "").startswith("LATIN")


def _lookalike(char: str) -> str:
    found = confusables.is_confusable(char, greedy=True, preferred_aliases=[])
    for entry in found or ():
        for glyph in entry["homoglyphs"]:
            if glyph["c"] in _LATIN_TARGETS:
                return str(glyph["c"])
    return char


class _Table(dict[int, str]):
    """What str.translate asks: filled as characters turn up, so that a text costs one pass in C."""

    def __missing__(self, code: int) -> str:
        folded = fold_char(chr(code)) if code > 127 else chr(code)
        if len(self) < 65536:
            self[code] = folded
        return folded


_TABLE = _Table()


# Characters known to fold to one character, so that most texts are told by one comparison of sets.
_ONE_TO_ONE: set[str] = set(map(chr, range(128)))


def _learn(chars: set[str]) -> bool:
    """Whether each character folds to one; those that do are remembered."""
    single = {char for char in chars if len(_TABLE[ord(char)]) == 1}
    if len(_ONE_TO_ONE) < 65536:
        _ONE_TO_ONE.update(single)
    return len(single) == len(chars)


def fold(text: str) -> str:
    """The folded text, when nobody needs the way back."""
    return text if text.isascii() else text.translate(_TABLE)


def fold_with_offsets(text: str) -> tuple[str, list[int] | None]:
    """The folded text and, for each of its characters and its end, the index it came from; None where places are the same."""
    if text.isascii():
        return text, None
    if set(text) <= _ONE_TO_ONE or _learn(set(text)):
        return text.translate(_TABLE), None
    pieces: list[str] = []
    offsets: list[int] = []
    for index, char in enumerate(text):
        piece = _TABLE[ord(char)]
        pieces.append(piece)
        offsets.extend([index] * len(piece))
    offsets.append(len(text))
    return "".join(pieces), offsets


def original_span(offsets: list[int] | None, start: int, end: int) -> tuple[int, int]:
    """A folded span's place in the original text; invisible characters inside it and right behind it go with it."""
    return (start, end) if offsets is None else (offsets[start], offsets[end])
