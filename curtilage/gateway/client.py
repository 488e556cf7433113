"""The HTTP/1.1 client for model hosts: POST and GET to one fixed address, and nothing else a client could do.

A general client costs a third of what a call through the gateway takes, and can do what must never happen here: follow a redirect, keep
a cookie, read a proxy variable, ask a resolver, decompress. This one cannot. Parsing is llhttp's (httptools). An answer without a length
that ends with its connection counts as cut: it cannot be told from one that was.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator
from ipaddress import ip_address
from typing import cast
from urllib.parse import urlsplit

import httptools

MAX_HEAD = 64 << 10
_READ_AHEAD = 256 << 10
_IDLE_SECONDS = 4.0  # uvicorn, which vLLM runs on, closes after five


class Unreachable(ConnectionError):
    """No connection to the host came about."""


class NoAnswer(ConnectionError):
    """The connection ended before one byte of an answer."""


class BrokenAnswer(ConnectionError):
    """The answer ended before its end, or is not HTTP."""


class Endpoint:
    """One host's address and its idle connections.

    Args:
        url: ``http(s)://ADDRESS:PORT``, checked by :func:`curtilage.gateway.config.upstream_url`.
        connect_seconds: how long a connection may take to come about.
    """

    def __init__(self, url: str, connect_seconds: float) -> None:
        parts = urlsplit(url)
        self._address, self._port = str(ip_address(parts.hostname or "")), parts.port or 80
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._host = f"host: {parts.netloc}\r\n".encode()
        self._connect_seconds = connect_seconds
        self._idle: list[Connection] = []

    async def open(self, method: str, path: str, body: bytes = b"") -> Connection:
        """Send a request over an idle or a new connection; its answer has not begun. Raises :class:`Unreachable`."""
        connection = self._take_idle() or await self._connect()
        connection.send(
            b"%b %b HTTP/1.1\r\n%bcontent-type: application/json\r\nuser-agent: curtilage\r\naccept-encoding: identity\r\n"
            b"content-length: %d\r\n\r\n" % (method.encode(), path.encode(), self._host, len(body)),
            body,
        )
        return connection

    def _take_idle(self) -> Connection | None:
        now = time.monotonic()
        while self._idle:
            found = self._idle.pop()
            if not found.gone and now - found.idle_since < _IDLE_SECONDS:
                return found
            found.abort()
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, made = await loop.create_connection(lambda: Connection(self), self._address, self._port, ssl=self._tls)
        except (OSError, ssl.SSLError) as error:
            raise Unreachable(str(error)) from None
        return made

    def keep(self, connection: Connection) -> None:
        """Take a connection back whose answer was read to its end."""
        self._idle.append(connection)

    def close(self) -> None:
        """End the idle connections."""
        while self._idle:
            self._idle.pop().abort()


class Connection(asyncio.Protocol):
    """One connection, and the answer under way on it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.gone = False
        self.idle_since = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._complete = True

    # ---- asking

    def send(self, head: bytes, body: bytes) -> None:
        """Begin an exchange."""
        self._parser = httptools.HttpResponseParser(self)
        self._chunks: deque[bytes] = deque()
        self._buffered = self._head_bytes = 0
        self._head_done = self._complete = self._paused = self._released = self._begun = self._keep = False
        self._error: ConnectionError | None = None
        self.status, self.content_type = 0, ""
        self._transport.writelines((head, body)) if body else self._transport.write(head)

    async def head(self) -> None:
        """Wait for the answer's status and headers. Raises :class:`NoAnswer` or :class:`BrokenAnswer`."""
        while not self._head_done:
            if self._error is not None:
                raise self._error
            await self._more()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises :class:`BrokenAnswer`."""
        while True:
            if self._chunks:
                chunk = b"".join(self._chunks) if len(self._chunks) > 1 else self._chunks[0]
                self._chunks.clear()
                self._buffered = 0
                if self._paused:
                    self._paused = False
                    self._transport.resume_reading()
                yield chunk
            elif self._error is not None:
                raise self._error
            elif self._complete:
                return
            else:
                await self._more()

    def release(self) -> None:
        """Done with the answer: the connection is kept when it was read to its end, else it goes, so that the host stops generating."""
        if self._released:
            return
        self._released = True
        if self._complete and not self._chunks and self._error is None and not self.gone and self._keep:
            self.idle_since = time.monotonic()
            self._endpoint.keep(self)
        else:
            self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        if not self.gone:
            self.gone = True
            self._transport.abort()

    async def _more(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ---- what the transport and the parser say

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._complete:  # nothing was asked, so nothing may come: this connection is not to be trusted with the next call
            self.abort()
            return
        self._begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._break("not HTTP")
        if not self._head_done:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD:
                self._break("an endless head")
        elif self._buffered > _READ_AHEAD and not self._paused and not self._complete:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        if not self._complete and self._error is None:
            self._error = BrokenAnswer("the answer broke off") if self._begun else NoAnswer("closed before an answer")
        self._wake()

    def _break(self, why: str) -> None:
        if self._error is None:
            self._error = BrokenAnswer(why)
        self.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"content-type":
            self.content_type = value.decode("latin-1").partition(";")[0].strip().lower()

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status < 200:
            self._break("an interim answer")
            return
        self._keep = self._parser.should_keep_alive()  # known here alone: the end of the message resets what it is read from
        self._head_done = True

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)
        self._buffered += len(body)

    def on_message_begin(self) -> None:
        if self._complete:
            self._break("a second answer")

    def on_message_complete(self) -> None:
        if self._head_done:
            self._complete = True
