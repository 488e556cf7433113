"""The way to the model hosts: fixed by configuration, chosen by least outstanding work, retried only before the first byte of an answer.

Nothing from a request reaches this module but the body that was built for the model: no header, no address, no path. A host takes so many
calls at once; as many again may wait as the queue has places, for so long; whoever comes after is told to come again (429). A host that
was taken out of the configuration is drained: it gets no new call and ends those it has.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from curtilage.gateway.client import BrokenAnswer, Connection, Endpoint, NoAnswer, Unreachable
from curtilage.gateway.config import Limits, upstream_url
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.serving import Wanted

log = logging.getLogger("curtilage.gateway")

_HEALTH_SECONDS = 5.0
_HEALTH_ANSWER_SECONDS = 2.0
_MODELS_BYTES = 1 << 16
_VERSION = re.compile(r"/[a-z0-9][a-z0-9.-]{0,62}/([0-9a-f]{64})/?")


@dataclass(slots=True, eq=False)
class Host:
    """One model host."""

    url: str
    endpoint: Endpoint
    outstanding: int = 0
    healthy: bool = True
    draining: bool = False
    served: int = 0
    versions: dict[str, str] = field(default_factory=dict)  # model served -> digest, as the host itself says
    serves: frozenset[str] = frozenset()  # models it says it serves


class Lease:
    """A call's place at a host; given back exactly once."""

    def __init__(self, owner: Upstreams, host: Host, wanted: Wanted) -> None:
        self._owner, self.host, self._wanted, self._held = owner, host, wanted, True

    def move(self, avoid: Sequence[Host]) -> None:
        """Go to another host, over its bound if need be: the call has waited once already."""
        chosen = self._owner.choose(self._wanted, avoid)
        self._owner.give_back(self.host)
        self.host = chosen
        self._owner.occupy(self.host)

    def release(self) -> None:
        """Give the place back."""
        if self._held:
            self._held = False
            self._owner.give_back(self.host)


