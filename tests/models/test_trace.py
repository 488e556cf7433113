"""If these fail, a training job may ask for a network and nobody is told, or a trace that sees nothing is taken for a clean one."""

from __future__ import annotations

from pathlib import Path

import pytest

from curtilage.errors import StepError
from curtilage.finetune import airgap, trace
from curtilage.verdict import Verdict
from tests.models.needs import lacks_trace

LACKS = lacks_trace()
pytestmark = pytest.mark.skipif(bool(LACKS), reason=LACKS or "never")
QUIET = "import json, sys; json.load(sys.stdin)"


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> dict[str, object]:
    (tmp_path / "asks.py").write_text(f"{QUIET}\n{code}\n")
    monkeypatch.setattr(airgap, "CHECKOUT", tmp_path)
    return airgap.run_isolated("asks", {}, say=lambda _: None)


def test_a_job_that_asks_for_nothing_passes_and_its_processes_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = "import socket; a, b = socket.socketpair(); s = socket.socket(); s.bind(('127.0.0.1', 0)); a.sendmsg([b'x'])"
    found = run(tmp_path, monkeypatch, inside)
    assert (found["verdict"], found["to_loopback"]) == (Verdict.PASS, 1)
    assert found["calls"] == {"bind": 1, "sendmsg": 1}


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("import socket; socket.socket().connect_ex(('192.0.2.7', 443))", "192.0.2.7 port 443"),
        ("import socket; socket.socket(socket.AF_INET6).connect_ex(('2001:db8::7', 443))", "2001:db8::7 port 443"),
        ("import socket\ntry: socket.getaddrinfo('example.org', 443)\nexcept OSError: pass", "port 53"),
        ("import socket\ns = socket.socket(type=socket.SOCK_DGRAM)\ntry: s.sendto(b'x', ('192.0.2.7', 9))\nexcept OSError: pass",
         "192.0.2.7 port 9"),
        ("import socket\ns = socket.socket(type=socket.SOCK_DGRAM)\ntry: s.sendmsg([b'x'], [], 0, ('192.0.2.7', 9))\nexcept OSError: pass",
         "192.0.2.7 port 9"),
        ("import subprocess, sys; subprocess.run([sys.executable, '-c', \"import socket; socket.socket().connect_ex(('192.0.2.8', 1))\"])",
         "192.0.2.8 port 1"),
        ("import os, socket\nif os.fork() == 0:\n    socket.socket().connect_ex(('192.0.2.9', 1)); os._exit(0)\nos.wait()",
         "192.0.2.9 port 1"),
        ("import threading, socket\nt = threading.Thread(target=lambda: socket.socket().connect_ex(('192.0.2.6', 1))); t.start(); t.join()",
         "192.0.2.6 port 1"),
        ("import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.connect_ex(('127.0.0.1', 53))", "port 53"),
    ],
)  # fmt: skip
def test_a_job_that_asks_for_a_destination_or_a_name_fails_and_it_is_named(
    code: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StepError, match="trace FAIL") as caught:
        run(tmp_path, monkeypatch, code)
    assert named in str(caught.value)


def test_without_strace_the_trace_is_not_run_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "command", lambda log: [])
    assert run(tmp_path, monkeypatch, "") == {"verdict": Verdict.NOT_RUN, "reason": "strace is not installed"}


def test_a_tracer_that_sees_nothing_is_invalid_and_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "CALLS", ("getrandom",))
    with pytest.raises(StepError, match="trace INVALID"):
        run(tmp_path, monkeypatch, "")


def test_a_trace_that_was_cut_off_is_invalid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "_PATIENCE_SECONDS", 0.2)
    (tmp_path / "log").write_text("7 bind(3, {sa_family=AF_UNIX}, 2) = 0\n")
    assert trace.judge(tmp_path / "log", 7)["verdict"] == Verdict.INVALID
