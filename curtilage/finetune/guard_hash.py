"""Keyed hashes of many windows and word groups at once.

A polynomial over a secret table of letters hashes any stretch of a batch in a few array operations; SipHash-2-4 (Aumasson and Bernstein,
2012) under a second secret makes of it a value that says nothing to who lacks the key. Both secrets are derived from the guard's key.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]
WINDOW = 12
"""Letters of one shingle, without spaces: two words and a half. Longer ones would miss a text in which every fifth word was changed."""
WINNOW = 5
"""Of so many neighbouring shingles the smallest is kept (winnowing, Schleimer et al. 2003): any 16 common letters share one."""
_MAX = np.uint64(2**64 - 1)
_MASK = 2**64 - 1


def derive(key: bytes, purpose: str, size: int = 32) -> bytes:
    """Secret bytes for one purpose."""
    blocks = -(-size // 32)
    return b"".join(hmac.digest(key, f"curtilage guard {purpose} {index}".encode(), "sha256") for index in range(blocks))[:size]


@dataclass(frozen=True)
class Batch:
    """Texts laid end to end: letters without spaces, whose they are, where words begin and end."""

    letters: NDArray[np.uint8]
    owner: I64
    starts: I64
    ends: I64
    texts: int


def lay(texts: list[str]) -> Batch:
    """Texts (words with single spaces) as one batch."""
    raw = np.frombuffer("\n".join(texts).encode("utf-8", "surrogatepass") + b"\n", dtype=np.uint8)
    breaks = raw == 10
    kept = ~(breaks | (raw == 32))
    before = np.concatenate(([False], kept[:-1]))
    position = np.cumsum(kept) - 1
    starts = position[kept & ~before]
    ends = position[np.flatnonzero(before & ~kept) - 1] + 1
    return Batch(raw[kept], np.cumsum(breaks)[kept].astype(np.int64), starts, ends, len(texts))


class Hasher:
    """All keyed hashes of one guard key."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._table = np.frombuffer(derive(key, "letters", 2048), dtype=np.uint64)
        self._base = int.from_bytes(derive(key, "base", 8), "little") | 1
        self._inverse = pow(self._base, -1, 2**64)
        self._sip = {purpose: np.frombuffer(derive(key, f"sip {purpose}", 16), dtype=np.uint64) for purpose in ("shingle", "term")}
        self._powers: U64 = np.ones(1, dtype=np.uint64)
        self._inverses: U64 = np.ones(1, dtype=np.uint64)
        self._digest = derive(key, "exact")
        self._identifier = derive(key, "identifier")

    def exact(self, text: str) -> bytes:
        """HMAC-SHA256 of a text's letters, first 16 bytes."""
        return hmac.digest(self._digest, text.replace(" ", "").encode("utf-8", "surrogatepass"), "sha256")[:16]

    def identifier(self, text: str) -> int:
        """64 bits of a keyed hash of an identifier."""
        return int.from_bytes(
            hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._identifier, digest_size=8).digest(), "little"
        )

    def sums(self, batch: Batch) -> U64:
        """Prefix sums of the polynomial; the hash of any stretch is a difference of two."""
        size = len(batch.letters) + 1
        if size > len(self._powers):
            room = 1 << size.bit_length()
            self._powers, self._inverses = _powers(self._base, room), _powers(self._inverse, room)
        values = np.zeros(size, dtype=np.uint64)
        np.cumsum(self._table[batch.letters] * self._powers[: size - 1], out=values[1:])
        return values

    def stretches(self, sums: U64, starts: I64, ends: I64) -> U64:
        """Polynomial hash of each stretch, wherever it stands."""
        return (sums[ends] - sums[starts]) * self._inverses[starts]

    def shingles(self, batch: Batch, sums: U64) -> tuple[U64, I64]:
        """The winnowed shingles of every text: keyed hash and owner. A text shorter than one shingle has none."""
        count = len(batch.letters) - WINDOW + 1
        if count < 1:
            return np.empty(0, np.uint64), np.empty(0, np.int64)
        values = (sums[WINDOW:] - sums[:-WINDOW]) * self._inverses[:count]
        values = np.where(batch.owner[:count] == batch.owner[WINDOW - 1 :], values, _MAX)
        padded = np.concatenate((np.full(WINNOW - 1, _MAX), values, np.full(WINNOW - 1, _MAX)))
        least = padded[: len(padded) - WINNOW + 1].copy()
        for shift in range(1, WINNOW):
            np.minimum(least, padded[shift : len(padded) - WINNOW + 1 + shift], out=least)
        # A window of which only a part lies in the text must not choose: the rest of the record would choose otherwise.
        inside = _whole(values, padded, least)
        greatest = inside[:count].copy()
        for shift in range(1, WINNOW):
            np.maximum(greatest, inside[shift : count + shift], out=greatest)
        chosen = np.flatnonzero((values != _MAX) & (greatest == values))
        return self._final("shingle", values[chosen]), batch.owner[chosen]

    def terms(self, batch: Batch, sums: U64, shape: NDArray[np.bool_]) -> tuple[U64, I64]:
        """Keyed hash and owner of every group of words whose number of words and letters some term has."""
        hashes, owners = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        for group in range(1, shape.shape[0]):
            if not shape[group].any() or len(batch.starts) < group:
                continue
            starts, ends = batch.starts[: len(batch.starts) - group + 1], batch.ends[group - 1 :]
            length = np.minimum(ends - starts, shape.shape[1] - 1)
            fits = np.flatnonzero(shape[group][length] & (batch.owner[starts] == batch.owner[ends - 1]))
            hashes.append(self._final("term", self.stretches(sums, starts[fits], ends[fits])))
            owners.append(batch.owner[starts[fits]])
        return np.concatenate(hashes), np.concatenate(owners)

    def term(self, text: str) -> int:
        """The hash :meth:`terms` gives for this group of words."""
        batch = lay([text])
        sums = self.sums(batch)
        return int(self._final("term", self.stretches(sums, np.array([0]), np.array([len(batch.letters)])))[0])

    def _final(self, purpose: str, values: U64) -> U64:
        return siphash(values, *self._sip[purpose])


