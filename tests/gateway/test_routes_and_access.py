"""What the gateway refuses, in which words, and that each refusal is on record."""

from __future__ import annotations

import gzip
import json
import socket

import pytest

from curtilage.matters.model import Confidentiality
from curtilage.matters.opening import open_directory

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}


def received(connection: socket.socket) -> bytes:
    """Everything until the gateway closes."""
    found = b""
    while chunk := connection.recv(65536):
        found += chunk
    return found


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/files"), ("POST", "/v1/images/generations"), ("GET", "/v1/responses/resp_1"), ("GET", "/v1/chat/completions"),
        ("GET", "/"), ("GET", "/v1/realtime"), ("POST", "/v1/batches"), ("POST", "/v1/vector_stores"), ("POST", "/v1/audio/speech"),
        ("POST", "/invocations"),
        ("POST", "/v1/messages"), ("POST", "/v1/chat/completions/"), ("POST", "/v1//chat/completions"),
        ("POST", "/v1/chat%2Fcompletions"),
        ("POST", "/v1/x/../chat/completions"), ("DELETE", "/v1/models"), ("OPTIONS", "/v1/chat/completions"),
        ("POST", "/v1/fine_tuning/jobs"),
    ],
)  # fmt: skip
def test_an_unknown_path_is_refused_in_dialect_and_never_forwarded(shared, method, path) -> None:
    gateway, model = shared
    answer = gateway.request(method, path, CHAT if method == "POST" else None)
    assert (answer.status, answer.reason) == (403, "curtilage.route_unknown")
    assert answer.headers["x-should-retry"] == "false"
    assert model.seen == []


def test_host_and_server_name_must_agree_and_be_served(gateway, model) -> None:
    ask = lambda **more: gateway.request("POST", "/v1/chat/completions", CHAT, **more)  # noqa: E731
    assert ask(host="api.anthropic.com", sni="api.openai.com").reason == "curtilage.host_mismatch"
    assert ask(host="evil.example", sni="api.openai.com").reason == "curtilage.route_unknown"
    assert ask(host="api.openai.com:1", sni="api.openai.com").reason == "curtilage.route_unknown"
    assert ask(host="api.openai.com.", sni="api.openai.com").reason == "curtilage.route_unknown"
    assert ask(host="api.openai.com@evil.example", sni="api.openai.com").reason == "curtilage.route_unknown"
    assert model.seen == []
    assert ask(host="API.OpenAI.com", sni="api.openai.com").status == 200
    assert ask(host=f"api.openai.com:{gateway.port}", sni="api.openai.com").status == 200


def test_a_target_that_is_an_address_is_refused(gateway, model) -> None:
    body = json.dumps(CHAT).encode()
    with gateway.connect() as connection:
        connection.sendall(
            b"POST http://evil.example/v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n"
            + f"Authorization: Bearer {gateway.key}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        assert b"curtilage.route_unknown" in received(connection)
    assert model.seen == []


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Host": "evil.example"}, {"X-Upstream": "http://192.0.2.99"}, {"X-Portkey-Custom-Host": "http://192.0.2.99"},
        {"Forwarded": "host=evil.example"}, {"X-Original-URL": "/invocations"}, {"Proxy": "http://192.0.2.99:1"},
        {"X-HTTP-Method-Override": "GET"},
    ],
)  # fmt: skip
def test_no_header_or_body_field_changes_where_a_call_goes(make_gateway, model, headers) -> None:
    proxied = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:9")
    gateway = make_gateway(model.url, **proxied)
    body = {
        **CHAT,
        "base_url": "http://192.0.2.99",
        "api_base": "http://192.0.2.99",
        "upstream": "http://192.0.2.99",
        "kv_transfer_params": {"host": "x"},
    }
    assert gateway.request("POST", "/v1/chat/completions", body, headers=headers).status == 200
    assert model.seen[-1].path == "/v1/chat/completions"
    assert set(model.seen[-1].body) == {"model", "messages", "store", "cache_salt"}
    assert model.seen[-1].body["store"] is False


