"""Amazon Bedrock's runtime: Converse, its stream, and InvokeModel with the bodies of the makers whose shapes are known."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

import orjson

from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.surfaces.anthropic import Anthropic, CountTokens, Messages
from curtilage.gateway.surfaces.base import Dialect, MakeGuard, Route, StreamRelay, Tree, expect
from curtilage.gateway.surfaces.bedrock_invoke import invoke, invoke_stream
from curtilage.gateway.surfaces.eventstream import CONTENT_TYPE, exception, message
from curtilage.gateway.surfaces.openai import ChatCompletions, OpenAI
from curtilage.gateway.surfaces.openai_responses import Responses
from curtilage.gateway.surfaces.translated import (
    TranslatedChat,
    TranslatedRelay,
    arguments_of,
    call_of,
    first_choice,
    only_text,
    result_of,
    tokens_of,
    tool,
)

_ERRORS = {
    400: b"ValidationException",
    403: b"AccessDeniedException",
    413: b"ValidationException",
    429: b"ThrottlingException",
    503: b"ServiceUnavailableException",
    504: b"ModelTimeoutException",
}
_STOP = {"length": "max_tokens", "tool_calls": "tool_use", "content_filter": "content_filtered"}
_TOP = frozenset(("model", "messages", "system", "inferenceConfig", "toolConfig", "requestMetadata", "outputConfig"))
_CONFIG = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop"}


class Converse(TranslatedChat):
    """``/converse``."""

    streams: ClassVar[bool] = False
    stream_type = CONTENT_TYPE

    def translate(self, body: Tree, dropped: Counter[str]) -> Tree:
        if body.get("promptVariables"):
            raise Refusal(Reason.FEATURE_REFUSED, "promptVariables: no prompt is kept; send its text")
        dropped["parameter"] += len(body.keys() - _TOP)
        config = expect(body.get("inferenceConfig") or {}, dict, "inferenceConfig")
        dropped["parameter"] += len(config.keys() - _CONFIG.keys())
        built = {theirs: config.get(ours) for ours, theirs in _CONFIG.items()}
        built |= {"model": body.get("model"), "stream": self.streams, "metadata": body.get("requestMetadata")}
        system = [_text(block, "system[]") for block in expect(body.get("system") or [], list, "system") if not _is_mark(block)]
        messages: list[Tree] = [{"role": "system", "content": "\n".join(system)}] if system else []
        for said in expect(body.get("messages"), list, "messages"):
            messages += _messages(said)
        return built | {"messages": messages} | _tools(body) | _format(body)

    def say(self, tree: Tree) -> Tree:
        text, calls, finish, stop = first_choice(tree)
        content: list[Tree] = [{"text": text}] if text or not calls else []
        for item in calls:
            function = item["function"]
            content.append(
                {"toolUse": {"toolUseId": item.get("id"), "name": function["name"], "input": arguments_of(function["arguments"])}}
            )
        return {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": _reason(finish, stop),
            "usage": _usage(tree.get("usage")),
            "metrics": {"latencyMs": 0},
        }

    def relay(self, make_guard: MakeGuard) -> StreamRelay:
        return _Relay(make_guard)

    def error_event(self, reason: Reason, text: str, call: str) -> bytes:
        return exception(reason, text, call)


class ConverseStream(Converse):
    """``/converse-stream``."""

    streams: ClassVar[bool] = True


class _Relay(TranslatedRelay):
    """Converse's events: a block of text, then a block for each tool."""

    def __init__(self, make_guard: MakeGuard) -> None:
        super().__init__(make_guard)
        self._began = time.monotonic()
        self._block, self._open, self._tool = -1, False, -1

    def begin(self) -> bytes:
        return _event("messageStart", {"role": "assistant"})

    def text(self, text: str) -> bytes:
        sent = b""
        if not self._open or self._tool >= 0:
            sent = self._close()
            self._block, self._open, self._tool = self._block + 1, True, -1
        return sent + _event("contentBlockDelta", {"delta": {"text": text}, "contentBlockIndex": self._block})

    def call_begins(self, index: int, call: Tree) -> bytes:
        sent = self._close()
        self._block, self._open, self._tool = self._block + 1, True, index
        start = {"toolUse": {"toolUseId": call["id"], "name": call["name"]}}
        return sent + _event("contentBlockStart", {"start": start, "contentBlockIndex": self._block})

    def call_goes_on(self, index: int, arguments: str) -> bytes:
        if index != self._tool:
            raise ValueError("tool calls that are mixed up")
        return _event("contentBlockDelta", {"delta": {"toolUse": {"input": arguments}}, "contentBlockIndex": self._block})

    def last(self) -> bytes:
        metrics = {"latencyMs": round((time.monotonic() - self._began) * 1000)}
        return (
            self._close()
            + _event("messageStop", {"stopReason": _reason(self.finish, self.stop_sequence)})
            + _event("metadata", {"usage": _usage(self.usage), "metrics": metrics})
        )

    def _close(self) -> bytes:
        if not self._open:
            return b""
        self._open = False
        return _event("contentBlockStop", {"contentBlockIndex": self._block})


