"""The walker: every string leaf and every key of a tree, and every document written inside a string.

A leaf may be prose, JSON, JSON in a JSON string, JSON quoted in prose, Base64, percent-encoded or entity-encoded text. Each of these is a
view of the same text: a view is decoded, cleaned by the same code, and written back in its encoding only when cleaning changed it, so
clean text passes through byte for byte. Whatever raises, refuses the call: there is no path on which the original goes through.
"""

# ruff: noqa: SIM905 - a list of words is read as words

from __future__ import annotations

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from curtilage.sanitize import labels
from curtilage.sanitize.detect import Span, find
from curtilage.sanitize.documents import next_opening, parse, parse_at
from curtilage.sanitize.fields import FieldRules
from curtilage.sanitize.hidden import shown
from curtilage.sanitize.joined import cut_across
from curtilage.sanitize.markup import without_marks
from curtilage.sanitize.patterns import SECRET, PatternTable, default_patterns
from curtilage.sanitize.people import PERSON, words_of
from curtilage.sanitize.placeholders import Vault, placeholder_spans
from curtilage.sanitize.prose import PRIVILEGED, drop_columns, privileged_spans, unix_lines
from curtilage.sanitize.terms import Terms
from curtilage.sanitize.unicode import fold_with_offsets
from curtilage.sanitize.views import through_views

MAX_DEPTH = 64
MAX_FRAGMENTS = 256
MAX_SECONDS = 30.0
REMOVED = "[REMOVED]"
FIELD_DATA = "FIELD_DATA"
_LABELLED = 128  # the longest value that its key is read as a label of

# Where middleware writes a field's name as a value beside the field's value, e.g. {"name": "x__c", "value": "…"}.
_NAME_KEYS = frozenset(
    "name field fieldname apiname qualifiedapiname developername fullname key label column path attribute property".split()
)


class SanitizerRefusal(Exception):
    """The text cannot be shown clean (too deep, too many nested documents, too long a time); the call is refused."""


class OutOfTime(SanitizerRefusal):
    """It was not done by the deadline; with more time it may be."""


