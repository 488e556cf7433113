"""Cohere: chat in both versions (server-sent events in v2, a JSON document a line in v1), embeddings and ranking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

import orjson

from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.sse import encode
from curtilage.gateway.surfaces.base import Dialect, MakeGuard, Route, StreamRelay, Tree, expect, wants_stream
from curtilage.gateway.surfaces.cohere_vectors import EmbedV1, EmbedV2, Rerank
from curtilage.gateway.surfaces.translated import TextRelay, TranslatedChat, TranslatedRelay, first_choice, only_text, text_of, tokens_of

_FINISH = {"length": "MAX_TOKENS", "tool_calls": "TOOL_CALL", "content_filter": "ERROR"}
_SHARED = {
    "temperature": "temperature",
    "max_tokens": "max_tokens",
    "stop_sequences": "stop",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "k": "top_k",
    "p": "top_p",
}
_V2 = frozenset(("model", "messages", "stream", "tools", "tool_choice", "response_format", *_SHARED))
_V1 = frozenset(("model", "message", "chat_history", "preamble", "stream", "response_format", "conversation_id", *_SHARED))
_REFUSED_V1 = {
    "connectors": "the model has no way out of the region",
    "documents": "put the text into the message",
    "conversation_id": "no conversation is kept; send it as chat_history",
    "tools": "tools are taken by /v2/chat",
    "tool_results": "tools are taken by /v2/chat",
}
_ROLES_V1 = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system"}


def _refuse(body: Tree, refused: dict[str, str]) -> None:
    for key, why in refused.items():
        if body.get(key):
            raise Refusal(Reason.FEATURE_REFUSED, f"{key}: {why}")


class ChatV2(TranslatedChat):
    """``/v2/chat``."""

    def translate(self, body: Tree, dropped: Counter[str]) -> Tree:
        _refuse(body, {"documents": "put the text into a message"})
        dropped["parameter"] += len(body.keys() - _V2)
        built = {theirs: body.get(ours) for ours, theirs in _SHARED.items()}
        built |= {"model": body.get("model"), "stream": wants_stream(body), "tools": body.get("tools") or None}
        if body.get("tool_choice") is not None:
            built["tool_choice"] = {"REQUIRED": "required", "NONE": "none"}.get(str(body["tool_choice"]), "auto")
        built["messages"] = [_message(said) for said in expect(body.get("messages"), list, "messages")]
        return built | _format(body)

    def say(self, tree: Tree) -> Tree:
        text, calls, finish, stop = first_choice(tree)
        message: Tree = {"role": "assistant"}
        if text or not calls:
            message["content"] = [{"type": "text", "text": text}]
        if calls:
            message["tool_calls"] = [{"id": item.get("id"), "type": "function", "function": item["function"]} for item in calls]
        return {"id": tree.get("id"), "finish_reason": _reason(finish, stop), "message": message, "usage": _usage(tree.get("usage"))}

    def relay(self, make_guard: MakeGuard) -> StreamRelay:
        return _RelayV2(make_guard)

    def error_event(self, reason: Reason, message: str, call: str) -> bytes:
        delta = {"finish_reason": "ERROR", "error": f"{message} ({reason}; call {call})"}
        return _event("message-end", {"delta": delta})


class _RelayV2(TranslatedRelay):
    """The events of v2."""

    def __init__(self, make_guard: MakeGuard) -> None:
        super().__init__(make_guard)
        self._text_open, self._tool = False, -1

    def begin(self) -> bytes:
        message: Tree = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        return _event("message-start", {"id": self.id, "delta": {"message": message}})

    def text(self, text: str) -> bytes:
        sent = b""
        if not self._text_open:
            self._text_open = True
            sent = _event("content-start", {"index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}})
        return sent + _event("content-delta", {"index": 0, "delta": {"message": {"content": {"text": text}}}})

    def call_begins(self, index: int, call: Tree) -> bytes:
        function = {"name": call["name"], "arguments": ""}
        begun = {"message": {"tool_calls": {"id": call["id"], "type": "function", "function": function}}}
        sent, self._tool = self._close(), index
        return sent + _event("tool-call-start", {"index": index, "delta": begun})

    def call_goes_on(self, index: int, arguments: str) -> bytes:
        if index != self._tool:
            raise ValueError("tool calls that are mixed up")
        return _event("tool-call-delta", {"index": index, "delta": {"message": {"tool_calls": {"function": {"arguments": arguments}}}}})

    def last(self) -> bytes:
        end = {"finish_reason": _reason(self.finish, self.stop_sequence), "usage": _usage(self.usage)}
        return self._close() + _event("message-end", {"id": self.id, "delta": end})

    def _close(self) -> bytes:
        sent = _event("content-end", {"index": 0}) if self._text_open else b""
        if self._tool >= 0:
            sent += _event("tool-call-end", {"index": self._tool})
        self._text_open, self._tool = False, -1
        return sent


class ChatV1(TranslatedChat):
    """``/v1/chat``."""

    stream_type = b"application/stream+json"

    def translate(self, body: Tree, dropped: Counter[str]) -> Tree:
        _refuse(body, _REFUSED_V1)
        dropped["parameter"] += len(body.keys() - _V1)
        built = {theirs: body.get(ours) for ours, theirs in _SHARED.items()}
        built |= {"model": body.get("model"), "stream": wants_stream(body)}
        messages: list[Tree] = []
        if body.get("preamble") is not None:
            messages.append({"role": "system", "content": expect(body["preamble"], str, "preamble")})
        for said in expect(body.get("chat_history") or [], list, "chat_history"):
            role = _ROLES_V1.get(str(expect(said, dict, "chat_history[]").get("role")).upper())
            if role is None:
                raise Refusal(Reason.BODY_MALFORMED, f"chat_history[].role is one of {', '.join(_ROLES_V1)}")
            messages.append({"role": role, "content": expect(said.get("message"), str, "chat_history[].message")})
        messages.append({"role": "user", "content": expect(body.get("message"), str, "message")})
        return built | {"messages": messages} | _format(body)

    def say(self, tree: Tree) -> Tree:
        text, finish, stop = text_of(tree)
        return _said_v1(str(tree.get("id")), text, _reason(finish, stop), tree.get("usage"))

    def relay(self, make_guard: MakeGuard) -> StreamRelay:
        return _RelayV1(make_guard)

    def error_event(self, reason: Reason, message: str, call: str) -> bytes:
        said = f"{message} ({reason}; call {call})"
        return _line({"is_finished": True, "event_type": "stream-end", "finish_reason": "ERROR", "response": {"text": "", "error": said}})


class _RelayV1(TextRelay):
    """The lines of v1."""

    def __init__(self, make_guard: MakeGuard) -> None:
        super().__init__(make_guard)
        self._texts: list[str] = []

    def begin(self) -> bytes:
        return _line({"is_finished": False, "event_type": "stream-start", "generation_id": self.id})

    def text(self, text: str) -> bytes:
        self._texts.append(text)
        return _line({"is_finished": False, "event_type": "text-generation", "text": text})

    def last(self) -> bytes:
        reason = _reason(self.finish, self.stop_sequence)
        whole = _said_v1(self.id, "".join(self._texts), reason, self.usage)
        return _line({"is_finished": True, "event_type": "stream-end", "finish_reason": reason, "response": whole})


class Cohere(Dialect):
    """``api.cohere.com``."""

    name: ClassVar[str] = "cohere"
    routes: ClassVar[tuple[Route, ...]] = (
        Route("POST", "/v2/chat", ChatV2),
        Route("POST", "/v1/chat", ChatV1),
        Route("POST", "/v2/embed", EmbedV2),
        Route("POST", "/v1/embed", EmbedV1),
        Route("POST", "/v2/rerank", Rerank),
        Route("POST", "/v1/rerank", Rerank),
        Route("GET", "/v1/models", None),
    )

    def error(self, reason: Reason, message: str, status: int, call: str) -> Tree:
        del status
        return {"message": f"{message} ({reason})", "id": call, "code": reason.value}

    def models(self, names: Iterable[str]) -> Tree:
        return {"models": [{"name": name, "endpoints": ["chat"], "finetuned": False} for name in names]}


def _event(kind: str, said: Tree) -> bytes:
    return encode(orjson.dumps({"type": kind, **said}), kind)


def _line(said: Tree) -> bytes:
    return orjson.dumps(said) + b"\n"


def _message(said: Any) -> Tree:
    """A message of v2. A plan or thought of an earlier turn is nothing anybody needs again; citations say where a document was."""
    kept = {key: said.get(key) for key in ("role", "content", "tool_calls", "tool_call_id") if expect(said, dict, "messages[]").get(key)}
    content = kept.get("content")
    if isinstance(content, list):
        pieces = [_piece(piece) for piece in content if not (isinstance(piece, dict) and piece.get("type") == "thinking")]
        kept["content"] = [{"type": "text", "text": text} for text in pieces] if len(pieces) > 1 else "".join(pieces)
    if "content" not in kept and "tool_calls" not in kept:
        kept["content"] = ""
    return kept


def _piece(piece: Any) -> str:
    type_ = expect(piece, dict, "messages[].content[]").get("type")
    if type_ == "document":  # what a tool gave, as the SDK's examples have it
        data = expect(piece.get("document"), dict, "document").get("data")
        return data if isinstance(data, str) else orjson.dumps(data).decode()
    if type_ != "text":
        raise only_text("messages[].content[]")
    return str(expect(piece.get("text"), str, "messages[].content[].text"))


def _format(body: Tree) -> Tree:
    wanted = expect(body.get("response_format") or {}, dict, "response_format")
    if wanted.get("type") != "json_object":
        return {}
    schema = wanted.get("json_schema", wanted.get("schema"))
    if schema is None:
        return {"response_format": {"type": "json_object"}}
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "response", "schema": schema}}}


def _reason(finish: str, stop: str | None) -> str:
    return _FINISH.get(finish) or ("STOP_SEQUENCE" if stop else "COMPLETE")


def _usage(usage: Any) -> Tree:
    read, written = tokens_of(usage)
    counted = {"input_tokens": read, "output_tokens": written}
    return {"billed_units": counted, "tokens": counted}


def _said_v1(identifier: str, text: str, finish: str, usage: Any) -> Tree:
    return {
        "response_id": identifier,
        "generation_id": identifier,
        "text": text,
        "finish_reason": finish,
        "meta": {"api_version": {"version": "1"}, **_usage(usage)},
    }
