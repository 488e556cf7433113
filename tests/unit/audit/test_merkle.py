"""The Merkle core against RFC 6962's vectors and an independent implementation; if it breaks, no standard verifier agrees."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from curtilage.audit.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    fold,
    inclusion_proof,
    leaf_hash,
    range_hash_of,
    verify_consistency,
    verify_inclusion,
)

# The inputs and roots of the reference tests of certificate-transparency implementations (merkle_tree_test).
INPUTS = [
    bytes.fromhex(text) for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves_of(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_match_the_reference_vectors(size: int) -> None:
    assert fold([leaf_hash(data) for data in INPUTS[:size]]).hex() == ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert fold([]) == EMPTY_ROOT == sha256(b"").digest()


@settings(max_examples=60, deadline=None)
@given(entries=st.lists(st.binary(max_size=40), min_size=1, max_size=70), data=st.data())
def test_roots_and_proofs_equal_those_of_pymerkle(entries: list[bytes], data: st.DataObject) -> None:
    tree = InmemoryTree(algorithm="sha256")
    for entry in entries:
        tree.append_entry(entry)
    leaves = [leaf_hash(entry) for entry in entries]
    hashes, size = range_hash_of(leaves), len(leaves)
    assert fold(leaves) == tree.get_root()
    index = data.draw(st.integers(0, size - 1))
    theirs = tree.prove_inclusion(index + 1, size)
    assert [theirs.path[0], *theirs.path[1:]] == [leaves[index], *inclusion_proof(index, size, hashes)]
    assert verify_inclusion(leaves[index], index, size, inclusion_proof(index, size, hashes), tree.get_root())
    old = data.draw(st.integers(1, size))
    assert verify_consistency(old, size, tree.get_root(old), tree.get_root(), consistency_proof(old, size, hashes))


def test_every_inclusion_proof_verifies_and_for_no_other_leaf_place_size_or_root() -> None:
    for size in range(1, 34):
        leaves = leaves_of(size)
        root, hashes = fold(leaves), range_hash_of(leaves)
        for index in range(size):
            proof = inclusion_proof(index, size, hashes)
            assert verify_inclusion(leaves[index], index, size, proof, root)
            assert not verify_inclusion(leaf_hash(b"other"), index, size, proof, root)
            assert not verify_inclusion(leaves[index], index, size, [*proof, root], root)
            assert not verify_inclusion(leaves[index], index, size, proof, leaf_hash(b"other"))
            assert not verify_inclusion(leaves[index], size, size, proof, root)
            if proof:
                assert not verify_inclusion(leaves[index], index, size, proof[:-1], root)
                assert not verify_inclusion(leaves[index], index ^ 1, size, proof, root) or index ^ 1 >= size


def test_every_consistency_proof_verifies_and_none_for_a_rewritten_tree() -> None:
    for new in range(1, 34):
        leaves = leaves_of(new)
        root, hashes = fold(leaves), range_hash_of(leaves)
        for old in range(new + 1):
            proof = consistency_proof(old, new, hashes)
            assert verify_consistency(old, new, fold(leaves[:old]), root, proof)
            if old > 0:
                rewritten = [leaf_hash(b"rewritten"), *leaves[1:old]]
                assert not verify_consistency(old, new, fold(rewritten), root, proof)
                assert not verify_consistency(old, new, fold(leaves[:old]), leaf_hash(b"other"), proof)
            if proof:
                assert not verify_consistency(old, new, fold(leaves[:old]), root, proof[:-1])
                assert not verify_consistency(old, new, fold(leaves[:old]), root, [*proof, root])
                flipped = [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]]
                assert not verify_consistency(old, new, fold(leaves[:old]), root, flipped)


def test_impossible_sizes_are_refused() -> None:
    hashes = range_hash_of(leaves_of(3))
    with pytest.raises(ValueError, match="no leaf 3"):
        inclusion_proof(3, 3, hashes)
    with pytest.raises(ValueError, match="does not extend"):
        consistency_proof(4, 3, hashes)
    assert not verify_consistency(4, 3, EMPTY_ROOT, EMPTY_ROOT, [])
