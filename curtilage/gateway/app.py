"""The gateway as an ASGI application: dispatch, refusals in dialect, and a record of every call whatever becomes of it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from pathlib import Path
from typing import Any

import orjson

from curtilage.audit.content import ContentStore
from curtilage.audit.errors import LedgerUnavailable
from curtilage.audit.ledger import Ledger
from curtilage.gateway.config import GatewayConfig
from curtilage.gateway.forward import NO_LEDGER, Forwarder
from curtilage.gateway.identity import authenticate
from curtilage.gateway.metrics import GatewayMetrics
from curtilage.gateway.prepare import Preparer
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.record import CallState
from curtilage.gateway.routing import Router
from curtilage.gateway.surfaces import SURFACES, Route, Surface
from curtilage.gateway.tokens import TokenVerifier
from curtilage.gateway.upstream import Upstreams
from curtilage.gateway.wire import Disconnected, Receive, Scope, Send, headers_of, read_body
from curtilage.matters.directory import Directory
from curtilage.sanitize.classification import load as load_classification
from curtilage.sanitize.fields import FieldRules
from curtilage.sanitize.placeholders import Vault
from curtilage.sanitize.sanitizer import Findings, Sanitizer

log = logging.getLogger("curtilage.gateway")

_TEXTFILE_SECONDS = 5.0


class Gateway:
    """One gateway process.

    Args:
        config: the checked configuration.
        ledger: where every call goes.
        directory: who may do what.
    """

    def __init__(self, config: GatewayConfig, ledger: Ledger, directory: Directory) -> None:
        self.config, self.ledger, self.directory = config, ledger, directory
        self.metrics = GatewayMetrics()
        classification = load_classification(config.classification) if config.classification is not None else None
        self.sanitizer = Sanitizer(FieldRules(config.fields, classification))
        self._tokens = TokenVerifier(config.issuers) if config.issuers else None
        self.upstreams = Upstreams(config.upstreams, config.limits)
        self._router = Router(config.names, frozenset(listen.port for listen in config.listen))
        self._preparer = Preparer(
            self.sanitizer, config.models, config.region.jurisdiction, ContentStore(config.content) if config.content is not None else None
        )
        self._pending: set[asyncio.Task[None]] = set()
        self._forwarder = Forwarder(self.upstreams, ledger, self.sanitizer, config.limits, config.region.name, self._pending)
        self._textfile: asyncio.Task[None] | None = None

    # ---- life

    async def start(self) -> None:
        """Open the way to the model hosts; called before anything listens."""
        await self.upstreams.start()
        if self.config.metrics.textfile is not None:
            self._textfile = asyncio.create_task(self._write_metrics(self.config.metrics.textfile))
        if self.config.metrics.listen is not None:
            self.metrics.serve(str(self.config.metrics.listen.address), self.config.metrics.listen.port)

    async def stop(self) -> None:
        """Wait for records under way, then close. Streams have been drained, or cancelled, by now."""
        if self._textfile is not None:
            self._textfile.cancel()
            await asyncio.gather(self._textfile, return_exceptions=True)
        if self._pending:
            await asyncio.gather(*self._pending, return_exceptions=True)
        await self.upstreams.close()
        await asyncio.to_thread(self.ledger.close)
        self.directory.close()

    async def _write_metrics(self, path: Path) -> None:
        while True:
            for host in self.upstreams.hosts:
                self.metrics.upstream_healthy.labels(host.url).set(host.healthy)
            self.metrics.ledger_records.set(self.ledger.size)
            try:
                await asyncio.to_thread(self.metrics.write, path)
            except OSError as error:
                log.error("metrics not written: %s", error)
            await asyncio.sleep(_TEXTFILE_SECONDS)

    # ---- calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            with self.metrics.open_calls.track_inprogress():
                await self._call(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = CallState(f"ctc_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}", client=(scope.get("client") or ("",))[0])
        surface: Surface = SURFACES["openai"]
        head_sent = False

        def started() -> None:
            nonlocal head_sent
            head_sent = True

        result = "refused"
        try:
            headers = dict(scope["headers"])
            surface = self._router.dialect(headers.get(b"host", b"").decode("latin-1").partition(":")[0].lower(), headers)
            state.surface, state.path = surface.name, f"{scope['method']} {scope['path']}"
            headers = headers_of(scope)
            state.host = self._router.host_of(scope, headers)
            surface, route = self._router.find(state.host, scope, headers)
            state.surface = surface.name
            directory = self.directory.snapshot()
            certificate = scope["extensions"]["curtilage"].get("client_certificate")
            state.caller = authenticate(headers, directory, tokens=self._tokens, certificate=certificate)
            if route is Route.MODELS:
                result = await self._models(state, surface, send)
                return
            body = await read_body(scope, headers, receive, limit=self.config.limits.body_bytes, seconds=self.config.limits.body_seconds)
            prepared = await self._preparer.prepare(state, surface, headers, body, directory)
            del body
            gone = asyncio.create_task(_until_gone(receive))
            try:
                result = await self._forwarder.forward(state, surface, prepared, send, started, gone)
            finally:
                gone.cancel()
        except Disconnected:
            result = "disconnected"
            await self._record_refusal(state, "client_disconnected", 499)
        except Refusal as refusal:
            result = "failed" if state.on_record else "refused"
            await self._refuse(state, surface, refusal, send, head_sent=head_sent)
        except Exception as error:  # noqa: BLE001 - whatever it was, the call is refused, recorded and told in its dialect
            # The type alone: a message may quote what it failed on.
            log.error("call %s: %s", state.id, type(error).__name__)
            result = "failed"
            internal = Refusal(Reason.INTERNAL, "the gateway failed; nothing was forwarded after that")
            await self._refuse(state, surface, internal, send, head_sent=head_sent)
        finally:
            self._measure(state, result)

    async def _models(self, state: CallState, surface: Surface, send: Send) -> str:
        """The models this gateway answers for; a call like any other, so it is on record before it is answered."""
        try:
            index = await self.ledger.intent(state.intent(self.config.region.name))
            state.on_record = True
            body = orjson.dumps(surface.models(sorted(self.config.models)))
            state.bytes_returned = len(body)
            await self.ledger.outcome(index, state.outcome("completed", 200))
        except LedgerUnavailable:
            raise Refusal(Reason.LEDGER_UNAVAILABLE, NO_LEDGER) from None
        await _respond(send, 200, body, state.id)
        return "completed"

    async def _refuse(self, state: CallState, surface: Surface, refusal: Refusal, send: Send, *, head_sent: bool) -> None:
        self.metrics.refusals.labels(refusal.reason.value).inc()
        if not state.on_record:
            await self._record_refusal(state, refusal.reason.value, refusal.status)
        if head_sent:
            raise ConnectionAbortedError("the answer broke off")  # the server closes the connection: no clean end that looks like one
        body = orjson.dumps(surface.error(refusal.reason, refusal.message, refusal.status, state.id))
        await _respond(send, refusal.status, body, state.id, close=state.bytes_received == 0, retry=refusal.status >= 500)

    async def _record_refusal(self, state: CallState, reason: str, status: int) -> None:
        state.path, state.host = self._shown(state.path), self._shown(state.host)
        try:
            await self.ledger.refused(state.refused(reason, status))
        except LedgerUnavailable as error:
            log.error("call %s refused and not on record: %s", state.id, error)

    def _shown(self, text: str) -> str:
        """Something from the request line, fit for a record: short, and without what the sanitizer takes out."""
        return self.sanitizer.clean_text(text[:160], Findings(Vault(secrets.token_bytes(32)))) if text else text

    def _measure(self, state: CallState, result: str) -> None:
        self.metrics.calls.labels(state.surface or "none", result).inc()
        for side, counts in (("request", state.removed), ("answer", state.removed_from_answer)):
            for type_, count in counts.items():
                self.metrics.removed.labels(type_, side).inc(count)
        if state.model_seconds:
            self.metrics.model.observe(state.model_seconds)
            self.metrics.overhead.observe(max(0.0, time.perf_counter() - state.started - state.model_seconds))


async def _until_gone(receive: Receive) -> None:
    """Returns when the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _respond(send: Send, status: int, body: bytes, call: str, *, close: bool = False, retry: bool = True) -> None:
    headers: list[tuple[bytes, bytes]] = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", call.encode()),
        (b"request-id", call.encode()),
        (b"x-curtilage-call", call.encode()),
    ]
    if not retry:
        headers.append((b"x-should-retry", b"false"))  # both vendors' SDKs obey it
    if close:
        headers.append((b"connection", b"close"))  # the body was not read: it must not be taken for the next request
    message: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": headers}
    await send(message)
    await send({"type": "http.response.body", "body": body})
