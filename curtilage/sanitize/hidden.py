"""What no reader sees, or reads in another order than the program: tag characters, selectors in a row, runs backwards, spaced letters."""

from __future__ import annotations

import re
from collections.abc import Callable

import re2

_TAGS = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{2,6}\U000e007f|[\U000e0000-\U000e007f]+")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")
_REVERSED = re.compile("[\u202e\u202d]([^\u202c\n]*)\u202c?")
_SPACED = re2.compile(r"(?:[^\s][ _·|\-/,\t\n]{1,3}){7}[^\s](?:\s|$|[_·|\-/,])")
_SPACED_RUN = re.compile(
    r"(?<!\S)(?:[^\s](?P<sign>[ _·|\-/,\t\n])(?:(?P=sign){1,2}(?=\S))?)(?:[^\s](?P=sign)(?:(?P=sign){1,2}(?=\S))?){5,}[^\s](?!\S)"
)


def shown(text: str, clean: Callable[[str], str]) -> str:
    """The text without what is invisible in it, and with reversed and spaced-out runs cleaned as they are read.

    Characters of the tag block and variation selectors in a row carry text to a model and to nobody else: they go, but for a flag's.
    """
    if text.isascii():
        return _unspaced(text, clean)
    if max(text) >= "\ufe00":
        text = _SELECTORS.sub("", _TAGS.sub(lambda match: match.group() if match.group()[0] == "\U0001f3f4" else "", text))
    if "\u202e" in text or "\u202d" in text:
        decoded = _REVERSED.sub(lambda match: match.group(1)[::-1] if match.group().startswith("\u202e") else match.group(1), text)
        cleaned = clean(decoded)
        if cleaned != decoded:
            return cleaned
    return _unspaced(text, clean)


def _unspaced(text: str, clean: Callable[[str], str]) -> str:
    """Letters with blanks between (``j a n e``) are read as one word, two blanks as one."""
    if not _SPACED.search(text):
        return text
    return _SPACED_RUN.sub(lambda match: _cleaned_run(match.group(), match.group("sign"), clean), text)


def _cleaned_run(run: str, sign: str, clean: Callable[[str], str]) -> str:
    decoded = re.sub(rf"{re.escape(sign)}({re.escape(sign)}{{0,2}})", lambda match: " " if match.group(1) else "", run)
    if sign not in " _·|" and not any(map(str.isalpha, decoded)):
        return run  # "0,1,2,3,4,5,6,7,8,9"
    cleaned = clean(decoded)
    return run if cleaned == decoded else cleaned
