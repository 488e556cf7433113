"""OpenAI's completions and embeddings, which the model server has as they are."""

from __future__ import annotations

from typing import Any, ClassVar

import orjson

from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.sse import Event, encode
from curtilage.gateway.surfaces.base import (
    Call,
    MakeGuard,
    Operation,
    StreamRelay,
    Tree,
    expect,
    guarded,
    matter_names,
    part,
    pick,
    split_hint,
    texts,
    wants_stream,
)
from curtilage.vendor_models import Task

_COMPLETION_KEYS = frozenset(
    (
        *("model", "prompt", "suffix", "max_tokens", "temperature", "top_p", "n", "stream", "stream_options", "echo", "stop"),
        *("presence_penalty", "frequency_penalty", "logit_bias", "seed", "response_format"),
    )
)
_EMBEDDING_KEYS = frozenset(("model", "input", "encoding_format", "dimensions"))
_SELECTING = ("user", "metadata", "store")


class Completions(Operation):
    """``/v1/completions``, unary and stream."""

    upstream_path: ClassVar[str] = "/v1/completions"

    def accept(self, body: Tree) -> Call:
        call = opened(body, stream=wants_stream(body))
        kept = pick({key: value for key, value in body.items() if key not in _SELECTING}, _COMPLETION_KEYS, call.dropped)
        kept["prompt"] = texts(kept.get("prompt"), "prompt")
        if "stream_options" in kept:
            kept["stream_options"] = {"include_usage": expect(kept["stream_options"], dict, "stream_options").get("include_usage") is True}
        call.body = kept
        return call

    def recheck(self, body: Tree) -> Tree:
        return Completions.accept(self, body).body

    def answer(self, tree: Any, make_guard: MakeGuard) -> Tree:
        if not isinstance(tree, dict) or not isinstance(tree.get("choices"), list) or not tree["choices"]:
            raise ValueError("no choices")
        for choice in tree["choices"]:
            if not isinstance(choice, dict) or not isinstance(choice.get("text"), str) or not choice.get("finish_reason"):
                raise ValueError("a choice without a text or an end")
            choice["logprobs"] = None
        found: Tree = guarded(tree, make_guard)
        return found

    def relay(self, make_guard: MakeGuard) -> StreamRelay:
        return TextRelay(make_guard)


class TextRelay(StreamRelay):
    """Chunks of a streamed completion."""

    def __init__(self, make_guard: MakeGuard) -> None:
        super().__init__(make_guard)
        self._open: dict[int, bool] = {}

    def feed(self, event: Event) -> tuple[bytes, bytes]:
        if self.finished:
            raise ValueError("something after the end")
        if event.data == b"[DONE]":
            if not self._open or any(self._open.values()):
                raise ValueError("a choice that never ended")
            self.finished = True
            return b"", encode(b"[DONE]")
        chunk = orjson.loads(event.data)
        if not isinstance(chunk, dict) or "error" in chunk or not isinstance(chunk.get("choices"), list):
            raise ValueError("not a chunk")
        for choice in chunk["choices"]:
            choice["logprobs"] = None
            number, guard = choice["index"], self.guard(choice["index"])
            ends = choice.get("finish_reason") is not None
            self._open[number] = not ends
            choice["text"] = guard.push(part(choice.get("text"), str)) + (guard.flush() if ends else "")
            if isinstance(choice.get("stop_reason"), str):
                choice["stop_reason"] = self._make_guard(False).whole(choice["stop_reason"])
        return encode(orjson.dumps(chunk)), b""


class Embeddings(Operation):
    """``/v1/embeddings``, as numbers or in Base64."""

    upstream_path: ClassVar[str] = "/v1/embeddings"
    task: ClassVar[Task] = Task.EMBED

    def accept(self, body: Tree) -> Call:
        call = opened(body, stream=False)
        kept = pick({key: value for key, value in body.items() if key not in _SELECTING}, _EMBEDDING_KEYS, call.dropped)
        kept["input"] = texts(kept.get("input"), "input")
        # Set aside while the texts are cleaned: a word beside a privileged field's name could be taken for its value.
        self.encoding = kept.pop("encoding_format", "float")
        if self.encoding not in ("float", "base64"):
            raise Refusal(Reason.BODY_MALFORMED, "encoding_format is float or base64")
        if "dimensions" in kept:
            expect(kept["dimensions"], int, "dimensions")
        call.body = kept
        return call

    def recheck(self, body: Tree) -> Tree:
        texts(body.get("input"), "input")
        return body

    def to_model(self, body: Tree, model: str, cache_salt: str) -> Tree:
        return {**super().to_model(body, model, cache_salt), "encoding_format": self.encoding}

    def answer(self, tree: Any, make_guard: MakeGuard) -> Tree:
        vectors_of(tree)
        return {key: value if key == "data" else guarded(value, make_guard, key) for key, value in tree.items()}


def vectors_of(tree: Any) -> list[Any]:
    """The vectors of an answer, in the order of the texts; with nothing else in them, an answer of numbers needs no guard."""
    if not isinstance(tree, dict) or not isinstance(tree.get("data"), list) or not tree["data"]:
        raise ValueError("no data")
    found: list[Any] = []
    for place, item in enumerate(tree["data"]):
        vector = item["embedding"]
        numbers = isinstance(vector, list) and all(isinstance(value, int | float) for value in vector)
        packed = isinstance(vector, str) and vector.rstrip("=").replace("+", "a").replace("/", "a").isalnum() and vector.isascii()
        if not (numbers or packed) or item.get("index") != place or set(item) - {"index", "object", "embedding"}:
            raise ValueError("not a vector")
        found.append(vector)
    return found


def opened(body: Tree, *, stream: bool) -> Call:
    """A call with what every OpenAI body says alike: the model and the matter."""
    call = Call(model=expect(body.get("model"), str, "model"), stream=stream, body={})
    names, call.hinted_matter = split_hint(body.get("user"))
    call.named_matters = matter_names(body.get("metadata")) | names
    return call