@dataclass(slots=True)
class Findings:
    """What one call's cleaning took out: counts by class, never the text; and what the call brings along.

    Attributes:
        vault: the call's placeholders.
        personal_data: whether personal data is taken out (secrets and privileged fields always are).
        terms: the matter's dictionary.
        known: words that were part of a person's name earlier in the call.
        deadline: when cleaning gives up and the call is refused.
    """

    vault: Vault
    personal_data: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    fragments: int = 0
    terms: Terms | None = None
    known: set[str] = field(default_factory=set)
    deadline: float = field(default_factory=lambda: time.monotonic() + MAX_SECONDS)


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
        if depth == 0 and isinstance(node, dict | list):
            return self._clean(self._clean_across(node, findings), findings, 0, "")
        return self._clean(node, findings, depth, "")

    def _clean_across(self, node: Any, findings: Findings) -> Any:
        """First what lies over the borders of texts."""

        def replace(type_: str, value: str) -> str:
            findings.counts[type_] += 1
            return self.stand_in(type_, value, findings)

        return cut_across(
            node,
            lambda text: self.spans(text, findings.personal_data, findings),
            lambda text: privileged_spans(text, self.rules),
            replace,
        )

    def _clean(self, node: Any, findings: Findings, depth: int, key: str) -> Any:
        if depth > MAX_DEPTH:
            raise SanitizerRefusal("nested too deep")
        if isinstance(node, str):
            return (
                self._clean_value(node, findings, depth, key) if key and findings.personal_data else self.clean_text(node, findings, depth)
            )
        if isinstance(node, dict):
            return self._clean_object(node, findings, depth)
        if isinstance(node, list):
            return self._clean_list(node, findings, depth, key)
        if isinstance(node, int | float) and not isinstance(node, bool) and abs(node) >= 1e5:
            # A card or account number written as a JSON number is still one; only then does the leaf become a string.
            text = repr(node)
            cleaned = (
                self._clean_value(text, findings, depth, key) if key and findings.personal_data else self.clean_text(text, findings, depth)
            )
            return node if cleaned == text else cleaned
        return node

    def _clean_value(self, text: str, findings: Findings, depth: int, key: str) -> str:
        """A value whose key may say what it is."""
        if text and self.rules.is_personal(key) and not placeholder_spans(text):
            findings.counts[FIELD_DATA] += 1
            return self.stand_in(FIELD_DATA, text, findings)
        if 1 < len(text) <= _LABELLED and not _is_plain_word(text):
            type_ = labels.type_of(key)
            if type_ and any(map(str.isalnum, text)) and text[:1] not in "[{" and not placeholder_spans(text):
                findings.counts[type_] += 1
                if type_ == PERSON:
                    findings.known |= words_of(text)
                return self.stand_in(type_, text, findings)
            label = labels.label_of(key)
            if label:
                prefix = f"{label}: "
                shift = len(prefix)
                spans = [
                    Span(span.type, max(0, span.start - shift), span.end - shift)
                    for span in self.spans(prefix + text, True, findings)
                    if span.end > shift
                ]
                if spans:
                    text = self._replace(text, spans, findings)
        return self.clean_text(text, findings, depth)

    def _clean_object(self, node: Mapping[str, Any], findings: Findings, depth: int) -> dict[str, Any]:
        attributes = node.get("attributes")
        if isinstance(attributes, dict) and self._is_name(attributes.get("type")):
            findings.counts[PRIVILEGED] += 1
            return {}
        if any(key.lower().replace("_", "") in _NAME_KEYS and self._is_name(value) for key, value in node.items()):
            findings.counts[PRIVILEGED] += 1
            return {}
        header = next((value for value in node.values() if isinstance(value, list) and self._is_header(value)), None)
        cleaned: dict[str, Any] = {}
        for key, value in node.items():
            if self.rules.matches(key) or ((bare := without_marks(key)) is not None and self.rules.matches(bare[0])):
                findings.counts[PRIVILEGED] += 1
                continue
            if header is not None and isinstance(value, list):
                value = self._without_columns(value, header, findings)
            # A key is text too: middleware keys maps by e-mail address or account number.
            shown = key if _is_plain_key(key) and findings.terms is None else self.clean_text(key, findings, depth + 1)
            cleaned[shown] = self._clean(value, findings, depth + 1, key)
        return cleaned

    def _clean_list(self, node: list[Any], findings: Findings, depth: int, key: str) -> list[Any]:
        if len(node) == 2 and self._is_name(node[0]):  # ["x__c", value], as written by items() and entries()
            findings.counts[PRIVILEGED] += 1
            return []
        header = next((row for row in node[:1] if self._is_header(row)), None)
        if header is not None:
            node = self._without_columns(node, header, findings)
        if len(node) > 3 and all(map(_is_scrap, node)):  # [4111, 1111, 1111, 1111], ["j", "a", "n", "e", …]
            joined = "".join(map(str, node))
            cleaned = self._clean(joined, findings, depth + 1, key)
            if cleaned != joined:
                return [cleaned]
        kept = []
        for item in node:
            if self._is_name(item):
                findings.counts[PRIVILEGED] += 1
                continue
            kept.append(self._clean(item, findings, depth + 1, key))
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
        if len(text) < 3 or (findings.terms is None and _is_plain_word(text)):
            return text
        if time.monotonic() > findings.deadline:
            raise OutOfTime("not shown clean in time")
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
            tree, sound = parse(stripped)
        except (ValueError, RecursionError):
            return None
        return self._write_back(text, tree, sound, findings, depth)

    def _write_back(self, source: str, tree: Any, sound: bool, findings: Findings, depth: int) -> str:
        findings.fragments += 1
        if findings.fragments > 20_000:
            raise SanitizerRefusal("too many documents inside documents")
        cleaned = self._clean(tree, findings, depth + 1, "")
        # Duplicate keys hide a value from a parser: then only what was parsed is written.
        return source if sound and cleaned == tree else json.dumps(cleaned, ensure_ascii=False)

    def _split_documents(self, text: str, findings: Findings, depth: int) -> list[tuple[str, bool]]:
        """A text as pieces of prose and embedded JSON documents, these already cleaned."""
        pieces: list[tuple[str, bool]] = []
        start = position = 0
        attempts = 0
        while (opening := next_opening(text, position)) >= 0:
            attempts += 1
            if attempts > MAX_FRAGMENTS:
                break  # the rest is looked at as prose, whose field rules take the value of every privileged name
            try:
                tree, end, sound = parse_at(text, opening)
            except (ValueError, RecursionError):
                position = opening + 1
                continue
            if isinstance(tree, list) and not any(isinstance(item, str | list | dict) for item in tree):
                position = end  # "[2020] EWHC 12": brackets round a number are prose
                continue
            if start < opening:
                pieces.append((text[start:opening], False))
            pieces.append((self._write_back(text[opening:end], tree, sound, findings, depth), True))
            start = position = end
        pieces.append((text[start:], False))
        return pieces

    def _clean_prose(self, text: str, findings: Findings, depth: int) -> str:
        def clean(decoded: str) -> str:
            return self.clean_text(decoded, findings, depth + 1)

        text = self._through_marks(through_views(shown(text, clean), clean), findings)
        folded_text = fold_with_offsets(text)
        if self.rules.is_mentioned(folded_text[0]):
            without_columns = drop_columns(text, self.rules)
            if without_columns != text:
                findings.counts[PRIVILEGED] += 1
                text = without_columns
            text = self._replace(text, privileged_spans(text, self.rules), findings)
            folded_text = fold_with_offsets(text)
        if findings.personal_data:
            table = self._clean_table(text, findings)
            if table != text:
                text, folded_text = table, fold_with_offsets(table)
        return self._replace(text, self.spans(text, findings.personal_data, findings, folded_text), findings)

    def _through_marks(self, text: str, findings: Findings) -> str:
        """First what goes on over a mark of emphasis."""
        stripped = without_marks(text)
        if stripped is None:
            return text
        plain, places = stripped
        spans = [
            Span(span.type, places[span.start], places[span.end - 1] + 1)
            for span in (*privileged_spans(plain, self.rules), *self.spans(plain, findings.personal_data, findings))
            if places[span.end - 1] - places[span.start] != span.end - 1 - span.start
        ]
        kept: list[Span] = []
        for span in sorted(spans, key=lambda item: (item.start, -item.end)):
            if not kept or span.start >= kept[-1].end:
                kept.append(span)
        return self._replace(text, kept, findings)

    def _clean_table(self, text: str, findings: Findings) -> str:
        """A delimited table: its header says what its cells are."""
        first, _, rest = text.partition("\n")
        if not rest or len(first) > 2000:
            return text
        delimiter = max(",;\t|", key=first.count)
        columns = first.count(delimiter) + 1
        if columns < 2:
            return text
        header = [cell.strip(" \"'*`") for cell in first.split(delimiter)]
        kinds = [labels.type_of(cell) or ("label" if labels.label_of(cell) and len(cell) <= 40 else "") for cell in header]
        if len({len(cell) > 40 or (" " in cell.strip() and len(cell.split()) > 4) for cell in header}) > 1 or not any(kinds):
            return text
        try:
            rows = list(csv.reader(io.StringIO(unix_lines(rest)), delimiter=delimiter))
        except csv.Error:  # no table after all: the rules for prose see it
            return text
        if not rows or not all(len(row) in (0, columns) for row in rows):
            return text
        cleaned = [
            [self._clean_cell(cell, label, findings) for cell, label in zip(row, header, strict=True)] if row else row for row in rows
        ]
        if cleaned == rows:
            return text
        kept = io.StringIO()
        csv.writer(kept, delimiter=delimiter, lineterminator="\n").writerows(cleaned)
        return first + "\n" + (kept.getvalue() if rest.endswith("\n") else kept.getvalue().rstrip("\n"))

    def _clean_cell(self, cell: str, label: str, findings: Findings) -> str:
        stripped = cell.strip()
        if not stripped or placeholder_spans(stripped):
            return cell
        return cell.replace(stripped, self._clean_value(stripped, findings, 1, label), 1)

    def spans(
        self,
        text: str,
        personal_data: bool = True,
        findings: Findings | None = None,
        folded_text: tuple[str, list[int] | None] | None = None,
    ) -> list[Span]:
        """Personal data and secrets in a text; placeholders already there are no finds."""
        if personal_data:
            extra = findings.terms.find(text) if findings is not None and findings.terms is not None else ()
            known: set[str] = findings.known if findings is not None else set()
            found = find(text, self._patterns, people=self._people, known=known, extra=extra, folded_text=folded_text)
        else:
            found = find(text, self._secrets, folded_text=folded_text)
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
            if type_ == PERSON:
                findings.known |= words_of(text[start:end])
            pieces += (text[position:start], self.stand_in(type_, text[start:end], findings))
            position = end
        return "".join((*pieces, text[position:]))

    def stand_in(self, type_: str, value: str, findings: Findings) -> str:
        """What is written in a find's place: privileged fields and secrets are gone for good, personal data comes back to the caller."""
        return REMOVED if type_ in (PRIVILEGED, SECRET) else findings.vault.placeholder(type_, value)


def _is_scrap(value: Any) -> bool:
    """A few letters or digits by themselves, which may be a piece of something."""
    return len(value) <= 4 if isinstance(value, str) else isinstance(value, int) and not isinstance(value, bool) and 99 < value < 10_000


def _is_plain_word(text: str) -> bool:
    """A short word in lower case, such as a role: no pattern matches it, and no name is written so."""
    return len(text) < 24 and text.isascii() and text.replace("_", "a").isalpha() and text.islower()


def _is_plain_key(key: str) -> bool:
    """A key as programs write it: no address, no number, nothing encoded."""
    return len(key) < 24 and key.isascii() and key.isidentifier() and sum(map(str.isdigit, key)) < 5
