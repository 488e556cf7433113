"""RFC 6962 Merkle trees: hashes, inclusion and consistency proofs.

Our own core, because it is what the ledger's claims rest on; the tests hold it against an independent implementation and
the RFC's vectors. Proof *making* asks the caller for the hash of any aligned range, so the same code serves a list in memory
and tiles on disk. Proof *checking* follows RFC 9162 2.1.3.2 and 2.1.4.2 step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()

RangeHash = Callable[[int, int], bytes]
"""``(start, end) -> MTH(D[start:end])``."""


def leaf_hash(data: bytes) -> bytes:
    """``SHA-256(0x00 || data)``."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """``SHA-256(0x01 || left || right)``."""
    return sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Root over subtree roots of equal size, of which only the last may be incomplete.

    Pairing neighbours and carrying an odd last one up gives the tree of RFC 6962, whose split is always at the largest
    power of two below the size.
    """
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        paired = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


def split(size: int) -> int:
    """The largest power of two smaller than ``size`` (which is at least 2)."""
    return 1 << ((size - 1).bit_length() - 1)


def range_hash_of(leaves: Sequence[bytes]) -> RangeHash:
    """Range hashes over leaf hashes held in memory."""
    return lambda start, end: fold(leaves[start:end])


def inclusion_proof(index: int, size: int, range_hash: RangeHash) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962 2.1.1, leaf side first."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            proof.append(range_hash(middle, end))
            end = middle
        else:
            proof.append(range_hash(start, middle))
            start = middle
    proof.reverse()
    return proof


def consistency_proof(old: int, new: int, range_hash: RangeHash) -> list[bytes]:
    """PROOF(old, D[new]) of RFC 6962 2.1.2; empty when ``old`` is 0 or equals ``new``."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} does not extend one of {old}")
    if old in (0, new):
        return []
    proof: list[bytes] = []
    start, end, whole = 0, new, True
    while old != end:
        middle = start + split(end - start)
        if old <= middle:
            proof.append(range_hash(middle, end))
            end = middle
        else:
            proof.append(range_hash(start, middle))
            start, whole = middle, False
    if not whole:
        proof.append(range_hash(start, end))
    proof.reverse()
    return proof


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether ``leaf`` (a leaf hash) is at ``index`` of the tree with this size and root (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    fn, sn, node = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            node = node_hash(sibling, node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = node_hash(node, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and node == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the tree ``new`` extends the tree ``old`` (RFC 9162 2.1.4.2); the empty tree is extended by every tree."""
    if not 0 <= old <= new:
        return False
    if old == 0:
        return not proof and old_root == EMPTY_ROOT and (new > 0 or new_root == EMPTY_ROOT)
    if old == new:
        return not proof and old_root == new_root
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and first == old_root and second == new_root
