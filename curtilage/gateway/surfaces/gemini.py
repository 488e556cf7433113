"""Google: the Gemini API and Vertex AI. Generation, its stream (server-sent events or one JSON array), embeddings and counts of tokens.

The JSON mapping of protocol buffers allows ``systemInstruction`` and ``system_instruction`` alike; so does this, but not both at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

import orjson

from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.sse import encode
from curtilage.gateway.surfaces.base import Asked, Dialect, MakeGuard, Route, StreamRelay, Tree, expect, part
from curtilage.gateway.surfaces.claude import VertexCount, VertexMessages, VertexStream
from curtilage.gateway.surfaces.openai import ChatCompletions
from curtilage.gateway.surfaces.openai_more import Embeddings
from curtilage.gateway.surfaces.translated import (
    TranslatedChat,
    TranslatedEmbeddings,
    TranslatedRelay,
    arguments_of,
    call_of,
    first_choice,
    only_text,
    result_of,
    tokens_of,
    tool,
)

_STATUS = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 413: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
_STATUS |= {504: "DEADLINE_EXCEEDED"}
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}
_CONFIG = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "candidateCount": "n",
    "maxOutputTokens": "max_tokens",
    "stopSequences": "stop",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "seed": "seed",
}
_CONFIG_ELSEWHERE = frozenset(("responseMimeType", "responseSchema", "responseJsonSchema", "responseModalities"))
_TOP = frozenset(("model", "contents", "systemInstruction", "generationConfig", "tools", "toolConfig", "labels"))
_MODES = {"AUTO": "auto", "ANY": "required", "VALIDATED": "auto", "NONE": "none", "MODE_UNSPECIFIED": "auto"}


def field(node: Tree, name: str) -> Any:
    """A field by either of its two spellings."""
    snake = "".join("_" + char.lower() if char.isupper() else char for char in name)
    if name in node and snake in node and snake != name:
        raise Refusal(Reason.BODY_MALFORMED, f"{name} is given twice, in two spellings")
    return node.get(name, node.get(snake))


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(piece.title() for piece in rest)


def _count_unknown(node: Tree, known: frozenset[str], dropped: Counter[str]) -> None:
    dropped["parameter"] += sum(_camel(name) not in known for name in node)


class Generate(TranslatedChat):
    """``:generateContent``."""

    streams: ClassVar[bool] = False

    def __init__(self, dialect: Dialect, asked: Asked) -> None:
        super().__init__(dialect, asked)
        self.as_events = asked.query.get("alt", asked.query.get("$alt", "json")) == "sse"
        self._relay: _Relay | None = None
        if not self.as_events:
            self.stream_type = b"application/json; charset=utf-8"

    def translate(self, body: Tree, dropped: Counter[str]) -> Tree:
        if field(body, "cachedContent"):
            raise Refusal(Reason.FEATURE_REFUSED, "cachedContent: nothing is kept; send the content with the call")
        _count_unknown(body, _TOP, dropped)
        config = expect(field(body, "generationConfig") or {}, dict, "generationConfig")
        _count_unknown(config, frozenset(_CONFIG) | _CONFIG_ELSEWHERE, dropped)
        if field(config, "responseModalities") not in (None, ["TEXT"], ["MODALITY_UNSPECIFIED"], []):
            raise Refusal(Reason.FEATURE_REFUSED, "generationConfig.responseModalities: text only")
        built = {theirs: field(config, ours) for ours, theirs in _CONFIG.items()}
        built |= {"model": body.get("model"), "stream": self.streams, "metadata": field(body, "labels")}
        if self.streams and built["n"] not in (None, 1):
            raise Refusal(Reason.FEATURE_REFUSED, "generationConfig.candidateCount: a stream has one")
        built["messages"] = messages_of(body)
        built |= _tools(body) | _format(config)
        return built

    def say(self, tree: Tree) -> Tree:
        candidates = [_candidate(choice) for choice in tree["choices"]]
        return {
            "candidates": candidates,
            "usageMetadata": _usage(tree.get("usage")),
            "modelVersion": tree.get("model"),
            "responseId": tree.get("id"),
        }

    def relay(self, make_guard: MakeGuard) -> StreamRelay:
        self._relay = _Relay(make_guard, as_events=self.as_events)
        return self._relay

    def error_event(self, reason: Reason, message: str, call: str) -> bytes:
        said = orjson.dumps(self.dialect.error(reason, message, Refusal(reason, "").status, call))
        return encode(said) if self.as_events else (b",\n" if self._relay is not None and self._relay.began else b"[") + said + b"]\n"


class GenerateStream(Generate):
    """``:streamGenerateContent``, with ``alt=sse`` and without."""

    streams: ClassVar[bool] = True


class _Relay(TranslatedRelay):
    """One response a chunk, the last one with the end and the count; without ``alt=sse`` they are the items of one array."""

    def __init__(self, make_guard: MakeGuard, *, as_events: bool) -> None:
        super().__init__(make_guard)
        self._as_events, self.began = as_events, False

    def text(self, text: str) -> bytes:
        return self._response([{"text": text}], {})

    def call_begins(self, index: int, call: Tree) -> bytes:
        return b""  # told when its arguments are complete: the end has it

    def call_goes_on(self, index: int, arguments: str) -> bytes:
        return b""

    def last(self) -> bytes:
        parts = [_function_call(call["id"], call["name"], call["arguments"]) for _, call in sorted(self.calls.items())]
        end = {"finishReason": _FINISH.get(self.finish, "OTHER")}
        return self._response(parts or [{"text": ""}], end) + (b"" if self._as_events else b"]\n")

    def _response(self, parts: list[Tree], end: Tree) -> bytes:
        candidate = {"content": {"role": "model", "parts": parts}, "index": 0, **end}
        said: Tree = {"candidates": [candidate], "modelVersion": self.model, "responseId": self.id}
        if end:
            said["usageMetadata"] = _usage(self.usage)
        if self._as_events:
            return encode(orjson.dumps(said))
        opening, self.began = (b",\n" if self.began else b"["), True
        return opening + orjson.dumps(said)


class CountTokens(Generate):
    """``:countTokens``: of the call as cleaned, since that is what the model would read."""

    upstream_path: ClassVar[str] = "/tokenize"

    def translate(self, body: Tree, dropped: Counter[str]) -> Tree:
        whole = field(body, "generateContentRequest")
        counted = expect(whole, dict, "generateContentRequest") if whole is not None else body
        return super().translate({**counted, "model": body.get("model")}, dropped)

    def to_model(self, body: Tree, model: str, cache_salt: str) -> Tree:
        del cache_salt  # nothing is computed that could be cached
        return {"model": model, **{key: body[key] for key in ("messages", "tools") if key in body}}

    def answer(self, tree: Any, make_guard: MakeGuard) -> Tree:
        del make_guard
        return {"totalTokens": part(tree["count"], int)}


class Embed(TranslatedEmbeddings):
    """``:embedContent``."""

    def translate(self, body: Tree) -> Tree:
        return {"model": body.get("model"), "input": [_text_of(body)], "dimensions": field(body, "outputDimensionality")}

    def say(self, vectors: list[list[float]], usage: Tree) -> Tree:
        return {"embedding": {"values": vectors[0]}, "usageMetadata": {"promptTokenCount": tokens_of(usage)[0]}}


class EmbedBatch(TranslatedEmbeddings):
    """``:batchEmbedContents``."""

    def translate(self, body: Tree) -> Tree:
        requests = [expect(item, dict, "requests[]") for item in expect(body.get("requests"), list, "requests")]
        wanted = {field(item, "outputDimensionality") for item in requests}
        if len(wanted) > 1:
            raise Refusal(Reason.FEATURE_REFUSED, "requests[].outputDimensionality: one for all")
        return {"model": body.get("model"), "input": [_text_of(item) for item in requests], "dimensions": next(iter(wanted), None)}

    def say(self, vectors: list[list[float]], usage: Tree) -> Tree:
        del usage
        return {"embeddings": [{"values": vector} for vector in vectors]}


class Predict(TranslatedEmbeddings):
    """Vertex's ``:predict``, of models that embed."""

    def translate(self, body: Tree) -> Tree:
        instances = [expect(item, dict, "instances[]") for item in expect(body.get("instances"), list, "instances")]
        parameters = expect(body.get("parameters") or {}, dict, "parameters")
        inputs = [_titled(item, expect(item.get("content"), str, "instances[].content")) for item in instances]
        return {"model": body.get("model"), "input": inputs, "dimensions": field(parameters, "outputDimensionality")}

    def say(self, vectors: list[list[float]], usage: Tree) -> Tree:
        # The server counts the tokens of all texts together.
        counted = {"token_count": tokens_of(usage)[0], "truncated": False} if len(vectors) == 1 else {"truncated": False}
        return {"predictions": [{"embeddings": {"values": vector, "statistics": counted}} for vector in vectors]}


