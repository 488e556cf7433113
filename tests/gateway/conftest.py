"""A real gateway process on loopback, made by ``gateway init``, before a mock model host that remembers every byte it saw."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from curtilage import vendors
from curtilage.gateway import setup
from curtilage.gateway.surfaces import Task
from tests.gateway import vllm_shapes
from tests.ports import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
AZURE_NAMES = ("res.openai.azure.com", "res.services.ai.azure.com")


@dataclass
class Seen:
    """One request as the model host saw it."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)


@dataclass
class MockModel:
    """Speaks both dialects as vLLM does; says what ``say`` returns for a request body, word by word."""

    mode: str = "ok"
    say: Callable[[dict[str, Any]], str] = lambda body: "The local model answers."
    arguments: str | None = None
    pace_seconds: float = 0.0
    chunk: int = 0  # characters per chunk; 0: by words
    seen: list[Seen] = field(default_factory=list)
    open_streams: int = 0
    port: int = 0
    root: str = ""  # where it says it loaded its model from
    adapters: dict[str, str] = field(default_factory=dict)  # name -> where it says it loaded that adapter from

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(self._serve())
            ready.set()
            self._loop.run_forever()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _serve(self) -> None:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response()

    async def _models(self, request: web.Request) -> web.Response:
        served = dict.fromkeys(("lab-mistral", "lab-embed", "lab-rerank"), self.root) | self.adapters
        listed = [{"id": name, "object": "model", "root": root} for name, root in served.items()]
        return web.json_response({"object": "list", "data": listed})

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(Seen(request.path_qs, dict(request.headers), await request.read()))
        body = self.seen[-1].body
        if self.mode == "hang":
            await asyncio.sleep(30)
        if self.mode == "500":
            return web.Response(status=500, text="stack trace with secrets")
        if self.mode == "400":
            return web.json_response({"error": {"message": "too many tokens", "code": 400}}, status=400)
        if self.mode == "redirect":
            return web.Response(status=307, headers={"location": "http://192.0.2.99/elsewhere"})
        if self.mode == "garbage":
            return web.Response(body=b"\x00\xffnot json", content_type="text/html")
        if self.mode == "drop":
            request.transport.close()  # type: ignore[union-attr]
            return web.Response()
        text = self.say(body)
        anthropic = request.path == "/v1/messages"
        if not body.get("stream"):
            found = vllm_shapes.whole(request.path, body, text, self.arguments)
            return web.json_response(found or (self._anthropic(text) if anthropic else self._openai(text)))
        events: Any = self._anthropic_events if anthropic else self._openai_events
        if request.path == "/v1/completions":
            events = lambda said: vllm_shapes.completion_events(said, self._pieces)  # noqa: E731
        elif request.path == "/v1/responses":
            events = lambda said: vllm_shapes.response_events(said, self.arguments, self._pieces)  # noqa: E731
        return await self._stream(request, text, events)

    async def _stream(self, request: web.Request, text: str, events: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        self.open_streams += 1
        try:
            for number, event in enumerate(events(text)):
                if self.mode == "cut" and number == 3:
                    request.transport.close()  # type: ignore[union-attr]
                    return response
                if self.mode == "clean-cut" and number == 3:
                    break
                if self.mode == "stall" and number == 3:
                    await asyncio.sleep(30)
                if self.mode == "mid-garbage" and number == 3:
                    event = b"data: {not json}\n\n"
                await response.write(event)
                if self.pace_seconds:
                    await asyncio.sleep(self.pace_seconds)
        finally:
            self.open_streams -= 1
        return response

    def _pieces(self, text: str) -> list[str]:
        if self.chunk:
            return [text[at : at + self.chunk] for at in range(0, len(text), self.chunk)]
        return [word if at == 0 else " " + word for at, word in enumerate(text.split(" "))]

    def _openai(self, text: str) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if self.arguments is not None:
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": {"name": "look", "arguments": self.arguments}}]
        return {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "lab-mistral",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": vllm_shapes.USAGE,
        }  # fmt: skip

    def _openai_events(self, text: str) -> Iterator[bytes]:
        def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
            document = {
                "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "lab-mistral",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            }  # fmt: skip
            return b"data: " + json.dumps(document).encode() + b"\n\n"

        yield chunk({"role": "assistant", "content": ""})
        for piece in self._pieces(text):
            yield chunk({"content": piece})
        if self.arguments is not None:
            yield chunk({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": ""}}]})
            for piece in self._pieces(self.arguments):
                yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        yield chunk({}, "stop")
        yield b"data: [DONE]\n\n"

    def _anthropic(self, text: str) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "text", "text": text}]
        if self.arguments is not None:
            content.append({"type": "tool_use", "id": "toolu_1", "name": "look", "input": json.loads(self.arguments)})
        return {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "lab-mistral", "content": content,
            "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
        }  # fmt: skip

    def _anthropic_events(self, text: str) -> Iterator[bytes]:
        def event(name: str, **document: Any) -> bytes:
            return f"event: {name}\ndata: {json.dumps({'type': name, **document})}\n\n".encode()

        yield event("message_start", message={**self._anthropic(""), "content": [], "stop_reason": None})
        yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for piece in self._pieces(text):
            yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
        yield event("content_block_stop", index=0)
        if self.arguments is not None:
            yield event("content_block_start", index=1, content_block={"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}})
            for piece in self._pieces(self.arguments):
                yield event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": piece})
            yield event("content_block_stop", index=1)
        yield event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 1})
        yield event("message_stop")


@dataclass
class Answer:
    """A raw HTTP answer."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)

    @property
    def reason(self) -> str:
        error = self.body.get("error", self.body)
        found = error.get("code")
        return str(found) if isinstance(found, str) else str(error["details"][0]["reason"])


@dataclass
class RunningGateway:
    """One gateway process and what its owner knows."""

    directory: Path
    port: int
    key: str
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    kept: dict[str, http.client.HTTPSConnection] = field(default_factory=dict)
    signing: tuple[str, str] = ("", "")

    @property
    def ca(self) -> Path:
        return self.directory / "ca.pem"

    def start(self, *prefix: str) -> None:
        log = (self.directory / "log").open("ab")
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "curtilage.cli", "gateway", "serve", "--config", str(self.directory / "gateway.yaml")],
            stdout=log, stderr=log, cwd=CHECKOUT, env={**os.environ, **self.environment},
        )  # fmt: skip
        log.close()
        for _ in range(1200):
            if self.process.poll() is not None:
                raise AssertionError(f"the gateway ended: {self.log()}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(f"the gateway does not listen: {self.log()}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else 0
        self.process.send_signal(how)
        return self.process.wait(30)

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))

    def connect(self, sni: str = "api.openai.com") -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return self.client_context().wrap_socket(raw, server_hostname=sni)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        host: str = "api.openai.com",
        sni: str | None = None,
        keep: bool = False,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request, as raw as needed."""
        connection = self.kept.pop(sni or host, None) if keep else None
        if connection is None:
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20)
            connection.sock = self.connect(sni or host)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Host": host, "Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **(headers or {})}
        try:
            connection.request(method, path, body=data, headers={name: value for name, value in sent.items() if value})
            response = connection.getresponse()
            return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        finally:
            if keep:
                self.kept[sni or host] = connection
            else:
                connection.close()

    def chat(self, text: str = "Hello", **more: Any) -> Answer:
        return self.request("POST", "/v1/chat/completions", {"model": "gpt-4o", "messages": [{"role": "user", "content": text}], **more})

    def records(self) -> list[dict[str, Any]]:
        """The ledger, read by the verifier's own reader, after the gateway has ended."""
        from curtilage.audit.reader import read_records

        return list(read_records(self.directory / "ledger"))


