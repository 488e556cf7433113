"""Other readings of a text: escapes, percent, entities, quoted-printable, encoded words, Base64, Base32, hexadecimal, code points.

A view is decoded, cleaned by the same code, and written back in its encoding only when cleaning changed it.
"""

from __future__ import annotations

import base64
import binascii
import html
import quopri
import re
from collections.abc import Callable
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from itertools import islice
from urllib.parse import quote, unquote, unquote_plus

import re2

from curtilage.sanitize.unicode import fold

Clean = Callable[[str], str]

_BASE64 = re2.compile(r"(?:[A-Za-z0-9+/]{16,76}(?:\\r)?(?:\\n|\s)\s{0,16})+[A-Za-z0-9+/]{1,76}={0,2}|[A-Za-z0-9+/_\-]{16,}={0,2}")
_BASE64_ALONE = re2.compile(r"[A-Za-z0-9+/_\-]{16,}={0,2}")
_LINE_ENDS = re.compile(r"\\[rn]|\s")
_PIECE = re.compile(r"[/_+\-]")
_BASE32 = re.compile(r"[A-Z2-7]{16,}={0,6}")
_PERCENT = re2.compile(r"\S*%(?:u[0-9A-Fa-f]{2})?[0-9A-Fa-f]{2}\S*|\S*[?&][^\s=]{1,64}=[^\s&]*\+\S*")
_ENCODED_WORD = re.compile(r"(?:=\?[\w\-]{1,20}\?[BbQq]\?[^?\s]*\?=\s*)+")
_CODE_POINTS = re.compile(r"(?:U\+[0-9A-Fa-f]{4,6}[ ,;]*){4,}")
_JOINED = re.compile(r"(?<![\w.@/])[A-ZÀ-Þ0-9+][^\W_]+(?:(?:_|\.(?=[A-ZÀ-Þ]))[^\W_]+)+(?![\w@])")
_PERCENT_UNIT = re.compile(r"%u([0-9A-Fa-f]{4})")
_ENTITY = re.compile(r"&(?:#\d{1,12};?|#[xX][0-9A-Fa-f]{1,12};?|[A-Za-z]{2,24};)")
_ESCAPED = re.compile(r"(?<!\\)\\+(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|u\{[0-9A-Fa-f]{1,6}\}|U[0-9A-Fa-f]{8}|0{2,4}[0-9A-Fa-f]{2} ?)")
_OCTAL = re.compile(r"(?:\\[0-3][0-7]{2}){4,}")
_PRINTABLE = re.compile(r"=(?:[0-9A-F]{2}|\r?\n)")
_HEX = re2.compile(r"\b(?:0x)?(?:[0-9A-Fa-f]{2}){12,}\b|\b(?:(?:0x)?[0-9A-Fa-f]{2}[ :,;\-]{1,2}){11,}(?:0x)?[0-9A-Fa-f]{2}\b")
_NO_HEX = re.compile(r"0x|[^0-9A-Fa-f]")
_NUMBERS = re2.compile(r"\b(?:\d{2,3}[ ,;]{1,2}){11,}\d{2,3}\b|\b(?:[01]{8} ?){11,}[01]{8}\b")


def through_views(text: str, clean: Clean) -> str:
    """The text after each reading of it that it may carry was cleaned."""
    if "\\" in text:
        text = _unescaped(text, clean)
    if "U+" in text:
        text = _CODE_POINTS.sub(lambda match: _view(match.group(), _points(match.group()), str, clean), text)
    if "_" in text or "." in text:
        text = _JOINED.sub(lambda match: _joined(match.group(), clean), text)
    if "=?" in text:
        text = _ENCODED_WORD.sub(lambda match: _encoded_word(match.group(), clean), text)
    if "%" in text or "+" in text:
        text = _PERCENT.sub(lambda match: _percent(match.group(), clean), text)
    if "&" in text and _ENTITY.search(text):
        text = _view(text, html.unescape(text), lambda cleaned: cleaned, clean)
    if "=" in text and _PRINTABLE.search(text):
        text = _quoted_printable(text, clean)
    if len(text) >= 16 and _BASE64.search(text):
        text = _BASE64.sub(lambda match: _base64_token(match.group(), clean), text)
    if len(text) >= 24 and _HEX.search(text):
        text = _HEX.sub(lambda match: _hex_token(match.group(), clean), text)
    if len(text) >= 24 and _NUMBERS.search(text):
        text = _NUMBERS.sub(lambda match: _number_token(match.group(), clean), text)
    return text


def _view(shown: str, decoded: str, encode: Callable[[str], str], clean: Clean) -> str:
    if decoded == shown:
        return shown
    cleaned = clean(decoded)
    return shown if cleaned == decoded else encode(cleaned)


