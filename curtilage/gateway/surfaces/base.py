"""What a surface is: one vendor dialect, from the caller's body to the local model's and back.

A surface lets through what it knows. An unknown parameter is dropped and counted (SDKs add them faster than releases), never forwarded:
the model server has extensions of its own (templates, cache salts, transfer parameters) that no caller may reach.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from curtilage.gateway.guard import TextGuard
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.sse import Event

Tree = dict[str, Any]
MakeGuard = Callable[[bool], TextGuard]


class Route(StrEnum):
    """What a path on a surface does."""

    GENERATE = "generate"
    MODELS = "models"


@dataclass(slots=True)
class Call:
    """A request in canonical form: what it asks, apart from how its vendor spells it."""

    model: str
    stream: bool
    body: Tree
    named_matters: frozenset[str] = frozenset()  # values that must be one of the caller's matters
    hinted_matter: str | None = None  # a value that selects only when it happens to be one of them
    dropped: Counter[str] = field(default_factory=Counter)


class StreamRelay(ABC):
    """One streamed answer on its way back: text is guarded and restored across chunk borders, the end is held until it is on record."""

    def __init__(self, make_guard: MakeGuard) -> None:
        self._make_guard = make_guard
        self._guards: dict[tuple[Any, ...], TextGuard] = {}
        self.finished = False

    def guard(self, *channel: Any, in_json: bool = False) -> TextGuard:
        """The guard of one text channel of the answer."""
        found = self._guards.get(channel)
        if found is None:
            found = self._guards[channel] = self._make_guard(in_json)
        return found

    @abstractmethod
    def feed(self, event: Event) -> tuple[bytes, bytes]:
        """What to send now, and what to hold until the outcome is durable. Raises ValueError on garbage."""


class Surface(ABC):
    """One vendor's dialect."""

    name: ClassVar[str]
    routes: ClassVar[Mapping[tuple[str, str], Route]]
    upstream_path: ClassVar[str]

    @abstractmethod
    def accept(self, body: Tree) -> Call:
        """Check a request and reduce it to what is known; refuse what may not pass."""

    @abstractmethod
    def error(self, reason: Reason, message: str, status: int, call: str) -> Tree:
        """An error in the vendor's envelope."""

    @abstractmethod
    def error_event(self, reason: Reason, message: str, call: str) -> bytes:
        """An error in the middle of a stream; the vendor's SDKs raise on it."""

    @abstractmethod
    def models(self, names: Iterable[str]) -> Tree:
        """The list of models callers may ask for."""

    @abstractmethod
    def answer(self, tree: Any, make_guard: MakeGuard) -> Tree:
        """A complete answer, guarded and restored. Raises ValueError when it is none."""

    @abstractmethod
    def relay(self, make_guard: MakeGuard) -> StreamRelay:
        """The way back for one streamed answer."""

    def to_model(self, body: Tree, model: str, cache_salt: str) -> Tree:
        """The body that goes upstream: the local model's name, and a prefix cache that no other matter shares."""
        return {**body, "model": model, "cache_salt": cache_salt}


def pick(body: Tree, known: frozenset[str], dropped: Counter[str]) -> Tree:
    """The known keys with a value; the others are counted."""
    kept = {}
    for key, value in body.items():
        if key in known:
            if value is not None:
                kept[key] = value
        else:
            dropped["parameter"] += 1
    return kept


def expect(value: Any, kind: type | tuple[type, ...], what: str) -> Any:
    """The value, when it has the type the dialect says."""
    wanted = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, kind) or (isinstance(value, bool) and bool not in wanted):
        raise Refusal(Reason.BODY_MALFORMED, f"{what} is missing or of the wrong type")
    return value


def refuse_keys(body: Tree, refused: Mapping[str, str]) -> None:
    """Refuse features that would fetch, store or run something outside."""
    for key, why in refused.items():
        if body.get(key):
            raise Refusal(Reason.FEATURE_REFUSED, f"{key}: {why}")


def matter_names(metadata: Any) -> frozenset[str]:
    """What the vendor's free metadata says about the matter."""
    if not isinstance(metadata, dict):
        return frozenset()
    return frozenset(value for key in ("matter", "curtilage_matter") if isinstance(value := metadata.get(key), str) and value)


def split_hint(value: Any) -> tuple[frozenset[str], str | None]:
    """A vendor's end-user field: ``matter:ID`` names a matter; anything else selects only if it is one."""
    if not isinstance(value, str) or not value:
        return frozenset(), None
    if value.startswith("matter:"):
        return frozenset((value.removeprefix("matter:"),)), None
    return frozenset(), value
