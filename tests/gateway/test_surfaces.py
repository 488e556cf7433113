"""What every dialect refuses, in its own words; what goes to the model from each; and what comes back."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from tests.gateway.positions import QUESTION, SURFACES
from tests.gateway.streams import documents_in
from tests.gateway.vllm_shapes import VECTOR

BEDROCK = "bedrock-runtime.us-east-1.amazonaws.com"
VERTEX = "europe-west1-aiplatform.googleapis.com"
GEMINI = "generativelanguage.googleapis.com"
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"
CONVERSE = "/model/anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse"
CLOSED = [
    ("api.openai.com", "POST", "/v1/files"), ("api.openai.com", "GET", "/v1/responses/resp_1"),
    ("api.openai.com", "POST", "/v1/fine_tuning/jobs"),
    ("api.openai.com", "GET", "/v1/realtime"), ("res.openai.azure.com", "POST", "/openai/deployments/gpt-4o/images/generations"),
    ("res.openai.azure.com", "GET", "/openai/realtime"), ("res.services.ai.azure.com", "POST", "/anthropic/v1/messages/batches"),
    ("api.anthropic.com", "POST", "/v1/messages/batches"), ("api.anthropic.com", "POST", "/v1/files"),
    (GEMINI, "POST", "/upload/v1beta/files"), (GEMINI, "POST", "/v1beta/models/gemini-2.5-flash:predictLongRunning"),
    (GEMINI, "POST", "/v1beta/cachedContents"), (VERTEX, "POST", "/v1/projects/p/locations/l/batchPredictionJobs"),
    (VERTEX, "POST", "/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-flash:fetchPredictOperation"),
    (BEDROCK, "POST", "/async-invoke"), (BEDROCK, "POST", "/guardrail/g/version/1/apply"), (BEDROCK, "POST", "/model/a/b/converse"),
    (BEDROCK, "POST", "/model/a%5Cb/converse"), (BEDROCK, "POST", "/model/..%2Fx/../converse"),
    ("api.cohere.com", "POST", "/v1/datasets"), ("api.cohere.com", "POST", "/v1/generate"), ("api.cohere.com", "POST", "/v1/finetuning/x"),
    ("api.mistral.ai", "POST", "/v1/files"), ("api.mistral.ai", "POST", "/telemetry/v1/traces"), ("api.mistral.ai", "POST", "/v1/agents"),
    ("api.salesforce.com", "POST", "/einstein/platform/v1/feedback"), ("api.salesforce.com", "POST", "/services/data/v60.0/sobjects"),
]  # fmt: skip


def envelope(host: str, path: str, body: dict[str, Any]) -> bool:
    """Whether an error is in the dialect of a name."""
    if path.startswith("/anthropic/") or host == "api.anthropic.com":
        return body["type"] == "error" and body["error"]["type"] == "permission_error"
    if host in (GEMINI, VERTEX):
        return body["error"]["code"] == 403 and body["error"]["status"] == "PERMISSION_DENIED"
    if host == BEDROCK or host == "api.cohere.com":
        return isinstance(body["message"], str)
    if host == "api.mistral.ai":
        return body["object"] == "error" and isinstance(body["message"], str)
    if host == "api.salesforce.com":
        return body["errorCode"] == "FORBIDDEN"
    return isinstance(body["error"]["message"], str)


def test_everything_else_on_those_names_is_refused_in_the_dialect(shared) -> None:
    gateway, model = shared
    for host, method, path in CLOSED:
        answer = gateway.request(method, path, {"model": "gpt-4o"} if method == "POST" else None, host=host)
        assert (answer.status, answer.reason) == (403, "curtilage.route_unknown"), (host, path, answer.raw)
        assert envelope(host, path, answer.body), (host, path, answer.raw)
        assert ("x-amzn-errortype" in answer.headers) == (host == BEDROCK)
    assert not model.seen


def test_a_websocket_is_refused_as_any_unknown_path(shared) -> None:
    gateway, model = shared
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x" * 22 + "==", "Sec-WebSocket-Version": "13"}
    answer = gateway.request("GET", "/v1/realtime?model=gpt-4o", headers=upgrade)
    assert (answer.status, answer.reason) == (403, "curtilage.route_unknown")
    assert not model.seen


@pytest.mark.parametrize("name", SURFACES)
def test_an_unmapped_model_is_refused_with_the_list_in_every_dialect(shared, name: str) -> None:
    gateway, model = shared
    surface = SURFACES[name]
    place = surface.positions[next(iter(surface.positions))]("Hello")
    known = ("gpt-4o", "text-embedding-3-small", "claude-opus-4-1", "gemini-2.5-flash", "gemini-embedding-001", "text-embedding-005")
    path = surface.path
    for word in (*known, "claude-sonnet-4-5@20250929", "claude-3-5-sonnet-20240620", "sfdc_ai__DefaultGPT4Omni"):
        path = path.replace(word, "no-such-model")
    body = surface.body(place, stream=False) | ({"model": "no-such-model"} if "model" in surface.base else {})
    answer = gateway.request("POST", path, body, host=surface.host)
    assert (answer.status, answer.reason) == (403, "curtilage.model_unmapped"), answer.raw
    assert "ask for one of" in answer.raw.decode()
    assert not model.seen


def test_a_model_is_asked_for_its_own_task_alone(shared) -> None:
    gateway, model = shared
    embed = gateway.request("POST", "/v1/embeddings", {"model": "gpt-4o", "input": "a"})
    chat = gateway.request("POST", "/v1/chat/completions", {"model": "text-embedding-3-small", **QUESTION})
    for answer in (embed, chat):
        assert (answer.status, answer.reason) == (403, "curtilage.model_unmapped")
    assert "not one to embed" in embed.raw.decode()
    assert not model.seen


REFUSED = [
    ("api.openai.com", "/v1/responses", {"model": "gpt-4o", "input": "a", "previous_response_id": "resp_1"}, "feature_refused"),
    ("api.openai.com", "/v1/responses", {"model": "gpt-4o", "input": "a", "tools": [{"type": "web_search"}]}, "feature_refused"),
    ("api.openai.com", "/v1/responses", {"model": "gpt-4o", "input": [{"type": "item_reference", "id": "x"}]}, "feature_refused"),
    (
        "api.openai.com", "/v1/responses",
        {"model": "gpt-4o", "input": [{"role": "user", "content": [{"type": "input_image", "image_url": "http://192.0.2.9"}]}]},
        "attachment_refused",
    ),
    ("api.openai.com", "/v1/embeddings", {"model": "text-embedding-3-small", "input": [[1, 2]]}, "encoding_refused"),
    ("api.openai.com", "/v1/completions", {"model": "gpt-4o", "prompt": [1, 2, 3]}, "encoding_refused"),
    (GEMINI, GENERATE, {"contents": [{"parts": [{"inlineData": {"data": "aa"}}]}]}, "attachment_refused"),
    (GEMINI, GENERATE, {"contents": [], "tools": [{"googleSearch": {}}]}, "feature_refused"),
    (GEMINI, GENERATE, {"contents": [], "cachedContent": "c"}, "feature_refused"),
    (BEDROCK, CONVERSE, {"messages": [{"role": "user", "content": [{"image": {}}]}]}, "attachment_refused"),
    (BEDROCK, "/model/amazon.nova-lite-v1%3A0/invoke", {"messages": []}, "feature_refused"),
    ("api.cohere.com", "/v1/chat", {"model": "command-r", "message": "a", "connectors": [{"id": "web-search"}]}, "feature_refused"),
    ("api.cohere.com", "/v2/embed", {"model": "embed-v4.0", "images": ["data:"]}, "attachment_refused"),
]  # fmt: skip


@pytest.mark.parametrize(("host", "path", "body", "reason"), REFUSED)
def test_what_would_fetch_store_run_or_cannot_be_read_is_refused(shared, host: str, path: str, body: dict[str, Any], reason: str) -> None:
    gateway, model = shared
    answer = gateway.request("POST", path, body, host=host)
    assert (answer.status, answer.reason) == (403, f"curtilage.{reason}"), answer.raw
    assert not model.seen


@pytest.mark.parametrize("value", ["yes", 1, "true", [True]])
@pytest.mark.parametrize("name", ["openai", "anthropic", "openai completions", "openai responses", "cohere v2", "cohere v1"])
def test_a_stream_asked_for_in_a_way_that_the_model_host_reads_otherwise_is_refused(shared, name: str, value: Any) -> None:
    gateway, model = shared
    surface = SURFACES[name]
    answer = gateway.request("POST", surface.path, {**surface.base, "stream": value}, host=surface.host, keep=True)
    assert (answer.status, "curtilage.body_malformed" in answer.raw.decode()) == (400, True), answer.raw
    assert not model.seen


def test_nothing_is_stored_and_no_matter_shares_a_prefix_cache(shared) -> None:
    gateway, model = shared
    for name, surface in SURFACES.items():
        place = surface.positions[next(iter(surface.positions))]("Hello")
        assert gateway.request("POST", surface.path, surface.body(place, stream=False), host=surface.host).status == 200
        seen = model.seen[-1]
        if seen.path in ("/v1/chat/completions", "/v1/responses"):
            assert seen.body["store"] is False, name
        if seen.path not in ("/tokenize", "/v1/messages/count_tokens"):
            assert seen.body["cache_salt"], name
        assert seen.body["model"] in ("lab-mistral", "lab-embed", "lab-rerank")


def test_the_key_is_taken_from_googles_slots_and_two_keys_are_not(shared) -> None:
    gateway, model = shared
    path, body = "/v1beta/models/gemini-2.5-flash:generateContent", {"contents": [{"parts": [{"text": "a"}]}]}
    none = {"Authorization": ""}
    assert gateway.request("POST", path, body, host=GEMINI, headers={**none, "x-goog-api-key": gateway.key}).status == 200
    assert gateway.request("POST", f"{path}?key={gateway.key}", body, host=GEMINI, headers=none).status == 200
    model.seen.clear()
    wrong = gateway.request("POST", f"{path}?key=other", body, host=GEMINI, headers={**none, "x-goog-api-key": gateway.key})
    twice = gateway.request("POST", f"{path}?key={gateway.key}&key=x", body, host=GEMINI, headers=none)
    assert (wrong.status, twice.status) == (403, 400)
    assert gateway.request("POST", path, body, host=GEMINI, headers=none).reason == "curtilage.identity_unknown"
    assert not model.seen


WITHOUT_TOOLS = [
    ("api.cohere.com", "/v1/chat", {"model": "command-r", "message": "Hello"}, "/v1/chat"),
    (BEDROCK, "/model/meta.llama3-1-8b-instruct-v1%3A0/invoke", {"prompt": "Hello"}, "-with-response-stream"),
    (BEDROCK, "/model/mistral.mistral-large-2407-v1%3A0/invoke", {"prompt": "Hello"}, "-with-response-stream"),
    ("api.salesforce.com", "/einstein/platform/v1/models/sfdc_ai__DefaultGPT4Omni/generations", {"prompt": "Hello"}, ""),
    (
        "api.salesforce.com", "/einstein/platform/v1/models/sfdc_ai__DefaultGPT4Omni/chat-generations",
        {"messages": [{"role": "user", "content": "Hello"}]}, "",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("host", "path", "body", "streamed"), WITHOUT_TOOLS)
def test_a_tool_call_in_a_dialect_without_tools_is_no_answer_and_nothing_of_it_is_left_out_in_silence(
    shared, host: str, path: str, body: dict[str, Any], streamed: str
) -> None:
    gateway, model = shared
    assert gateway.request("POST", path, body, host=host).status == 200, "the positive control: without the tool call it is answered"
    model.arguments = json.dumps({"to": "x", "n": 1})
    answer = gateway.request("POST", path, body, host=host)
    assert (answer.status, answer.reason) == (502, "curtilage.upstream_garbage"), answer.raw
    assert b"local model answers" not in answer.raw
    if not streamed:
        return
    told = gateway.request("POST", path if streamed == path else path + streamed, {**body, "stream": True}, host=host)
    assert told.status == 200
    assert b"curtilage.upstream_garbage" in told.raw
    *before, last = documents_in(told.raw, told.headers["content-type"])
    assert last["finish_reason"] == "ERROR" if host == "api.cohere.com" else "curtilage.upstream_garbage" in last["message"]
    assert "finish_reason" not in str(before), "an end that looks like one comes before the error"
    assert "'stop_reason': '" not in str(before)


def test_tool_calls_go_there_and_back_in_the_translated_dialects(shared) -> None:
    gateway, model = shared
    model.arguments, model.chunk = json.dumps({"to": "x", "n": 1}), 3
    tools = {
        "toolConfig": {"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}], "toolChoice": {"any": {}}}
    }
    asked = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}], **tools}
    answer = gateway.request("POST", CONVERSE, asked, host=BEDROCK)
    assert answer.body["output"]["message"]["content"][1]["toolUse"] == {
        "toolUseId": "call_1",
        "name": "look",
        "input": {"to": "x", "n": 1},
    }
    assert model.seen[-1].body["tool_choice"] == "required"
    streamed = gateway.request("POST", CONVERSE + "-stream", asked, host=BEDROCK)
    events = documents_in(streamed.raw, streamed.headers["content-type"])
    pieces = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    assert json.loads("".join(piece["toolUse"]["input"] for piece in pieces if "toolUse" in piece)) == {"to": "x", "n": 1}
    assert [next(iter(event)) for event in events][-3:] == ["contentBlockStop", "messageStop", "metadata"]
    declared = {"tools": [{"functionDeclarations": [{"name": "look", "parameters": {"type": "OBJECT"}}]}]}
    said = {"contents": [{"parts": [{"text": "a"}]}], **declared}
    answer = gateway.request("POST", "/v1beta/models/gemini-2.5-flash:generateContent", said, host=GEMINI)
    assert answer.body["candidates"][0]["content"]["parts"][1]["functionCall"]["args"] == {"to": "x", "n": 1}
    assert model.seen[-1].body["tools"][0]["function"]["parameters"] == {"type": "object"}


def test_vectors_come_in_the_form_that_was_asked_for(shared) -> None:
    gateway, _ = shared
    packed = gateway.request("POST", "/v1/embeddings", {"model": "text-embedding-3-small", "input": "a", "encoding_format": "base64"})
    assert list(struct.unpack("<8f", base64.b64decode(packed.body["data"][0]["embedding"]))) == VECTOR
    plain = gateway.request("POST", "/v1/embeddings", {"model": "text-embedding-3-small", "input": ["a", "b"]})
    assert [item["embedding"] for item in plain.body["data"]] == [VECTOR, VECTOR]
    asked = {"model": "embed-v4.0", "texts": ["a"], "embedding_types": ["ubinary", "binary", "base64"]}
    found = gateway.request("POST", "/v2/embed", asked, host="api.cohere.com").body["embeddings"]
    assert found["ubinary"] == [[0b10101101]]
    assert found["binary"] == [[0b10101101 - 128]]
    assert list(struct.unpack("<8f", base64.b64decode(found["base64"][0]))) == VECTOR


def test_log_probabilities_are_not_given_since_they_spell_out_what_was_taken_out(shared) -> None:
    gateway, model = shared
    gateway.chat("Hello", logprobs=True, top_logprobs=5)
    assert not {"logprobs", "top_logprobs"} & set(model.seen[-1].body)


def test_the_ledger_names_surface_and_path_of_every_call(gateway, model) -> None:
    for host, path in (("api.cohere.com", "/v1/datasets"), (BEDROCK, "/async-invoke"), (GEMINI, "/v1beta/corpora")):
        gateway.request("POST", path, {}, host=host)
    surface = SURFACES["bedrock converse"]
    gateway.request("POST", surface.stream, surface.base, host=surface.host)
    gateway.stop()
    records = gateway.records()
    assert [record["data"]["surface"] for record in records if record["kind"] == "refused"] == ["cohere", "bedrock", "gemini"]
    intent = next(record["data"] for record in records if record["kind"] == "intent")
    assert (intent["surface"], intent["stream"], intent["model"]) == ("bedrock", True, "lab-mistral")
    assert [record["data"]["result"] for record in records if record["kind"] == "outcome"] == ["completed"]
