"""The words a name may be made of: capitalised ones with what the table says of them; and text that has no capital at all."""

# ruff: noqa: E501, SIM905 - a list of words is read as words

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import re2

from curtilage.sanitize import people_words as words
from curtilage.sanitize.names import (
    COMMON,
    FREQUENT_GIVEN,
    GIVEN,
    GIVEN_OR_WORD,
    NAME,
    PLACE,
    SURNAME,
    SURNAME_OR_WORD,
    flags_of,
    key_of,
    table,
)
from curtilage.sanitize.shapes import score

_REST = r"(?:[^\W\d_]|['’\-](?=[^\W\d_]))*\.?"
_TOKEN = re.compile(r"[A-ZÀ-ÖØ-ÞĀ-Ɏ]" + _REST)
_TOKEN_LATIN_1 = re.compile(r"[A-ZÀ-ÖØ-Þ]" + _REST)  # a smaller set of first letters is found three times as fast
_LOWER_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_CUE = r"(?:my name is|i am|ich heiße|mein name ist|je m'appelle|mi chiamo|me llamo|names?:|client|mr|mrs|ms|herr|frau|dr\.?)"
_LOWER_CUE = re.compile(_CUE + r"\s{1,2}\Z")
_CUE_ANYWHERE = re2.compile(_CUE + r"\PL")  # wider than the one above: what it does not find, that one does not either
PARTICLES = frozenset(
    "te t op af de del della delle dello di da dal das do dos du des la le lo van von vom der den ten ter zu zum zur el al bin ben ibn abu mac mc san santa st".split()
)
_SAINTS = ("saint-", "sainte-", "sankt-", "san-", "santa-", "st-")


class Token(NamedTuple):
    """A capitalised word."""

    start: int
    end: int
    word: str
    flags: int
    initial: bool

    @property
    def key(self) -> str:
        """The word as the table spells it."""
        return key_of(self.word)


def capitalised(text: str) -> list[str]:
    """The capitalised words as they are written."""
    return (_TOKEN_LATIN_1 if text.isascii() or max(text) <= "ÿ" else _TOKEN).findall(text)


def tokens_of(text: str) -> list[Token]:
    """The capitalised words, without what sticks to them."""
    found: list[Token] = []
    for match in (_TOKEN_LATIN_1 if text.isascii() or max(text) <= "ÿ" else _TOKEN).finditer(text):
        parsed = _parsed(match.group())
        if parsed is not None:
            before, behind, word, flags, initial = parsed
            found.append(Token(match.start() + before, match.end() - behind, word, flags, initial))
    return found


@lru_cache(maxsize=16384)
def _parsed(word: str) -> tuple[int, int, str, int, bool] | None:
    """How many characters in front and behind are no part of the word; the word, its flags, whether it is an initial."""
    before = behind = 0
    if word[1:2] in ("'", "’") and word[0] in "DL" and len(word) > 2:
        if not word[2].isupper():
            return None  # an elided article: "L'e-mail"
        if word[0] == "L":
            word, before = word[2:], 2
    if not word[0].isupper():
        return None
    if word.endswith("."):
        if word == "St.":
            return before, 0, "St", 0, False
        if len(word) < 3 or (len(word) <= 5 and "-" in word):
            return before, 0, word, 0, True
        word, behind = word[:-1], 1
    if word.endswith(("'s", "’s")) and len(word) > 3:
        word, behind = word[:-2], behind + 2
    return (before, behind, word, 0, True) if len(word) == 1 else (before, behind, word, flags_here(word), False)


@lru_cache(maxsize=16384)
def is_dull(written: str) -> bool:
    """Whether a capitalised word begins no name where no title stands: an everyday word, or a compound such as German makes."""
    parsed = _parsed(written)
    if parsed is None:
        return True
    _, _, word, flags, initial = parsed
    if flags or initial:
        return bool(flags & COMMON) and not flags & NAME
    return len(word) > 12 and "-" not in word and score(key_of(word)) < -4.0


@lru_cache(maxsize=16384)
def flags_here(word: str) -> int:
    """What the table says, less what is never a name."""
    key = key_of(word)
    return COMMON if key in words.NEVER or key.startswith(_SAINTS) else flags_of(word)


@lru_cache(maxsize=1)
def frequent_given() -> frozenset[str]:
    """Frequent given names that mean nothing else, in lower case."""
    other = GIVEN_OR_WORD | COMMON | PLACE | SURNAME_OR_WORD
    return frozenset(word for word, flags in table().items() if flags & FREQUENT_GIVEN and not flags & other and len(word) > 2)


@lru_cache(maxsize=16384)
def _may_begin(word: str) -> bool:
    """Whether a word can be the first of a name without capitals where no cue stands before it; what the rules below ask, and no more."""
    flags = flags_here(word)
    likely = (flags & GIVEN and not flags & (GIVEN_OR_WORD | COMMON | PLACE)) or (flags & FREQUENT_GIVEN and not flags & COMMON)
    return bool(likely) or key_of(word) in frequent_given()


def lower_case_names(text: str, *, sure: bool) -> list[tuple[int, int]]:
    """Names without a capital, as people type in a hurry: a given name and a surname beside it.

    Args:
        text: folded text.
        sure: the text has capitals elsewhere, so only a frequent given name counts.
    """
    spans: list[tuple[int, int]] = []
    if not any(map(_may_begin, _LOWER_WORD.findall(text))) and _CUE_ANYWHERE.search(text) is None:
        return spans  # most texts: no pair of words needs a look
    before: re.Match[str] | None = None
    for match in _LOWER_WORD.finditer(text):
        word = match.group()
        if before is not None and word.islower() and text[before.end() : match.start()] == " " and before.group().islower():
            given, surname = flags_here(before.group()), flags_here(word)
            known = surname & SURNAME and not surname & (COMMON | PLACE)
            unlisted = not surname and len(word) > 3 and score(key_of(word)) > (3.0 if sure else 1.0)
            if sure:
                named = key_of(before.group()) in frequent_given() and (known or unlisted)
            else:
                named = bool(given & GIVEN and not given & (GIVEN_OR_WORD | COMMON | PLACE) and (known or unlisted))
                named = named or bool(given & FREQUENT_GIVEN and not given & COMMON and known)
            if not named and given & GIVEN and (surname & SURNAME or not surname & COMMON):
                named = _LOWER_CUE.search(text[max(0, before.start() - 20) : before.start()]) is not None
            if named:
                spans.append((before.start(), match.end()))
                before = None
                continue
        before = match
    return spans


def may_be_name(word: str) -> bool:
    """Whether a word could be part of a name that goes on behind it: capitalised, and no everyday word."""
    bare = word.strip(".,;:!?()[]\"'„“”‚‘’«»‹›*_")
    return bare[:1].isupper() and flags_here(bare) & (COMMON | GIVEN | SURNAME) != COMMON


def is_small_word(word: str) -> bool:
    """Whether a word may stand in the middle of a name: "van 't", "de la"."""
    return word.strip("'’").lower() in PARTICLES
