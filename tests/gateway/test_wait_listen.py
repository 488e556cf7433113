"""A service counts as started when it listens, whoever its process still belongs to (breaks: a first start on a slow machine)."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from curtilage.paths import CHECKOUT

PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable  # as on a host: readable by any user
SCRIPT = (CHECKOUT / "ansible/roles/gateway/files/wait-listen").read_text(encoding="utf-8")


def waited(port: int, pid: int, *prefix: str) -> subprocess.CompletedProcess[str]:
    command = [*prefix, PYTHON, "-c", SCRIPT, "127.0.0.1", str(port), "5", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_a_process_that_is_still_roots_is_waited_for() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: the process waited for must belong to somebody else")
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = waited(server.getsockname()[1], os.getpid(), "setpriv", "--reuid=65534", "--clear-groups")
    assert done.returncode == 0, done.stderr


def test_a_process_that_ended_is_not_waited_for() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    done = waited(1, ended.pid)
    assert "ended before it listened" in done.stderr
    assert done.returncode != 0
