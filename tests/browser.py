"""Headless Chromium for tests that look at a page as a person's browser does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from curtilage.paths import cache_dir

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
AXE = Path(os.environ.get("CURTILAGE_AXE") or cache_dir() / "tools" / "axe" / "axe.min.js")

needs_browser = pytest.mark.skipif(
    CHROMIUM is None or not hasattr(os, "geteuid"), reason="NOT-RUN: no chromium on PATH; python tools/checkers.py installs it"
)


class Browser:
    """Headless Chromium over its debugging pipe: no port, and a network namespace of its own where this user may make one."""

    def __init__(self, folder: Path, *, network: bool = False) -> None:
        ours, theirs = os.pipe()
        back, forth = os.pipe()
        os.set_inheritable(ours, True)
        os.set_inheritable(forth, True)
        unshare = ["unshare", "--net"] if os.geteuid() == 0 and not network else []
        # The debugging pipe is descriptors 3 and 4 of the browser, whatever they are here.
        command = " ".join([
            "exec", *unshare, str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
            "--disable-dev-shm-usage", f"--user-data-dir={folder}", "about:blank", f"3<&{ours} 4>&{forth}",
        ])  # fmt: skip
        self.process = subprocess.Popen(
            ["bash", "-c", command], pass_fds=(ours, forth), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(ours)
        os.close(forth)
        self.write, self.read, self.rest, self.number = theirs, back, b"", 0
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if hasattr(self, "session") and not method.startswith("Target."):
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def next(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            chunk = os.read(self.read, 1 << 20)
            assert chunk, "the browser went away"
            self.rest += chunk
        raw, self.rest = self.rest.split(b"\0", 1)
        answer: dict[str, Any] = json.loads(raw)
        if "method" in answer:
            self.events.append(answer)
        return answer

    def ask(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def go(self, path: Path | str) -> None:
        before = len(self.events)
        self.call("Page.navigate", url=path if isinstance(path, str) else path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events[before:]):
            self.next()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.write)
        os.close(self.read)


@contextmanager
def browser(folder: Path, *, network: bool = False) -> Iterator[Browser]:
    """A browser, ended afterwards; with a network only for a page that this machine serves on loopback."""
    found = Browser(folder, network=network)
    try:
        yield found
    finally:
        found.close()
