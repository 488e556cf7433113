"""The write-ahead segments: where a record becomes durable before it is in a tile.

A segment ``wal/<first index>`` is a row of frames, one per group commit::

    "CWAL" | first index u64 | count u32 | length u32 | SHA-256(previous frame's hash || these four || body) | body

and the body is a tlog entry bundle. A frame is written only after the frame before it is synced, so damage in the *last*
frame of the *last* segment is a commit that was never acknowledged and may be cut; damage anywhere else is corruption.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from curtilage.audit.errors import LedgerCorrupt
from curtilage.audit.tiles import decode_bundle, encode_bundle, sync_directory

MAGIC = b"CWAL"
_HEAD = struct.Struct(">4sQII")
FRAME_OVERHEAD = _HEAD.size + 32
_START = bytes(32)


def segment_path(directory: Path, base: int) -> Path:
    """Twenty digits, so that names sort by index."""
    return directory / "wal" / f"{base:020d}"


def frame(previous: bytes, base: int, entries: Sequence[bytes]) -> tuple[bytes, bytes]:
    """``(bytes, hash)`` of one group commit."""
    body = encode_bundle(entries)
    head = _HEAD.pack(MAGIC, base, len(entries), len(body))
    digest = sha256(previous + head + body).digest()
    return head + digest + body, digest


def _read_frame(data: bytes, at: int, previous: bytes, base: int) -> tuple[list[bytes], bytes, int] | None:
    """``(entries, hash, end)`` of the frame at ``at``, or None when it is not whole and right."""
    if at + FRAME_OVERHEAD > len(data):
        return None
    magic, first, count, length = _HEAD.unpack_from(data, at)
    end = at + FRAME_OVERHEAD + length
    if magic != MAGIC or first != base or end > len(data):
        return None
    head, digest, body = data[at : at + _HEAD.size], data[at + _HEAD.size : at + FRAME_OVERHEAD], data[at + FRAME_OVERHEAD : end]
    if sha256(previous + head + body).digest() != digest:
        return None
    entries = decode_bundle(body)
    return (entries, digest, end) if len(entries) == count else None


def _frame_after(data: bytes, at: int, base: int) -> bool:
    """Whether a later frame follows: a plausible head with a higher index, which a torn last write cannot have left."""
    place = data.find(MAGIC, at + 1)
    while place != -1:
        if place + FRAME_OVERHEAD <= len(data):
            _, first, count, length = _HEAD.unpack_from(data, place)
            if base < first < base + 2**32 and 0 < count <= length and place + FRAME_OVERHEAD + length <= len(data):
                return True
        place = data.find(MAGIC, place + 1)
    return False


@dataclass(frozen=True)
class Segment:
    """What one segment file holds."""

    path: Path
    base: int
    entries: list[bytes]
    good: int
    """Bytes up to the end of the last whole frame."""
    torn: bytes
    """What follows; empty in a clean segment."""


def read_segment(path: Path) -> Segment:
    """Read a segment; raises :class:`LedgerCorrupt` when a damaged frame is followed by another frame."""
    if not path.name.isdigit() or len(path.name) != 20:
        raise LedgerCorrupt(f"{path}: not a write-ahead segment")
    data, at, previous, base = path.read_bytes(), 0, _START, int(path.name)
    entries: list[bytes] = []
    while at < len(data):
        found = _read_frame(data, at, previous, base + len(entries))
        if found is None:
            if _frame_after(data, at, base + len(entries)):
                raise LedgerCorrupt(f"{path}: the frame at byte {at} is damaged, and a later frame follows it")
            break
        more, previous, at = found
        entries += more
    return Segment(path, int(path.name), entries, at, data[at:])


def read_segments(directory: Path) -> list[Segment]:
    """All segments in order; only the last one may be torn."""
    folder = directory / "wal"
    segments = [read_segment(path) for path in sorted(folder.iterdir())] if folder.is_dir() else []
    for segment in segments[:-1]:
        if segment.torn:
            raise LedgerCorrupt(f"{segment.path}: torn, but a later segment exists")
    return segments


class SegmentWriter:
    """Appends frames to one segment; a failed append leaves the file as it was."""

    def __init__(self, directory: Path, base: int) -> None:
        self.path = segment_path(directory, base)
        self.next = base
        self._directory = directory
        self._good = 0
        self._hash = _START
        self._descriptor = -1
        self.poisoned = False
        """After a failed sync nobody knows what the disk holds; the records go to tiles and a new segment begins."""

    def append(self, entries: Sequence[bytes]) -> None:
        """Write one frame and sync it; ``OSError`` means that none of these records exists."""
        data, digest = frame(self._hash, self.next, entries)
        if self._descriptor < 0:
            self._create()
        try:
            view, at = memoryview(data), self._good
            while view:
                written = os.pwrite(self._descriptor, view, at)
                view, at = view[written:], at + written
        except OSError:
            self._undo()
            raise
        try:
            os.fdatasync(self._descriptor)
        except OSError:
            self.poisoned = True
            self._undo()
            raise
        self._good += len(data)
        self._hash = digest
        self.next += len(entries)

    def _create(self) -> None:
        self.path.parent.mkdir(exist_ok=True)
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        try:
            sync_directory(self.path.parent)
            sync_directory(self._directory)
        except OSError:
            self.close()
            self.path.unlink(missing_ok=True)
            raise

    def _undo(self) -> None:
        try:
            os.ftruncate(self._descriptor, self._good)
            os.fdatasync(self._descriptor)
        except OSError:
            self.poisoned = True

    def close(self) -> None:
        """Close the file; it stays until a checkpoint covers it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
