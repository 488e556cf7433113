"""The load: many connections, each asking again when it was answered, or each reading one paced stream.

It parses as little as a client can, because it shares the cores with what it measures.
"""

from __future__ import annotations

import asyncio
import os
import resource
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import httptools
import orjson
import uvloop

PROMPT = (
    "Please review the limitation of liability in the attached services agreement and tell me whether a cap at the fees paid in the "
    "preceding twelve months is usual for a supplier of this size, which exceptions a court would read into it, and how we should word "
    "the carve-out for wilful misconduct, data protection and confidentiality. The agreement is governed by the laws of the forum, runs "
    "for three years, renews unless notice is given, and has an order of precedence under which the statement of work yields to the main "
    "body. Compare it with the indemnity, say whether the two can be triggered by one event, and list what the other side is likely to "
    "answer. Keep it short, use plain language, number the points, and do not quote the whole clause back. Where you are not sure, say "
    "so and say what you would need to see. The client wants a view before the call this afternoon and will send a marked draft after "
    "it, so concentrate on the points that change the negotiation and leave the boilerplate alone for now."
)[:1024]


@dataclass(frozen=True)
class Target:
    """Where the load goes.

    Args:
        port: on 127.0.0.1.
        name: the Host, and the SNI where there is TLS.
        ca: the CA to trust; None: no TLS.
        key: the bearer key.
        model: the name asked for.
        path: of chat completions.
        prompt: what is asked.
    """

    port: int
    name: str = "api.openai.com"
    ca: str | None = None
    key: str = "none"
    model: str = "gpt-4o"
    path: str = "/v1/chat/completions"
    prompt: str = PROMPT

    def request(self, *, stream: bool = False) -> bytes:
        """The bytes of one request with a 1 KB prompt."""
        tree: dict[str, Any] = {"model": self.model, "messages": [{"role": "user", "content": self.prompt}]}
        body = orjson.dumps({**tree, "stream": True} if stream else tree)
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.name}\r\nAuthorization: Bearer {self.key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def context(self) -> ssl.SSLContext | None:
        """The client's TLS."""
        return ssl.create_default_context(cafile=self.ca) if self.ca is not None else None


@dataclass
class Tally:
    """What came of a load."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failures: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    frames: int = 0
    first_frames: list[float] = field(default_factory=list)  # from sending the request to the first frame
    delays: list[float] = field(default_factory=list)  # from the model's sending a frame to its arrival
    incomplete: int = 0
    processor_seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies; NaN of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, tally: Tally, request: bytes, until: float, done: asyncio.Future[None]) -> None:
        self._tally, self._request, self._until, self._done = tally, request, until, done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def _ask(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._asked = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_complete(self) -> None:
        now, status = time.perf_counter(), self._parser.get_status_code()
        self._tally.statuses[status] = self._tally.statuses.get(status, 0) + 1
        if status == 200:
            self._tally.latencies.append(now - self._asked)
        else:
            self._tally.failures += 1
        if now < self._until:
            self._ask()
        else:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._tally.failures += 1
            self._done.set_result(None)

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)
        self._transport.close()


class _Reader(_Client):
    """One paced stream."""

    _rest, _first, _ended = b"", False, False

    def on_body(self, body: bytes) -> None:
        now = time.monotonic_ns()
        *events, self._rest = (self._rest + body).split(b"\n\n")
        for event in events:
            if event == b"data: [DONE]":
                self._ended = True
                continue
            at = event.find(b'"created":')
            if at < 0:
                continue
            if not self._first:
                self._first = True
                self._tally.first_frames.append(time.perf_counter() - self._asked)
            self._tally.frames += 1
            self._tally.delays.append((now - int(event[at + 10 : event.index(b",", at)])) / 1e9)

    def on_message_complete(self) -> None:
        self._tally.incomplete += not self._ended
        super().on_message_complete()


async def _drive(kind: type[_Client], target: Target, connections: int, seconds: float, *, stream: bool, spread: float) -> Tally:
    tally, loop, context = Tally(), asyncio.get_running_loop(), target.context()
    request = target.request(stream=stream)
    began = time.perf_counter()
    until, waiting = began + seconds, []

    async def connect(number: int) -> None:
        await asyncio.sleep(spread * number / max(1, connections))
        done = loop.create_future()
        waiting.append(done)
        try:
            await loop.create_connection(
                lambda: kind(tally, request, until, done), "127.0.0.1", target.port, ssl=context,
                server_hostname=target.name if context else None,
            )  # fmt: skip
        except OSError:
            tally.failures += 1
            done.set_result(None)

    used = resource.getrusage(resource.RUSAGE_SELF)
    await asyncio.gather(*map(connect, range(connections)))
    await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), seconds + 60)
    tally.seconds = time.perf_counter() - began
    spent = resource.getrusage(resource.RUSAGE_SELF)
    tally.processor_seconds = spent.ru_utime + spent.ru_stime - used.ru_utime - used.ru_stime
    return tally


def unary(target: Target, connections: int, seconds: float) -> Tally:
    """Closed loop: each connection asks again as soon as it is answered."""
    return uvloop.run(_drive(_Client, target, connections, seconds, stream=False, spread=0.0))


def streams(target: Target, count: int) -> Tally:
    """That many paced streams at once, begun over one second so that the start is no burst of handshakes."""
    return uvloop.run(_drive(_Reader, target, count, 0.0, stream=True, spread=1.0))


def processor_seconds(pid: int) -> float:
    """Processor time of a process so far, its threads included; from ``/proc``."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:  # noqa: PTH123 - a proc file
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; from ``/proc``."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:  # noqa: PTH123 - a proc file
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
