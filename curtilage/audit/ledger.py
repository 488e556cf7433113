"""The ledger a gateway writes: an intent before anything is forwarded, an outcome at the end, both durable when awaited.

One writer thread commits whatever queued up while the last sync ran (group commit); one checkpoint thread turns durable
records into tiles and a signed tree head. Nothing here blocks the event loop but :meth:`Ledger.open` and :meth:`Ledger.close`.

When the disk refuses, new records fail with :class:`LedgerUnavailable` and the caller refuses its call. Outcomes of calls that
already ran are kept and written as soon as the disk takes them: their intents are durable, so they must not dangle.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from curtilage.audit.errors import LedgerUnavailable
from curtilage.audit.merkle import consistency_proof, inclusion_proof
from curtilage.audit.note import Signer
from curtilage.audit.proofs import TileHashes
from curtilage.audit.records import Kind, encode_body
from curtilage.audit.store import Pending, Store, pending_outcome

log = logging.getLogger("curtilage.audit")

_GROUP = 4096
_RETRY_SECONDS = 0.2
_QUEUE_LIMIT = 200_000


@dataclass
class LedgerStats:
    """Counters for metrics; none names a matter or a person."""

    records: int = 0
    groups: int = 0
    failures: int = 0
    checkpoints: int = 0
    checkpoint_failures: int = 0
    sync_seconds: float = 0.0


class Ledger:
    """An append-only ledger with one writer. Make one with :meth:`open`."""

    def __init__(self, store: Store, *, checkpoint_seconds: float, checkpoint_records: int) -> None:
        self._store = store
        self._every, self._after = checkpoint_seconds, checkpoint_records
        self.stats = LedgerStats()
        self._queue: list[Pending] = []
        self._kept: list[Pending] = []
        self._closing: set[int] = set()
        self._wake = threading.Condition()
        self._due = threading.Event()
        self._stopping = False
        self._unsealed = 0
        self._writer = threading.Thread(target=self._write_loop, name="ledger-writer", daemon=True)
        self._sealer = threading.Thread(target=self._checkpoint_loop, name="ledger-checkpoint", daemon=True)
        self._writer.start()
        self._sealer.start()

    @classmethod
    def open(
        cls,
        directory: Path | str,
        signer: Signer,
        *,
        origin: str | None = None,
        checkpoint_seconds: float = 1.0,
        checkpoint_records: int = 16384,
    ) -> Ledger:
        """Lock, recover and open a ledger, creating it when the directory is empty.

        Args:
            directory: where it lives; one ledger, one directory, one writer.
            signer: the Ed25519 key that signs checkpoints.
            origin: the ledger's name in its checkpoints; the signer's name unless told.
            checkpoint_seconds: the longest time durable records stay outside a signed tree head.
            checkpoint_records: as many records end that time early.

        Raises:
            LedgerBusy: another process writes it.
            LedgerCorrupt: what is on disk contradicts its hashes or signature.
            LedgerUnavailable: the disk refuses.
        """
        try:
            store = Store(Path(directory), signer, origin or signer.name)
        except OSError as error:
            raise LedgerUnavailable(f"{directory}: {error}") from error
        return cls(store, checkpoint_seconds=checkpoint_seconds, checkpoint_records=checkpoint_records)

    @property
    def size(self) -> int:
        """Durable records."""
        return self._store.size

    @property
    def open_calls(self) -> int:
        """Intents without a durable outcome."""
        return len(self._store.open)

    @property
    def checkpoint_note(self) -> bytes:
        """The newest signed tree head."""
        return self._store.note

    @property
    def checkpoint_size(self) -> int:
        """Records under the newest signed tree head."""
        return self._store.edge.size

    async def intent(self, record: Mapping[str, Any]) -> int:
        """Record that a call is about to be forwarded; returns its index once it is durable.

        ``record["call"]`` is the call's id. When the waiting task is cancelled, the call is closed as interrupted.
        """
        call, body = _parts(record)
        if call is None:
            raise ValueError('an intent has a "call" id')
        return await self._submit(Kind.INTENT, body, call, None)

    async def outcome(self, intent_index: int, record: Mapping[str, Any]) -> int:
        """Record how the call of an intent ended; each intent takes exactly one outcome.

        Raises:
            LedgerUnavailable: not durable yet, but kept and written when the disk takes it (``kept`` is True).
        """
        call = self._store.open.get(intent_index)
        if call is None or intent_index in self._closing:
            raise ValueError(f"record {intent_index} is no intent that waits for an outcome")
        _, body = _parts(record)
        self._closing.add(intent_index)
        return await self._submit(Kind.OUTCOME, body, call, intent_index)

    async def refused(self, record: Mapping[str, Any]) -> int:
        """Record a call that was refused before it could be forwarded; it has no outcome."""
        return await self._single(Kind.REFUSED, record)

    async def event(self, record: Mapping[str, Any]) -> int:
        """Record something that is not a call: a change of keys, matters, configuration."""
        return await self._single(Kind.EVENT, record)

    def inclusion(self, index: int) -> tuple[bytes, list[bytes]]:
        """``(checkpoint note, proof)`` that a record is under the newest tree head. Reads tiles: call it in a thread."""
        note, size = self._store.note, self._store.edge.size
        return note, inclusion_proof(index, size, TileHashes(self._store.directory, size))

    def consistency(self, old_size: int) -> tuple[bytes, list[bytes]]:
        """``(checkpoint note, proof)`` that the newest tree head extends one of ``old_size`` records. Reads tiles."""
        note, size = self._store.note, self._store.edge.size
        return note, consistency_proof(old_size, size, TileHashes(self._store.directory, size))

    def checkpoint(self) -> bytes:
        """Sign a tree head over everything durable now, and return it. Blocks."""
        try:
            if self._store.checkpoint():
                self.stats.checkpoints += 1
                self._unsealed = 0
        except OSError as error:
            self.stats.checkpoint_failures += 1
            raise LedgerUnavailable(f"{self._store.directory}: {error}") from error
        return self._store.note

    def close(self) -> None:
        """Write what is queued, close dangling intents as interrupted, sign a last tree head, let go of the lock."""
        with self._wake:
            if self._stopping:
                return
            self._stopping = True
            self._wake.notify()
        self._writer.join()
        self._due.set()
        self._sealer.join()
        try:
            rest = [
                pending_outcome(index, call, {"result": "interrupted", "reason": "the ledger was closed before the call ended"})
                for index, call in self._store.open.items()
                if index not in self._closing
            ]
            for group in (self._kept, rest):
                if group:
                    self._store.append(group)
            self._store.checkpoint()
        except OSError as error:
            log.error("%s: closed without a last checkpoint: %s", self._store.directory, error)
        finally:
            self._store.close()

    async def _single(self, kind: Kind, record: Mapping[str, Any]) -> int:
        call, body = _parts(record)
        return await self._submit(kind, body, call, None)

    async def _submit(self, kind: Kind, body: bytes, call: bytes | None, intent: int | None) -> int:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()

        def settle(result: int | Exception) -> None:
            if future.done():  # cancelled, or an outcome that was kept and is written now
                if future.cancelled() and kind is Kind.INTENT and isinstance(result, int):
                    self._abandon(result, call or b'""')
            elif isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

        item = Pending(kind, body, call, intent, settle, loop)
        with self._wake:
            if self._stopping:
                raise LedgerUnavailable("the ledger is closed")
            if len(self._queue) >= _QUEUE_LIMIT and intent is None:
                raise LedgerUnavailable("too many records wait for the disk")
            self._queue.append(item)
            if len(self._queue) == 1:
                self._wake.notify()
        try:
            return await future
        except asyncio.CancelledError:
            # Cancelled after the index was set but before this task woke up: the caller never learns the index.
            if kind is Kind.INTENT and not future.cancelled() and future.exception() is None:
                self._abandon(future.result(), call or b'""')
            raise

    def _abandon(self, index: int, call: bytes) -> None:
        """The caller was cancelled while its intent became durable: nobody else will ever close it."""
        self._closing.add(index)
        with self._wake:
            if not self._stopping:
                self._queue.append(
                    pending_outcome(index, call, {"result": "interrupted", "reason": "the caller went away before anything was forwarded"})
                )
                self._wake.notify()
            else:
                self._closing.discard(index)

    def _write_loop(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._stopping:
                    if not self._wake.wait(_RETRY_SECONDS if self._kept else None):
                        break
                batch, self._queue = self._kept + self._queue[:_GROUP], self._queue[_GROUP:]
                if not batch and self._stopping:
                    return
            if batch:
                self._write(batch)

    def _write(self, batch: list[Pending]) -> None:
        started = time.perf_counter()
        try:
            first = self._store.append(batch)
        except Exception as error:  # noqa: BLE001 - whatever it was, the waiting calls must hear of it and the writer must live on
            self._fail(batch, error)
            return
        self._kept = []
        self.stats.records += len(batch)
        self.stats.groups += 1
        self.stats.sync_seconds += time.perf_counter() - started
        self._closing.difference_update([item.intent for item in batch if item.intent is not None])
        _tell([(item, first + at) for at, item in enumerate(batch)])
        self._unsealed += len(batch)
        if self._unsealed >= self._after:
            self._due.set()

    def _fail(self, batch: list[Pending], error: Exception) -> None:
        known = {id(item) for item in self._kept}
        self._kept = [item for item in batch if item.intent is not None]
        self.stats.failures += 1
        log.error("%s: %s", self._store.directory, error)
        _tell(
            [
                (item, LedgerUnavailable(f"the record is not durable: {error}", kept=item.intent is not None))
                for item in batch
                if id(item) not in known
            ]
        )
        if self._stopping:
            with self._wake:
                rest, self._queue = self._queue, []
            self._kept += [item for item in rest if item.intent is not None]
            _tell([(item, LedgerUnavailable("the ledger is closed", kept=item.intent is not None)) for item in rest])
        self._due.set()

    def _checkpoint_loop(self) -> None:
        while not self._stopping:
            self._due.wait(self._every)
            self._due.clear()
            try:
                self.checkpoint()
            except LedgerUnavailable as error:
                log.error("no checkpoint: %s", error)
                time.sleep(_RETRY_SECONDS)
            except Exception:  # the thread must outlive anything; the counter shows it
                self.stats.checkpoint_failures += 1
                log.exception("no checkpoint")
                time.sleep(_RETRY_SECONDS)


def _parts(record: Mapping[str, Any]) -> tuple[bytes | None, bytes]:
    """The call's id as JSON, and the canonical bytes of everything else."""
    call = record.get("call")
    if call is None:
        return None, encode_body(record)
    if not isinstance(call, str) or not 0 < len(call) <= 200:
        raise ValueError('"call" is a text of 1 to 200 characters')
    return orjson.dumps(call), encode_body({key: value for key, value in record.items() if key != "call"})


def _tell(results: list[tuple[Pending, int | Exception]]) -> None:
    """Settle each record in the loop that waits for it, one wake-up per loop and group."""
    loops: dict[asyncio.AbstractEventLoop | None, list[tuple[Pending, int | Exception]]] = {}
    for item, result in results:
        loops.setdefault(item.loop, []).append((item, result))
    for loop, group in loops.items():
        if loop is None:
            _settle(group)
            continue
        try:
            loop.call_soon_threadsafe(_settle, group)
        except RuntimeError:  # that loop is closed; nobody waits any more
            log.warning("%d results had nobody waiting", len(group))


def _settle(group: list[tuple[Pending, int | Exception]]) -> None:
    for item, result in group:
        item.done(result)
