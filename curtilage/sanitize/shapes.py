"""Whether a word nobody listed looks like a person's name: letter groups, weighed as tools/train_names.py learned from the table."""

from __future__ import annotations

import zlib
from functools import lru_cache
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data" / "shapes.bin"
BUCKETS = 1 << 15


def groups_of(key: str) -> list[int]:
    """The letter groups of a word, hashed."""
    padded = f"<{key}>"
    return [zlib.crc32(padded[start : start + size].encode()) % BUCKETS for size in (2, 3, 4, 5) for start in range(len(padded) - size + 1)]


@lru_cache(maxsize=1)
def _weights() -> tuple[float, memoryview]:
    raw = DATA.read_bytes()
    return int.from_bytes(raw[:4], "big") / 1000, memoryview(raw)[4:].cast("b")


@lru_cache(maxsize=16384)
def score(key: str) -> float:
    """The log-odds that a word (spelled as the table spells it) is a name and no everyday word."""
    scale, weights = _weights()
    return sum(weights[group] for group in groups_of(key)) / scale
