"""Hashes of any range of a tree, read from its tiles: what inclusion and consistency proofs are made of."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from curtilage.audit.merkle import fold, split
from curtilage.audit.tiles import WIDTH, tile_path


class TileHashes:
    """``range_hash`` over a tree of ``size`` records on disk, for :mod:`curtilage.audit.merkle`."""

    def __init__(self, directory: Path, size: int) -> None:
        self._directory, self._size = directory, size
        self._tile = lru_cache(maxsize=1024)(self._read)

    def __call__(self, start: int, end: int) -> bytes:
        """``MTH(D[start:end])`` for a range as proofs use them: it begins where a subtree of its size may begin."""
        if not 0 <= start <= end <= self._size:
            raise ValueError(f"no records {start} to {end} in a tree of {self._size}")
        if start == end:
            return fold([])
        width = end - start
        if width & (width - 1) == 0 and start % width == 0:
            return self._subtree(start, width)
        middle = start + split(width)
        return fold([self(start, middle), self(middle, end)])

    def _subtree(self, start: int, width: int) -> bytes:
        level = (width.bit_length() - 1) // 8
        count, first = width // WIDTH**level, start // WIDTH**level
        tile = self._tile(level, first // WIDTH)
        return fold(tile[first % WIDTH : first % WIDTH + count])

    def _read(self, level: int, index: int) -> list[bytes]:
        width = min(WIDTH, self._size // WIDTH**level - index * WIDTH)
        path = self._directory / tile_path(level, index, width)
        if not path.exists():  # the tile has filled up since
            path = self._directory / tile_path(level, index)
        raw = path.read_bytes()
        if len(raw) < width * 32:
            raise ValueError(f"{path} is shorter than {width} hashes")
        return [raw[at : at + 32] for at in range(0, width * 32, 32)]
