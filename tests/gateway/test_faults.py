"""Faults: the model host, the disk, the client and the gateway itself, each dying at the worst moment."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import subprocess
import sys
import threading
import time

import anthropic
import openai
import pytest

from curtilage.gateway.config import load_config
from curtilage.gateway.server import signer_of

QUESTION = [{"role": "user", "content": "Hello"}]
OPENAI = ("api.openai.com", "/v1/chat/completions", {"model": "gpt-4o", "messages": QUESTION})
ANTHROPIC = ("api.anthropic.com", "/v1/messages", {"model": "claude-opus-4-1", "max_tokens": 5, "messages": QUESTION})
FAST = {"first_byte_seconds": 1.0, "between_chunks_seconds": 1.0, "connect_seconds": 1.0, "drain_seconds": 2}


def ask(gateway, surface, **more):
    host, path, body = surface
    return gateway.request("POST", path, {**body, **more}, host=host)


def outcomes(gateway):
    gateway.stop()
    records = gateway.records()
    intents = [record["index"] for record in records if record["kind"] == "intent"]
    closed = [record["intent"] for record in records if record["kind"] == "outcome"]
    assert sorted(intents) == sorted(closed), "one outcome per intent"
    return [record["data"] for record in records if record["kind"] == "outcome"]


@pytest.mark.parametrize("surface", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
@pytest.mark.parametrize(
    ("mode", "status", "reason"),
    [
        ("hang", 504, "upstream_timeout"), ("500", 502, "upstream_garbage"), ("garbage", 502, "upstream_garbage"),
        ("drop", 503, "upstream_unavailable"), ("400", 400, "upstream_rejected"),
    ],
)  # fmt: skip
def test_an_ill_model_host_is_told_in_dialect_and_recorded(make_gateway, model, surface, mode, status, reason) -> None:
    gateway = make_gateway(model.url, limits=FAST)
    model.mode = mode
    for stream in (False, True):
        answer = ask(gateway, surface, stream=stream)
        assert (answer.status, answer.reason) == (status, f"curtilage.{reason}")
        assert "stack trace" not in answer.raw.decode()
    assert [(found["result"], found["reason"]) for found in outcomes(gateway)] == [("failed", f"curtilage.{reason}")] * 2


def test_a_dead_model_host_is_skipped_while_another_lives(make_gateway, model) -> None:
    gateway = make_gateway("http://127.0.0.1:9", model.url, limits=FAST)
    assert [ask(gateway, OPENAI).status for _ in range(6)] == [200] * 6
    gateway.stop()
    model.stop()
    gateway.start()
    answer = ask(gateway, OPENAI)
    assert (answer.status, answer.reason) == (503, "curtilage.upstream_unavailable")
    model.start()


@pytest.mark.parametrize(
    ("mode", "reason"), [("cut", "truncated"), ("clean-cut", "truncated"), ("mid-garbage", "garbage"), ("stall", "timeout")]
)
def test_a_stream_that_breaks_ends_in_an_error_and_never_in_a_made_up_stop(make_gateway, model, mode, reason, vendors_resolve_to) -> None:
    gateway = make_gateway(model.url, limits=FAST)
    model.mode = mode
    model.say = lambda body: "one two three four five six seven"
    for surface in (OPENAI, ANTHROPIC):
        answer = ask(gateway, surface, stream=True)
        text = answer.raw.decode()
        assert f"curtilage.upstream_{reason}" in text
        assert "[DONE]" not in text
        assert "message_stop" not in text
        assert '"finish_reason":"stop"' not in text
    vendors_resolve_to(gateway)
    with openai.OpenAI(api_key=gateway.key, max_retries=0) as client, pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="gpt-4o", messages=QUESTION, stream=True))
    with anthropic.Anthropic(api_key=gateway.key, max_retries=0) as other, pytest.raises(anthropic.APIError):
        list(other.messages.create(model="claude-opus-4-1", max_tokens=5, messages=QUESTION, stream=True))
    assert {(found["result"], found["reason"]) for found in outcomes(gateway)} == {("failed", f"curtilage.upstream_{reason}")}


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_frees_the_model_and_is_recorded(make_gateway, model, stream) -> None:
    gateway = make_gateway(model.url)
    if stream:
        model.pace_seconds = 0.05
        model.say = lambda body: "word " * 400
    else:
        model.mode = "hang"
    connection = gateway.connect()
    body = json.dumps({**OPENAI[2], "stream": stream}).encode()
    connection.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n"
        + f"Authorization: Bearer {gateway.key}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    _until(lambda: model.seen)
    time.sleep(0.2)
    connection.close()
    if stream:
        _until(lambda: model.open_streams == 0)
    time.sleep(0.3)
    assert [found["result"] for found in outcomes(gateway)] == ["disconnected"]


def _until(true, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _hold_streams(gateway, count: int) -> list[threading.Thread]:
    def hold() -> None:
        try:
            ask(gateway, OPENAI, stream=True)
        except (OSError, http.client.HTTPException):
            return  # the gateway was killed: that is the test

    threads = [threading.Thread(target=hold, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_kill_nine_amid_a_hundred_streams_leaves_one_intent_each_closed_as_interrupted_on_restart(gateway, model) -> None:
    model.pace_seconds = 0.1
    model.say = lambda body: "word " * 600
    threads = _hold_streams(gateway, 100)
    _until(lambda: model.open_streams == 100, 60)
    accepted = len(model.seen)
    gateway.stop(signal.SIGKILL)
    for thread in threads:
        thread.join(20)
    before = gateway.records()
    assert sum(record["kind"] == "intent" for record in before) == accepted == 100
    assert sum(record["kind"] == "outcome" for record in before) == 0
    model.pace_seconds, model.say = 0.0, lambda body: "back"
    gateway.start()
    assert ask(gateway, OPENAI).status == 200
    found = outcomes(gateway)
    assert sorted(outcome["result"] for outcome in found) == ["completed"] + ["interrupted"] * 100
    public = gateway.directory / "ledger.pub"
    verify = subprocess.run(
        [sys.executable, "-m", "curtilage.cli", "audit", "verify", str(gateway.directory / "ledger"), "--key", str(public)],
        capture_output=True, check=False,
    )  # fmt: skip
    assert verify.returncode == 0, verify.stderr


def test_sigterm_lets_streams_end_and_refuses_new_connections(make_gateway, model) -> None:
    gateway = make_gateway(model.url, limits={"drain_seconds": 20})
    model.pace_seconds = 0.05
    model.say = lambda body: "word " * 30
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask(gateway, OPENAI, stream=True))) for _ in range(5)]
    for thread in threads:
        thread.start()
    _until(lambda: model.open_streams == 5)
    gateway.stop()
    for thread in threads:
        thread.join(20)
    assert len(answers) == 5
    assert all(b"[DONE]" in answer.raw for answer in answers)
    assert [found["result"] for found in outcomes(gateway)] == ["completed"] * 5


def test_a_full_disk_under_the_ledger_refuses_every_call_and_forwards_none(make_gateway, model) -> None:
    """A file-size limit stands in for the full disk: appends fail the same way (and Python ignores SIGXFSZ)."""
    if shutil.which("prlimit") is None:
        pytest.skip("NOT-RUN: prlimit(1) is not installed")
    gateway = make_gateway(model.url)
    assert ask(gateway, OPENAI).status == 200
    seen = len(model.seen)
    subprocess.run(["prlimit", f"--pid={gateway.process.pid}", "--fsize=1:1"], check=True)
    answer = ask(gateway, OPENAI)
    assert (answer.status, answer.reason) == (403, "curtilage.ledger_unavailable")
    streamed = ask(gateway, ANTHROPIC, stream=True)
    assert (streamed.status, streamed.reason) == (403, "curtilage.ledger_unavailable")
    assert len(model.seen) == seen


def test_the_ledger_that_the_gateway_writes_is_signed_by_the_key_it_was_given(gateway) -> None:
    ask(gateway, OPENAI)
    gateway.stop()
    signer = signer_of(load_config(gateway.directory / "gateway.yaml"))
    assert str(signer.verifier) == (gateway.directory / "ledger.pub").read_text().strip()
