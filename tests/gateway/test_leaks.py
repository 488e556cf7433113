"""Position x surface x stream x encoding: asserted at the model host, because that is where a leak would be."""

from __future__ import annotations

import json
import re

import pytest

from tests.gateway.conftest import CHECKOUT
from tests.gateway.positions import ENCODINGS, PERSON, SECRET, SURFACES, leaks_in
from tests.gateway.streams import documents_in, said_in

CASES = [(name, stream) for name, surface in SURFACES.items() for stream in (False, True) if surface.stream or not stream]
STREAMED = [name for name, surface in SURFACES.items() if surface.stream]


@pytest.mark.parametrize(("name", "stream"), CASES)
def test_nothing_stripped_reaches_the_model_host_from_any_position_in_any_encoding(shared, name, stream) -> None:
    gateway, model = shared
    surface = SURFACES[name]
    path = surface.stream if stream else surface.path
    leaks = []
    for position, place in surface.positions.items():
        for encoding, encode in ENCODINGS.items():
            answer = gateway.request("POST", path, surface.body(place(encode(SECRET)), stream=stream), host=surface.host, keep=True)
            assert answer.status == 200, (position, encoding, answer.raw)
            leaks += [(position, encoding, gone) for gone in leaks_in(model.seen[-1].raw)]
    assert len(model.seen) == len(surface.positions) * len(ENCODINGS)
    assert leaks == []


@pytest.mark.parametrize("chunk", [1, 5, 1000])
@pytest.mark.parametrize("name", STREAMED)
def test_every_surface_gives_the_caller_its_own_values_back_and_no_placeholder(shared, name, chunk) -> None:
    gateway, model = shared
    surface = SURFACES[name]
    model.chunk = chunk
    model.say = lambda body: f"I wrote to {_token(body)} and to bob@example.org as asked."
    position = next(iter(surface.positions))
    for path, stream in ((surface.path, False), (surface.stream, True)):
        if path.endswith("countTokens"):
            continue
        answer = gateway.request(
            "POST", path, surface.body(surface.positions[position](f"Write to {PERSON}"), stream=stream), host=surface.host
        )
        assert answer.status == 200, answer.raw
        assert PERSON not in model.seen[-1].raw.decode()
        said = said_in(answer.raw, answer.headers["content-type"])
        assert f"I wrote to {PERSON} and to [EMAIL_REMOVED] as asked." in said, said
        assert _token(model.seen[-1].body) not in said


def _token(body) -> str:
    return re.search(r"\[EMAIL_[A-Z2-7]{8}\]", json.dumps(body)).group()


@pytest.mark.parametrize("mode", ["cut", "clean-cut", "mid-garbage"])
@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_that_breaks_ends_in_the_dialects_error_and_in_no_made_up_stop(shared, name, mode) -> None:
    gateway, model = shared
    surface = SURFACES[name]
    model.mode, model.chunk = mode, 3
    place = surface.positions[next(iter(surface.positions))]("Hello")
    answer = gateway.request("POST", surface.stream, surface.body(place, stream=True), host=surface.host)
    documents = documents_in(answer.raw, answer.headers["content-type"])
    assert "curtilage.upstream_" in json.dumps(documents[-1]), documents
    for ending in ("end_turn", "message_stop", "finishReason", "messageStop", "COMPLETE", "response.completed", "[DONE]"):
        assert ending not in json.dumps(documents), documents


def test_the_published_matrix_is_of_these_axes_and_without_a_leak() -> None:
    lines = (CHECKOUT / "docs" / "gateway-leak-matrix.md").read_text().splitlines()
    for name, stream in CASES:
        count = len(SURFACES[name].positions)
        assert f"| {name} | {'stream' if stream else 'unary'} | {count} | {count * len(ENCODINGS)} | 0 |" in lines


def test_the_matrix_can_fail_a_field_that_is_no_rules_reaches_the_model_host(gateway, model) -> None:
    """The positive control of the matrix: the same text under an ordinary field passes."""
    gateway.chat(json.dumps({"Status__c": SECRET}))
    assert SECRET in model.seen[-1].raw.decode()


@pytest.mark.parametrize("chunk", [0, 1, 3, 1000])
@pytest.mark.parametrize("surface", ["openai", "anthropic"])
def test_placeholders_come_back_as_the_callers_own_values_whatever_the_chunk_borders(gateway, model, surface, chunk) -> None:
    host, path, base = SURFACES[surface].host, SURFACES[surface].path, SURFACES[surface].base
    model.chunk = chunk
    model.say = lambda body: "I wrote to " + body["messages"][0]["content"].split()[-1] + " as asked."
    model.arguments = None
    for stream in (False, True):
        body = {**base, "messages": [{"role": "user", "content": f"Write to {PERSON}"}], "stream": stream}
        answer = gateway.request("POST", path, body, host=host)
        assert PERSON not in model.seen[-1].raw.decode()
        assert _text(answer, stream) == f"I wrote to {PERSON} as asked."


@pytest.mark.parametrize("surface", ["openai", "anthropic"])
def test_placeholders_in_tool_arguments_come_back_as_valid_json(gateway, model, surface) -> None:
    host, path, base = SURFACES[surface].host, SURFACES[surface].path, SURFACES[surface].base
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
@pytest.mark.parametrize("surface", ["openai", "anthropic"])
def test_personal_data_the_model_makes_up_is_taken_out_unary_and_streamed(gateway, model, surface, chunk) -> None:
    host, path, base = SURFACES[surface].host, SURFACES[surface].path, SURFACES[surface].base
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
