"""OpenAI's Responses. Nothing is stored: each call brings its own history, so what a caller could point at by an id is refused."""

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
    part,
    pick,
    refuse_keys,
    wants_stream,
)
from curtilage.gateway.surfaces.openai_more import opened

_KNOWN = frozenset(
    (
        *("model", "input", "instructions", "stream", "max_output_tokens", "max_tool_calls", "temperature", "top_p", "text", "tools"),
        *("tool_choice", "parallel_tool_calls", "reasoning", "truncation"),
    )
)
_REFUSED = {
    "previous_response_id": "no answer is kept; send the conversation with the call",
    "conversation": "no conversation is kept; send it with the call",
    "background": "nothing runs after the call",
    "prompt": "no prompt is kept; send its text",
}
_ITEM_KEYS = {
    "message": frozenset(("type", "role", "content")),
    "function_call": frozenset(("type", "call_id", "name", "arguments")),
    "function_call_output": frozenset(("type", "call_id", "output")),
}
_ROLES = frozenset(("system", "developer", "user", "assistant"))
_PARTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}
_TOOL_KEYS = frozenset(("type", "name", "description", "parameters", "strict"))
_DELTAS = {
    "response.output_text.delta": False,
    "response.reasoning_text.delta": False,
    "response.reasoning_summary_text.delta": False,
    "response.refusal.delta": False,
    "response.function_call_arguments.delta": True,
}
_LAST = frozenset(("response.completed", "response.incomplete"))
_FAILED = frozenset(("response.failed", "error"))


class Responses(Operation):
    """``/v1/responses``, unary and stream."""

    upstream_path: ClassVar[str] = "/v1/responses"

    def accept(self, body: Tree) -> Call:
        refuse_keys(body, _REFUSED)
        call = opened(body, stream=wants_stream(body))
        given = {key: value for key, value in body.items() if key not in ("user", "metadata", "store", "background")}
        kept = pick(given, _KNOWN, call.dropped)
        if not isinstance(kept.get("input"), str):
            # A reasoning item is opaque, or what the model thought in an earlier turn: it cannot be inspected, and it is not needed.
            items = [item for item in expect(kept.get("input"), list, "input") if not (isinstance(item, dict) and _is_reasoning(item))]
            kept["input"] = [self._item(item, call) for item in items]
        if "instructions" in kept:
            expect(kept["instructions"], str, "instructions")
        if "tools" in kept:
            kept["tools"] = [self._tool(tool, call) for tool in expect(kept["tools"], list, "tools")]
        if "reasoning" in kept:
            kept["reasoning"] = pick(expect(kept["reasoning"], dict, "reasoning"), frozenset(("effort", "summary")), call.dropped)
        if "text" in kept:
            kept["text"] = pick(expect(kept["text"], dict, "text"), frozenset(("format", "verbosity")), call.dropped)
        call.body = kept
        return call

    def recheck(self, body: Tree) -> Tree:
        return Responses.accept(self, body).body

    def to_model(self, body: Tree, model: str, cache_salt: str) -> Tree:
        return {**super().to_model(body, model, cache_salt), "store": False}

    def _item(self, item: Any, call: Call) -> Tree:
        type_ = expect(item, dict, "input[]").get("type", "message")
        keys = _ITEM_KEYS.get(type_) if isinstance(type_, str) else None
        if keys is None:
            raise Refusal(
                Reason.FEATURE_REFUSED,
                "input[]: only message, function_call and function_call_output are taken; files, references and other tools are refused",
            )
        kept = pick({key: value for key, value in item.items() if key not in ("id", "status", "phase")}, keys, call.dropped)
        kept["type"] = type_
        if type_ == "message":
            if kept.get("role") not in _ROLES:
                raise Refusal(Reason.BODY_MALFORMED, f"input[].role is one of {', '.join(sorted(_ROLES))}")
            kept["content"] = self._content(kept.get("content"), "input[].content")
        elif type_ == "function_call_output":
            kept["output"] = self._content(kept.get("output"), "input[].output")
        else:
            expect(kept.get("arguments"), str, "input[].arguments")
        return kept

    @staticmethod
    def _content(content: Any, what: str) -> Any:
        if isinstance(content, str):
            return content
        kept = []
        for piece in expect(content, list, what):
            type_ = expect(piece, dict, f"{what}[]").get("type")
            field = _PARTS.get(type_) if isinstance(type_, str) else None
            if field is None:
                raise Refusal(Reason.ATTACHMENT_REFUSED, f"{what}[]: only text is taken; images, files and addresses are refused")
            text = expect(piece.get(field), str, f"{what}[].{field}")
            # The server's own answers carry annotations; a client gives them back, and they say nothing to a model.
            kept.append({"type": type_, field: text} | ({"annotations": []} if type_ == "output_text" else {}))
        return kept

    @staticmethod
    def _tool(tool: Any, call: Call) -> Tree:
        if expect(tool, dict, "tools[]").get("type") != "function":
            raise Refusal(
                Reason.FEATURE_REFUSED, "tools[]: only type function is taken; tools that search, fetch or run elsewhere are refused"
            )
        return pick(tool, _TOOL_KEYS, call.dropped)

    def answer(self, tree: Any, make_guard: MakeGuard) -> Tree:
        if not isinstance(tree, dict) or tree.get("object") != "response" or not isinstance(tree.get("output"), list):
            raise ValueError("not a response")
        if tree.get("status") not in ("completed", "incomplete"):
            raise ValueError("a response without an end")
        found: Tree = _guarded(tree, make_guard)
        return found

    def relay(self, make_guard: MakeGuard) -> StreamRelay:
        return _Relay(make_guard)

    def error_event(self, reason: Reason, message: str, call: str) -> bytes:
        said = {"type": "error", "code": reason.value, "message": message, "param": None, "sequence_number": 0, "call": call}
        return encode(orjson.dumps(said), "error")


