"""OpenAI: chat completions, and the dialect's paths and errors. Every dialect that is translated speaks to the model through this one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import orjson

from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.sse import Event, encode
from curtilage.gateway.surfaces.base import (
    Call,
    Dialect,
    MakeGuard,
    Operation,
    Route,
    StreamRelay,
    Tree,
    expect,
    guarded,
    matter_names,
    pick,
    refuse_keys,
    split_hint,
    wants_stream,
)
from curtilage.gateway.surfaces.openai_more import Completions, Embeddings
from curtilage.gateway.surfaces.openai_responses import Responses

# Not logprobs: they spell an answer out in tokens, of which each is harmless and all together are the text that was taken out.
_KNOWN = frozenset(
    (
        *("model", "messages", "stream", "stream_options", "temperature", "top_p", "top_k", "n", "max_tokens", "max_completion_tokens"),
        *("stop", "presence_penalty", "frequency_penalty", "logit_bias", "seed", "response_format", "tools", "tool_choice"),
        *("parallel_tool_calls", "reasoning_effort"),
    )
)
_MESSAGE_KEYS = frozenset(("role", "content", "name", "tool_calls", "tool_call_id"))
_ROLES = frozenset(("system", "developer", "user", "assistant", "tool"))
_TEXT_PARTS = {"text": "text", "input_text": "text", "refusal": "refusal"}
_REFUSED = {
    "web_search_options": "the model has no way out of the region",
    "audio": "audio is not inspected, so it is not taken",
    "functions": "deprecated; use tools",
    "function_call": "deprecated; use tool_choice",
}
_ERROR_TYPES = {400: "invalid_request_error", 403: "permission_error", 413: "invalid_request_error", 429: "rate_limit_error"}
FINISHED = "finish_reason"


class ChatCompletions(Operation):
    """``/v1/chat/completions``, unary and stream."""

    upstream_path: ClassVar[str] = "/v1/chat/completions"

    def accept(self, body: Tree) -> Call:
        refuse_keys(body, _REFUSED)
        if body.get("modalities") not in (None, ["text"]):
            raise Refusal(Reason.FEATURE_REFUSED, "modalities: text only")
        call = Call(model=expect(body.get("model"), str, "model"), stream=wants_stream(body), body={})
        names, call.hinted_matter = split_hint(body.get("user"))
        call.named_matters = matter_names(body.get("metadata")) | names
        known = {key: value for key, value in body.items() if key not in ("user", "metadata", "store", "modalities")}
        kept = pick(known, _KNOWN, call.dropped)
        kept["messages"] = [self._message(message, call) for message in expect(body.get("messages"), list, "messages")]
        if "tools" in kept:
            kept["tools"] = [self._tool(tool) for tool in expect(kept["tools"], list, "tools")]
        if "stream_options" in kept:
            kept["stream_options"] = {"include_usage": expect(kept["stream_options"], dict, "stream_options").get("include_usage") is True}
        call.body = kept
        return call

    def recheck(self, body: Tree) -> Tree:
        return ChatCompletions.accept(self, body).body  # whatever dialect it came in, it is this one now

    def to_model(self, body: Tree, model: str, cache_salt: str) -> Tree:
        return {**super().to_model(body, model, cache_salt), "store": False}

    def _message(self, message: Any, call: Call) -> Tree:
        expect(message, dict, "messages[]")
        if message.get("role") not in _ROLES:
            raise Refusal(Reason.BODY_MALFORMED, f"messages[].role is one of {', '.join(sorted(_ROLES))}")
        if message.get("audio") or message.get("function_call"):
            raise Refusal(Reason.FEATURE_REFUSED, "messages[]: audio and function_call are not taken")
        kept = pick(message, _MESSAGE_KEYS, call.dropped)
        if isinstance(kept.get("content"), list):
            kept["content"] = [self._part(part) for part in kept["content"]]
        elif "content" in kept:
            expect(kept["content"], str, "messages[].content")
        for tool_call in expect(kept.get("tool_calls", []), list, "messages[].tool_calls"):
            if expect(tool_call, dict, "messages[].tool_calls[]").get("type", "function") != "function":
                raise Refusal(Reason.FEATURE_REFUSED, "messages[].tool_calls[]: only type function is taken")
        if kept["role"] == "developer":
            kept["role"] = "system"
        return kept

    @staticmethod
    def _part(part: Any) -> Tree:
        type_ = expect(part, dict, "messages[].content[]").get("type")
        field = _TEXT_PARTS.get(type_) if isinstance(type_, str) else None
        if field is None:
            raise Refusal(
                Reason.ATTACHMENT_REFUSED,
                "messages[].content[]: only text is taken; images, audio, files and addresses to fetch are refused",
            )
        return {"type": "text", "text": expect(part.get(field), str, "messages[].content[].text")}

    @staticmethod
    def _tool(tool: Any) -> Tree:
        if expect(tool, dict, "tools[]").get("type") != "function" or not isinstance(tool.get("function"), dict):
            raise Refusal(
                Reason.FEATURE_REFUSED, "tools[]: only type function is taken; tools that search, fetch or run elsewhere are refused"
            )
        return {"type": "function", "function": tool["function"]}

    def answer(self, tree: Any, make_guard: MakeGuard) -> Tree:
        if not isinstance(tree, dict) or not isinstance(tree.get("choices"), list) or not tree["choices"]:
            raise ValueError("no choices")
        for choice in tree["choices"]:
            if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict) or not choice.get(FINISHED):
                raise ValueError("a choice without a message or an end")
            choice.pop("logprobs", None)
        found: Tree = guarded(tree, make_guard)
        return found

    def relay(self, make_guard: MakeGuard) -> StreamRelay:
        return ChatRelay(make_guard)


class OpenAI(Dialect):
    """OpenAI's paths and errors."""

    name: ClassVar[str] = "openai"
    routes: ClassVar[tuple[Route, ...]] = (
        Route("POST", "/v1/chat/completions", ChatCompletions),
        Route("POST", "/v1/completions", Completions),
        Route("POST", "/v1/responses", Responses),
        Route("POST", "/v1/embeddings", Embeddings),
        Route("GET", "/v1/models", None),
    )

    def error(self, reason: Reason, message: str, status: int, call: str) -> Tree:
        return {
            "error": {
                "message": message,
                "type": _ERROR_TYPES.get(status, "server_error"),
                "param": None,
                "code": reason.value,
                "call": call,
            }
        }

    def models(self, names: Iterable[str]) -> Tree:
        return {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "curtilage"} for name in names]}


