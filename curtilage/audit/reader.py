"""Reading a ledger for queries and exports, beside a running writer. It trusts the files; ``audit verify`` is what checks them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from curtilage.audit.errors import LedgerCorrupt, LedgerError
from curtilage.audit.tiles import WIDTH, decode_bundle, tile_path
from curtilage.audit.wal import read_segments


def checkpoint_size(note: bytes) -> int:
    """The size a checkpoint states; its signature is not looked at."""
    try:
        return int(note.split(b"\n", 2)[1])
    except (IndexError, ValueError) as error:
        raise LedgerCorrupt("the checkpoint is malformed") from error


def read_entries(directory: Path) -> Iterator[bytes]:
    """Every durable record in order: tiles up to the checkpoint, then the segments."""
    if not (directory / "checkpoint").is_file():
        raise LedgerError(f"{directory}: no ledger here (no checkpoint file)")
    for _ in range(20):
        size = checkpoint_size((directory / "checkpoint").read_bytes())
        try:
            tail = _tail(directory, size)
        except FileNotFoundError:
            tail = None
        if tail is not None:
            break
        time.sleep(0.05)  # the writer turned a segment into tiles while we looked
    else:
        raise LedgerError(f"{directory}: the writer moves faster than it can be read; query a copy")
    for bundle in range(-(-size // WIDTH)):
        yield from read_bundle(directory, bundle, min(WIDTH, size - bundle * WIDTH))
    yield from tail


def read_bundle(directory: Path, index: int, width: int) -> list[bytes]:
    """The first ``width`` entries of a bundle, from its partial or its full file."""
    try:
        raw = (directory / tile_path("entries", index, width)).read_bytes()
    except FileNotFoundError:
        raw = (directory / tile_path("entries", index)).read_bytes()
    return decode_bundle(raw)[:width]


def _tail(directory: Path, size: int) -> list[bytes] | None:
    tail: list[bytes] = []
    for segment in read_segments(directory):
        if segment.base > size + len(tail):
            return None
        tail += segment.entries[max(0, size + len(tail) - segment.base) :]
    return tail


def read_records(directory: Path) -> Iterator[dict[str, Any]]:
    """:func:`read_entries`, parsed."""
    for entry in read_entries(directory):
        yield orjson.loads(entry)