class Bedrock(Dialect):
    """``bedrock-runtime.{region}.amazonaws.com``, and the same models in OpenAI's and Anthropic's shapes."""

    name: ClassVar[str] = "bedrock"
    routes: ClassVar[tuple[Route, ...]] = (
        Route("POST", "/model/{model}/converse", Converse, encoded=True),
        Route("POST", "/model/{model}/converse-stream", ConverseStream, encoded=True),
        Route("POST", "/model/{model}/invoke", invoke, encoded=True),
        Route("POST", "/model/{model}/invoke-with-response-stream", invoke_stream, encoded=True),
        Route("POST", "/openai/v1/chat/completions", ChatCompletions),
        Route("POST", "/openai/v1/responses", Responses),
        Route("POST", "/v1/chat/completions", ChatCompletions),
        Route("POST", "/v1/responses", Responses),
        Route("GET", "/v1/models", None),
        Route("POST", "/anthropic/v1/messages", Messages),
        Route("POST", "/anthropic/v1/messages/count_tokens", CountTokens),
    )

    def speaking(self, path: str) -> Dialect:
        if path.startswith(("/openai/", "/v1/")):
            return OpenAI()
        return Anthropic() if path.startswith("/anthropic/") else self

    def error(self, reason: Reason, message: str, status: int, call: str) -> Tree:
        del status
        return {"message": f"{message} ({reason})", "code": reason.value, "call": call}

    def error_headers(self, status: int) -> list[tuple[bytes, bytes]]:
        return [(b"x-amzn-errortype", _ERRORS.get(status, b"InternalServerException"))]

    def models(self, names: Iterable[str]) -> Tree:
        return {"modelSummaries": [{"modelId": name, "modelName": name} for name in names]}


def _event(kind: str, said: Tree) -> bytes:
    return message(kind, orjson.dumps(said))


def _is_mark(block: Any) -> bool:
    """A mark for a cache that is not Amazon's here."""
    return isinstance(block, dict) and block.keys() == {"cachePoint"}


def _text(block: Any, what: str) -> str:
    found = expect(block, dict, what).get("text")
    if found is None and block.keys() == {"guardContent"}:
        inner = expect(block["guardContent"], dict, "guardContent").get("text")
        found = inner.get("text") if isinstance(inner, dict) else None
    if found is None or len(block) != 1:
        raise only_text(what)
    return str(expect(found, str, f"{what}.text"))


def _messages(said: Any) -> list[Tree]:
    role = expect(said, dict, "messages[]").get("role")
    if role not in ("user", "assistant"):
        raise Refusal(Reason.BODY_MALFORMED, "messages[].role is user or assistant")
    texts: list[str] = []
    calls: list[Tree] = []
    results: list[Tree] = []
    for block in expect(said.get("content"), list, "messages[].content"):
        if _is_mark(block) or (isinstance(block, dict) and block.keys() == {"reasoningContent"}):
            continue  # what a model thought in an earlier turn is nothing anybody needs again
        use, result = (expect(block, dict, "messages[].content[]").get(key) for key in ("toolUse", "toolResult"))
        if use is not None and len(block) == 1:
            expect(use, dict, "toolUse")
            calls.append(call_of(expect(use.get("toolUseId"), str, "toolUse.toolUseId"), use.get("name"), use.get("input")))
        elif result is not None and len(block) == 1:
            expect(result, dict, "toolResult")
            pieces = [_result(piece) for piece in expect(result.get("content"), list, "toolResult.content")]
            results.append(result_of(expect(result.get("toolUseId"), str, "toolResult.toolUseId"), "\n".join(pieces)))
        else:
            texts.append(_text(block, "messages[].content[]"))
    messages = results
    if texts or calls or not results:
        content: Any = [{"type": "text", "text": text} for text in texts] if len(texts) > 1 else "".join(texts)
        messages.append({"role": role, "content": content} | ({"tool_calls": calls} if calls else {}))
    return messages


def _result(piece: Any) -> str:
    if isinstance(piece, dict) and piece.keys() == {"json"}:
        return orjson.dumps(piece["json"]).decode()
    return _text(piece, "toolResult.content[]")


def _tools(body: Tree) -> Tree:
    config = expect(body.get("toolConfig") or {}, dict, "toolConfig")
    found: list[Tree] = []
    for item in expect(config.get("tools") or [], list, "toolConfig.tools"):
        if _is_mark(item):
            continue
        spec = expect(item, dict, "toolConfig.tools[]").get("toolSpec")
        if not isinstance(spec, dict) or len(item) != 1:
            raise Refusal(Reason.FEATURE_REFUSED, "toolConfig.tools[]: only toolSpec is taken; tools that run elsewhere are refused")
        schema = expect(spec.get("inputSchema") or {}, dict, "toolSpec.inputSchema").get("json")
        found.append(tool(spec.get("name"), spec.get("description"), schema))
    if not found:
        return {}
    chosen = expect(config.get("toolChoice") or {"auto": {}}, dict, "toolConfig.toolChoice")
    named = chosen.get("tool")
    if isinstance(named, dict):
        return {"tools": found, "tool_choice": {"type": "function", "function": {"name": expect(named.get("name"), str, "tool.name")}}}
    return {"tools": found, "tool_choice": "required" if "any" in chosen else "auto"}


def _format(body: Tree) -> Tree:
    wanted = expect(body.get("outputConfig") or {}, dict, "outputConfig").get("textFormat")
    if not isinstance(wanted, dict):
        return {}
    inner = expect(wanted.get("structure") or {}, dict, "textFormat.structure").get("jsonSchema")
    try:
        schema = orjson.loads(expect(expect(inner, dict, "jsonSchema").get("schema"), str, "jsonSchema.schema"))
    except orjson.JSONDecodeError:
        raise Refusal(Reason.BODY_MALFORMED, "jsonSchema.schema is the text of a JSON schema") from None
    return {"response_format": {"type": "json_schema", "json_schema": {"name": inner.get("name") or "response", "schema": schema}}}


def _reason(finish: str, stop: str | None) -> str:
    return _STOP.get(finish) or ("stop_sequence" if stop else "end_turn")


def _usage(usage: Any) -> Tree:
    read, written = tokens_of(usage)
    return {"inputTokens": read, "outputTokens": written, "totalTokens": read + written}
