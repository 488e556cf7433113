"""The table of names: which words are given names, surnames, places or everyday words.

Made by ``tools/build_names.py``, which names the sources and their licences; read once, at the first use.
"""

from __future__ import annotations

import gzip
import unicodedata
from functools import lru_cache
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data" / "names.tsv.gz"

GIVEN, SURNAME, FREQUENT_SURNAME, GIVEN_OR_WORD, PLACE, COMMON, FREQUENT_GIVEN, SURNAME_OR_WORD = 1, 2, 4, 8, 16, 32, 64, 128
NAME = GIVEN | SURNAME
_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "’": "'", "æ": "ae", "œ": "oe", "ı": "i"})


@lru_cache(maxsize=1)
def table() -> dict[str, int]:
    """Word (lower case, without diacritics) -> flags."""
    lines = gzip.decompress(DATA.read_bytes()).decode().split("\n")
    return {word: int(flags) for word, _, flags in (line.partition("\t") for line in lines) if flags}


@lru_cache(maxsize=16384)
def key_of(word: str) -> str:
    """How the table spells a word."""
    lowered = word.lower() if word.isascii() else word.casefold().translate(_LETTERS)
    if lowered.isascii():
        return lowered
    return "".join(char for char in unicodedata.normalize("NFD", lowered) if not unicodedata.combining(char))


def flags_of(word: str) -> int:
    """What the table says about a word; of a hyphenated one, what its parts agree on."""
    found = table().get(key_of(word))
    if found is not None:
        return found
    if "-" in word or "'" in word or "’" in word:
        parts = [part for part in key_of(word).replace("’", "'").replace("'", "-").split("-") if part]
        known = [table().get(part, 0) for part in parts]
        if known and any(known):
            joined = known[0]
            for flags in known[1:]:
                joined |= flags
            # "Anne-Marie", "Müller-Weber": a name when one part is and none is only a word.
            if all(flags & NAME or not flags & COMMON for flags in known):
                return joined & ~(GIVEN_OR_WORD | SURNAME_OR_WORD | COMMON | PLACE)
            return COMMON
    return 0


def is_common(word: str) -> bool:
    """Whether a word is an everyday one of the five languages."""
    return bool(flags_of(word) & COMMON)
