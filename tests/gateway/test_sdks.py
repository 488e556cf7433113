"""The vendors' own SDKs, unmodified, with nothing changed but what the names resolve to and the CA: the product's promise to CRM code."""

from __future__ import annotations

import anthropic
import openai
import pytest


@pytest.fixture
def sdk_openai(gateway, vendors_resolve_to):
    vendors_resolve_to(gateway)
    with openai.OpenAI(api_key=gateway.key, timeout=20, max_retries=0) as client:
        yield client


@pytest.fixture
def sdk_anthropic(gateway, vendors_resolve_to):
    vendors_resolve_to(gateway)
    with anthropic.Anthropic(api_key=gateway.key, timeout=20, max_retries=0) as client:
        yield client


QUESTION = [{"role": "user", "content": "Hello"}]


def test_the_openai_sdk_gets_a_unary_answer_from_the_local_model(sdk_openai, model) -> None:
    answer = sdk_openai.chat.completions.create(model="gpt-4o", messages=QUESTION)
    assert answer.choices[0].message.content == "The local model answers."
    assert model.seen[0].body["model"] == "lab-mistral"


def test_the_openai_sdk_gets_a_streamed_answer(sdk_openai) -> None:
    chunks = list(sdk_openai.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "The local model answers."
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_the_openai_sdk_lists_the_mapped_models(sdk_openai) -> None:
    assert "gpt-4o" in [entry.id for entry in sdk_openai.models.list()]


def test_the_anthropic_sdk_gets_a_unary_answer(sdk_anthropic, model) -> None:
    answer = sdk_anthropic.messages.create(model="claude-opus-4-1", max_tokens=16, messages=QUESTION)
    assert answer.content[0].text == "The local model answers."
    assert model.seen[0].path == "/v1/messages"


def test_the_anthropic_sdk_gets_a_streamed_answer(sdk_anthropic) -> None:
    with sdk_anthropic.messages.stream(model="claude-opus-4-1", max_tokens=16, messages=QUESTION) as stream:
        assert "".join(stream.text_stream) == "The local model answers."
        assert stream.get_final_message().stop_reason == "end_turn"


def test_the_anthropic_sdk_lists_the_mapped_models(sdk_anthropic) -> None:
    assert "claude-opus-4-1" in [entry.id for entry in sdk_anthropic.models.list()]


@pytest.mark.parametrize("slot", ["authorization", "x-api-key", "api-key"])
def test_the_key_is_taken_from_any_vendors_slot(gateway, slot) -> None:
    """Both generations of the Anthropic SDK: 0.x sends x-api-key, 2.x a bearer token."""
    value = f"Bearer {gateway.key}" if slot == "authorization" else gateway.key
    body = {"model": "claude-opus-4-1", "max_tokens": 5, "messages": QUESTION}
    for version in ("2023-06-01", "2026-10-21"):
        headers = {"Authorization": "", slot: value, "anthropic-version": version}
        assert gateway.request("POST", "/v1/messages", body, host="api.anthropic.com", headers=headers).status == 200


def test_the_sdks_raise_their_own_error_for_a_refusal(sdk_openai, sdk_anthropic) -> None:
    with pytest.raises(openai.PermissionDeniedError) as refused:
        sdk_openai.chat.completions.create(model="no-such-model", messages=QUESTION)
    assert refused.value.code == "curtilage.model_unmapped"
    assert "gpt-4o" in str(refused.value)
    with pytest.raises(anthropic.PermissionDeniedError) as denied:
        sdk_anthropic.messages.create(model="no-such-model", max_tokens=5, messages=QUESTION)
    assert denied.value.body["error"]["code"] == "curtilage.model_unmapped"


def test_without_our_ca_every_call_fails(gateway, vendors_resolve_to, monkeypatch) -> None:
    vendors_resolve_to(gateway)
    monkeypatch.delenv("SSL_CERT_FILE")
    with openai.OpenAI(api_key=gateway.key, timeout=5, max_retries=0) as client, pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(model="gpt-4o", messages=QUESTION)


def test_no_vendor_credential_or_header_reaches_the_model_host(sdk_openai, model, gateway) -> None:
    sdk_openai.chat.completions.create(model="gpt-4o", messages=QUESTION, extra_headers={"X-Custom-Secret": "s3cret"})
    headers = {name.lower(): value for name, value in model.seen[0].headers.items()}
    assert set(headers) <= {"host", "content-type", "content-length", "user-agent", "accept-encoding", "accept"}
    assert gateway.key not in repr(headers)


def test_every_call_has_one_intent_and_one_outcome_and_no_text(sdk_openai, sdk_anthropic, gateway) -> None:
    secret = [{"role": "user", "content": "the zebra clause"}]
    sdk_openai.chat.completions.create(model="gpt-4o", messages=secret)
    list(sdk_openai.chat.completions.create(model="gpt-4o", messages=secret, stream=True))
    sdk_anthropic.messages.create(model="claude-opus-4-1", max_tokens=5, messages=secret)
    gateway.stop()
    records = gateway.records()
    intents = [record for record in records if record["kind"] == "intent"]
    outcomes = [record for record in records if record["kind"] == "outcome"]
    assert len(intents) == len(outcomes) == 3
    assert {record["data"]["result"] for record in outcomes} == {"completed"}
    assert all(record["data"]["identity"] == "service-1" and record["data"]["matter"] == "matter-1" for record in intents)
    assert "zebra" not in repr(records)
    assert gateway.key not in repr(records)
    assert "zebra" not in gateway.log()
