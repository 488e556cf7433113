"""What a ledger record is: canonical JSON, identifiers and commitments, never content.

Envelope (keys always sorted, no white space)::

    {"call": "...", "clock_back_us": 12, "data": {...}, "index": 7, "intent": 3, "kind": "outcome", "time": "...Z", "v": 1}

``call``, ``intent`` and ``clock_back_us`` appear only where they have a meaning. Order is by ``index``; ``time`` is what the
host's clock said, and a clock that went backwards is recorded with its step instead of being smoothed over.
"""

from __future__ import annotations

import calendar
import hmac
import re
import time
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from typing import Any

import orjson

VERSION = 1
MAX_BODY = 32 * 1024
MAX_TEXT = 1024
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")

CONTENT_KEYS = frozenset(
    {"answer", "body", "completion", "content", "delta", "input", "message", "messages", "output", "prompt", "query", "system", "text"}
)
"""Names under which vendors carry what people wrote; a record that has one is refused, whatever it holds."""


class Kind(StrEnum):
    """What a record says."""

    INTENT = "intent"
    OUTCOME = "outcome"
    REFUSED = "refused"
    EVENT = "event"


_known_keys: set[str] = set()
"""Keys that were found good, so that each is matched once; bounded, for a caller may make keys of its own."""


def _check(value: Any, key: str) -> None:
    kind = type(value)
    if kind is str:
        if len(value) > MAX_TEXT:
            raise ValueError(f"{key}: a text of {len(value)} characters is content; a record holds identifiers and commitments")
    elif kind is dict or isinstance(value, Mapping):
        for name, inner in value.items():
            if name not in _known_keys:
                _check_key(name, key)
            if type(inner) is not int:
                _check(inner, name)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner, key)
    elif isinstance(value, str):  # an enumeration's member
        _check(str(value), key)


def _check_key(name: Any, key: str) -> None:
    if not isinstance(name, str) or not _KEY.fullmatch(name):
        raise ValueError(f"{key}: key {name!r} is not lower_snake_case")
    if name in CONTENT_KEYS:
        raise ValueError(f"{key}: a record has no {name!r}; store a commitment instead")
    if len(_known_keys) < 1024:
        _known_keys.add(name)


def encode_body(record: Mapping[str, Any]) -> bytes:
    """Canonical bytes of the caller's part; raises ``ValueError`` for content, odd keys, or what JSON cannot carry."""
    _check(record, "record")
    try:
        body = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise ValueError(f"record: {error}") from error
    if len(body) > MAX_BODY:
        raise ValueError(f"record: {len(body)} bytes; at most {MAX_BODY}")
    return body


def envelope(kind: Kind, index: int, stamp: str, body: bytes, *, call: bytes | None, intent: int | None, clock_back_us: int) -> bytes:
    """The record's canonical bytes. ``call`` is already JSON (a quoted string)."""
    return b"".join(
        (
            b"{",
            b"" if call is None else b'"call":%b,' % call,
            b"" if not clock_back_us else b'"clock_back_us":%d,' % clock_back_us,
            b'"data":%b,"index":%d,' % (body, index),
            b"" if intent is None else b'"intent":%d,' % intent,
            b'"kind":"%b","time":"%b","v":%d}' % (kind.value.encode(), stamp.encode(), VERSION),
        )
    )


class Clock:
    """UTC stamps in microseconds, and by how much the host's clock fell behind the newest stamp given."""

    def __init__(self, newest_us: int = 0) -> None:
        self.newest_us = newest_us
        self._second = -1
        self._prefix = ""

    def stamp(self) -> tuple[str, int]:
        """``("2030-01-02T03:04:05.678901Z", 0)``, or with the step back in microseconds."""
        now = time.time_ns() // 1000
        back = max(0, self.newest_us - now)
        self.newest_us = max(self.newest_us, now)
        second, rest = divmod(now, 1_000_000)
        if second != self._second:
            self._second, self._prefix = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{rest:06d}Z", back


def microseconds(stamp: str) -> int:
    """A record's time as microseconds since 1970."""
    return calendar.timegm(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")) * 1_000_000 + int(stamp[20:26])


def commitment(matter_key: bytes, call: str, name: str, content: bytes) -> str:
    """A salted commitment to content that stays elsewhere.

    The salt is derived from the matter's key, the call and the field, so low-entropy text cannot be guessed from the ledger,
    the holder of the key can prove what was said, and destroying the key makes every commitment of the matter meaningless
    while the tree stays whole.
    """
    if len(matter_key) < 16:
        raise ValueError("a matter key has at least 16 bytes")
    salt = hmac.digest(matter_key, f"{call}\x00{name}".encode(), "sha256")
    return "hmac-sha256:" + hmac.new(salt, content, sha256).hexdigest()