class Upstreams:
    """The model hosts of one gateway.

    Args:
        urls: their addresses; checked again here, because this is the last line before a socket.
        limits: bounds on time and number.
    """

    def __init__(self, urls: Sequence[str], limits: Limits) -> None:
        self._limits = limits
        self.hosts = [self._host(url) for url in urls]
        self._waiting: list[tuple[asyncio.Future[Host], Wanted]] = []
        self._watch: asyncio.Task[None] | None = None

    def _host(self, url: str) -> Host:
        checked = upstream_url(url)
        return Host(checked, Endpoint(checked, self._limits.connect_seconds))

    async def start(self) -> None:
        """Begin to watch the hosts; they are asked once before the first call, whose record says which version answers."""
        await asyncio.gather(*(self._ask_health(host) for host in self.hosts))
        self._watch = asyncio.create_task(self._watch_health())

    async def close(self) -> None:
        """Close every connection."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        for host in self.hosts:
            host.endpoint.close()

    def reconfigure(self, urls: Sequence[str], limits: Limits) -> None:
        """Take new bounds and a new list of hosts; one that is not on it any more ends the calls it has."""
        self._limits = limits
        wanted = [upstream_url(url) for url in urls]
        known = {host.url: host for host in self.hosts}
        for host in self.hosts:
            host.draining = host.url not in wanted
        self.hosts += [self._host(url) for url in wanted if url not in known]
        self._forget_drained()
        self._admit()

    def _forget_drained(self) -> None:
        for host in [host for host in self.hosts if host.draining and not host.outstanding]:
            host.endpoint.close()
            self.hosts.remove(host)

    # ---- places

    def choose(self, wanted: Wanted, avoid: Sequence[Host] = ()) -> Host:
        """The host with the least outstanding work that serves what is wanted, healthy and not just tried where there is a choice.

        Another version stands in where no healthy host serves the wanted one, unless it may not.
        """
        staying = [host for host in self.hosts if not host.draining] or self.hosts
        allowed = [host for host in staying if wanted.may(host.versions)]
        if not allowed:
            raise Refusal(Reason.UPSTREAM_UNAVAILABLE, "no local model host serves the version that may answer here")
        # A host that says nothing (down, or not asked yet) may serve it; one that says what it serves is believed.
        fit = [host for host in allowed if not wanted.model or not host.serves or wanted.model in host.serves] or allowed
        return min(fit, key=lambda host: (host in avoid, not host.healthy, not wanted.fits(host.versions), host.outstanding, host.served))

    def occupy(self, host: Host) -> None:
        """Count a call."""
        host.outstanding += 1
        host.served += 1

    def give_back(self, host: Host) -> None:
        """A call left its host: the next one that waits takes the place."""
        host.outstanding -= 1
        if host.draining:
            self._forget_drained()
        self._admit()

    def _admit(self) -> None:
        for waiter, wanted in list(self._waiting):  # in order; one whose hosts are full does not hold up those behind it
            try:
                free = self._free(wanted)
            except Refusal as refusal:  # the version that may answer went away meanwhile
                self._waiting.remove((waiter, wanted))
                if not waiter.done():
                    waiter.set_exception(refusal)
                continue
            if free is not None:
                self._waiting.remove((waiter, wanted))
                if not waiter.done():
                    self.occupy(free)
                    waiter.set_result(free)

    def _free(self, wanted: Wanted) -> Host | None:
        host = self.choose(wanted)
        # When the healthy ones are full nobody is sent to an unhealthy one: it would only fail.
        return host if host.outstanding < self._limits.outstanding_per_upstream else None

    @property
    def waiting(self) -> int:
        """Calls in the queue."""
        return len(self._waiting)

    def lease(self, wanted: Wanted) -> Lease | None:
        """A place at once, when there is one and nobody waits for it."""
        host = self._free(wanted) if not self._waiting else None
        if host is None:
            return None
        self.occupy(host)
        return Lease(self, host, wanted)

    async def queue(self, wanted: Wanted) -> Lease:
        """Wait for a place; refused when the queue is full, or the wait takes too long."""
        limits = self._limits
        if len(self._waiting) >= limits.queue:
            raise Refusal(Reason.BUSY, "the local model hosts are busy and the queue is full", retry_after_seconds=limits.queue_seconds)
        waiter: asyncio.Future[Host] = asyncio.get_running_loop().create_future()
        self._waiting.append((waiter, wanted))
        lease: Lease | None = None
        try:
            async with asyncio.timeout(limits.queue_seconds):
                lease = Lease(self, await waiter, wanted)
            return lease
        except TimeoutError:
            raise Refusal(
                Reason.BUSY, "the local model hosts did not become free in time", retry_after_seconds=limits.queue_seconds
            ) from None
        finally:
            if (waiter, wanted) in self._waiting:
                self._waiting.remove((waiter, wanted))
            elif lease is None and not waiter.cancelled() and waiter.exception() is None:
                self.give_back(waiter.result())  # the place came while the caller went

    def version(self, attempts: Sequence[str], model: str) -> str:
        """The version of a model at the host that was tried last; empty when that is not known."""
        return next((host.versions.get(model, "") for host in self.hosts if attempts and host.url == attempts[-1]), "")

    # ---- asking

    @asynccontextmanager
    async def post(self, lease: Lease, path: str, body: bytes, *, attempts: list[str]) -> AsyncIterator[Connection]:
        """An answer whose headers have come; another host is tried only while not one byte of an answer has."""
        tried = list[Host]()
        most = max(2, len(self.hosts))
        while True:
            host = lease.host
            attempts.append(host.url)
            try:
                answer = await self._open(host, path, body)
            except TimeoutError:
                raise Refusal(Reason.UPSTREAM_TIMEOUT, "the local model did not answer in time") from None
            except (Unreachable, NoAnswer) as error:
                # A kept connection may die of age without the host being ill: it is marked only when it does not even connect.
                host.healthy = host.healthy and not isinstance(error, Unreachable)
                tried.append(host)
                if len(tried) >= most:
                    raise Refusal(Reason.UPSTREAM_UNAVAILABLE, "no local model host is reachable") from None
            except BrokenAnswer:
                raise Refusal(Reason.UPSTREAM_GARBAGE, "the local model host did not answer in HTTP") from None
            else:
                if answer.status != 503 or len(tried) + 1 >= len(self.hosts):
                    try:
                        yield answer
                    finally:
                        answer.release()
                    return
                answer.release()
                tried.append(host)
            lease.move(tried)

    async def _open(self, host: Host, path: str, body: bytes) -> Connection:
        """The answer's head. The first byte of a unary answer comes when all is generated, so the bound on it is a long one."""
        connection = await host.endpoint.open("POST", path, body)
        try:
            async with asyncio.timeout(self._limits.first_byte_seconds):
                await connection.head()
        except BaseException:
            connection.release()
            raise
        return connection

    # ---- health

    async def _watch_health(self) -> None:
        while True:
            await asyncio.sleep(_HEALTH_SECONDS)
            await asyncio.gather(*(self._ask_health(host) for host in list(self.hosts)))
            self._admit()

    async def _ask_health(self, host: Host) -> None:
        try:
            status, _ = await self._get(host, "/health")
            healthy = status == 200
            # A host that was replaced serves another version; one that is down serves none.
            listed = await self._ask_models(host) if healthy else b""
            # Which models: as it said last, so that one too busy to say it is not asked for another's.
            host.versions, host.serves = served_versions(listed), served_models(listed) or host.serves
        except (Refusal, OSError):
            healthy, host.versions = False, {}
        if healthy != host.healthy:
            log.warning("model host %s is %s", host.url, "healthy" if healthy else "not healthy")
        host.healthy = healthy

    async def _ask_models(self, host: Host) -> bytes:
        try:
            status, body = await self._get(host, "/v1/models")
        except (Refusal, OSError):
            return b""
        return body if status == 200 else b""

    async def _get(self, host: Host, path: str) -> tuple[int, bytes]:
        async with asyncio.timeout(_HEALTH_ANSWER_SECONDS):
            answer = await host.endpoint.open("GET", path)
            try:
                await answer.head()
                return answer.status, await read_bytes(answer, _MODELS_BYTES)
            finally:
                answer.release()


def served_models(body: bytes) -> frozenset[str]:
    """The models of a host's list; empty when it gives none."""
    try:
        return frozenset(str(item["id"]) for item in orjson.loads(body)["data"])
    except (ValueError, KeyError, TypeError):
        return frozenset()


def served_versions(body: bytes) -> dict[str, str]:
    """Which version a host serves, from its list of models: vLLM's ``root`` is the verified directory ``<store>/<name>/<digest>``.

    Anything else there, a name of a hub for instance, is no version of ours: the ledger then says that it is not known.
    """
    try:
        listed = orjson.loads(body)["data"]
        found = {str(item["id"]): _VERSION.search(str(item.get("root") or "")) for item in listed}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {name: f"sha256:{match[1]}" for name, match in found.items() if match and match.end() == len(match.string)}


async def read_bytes(answer: Connection, limit: int) -> bytes:
    """The whole body, within a bound."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in answer.chunks():
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
