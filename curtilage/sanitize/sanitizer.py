"""The walker: every string leaf and every key of a tree, and every document written inside a string.

A leaf may be prose, JSON, JSON in a JSON string, JSON quoted in prose, Base64, percent-encoded or entity-encoded text. Each of these is a
view of the same text: a view is decoded, cleaned by the same code, and written back in its encoding only when cleaning changed it, so
clean text passes through byte for byte. Whatever raises, refuses the call: there is no path on which the original goes through.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

import re2

from curtilage.sanitize.detect import Span, find
from curtilage.sanitize.fields import FieldRules
from curtilage.sanitize.patterns import SECRET, PatternTable, default_patterns
from curtilage.sanitize.placeholders import Vault, placeholder_spans
from curtilage.sanitize.prose import PRIVILEGED, drop_columns, privileged_spans
from curtilage.sanitize.unicode import fold

MAX_DEPTH = 64
MAX_FRAGMENTS = 256
REMOVED = "[REMOVED]"

# Where middleware writes a field's name as a value beside the field's value, e.g. {"name": "x__c", "value": "…"}.
_NAME_KEYS = frozenset(
    (
        "name",
        "field",
        "fieldname",
        "apiname",
        "qualifiedapiname",
        "developername",
        "fullname",
        "key",
        "label",
        "column",
        "path",
        "attribute",
        "property",
    )
)
_BASE64 = re2.compile(r"[A-Za-z0-9+/_\-]{24,}={0,2}")
_PERCENT = re2.compile(r"\S*%[0-9A-Fa-f]{2}\S*")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,24});")
_ESCAPED = re.compile(r"\\u[0-9A-Fa-f]{4}")


class SanitizerRefusal(Exception):
    """The text cannot be shown clean (too deep, too many nested documents); the call is refused."""


@dataclass(slots=True)
class Findings:
    """What one call's cleaning took out: counts by class, never the text."""

    vault: Vault
    personal_data: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    fragments: int = 0


