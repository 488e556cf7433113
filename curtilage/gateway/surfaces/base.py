"""What a surface is: one vendor's dialect and its operations, from the caller's body to the local model's and back.

A :class:`Dialect` is a table of paths and the vendor's way of saying no. An :class:`Operation` is made anew for each call: it reduces the
caller's body to what is known, in the shape of one of the model server's own endpoints, and translates the answer back. What goes to the
model is what the sanitizer has walked, whole: it is cleaned after it was translated, so no dialect has a way around the walker.

A surface lets through what it knows. An unknown parameter is dropped and counted (SDKs add them faster than releases), never forwarded:
the model server has extensions of its own (templates, cache salts, transfer parameters) that no caller may reach.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import orjson

from curtilage.gateway.guard import TextGuard
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.sse import Event, encode
from curtilage.vendor_models import Task

Tree = dict[str, Any]
T = TypeVar("T")
MakeGuard = Callable[[bool], TextGuard]

EVENT_STREAM = b"text/event-stream; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the request line says beside the route.

    Attributes:
        model: the model that the path names, unescaped; empty where the body names it.
        query: the query's parameters, each given once.
    """

    model: str = ""
    query: Mapping[str, str] = field(default_factory=dict)


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

    def feed_all(self, events: Sequence[Event]) -> Iterator[tuple[bytes, bytes]]:
        """The same of every event that came at once."""
        return map(self.feed, events)


class Operation(ABC):
    """One call of one kind.

    Args:
        dialect: in which it was made.
        asked: what the request line says.
    """

    upstream_path: ClassVar[str]
    task: ClassVar[Task] = Task.GENERATE
    stream_type: bytes = EVENT_STREAM

    def __init__(self, dialect: Dialect, asked: Asked) -> None:
        self.dialect, self.asked = dialect, asked

    @abstractmethod
    def accept(self, body: Tree) -> Call:
        """Check a request and reduce it to what is known; refuse what may not pass."""

    def request(self, body: Tree) -> Call:
        """Accept a caller's body; the model that the path names is the model, whatever the body says."""
        return self.accept({**body, "model": self.asked.model} if self.asked.model else body)

    def recheck(self, body: Tree) -> Tree:
        """A canonical body after cleaning: taking a field out may leave a shape that the model server does not have."""
        return self.accept(body).body

    @abstractmethod
    def answer(self, tree: Any, make_guard: MakeGuard) -> Tree:
        """A complete answer, guarded and restored. Raises ValueError when it is none."""

    def relay(self, make_guard: MakeGuard) -> StreamRelay:
        """The way back for one streamed answer."""
        raise ValueError("this operation has no stream")

    def to_model(self, body: Tree, model: str, cache_salt: str) -> Tree:
        """The body that goes upstream: the local model's name, and a prefix cache that no other matter shares."""
        return {**body, "model": model, "cache_salt": cache_salt}

    def error_event(self, reason: Reason, message: str, call: str) -> bytes:
        """An error in the middle of a stream; the vendor's SDKs raise on it."""
        return encode(orjson.dumps(self.dialect.error(reason, message, Refusal(reason, "").status, call)))


@dataclass(frozen=True, slots=True)
class Route:
    """A method, a path and what happens there.

    Attributes:
        path: literal, but for placeholders of one segment or the part of one before a colon: ``/model/{model}/converse``.
        operation: None for the list of models.
        encoded: whether the model's segment may hold escapes (``%3A``, ``%2F``), as AWS's SDKs write identifiers.
    """

    method: str
    path: str
    operation: Callable[[Dialect, Asked], Operation] | None
    encoded: bool = False


class Dialect(ABC):
    """One vendor's paths and errors."""

    name: ClassVar[str]
    routes: ClassVar[tuple[Route, ...]]

    @abstractmethod
    def error(self, reason: Reason, message: str, status: int, call: str) -> Tree:
        """An error in the vendor's envelope."""

    def error_headers(self, status: int) -> list[tuple[bytes, bytes]]:
        """Headers that belong to an error."""
        del status
        return []

    def speaking(self, path: str) -> Dialect:
        """The dialect that a path is answered in: some names serve models of several makers."""
        del path
        return self

    @abstractmethod
    def models(self, names: Iterable[str]) -> Tree:
        """The list of models callers may ask for."""


