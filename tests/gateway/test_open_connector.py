"""Salesforce's LLM Open Connector: if these fail, a model registered in an org gets no answer, or an unchecked one."""

from __future__ import annotations

from typing import Any

import pytest

PATH = "/chat/completions"
QUESTION = [{"role": "user", "content": "Hello"}]
BASE: dict[str, Any] = {"model": "gpt-4o", "messages": QUESTION}


@pytest.fixture
def gateway(shared: Any) -> Any:
    """No test here changes anything at a gateway: one serves them all."""
    return shared[0]


@pytest.fixture
def model(shared: Any) -> Any:
    return shared[1]


def ask(gateway: Any, body: Any, **more: Any) -> Any:
    """As the connector calls: the gateway's own name, and the key in ``api-key``."""
    return gateway.request("POST", PATH, body, host="localhost", headers={"Authorization": "", "api-key": gateway.key}, **more)


def test_the_answer_has_every_field_that_the_published_document_requires(gateway: Any) -> None:
    answer = ask(gateway, {**BASE, "n": 1, "temperature": 0.2, "max_tokens": None})
    assert answer.status == 200, answer.raw
    assert {"id", "choices", "created", "model", "object"} <= answer.body.keys()
    assert answer.body["object"] == "chat.completion"
    (choice,) = answer.body["choices"]
    assert (choice["message"]["role"], choice["message"]["content"]) == ("assistant", "The local model answers.")
    assert choice["finish_reason"] in ("stop", "length", "tool_calls", "content_filter", "function_call")


def test_the_providers_parameters_are_passed_on_as_far_as_they_are_known_and_never_replace_the_connectors_own(
    gateway: Any, model: Any
) -> None:
    parameters = {"top_p": 0.5, "temperature": 2, "cache_salt": "another's", "chat_template": "{{ x }}", "some_new": [1]}
    assert ask(gateway, {**BASE, "temperature": 0.1, "parameters": parameters}).status == 200
    sent = model.seen[-1].body
    assert (sent["top_p"], sent["temperature"]) == (0.5, 0.1)
    assert sent["cache_salt"] != "another's"
    assert not {"parameters", "chat_template", "some_new"} & sent.keys()


@pytest.mark.parametrize("tokens", [0, -1])
def test_a_bound_on_tokens_that_no_model_server_knows_is_none(tokens: int, gateway: Any, model: Any) -> None:
    assert ask(gateway, {**BASE, "max_tokens": tokens}).status == 200
    assert "max_tokens" not in model.seen[-1].body


def test_sensitive_fields_do_not_reach_the_model_by_message_or_by_parameter(gateway: Any, model: Any) -> None:
    secret = '{"legal_case_strategy__c": "settle at 40"}'
    body = {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": secret, "name": "a"}],
        "parameters": {"stop": [secret], "x": secret},
    }
    assert ask(gateway, body).status == 200
    assert b"settle at 40" not in model.seen[-1].raw


BROKEN: dict[str, Any] = {
    "no messages": {"model": "gpt-4o"},
    "empty messages": {**BASE, "messages": []},
    "a role of another dialect": {**BASE, "messages": [{"role": "tool", "content": "x"}]},
    "content that is a list": {**BASE, "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]},
    "no content": {**BASE, "messages": [{"role": "user"}]},
    "a name that is a number": {**BASE, "messages": [{"role": "user", "content": "x", "name": 1}]},
    "a message that is text": {**BASE, "messages": ["x"]},
    "no model": {"messages": QUESTION},
    "a model that is a number": {**BASE, "model": 1},
    "no choices": {**BASE, "n": 0},
    "too many choices": {**BASE, "n": 129},
    "choices that are true": {**BASE, "n": True},
    "too hot": {**BASE, "temperature": 2.1},
    "a temperature that is text": {**BASE, "temperature": "hot"},
    "tokens that are text": {**BASE, "max_tokens": "9"},
    "a name that is nothing": {**BASE, "messages": [{"role": "user", "content": "x", "name": None}]},
    "parameters that are nothing": {**BASE, "parameters": None},
    "parameters that are a list": {**BASE, "parameters": [1]},
    "parameters that break a rule": {**BASE, "parameters": {"n": 1000}},
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_the_published_document_forbids_is_refused_and_not_forwarded(name: str, gateway: Any, model: Any) -> None:
    answer = ask(gateway, BROKEN[name])
    assert answer.status == 400, answer.raw
    assert {"type", "message", "param", "code"} <= answer.body["error"].keys()
    assert answer.reason == "curtilage.body_malformed"
    assert not model.seen


def test_a_refusal_names_its_call_as_an_answer_does(gateway: Any) -> None:
    answer = ask(gateway, {**BASE, "model": "no-such-model"})
    assert answer.status == 403
    assert answer.headers["x-curtilage-call"] == answer.body["error"]["call"]


def test_other_methods_and_other_names_of_the_path_stay_closed(gateway: Any, model: Any) -> None:
    for method, path, host in (("GET", PATH, "localhost"), ("POST", PATH + "/", "localhost"), ("POST", PATH, "api.openai.com")):
        answer = gateway.request(method, path, BASE if method == "POST" else None, host=host)
        assert (answer.status, answer.reason) == (403, "curtilage.route_unknown")
    assert not model.seen
