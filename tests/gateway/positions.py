"""Where text can stand on each surface, and in which encodings it is tried there: the axes of the leak matrix."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Place = Callable[[str], dict[str, Any]]
SECRET = "zebra-settles-at-two-million"
PERSON = "jane.roe@example.com"
FIELD = "Legal_Case_Strategy__c"

ENCODINGS = {
    "json": lambda secret: json.dumps({"Name": "A", FIELD: secret}),
    "namespaced": lambda secret: json.dumps({"acme__Client_SENSITIVE__c": secret}),
    "relation": lambda secret: json.dumps({"Case__r": {"Privileged_Communication__r": {"Body__c": secret}}, "records": [{FIELD: secret}]}),
    "double-encoded": lambda secret: json.dumps(json.dumps({"a": json.dumps({FIELD: secret})})),
    "in prose": lambda secret: f"Summarise this case: {json.dumps({'Id': 1, FIELD: {'deep': [secret]}})} in one line.",
    "escaped in prose": lambda secret: "Summarise " + json.dumps(json.dumps({FIELD: secret}))[1:-1] + " please",
    "duplicate key": lambda secret: f'{{"{FIELD}": "{secret}", "a": "{secret[:0]}", "{FIELD}": 1}}',
    "unicode escapes": lambda secret: '{"legal\\u005fcase\\u005fstrategy__c": "' + secret + '"}',
    "key and value": lambda secret: json.dumps([{"name": FIELD, "value": secret}]),
    "columns": lambda secret: json.dumps({"columns": ["Id", FIELD], "rows": [["1", secret], ["2", secret]]}),
    "xml": lambda secret: f"<Case><{FIELD}>{secret}</{FIELD}></Case>",
    "yaml": lambda secret: f"Name: A\n{FIELD}: |\n  {secret}\n  {secret}\n",
    "python repr": lambda secret: repr({FIELD: secret}),
    "csv": lambda secret: f"Id,{FIELD},Name\n1,{secret},A\n2,{secret},B\n",
    "base64": lambda secret: "see " + base64.b64encode(json.dumps({FIELD: secret}).encode()).decode(),
    "percent": lambda secret: "https://crm.example/?q=" + "".join(f"%{byte:02X}" for byte in json.dumps({FIELD: secret}).encode()),
    "entities": lambda secret: f"{{&quot;{FIELD}&quot;: &quot;{secret}&quot;}}",
    "zero-width": lambda secret: f"legal\u200b_case_strat\u200degy__c: {secret}",
    "full-width": lambda secret: f"ｌｅｇａｌ＿case_strategy__c: {secret}",
    "homoglyphs": lambda secret: f"lеgаl_cаse_strаtegy__c: {secret}",
    "personal": lambda secret: f"Write to {PERSON}, IBAN DE89 3704 0044 0532 0130 00, card 4111 1111 1111 1111.",
    "personal zero-width": lambda secret: "Write to jane.roe\u200b@exam\u200bple.com",
    "personal full-width": lambda secret: "Write to jane.roe＠example．com",
    "personal base64": lambda secret: base64.b64encode(f"Write to {PERSON}".encode()).decode(),
    "personal percent": lambda secret: "mailto:jane.roe%40example.com",
}
GONE = (SECRET, SECRET[6:], PERSON, "jane.roe", "3704 0044", "4111 1111", "DE89")


def _tool_calls(text: str) -> list[dict[str, Any]]:
    return [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"q": text})}}]


OPENAI: dict[str, Place] = {
    "system": lambda text: {"messages": [{"role": "system", "content": text}]},
    "developer": lambda text: {"messages": [{"role": "developer", "content": text}]},
    "user": lambda text: {"messages": [{"role": "user", "content": text}]},
    "part": lambda text: {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": text}]}]},
    "name": lambda text: {"messages": [{"role": "user", "name": text, "content": "a"}]},
    "assistant": lambda text: {"messages": [{"role": "assistant", "content": text}]},
    "tool arguments": lambda text: {"messages": [{"role": "assistant", "content": None, "tool_calls": _tool_calls(text)}]},
    "tool result": lambda text: {"messages": [{"role": "tool", "tool_call_id": "c1", "content": text}]},
    "tool description": lambda text: {"tools": [{"type": "function", "function": {"name": "f", "description": text, "parameters": {}}}]},
    "tool schema": lambda text: {
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {"enum": [text], "default": text}}}}}]
    },
    "schema": lambda text: {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"description": text}}}},
    "stop": lambda text: {"stop": [text]},
    "user field": lambda text: {"user": text},
    "metadata": lambda text: {"metadata": {"note": text}},
    "unknown parameter": lambda text: {"some_new_parameter": {"a": text}, "chat_template": text, "documents": [text]},
}
ANTHROPIC: dict[str, Place] = {
    "system": lambda text: {"system": text},
    "system blocks": lambda text: {"system": [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}]},
    "user": lambda text: {"messages": [{"role": "user", "content": text}]},
    "block": lambda text: {"messages": [{"role": "user", "content": [{"type": "text", "text": text}]}]},
    "assistant": lambda text: {"messages": [{"role": "assistant", "content": text}]},
    "thinking": lambda text: {"messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": text, "signature": "s"}]}]},
    "tool use": lambda text: {
        "messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"deep": [{"q": text}]}}]}]
    },
    "tool result": lambda text: {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": text}]}]},
    "tool result blocks": lambda text: {
        "messages": [
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": text}]}]}
        ]
    },
    "tool description": lambda text: {"tools": [{"name": "f", "description": text, "input_schema": {"type": "object"}}]},
    "tool schema": lambda text: {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": {"a": {"description": text}}}}]},
    "stop": lambda text: {"stop_sequences": [text]},
    "metadata": lambda text: {"metadata": {"user_id": text, "note": text}},
    "unknown parameter": lambda text: {"some_new_parameter": [text]},
}
CLAUDE = "anthropic.claude-3-5-sonnet-20240620-v1%3A0"


@dataclass(frozen=True)
class Surface:
    """One operation of one dialect.

    Attributes:
        stream: the path of its stream, where that is another one; the same path where the body asks for it; empty where there is none.
        base: what every body has.
    """

    host: str
    path: str
    stream: str
    base: dict[str, Any]
    positions: dict[str, Place]

    def body(self, place: dict[str, Any], *, stream: bool) -> dict[str, Any]:
        return {**self.base, **({"stream": True} if stream and self.stream == self.path else {}), **place}


QUESTION = {"messages": [{"role": "user", "content": "Hello"}]}
COMPLETIONS: dict[str, Place] = {
    "prompt": lambda text: {"prompt": text},
    "prompts": lambda text: {"prompt": ["a", text]},
    "suffix": lambda text: {"prompt": "a", "suffix": text},
    "stop": lambda text: {"stop": [text]},
    "user field": lambda text: {"user": text},
    "unknown parameter": lambda text: {"some_new_parameter": [text]},
}
RESPONSES: dict[str, Place] = {
    "input": lambda text: {"input": text},
    "instructions": lambda text: {"instructions": text},
    "message": lambda text: {"input": [{"role": "user", "content": text}]},
    "part": lambda text: {"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}]},
    "assistant part": lambda text: {
        "input": [
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text, "annotations": [{"a": text}]}]}
        ]
    },
    "call": lambda text: {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": json.dumps({"q": text})}]},
    "call output": lambda text: {"input": [{"type": "function_call_output", "call_id": "c", "output": text}]},
    "reasoning": lambda text: {
        "input": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": text}]}, *QUESTION["messages"]]
    },
    "tool description": lambda text: {"tools": [{"type": "function", "name": "f", "description": text, "parameters": {}}]},
    "tool schema": lambda text: {"tools": [{"type": "function", "name": "f", "parameters": {"properties": {"a": {"enum": [text]}}}}]},
    "format": lambda text: {"text": {"format": {"type": "json_schema", "name": "a", "schema": {"description": text}}}},
    "metadata": lambda text: {"metadata": {"note": text}},
    "unknown parameter": lambda text: {"some_new_parameter": {"a": text}, "prompt_cache_key": text},
}
EMBEDDINGS: dict[str, Place] = {
    "input": lambda text: {"input": text},
    "inputs": lambda text: {"input": ["a", text]},
    "user field": lambda text: {"user": text},
    "unknown parameter": lambda text: {"some_new_parameter": text},
}


def _gemini(parts: list[dict[str, Any]], role: str = "user") -> dict[str, Any]:
    return {"contents": [{"role": role, "parts": parts}]}


GEMINI: dict[str, Place] = {
    "part": lambda text: _gemini([{"text": "a"}, {"text": text}]),
    "model part": lambda text: _gemini([{"text": text}], "model"),
    "thought": lambda text: _gemini([{"text": text, "thought": True}, {"text": "a"}], "model"),
    "system": lambda text: {"systemInstruction": {"parts": [{"text": text}]}},
    "system, other spelling": lambda text: {"system_instruction": {"parts": [{"text": text}]}},
    "call": lambda text: _gemini([{"functionCall": {"name": "f", "args": {"deep": [{"q": text}]}}}], "model"),
    "result": lambda text: _gemini([{"functionResponse": {"name": "f", "response": {"q": text}}}]),
    "tool description": lambda text: {"tools": [{"functionDeclarations": [{"name": "f", "description": text}]}]},
    "tool schema": lambda text: {
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "properties": {"a": {"description": text}}}}]}]
    },
    "response schema": lambda text: {"generationConfig": {"responseSchema": {"type": "STRING", "description": text}}},
    "stop": lambda text: {"generationConfig": {"stopSequences": [text]}},
    "labels": lambda text: {"labels": {"note": text}},
    "unknown parameter": lambda text: {"someNewParameter": {"a": text}, "safetySettings": [{"category": text}]},
}


def _converse(blocks: list[dict[str, Any]], role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": blocks}]}


CONVERSE: dict[str, Place] = {
    "block": lambda text: _converse([{"text": "a"}, {"text": text}]),
    "assistant": lambda text: _converse([{"text": text}], "assistant"),
    "system": lambda text: {"system": [{"text": text}, {"cachePoint": {"type": "default"}}]},
    "guarded block": lambda text: _converse([{"guardContent": {"text": {"text": text}}}]),
    "reasoning": lambda text: _converse([{"reasoningContent": {"reasoningText": {"text": text}}}, {"text": "a"}], "assistant"),
    "tool use": lambda text: _converse([{"toolUse": {"toolUseId": "t", "name": "f", "input": {"deep": [{"q": text}]}}}], "assistant"),
    "tool result": lambda text: _converse([{"toolResult": {"toolUseId": "t", "content": [{"text": text}]}}]),
    "tool result json": lambda text: _converse([{"toolResult": {"toolUseId": "t", "content": [{"json": {"q": text}}]}}]),
    "tool description": lambda text: {
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "description": text, "inputSchema": {"json": {"type": "object"}}}}]}
    },
    "tool schema": lambda text: {
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"properties": {"a": {"description": text}}}}}}]}
    },
    "output schema": lambda text: {
        "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps({"description": text})}}}}
    },
    "stop": lambda text: {"inferenceConfig": {"stopSequences": [text]}},
    "metadata": lambda text: {"requestMetadata": {"note": text}},
    "unknown parameter": lambda text: {"additionalModelRequestFields": {"a": text}},
}
COHERE_V2: dict[str, Place] = {
    "user": lambda text: {"messages": [{"role": "user", "content": text}]},
    "part": lambda text: {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": text}]}]},
    "thinking": lambda text: {
        "messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": text}, {"type": "text", "text": "a"}]}]
    },
    "plan": lambda text: {"messages": [{"role": "assistant", "tool_plan": text, "tool_calls": _tool_calls("a")}]},
    "tool call": lambda text: {"messages": [{"role": "assistant", "tool_calls": _tool_calls(text)}]},
    "tool result": lambda text: {
        "messages": [{"role": "tool", "tool_call_id": "c1", "content": [{"type": "document", "document": {"data": {"q": text}}}]}]
    },
    "tool description": lambda text: {"tools": [{"type": "function", "function": {"name": "f", "description": text, "parameters": {}}}]},
    "schema": lambda text: {"response_format": {"type": "json_object", "json_schema": {"description": text}}},
    "stop": lambda text: {"stop_sequences": [text]},
    "unknown parameter": lambda text: {"some_new_parameter": [text], "citation_options": {"mode": text}},
}
COHERE_V1: dict[str, Place] = {
    "message": lambda text: {"message": text},
    "history": lambda text: {"chat_history": [{"role": "CHATBOT", "message": text}]},
    "preamble": lambda text: {"preamble": text},
    "stop": lambda text: {"stop_sequences": [text]},
    "unknown parameter": lambda text: {"some_new_parameter": [text]},
}
COHERE_EMBED: dict[str, Place] = {
    "texts": lambda text: {"texts": ["a", text]},
    "inputs": lambda text: {"texts": None, "inputs": [{"content": [{"type": "text", "text": text}]}]},
    "unknown parameter": lambda text: {"some_new_parameter": text},
}
RERANK: dict[str, Place] = {
    "query": lambda text: {"query": text},
    "documents": lambda text: {"documents": ["a", text]},
    "documents with fields": lambda text: {"documents": [{"text": text, "note": text}, "a"], "rank_fields": [text]},
}
MISTRAL: dict[str, Place] = {
    **{name: OPENAI[name] for name in ("system", "user", "part", "assistant", "tool arguments", "tool result", "tool description", "stop")},
    "thinking": lambda text: {
        "messages": [
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}, {"type": "text", "text": "a"}],
            }
        ]
    },
    "unknown parameter": lambda text: {"some_new_parameter": [text], "prompt_mode": text},
}
GENERATIONS: dict[str, Place] = {
    "prompt": lambda text: {"prompt": text},
    "tags": lambda text: {"tags": {"note": text}},
    "localization": lambda text: {"localization": {"defaultLocale": text}},
}
CHAT_GENERATIONS: dict[str, Place] = {
    "message": lambda text: {"messages": [{"role": "user", "content": text}]},
    "system": lambda text: {"messages": [{"role": "system", "content": text}, {"role": "user", "content": "a"}]},
}
_CLAUDE_BASE = {"max_tokens": 9, **QUESTION, "anthropic_version": "x"}
_CHAT, _MESSAGES = "/v1/chat/completions", "/v1/messages"
_GEMINI, _AZURE = "/v1beta/models/gemini-2.5-flash", "/openai/deployments/gpt-4o/chat/completions"
_VERTEX = "/v1/projects/p/locations/europe-west1/publishers"
_EINSTEIN = "/einstein/platform/v1/models"
_VERTEX_HOST, _BEDROCK_HOST = "europe-west1-aiplatform.googleapis.com", "bedrock-runtime.us-east-1.amazonaws.com"
SURFACES = {
    "openai": Surface("api.openai.com", _CHAT, _CHAT, {"model": "gpt-4o", **QUESTION}, OPENAI),
    "anthropic": Surface("api.anthropic.com", _MESSAGES, _MESSAGES, {"model": "claude-opus-4-1", "max_tokens": 9, **QUESTION}, ANTHROPIC),
    "openai completions": Surface("api.openai.com", "/v1/completions", "/v1/completions", {"model": "gpt-4o", "prompt": "a"}, COMPLETIONS),
    "openai responses": Surface("api.openai.com", "/v1/responses", "/v1/responses", {"model": "gpt-4o", "input": "a"}, RESPONSES),
    "openai embeddings": Surface("api.openai.com", "/v1/embeddings", "", {"model": "text-embedding-3-small", "input": "a"}, EMBEDDINGS),
    "anthropic count": Surface("api.anthropic.com", _MESSAGES + "/count_tokens", "", {"model": "claude-opus-4-1", **QUESTION}, ANTHROPIC),
    "azure": Surface("res.openai.azure.com", _AZURE, _AZURE, QUESTION, OPENAI),
    "foundry": Surface(
        "res.services.ai.azure.com", "/anthropic/v1/messages", "/anthropic/v1/messages",
        {"model": "claude-opus-4-1", "max_tokens": 9, **QUESTION}, ANTHROPIC,
    ),
    "gemini": Surface(
        "generativelanguage.googleapis.com", f"{_GEMINI}:generateContent", f"{_GEMINI}:streamGenerateContent?alt=sse",
        _gemini([{"text": "a"}]), GEMINI,
    ),
    "gemini array": Surface(
        "generativelanguage.googleapis.com", f"{_GEMINI}:countTokens", f"{_GEMINI}:streamGenerateContent", _gemini([{"text": "a"}]), GEMINI
    ),
    "gemini embed": Surface(
        "generativelanguage.googleapis.com", "/v1beta/models/gemini-embedding-001:batchEmbedContents", "", {},
        {"content": lambda text: {"requests": [{"content": {"parts": [{"text": text}]}, "title": text, "taskType": text}]}},
    ),
    "vertex": Surface(
        _VERTEX_HOST, f"{_VERTEX}/google/models/gemini-2.5-flash:generateContent",
        f"{_VERTEX}/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse", _gemini([{"text": "a"}]), GEMINI,
    ),
    "vertex predict": Surface(
        _VERTEX_HOST, f"{_VERTEX}/google/models/text-embedding-005:predict", "", {},
        {"instance": lambda text: {"instances": [{"content": text, "title": text, "task_type": text}]}},
    ),
    "vertex claude": Surface(
        _VERTEX_HOST, f"{_VERTEX}/anthropic/models/claude-sonnet-4-5@20250929:rawPredict",
        f"{_VERTEX}/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict", _CLAUDE_BASE, ANTHROPIC,
    ),
    "bedrock converse": Surface(
        _BEDROCK_HOST, f"/model/{CLAUDE}/converse", f"/model/{CLAUDE}/converse-stream", _converse([{"text": "a"}]), CONVERSE
    ),
    "bedrock invoke": Surface(
        _BEDROCK_HOST, f"/model/{CLAUDE}/invoke", f"/model/{CLAUDE}/invoke-with-response-stream", _CLAUDE_BASE, ANTHROPIC
    ),
    "cohere v2": Surface("api.cohere.com", "/v2/chat", "/v2/chat", {"model": "command-r", **QUESTION}, COHERE_V2),
    "cohere v1": Surface("api.cohere.com", "/v1/chat", "/v1/chat", {"model": "command-r", "message": "a"}, COHERE_V1),
    "cohere embed": Surface("api.cohere.com", "/v2/embed", "", {"model": "embed-v4.0", "texts": ["a"]}, COHERE_EMBED),
    "cohere rerank": Surface(
        "api.cohere.com", "/v2/rerank", "", {"model": "rerank-v3.5", "query": "a", "documents": ["a"], "return_documents": True}, RERANK
    ),
    "mistral": Surface("api.mistral.ai", _CHAT, _CHAT, {"model": "mistral-small-latest", **QUESTION}, MISTRAL),
    "salesforce": Surface("api.salesforce.com", f"{_EINSTEIN}/sfdc_ai__DefaultGPT4Omni/generations", "", {"prompt": "a"}, GENERATIONS),
    "salesforce chat": Surface(
        "api.salesforce.com", f"{_EINSTEIN}/sfdc_ai__DefaultGPT4Omni/chat-generations", "", QUESTION, CHAT_GENERATIONS
    ),
}  # fmt: skip


def base64_views(text: str) -> list[str]:
    """What stands in a text's pieces of Base64."""
    found = []
    for token in re.findall(r"[A-Za-z0-9+/]{24,}={0,2}", text):
        try:
            found.append(base64.b64decode(token + "=" * (-len(token) % 4)).decode())
        except ValueError:
            continue
    return found


def leaks_in(raw: bytes) -> list[str]:
    """What should be gone and is not, in a body that reached the model host."""
    text = raw.decode()
    decoded = json.dumps(json.loads(text), ensure_ascii=False)
    return sorted({gone for gone in GONE for view in (text, decoded, *base64_views(decoded)) if gone in view})
