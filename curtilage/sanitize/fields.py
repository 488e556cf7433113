"""Field rules: which CRM fields are privileged, whatever namespace, relation, case or script they are written in.

A rule is a field's API name, or ``*`` and a suffix. It covers the managed-package form (``ns__x__c``), the relation (``x__r``), child
relations (``xs__r``), person-account and history forms, dotted paths (``Case__r.x__c``) and, for a full name, the label and camel-case
forms, because middleware rewrites names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

import re2

from curtilage.errors import ConfigError
from curtilage.sanitize.classification import Classification
from curtilage.sanitize.unicode import fold

DEFAULT_FIELD_RULES = ("legal_case_strategy__c", "privileged_communication__c", "*sensitive__c")

_SUFFIX = r"(?:c|r|pc|pr|x|e|b|mdt|history|share|feed|changeevent|kav|tag)"
_RULE = re.compile(r"\*?[a-z0-9][a-z0-9_]*__c")
_SEPARATORS = re.compile(r"[\s_\-]+")
_CUSTOM = re.compile(r"\b[A-Za-z][A-Za-z0-9_]{0,80}__(?:c|pc|r|pr|x|e|b)\b", re.IGNORECASE)
_BLANKS = re.compile(r"[\s\-]")


class FieldRules:
    """Decides whether a key names a privileged field, and finds such names in prose.

    Args:
        rules: field API names ending in ``__c``, with an optional leading ``*``.
        classification: what the CRM's own metadata says; with it, a custom field that it does not open is privileged.
    """

    def __init__(self, rules: Iterable[str] = DEFAULT_FIELD_RULES, classification: Classification | None = None) -> None:
        self._classification = classification
        keys: list[str] = []
        suffixed: list[str] = []
        mentions: list[str] = []
        for rule in rules:
            name = rule.lower()
            if not _RULE.fullmatch(name):
                raise ConfigError(
                    f"field rule {rule!r}",
                    rule="a rule is a custom field's API name ending in __c, with an optional leading *",
                    fix="e.g. *sensitive__c",
                    key="fields",
                )
            stem = name.lstrip("*").removesuffix("__c")
            letters = stem.replace("_", "")
            plural = letters + "|" + letters[:-1] + "ies" if letters.endswith("y") else letters + "s?"
            if name.startswith("*"):
                # Without the underscores of the suffix, every word on -sensitivec, or a plain "sensitive", would be a field.
                suffixed.append(rf"{'_*'.join(map(re.escape, stem.split('_')))}s?__+{_SUFFIX}")
            else:
                keys.append(rf"(?:{plural}){_SUFFIX}?")
            spaced = r"[\s_\-]*".join(map(re.escape, stem.split("_")))
            mentions.append(rf"({spaced}(?:s|ies)?__{_SUFFIX})\b")
            if not name.startswith("*") and "_" in stem:
                mentions.append(rf"({spaced}s?)[\"'`*\\]*\s*[:=]")
        self._key = re.compile(rf".*(?:{'|'.join(keys)})") if keys else None
        self._suffixed = re.compile(rf".*(?:{'|'.join(suffixed)})") if suffixed else None
        self._mention = re2.compile(rf"(?i){'|'.join(mentions)}")
        # Asked again and again from further on, re2 would encode the whole text each time: a text full of names would take time squared.
        self._following = re.compile("|".join(mentions), re.IGNORECASE | re.ASCII)
        self._segment_is_privileged = lru_cache(maxsize=8192)(self._match_segment)

    def _match_segment(self, segment: str) -> bool:
        if self._classification is not None and self._classification.refuses(segment):
            return True
        lower = segment.lower()
        if self._key is not None and self._key.fullmatch(_SEPARATORS.sub("", lower)):
            return True
        return self._suffixed is not None and self._suffixed.fullmatch(_BLANKS.sub("_", lower)) is not None

    def is_mentioned(self, folded: str) -> bool:
        """Whether folded prose has a privileged name."""
        return self._mention.search(folded) is not None or (self._classification is not None and self._next_custom(folded, 0) is not None)

    def mentions(self, folded: str) -> Mentions:
        """The privileged names written in folded prose."""
        return Mentions(folded, self._following, self._next_custom if self._classification is not None else None)

    def _next_custom(self, folded: str, position: int) -> tuple[int, int] | None:
        return next((found.span() for found in _CUSTOM.finditer(folded, position) if self.matches(found.group())), None)

    def matches(self, key: str) -> bool:
        """Whether a key, or any segment of a dotted path, names a privileged field."""
        if len(key) > 512:  # no API name is this long; prose used as a key is looked at as text
            return False
        return any(map(self._segment_is_privileged, fold(key).strip().split(".")))

    def is_personal(self, key: str) -> bool:
        """Whether the classification says that a key's value is personal data as a whole."""
        return self._classification is not None and any(map(self._classification.is_personal, fold(key).strip().split(".")))


class Mentions:
    """The privileged names in one text, asked for from left to right in time linear in the text.

    Args:
        folded: the text, folded.
        pattern: finds names of the rules; its last group is the name.
        next_custom: finds the next field that a classification does not open; None without one.
    """

    def __init__(
        self, folded: str, pattern: re.Pattern[str], next_custom: Callable[[str, int], tuple[int, int] | None] | None = None
    ) -> None:
        self._folded = folded

        def next_name(text: str, position: int) -> tuple[int, int] | None:
            return _span(pattern.search(text, position))

        self._finders: list[Callable[[str, int], tuple[int, int] | None]] = [next_name]
        if next_custom is not None:
            self._finders.append(next_custom)
        self._found: list[tuple[int, int] | None] = [(-1, -1) for _ in self._finders]

    def after(self, position: int) -> tuple[int, int] | None:
        """The first name that begins at or after a place, with the namespace and path in front of it; places only go up.

        Args:
            position: offset into the folded text.
        """
        for index, find in enumerate(self._finders):
            known = self._found[index]
            if known is not None and known[0] < position:
                self._found[index] = find(self._folded, position)
        known = min(filter(None, self._found), default=None, key=lambda span: span[0])
        if known is None:
            return None
        start, end = known
        while start > position and (self._folded[start - 1].isalnum() or self._folded[start - 1] in "_."):
            start -= 1
        return start, end


def _span(match: re.Match[str] | None) -> tuple[int, int] | None:
    return match.span(match.lastindex or 0) if match is not None else None
