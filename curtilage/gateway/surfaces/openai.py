"""OpenAI: ``/v1/chat/completions`` (unary and stream) and ``/v1/models``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import orjson

from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.sse import Event, encode
from curtilage.gateway.surfaces.base import (
    Call,
    MakeGuard,
    Route,
    StreamRelay,
    Surface,
    Tree,
    expect,
    matter_names,
    pick,
    refuse_keys,
    split_hint,
)

_KNOWN = frozenset(
    (
        "model",
        "messages",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
        "n",
        "max_tokens",
        "max_completion_tokens",
        "stop",
        "presence_penalty",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "seed",
        "response_format",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning_effort",
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
_ERROR_TYPES = {400: "invalid_request_error", 403: "permission_error", 413: "invalid_request_error"}


class OpenAI(Surface):
    """The Chat Completions dialect."""

    name = "openai"
    routes: ClassVar = {("POST", "/v1/chat/completions"): Route.GENERATE, ("GET", "/v1/models"): Route.MODELS}
    upstream_path = "/v1/chat/completions"

    def accept(self, body: Tree) -> Call:
        refuse_keys(body, _REFUSED)
        if body.get("modalities") not in (None, ["text"]):
            raise Refusal(Reason.FEATURE_REFUSED, "modalities: text only")
        call = Call(model=expect(body.get("model"), str, "model"), stream=body.get("stream") is True, body={})
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

    def error_event(self, reason: Reason, message: str, call: str) -> bytes:
        return encode(orjson.dumps(self.error(reason, message, reason_status(reason), call)))

    def models(self, names: Iterable[str]) -> Tree:
        return {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "curtilage"} for name in names]}

    def answer(self, tree: Any, make_guard: MakeGuard) -> Tree:
        if not isinstance(tree, dict) or not isinstance(tree.get("choices"), list) or not tree["choices"]:
            raise ValueError("no choices")
        for choice in tree["choices"]:
            if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict) or not choice.get("finish_reason"):
                raise ValueError("a choice without a message or an end")
            choice["message"] = _guarded(choice["message"], make_guard)
        return tree

    def relay(self, make_guard: MakeGuard) -> StreamRelay:
        return _Relay(make_guard)


def reason_status(reason: Reason) -> int:
    """The status that a refusal for this reason would have had."""
    return Refusal(reason, "").status


def _guarded(node: Any, make_guard: MakeGuard, key: str = "") -> Any:
    """Every string of an answer's message, guarded; ``arguments`` is JSON source."""
    if isinstance(node, str):
        return node if key in ("role", "type", "id") else make_guard(key == "arguments").whole(node)
    if isinstance(node, dict):
        return {name: _guarded(value, make_guard, name) for name, value in node.items()}
    if isinstance(node, list):
        return [_guarded(value, make_guard, key) for value in node]
    return node


class _Relay(StreamRelay):
    """Chunks of a streamed chat completion."""

    def __init__(self, make_guard: MakeGuard) -> None:
        super().__init__(make_guard)
        self._ended: set[int] = set()
        self._seen: set[int] = set()

    def feed(self, event: Event) -> tuple[bytes, bytes]:
        if self.finished:
            raise ValueError("something after the end")
        if event.data == b"[DONE]":
            if not self._seen or self._seen - self._ended:
                raise ValueError("a choice that never ended")
            self.finished = True
            return b"", encode(b"[DONE]")
        chunk = orjson.loads(event.data)
        if not isinstance(chunk, dict) or "error" in chunk or not isinstance(chunk.get("choices"), list):
            raise ValueError("not a chunk")
        for choice in chunk["choices"]:
            self._choice(choice)
        return encode(orjson.dumps(chunk)), b""

    def _choice(self, choice: Tree) -> None:
        number, delta = choice["index"], choice.setdefault("delta", {})
        self._seen.add(number)
        for key, value in list(delta.items()):
            if isinstance(value, str) and key not in ("role", "type", "id"):
                delta[key] = self.guard(number, key).push(value)
        for tool_call in delta.get("tool_calls") or ():
            function = tool_call.get("function") or {}
            for key in ("arguments", "name"):
                if isinstance(function.get(key), str):
                    guard = self.guard(number, "tool_calls", tool_call["index"], key, in_json=key == "arguments")
                    function[key] = guard.push(function[key]) if key == "arguments" else guard.whole(function[key])
        if choice.get("finish_reason") is not None:
            self._ended.add(number)
            self._flush(number, delta)

    def _flush(self, number: int, delta: Tree) -> None:
        """The choice ends: what was held goes out in its last chunk."""
        for channel, guard in self._guards.items():
            if channel[0] != number:
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
                delta["tool_calls"] = [*(delta.get("tool_calls") or ()), found]
            found["function"][channel[3]] = (found["function"].get(channel[3]) or "") + rest
