"""The way to the model hosts: fixed at start, chosen by least outstanding work, retried only before the first byte of an answer.

Nothing from a request reaches this module but the body that was built for the model: no header, no address, no path. The client follows
no redirect, keeps no cookie, reads no proxy variable and asks no resolver.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from curtilage.gateway.config import Limits, upstream_url
from curtilage.gateway.reasons import Reason, Refusal

log = logging.getLogger("curtilage.gateway")

_HEADERS = {"content-type": "application/json", "user-agent": "curtilage", "accept-encoding": "identity"}
_HEALTH_SECONDS = 5.0


@dataclass(slots=True)
class Host:
    """One model host."""

    url: str
    outstanding: int = 0
    healthy: bool = True
    served: int = 0


class _NoResolver(AbstractResolver):
    """Upstreams are addresses; whatever asks for a name is a mistake that must not become a packet."""

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        raise OSError(f"the gateway resolves no names ({host})")

    async def close(self) -> None:
        return None


class Upstreams:
    """The model hosts of one gateway.

    Args:
        urls: their addresses; checked again here, because this is the last line before a socket.
        limits: time bounds.
    """

    def __init__(self, urls: Sequence[str], limits: Limits) -> None:
        self.hosts = [Host(upstream_url(url)) for url in urls]
        self._limits = limits
        self._session: aiohttp.ClientSession | None = None
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the client and begin to watch the hosts."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, resolver=_NoResolver(), keepalive_timeout=15.0, enable_cleanup_closed=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            raise_for_status=False,
            skip_auto_headers=("accept",),
            read_bufsize=1 << 18,
        )
        self._watch = asyncio.create_task(self._watch_health())

    async def close(self) -> None:
        """Close every connection."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def choose(self, avoid: Sequence[Host] = ()) -> Host:
        """The host with the least outstanding work, healthy and not just tried where there is a choice."""
        return min(self.hosts, key=lambda host: (host in avoid, not host.healthy, host.outstanding, host.served))

    @asynccontextmanager
    async def post(self, first: Host, path: str, body: bytes, *, attempts: list[str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer whose headers have come; another host is tried only while not one byte of an answer has."""
        host, tried = first, list[Host]()
        while True:
            attempts.append(host.url)
            host.outstanding += 1
            host.served += 1
            try:
                try:
                    response = await self._open(host, path, body)
                except (aiohttp.ClientConnectionError, OSError) as error:
                    if isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ConnectionTimeoutError):
                        raise Refusal(Reason.UPSTREAM_TIMEOUT, "the local model did not answer in time") from None
                    # A kept-alive connection may die of age without the host being ill: it is marked only when it does not even connect.
                    host.healthy = host.healthy and not isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
                    tried.append(host)
                    if len(tried) >= max(2, len(self.hosts)):
                        raise Refusal(Reason.UPSTREAM_UNAVAILABLE, "no local model host is reachable") from None
                except aiohttp.ClientError:
                    raise Refusal(Reason.UPSTREAM_GARBAGE, "the local model host did not answer in HTTP") from None
                else:
                    if response.status == 503 and len(tried) + 1 < len(self.hosts):
                        response.close()
                        tried.append(host)
                    else:
                        try:
                            yield response
                        finally:
                            # Not read to the end: the connection goes, so that the host stops generating.
                            response.close()
                        return
            finally:
                host.outstanding -= 1
            host = self.choose(avoid=tried)

    async def _open(self, host: Host, path: str, body: bytes) -> aiohttp.ClientResponse:
        assert self._session is not None, "start() was not called"  # noqa: S101 - a programming error, not an input
        limits = self._limits
        # The first byte of a unary answer comes when all is generated; a stream that stalls later is noticed by the relay.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=limits.connect_seconds, sock_read=limits.first_byte_seconds)
        return await self._session.post(host.url + path, data=body, headers=_HEADERS, timeout=timeout, allow_redirects=False)

    async def _watch_health(self) -> None:
        while True:
            await asyncio.gather(*(self._ask_health(host) for host in self.hosts))
            await asyncio.sleep(_HEALTH_SECONDS)

    async def _ask_health(self, host: Host) -> None:
        assert self._session is not None  # noqa: S101 - see _open
        try:
            timeout = aiohttp.ClientTimeout(total=2.0)
            async with self._session.get(host.url + "/health", timeout=timeout, allow_redirects=False) as response:
                healthy = response.status == 200
        except (aiohttp.ClientError, OSError):
            healthy = False
        if healthy != host.healthy:
            log.warning("model host %s is %s", host.url, "healthy" if healthy else "not healthy")
        host.healthy = healthy


def is_json(response: aiohttp.ClientResponse) -> bool:
    """Whether the answer says it is JSON."""
    return response.content_type == "application/json"


async def read_json_bytes(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The whole body, within a bound."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > limit:
            raise Refusal(Reason.UPSTREAM_GARBAGE, "the local model's answer is larger than any answer can be")
        chunks.append(chunk)
    return b"".join(chunks)


def describe(error: Any) -> str:
    """An upstream's own words about a request it rejected, bounded."""
    if isinstance(error, dict):
        inner = error.get("error", error)
        text = inner.get("message") if isinstance(inner, dict) else inner
        if isinstance(text, str):
            return text[:500]
    return "the request does not fit the model"
