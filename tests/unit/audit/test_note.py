"""Signed notes and checkpoints; if they break, other people's verifiers cannot read our heads, or ours believes a forged one."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curtilage.audit.note import Checkpoint, NoteError, Signer, VerifierKey, open_note
from curtilage.errors import ConfigError

# golang.org/x/mod/sumdb/note's documented example.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()
SIGNER = Signer.generate("gateway.example/ledger")
HEAD = Checkpoint("gateway.example/ledger", 42, bytes(range(32)))


def test_a_note_of_another_implementation_verifies() -> None:
    assert open_note(PETER_NOTE, VerifierKey.parse(PETER)).startswith("If you think cryptography")


def test_a_verifier_key_survives_printing_and_a_damaged_one_is_refused() -> None:
    line = str(SIGNER.verifier)
    assert VerifierKey.parse(line) == SIGNER.verifier
    assert str(VerifierKey.parse(PETER)) == PETER
    for at in range(len(line) - 1):
        changed = line[:at] + ("A" if line[at] != "A" else "B") + line[at + 1 :]
        if changed != line:
            with pytest.raises(ConfigError):
                VerifierKey.parse(changed)


def test_a_checkpoint_opens_with_its_key_alone() -> None:
    note = HEAD.sign(SIGNER)
    assert Checkpoint.open(note, SIGNER.verifier) == HEAD
    with pytest.raises(NoteError, match="not signed by"):
        Checkpoint.open(note, Signer.generate("gateway.example/ledger").verifier)
    with pytest.raises(NoteError, match="not signed by"):
        Checkpoint.open(note, VerifierKey("other", SIGNER.verifier.public))


def test_signatures_by_others_are_ignored_and_a_wrong_one_of_ours_rejects_the_note() -> None:
    note, other = HEAD.sign(SIGNER), HEAD.sign(Signer.generate("witness"))
    cosigned = note + other.rpartition(b"\n\n")[2]
    assert Checkpoint.open(cosigned, SIGNER.verifier) == HEAD
    forged = Checkpoint("gateway.example/ledger", 43, bytes(32)).sign(SIGNER).rpartition(b"\n\n")[2]
    with pytest.raises(NoteError, match="is wrong"):
        Checkpoint.open(note + forged, SIGNER.verifier)


def test_any_flipped_bit_of_a_checkpoint_is_noticed() -> None:
    note = HEAD.sign(SIGNER)
    for at in range(len(note)):
        for bit in range(8):
            changed = note[:at] + bytes([note[at] ^ 1 << bit]) + note[at + 1 :]
            with pytest.raises(NoteError):
                Checkpoint.open(changed, SIGNER.verifier)


@given(st.binary(max_size=300))
def test_no_input_makes_the_parser_fail_in_another_way(data: bytes) -> None:
    for note in (data, HEAD.sign(SIGNER) + data, data + HEAD.sign(SIGNER)):
        with contextlib.suppress(NoteError):
            open_note(note, SIGNER.verifier)


def test_extension_lines_and_odd_numbers_are_refused() -> None:
    for text in ("o\n1\n" + "A" * 43 + "=\nextra\n", "o\n01\n" + "A" * 43 + "=\n", "\n1\n" + "A" * 43 + "=\n", "o\n1\nAAAA\n"):
        with pytest.raises(NoteError, match="checkpoint"):
            Checkpoint.open(SIGNER.sign_note(text), SIGNER.verifier)


def test_a_key_on_disk_is_private_comes_back_and_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "ledger.key"
    SIGNER.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Signer.load(path).verifier == SIGNER.verifier
    with pytest.raises(FileExistsError):
        Signer.generate("x").save(path)
    assert "PRIVATE" not in repr(SIGNER)
    assert "key" not in repr(SIGNER)
