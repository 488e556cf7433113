"""Does the gateway's memory stay flat? ``python tools/bench/soak.py [--calls 100000] [--disconnects 1000]`` prints one JSON document.

A real gateway process before the mock model host of the tests: unary and streamed calls with something to take out in each, and clients
that go away in the middle of a stream. Resident memory is read after each tenth; its slope is taken over the second half, because pools and
tables fill up in the first. Exit code 1 when it grows by more than 1 KiB a call there, or when a call has not exactly one outcome.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from curtilage.output import print_json, progress
from curtilage.paths import CHECKOUT

sys.path.insert(0, str(CHECKOUT))

from curtilage.gateway import setup
from tests.gateway.conftest import RunningGateway
from tests.gateway.mock_model import MockModel, Seen

GOAL_BYTES_A_CALL = 1024.0
WORKERS = 4
_TEXT = "Anna Schmidt wrote from anna.schmidt@example.com about DE89370400440532013000, call {}, clause {} of the lease."


def resident_bytes(pid: int) -> int:
    """What the process holds in memory now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def _call(gateway: RunningGateway, number: int, *, stream: bool) -> None:
    body = {"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": _TEXT.format(number, number % 97)}]}
    answer = gateway.request("POST", "/v1/chat/completions", body, keep=True)
    if answer.status != 200:
        raise SystemExit(f"call {number}: {answer.status} {answer.raw[:200]!r}")


def _leave(gateway: RunningGateway) -> None:
    """Begin a stream, read a little of it, go away."""
    body = json.dumps({"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "leave"}]}).encode()
    connection = gateway.connect()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n"
    head += f"Authorization: Bearer {gateway.key}\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    connection.recv(1024)
    connection.close()


def _share(gateway: RunningGateway, first: int, count: int, leaving: int) -> None:
    own = RunningGateway(gateway.directory, gateway.port, gateway.key)
    every = count // leaving if leaving else 0
    for number in range(first, first + count):
        _call(own, number, stream=number % 4 == 0)
        if every and number % every == 0:
            _leave(own)


class _Last(list[Seen]):
    """The model host's memory of what it saw, which must not fill up either."""

    def append(self, item: Seen) -> None:
        self[:] = [item]


def soak(gateway: RunningGateway, model: MockModel, calls: int, disconnects: int) -> dict[str, Any]:
    """Run the calls in ten parts; resident memory after each, and its slope over the second half."""
    assert gateway.process is not None  # noqa: S101 - it was started
    model.seen = _Last()
    samples = [resident_bytes(gateway.process.pid)]
    started = time.perf_counter()
    for part in range(10):
        count = calls // 10 // WORKERS
        threads = [
            threading.Thread(target=_share, args=(gateway, part * calls // 10 + worker * count, count, disconnects // 10 // WORKERS))
            for worker in range(WORKERS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        samples.append(resident_bytes(gateway.process.pid))
        progress(f"{(part + 1) * calls // 10} calls: {samples[-1] >> 20} MiB")
    late = samples[5:]
    slope = statistics.linear_regression(range(len(late)), late).slope / (calls / 10)
    return {
        "calls": calls,
        "disconnects": disconnects,
        "seconds": round(time.perf_counter() - started, 1),
        "resident_mib": [round(sample / 2**20, 1) for sample in samples],
        "bytes_a_call": round(slope, 1),
    }


def main() -> int:
    """Soak one gateway."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="Example: python tools/bench/soak.py --calls 100000")
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--disconnects", type=int, default=1_000)
    arguments = parser.parse_args()
    model = MockModel()
    model.start()
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary) / "gateway"
        printed = setup.init(directory, "127.0.0.1:0", [model.url])
        gateway = RunningGateway(directory, int(printed["address"].rpartition(":")[2]), printed["key"])
        gateway.start()
        try:
            found = soak(gateway, model, arguments.calls, arguments.disconnects)
        finally:
            gateway.stop()
            model.stop()
        records = gateway.records()
    intents = sorted(record["index"] for record in records if record["kind"] == "intent")
    found["one_outcome_each"] = intents == sorted(record["intent"] for record in records if record["kind"] == "outcome")
    print_json(found)
    return 0 if found["bytes_a_call"] <= GOAL_BYTES_A_CALL and found["one_outcome_each"] else 1


if __name__ == "__main__":
    sys.exit(main())