def _unescaped(text: str, clean: Clean) -> str:
    r"""JSON source quoted in prose: ``{\"x__c\": …}``, ``\u0040`` and ``\x40``."""
    text = _OCTAL.sub(lambda match: _view(match.group(), _from_octal(match.group()), str, clean), text)
    if '\\"' not in text and not _ESCAPED.search(text):
        return text
    decoded = _ESCAPED.sub(_character, text).replace('\\"', '"')
    if any("\ud800" <= char <= "\udfff" for char in decoded):
        decoded = decoded.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _view(text, decoded, lambda cleaned: cleaned, clean)


def _character(match: re.Match[str]) -> str:
    code = int(match.group().lstrip("\\")[1:].strip("{} "), 16)
    return chr(code) if code < 0x110000 else match.group()


def _from_octal(text: str) -> str:
    return bytes(int(code, 8) for code in text[1:].split("\\")).decode("utf-8", "replace")


def _points(text: str) -> str:
    codes = (int(code, 16) for code in re.findall(r"[Uu]\+([0-9A-Fa-f]{4,6})", text))
    return "".join(chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "?" for code in codes)


def _joined(token: str, clean: Clean) -> str:
    """What a file's name writes for blanks: ``Maria_Kowalczyk``, ``4111_1111_1111_1111``."""
    sign = "_" if "_" in token else "."
    return _view(token, token.replace(sign, " "), lambda cleaned: cleaned.replace(" ", sign), clean)


def _encoded_word(text: str, clean: Clean) -> str:
    """Header words of RFC 2047."""
    try:
        decoded = str(make_header(decode_header(text.strip())))
    except (LookupError, ValueError, HeaderParseError):
        return text
    return _view(text, decoded, lambda cleaned: cleaned, clean)


def _percent(token: str, clean: Clean) -> str:
    def encode(cleaned: str) -> str:
        return quote(cleaned, safe="[]:/?&=#@+,;{}\"' ")

    if "+" in token:  # a form's blanks
        token = _view(token, unquote_plus(token), encode, clean)
    token = _view(token, _PERCENT_UNIT.sub(lambda match: chr(int(match.group(1), 16)), token), str, clean) if "%u" in token else token
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
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings: tuple[str, ...] = ("utf-16",)
    elif raw[1:2] == b"\0":
        encodings = ("utf-8", "utf-16-le")
    elif raw[:1] == b"\0":
        encodings = ("utf-16-be",)
    else:
        # A text of an 8-bit code is mostly ASCII; a key or a digest is not.
        encodings = ("utf-8", "cp1252") if sum(byte < 127 for byte in raw) > 0.85 * len(raw) else ("utf-8",)
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _readable(text):
            return text
    return None


def _base64_token(token: str, clean: Clean) -> str:
    """Base64 in lines of any length, by itself, or behind something of the same letters: a path, a prefix."""
    compact = _LINE_ENDS.sub("", token)
    whole = _from_base64(compact, clean)
    if whole is not None:
        return token if whole == compact else whole
    if compact != token:  # lines that do not belong together
        return str(_BASE64_ALONE.sub(lambda match: _base64_token(match.group(), clean), token))
    for place in islice(_PIECE.finditer(token, 0, 64), 8):
        rest = token[place.end() :]
        if len(rest) >= 16 and (found := _from_base64(rest, clean)) is not None:
            return token[: place.end()] + found
    pieces = token.split("/")
    if len(pieces) == 1:
        return token
    return "/".join(piece if len(piece) < 16 or (found := _from_base64(piece, clean)) is None else found for piece in pieces)


def _from_base64(token: str, clean: Clean) -> str | None:
    """The token with its text cleaned; None when it is no text."""
    if token.isalpha() and (token.islower() or token[1:].islower()):  # a long word
        return token
    bare = token.rstrip("=")
    if _BASE32.fullmatch(token):
        try:
            text = _decoded(base64.b32decode(bare + "=" * (-len(bare) % 8)))
        except binascii.Error:
            text = None
        if text is not None:
            return _view(token, text, lambda cleaned: base64.b32encode(cleaned.encode()).decode(), clean)
    try:
        raw = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_" if "-" in bare or "_" in bare else None, validate=True)
    except (binascii.Error, ValueError):
        return None
    text = _decoded(raw)
    return None if text is None else _view(token, text, lambda cleaned: base64.b64encode(cleaned.encode()).decode(), clean)


def _hex_token(token: str, clean: Clean) -> str:
    try:
        text = _decoded(bytes.fromhex(_NO_HEX.sub("", token)))
    except ValueError:
        return token
    return token if text is None else _view(token, text, lambda cleaned: cleaned.encode().hex(), clean)


def _number_token(token: str, clean: Clean) -> str:
    """Code points in decimal, or in bits."""
    bits = not set(token) - set("01 ")
    codes = [int(code, 2) for code in re.findall("[01]{8}", token)] if bits else [int(code) for code in re.findall(r"\d+", token)]
    if not all(31 < code < 256 or code in (9, 10, 13) for code in codes):
        return token
    written = "08b" if bits else "d"
    return _view(token, bytes(codes).decode("latin-1"), lambda cleaned: " ".join(format(ord(char), written) for char in cleaned), clean)