class Google(Dialect):
    """Errors and lists of both of Google's interfaces."""

    def error(self, reason: Reason, message: str, status: int, call: str) -> Tree:
        detail = {"@type": _ERROR_INFO, "reason": reason.value, "domain": "curtilage", "metadata": {"call": call}}
        said = f"{message} ({reason})"
        return {"error": {"code": status, "message": said, "status": _STATUS.get(status, "INTERNAL"), "details": [detail]}}

    def models(self, names: Iterable[str]) -> Tree:
        methods = ["generateContent", "countTokens"]
        return {"models": [{"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": methods} for name in names]}


def _model_routes(prefix: str) -> tuple[Route, ...]:
    return (
        Route("POST", prefix + "{model}:generateContent", Generate),
        Route("POST", prefix + "{model}:streamGenerateContent", GenerateStream),
        Route("POST", prefix + "{model}:countTokens", CountTokens),
        Route("POST", prefix + "{model}:embedContent", Embed),
    )


class Gemini(Google):
    """``generativelanguage.googleapis.com``."""

    name: ClassVar[str] = "gemini"
    routes: ClassVar[tuple[Route, ...]] = (
        *(
            route
            for version in ("v1", "v1beta", "v1alpha")
            for route in (
                *_model_routes(f"/{version}/models/"),
                Route("POST", f"/{version}/models/{{model}}:batchEmbedContents", EmbedBatch),
                Route("GET", f"/{version}/models", None),
            )
        ),
        Route("POST", "/v1beta/openai/chat/completions", ChatCompletions),
        Route("POST", "/v1beta/openai/embeddings", Embeddings),
    )


