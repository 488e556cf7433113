"""One accepted call on its way to the model and back: the intent is durable before the first byte goes out, the outcome before the last
byte comes back, and also when the caller, the model or this process goes away in between.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from curtilage.audit.errors import LedgerUnavailable
from curtilage.audit.ledger import Ledger
from curtilage.gateway import sse
from curtilage.gateway.client import Connection
from curtilage.gateway.config import Limits
from curtilage.gateway.guard import TextGuard
from curtilage.gateway.prepare import Prepared
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.recheck import SECONDS, Rechecker, recheck
from curtilage.gateway.record import CallState
from curtilage.gateway.serving import Rollout, Wanted
from curtilage.gateway.surfaces import Operation
from curtilage.gateway.surfaces.base import MakeGuard
from curtilage.gateway.upstream import Lease, Upstreams, describe, read_bytes
from curtilage.gateway.wire import Disconnected, Send
from curtilage.matters.model import PersonalData, Snapshot
from curtilage.sanitize.sanitizer import Sanitizer

log = logging.getLogger("curtilage.gateway")

_NOT_AN_ANSWER = (ValueError, TypeError, KeyError, AttributeError, IndexError)

_MODELS_FAULT = frozenset({Reason.UPSTREAM_UNAVAILABLE, Reason.UPSTREAM_TIMEOUT, Reason.UPSTREAM_GARBAGE, Reason.UPSTREAM_TRUNCATED})
NO_LEDGER = "the call cannot be put on record, so it is not made"


class Closing:
    """Writes a call's one outcome, once, whoever asks first; a cancelled caller does not cancel the record."""

    def __init__(self, ledger: Ledger, index: int, state: CallState, pending: set[asyncio.Task[None]]) -> None:
        self._ledger, self._index, self._state, self._pending = ledger, index, state, pending
        self._task: asyncio.Task[None] | None = None
        self.result = ""
        self.reason: Reason | None = None

    async def write(self, result: str, status: int, reason: Reason | None = None) -> None:
        """Make the outcome durable. Raises :class:`LedgerUnavailable` when it is not (it is kept, and written when the disk takes it)."""
        if self._task is None:
            self.result, self.reason = result, reason
            record = self._state.outcome(
                result, status, reason.value if reason else None, {"upstream_status": self._state.upstream_status or None}
            )
            self._task = asyncio.create_task(self._write(record))
            self._pending.add(self._task)
            self._task.add_done_callback(self._pending.discard)
        await asyncio.shield(self._task)

    async def _write(self, record: Mapping[str, Any]) -> None:
        await self._ledger.outcome(self._index, record)


