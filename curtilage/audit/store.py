"""The ledger on disk, without threads: lock, recover, append a group, checkpoint.

Directory of a ledger::

    lock          flock of the one writer
    checkpoint    signed tree head (the last thing a checkpoint writes)
    tile/…        C2SP tlog-tiles up to the checkpoint
    open.json     the intents without outcome at the checkpoint, so that opening need not read every record
    wal/<index>   records after the checkpoint
    recovered/…   bytes of a torn commit that was cut on opening
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from curtilage.audit.errors import LedgerBusy, LedgerCorrupt
from curtilage.audit.note import Checkpoint, NoteError, Signer
from curtilage.audit.records import Clock, Kind, encode_body, envelope, microseconds
from curtilage.audit.tiles import WIDTH, Edge, decode_bundle, sync_directory, tile_path, write_durably, write_file
from curtilage.audit.wal import SegmentWriter, read_segments

log = logging.getLogger("curtilage.audit")

_SYNC_THREADS = 8


@dataclass(slots=True, eq=False)
class Pending:
    """A record on its way to the disk. ``call`` is its JSON form; ``done`` hears the index or the error."""

    kind: Kind
    body: bytes
    call: bytes | None
    intent: int | None
    done: Callable[[int | Exception], None]
    loop: asyncio.AbstractEventLoop | None = None
    """The loop in which ``done`` is called; None: in the writer's thread."""


def pending_outcome(intent: int, call: bytes, record: dict[str, Any]) -> Pending:
    """An outcome that nobody waits for."""
    return Pending(Kind.OUTCOME, encode_body(record), call, intent, lambda result: None)


