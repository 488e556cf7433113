"""Keeps secrets out of a comment, whatever sentence they would have come through.

Two layers. Values of properties are not shown at all, only their names. What is shown (rules, witnesses, reasons) may still quote a plan,
so every secret the plans hold is collected first and struck from the finished document: what the engine marks as secret, and every text
under a key that is named like one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""sdk/go/common/resource/properties.go: the key that marks a secret, an output or an asset in place of a value."""
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 -- the engine's public constant: the mark of a secret, not one
SHOWN = "(secret)"
SHORTEST = 4
"""A shorter text occurs in ordinary words; it cannot be struck without striking them, and no value is shown by itself."""

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_SINGLE = {"password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "credentials", "authorization", "psk"}
_PAIRS = {
    ("private", "key"), ("api", "key"), ("access", "key"), ("secret", "key"), ("shared", "key"), ("secret", "string"), ("secret", "binary"),
    ("secret", "value"), ("auth", "token"), ("key", "material"), ("connection", "string"), ("user", "data"), ("client", "secret"),
    ("plaintext", "value"), ("string", "data"), ("key", "pem"),
}  # fmt: skip
_HARMLESS = {"true", "false", "none", "null", "required", "optional", "enabled", "disabled", "[secret]"}
_SHAPES = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{30,}\b"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    re.compile(r"(?i)\b(password|passwd|passphrase|secret|token|api[_-]?key)\s*[=:]\s*[^\s,;\"']{4,}"),
)


def is_secret_name(key: str) -> bool:
    """Whether a key is named like a secret: ``dbPassword`` and ``client_secret`` are, ``httpTokens`` and ``secretArn`` are not."""
    words = tuple(word.lower() for word in _WORDS.findall(key))
    return bool(words) and (words[-1] in _SINGLE or words[-2:] in _PAIRS)


def secrets_of(document: Any) -> set[str]:
    """Every secret text of a document."""
    return {text for text in _walk(document, False) if len(text) >= SHORTEST and text.lower() not in _HARMLESS}


def _walk(value: Any, inside: bool) -> Iterator[str]:
    if isinstance(value, dict):
        marked = value.get(SIGNATURE) == SECRET
        for key, item in value.items():
            if key == SIGNATURE:
                continue
            yield from _walk(item, inside or marked or is_secret_name(str(key)))
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, inside)
    elif inside and isinstance(value, str):
        yield value
        # The engine writes a secret as JSON text: "plaintext": "\"value\"".
        try:
            decoded = json.loads(value)
        except ValueError:
            return
        if isinstance(decoded, str):
            yield decoded
        elif isinstance(decoded, dict | list):
            yield from _walk(decoded, True)


class Redactor:
    """Strikes known secrets, and what looks like one, from every text of a document."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # A secret of several lines may be quoted by a line.
        parts = {part for text in secrets for part in (text, *text.splitlines()) if len(part) >= SHORTEST}
        longest_first = sorted(parts, key=lambda text: (-len(text), text))
        self._known = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, given: str) -> str:
        """One text."""
        found = self._known.sub(SHOWN, given) if self._known else given
        for shape in _SHAPES:
            found = shape.sub(SHOWN, found)
        return found

    def everything(self, value: Any) -> Any:
        """A document, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.everything(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.everything(item) for item in value]
        return value
