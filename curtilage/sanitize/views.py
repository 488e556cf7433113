"""Other readings of a text: escapes, percent, entities, quoted-printable, Base64, hexadecimal.

A view is decoded, cleaned by the same code, and written back in its encoding only when cleaning changed it.
"""

from __future__ import annotations

import base64
import binascii
import html
import quopri
import re
from collections.abc import Callable
from urllib.parse import quote, unquote, unquote_plus

import re2

from curtilage.sanitize.unicode import fold

Clean = Callable[[str], str]

_BASE64 = re2.compile(r"(?:[A-Za-z0-9+/]{60,76}\r?\n)+[A-Za-z0-9+/]{1,76}={0,2}|[A-Za-z0-9+/_\-]{16,}={0,2}")
_PERCENT = re2.compile(r"\S*%[0-9A-Fa-f]{2}\S*")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,24});")
_ESCAPED = re.compile(r"\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\u\{[0-9A-Fa-f]{1,6}\}|\\U[0-9A-Fa-f]{8}")
_PRINTABLE = re.compile(r"=(?:[0-9A-F]{2}|\r?\n)")
_HEX = re2.compile(r"\b(?:0x)?((?:[0-9a-f]{2}){12,}|(?:[0-9A-F]{2}){12,})\b|\b(?:[0-9A-Fa-f]{2}[ :]){11,}[0-9A-Fa-f]{2}\b")


def through_views(text: str, clean: Clean) -> str:
    """The text after each reading of it that it may carry was cleaned."""
    if "\\" in text:
        text = _unescaped(text, clean)
    if "%" in text:
        text = _PERCENT.sub(lambda match: _percent(match.group(), clean), text)
    if "&" in text and _ENTITY.search(text):
        text = _view(text, html.unescape(text), lambda cleaned: cleaned, clean)
    if "=" in text and _PRINTABLE.search(text):
        text = _quoted_printable(text, clean)
    if len(text) >= 16 and _BASE64.search(text):
        text = _BASE64.sub(lambda match: _base64_token(match.group(), clean), text)
        if len(text) >= 24 and _HEX.search(text):
            text = _HEX.sub(lambda match: _hex_token(match.group(), clean), text)
    return text


def _view(shown: str, decoded: str, encode: Callable[[str], str], clean: Clean) -> str:
    if decoded == shown:
        return shown
    cleaned = clean(decoded)
    return shown if cleaned == decoded else encode(cleaned)


def _unescaped(text: str, clean: Clean) -> str:
    r"""JSON source quoted in prose: ``{\"x__c\": …}``, ``\u0040`` and ``\x40``."""
    if '\\"' not in text and not _ESCAPED.search(text):
        return text
    decoded = _ESCAPED.sub(_character, text).replace('\\"', '"')
    if any("\ud800" <= char <= "\udfff" for char in decoded):
        decoded = decoded.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _view(text, decoded, lambda cleaned: cleaned, clean)


def _character(match: re.Match[str]) -> str:
    code = int(match.group()[2:].strip("{}"), 16)
    return chr(code) if code < 0x110000 else match.group()


def _percent(token: str, clean: Clean) -> str:
    def encode(cleaned: str) -> str:
        return quote(cleaned, safe="[]:/?&=#@+,;{}\"' ")

    if "+" in token:  # a form's blanks
        token = _view(token, unquote_plus(token), encode, clean)
    return _view(token, unquote(token), encode, clean)


def _quoted_printable(text: str, clean: Clean) -> str:
    try:
        decoded = quopri.decodestring(text.encode()).decode()
    except UnicodeDecodeError:
        return text
    return _view(text, decoded, lambda cleaned: cleaned, clean)


def _readable(text: str) -> bool:
    return fold(text).isprintable() or text.replace("\n", "").replace("\t", "").replace("\r", "").isprintable()


def _decoded(raw: bytes) -> str | None:
    for encoding in ("utf-8", "utf-16-le") if raw[1:2] == b"\0" else ("utf-8",):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _readable(text):
            return text
    return None


def _base64_token(token: str, clean: Clean) -> str:
    if token.isalpha() and (token.islower() or token[1:].islower()):  # a long word
        return token
    compact = token.replace("\n", "").replace("\r", "").rstrip("=")
    try:
        raw = base64.b64decode(
            compact + "=" * (-len(compact) % 4), altchars=b"-_" if "-" in compact or "_" in compact else None, validate=True
        )
    except (binascii.Error, ValueError):
        return token
    text = _decoded(raw)
    return token if text is None else _view(token, text, lambda cleaned: base64.b64encode(cleaned.encode()).decode(), clean)


def _hex_token(token: str, clean: Clean) -> str:
    try:
        text = _decoded(bytes.fromhex(token.removeprefix("0x").replace(":", " ")))
    except ValueError:
        return token
    return token if text is None else _view(token, text, lambda cleaned: cleaned.encode().hex(), clean)
