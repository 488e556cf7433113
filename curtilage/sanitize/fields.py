"""Field rules: which CRM fields are privileged, whatever namespace, relation, case or script they are written in.

A rule is a field's API name, or ``*`` and a suffix. It covers the managed-package form (``ns__x__c``), the relation (``x__r``), child
relations (``xs__r``), person-account and history forms, dotted paths (``Case__r.x__c``) and, for a full name, the label and camel-case
forms, because middleware rewrites names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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
        self._segment_is_privileged = lru_cache(maxsize=8192)(self._match_segment)

    def _match_segment(self, segment: str) -> bool:
        if self._classification is not None and self._classification.refuses(segment):
            return True
        lower = segment.lower()
        if self._key is not None and self._key.fullmatch(_SEPARATORS.sub("", lower)):
            return True
        return self._suffixed is not None and self._suffixed.fullmatch(_BLANKS.sub("_", lower)) is not None

    def next_mention(self, folded: str, position: int = 0) -> tuple[int, int] | None:
        """The next privileged name written in folded prose, with the namespace and path in front of it."""
        match = self._mention.search(folded, position)
        start, end = match.span(match.lastindex) if match is not None else (-1, -1)
        if self._classification is not None:
            custom = next((found for found in _CUSTOM.finditer(folded, position) if self.matches(found.group())), None)
            if custom is not None and (match is None or custom.start() < start):
                start, end = custom.span()
        if start < 0:
            return None
        while start > position and (folded[start - 1].isalnum() or folded[start - 1] in "_."):
            start -= 1
        return start, end

    def matches(self, key: str) -> bool:
        """Whether a key, or any segment of a dotted path, names a privileged field."""
        if len(key) > 512:  # no API name is this long; prose used as a key is looked at as text
            return False
        return any(map(self._segment_is_privileged, fold(key).strip().split(".")))

    def is_personal(self, key: str) -> bool:
        """Whether the classification says that a key's value is personal data as a whole."""
        return self._classification is not None and any(map(self._classification.is_personal, fold(key).strip().split(".")))
