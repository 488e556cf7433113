"""Reversible placeholders: the model reads ``[EMAIL_K3F9QZ]``, the caller gets the address back.

The token is a keyed digest under the matter's own secret, so one value has one token within a matter: a conversation stays coherent over
its turns and the model host's prefix cache stays warm, while nobody without the secret can test a guess. What a token stands for is kept
for one call, in memory, and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re

_TOKEN = re.compile(r"\[[A-Z]+(?:_[A-Z]+)*_[A-Z2-7]{8}\]")
_UNFINISHED = re.compile(r"\[[A-Z_]{0,32}[A-Z2-7]{0,8}$")


class Vault:
    """One call's placeholders.

    Args:
        key: the matter's placeholder key.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._values: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._values)

    def placeholder(self, type_: str, value: str) -> str:
        """The token that stands for a value; two values never share one within a call."""
        for attempt in range(64):
            digest = hmac.digest(self._key, f"{type_}\0{attempt}\0{value}".encode(), hashlib.sha256)
            token = f"[{type_}_{base64.b32encode(digest[:5]).decode()}]"
            if self._values.setdefault(token, value) == value:
                return token
        raise RuntimeError("no free placeholder")  # 64 collisions in 2^40: the key is broken, so the call must not go on

    def restore(self, text: str, *, in_json: bool = False) -> str:
        """The text with this call's tokens replaced by what they stand for.

        Args:
            text: what the model said.
            in_json: the text is a piece of a JSON document's source, so a value is escaped for a string literal.
        """
        if "[" not in text or not self._values:
            return text
        return _TOKEN.sub(lambda match: self._value_of(match.group(), in_json), text)

    def _value_of(self, token: str, in_json: bool) -> str:
        value = self._values.get(token, token)
        return json.dumps(value, ensure_ascii=False)[1:-1] if in_json and token in self._values else value

    def knows(self, text: str) -> bool:
        """Whether the text is one of this call's tokens."""
        return text in self._values


def is_placeholder(text: str) -> bool:
    """Whether the text has a placeholder's shape."""
    return _TOKEN.fullmatch(text) is not None


def placeholder_spans(text: str) -> list[tuple[int, int]]:
    """Where placeholders stand in a text."""
    return [match.span() for match in _TOKEN.finditer(text)] if "[" in text else []


def unfinished_placeholder(text: str) -> int:
    """Where a token that the next chunk may finish begins, or the text's length."""
    match = _UNFINISHED.search(text, max(0, len(text) - 48))
    return match.start() if match else len(text)
