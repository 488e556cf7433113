"""Spans for people and scores: where in a given text the sanitizer took something out.

What is sent on is what :meth:`Sanitizer.clean_text` returns, and nothing else; this only locates its finds in the text as it was given.
A find inside an encoding is located by its encoded form, else by the smallest changed stretch.
"""

from __future__ import annotations

import difflib
import json

from curtilage.sanitize.detect import Span
from curtilage.sanitize.placeholders import Vault
from curtilage.sanitize.prose import PRIVILEGED, privileged_spans
from curtilage.sanitize.sanitizer import Findings, Sanitizer

ENCODED = "ENCODED"


class _Noting(Vault):
    """A vault that also notes what it stood in for."""

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self.noted: list[tuple[str, str]] = []

    def placeholder(self, type_: str, value: str) -> str:
        self.noted.append((type_, value))
        return super().placeholder(type_, value)


def redact_text(text: str, sanitizer: Sanitizer, key: bytes) -> tuple[str, list[Span]]:
    """The cleaned text, and the spans of the given text that are gone from it."""
    vault = _Noting(key)
    cleaned = sanitizer.clean_text(text, Findings(vault))
    if cleaned == text:
        return text, []
    candidates = [*privileged_spans(text, sanitizer.rules), *sanitizer.spans(text)]
    position = 0
    for type_, value in vault.noted:
        for form in dict.fromkeys((value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])):
            start = text.find(form, position)
            start = text.find(form) if start < 0 else start
            if start >= 0:
                candidates.append(Span(type_, start, start + len(form)))
                break
    spans = _merge(candidates)
    return cleaned, spans or _changed(text, cleaned)


def _merge(candidates: list[Span]) -> list[Span]:
    """Longest first, no overlaps, left to right; a privileged field swallows what is in it."""
    kept: list[Span] = []
    for span in sorted(set(candidates), key=lambda item: (item.type != PRIVILEGED, item.start - item.end, item.start)):
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda span: span.start)


def _changed(text: str, cleaned: str) -> list[Span]:
    matcher = difflib.SequenceMatcher(None, text, cleaned, autojunk=False) if len(text) < 20_000 else None
    if matcher is None:
        return [Span(ENCODED, 0, len(text))]
    return [Span(ENCODED, start, end) for tag, start, end, _, _ in matcher.get_opcodes() if tag in ("replace", "delete")]
