"""A real gateway process on loopback, made by ``gateway init``, before a mock model host that remembers every byte it saw."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from curtilage import vendors
from curtilage.gateway import setup
from curtilage.vendor_models import Task
from tests.gateway.mock_model import MockModel
from tests.ports import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
AZURE_NAMES = ("res.openai.azure.com", "res.services.ai.azure.com")


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
            # As http.client does where it connects itself: else the body waits for the head's acknowledgement, 40 ms a call.
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
