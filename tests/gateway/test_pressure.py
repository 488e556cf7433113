"""Under pressure: a bounded queue, budgets, and a refusal that each vendor's SDK understands as 'later'."""

from __future__ import annotations

import threading
import time

import anthropic
import openai
import pytest
import yaml

from curtilage.matters.opening import open_directory

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
MESSAGES = {"model": "claude-opus-4-1", "max_tokens": 5, "messages": CHAT["messages"]}


def until(condition) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)


def with_budgets(make_gateway, model, **budgets):
    gateway = make_gateway(model.url, start=False)
    path = gateway.directory / "gateway.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "budgets": budgets}))
    gateway.start()
    return gateway


def test_a_full_queue_refuses_with_a_time_to_come_again_and_a_place_that_frees_is_taken(make_gateway, model) -> None:
    gateway = make_gateway(model.url, limits={"outstanding_per_upstream": 1, "queue": 1, "queue_seconds": 60})
    model.pace_seconds = 2.0
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(gateway.chat(stream=True))) for _ in range(2)]
    threads[0].start()
    until(lambda: model.open_streams == 1)
    threads[1].start()
    time.sleep(2.0)  # one runs, one waits
    refused = gateway.chat()
    assert (refused.status, refused.reason) == (429, "curtilage.busy")
    assert int(refused.headers["retry-after"]) >= 1
    assert "x-should-retry" not in refused.headers
    model.pace_seconds = 0.0
    for thread in threads:
        thread.join(30)
    assert [answer.status for answer in answers] == [200, 200]
    assert len(model.seen) == 2
    assert gateway.chat().status == 200


def test_a_caller_that_waits_too_long_or_goes_away_leaves_no_place_taken(make_gateway, model) -> None:
    gateway = make_gateway(model.url, limits={"outstanding_per_upstream": 1, "queue": 4, "queue_seconds": 0.5})
    model.pace_seconds = 2.0
    first = threading.Thread(target=lambda: gateway.chat("one", stream=True))
    first.start()
    until(lambda: model.open_streams == 1)
    connection = gateway.connect()
    connection.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n"
        + f"Authorization: Bearer {gateway.key}\r\nContent-Length: 67\r\n\r\n".encode()
        + b'{"model":"gpt-4o","messages":[{"role":"user","content":"Hello  "}]}'
    )
    time.sleep(0.1)
    connection.close()
    assert gateway.chat().reason == "curtilage.busy"
    model.pace_seconds = 0.0
    first.join(30)
    assert gateway.chat().status == 200
    gateway.stop()
    refused = [record["data"]["reason"] for record in gateway.records() if record["kind"] == "refused"]
    assert sorted(refused) == ["client_disconnected", "curtilage.busy"]


def test_a_budget_of_calls_is_told_in_each_vendors_headers_and_to_each_vendors_sdk(make_gateway, model, vendors_resolve_to) -> None:
    gateway = with_budgets(make_gateway, model, identity={"calls_per_minute": 2})
    assert [gateway.chat().status for _ in range(2)] == [200, 200]
    refused = gateway.chat()
    assert (refused.status, refused.reason) == (429, "curtilage.budget_exhausted")
    assert refused.headers["x-ratelimit-limit-requests"] == "2"
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    answer = gateway.request("POST", "/v1/messages", MESSAGES, host="api.anthropic.com")
    assert (answer.status, answer.body["error"]["type"]) == (429, "rate_limit_error")
    assert answer.headers["anthropic-ratelimit-requests-limit"] == "2"
    assert answer.headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    vendors_resolve_to(gateway)
    with pytest.raises(openai.RateLimitError):
        openai.OpenAI(api_key=gateway.key, max_retries=0).chat.completions.create(**CHAT)
    with pytest.raises(anthropic.RateLimitError):
        anthropic.Anthropic(api_key=gateway.key, max_retries=0).messages.create(**MESSAGES)
    assert len(model.seen) == 2
    gateway.stop()
    assert len([record for record in gateway.records() if record["kind"] == "refused"]) == 4


def test_a_matters_budget_counts_what_came_back_and_leaves_other_matters_alone(make_gateway, model) -> None:
    gateway = with_budgets(make_gateway, model, matter={"kilobytes_per_minute": 4})
    directory = open_directory(gateway.directory / "matters.db")
    directory.add_matter("matter-2", jurisdiction="DE")
    directory.add_member("service-1", "matter-2")
    model.say = lambda body: "word " * 2000

    def ask(matter: str):
        return gateway.request("POST", "/v1/chat/completions", CHAT, headers={"X-Curtilage-Matter": matter})

    assert ask("matter-1").status == 200
    assert ask("matter-1").reason == "curtilage.budget_exhausted"
    assert ask("matter-2").status == 200
