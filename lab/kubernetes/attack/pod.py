"""The entry point of the attacker's image: what code of an attacker would do in a pod, told by environment variables alone.

``ATTACK`` is a plan for the agent beside this file, run before anything else and answered on standard output; ``LISTEN`` are TCP ports to
answer on; ``STREAM`` are probes to repeat until the pod is killed (a polite request to end is ignored: an attacker would); without any of
them but ``ONCE``, the pod waits to be told more by an exec. Standard library alone.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

import agent  # type: ignore[import-not-found]  # it lies beside this file in the image

PAUSE_SECONDS = 0.02
TELL_EVERY = 10


def say(document: dict[str, Any]) -> None:
    """One JSON object a line, at once."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def listen(port: int) -> None:
    """Accept and close: an open port is all that a lateral probe asks for."""
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        while True:
            connection, _ = server.accept()
            connection.close()


def stream(probes: list[dict[str, Any]]) -> None:
    """Send for ever; say from time to time how often, and at once what got through."""
    sent = 0
    through: dict[str, str] = {}
    controls = agent.controls(sorted({(probe["kind"], probe["family"]) for probe in probes}))
    agent.TIMEOUT_SECONDS = 0.1
    while True:
        for probe in probes:
            signature = agent.one(probe, dict)["signature"]
            through[probe["id"]] = signature if signature in ("connected", "answered") else through.get(probe["id"], signature)
        sent += 1
        if sent % TELL_EVERY == 1:
            say({"sent": sent, "controls": controls, "results": {name: {"signature": value} for name, value in through.items()}})
        time.sleep(PAUSE_SECONDS)


def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if given := os.environ.get("ATTACK"):
        plan = json.loads(given)
        say({"results": agent.attack(plan), "controls": agent.controls(plan["controls"])})
    for port in os.environ.get("LISTEN", "").split():
        threading.Thread(target=listen, args=(int(port),), daemon=True).start()
    if given := os.environ.get("STREAM"):
        stream(json.loads(given))
    while "ONCE" not in os.environ:
        time.sleep(3600)


if __name__ == "__main__":
    main()