class ChatRelay(StreamRelay):
    """Chunks of a streamed chat completion; a dialect that is translated says what becomes of a guarded chunk, and of the end."""

    def __init__(self, make_guard: MakeGuard) -> None:
        super().__init__(make_guard)
        self._ended: set[int] = set()
        self._seen: set[int] = set()
        self._goes_on = False  # the next event, which has come too, goes on with the same text

    def next(self, chunk: Tree) -> bytes:
        """A guarded chunk, on the wire."""
        return encode(orjson.dumps(chunk))

    def last(self) -> bytes:
        """The end of a stream of which every choice has ended."""
        return encode(b"[DONE]")

    def feed_all(self, events: Sequence[Event]) -> Iterator[tuple[bytes, bytes]]:
        return self._feed_together(events) if len(events) > 1 else super().feed_all(events)

    def _feed_together(self, events: Sequence[Event]) -> Iterator[tuple[bytes, bytes]]:
        """When frames come faster than they are relayed several are read at once: their text is judged once, and leaves with the last."""
        texts = [_text_of(event) for event in events]
        for event, own, following in zip(events, texts, [*texts[1:], None], strict=True):
            self._goes_on = own is not None and own == following
            yield self.feed(event)

    def feed(self, event: Event) -> tuple[bytes, bytes]:
        if self.finished:
            raise ValueError("something after the end")
        if event.data == b"[DONE]":
            if not self._seen or self._seen - self._ended:
                raise ValueError("a choice that never ended")
            self.finished = True
            return b"", self.last()
        chunk = orjson.loads(event.data)
        if not isinstance(chunk, dict) or "error" in chunk or not isinstance(chunk.get("choices"), list):
            raise ValueError("not a chunk")
        for choice in chunk["choices"]:
            self._choice(choice)
        return self.next(chunk), b""

    def _choice(self, choice: Tree) -> None:
        number, delta = choice["index"], choice.setdefault("delta", {})
        choice.pop("logprobs", None)
        self._seen.add(number)
        for key, value in list(delta.items()):
            if isinstance(value, str) and key not in ("role", "type", "id"):
                guard = self.guard(number, key)
                delta[key] = guard.hold(value) if self._goes_on else guard.push(value)
        for tool_call in delta.get("tool_calls") or ():
            function = tool_call.get("function") or {}
            for key in ("arguments", "name"):
                if isinstance(function.get(key), str):
                    guard = self.guard(number, "tool_calls", tool_call["index"], key, in_json=key == "arguments")
                    function[key] = guard.push(function[key]) if key == "arguments" else guard.whole(function[key])
        # What one channel still holds goes out before another goes on: dialects with blocks cannot come back to a closed one.
        calls = [item["index"] for item in delta.get("tool_calls") or ()]
        if calls:
            self._flush(number, delta, {(number, "tool_calls", calls[-1], key) for key in ("arguments", "name")})
        elif delta.get("content"):
            self._flush(number, delta, {channel for channel in self._guards if channel[1] != "tool_calls"})
        if choice.get(FINISHED) is not None:
            self._ended.add(number)
            self._flush(number, delta, set())
            if isinstance(choice.get("stop_reason"), str):  # the stop sequence that was met: the caller's own words
                choice["stop_reason"] = self._make_guard(False).whole(choice["stop_reason"])

    def _flush(self, number: int, delta: Tree, kept: set[tuple[Any, ...]]) -> None:
        """What the choice's channels hold goes out in this chunk, but for those that are kept."""
        for channel, guard in self._guards.items():
            if channel[0] != number or channel in kept:
                continue
            rest = guard.flush()
            if not rest:
                continue
            if channel[1] != "tool_calls":
                delta[channel[1]] = (delta.get(channel[1]) or "") + rest
                continue
            found = next((item for item in delta.get("tool_calls") or () if item["index"] == channel[2]), None)
            if found is None:
                found = {"index": channel[2], "function": {}}
                delta["tool_calls"] = sorted((*(delta.get("tool_calls") or ()), found), key=lambda item: int(item["index"]))
            found["function"][channel[3]] = (found["function"].get(channel[3]) or "") + rest


def _text_of(event: Event) -> int | None:
    """The choice that an event goes on with, when it holds a piece of its text and nothing else."""
    try:
        chunk = orjson.loads(event.data)
        (choice,) = chunk["choices"]
        plain = choice["delta"].keys() <= {"role", "content"} and isinstance(choice["delta"].get("content"), str)
        return int(choice["index"]) if plain and choice.get(FINISHED) is None and "error" not in chunk else None
    except (ValueError, TypeError, KeyError, AttributeError):  # feeding it says what is wrong
        return None