def test_a_redirect_from_the_model_host_is_not_followed(gateway, model) -> None:
    model.mode = "redirect"
    answer = gateway.chat()
    assert (answer.status, answer.reason) == (502, "curtilage.upstream_garbage")


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"", b'{"model": "gpt-4o", "model": "gpt-5"}', b'{"a": NaN}', b"{} {}", b'{"a":"\\ud800"}', b"\xff"]
)
def test_a_body_two_parsers_could_read_differently_is_refused(shared, body) -> None:
    gateway, model = shared
    answer = gateway.request("POST", "/v1/chat/completions", body)
    assert (answer.status, answer.reason) == (400, "curtilage.body_malformed")
    assert model.seen == []


def test_depth_size_and_compression_are_bounded(gateway, model) -> None:
    deep = b'{"a":' * 100_000
    assert gateway.request("POST", "/v1/chat/completions", deep).reason == "curtilage.body_malformed"
    nested = b'{"a":' * 80 + b"1" + b"}" * 80
    assert gateway.request("POST", "/v1/chat/completions", nested).reason == "curtilage.body_malformed"
    packed = gzip.compress(json.dumps(CHAT).encode())
    assert (
        gateway.request("POST", "/v1/chat/completions", packed, headers={"Content-Encoding": "gzip"}).reason == "curtilage.encoding_refused"
    )
    with gateway.connect() as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n"
            + f"Authorization: Bearer {gateway.key}\r\nContent-Length: {17 << 20}\r\n\r\n".encode()
        )
        assert b"curtilage.body_too_large" in received(connection)
    assert model.seen == []


def test_a_sixteen_megabyte_prompt_passes(gateway, model) -> None:
    assert gateway.chat("word " * 600_000).status == 200
    assert len(model.seen[-1].raw) > 3_000_000


@pytest.mark.parametrize("key", ["", "sk-wrong", "ct-000000000000-" + "a" * 43, "ct-", "\x00"])
def test_an_unknown_key_is_refused(shared, key) -> None:
    gateway, model = shared
    answer = gateway.request(
        "POST", "/v1/chat/completions", CHAT, headers={"Authorization": f"Bearer {key}" if key else "", "x-api-key": key}
    )
    assert answer.status in (400, 403)
    assert model.seen == []


def test_a_revoked_key_is_dead_at_the_next_call_without_a_restart(gateway, model) -> None:
    assert gateway.chat().status == 200
    directory = open_directory(gateway.directory / "matters.db")
    directory.revoke_key(gateway.key.split("-")[1])
    assert gateway.chat().reason == "curtilage.identity_unknown"
    assert len(model.seen) == 1


def test_a_request_only_selects_among_the_callers_own_matters(gateway, model) -> None:
    directory = open_directory(gateway.directory / "matters.db")
    directory.add_matter("matter-2", jurisdiction="DE")
    ask = lambda **more: gateway.request("POST", "/v1/chat/completions", {**CHAT, **more.pop("body", {})}, **more)  # noqa: E731
    assert ask(headers={"X-Curtilage-Matter": "matter-2"}).reason == "curtilage.matter_denied"
    assert ask(headers={"X-Curtilage-Matter": "no-such-matter"}).reason == "curtilage.matter_denied"
    directory.add_member("service-1", "matter-2")
    assert ask().reason == "curtilage.matter_required"
    assert ask(headers={"X-Curtilage-Matter": "matter-2"}).status == 200
    assert ask(body={"metadata": {"matter": "matter-1"}}).status == 200
    assert ask(body={"metadata": {"matter": ["matter-2"]}}).reason == "curtilage.body_malformed"
    assert ask(body={"user": "matter:matter-2"}).status == 200
    assert ask(body={"user": "matter-1"}).status == 200
    assert ask(headers={"X-Curtilage-Matter": "matter-2"}, body={"metadata": {"matter": "matter-1"}}).reason == "curtilage.matter_denied"
    salts = {seen.body["cache_salt"] for seen in model.seen}
    assert len(salts) == 2, "each matter has a prefix cache of its own"