class Sanitizer:
    """Cleans trees and texts by the same rules.

    Args:
        rules: the privileged fields.
        patterns: what is found by shape.
        people: whether names of people are found.
    """

    def __init__(self, rules: FieldRules | None = None, patterns: PatternTable | None = None, *, people: bool = True) -> None:
        self.rules = rules or FieldRules()
        self._patterns = default_patterns() if patterns is None else patterns
        self._secrets = self._patterns.only(SECRET)
        self._people = people

    # ---- trees

    def clean(self, node: Any, findings: Findings, depth: int = 0) -> Any:
        """The tree without privileged fields and with placeholders for personal data."""
        if depth > MAX_DEPTH:
            raise SanitizerRefusal("nested too deep")
        if isinstance(node, str):
            return self.clean_text(node, findings, depth)
        if isinstance(node, dict):
            return self._clean_object(node, findings, depth)
        if isinstance(node, list):
            return self._clean_list(node, findings, depth)
        if isinstance(node, int | float) and not isinstance(node, bool) and abs(node) >= 1e7:
            # A card or account number written as a JSON number is still one; only then does the leaf become a string.
            text = repr(node)
            cleaned = self.clean_text(text, findings, depth)
            return node if cleaned == text else cleaned
        return node

    def _clean_object(self, node: Mapping[str, Any], findings: Findings, depth: int) -> dict[str, Any]:
        attributes = node.get("attributes")
        if isinstance(attributes, dict) and self._is_name(attributes.get("type")):
            findings.counts[PRIVILEGED] += 1
            return {}
        if any(key.lower().replace("_", "") in _NAME_KEYS and self._is_name(value) for key, value in node.items()):
            findings.counts[PRIVILEGED] += 1
            return {}
        header = next((value for value in node.values() if self._is_header(value)), None)
        cleaned: dict[str, Any] = {}
        for key, value in node.items():
            if self.rules.matches(key):
                findings.counts[PRIVILEGED] += 1
                continue
            if header is not None and isinstance(value, list):
                value = self._without_columns(value, header, findings)
            # A key is text too: middleware keys maps by e-mail address or account number.
            cleaned[self.clean_text(key, findings, depth + 1)] = self.clean(value, findings, depth + 1)
        return cleaned

    def _clean_list(self, node: list[Any], findings: Findings, depth: int) -> list[Any]:
        if len(node) == 2 and self._is_name(node[0]):  # ["x__c", value], as written by items() and entries()
            findings.counts[PRIVILEGED] += 1
            return []
        header = next((row for row in node[:1] if self._is_header(row)), None)
        if header is not None:
            node = self._without_columns(node, header, findings)
        kept = []
        for item in node:
            if self._is_name(item):
                findings.counts[PRIVILEGED] += 1
                continue
            kept.append(self.clean(item, findings, depth + 1))
        return kept

    def _is_name(self, value: Any) -> bool:
        """Whether a string is, as a whole, a privileged field's API name (labels do not count: prose may be one)."""
        return isinstance(value, str) and len(value) <= 200 and "__" in value and " " not in value.strip() and self.rules.matches(value)

    def _is_header(self, value: Any) -> bool:
        return (
            isinstance(value, list) and len(value) > 1 and all(isinstance(cell, str) for cell in value) and any(map(self._is_name, value))
        )

    def _without_columns(self, rows: list[Any], header: list[str], findings: Findings) -> list[Any]:
        """Rows under a header, without the privileged columns; the header itself is one of them when it is the first row."""
        drop = {index for index, cell in enumerate(header) if self._is_name(cell)}
        if rows == header:
            return [cell for index, cell in enumerate(rows) if index not in drop]
        found = [isinstance(row, list) and len(row) == len(header) for row in rows]
        findings.counts[PRIVILEGED] += sum(found) * len(drop)
        return [[cell for index, cell in enumerate(row) if index not in drop] if hit else row for row, hit in zip(rows, found, strict=True)]

    # ---- texts

    def clean_text(self, text: str, findings: Findings, depth: int = 0) -> str:
        """One string leaf, in every encoding it may carry."""
        if depth > MAX_DEPTH:
            raise SanitizerRefusal("nested too deep")
        if len(text) < 3:
            return text
        whole = self._clean_document(text, findings, depth)
        if whole is not None:
            return whole
        if "{" in text or "[" in text:
            pieces = self._split_documents(text, findings, depth)
            if len(pieces) > 1:
                return "".join(piece if done else self._clean_prose(piece, findings, depth) for piece, done in pieces)
        return self._clean_prose(text, findings, depth)

    def _clean_document(self, text: str, findings: Findings, depth: int) -> str | None:
        """A text that is, as a whole, a JSON document; None when it is not."""
        stripped = text.strip().lstrip("\ufeff")
        if stripped[:1] not in ("{", "[", '"') or stripped[-1:] not in ("}", "]", '"'):
            return None
        try:
            tree, sound = _parse(stripped)
        except (ValueError, RecursionError):
            return None
        return self._write_back(text, tree, sound, findings, depth)

    def _write_back(self, source: str, tree: Any, sound: bool, findings: Findings, depth: int) -> str:
        self._count_fragment(findings)
        cleaned = self.clean(tree, findings, depth + 1)
        # Duplicate keys hide a value from a parser: then only what was parsed is written.
        return source if sound and cleaned == tree else json.dumps(cleaned, ensure_ascii=False)

    def _split_documents(self, text: str, findings: Findings, depth: int) -> list[tuple[str, bool]]:
        """A text as pieces of prose and embedded JSON documents, these already cleaned."""
        pieces: list[tuple[str, bool]] = []
        start = position = 0
        attempts = 0
        while (opening := _next_opening(text, position)) >= 0:
            attempts += 1
            if attempts > MAX_FRAGMENTS:
                break  # the rest is looked at as prose, whose field rules take the value of every privileged name
            try:
                tree, end, sound = _parse_at(text, opening)
            except (ValueError, RecursionError):
                position = opening + 1
                continue
            if start < opening:
                pieces.append((text[start:opening], False))
            pieces.append((self._write_back(text[opening:end], tree, sound, findings, depth), True))
            start = position = end
        pieces.append((text[start:], False))
        return pieces

    def _count_fragment(self, findings: Findings) -> None:
        findings.fragments += 1
        if findings.fragments > 20_000:
            raise SanitizerRefusal("too many documents inside documents")

    def _clean_prose(self, text: str, findings: Findings, depth: int) -> str:
        for view in (self._unescaped_view, self._percent_view, self._entity_view, self._base64_view):
            text = view(text, findings, depth)
        without_columns = drop_columns(text, self.rules)
        if without_columns != text:
            findings.counts[PRIVILEGED] += 1
            text = without_columns
        text = self._replace(text, privileged_spans(text, self.rules), findings)
        return self._replace(text, self.spans(text, findings.personal_data), findings)

    def spans(self, text: str, personal_data: bool = True) -> list[Span]:
        """Personal data and secrets in a text; placeholders already there are no finds."""
        found = find(text, self._patterns, people=self._people) if personal_data else find(text, self._secrets)
        if not found:
            return found
        taken = placeholder_spans(text)
        return [span for span in found if not any(span.start < end and span.end > start for start, end in taken)]

    def _replace(self, text: str, spans: list[Span], findings: Findings) -> str:
        if not spans:
            return text
        pieces: list[str] = []
        position = 0
        for type_, start, end in spans:
            findings.counts[type_] += 1
            pieces += (text[position:start], self.stand_in(type_, text[start:end], findings))
            position = end
        return "".join((*pieces, text[position:]))

    def stand_in(self, type_: str, value: str, findings: Findings) -> str:
        """What is written in a find's place: privileged fields and secrets are gone for good, personal data comes back to the caller."""
        return REMOVED if type_ in (PRIVILEGED, SECRET) else findings.vault.placeholder(type_, value)

    # ---- views

    def _view(self, shown: str, decoded: str, encode: Callable[[str], str], findings: Findings, depth: int) -> str:
        if decoded == shown:
            return shown
        cleaned = self.clean_text(decoded, findings, depth + 1)
        return shown if cleaned == decoded else encode(cleaned)

    def _unescaped_view(self, text: str, findings: Findings, depth: int) -> str:
        r"""JSON source quoted in prose: ``{\"x__c\": …}`` and ``\u0040``."""
        if '\\"' not in text and not _ESCAPED.search(text):
            return text
        decoded = _ESCAPED.sub(lambda match: chr(int(match.group()[2:], 16)), text).replace('\\"', '"')
        if any("\ud800" <= char <= "\udfff" for char in decoded):
            decoded = decoded.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return self._view(text, decoded, lambda cleaned: cleaned, findings, depth)

    def _percent_view(self, text: str, findings: Findings, depth: int) -> str:
        if "%" not in text:
            return text
        replaced: str = _PERCENT.sub(
            lambda match: self._view(
                match.group(), unquote(match.group()), lambda cleaned: quote(cleaned, safe="[]:/?&=#@+,;{}\"' "), findings, depth
            ),
            text,
        )
        return replaced

    def _entity_view(self, text: str, findings: Findings, depth: int) -> str:
        if "&" not in text or not _ENTITY.search(text):
            return text
        return self._view(text, html.unescape(text), lambda cleaned: cleaned, findings, depth)

    def _base64_view(self, text: str, findings: Findings, depth: int) -> str:
        if len(text) < 24:
            return text
        replaced: str = _BASE64.sub(lambda match: self._base64_token(match.group(), findings, depth), text)
        return replaced

    def _base64_token(self, token: str, findings: Findings, depth: int) -> str:
        try:
            decoded = base64.b64decode(
                token + "=" * (-len(token) % 4), altchars=b"-_" if "-" in token or "_" in token else None, validate=True
            ).decode()
        except (binascii.Error, ValueError):
            return token
        if not fold(decoded).isprintable() and not decoded.replace("\n", "").replace("\t", "").replace("\r", "").isprintable():
            return token
        return self._view(token, decoded, lambda cleaned: base64.b64encode(cleaned.encode()).decode(), findings, depth)


def _next_opening(text: str, position: int) -> int:
    found = [index for index in (text.find("{", position), text.find("[", position)) if index >= 0]
    return min(found, default=-1)


class _Pairs:
    """Notes duplicate keys while the decoder builds objects."""

    def __init__(self) -> None:
        self.sound = True

    def __call__(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(pairs)
        self.sound = self.sound and len(built) == len(pairs)
        return built


def _parse(text: str) -> tuple[Any, bool]:
    pairs = _Pairs()
    return json.loads(text, object_pairs_hook=pairs, strict=False), pairs.sound


def _parse_at(text: str, position: int) -> tuple[Any, int, bool]:
    pairs = _Pairs()
    tree, end = json.JSONDecoder(object_pairs_hook=pairs, strict=False).raw_decode(text, position)
    return tree, end, pairs.sound