def _whole(values: U64, padded: U64, least: U64) -> U64:
    """The minima of windows, but zero for a window that reaches past its text, unless the text is shorter than a window."""
    full = np.ones(len(least), dtype=bool)
    for shift in range(WINNOW):
        full &= padded[shift : len(least) + shift] != _MAX
    # Texts of fewer shingles than a window keep their smallest: find stretches of valid shingles shorter than WINNOW.
    valid = np.concatenate(([False], values != _MAX, [False]))
    begins, stops = np.flatnonzero(valid[1:] & ~valid[:-1]), np.flatnonzero(valid[:-1] & ~valid[1:])
    for begin, stop in zip(*(edge[stops - begins < WINNOW] for edge in (begins, stops)), strict=True):
        full[stop - 1 : begin + WINNOW] = True
    return np.where(full, least, np.uint64(0))


def _powers(base: int, size: int) -> U64:
    values = np.full(size, base, dtype=np.uint64)
    values[0] = 1
    result: U64 = np.cumprod(values, dtype=np.uint64)
    return result


def _rotate(value: U64, bits: int) -> U64:
    return (value << np.uint64(bits)) | (value >> np.uint64(64 - bits))


def siphash(message: U64, key0: Any, key1: Any) -> U64:
    """SipHash-2-4 of eight-byte messages."""
    with np.errstate(over="ignore"):
        a = np.full(len(message), key0 ^ np.uint64(0x736F6D6570736575))
        b = np.full(len(message), key1 ^ np.uint64(0x646F72616E646F6D))
        c = np.full(len(message), key0 ^ np.uint64(0x6C7967656E657261))
        d = np.full(len(message), key1 ^ np.uint64(0x7465646279746573))
        for block in (message, np.uint64(8 << 56)):
            d = d ^ block
            a, b, c, d = _round(*_round(a, b, c, d))
            a = a ^ block
        c = c ^ np.uint64(0xFF)
        for _ in range(4):
            a, b, c, d = _round(a, b, c, d)
        result: U64 = a ^ b ^ c ^ d
        return result


def _round(a: U64, b: U64, c: U64, d: U64) -> tuple[U64, U64, U64, U64]:
    a = a + b
    b = _rotate(b, 13) ^ a
    a = _rotate(a, 32)
    c = c + d
    d = _rotate(d, 16) ^ c
    a = a + d
    d = _rotate(d, 21) ^ a
    c = c + b
    b = _rotate(b, 17) ^ c
    c = _rotate(c, 32)
    return a, b, c, d
