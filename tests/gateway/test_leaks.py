"""Position x surface x stream x encoding: asserted at the model host, because that is where a leak would be."""

from __future__ import annotations

import base64
import json

import pytest

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


def _tool_calls(text: str) -> list[dict]:
    return [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"q": text})}}]


OPENAI = {
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
ANTHROPIC = {
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
SURFACES = {
    "openai": ("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o"}, OPENAI),
    "anthropic": ("api.anthropic.com", "/v1/messages", {"model": "claude-opus-4-1", "max_tokens": 9}, ANTHROPIC),
}


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("surface", SURFACES)
def test_nothing_stripped_reaches_the_model_host_from_any_position_in_any_encoding(gateway, model, surface, stream) -> None:
    host, path, base, positions = SURFACES[surface]
    leaks, sent = [], 0
    for position, place in positions.items():
        for encoding, encode in ENCODINGS.items():
            body = {**base, "messages": [{"role": "user", "content": "Hello"}], "stream": stream, **place(encode(SECRET))}
            answer = gateway.request("POST", path, body, host=host, keep=True)
            assert answer.status == 200, (position, encoding, answer.raw)
            sent += 1
            raw = model.seen[-1].raw.decode()
            decoded = json.dumps(json.loads(raw), ensure_ascii=False)
            views = [raw, decoded, *_base64_views(decoded)]
            leaks += [(position, encoding, gone) for gone in GONE for view in views if gone in view]
    assert len(model.seen) == sent == len(positions) * len(ENCODINGS)
    assert leaks == []


def _base64_views(text: str) -> list[str]:
    import re

    found = []
    for token in re.findall(r"[A-Za-z0-9+/]{24,}={0,2}", text):
        try:
            found.append(base64.b64decode(token + "=" * (-len(token) % 4)).decode())
        except ValueError:
            continue
    return found


def test_the_matrix_can_fail_a_field_that_is_no_rules_reaches_the_model_host(gateway, model) -> None:
    """The positive control of the matrix: the same text under an ordinary field passes."""
    gateway.chat(json.dumps({"Status__c": SECRET}))
    assert SECRET in model.seen[-1].raw.decode()


@pytest.mark.parametrize("chunk", [0, 1, 3, 1000])
@pytest.mark.parametrize("surface", SURFACES)
def test_placeholders_come_back_as_the_callers_own_values_whatever_the_chunk_borders(gateway, model, surface, chunk) -> None:
    host, path, base, _ = SURFACES[surface]
    model.chunk = chunk
    model.say = lambda body: "I wrote to " + body["messages"][0]["content"].split()[-1] + " as asked."
    model.arguments = None
    for stream in (False, True):
        body = {**base, "messages": [{"role": "user", "content": f"Write to {PERSON}"}], "stream": stream}
        answer = gateway.request("POST", path, body, host=host)
        assert PERSON not in model.seen[-1].raw.decode()
        assert _text(answer, stream) == f"I wrote to {PERSON} as asked."


@pytest.mark.parametrize("surface", SURFACES)
def test_placeholders_in_tool_arguments_come_back_as_valid_json(gateway, model, surface) -> None:
    host, path, base, _ = SURFACES[surface]
    gateway.request("POST", path, {**base, "messages": [{"role": "user", "content": PERSON}]}, host=host)
    token = model.seen[-1].body["messages"][0]["content"]
    model.arguments, model.chunk = json.dumps({"to": token, "n": 1}), 2
    for stream in (False, True):
        answer = gateway.request("POST", path, {**base, "messages": [{"role": "user", "content": PERSON}], "stream": stream}, host=host)
        if not stream:
            message = answer.body["choices"][0]["message"] if surface == "openai" else None
            found = message["tool_calls"][0]["function"]["arguments"] if message else json.dumps(answer.body["content"][1]["input"])
        else:
            found = _arguments(answer)
        assert json.loads(found) == {"to": PERSON, "n": 1}


@pytest.mark.parametrize("chunk", [1, 4, 1000])
@pytest.mark.parametrize("surface", SURFACES)
def test_personal_data_the_model_makes_up_is_taken_out_unary_and_streamed(gateway, model, surface, chunk) -> None:
    host, path, base, _ = SURFACES[surface]
    model.chunk = chunk
    model.say = lambda body: "Pay to DE89 3704 0044 0532 0130 00 or mail bob@example.org today."
    for stream in (False, True):
        answer = gateway.request("POST", path, {**base, "messages": [{"role": "user", "content": "x"}], "stream": stream}, host=host)
        assert _text(answer, stream) == "Pay to [IBAN_REMOVED] or mail [EMAIL_REMOVED] today."


def _events(answer) -> list[dict]:
    lines = answer.raw.decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


def _text(answer, stream: bool) -> str:
    if not stream:
        body = answer.body
        return body["choices"][0]["message"]["content"] if "choices" in body else body["content"][0]["text"]
    parts = []
    for event in _events(answer):
        if "choices" in event:
            parts.append(event["choices"][0]["delta"].get("content") or "")
        elif event["type"] == "content_block_delta":
            parts.append(event["delta"].get("text", ""))
    return "".join(parts)


def _arguments(answer) -> str:
    parts = []
    for event in _events(answer):
        if "choices" in event:
            calls = event["choices"][0]["delta"].get("tool_calls") or ()
            parts.extend(call["function"].get("arguments") or "" for call in calls)
        elif event["type"] == "content_block_delta":
            parts.append(event["delta"].get("partial_json", ""))
    return "".join(parts)
