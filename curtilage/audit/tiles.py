"""The tree on disk as C2SP tlog-tiles: hash tiles, entry bundles, partial tiles (c2sp.org/tlog-tiles)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from curtilage.audit.merkle import fold, leaf_hash

WIDTH = 256
_LENGTH = struct.Struct(">H")
MAX_ENTRY = 0xFFFF


def index_path(index: int) -> str:
    """``1234067`` is ``x001/x234/067``."""
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[place : place + 3] for place in range(0, len(digits), 3)]
    return "/".join([f"x{group}" for group in groups[:-1]] + [groups[-1]])


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Path of a tile, relative to the log; ``level`` is ``"entries"`` for bundles."""
    return f"tile/{level}/{index_path(index)}" + ("" if width == WIDTH else f".p/{width}")


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Entries with big-endian uint16 length prefixes."""
    return b"".join([part for entry in entries for part in (_LENGTH.pack(len(entry)), entry)])


def decode_bundle(bundle: bytes) -> list[bytes]:
    """The entries of a bundle; raises ``ValueError`` when lengths and bytes do not fit."""
    entries, at, end = [], 0, len(bundle)
    while at < end:
        if at + 2 > end:
            raise ValueError("a bundle ends inside a length")
        length = bundle[at] << 8 | bundle[at + 1]
        at += 2 + length
        if at > end:
            raise ValueError("a bundle ends inside an entry")
        entries.append(bundle[at - length : at])
    return entries


def write_file(path: Path, content: bytes | memoryview) -> None:
    """Write, sync and rename, so that the name never stands for half a file. The name itself is durable after a sync of its directory."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def write_durably(path: Path, content: bytes | memoryview) -> None:
    """:func:`write_file`, and the name durable too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, content)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Edge:
    """The right edge of the tree: per level, the hashes of the tile that is not yet full.

    :meth:`extend` gives a new edge and the files that take the tree there; nothing is written and the old edge is unchanged,
    so a full disk in the middle costs nothing but a retry.
    """

    def __init__(self, size: int, levels: Sequence[Sequence[bytes]], bundle: Sequence[bytes]) -> None:
        self.size = size
        self.levels = [list(level) for level in levels]
        self.bundle = list(bundle)

    @classmethod
    def empty(cls) -> Edge:
        """The edge of the tree without records."""
        return cls(0, [], [])

    @classmethod
    def load(cls, directory: Path, size: int) -> Edge:
        """Read the edge of a tree of ``size`` from its tiles; raises ``ValueError`` or ``OSError`` when they do not fit."""
        levels: list[list[bytes]] = []
        count, level = size, 0
        while count:
            width = count % WIDTH
            raw = (directory / tile_path(level, count // WIDTH, width)).read_bytes() if width else b""
            if len(raw) != width * 32:
                raise ValueError(f"{tile_path(level, count // WIDTH, width)} has {len(raw)} bytes, not {width * 32}")
            levels.append([raw[at : at + 32] for at in range(0, len(raw), 32)])
            count, level = count // WIDTH, level + 1
        width = size % WIDTH
        bundle = decode_bundle((directory / tile_path("entries", size // WIDTH, width)).read_bytes()) if width else []
        if [leaf_hash(entry) for entry in bundle] != (levels[0] if levels else []):
            raise ValueError("the last entry bundle does not hash to the last tile")
        return cls(size, levels, bundle)

    def root(self) -> bytes:
        """The tree's root hash."""
        right: list[bytes] = []
        for level in self.levels:
            hashes = [*level, *right]
            right = [fold(hashes)] if hashes else []
        return fold(right)

    def extend(self, entries: Sequence[bytes]) -> tuple[Edge, dict[str, bytes]]:
        """The edge after these entries, and every file (full tiles, then partial ones) that is new with them."""
        edge, files = Edge(self.size, self.levels, self.bundle), dict[str, bytes]()
        touched: set[int] = set()
        for entry in entries:
            edge.bundle.append(entry)
            edge.size += 1
            if len(edge.bundle) == WIDTH:
                files[tile_path("entries", edge.size // WIDTH - 1)] = encode_bundle(edge.bundle)
                edge.bundle = []
            edge._push(0, leaf_hash(entry), files, touched)
        for level in sorted(touched):
            hashes = edge.levels[level]
            if hashes:
                files[tile_path(level, edge.size // WIDTH ** (level + 1), len(hashes))] = b"".join(hashes)
        if entries and edge.bundle:
            files[tile_path("entries", edge.size // WIDTH, len(edge.bundle))] = encode_bundle(edge.bundle)
        return edge, files

    def _push(self, level: int, digest: bytes, files: dict[str, bytes], touched: set[int]) -> None:
        if level == len(self.levels):
            self.levels.append([])
        self.levels[level].append(digest)
        touched.add(level)
        if len(self.levels[level]) == WIDTH:
            full, self.levels[level] = self.levels[level], []
            files[tile_path(level, self.size // WIDTH ** (level + 1) - 1)] = b"".join(full)
            self._push(level + 1, fold(full), files, touched)
