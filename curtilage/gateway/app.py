"""The gateway as an ASGI application: dispatch, refusals in dialect, and a record of every call whatever becomes of it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from curtilage.audit.content import ContentStore
from curtilage.audit.errors import LedgerUnavailable
from curtilage.audit.ledger import Ledger
from curtilage.audit.push import PushStats
from curtilage.gateway.cedar import CedarPolicies
from curtilage.gateway.config import GatewayConfig
from curtilage.gateway.current import CurrentDirectory
from curtilage.gateway.forward import NO_LEDGER, Forwarder
from curtilage.gateway.identity import authenticate, authenticate_signed, expect_signer, is_signed
from curtilage.gateway.metrics import GatewayMetrics
from curtilage.gateway.prepare import Preparer
from curtilage.gateway.pressure import BudgetKeeper, later_headers
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.record import CallState, timestamp
from curtilage.gateway.routing import Router
from curtilage.gateway.serving import Rollout
from curtilage.gateway.surfaces import SURFACES, Dialect
from curtilage.gateway.tokens import TokenVerifier
from curtilage.gateway.upstream import Upstreams
from curtilage.gateway.wire import Disconnected, Receive, Scope, Send, headers_of, read_body
from curtilage.matters.directory import Directory
from curtilage.sanitize.classification import load as load_classification
from curtilage.sanitize.fields import FieldRules
from curtilage.sanitize.placeholders import Vault
from curtilage.sanitize.sanitizer import Findings, Sanitizer

log = logging.getLogger("curtilage.gateway")

_ROLLOUT_SECONDS = 1.0
_SAMPLE = "Dear Ms Anna Schmidt, the parties met."


class Gateway:
    """One gateway process.

    Args:
        config: the checked configuration.
        ledger: where every call goes.
        directory: who may do what.
    """

    def __init__(self, config: GatewayConfig, ledger: Ledger, directory: Directory) -> None:
        self.ledger, self.directory = ledger, directory
        self._current = CurrentDirectory(directory)
        self.metrics = GatewayMetrics()
        self.upstreams = Upstreams(config.upstreams, config.limits)
        self.live: dict[str, CallState] = {}
        self.config_error = ""  # why the configuration on disk is not the one in force
        self._pending: set[asyncio.Task[Any]] = set()
        self.rollout = Rollout(None, None, {})
        self._served: tuple[object, dict[str, str]] = (None, {})
        self._watch: asyncio.Task[None] | None = None
        self.push_stats: PushStats | None = None  # the server's, where heads are pushed to an evidence store
        self._build(config)

    def _build(self, config: GatewayConfig) -> None:
        """Everything that a configuration decides; put in place at once, when all of it could be made."""
        classification = load_classification(config.classification) if config.classification is not None else None
        sanitizer = Sanitizer(FieldRules(config.fields, classification))
        tokens = TokenVerifier(config.issuers) if config.issuers else None
        content = ContentStore(config.content) if config.content is not None else None
        region = config.region
        policies = CedarPolicies(config.policies, region.name, region.jurisdiction) if config.policies is not None else None
        preparer = Preparer(sanitizer, config.models, region.jurisdiction, content, config.tasks, policies)
        part = config.serving
        if (part, config.models) != self._served:
            self._served = part, config.models
            self.rollout = Rollout(part.file if part else None, part.withdrawn if part else None, config.models)
        self.config, self.sanitizer, self._tokens, self._preparer = config, sanitizer, tokens, preparer
        self._router = Router(config.names, frozenset(listen.port for listen in config.listen))
        self._budgets = BudgetKeeper(config.budgets, config.workers)
        self._forwarder = Forwarder(
            self.upstreams, self.ledger, sanitizer, config.limits, region.name, self._pending, self._current, self.rollout
        )

    def reconfigure(self, config: GatewayConfig) -> None:
        """Take another configuration from the next call on; calls under way end under the one they began with."""
        self._build(config)
        self.upstreams.reconfigure(config.upstreams, config.limits)

    def note_event(self, record: Mapping[str, Any]) -> None:
        """Put something that is not a call on the ledger, without waiting for it."""
        task = asyncio.get_running_loop().create_task(self._event(record))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _event(self, record: Mapping[str, Any]) -> None:
        try:
            await self.ledger.event({"at": timestamp(), **record})
        except LedgerUnavailable as error:
            log.error("a change is not on record: %s", error)

    # ---- life

    async def start(self) -> None:
        """Open the way to the model hosts; called before anything listens."""
        self.sanitizer.spans(_SAMPLE)  # reads the tables of names, which would keep the first call waiting, and all that came after it
        await self.upstreams.start()
        self._watch = asyncio.create_task(self._watch_rollout())

    async def _watch_rollout(self) -> None:
        while True:
            await asyncio.sleep(_ROLLOUT_SECONDS)
            self.rollout.refresh()
            self.rollout.judge()
            self.metrics.show_canaries(self.rollout)

    async def stop(self) -> None:
        """Wait for records under way, then close. Streams have been drained, or cancelled, by now."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._pending:
            await asyncio.gather(*self._pending, return_exceptions=True)
        await self.upstreams.close()
        await asyncio.to_thread(self.ledger.close)
        await asyncio.to_thread(self._current.close)

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
        self.live[state.id] = state
        dialect: Dialect = SURFACES["openai"]
        head_sent = False

        def started() -> None:
            nonlocal head_sent
            head_sent = True

        result = "refused"
        try:
            headers = dict(scope["headers"])
            host = headers.get(b"host", b"").decode("latin-1").partition(":")[0].lower()
            dialect = self._router.dialect(host, headers, scope["path"])
            state.surface, state.path = dialect.name, f"{scope['method']} {scope['path']}"
            headers = headers_of(scope)
            state.host = self._router.host_of(scope, headers)
            match = self._router.find(state.host, scope, headers)
            dialect, operation = match.dialect, match.operation
            state.surface = dialect.name
            directory = await self._current()
            certificate = scope["extensions"]["curtilage"].get("client_certificate")
            signed = is_signed(headers)
            if signed:
                expect_signer(headers, directory)
            else:
                state.caller = authenticate(
                    headers, directory, tokens=self._tokens, certificate=certificate, query_key=match.asked.query.get("key", "")
                )
            if operation is None:
                if signed:
                    state.caller = authenticate_signed(scope, headers, b"", directory, certificate=certificate)
                result = await self._models(state, dialect, send)
                return
            body = await read_body(scope, headers, receive, limit=self.config.limits.body_bytes, seconds=self.config.limits.body_seconds)
            if signed:  # the signature covers the body
                state.caller = authenticate_signed(scope, headers, body, directory, certificate=certificate)
            prepared = await self._preparer.prepare(state, operation, headers, body, directory, self.rollout.served_as)
            del body
            self._charge(state)
            gone = asyncio.create_task(_until_gone(receive))
            try:
                result = await self._forwarder.forward(state, operation, prepared, send, started, gone)
            finally:
                gone.cancel()
        except Disconnected:
            result = "disconnected"
            await self._record_refusal(state, "client_disconnected", 499)
        except Refusal as refusal:
            result = "failed" if state.on_record else "refused"
            await self._refuse(state, dialect, refusal, send, head_sent=head_sent)
        except Exception as error:  # noqa: BLE001 - whatever it was, the call is refused, recorded and told in its dialect
            # The type alone: a message may quote what it failed on.
            log.error("call %s: %s", state.id, type(error).__name__)
            result = "failed"
            internal = Refusal(Reason.INTERNAL, "the gateway failed; nothing was forwarded after that")
            await self._refuse(state, dialect, internal, send, head_sent=head_sent)
        finally:
            del self.live[state.id]
            self._measure(state, result)

    async def _models(self, state: CallState, dialect: Dialect, send: Send) -> str:
        """The models this gateway answers for; a call like any other, so it is on record before it is answered."""
        try:
            index = await self.ledger.intent(state.intent(self.config.region.name))
            state.on_record = True
            body = orjson.dumps(dialect.models(sorted(self.config.models)))
            state.bytes_returned = len(body)
            await self.ledger.outcome(index, state.outcome("completed", 200))
        except LedgerUnavailable:
            raise Refusal(Reason.LEDGER_UNAVAILABLE, NO_LEDGER) from None
        await _respond(send, 200, body, state.id)
        return "completed"

    async def _refuse(self, state: CallState, dialect: Dialect, refusal: Refusal, send: Send, *, head_sent: bool) -> None:
        self.metrics.refusals.labels(refusal.reason.value).inc()
        if not state.on_record:
            await self._record_refusal(state, refusal.reason.value, refusal.status)
        if head_sent:
            raise ConnectionAbortedError("the answer broke off")  # the server closes the connection: no clean end that looks like one
        body = orjson.dumps(dialect.error(refusal.reason, refusal.message, refusal.status, state.id))
        later = later_headers(dialect.name, refusal)
        extra = [*dialect.error_headers(refusal.status), *later]
        retry = refusal.status >= 500 or bool(later)
        await _respond(send, refusal.status, body, state.id, close=state.bytes_received == 0, retry=retry, extra=extra)

    async def _record_refusal(self, state: CallState, reason: str, status: int) -> None:
        state.path, state.host = self._shown(state.path), self._shown(state.host)
        try:
            await self.ledger.refused(state.refused(reason, status))
        except LedgerUnavailable as error:
            log.error("call %s refused and not on record: %s", state.id, error)

    def _shown(self, text: str) -> str:
        """Something from the request line, fit for a record: short, and without what the sanitizer takes out."""
        return self.sanitizer.clean_text(text[:160], Findings(Vault(secrets.token_bytes(32)))) if text else text

    def _charge(self, state: CallState) -> None:
        assert state.caller is not None and state.matter is not None  # noqa: S101, PT018 - both were decided
        self._budgets.take(state.caller.identity.id, state.matter.id, state.bytes_received)

    def _measure(self, state: CallState, result: str) -> None:
        self.metrics.calls.labels(state.surface or "none", result).inc()
        if state.bytes_returned and state.caller is not None and state.matter is not None:
            self._budgets.charge(state.caller.identity.id, state.matter.id, state.bytes_returned)
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


async def _respond(
    send: Send, status: int, body: bytes, call: str, *, close: bool = False, retry: bool = True, extra: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    headers: list[tuple[bytes, bytes]] = [
        *extra,
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
