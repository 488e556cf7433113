"""Exports: the signed tree head to keep elsewhere, or the whole log under it as a tlog-tiles directory."""

from __future__ import annotations

from pathlib import Path

from curtilage.audit.errors import LedgerError
from curtilage.audit.reader import checkpoint_size, read_bundle
from curtilage.audit.tiles import WIDTH, encode_bundle, tile_path, write_durably
from curtilage.errors import ConfigError


def export_ledger(directory: Path, out: Path, *, tiles: bool) -> tuple[int, int]:
    """Write the export; returns ``(records, files)``. Works beside a running writer: tiles are immutable."""
    source = directory / "checkpoint"
    if not source.is_file():
        raise LedgerError(f"{directory}: no ledger here (no checkpoint file)")
    note = source.read_bytes()
    size = checkpoint_size(note)
    if not tiles:
        write_durably(out, note)
        return size, 1
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} exists", rule="an export goes into a new directory", fix="name another one")
    written, level, count = 1, 0, size
    while count:
        for index in range(-(-count // WIDTH)):
            width = min(WIDTH, count - index * WIDTH)
            write_durably(out / tile_path(level, index, width), _hashes(directory, level, index, width))
            if level == 0:
                write_durably(out / tile_path("entries", index, width), encode_bundle(read_bundle(directory, index, width)))
                written += 1
            written += 1
        count, level = count // WIDTH, level + 1
    write_durably(out / "checkpoint", note)
    return size, written


def _hashes(directory: Path, level: int, index: int, width: int) -> bytes:
    try:
        return (directory / tile_path(level, index, width)).read_bytes()
    except FileNotFoundError:  # the tile has filled up since the checkpoint
        return (directory / tile_path(level, index)).read_bytes()[: 32 * width]
