"""Ports for servers that tests start."""

from __future__ import annotations

import random
import socket
from pathlib import Path


def free_port() -> int:
    """A port for a server that starts in a moment: below those that the kernel gives to clients, so that none takes it meanwhile."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for _ in range(100):
        port = random.randrange(20_000, max(first, 20_100))
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError("no free port")