def test_clearance_walls_residency_and_closed_matters_each_refuse(gateway, model) -> None:
    directory = open_directory(gateway.directory / "matters.db")
    directory.set_identity("service-1", clearance=Confidentiality.INTERNAL)
    assert gateway.chat().reason == "curtilage.clearance_too_low"
    directory.set_identity("service-1", clearance=Confidentiality.PRIVILEGED)
    directory.add_wall("service-1", "matter-1", "acted for the other side")
    assert gateway.chat().reason == "curtilage.ethical_wall"
    directory.remove_wall("service-1", "matter-1")
    directory.add_matter("matter-us", jurisdiction="US", confidentiality=Confidentiality.INTERNAL)
    directory.add_member("service-1", "matter-us")
    headers = {"X-Curtilage-Matter": "matter-us"}
    assert gateway.request("POST", "/v1/chat/completions", CHAT, headers=headers).reason == "curtilage.residency"
    directory.remove_member("service-1", "matter-us")
    directory.set_matter("matter-1", is_open=False)
    assert gateway.chat().reason == "curtilage.matter_denied"
    directory.set_matter("matter-1", is_open=True)
    assert model.seen == []
    assert gateway.chat().status == 200


IMAGE = {"type": "image_url", "image_url": {"url": "http://192.0.2.99/a.png"}}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "curtilage.attachment_refused"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": "x"}}]}]}, "curtilage.attachment_refused"),
        ({"tools": [{"type": "web_search"}]}, "curtilage.feature_refused"),
        ({"tools": [{"type": "mcp", "server_url": "http://192.0.2.99"}]}, "curtilage.feature_refused"),
        ({"web_search_options": {"a": 1}}, "curtilage.feature_refused"),
        ({"modalities": ["audio"]}, "curtilage.feature_refused"),
        ({"model": "gpt-unknown"}, "curtilage.model_unmapped"),
    ],
)
def test_features_that_fetch_or_cannot_be_inspected_are_refused(shared, body, reason) -> None:
    gateway, model = shared
    answer = gateway.request("POST", "/v1/chat/completions", {**CHAT, **body})
    assert (answer.status, answer.reason) == (403, reason)
    assert model.seen == []


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "http://192.0.2.99"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "document", "source": {"type": "base64", "data": "aaaa"}}]}]},
        {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]},
        {"mcp_servers": [{"url": "http://192.0.2.99"}]},
    ],
)
def test_the_anthropic_dialect_refuses_them_too(shared, body) -> None:
    gateway, model = shared
    base = {"model": "claude-opus-4-1", "max_tokens": 5, "messages": CHAT["messages"]}
    answer = gateway.request("POST", "/v1/messages", {**base, **body}, host="api.anthropic.com")
    assert answer.status == 403
    assert answer.body["type"] == "error"
    assert answer.body["error"]["type"] == "permission_error"
    assert model.seen == []


def test_every_refusal_is_on_record_without_text(gateway) -> None:
    gateway.request("POST", "/v1/files?secret=zebra", CHAT)
    gateway.request("POST", "/v1/jane@example.com", CHAT)
    gateway.request("POST", "/v1/chat/completions", CHAT, headers={"Authorization": "Bearer sk-stolen-vendor-key-1234567890"})
    gateway.request("POST", "/v1/chat/completions", CHAT, host="evil.example", sni="api.openai.com")
    gateway.chat("zebra", model="unmapped")
    gateway.stop()
    records = gateway.records()
    assert [record["kind"] for record in records] == ["refused"] * 5
    reasons = [record["data"]["reason"] for record in records]
    assert reasons == [
        f"curtilage.{name}" for name in ("route_unknown", "route_unknown", "identity_unknown", "route_unknown", "model_unmapped")
    ]
    assert not any(word in repr(records) + gateway.log() for word in ("zebra", "sk-stolen", "jane@", gateway.key))


def test_both_legs_send_without_waiting(gateway) -> None:
    """TCP_NODELAY on the accepted socket: without it the kernel would hold back small stream frames for up to 40 ms."""
    with gateway.connect() as connection:
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0, "the client's own leg is not what is asked"
    import asyncio

    import uvloop

    async def accepted() -> int:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        class Probe(asyncio.Protocol):
            def connection_made(self, transport):
                found.set_result(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

        server = await asyncio.get_running_loop().create_server(Probe, "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        result = await found
        writer.close()
        server.close()
        return result

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(accepted()) != 0, "the loop the gateway runs on sets it on every socket it accepts"
