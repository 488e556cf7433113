"""Anthropic: messages (unary and stream) and their count; the model server speaks this dialect itself."""

from __future__ import annotations

from collections.abc import Iterable
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
    part,
    pick,
    refuse_keys,
    split_hint,
    wants_stream,
)

_KNOWN = frozenset(
    (
        *("model", "messages", "max_tokens", "system", "stop_sequences", "stream", "temperature", "top_k", "top_p", "tools"),
        *("tool_choice", "output_config"),
    )
)
_COUNTED = frozenset(("model", "messages", "system", "tools", "tool_choice"))
_REFUSED = {"mcp_servers": "the model calls no servers", "container": "code runs nowhere but with the caller"}
_BLOCK_KEYS = {
    "text": frozenset(("type", "text")),
    "tool_use": frozenset(("type", "id", "name", "input")),
    "tool_result": frozenset(("type", "tool_use_id", "content", "is_error")),
    "thinking": frozenset(("type", "thinking", "signature")),
}
_TOOL_KEYS = frozenset(("name", "description", "input_schema", "strict"))
_ERROR_TYPES = {
    400: "invalid_request_error",
    403: "permission_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}
_DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


class Messages(Operation):
    """``/v1/messages``, unary and stream."""

    upstream_path: ClassVar[str] = "/v1/messages"

    def accept(self, body: Tree) -> Call:
        refuse_keys(body, _REFUSED)
        call = Call(model=expect(body.get("model"), str, "model"), stream=wants_stream(body), body={})
        metadata = body.get("metadata") or {}
        names, call.hinted_matter = split_hint(expect(metadata, dict, "metadata").get("user_id"))
        call.named_matters = matter_names(metadata) | names
        kept = pick({key: value for key, value in body.items() if key != "metadata"}, _KNOWN, call.dropped)
        expect(kept.get("max_tokens"), int, "max_tokens")
        kept["messages"] = [self._message(message, call) for message in expect(body.get("messages"), list, "messages")]
        if "system" in kept:
            kept["system"] = self._content(kept["system"], call, "system")
        if "tools" in kept:
            kept["tools"] = [self._tool(tool, call) for tool in expect(kept["tools"], list, "tools")]
        call.body = kept
        return call

    def _message(self, message: Any, call: Call) -> Tree:
        role = expect(message, dict, "messages[]").get("role")
        if role not in ("user", "assistant", "system"):
            raise Refusal(Reason.BODY_MALFORMED, "messages[].role is user or assistant")
        return {"role": role, "content": self._content(message.get("content"), call, "messages[].content")}

    def _content(self, content: Any, call: Call, what: str) -> Any:
        if isinstance(content, str):
            return content
        return [self._block(block, call, what) for block in expect(content, list, what)]

    def _block(self, block: Any, call: Call, what: str) -> Tree:
        type_ = expect(block, dict, f"{what}[]").get("type")
        keys = _BLOCK_KEYS.get(type_) if isinstance(type_, str) else None
        if keys is None:
            raise Refusal(
                Reason.ATTACHMENT_REFUSED,
                f"{what}[]: only text, tool_use, tool_result and thinking are taken; images, documents and addresses are refused",
            )
        kept = pick({key: value for key, value in block.items() if key not in ("cache_control", "citations")}, keys, call.dropped)
        if type_ in ("text", "thinking"):
            expect(kept.get(type_), str, f"{what}[].{type_}")
        if type_ == "tool_result" and "content" in kept:
            kept["content"] = self._content(kept["content"], call, f"{what}[].content")
        return kept

    @staticmethod
    def _tool(tool: Any, call: Call) -> Tree:
        if expect(tool, dict, "tools[]").get("type") not in (None, "custom"):
            raise Refusal(
                Reason.FEATURE_REFUSED,
                "tools[]: only the caller's own tools are taken; tools that search, fetch or run elsewhere are refused",
            )
        return pick({key: value for key, value in tool.items() if key not in ("type", "cache_control")}, _TOOL_KEYS, call.dropped)

    def recheck(self, body: Tree) -> Tree:
        return Messages.accept(self, body).body

    def error_event(self, reason: Reason, message: str, call: str) -> bytes:
        return encode(orjson.dumps(self.dialect.error(reason, message, Refusal(reason, "").status, call)), "error")

    def answer(self, tree: Any, make_guard: MakeGuard) -> Tree:
        if (
            not isinstance(tree, dict)
            or tree.get("type") != "message"
            or not isinstance(tree.get("content"), list)
            or not tree.get("stop_reason")
        ):
            raise ValueError("not a finished message")
        found: Tree = guarded(tree, make_guard)
        return found

    def relay(self, make_guard: MakeGuard) -> StreamRelay:
        return MessageRelay(make_guard)


class CountTokens(Messages):
    """``/v1/messages/count_tokens``: as cleaned, since that is what the model would read."""

    upstream_path: ClassVar[str] = "/v1/messages/count_tokens"

    def accept(self, body: Tree) -> Call:
        counted = {key: value for key, value in body.items() if key in (*_COUNTED, *_REFUSED, "metadata")}
        call = super().accept({**counted, "max_tokens": 1})
        del call.body["max_tokens"]
        call.stream = False
        return call

    def recheck(self, body: Tree) -> Tree:
        return CountTokens.accept(self, body).body

    def to_model(self, body: Tree, model: str, cache_salt: str) -> Tree:
        del cache_salt  # nothing is computed that could be cached
        return {**body, "model": model}

    def answer(self, tree: Any, make_guard: MakeGuard) -> Tree:
        del make_guard
        return {"input_tokens": part(tree["input_tokens"], int)}


class Anthropic(Dialect):
    """Anthropic's paths and errors."""

    name: ClassVar[str] = "anthropic"
    routes: ClassVar[tuple[Route, ...]] = (
        Route("POST", "/v1/messages", Messages),
        Route("POST", "/v1/messages/count_tokens", CountTokens),
        Route("GET", "/v1/models", None),
    )

    def error(self, reason: Reason, message: str, status: int, call: str) -> Tree:
        kind = _ERROR_TYPES.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": f"{message} ({reason})", "code": reason.value}, "request_id": call}

    def models(self, names: Iterable[str]) -> Tree:
        listed = [{"type": "model", "id": name, "display_name": name, "created_at": "1970-01-01T00:00:00Z"} for name in names]
        return {
            "data": listed,
            "has_more": False,
            "first_id": listed[0]["id"] if listed else None,
            "last_id": listed[-1]["id"] if listed else None,
        }


class MessageRelay(StreamRelay):
    """Events of a streamed message."""

    def feed(self, event: Event) -> tuple[bytes, bytes]:
        if self.finished:
            if event.data == b"[DONE]":  # some releases of the model server end both dialects alike
                return b"", b""
            raise ValueError("something after the end")
        tree = orjson.loads(event.data)
        kind = tree.get("type") if isinstance(tree, dict) else None
        if not kind or kind == "error":
            raise ValueError("not an event of a message")
        if kind == "message_stop":
            self.finished = True
            return b"", encode(orjson.dumps(tree), kind)
        before = b""
        if kind == "content_block_start":
            tree["content_block"] = guarded(tree.get("content_block"), self._make_guard)
        elif kind == "content_block_delta":
            self._delta(tree)
        elif kind == "content_block_stop":
            before = self._rest(tree["index"])
        else:
            tree = guarded(tree, self._make_guard)
        return before + encode(orjson.dumps(tree), kind), b""

    def _delta(self, tree: Tree) -> None:
        delta = tree["delta"]
        field = _DELTAS.get(delta.get("type"))
        if field is not None:
            guard = self.guard(tree["index"], delta["type"], in_json=field == "partial_json")
            delta[field] = guard.push(part(delta[field], str))
        else:
            tree["delta"] = guarded(delta, self._make_guard)

    def _rest(self, index: int) -> bytes:
        """The block ends: what was held goes out in one more delta."""
        sent = b""
        for channel, guard in self._guards.items():
            rest = guard.flush() if channel[0] == index else ""
            if rest:
                delta = {"type": channel[1], _DELTAS[channel[1]]: rest}
                sent += encode(orjson.dumps({"type": "content_block_delta", "index": index, "delta": delta}), "content_block_delta")
        return sent
