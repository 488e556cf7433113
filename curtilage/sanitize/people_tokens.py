"""The words a name may be made of: capitalised ones with what the table says of them; and text that has no capital at all."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from curtilage.sanitize import people_words as words
from curtilage.sanitize.names import COMMON, FREQUENT_GIVEN, GIVEN, GIVEN_OR_WORD, PLACE, SURNAME, flags_of, key_of

_REST = r"(?:[^\W\d_]|['’\-](?=[^\W\d_]))*\.?"
_TOKEN = re.compile(r"[A-ZÀ-ÖØ-ÞĀ-Ɏ]" + _REST)
_TOKEN_LATIN_1 = re.compile(r"[A-ZÀ-ÖØ-Þ]" + _REST)  # a smaller set of first letters is found three times as fast
_LOWER_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_LOWER_CUE = re.compile(
    r"(?:my name is|i am|ich heiße|mein name ist|je m'appelle|mi chiamo|me llamo|names?:|client|mr|mrs|ms|herr|frau|dr\.?)\s{1,2}\Z"
)
_SAINTS = ("saint-", "sainte-", "sankt-", "san-", "santa-", "st-")


class Token(NamedTuple):
    """A capitalised word."""

    start: int
    end: int
    word: str
    flags: int
    initial: bool


def tokens_of(text: str) -> list[Token]:
    found: list[Token] = []
    for match in (_TOKEN_LATIN_1 if text.isascii() or max(text) <= "ÿ" else _TOKEN).finditer(text):
        word, start, end = match.group(), match.start(), match.end()
        if word[1:2] in ("'", "’") and word[0] in "DL" and len(word) > 2:
            if not word[2].isupper():
                continue  # an elided article: "L'e-mail"
            if word[0] == "L":
                word, start = word[2:], start + 2
        if not word[0].isupper():
            continue
        if word.endswith("."):
            if len(word) > 2 and not (len(word) <= 5 and "-" in word):
                word, end = word[:-1], end - 1
            else:
                found.append(Token(start, end, word, 0, True))
                continue
        if word.endswith(("'s", "’s")) and len(word) > 3:
            word, end = word[:-2], end - 2
        if len(word) == 1:
            found.append(Token(start, end, word, 0, True))
            continue
        found.append(Token(start, end, word, flags_here(word), False))
    return found


@lru_cache(maxsize=16384)
def flags_here(word: str) -> int:
    """What the table says, less what is never a name."""
    key = key_of(word)
    return COMMON if key in words.NEVER or key.startswith(_SAINTS) else flags_of(word)


def lower_case_names(text: str) -> list[tuple[int, int]]:
    """Text without a capital, as people type in a hurry: only a sure given name and a surname beside it."""
    spans: list[tuple[int, int]] = []
    before: re.Match[str] | None = None
    for match in _LOWER_WORD.finditer(text):
        if before is not None and text[before.end() : match.start()] == " ":
            given, surname = flags_here(before.group()), flags_here(match.group())
            sure = given & FREQUENT_GIVEN and not given & (GIVEN_OR_WORD | COMMON) and surname & SURNAME and not surname & (COMMON | PLACE)
            if sure or (
                given & GIVEN
                and (surname & SURNAME or not surname & COMMON)
                and _LOWER_CUE.search(text[max(0, before.start() - 20) : before.start()]) is not None
            ):
                spans.append((before.start(), match.end()))
                before = None
                continue
        before = match
    return spans


def may_be_name(word: str) -> bool:
    """Whether a word could be part of a name that goes on behind it: capitalised, and no everyday word."""
    return word[:1].isupper() and flags_here(word.strip(".,;:!?()\"'")) & (COMMON | GIVEN | SURNAME) != COMMON