class Vertex(Google):
    """``{location}-aiplatform.googleapis.com``, with a project in the path or, with an API key, without."""

    name: ClassVar[str] = "vertex"
    routes: ClassVar[tuple[Route, ...]] = tuple(
        route
        for version in ("v1", "v1beta1")
        for place in (f"/{version}/projects/{{project}}/locations/{{location}}", f"/{version}")
        for route in (
            *_model_routes(f"{place}/publishers/google/models/"),
            Route("POST", f"{place}/publishers/google/models/{{model}}:predict", Predict),
            Route("POST", f"{place}/publishers/anthropic/models/count-tokens:rawPredict", VertexCount),
            Route("POST", f"{place}/publishers/anthropic/models/{{model}}:rawPredict", VertexMessages),
            Route("POST", f"{place}/publishers/anthropic/models/{{model}}:streamRawPredict", VertexStream),
            Route("POST", f"{place}/endpoints/openapi/chat/completions", ChatCompletions),
        )
    )


def messages_of(body: Tree) -> list[Tree]:
    """The conversation as messages; a function's result goes to the call of that name which still waits for one."""
    messages: list[Tree] = []
    system = field(body, "systemInstruction")
    if system is not None:
        messages.append({"role": "system", "content": _text_of({"content": system})})
    contents = body.get("contents")
    waiting: list[tuple[str, str]] = []  # name, id
    number = 0
    for content in [contents] if isinstance(contents, dict) else expect(contents, list, "contents"):
        texts: list[str] = []
        calls: list[Tree] = []
        results: list[Tree] = []
        for piece in expect(expect(content, dict, "contents[]").get("parts"), list, "contents[].parts"):
            kind, value = _part(piece)
            if kind == "text":
                texts.append(value)
            elif kind == "functionCall":
                identifier = str(value.get("id") or f"call_{number}")
                number += 1
                waiting.append((str(value.get("name")), identifier))
                calls.append(call_of(identifier, value.get("name"), value.get("args")))
            else:
                name = expect(value.get("name"), str, "functionResponse.name")
                found = next((pair for pair in waiting if pair[1] == value.get("id")), None)
                found = found or next((pair for pair in waiting if pair[0] == name), None)
                if found is not None:
                    waiting.remove(found)
                results.append(result_of(found[1] if found else str(value.get("id") or f"call_{name}"), value.get("response")))
        role = content.get("role") or "user"
        if role not in ("user", "model", "function", "tool"):
            raise Refusal(Reason.BODY_MALFORMED, "contents[].role is user or model")
        messages += results
        if texts or calls or not results:
            said: Tree = {"role": "assistant" if role == "model" else "user"}
            said["content"] = [{"type": "text", "text": text} for text in texts] if len(texts) > 1 else "".join(texts)
            messages.append(said | ({"tool_calls": calls} if calls else {}))
    return messages


