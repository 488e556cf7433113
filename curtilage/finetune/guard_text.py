"""One spelling for every way to write the same text, so that a record is found again whatever was done to its letters.

Case, accents, full-width forms, look-alike letters, invisible characters, markup entities, punctuation, line breaks and letters set apart
by spaces are folded away. What this deliberately does not do: translate, or undo an encoding such as base64.
"""

from __future__ import annotations

import html
import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

_SEPARATORS = re.compile(r"[\W_]+")
_SPACED = re.compile(r"(?<![^\W_])[^\W_](?:[\W_]{1,3}[^\W_](?![^\W_])){3,}")
_MARKS = re.compile("[\u0300-\u036f]+")
_PLAIN = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_ENTITY = re.compile(r"&#?\w{1,31};")
# Cyrillic and Greek letters that a reader takes for Latin ones (Unicode Technical Standard 39, confusables, the single letters in use).
_LOOKALIKES = dict(zip("авекмнорстухіјѕԁԛԝһӏαβεζηικμνορτυχγ", "abekmhopctyxijsdqwhlabezhikmvoptuxy", strict=True))
MAX_DEPTH = 64
_ALONE = b"\1\1\1\1"  # four words of one letter each, one after the other


@cache
def _table() -> dict[int, int | None]:
    """What is dropped or replaced: combining marks, format characters, other scripts' digits, look-alikes."""
    found: dict[int, int | None] = {}
    for code in range(128, sys.maxunicode + 1):
        letter = chr(code)
        category = unicodedata.category(letter)
        if category in {"Mn", "Me", "Cf"}:
            found[code] = None
        elif category == "Nd":
            found[code] = ord("0") + unicodedata.digit(letter)
    return found | {ord(key): ord(value) for key, value in _LOOKALIKES.items()}


def fold(text: str) -> str:
    """Lower case, no accents, no invisible characters; punctuation stays."""
    if "&" in text and _ENTITY.search(text):
        text = html.unescape(text)
    if text.isascii():
        return text.lower()
    text = _MARKS.sub("", unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold()))
    return text if text.isascii() else text.translate(_table()).casefold()


def words(folded: str) -> str:
    """The words of a folded text with single spaces between; letters that were set apart are one word again."""
    parts = (folded.translate(_PLAIN) if folded.isascii() else _SEPARATORS.sub(" ", folded)).split()
    if _ALONE in _lengths(parts):
        parts = _SEPARATORS.sub(" ", _SPACED.sub(lambda found: " " + _SEPARATORS.sub("", found.group()) + " ", folded)).split()
    return " ".join(parts)


def _lengths(parts: list[str]) -> bytes:
    try:
        return bytes(map(len, parts))
    except ValueError:  # a word of more than 255 letters
        return bytes(min(len(part), 255) for part in parts)


def strings(value: Any, depth: int = 0) -> Iterator[str]:
    """Every string inside a JSON value, numbers as they are written; keys too, since a map may be keyed by a client's name.

    Raises:
        ValueError: the value is nested too deeply to be a document.
    """
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key not in _ORDINARY:
                yield str(key)
            yield from strings(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, depth + 1)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)


_ORDINARY = frozenset({"id", "kind", "language", "title", "document", "question", "answer", "text", "content", "role", "messages", "body"})

_EMAIL = re.compile(r"[a-z0-9][a-z0-9._%+-]*@[a-z0-9-]+(?:\.[a-z0-9-]+)+")
_PHONE = re.compile(r"(?<![a-z0-9])\+?\(?\d(?:[ ()./-]{0,2}\d){8,16}(?![a-z0-9])")
_IBAN = re.compile(r"(?<![a-z0-9])[a-z]{2}\d{2}(?:[ -]?[a-z0-9]{1,4}){3,8}(?![a-z0-9])")
_TOKEN = re.compile(r"(?<![a-z0-9])(?=[a-z./_-]*\d)[a-z0-9]+(?:[./_-][a-z0-9]+)*")
# Digits with little between them: the costly patterns look there alone.
_NUMBERS = re.compile(r"\d(?:.{0,20}\d)*", re.DOTALL)
_AMOUNT = re.compile(r"\d{1,3}(?:[., ]\d{3})+(?:[.,]\d{1,2})?")
_DATE = re.compile(r"\d{1,2}[./ -]\d{1,2}[./ -]\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2}")
# Forms the generator draws itself (curtilage/finetune/values.py): equal by chance, so equality alone says nothing.
_DRAWN = re.compile(r"m-?(?:19|20)\d{2}-?\d{4}")


def identifiers(folded: str) -> set[str]:
    """What names one person, account or file: addresses, account numbers, telephone numbers, codes; amounts and dates do not."""
    found: set[str] = set()
    if "@" in folded:
        found.update(found_.strip(".") for found_ in _EMAIL.findall(folded))
    near = "\n".join(folded[max(0, spot.start() - 10) : spot.end() + 10] for spot in _NUMBERS.finditer(folded) if len(spot.group()) > 4)
    if not near:
        return found
    for token in _TOKEN.findall(near):
        compact = _SEPARATORS.sub("", token)
        digits = sum(letter.isdigit() for letter in compact)
        if digits < 5 or not (digits >= 9 or (digits >= 5 and len(compact) >= 8 and digits < len(compact))):
            continue
        if not (_AMOUNT.fullmatch(token) or _DATE.fullmatch(token) or _DRAWN.fullmatch(token)):
            found.add(compact)
    for token in _IBAN.findall(near):
        compact = _SEPARATORS.sub("", token)
        found.update(compact[:length] for length in range(15, min(len(compact), 34) + 1) if _mod97(compact[:length]))
    for token in _PHONE.findall(near):
        if not (_AMOUNT.fullmatch(token) or _DATE.fullmatch(token)):
            found.add(_SEPARATORS.sub("", token).lstrip("0"))
    return found


def _mod97(account: str) -> bool:
    """ISO 13616: the check digits of an international account number."""
    turned = account[4:] + account[:4]
    return turned.isascii() and turned.isalnum() and int("".join(str(int(letter, 36)) for letter in turned)) % 97 == 1