def _is_reasoning(item: Tree) -> bool:
    return item.get("type") == "reasoning"


def _guarded(tree: Tree, make_guard: MakeGuard) -> Any:
    """A response or an event of one; token by token, log probabilities would say what was taken out."""
    return guarded(_without_logprobs(tree), make_guard)


def _without_logprobs(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: [] if key == "logprobs" and value else _without_logprobs(value) for key, value in node.items()}
    return [_without_logprobs(item) for item in node] if isinstance(node, list) else node


class _Relay(StreamRelay):
    """Events of a streamed response, numbered anew because a held rest becomes one more event."""

    def __init__(self, make_guard: MakeGuard) -> None:
        super().__init__(make_guard)
        self._number = 0
        self._templates: dict[tuple[Any, ...], Tree] = {}  # the last delta of a channel without its text

    def feed(self, event: Event) -> tuple[bytes, bytes]:
        if self.finished:
            if event.data == b"[DONE]":
                return b"", b""
            raise ValueError("something after the end")
        tree = orjson.loads(event.data)
        kind = tree.get("type") if isinstance(tree, dict) else None
        if not isinstance(kind, str) or kind in _FAILED:
            raise ValueError("not an event of a response")
        if kind in _DELTAS:
            tree = _without_logprobs(tree)
            channel = (tree.get("output_index"), tree.get("content_index"), tree.get("summary_index"), kind)
            self._templates[channel] = {key: value for key, value in tree.items() if key != "delta"}
            tree["delta"] = self.guard(*channel, in_json=_DELTAS[kind]).push(part(tree["delta"], str))
            return self._sent(tree, kind), b""
        before = b"".join(self._rests(tree.get("output_index"))) if kind.endswith(".done") else b""
        if kind in _LAST:
            before += b"".join(self._rests(None))
            self.finished = True
            return before, self._sent(_guarded(tree, self._make_guard), kind)
        return before + self._sent(_guarded(tree, self._make_guard), kind), b""

    def _rests(self, output: Any) -> list[bytes]:
        """What a finished item still held; of every item when none is named."""
        sent = []
        for channel, guard in self._guards.items():
            rest = guard.flush() if output is None or channel[0] == output else ""
            if rest:
                sent.append(self._sent({**self._templates[channel], "delta": rest}, channel[3]))
        return sent

    def _sent(self, tree: Tree, kind: str) -> bytes:
        tree["sequence_number"] = self._number
        self._number += 1
        return encode(orjson.dumps(tree), kind)