def _part(piece: Any) -> tuple[str, Any]:
    """What a part is; a thought of an earlier turn is text that nobody needs again."""
    expect(piece, dict, "contents[].parts[]")
    given = {_camel(key): value for key, value in piece.items() if value is not None}
    kinds = given.keys() - {"thought", "thoughtSignature", "partMetadata"}
    if kinds == {"text"}:
        return "text", "" if given.get("thought") is True else expect(given["text"], str, "contents[].parts[].text")
    for kind in ("functionCall", "functionResponse"):
        if kinds == {kind}:
            return kind, expect(given[kind], dict, kind)
    raise only_text("contents[].parts[]")


def _text_of(node: Tree) -> str:
    """The text of ``content``: a string, a part, parts, or a content."""
    content = node.get("content")
    if isinstance(content, str):
        return _titled(node, content)
    if isinstance(content, dict) and "parts" not in content:
        content = {"parts": [content]}
    pieces = content.get("parts") if isinstance(content, dict) else content
    found = [_part(piece) for piece in expect([pieces] if isinstance(pieces, dict) else pieces, list, "content.parts")]
    if any(kind != "text" for kind, _ in found):
        raise only_text("content.parts[]")
    return _titled(node, "\n".join(text for _, text in found))


def _titled(node: Tree, text: str) -> str:
    title = node.get("title")
    return f"{expect(title, str, 'title')}\n{text}" if title else text


def _tools(body: Tree) -> Tree:
    built: Tree = {}
    found: list[Tree] = []
    for item in expect(body.get("tools") or [], list, "tools"):
        given = {_camel(key): value for key, value in expect(item, dict, "tools[]").items() if value not in (None, [])}
        if given.keys() - {"functionDeclarations"}:
            raise Refusal(
                Reason.FEATURE_REFUSED,
                "tools[]: only functionDeclarations; tools that search, fetch or run elsewhere are refused",
            )
        for declared in expect(given.get("functionDeclarations", []), list, "tools[].functionDeclarations"):
            expect(declared, dict, "functionDeclarations[]")
            schema = field(declared, "parametersJsonSchema")
            schema = schema if schema is not None else _schema(declared.get("parameters"))
            found.append(tool(declared.get("name"), declared.get("description"), schema))
    if found:
        built["tools"] = found
    chosen = field(expect(field(body, "toolConfig") or {}, dict, "toolConfig"), "functionCallingConfig")
    if chosen is not None and found:
        mode = _MODES.get(expect(chosen, dict, "functionCallingConfig").get("mode", "AUTO"))
        names = field(chosen, "allowedFunctionNames") or []
        if mode is None:
            raise Refusal(Reason.BODY_MALFORMED, f"functionCallingConfig.mode is one of {', '.join(_MODES)}")
        one = len(expect(names, list, "allowedFunctionNames")) == 1 and mode == "required"
        built["tool_choice"] = {"type": "function", "function": {"name": names[0]}} if one else mode
    return built


def _format(config: Tree) -> Tree:
    schema = field(config, "responseJsonSchema")
    schema = schema if schema is not None else _schema(field(config, "responseSchema"))
    if schema is not None:
        return {"response_format": {"type": "json_schema", "json_schema": {"name": "response", "schema": schema}}}
    if field(config, "responseMimeType") == "application/json":
        return {"response_format": {"type": "json_object"}}
    return {}


def _schema(node: Any) -> Any:
    """Google's schema as JSON Schema: types are in lower case there, and null is a type."""
    if isinstance(node, list):
        return [_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    built: Tree = {
        key: {name: _schema(value) for name, value in inner.items()} if key == "properties" and isinstance(inner, dict) else inner
        for key, inner in node.items()
        if key not in ("propertyOrdering", "property_ordering", "nullable")
    }
    for key in ("items", "anyOf", "any_of"):
        if key in built:
            built["anyOf" if key == "any_of" else key] = _schema(built.pop(key))
    if isinstance(built.get("type"), str):
        lower = built["type"].lower()
        built["type"] = [lower, "null"] if node.get("nullable") is True else lower
    return built


def _candidate(choice: Tree) -> Tree:
    text, calls, finish, _ = first_choice({"choices": [choice]})
    parts: list[Tree] = [{"text": text}] if text or not calls else []
    parts += [_function_call(str(item.get("id")), item["function"]["name"], item["function"]["arguments"]) for item in calls]
    return {"content": {"role": "model", "parts": parts}, "finishReason": _FINISH.get(finish, "OTHER"), "index": choice["index"]}


def _function_call(identifier: str, name: str, arguments: str) -> Tree:
    return {"functionCall": {"id": identifier, "name": name, "args": arguments_of(arguments)}}


def _usage(usage: Any) -> Tree:
    read, written = tokens_of(usage)
    return {"promptTokenCount": read, "candidatesTokenCount": written, "totalTokenCount": read + written}