@pytest.fixture
def model() -> Iterator[MockModel]:
    mock = MockModel()
    mock.start()
    yield mock
    mock.stop()


@pytest.fixture
def make_gateway(tmp_path: Path) -> Iterator[Callable[..., RunningGateway]]:
    made: list[RunningGateway] = []

    def make(
        *upstreams: str, start: bool = True, limits: dict[str, Any] | None = None, serving: dict[str, Any] | None = None, **environment: str
    ) -> RunningGateway:
        directory = tmp_path / f"gateway-{len(made)}"
        gateway = written(directory, upstreams, **environment)
        if limits:
            path = directory / "gateway.yaml"
            path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "limits": limits}))
        if serving is not None:
            path = directory / "gateway.yaml"
            where = {"file": "serving.json", "withdrawn": "withdrawn.json"}
            path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "serving": where}))
            (directory / "serving.json").write_text(json.dumps(serving))
        made.append(gateway)
        if start:
            gateway.start()
        return gateway

    yield make
    for gateway in made:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.process.kill()
            gateway.process.wait(10)
    for gateway in made:
        shutil.rmtree(gateway.directory, ignore_errors=True)


@pytest.fixture
def gateway(make_gateway: Callable[..., RunningGateway], model: MockModel) -> RunningGateway:
    return make_gateway(model.url)


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningGateway, MockModel]]:
    mock = MockModel()
    mock.start()
    gateway = written(tmp_path_factory.mktemp("shared") / "gateway", (mock.url,))
    gateway.start()
    yield gateway, mock
    gateway.stop()
    mock.stop()


@pytest.fixture
def shared(_shared: tuple[RunningGateway, MockModel]) -> tuple[RunningGateway, MockModel]:
    """One gateway for a whole module of tests that change nothing but what the model says; that is set back for each."""
    gateway, mock = _shared
    fresh = MockModel()
    mock.mode, mock.say, mock.arguments, mock.pace_seconds, mock.chunk = fresh.mode, fresh.say, None, 0.0, 0
    mock.seen.clear()
    gateway.kept.clear()  # the server closes a connection that was idle between two tests
    return gateway, mock


def written(directory: Path, upstreams: tuple[str, ...], **environment: str) -> RunningGateway:
    """A gateway as `gateway init` writes it, not started."""
    tasks = {"lab-embed": Task.EMBED, "lab-rerank": Task.RERANK}
    printed = setup.init(directory, f"127.0.0.1:{free_port()}", upstreams, names=AZURE_NAMES, tasks=tasks)
    gateway = RunningGateway(directory, int(printed["address"].rpartition(":")[2]), printed["key"], environment=environment)
    gateway.signing = (printed["aws_access_key_id"], printed["aws_secret_access_key"])
    return gateway


@pytest.fixture
def vendors_resolve_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[RunningGateway], None]:
    """The one thing interception changes: what the vendors' names resolve to, and the CA that is trusted."""

    def redirect(gateway: RunningGateway) -> None:
        real = socket.getaddrinfo

        def resolve(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if vendors.dialect_of(name or "") != "any":
                return real("127.0.0.1", gateway.port, *rest, **more)
            if name not in ("127.0.0.1", "localhost", "::1", None):
                raise AssertionError(f"the SDK asked for {name}")
            return real(host, port, *rest, **more)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        monkeypatch.setenv("SSL_CERT_FILE", str(gateway.ca))

    return redirect