class Store:
    """One writer's view of a ledger directory. ``append`` and ``checkpoint`` may run in different threads."""

    def __init__(self, directory: Path, signer: Signer, origin: str) -> None:
        self.directory, self.origin = directory, origin
        self._signer = signer
        self._write_lock, self._checkpoint_lock = threading.Lock(), threading.Lock()
        self.clock = Clock()
        self.open: dict[int, bytes] = {}
        self._tail: list[bytes] = []  # durable in the current segment
        self._integrating: list[bytes] = []  # durable in closed segments, not yet in tiles
        self._blocked = False
        self._writer: SegmentWriter
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._lock = self._take_lock()
        try:
            self.edge, self.note = self._load_checkpoint()
            self._recover()
        except BaseException:
            os.close(self._lock)
            raise

    @property
    def size(self) -> int:
        """Durable records, in tiles or not."""
        return self._writer.next

    def append(self, batch: Sequence[Pending]) -> int:
        """Make a group durable with one sync; returns the first index. ``OSError`` means that none of them exists."""
        with self._write_lock:
            if self._blocked or self._writer.poisoned:
                raise OSError("the last sync failed; waiting for a checkpoint to write the records elsewhere")
            first, entries, newest = self._writer.next, [], self.clock.newest_us
            for index, item in enumerate(batch, first):
                stamp, back = self.clock.stamp()
                entries.append(envelope(item.kind, index, stamp, item.body, call=item.call, intent=item.intent, clock_back_us=back))
            try:
                self._writer.append(entries)
            except OSError:
                self.clock.newest_us = newest
                raise
            self._tail += entries
            for index, item in enumerate(batch, first):
                if item.kind is Kind.INTENT:
                    self.open[index] = item.call or b'""'
                elif item.intent is not None:
                    self.open.pop(item.intent, None)
            return first

    def checkpoint(self) -> bool:
        """Bring tiles and signed tree head up to every durable record; False when nothing was new.

        Every step can fail and be repeated: tiles are immutable and written before the head that names them, and segments
        go only after it.
        """
        with self._checkpoint_lock:
            with self._write_lock:
                if self._tail or self._writer.poisoned:
                    self._blocked = self._blocked or self._writer.poisoned
                    self._writer.close()
                    self._integrating += self._tail
                    self._tail = []
                    self._writer = SegmentWriter(self.directory, self._writer.next)
                state = orjson.dumps(
                    {
                        "newest_us": self.clock.newest_us,
                        "open": {str(index): orjson.loads(call) for index, call in self.open.items()},
                        "size": self._writer.next,
                    },
                    option=orjson.OPT_SORT_KEYS,
                )
            if not self._integrating and not self._blocked:
                return False
            edge, files = self.edge.extend(self._integrating)
            self._write_files(files)
            write_durably(self.directory / "open.json", state)
            note = Checkpoint(self.origin, edge.size, edge.root()).sign(self._signer)
            write_durably(self.directory / "checkpoint", note)
            before, self.edge, self.note, self._integrating = self.edge.size, edge, note, []
            self._drop_covered(before)
            self._blocked = False
            return True

    def close(self) -> None:
        """Let go of the files and the lock."""
        self._writer.close()
        os.close(self._lock)

    def _take_lock(self) -> int:
        descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise LedgerBusy(f"{self.directory}: another process writes this ledger; stop it first, or use another directory") from error
        return descriptor

    def _load_checkpoint(self) -> tuple[Edge, bytes]:
        path = self.directory / "checkpoint"
        if not path.exists():
            if rest := sorted(entry.name for entry in self.directory.iterdir() if entry.name not in ("lock", "checkpoint.tmp")):
                raise LedgerCorrupt(f"{self.directory}: no checkpoint, but {', '.join(rest)}; restore the directory from its copy")
            edge = Edge.empty()
            note = Checkpoint(self.origin, 0, edge.root()).sign(self._signer)
            write_durably(path, note)
            return edge, note
        note = path.read_bytes()
        try:
            head = Checkpoint.open(note, self._signer.verifier)
            edge = Edge.load(self.directory, head.size)
        except (NoteError, ValueError, OSError) as error:
            raise LedgerCorrupt(f"{self.directory}: {error}") from error
        if head.origin != self.origin:
            raise LedgerCorrupt(f"{self.directory}: the ledger of {head.origin!r}, not of {self.origin!r}")
        if edge.root() != head.root:
            raise LedgerCorrupt(f"{self.directory}: the tiles do not hash to the checkpoint of {head.size} records")
        return edge, note

    def _recover(self) -> None:
        for litter in self.directory.rglob("*.tmp"):
            litter.unlink()
        segments = read_segments(self.directory)
        cut = b""
        size = self.edge.size
        for segment in segments:
            if segment.torn:
                cut = segment.torn
                self._keep_torn(segment.path, segment.good, cut)
            end = segment.base + len(segment.entries)
            if segment.base > size:
                raise LedgerCorrupt(f"{segment.path}: records {size} to {segment.base - 1} are missing")
            self._integrating += segment.entries[max(0, size - segment.base) :]
            size = max(size, end)
        self._writer = SegmentWriter(self.directory, size)
        self._load_open()
        self._blocked = bool(segments)  # so that the checkpoint clears covered segments even when it has nothing to add
        self.checkpoint()
        closing = [
            pending_outcome(index, call, {"result": "interrupted", "reason": "the writer stopped before the call ended"})
            for index, call in self.open.items()
        ]
        if cut:
            log.warning("%s: cut %d bytes of a commit that was never acknowledged", self.directory, len(cut))
            body = encode_body({"cut_bytes": len(cut), "cut_sha256": sha256(cut).hexdigest(), "event": "recovered"})
            closing.insert(0, Pending(Kind.EVENT, body, None, None, lambda result: None))
        for at in range(0, len(closing), 4096):
            self.append(closing[at : at + 4096])
        self.checkpoint()

    def _keep_torn(self, path: Path, good: int, cut: bytes) -> None:
        write_durably(self.directory / "recovered" / f"{path.name}-{good}-{sha256(cut).hexdigest()[:16]}", cut)
        with path.open("r+b") as stream:
            stream.truncate(good)
            os.fsync(stream.fileno())

    def _load_open(self) -> None:
        """The intents without outcome, and the newest stamp: from ``open.json`` where it fits the checkpoint, else from the records."""
        try:
            state = orjson.loads((self.directory / "open.json").read_bytes())
            fits = state["size"] == self.edge.size
        except (OSError, ValueError, KeyError, TypeError):
            fits = False
        if fits:
            self.open = {int(index): orjson.dumps(call) for index, call in state["open"].items()}
            self.clock.newest_us = int(state["newest_us"])
        else:
            for entry in self._entries():
                self._replay(entry)
        for entry in self._integrating:
            self._replay(entry)

    def _replay(self, entry: bytes) -> None:
        record = orjson.loads(entry)
        self.clock.newest_us = max(self.clock.newest_us, microseconds(record["time"]))
        if record["kind"] == Kind.INTENT:
            self.open[record["index"]] = orjson.dumps(record["call"])
        elif "intent" in record:
            self.open.pop(record["intent"], None)

    def _entries(self) -> Iterator[bytes]:
        for bundle in range(self.edge.size // WIDTH):
            yield from decode_bundle((self.directory / tile_path("entries", bundle)).read_bytes())
        yield from self.edge.bundle

    def _write_files(self, files: dict[str, bytes]) -> None:
        """Write, sync, rename: several syncs at once, because a file system commits neighbours together."""
        folders: set[Path] = set()
        for name in files:
            path = (self.directory / name).parent
            path.mkdir(parents=True, exist_ok=True)
            while path not in folders and path != self.directory:
                folders.add(path)
                path = path.parent
        with ThreadPoolExecutor(_SYNC_THREADS) as pool:
            list(pool.map(lambda item: write_file(self.directory / item[0], item[1]), files.items()))
            list(pool.map(sync_directory, [self.directory, *folders]))

    def _drop_covered(self, before: int) -> None:
        """Remove segments that tiles cover now, and partial tiles whose full tile exists; a failure here only leaves litter."""
        try:
            for path in (self.directory / "wal").glob("*"):
                if self._blocked or int(path.name) < self.edge.size:
                    path.unlink()
            for level in ("entries", *range(len(self.edge.levels))):
                span = WIDTH if level == "entries" else WIDTH ** (int(level) + 1)
                for index in range(before // span, self.edge.size // span):
                    shutil.rmtree(self.directory / (tile_path(level, index) + ".p"), ignore_errors=True)
        except OSError as error:
            log.warning("%s: %s", self.directory, error)
