"""Tries to get out, over and over, until it is told to stop; run inside a host's network namespace by the tests beside it.

Arguments: mark, IPv4 destination, IPv6 destination, seconds at most. Prints `started`, then at the end of its input one JSON object of
counts: fresh datagrams and connections per family that left the socket or died there, and what became of a connection made before.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time

PAUSE_SECONDS = 0.02
PATIENCE_SECONDS = 0.05


def datagram(mark: str, family: socket.AddressFamily, address: str) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(mark.encode(), (address, 443))
        except OSError as refused:
            return refused.__class__.__name__
    return "sent"


def connection(mark: str, family: socket.AddressFamily, address: str) -> str:
    with socket.socket(family, socket.SOCK_STREAM) as stream:
        stream.settimeout(PATIENCE_SECONDS)
        try:
            stream.connect((address, 443))
            stream.sendall(f"mark {mark}".encode())
        except OSError as refused:
            return refused.__class__.__name__
    return "connected"


def main() -> int:
    mark, ipv4, ipv6, limit = sys.argv[1:5]
    long_lived = None
    if len(sys.argv) > 5:
        long_lived = socket.create_connection((ipv4, 4444), 5)
        long_lived.sendall(b"before the seal")
    counts: dict[str, int] = {}
    print("started", flush=True)
    until = time.monotonic() + float(limit)
    while time.monotonic() < until and not select.select([sys.stdin], [], [], PAUSE_SECONDS)[0]:
        for family, address in ((socket.AF_INET, ipv4), (socket.AF_INET6, ipv6)):
            for kind in (datagram, connection):
                outcome = f"{kind.__name__}{4 if family == socket.AF_INET else 6} {kind(mark, family, address)}"
                counts[outcome] = counts.get(outcome, 0) + 1
        if long_lived is not None:
            try:
                long_lived.send(f"mark {mark}".encode(), socket.MSG_DONTWAIT)
            except OSError as refused:
                name = f"long-lived {refused.__class__.__name__}"
                counts[name] = counts.get(name, 0) + 1
    print(json.dumps(counts), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
