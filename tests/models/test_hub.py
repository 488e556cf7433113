"""If these fail, a hub, or somebody between it and the staging machine, could put other files under a commit's name."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from curtilage.errors import ConfigError, StepError
from curtilage.models.hub import fetch

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REFERENCE = f"maker/small@{COMMIT}"
WEIGHTS = bytes(range(256)) * 64


def large(content: bytes) -> dict[str, Any]:
    return {"size": len(content), "oid": "0" * 40, "lfs": {"oid": hashlib.sha256(content).hexdigest(), "size": len(content)}}


def small(content: bytes) -> dict[str, Any]:
    return {"size": len(content), "oid": hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()}


class Hub:
    """A hub on loopback that serves what a test puts there."""

    def __init__(self) -> None:
        self.files = {"config.json": b"{}", "model.safetensors": WEIGHTS, "modeling.py": b"pass", "sub/deep.json": b"{}"}
        self.listed = {path: (large if path.endswith(".safetensors") else small)(content) for path, content in self.files.items()}
        self.cut_at: int | None = None
        self.asked: list[tuple[str, str | None, str | None]] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, call: BaseHTTPRequestHandler) -> None:
        span = call.headers.get("Range")
        self.asked.append((call.path, span, call.headers.get("Authorization")))
        if call.path == f"/api/models/maker/small/tree/{COMMIT}?recursive=true":
            content, cut = json.dumps([{"type": "file", "path": path} | entry for path, entry in self.listed.items()]).encode(), None
        else:
            content, cut = self.files[call.path.removeprefix(f"/maker/small/resolve/{COMMIT}/")], self.cut_at
        begin = int(span.removeprefix("bytes=").removesuffix("-")) if span else 0
        call.send_response(206 if span else 200)
        call.send_header("Content-Length", str(len(content) - begin))
        call.end_headers()
        call.wfile.write(content[begin:cut] if cut and not call.path.endswith(".json") else content[begin:])


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(10)


def get(hub: Hub, into: Path, **words: Any) -> tuple[str, str]:
    return fetch(REFERENCE, hub.endpoint, into, lambda _: None, **words)


def test_a_commit_is_fetched_without_code_and_only_once(hub: Hub, tmp_path: Path) -> None:
    assert get(hub, tmp_path, token="secret") == ("maker/small", COMMIT)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    assert (tmp_path / "model.safetensors").read_bytes() == WEIGHTS
    assert {item[2] for item in hub.asked} == {"Bearer secret"}
    before = len(hub.asked)
    get(hub, tmp_path)
    assert len(hub.asked) == before + 1, "the list alone"


def test_a_fetch_that_was_cut_off_goes_on_where_it_stopped(hub: Hub, tmp_path: Path) -> None:
    hub.cut_at = 5000
    with pytest.raises(StepError, match="bytes came"):
        get(hub, tmp_path)
    assert not (tmp_path / "model.safetensors").exists()
    hub.cut_at = None
    get(hub, tmp_path)
    assert hub.asked[-1][1] == "bytes=5000-"
    assert (tmp_path / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("path", ["config.json", "model.safetensors"])
def test_other_bytes_than_listed_are_refused_and_not_kept(path: str, hub: Hub, tmp_path: Path) -> None:
    content = hub.files[path]
    hub.files[path] = bytes([content[0] ^ 1]) + content[1:]
    with pytest.raises(StepError, match="not what the hub lists"):
        get(hub, tmp_path)
    assert not (tmp_path / path).exists()
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("path", ["../config.json", "/etc/x.json", "a\\..\\b.json"])
def test_a_path_out_of_the_directory_is_refused(path: str, hub: Hub, tmp_path: Path) -> None:
    hub.listed = {path: small(b"{}")}
    with pytest.raises(StepError, match="lists the path"):
        get(hub, tmp_path / "in")
    assert list((tmp_path / "in").iterdir()) == []


def test_a_hub_is_reached_by_https_alone_except_on_loopback(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="endpoint"):
        fetch(REFERENCE, "http://hub.example", tmp_path, lambda _: None)