# Values of these keys are the model server's own words, when they look it; everything else in an answer is text.
_PLAIN = frozenset(
    (
        *("id", "object", "type", "role", "model", "finish_reason", "status", "call_id", "item_id", "response_id", "request_id"),
        *("tool_call_id", "system_fingerprint", "service_tier", "signature", "truncation", "effort", "tool_choice", "logprobs"),
    )
)
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/=-")
_JSON_SOURCE = frozenset(("arguments", "partial_json"))


def is_word(text: str) -> bool:
    """Whether a text is an identifier: short, and of the characters that these are made of."""
    return len(text) <= 128 and _WORD.issuperset(text)


def guarded(node: Any, make_guard: MakeGuard, key: str = "") -> Any:
    """An answer, or a part of one, with every string leaf guarded and the caller's own values put back: the way back of every dialect.

    Keys are left as they are: they are the server's, but for tool arguments, where a key is guarded like a value.
    """
    if isinstance(node, str):
        if key in _PLAIN and is_word(node):
            return node
        return make_guard(key in _JSON_SOURCE).whole(node)
    if isinstance(node, dict):
        if key == "input":  # a tool's arguments, parsed: what the model wrote, keys and numbers included
            return {make_guard(False).whole(name): _written(value, make_guard) for name, value in node.items()}
        return {name: guarded(value, make_guard, name) for name, value in node.items()}
    if isinstance(node, list):
        return [guarded(value, make_guard, key) for value in node]
    return node


def _written(node: Any, make_guard: MakeGuard) -> Any:
    """What the model wrote as JSON: a card's number written as a number is still one."""
    if isinstance(node, str):
        return make_guard(False).whole(node)
    if isinstance(node, dict):
        return {make_guard(False).whole(name): _written(value, make_guard) for name, value in node.items()}
    if isinstance(node, list):
        return [_written(value, make_guard) for value in node]
    if isinstance(node, int | float) and not isinstance(node, bool) and abs(node) >= 1e5:
        text = repr(node)
        found = make_guard(False).whole(text)
        return node if found == text else found
    return node


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


def wants_stream(body: Tree) -> bool:
    """Whether a stream is asked for. The model server takes "yes" and 1 for true as well; read in two ways, the answer would be none."""
    value = body.get("stream")
    return False if value is None else bool(expect(value, bool, "stream"))


def part(value: Any, kind: type[T]) -> T:
    """A part of the model server's answer. Raises ValueError when it is not what it has to be: then the answer is none."""
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError("not an answer of this kind")
    return value


def texts(value: Any, what: str) -> str | list[str]:
    """One text or several; numbers of tokens are refused, because nobody can read in them what they say."""
    if isinstance(value, str):
        return value
    for item in expect(value, list, what):
        if isinstance(item, int | list):
            raise Refusal(Reason.ENCODING_REFUSED, f"{what}: token numbers cannot be inspected; send text")
        expect(item, str, f"{what}[]")
    return [str(item) for item in value]


def refuse_keys(body: Tree, refused: Mapping[str, str]) -> None:
    """Refuse features that would fetch, store or run something outside."""
    for key, why in refused.items():
        if body.get(key):
            raise Refusal(Reason.FEATURE_REFUSED, f"{key}: {why}")


def matter_names(metadata: Any) -> frozenset[str]:
    """What the vendor's free metadata says about the matter."""
    if not isinstance(metadata, dict):
        return frozenset()
    given = [value for key in ("matter", "curtilage_matter") if (value := metadata.get(key)) is not None]
    # Passing over what names a matter in some other way would put the call on another one.
    return frozenset(expect(value, str, "the matter in metadata") for value in given if value != "")


def split_hint(value: Any) -> tuple[frozenset[str], str | None]:
    """A vendor's end-user field: ``matter:ID`` names a matter; anything else selects only if it is one."""
    if not isinstance(value, str) or not value:
        return frozenset(), None
    if value.startswith("matter:"):
        return frozenset((value.removeprefix("matter:"),)), None
    return frozenset(), value