@dataclass(slots=True)
class Forwarder:
    """Sends prepared calls to the model hosts and relays their answers."""

    upstreams: Upstreams
    ledger: Ledger
    sanitizer: Sanitizer
    limits: Limits
    region: str
    pending: set[asyncio.Task[None]]
    current: Callable[[], Awaitable[Snapshot]]
    rollout: Rollout

    async def forward(
        self, state: CallState, operation: Operation, prepared: Prepared, send: Send, started: Callable[[], None], gone: asyncio.Task[None]
    ) -> str:
        """Carry out one call; returns its result. Refusals raised here come before any byte was sent to the caller."""
        assert state.matter is not None  # noqa: S101 - a call is prepared on a matter
        wanted = self.rollout.wanted(state.model, state.matter.derive("rollout"))
        lease = self.upstreams.lease(wanted) or await self._queued(wanted, gone)
        try:
            return await self._leased(state, operation, prepared, send, started, gone, lease)
        finally:
            lease.release()

    async def _queued(self, wanted: Wanted, gone: asyncio.Task[None]) -> Lease:
        """A place at a host, later; a caller that goes away meanwhile leaves the queue."""
        place = asyncio.ensure_future(self.upstreams.queue(wanted))
        await asyncio.wait({place, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not place.done():
            place.cancel()
            await asyncio.wait({place})
        if place.cancelled():
            raise Disconnected
        return place.result()

    async def _leased(
        self,
        state: CallState,
        operation: Operation,
        prepared: Prepared,
        send: Send,
        started: Callable[[], None],
        gone: asyncio.Task[None],
        lease: Lease,
    ) -> str:
        host = lease.host
        state.attempts.append(host.url)
        state.model_version = meant = host.versions.get(state.model, "")
        try:
            index = await self.ledger.intent(state.intent(self.region))
        except LedgerUnavailable:
            raise Refusal(Reason.LEDGER_UNAVAILABLE, NO_LEDGER) from None
        state.on_record = True
        state.attempts.clear()
        closing = Closing(self.ledger, index, state, self.pending)
        work = asyncio.ensure_future(self._work(state, operation, prepared, lease, send, started, closing))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
                await asyncio.wait({work})
            if work.cancelled():
                await closing.write("disconnected", 499)
            elif (error := work.exception()) is not None:
                raise error
        except Refusal as refusal:
            await self._write_failure(closing, refusal)
            raise
        except asyncio.CancelledError:
            work.cancel()
            await closing.write("interrupted", 499)
            raise
        except Exception:
            await closing.write("failed", 500, Reason.INTERNAL)
            raise
        finally:
            self._note(state, meant, closing)
        return closing.result

    def _note(self, state: CallState, meant: str, closing: Closing) -> None:
        """What the call says about the version that answered it, and about one that did not; a caller's mistake says nothing."""
        milliseconds = (time.perf_counter() - state.started) * 1000
        if state.model_version != meant:
            self.rollout.note(state.model, meant, failed=True, milliseconds=milliseconds)
        if closing.result == "completed" or closing.reason in _MODELS_FAULT:
            self.rollout.note(state.model, state.model_version, failed=closing.result != "completed", milliseconds=milliseconds)

    async def _write_failure(self, closing: Closing, refusal: Refusal) -> None:
        try:
            await closing.write("failed", refusal.status, refusal.reason)
        except LedgerUnavailable as error:
            log.error("an outcome waits for the disk: %s", error)

    def _make_guard(self, state: CallState, prepared: Prepared) -> MakeGuard:
        personal_data = state.matter is None or state.matter.personal_data is not PersonalData.ALLOW

        def make(in_json: bool) -> TextGuard:
            return TextGuard(self.sanitizer, prepared.vault, personal_data=personal_data, counts=state.removed_from_answer, in_json=in_json)

        return make

    async def _work(
        self,
        state: CallState,
        operation: Operation,
        prepared: Prepared,
        lease: Lease,
        send: Send,
        started: Callable[[], None],
        closing: Closing,
    ) -> None:
        asked = time.perf_counter()
        try:
            async with self.upstreams.post(lease, operation.upstream_path, prepared.body, attempts=state.attempts) as response:
                state.upstream_status = response.status
                state.model_version = self.upstreams.version(state.attempts, state.model)
                if response.status != 200:
                    await self._rejected(response)
                if prepared.stream:
                    await self._stream(state, operation, prepared, response, send, started, closing)
                else:
                    body = await self._whole(state, operation, prepared, response)
                    state.model_seconds = time.perf_counter() - asked
                    await self._send_whole(state, body, send, started, closing)
        except OSError as error:
            reason = Reason.UPSTREAM_TIMEOUT if isinstance(error, TimeoutError) else Reason.UPSTREAM_TRUNCATED
            raise Refusal(reason, "the local model's answer did not arrive whole") from None
        finally:
            state.model_seconds = state.model_seconds or time.perf_counter() - asked

    async def _rejected(self, response: Connection) -> None:
        """The model host said no: its words go to the caller only where they are about the caller's request."""
        body = await read_bytes(response, 1 << 20)
        if response.status in (400, 413, 422):
            try:
                said = describe(orjson.loads(body))
            except orjson.JSONDecodeError:
                said = describe(None)
            raise Refusal(Reason.UPSTREAM_REJECTED, f"the local model refused the request: {said}")
        if response.status in (429, 503):
            raise Refusal(Reason.UPSTREAM_UNAVAILABLE, "the local model hosts are busy")
        raise Refusal(Reason.UPSTREAM_GARBAGE, f"the local model host answered with status {response.status}")

    async def _whole(self, state: CallState, operation: Operation, prepared: Prepared, response: Connection) -> bytes:
        if response.content_type != "application/json":
            raise Refusal(Reason.UPSTREAM_GARBAGE, "the local model host did not answer with JSON")
        async with asyncio.timeout(self.limits.first_byte_seconds):
            body = await read_bytes(response, self.limits.answer_bytes)
        try:
            return orjson.dumps(operation.answer(orjson.loads(body), self._make_guard(state, prepared)))
        except _NOT_AN_ANSWER:
            raise Refusal(Reason.UPSTREAM_GARBAGE, "the local model host's answer is not one of this dialect") from None

    async def _send_whole(self, state: CallState, body: bytes, send: Send, started: Callable[[], None], closing: Closing) -> None:
        if state.model_seconds > SECONDS:
            recheck(state, await self.current())
        state.bytes_returned = len(body)
        state.commit("returned", body)
        try:
            await closing.write("completed", 200)
        except LedgerUnavailable:
            raise Refusal(Reason.LEDGER_UNAVAILABLE, "the answer cannot be put on record, so it is not given") from None
        started()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *_ids(state)]
        async with asyncio.timeout(self.limits.write_seconds):
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    async def _stream(
        self,
        state: CallState,
        operation: Operation,
        prepared: Prepared,
        response: Connection,
        send: Send,
        started: Callable[[], None],
        closing: Closing,
    ) -> None:
        if response.content_type != "text/event-stream":
            raise Refusal(Reason.UPSTREAM_GARBAGE, "the local model host did not answer with a stream")
        started()
        headers = [(b"content-type", operation.stream_type), (b"cache-control", b"no-cache"), *_ids(state)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        try:
            last = await self._relay(state, operation, prepared, response, send)
            await closing.write("completed", 200)
        except Refusal as refusal:
            # The head has gone: the stream ends in the dialect's error, never in a made-up stop.
            await self._write_failure(closing, refusal)
            last = operation.error_event(refusal.reason, refusal.message, state.id)
        except LedgerUnavailable:
            last = operation.error_event(Reason.LEDGER_UNAVAILABLE, "the answer's end cannot be put on record", state.id)
        async with asyncio.timeout(self.limits.write_seconds):
            await send({"type": "http.response.body", "body": last})

    async def _relay(self, state: CallState, operation: Operation, prepared: Prepared, response: Connection, send: Send) -> bytes:
        """Relay everything but the end, which is returned."""
        relay, parser = operation.relay(self._make_guard(state, prepared)), sse.Parser()
        gap, loop = self.limits.between_chunks_seconds, asyncio.get_running_loop()
        held, check = b"", Rechecker(state, self.current)
        try:
            last_moment, due = loop.time() + self.limits.call_seconds, 0.0
            async with asyncio.timeout(min(self.limits.first_byte_seconds, self.limits.call_seconds)) as deadline:
                async for chunk in response.chunks():
                    if check.due():
                        await check()
                    out, broken = b"", None
                    try:
                        for now, end in relay.feed_all(parser.feed(chunk)):
                            out += now
                            held += end
                    except _NOT_AN_ANSWER as error:
                        broken = error
                    if out:  # also what came before an unreadable event: the error goes behind it, where the dialect has it
                        state.bytes_returned += len(out)
                        await send({"type": "http.response.body", "body": out, "more_body": True})
                    if broken is not None:
                        raise broken
                    if (now_seconds := loop.time()) >= due:  # a frame every few milliseconds need not move a bound of many seconds
                        deadline.reschedule(min(now_seconds + gap, last_moment))
                        due = now_seconds + min(1.0, gap / 8)
        except TimeoutError:
            raise Refusal(Reason.UPSTREAM_TIMEOUT, "the local model stopped in the middle of its answer") from None
        except OSError:
            raise Refusal(Reason.UPSTREAM_TRUNCATED, "the local model's answer broke off") from None
        except _NOT_AN_ANSWER:
            raise Refusal(Reason.UPSTREAM_GARBAGE, "the local model's answer became unreadable") from None
        if not relay.finished or parser.has_rest:
            raise Refusal(Reason.UPSTREAM_TRUNCATED, "the local model's answer broke off")
        state.bytes_returned += len(held)
        return held


def _ids(state: CallState) -> list[tuple[bytes, bytes]]:
    """The call's id where each vendor's SDK looks for one, so that a caller can name the ledger entry."""
    value = state.id.encode()
    return [(b"x-request-id", value), (b"request-id", value), (b"x-curtilage-call", value)]
