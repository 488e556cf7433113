"""If these fail, a host could load a model that is not the one its owner signed.

Each attack is made on a model that verifies before it, so that a refusal is due to the attack and nothing else.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import stat
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from model_signing import hashing, signing

from curtilage.errors import ConfigError, StepError
from curtilage.models.files import Unsafe, check_safetensors
from curtilage.models.signing import create_keys, sign, verify
from curtilage.models.store import stage
from curtilage.verdict import Verdict


def _tamper(model: Path) -> None:
    path = model / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _add(name: str) -> Callable[[Path], None]:
    def add(model: Path) -> None:
        path = model / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("unsigned")

    return add


def _truncate(model: Path) -> None:
    path = model / "model.safetensors"
    path.write_bytes(path.read_bytes()[:40])


def _link(target: str) -> Callable[[Path], None]:
    return lambda model: (model / "link.json").symlink_to(target)


def _replace_by_link(model: Path) -> None:
    path = model / "config.json"
    copy = model.parent / "config-elsewhere.json"
    copy.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(copy)


ATTACKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "a tampered byte": (_tamper, "changed file"),
    "a truncated weight file": (_truncate, "changed file"),
    "an extra file": (_add("extra.json"), "extra file"),
    "an extra hidden file": (_add(".hidden"), "extra file"),
    "a .gitignore": (_add(".gitignore"), "extra file"),
    "a .gitattributes": (_add(".gitattributes"), "extra file"),
    "a file under .git": (_add(".git/hooks/post-checkout"), "extra file"),
    "a file under .github": (_add(".github/workflow.yml"), "extra file"),
    "a second signature deeper down": (_add("tokenizer/model.sig"), "extra file"),
    "a missing file": (lambda model: (model / "config.json").unlink(), "missing file"),
    "a missing weight file": (lambda model: (model / "model.safetensors").unlink(), "missing file"),
    "a missing manifest": (lambda model: (model / "manifest.json").unlink(), "missing file"),
    "a missing signature": (lambda model: (model / "model.sig").unlink(), "no signature"),
    "an empty signature": (lambda model: (model / "model.sig").write_text(""), "malformed signature"),
    "a link out of the tree": (_link("/etc/hostname"), "symlink"),
    "a link inside the tree": (_link("config.json"), "symlink"),
    "a dangling link": (_link("nowhere"), "symlink"),
    "a signed file replaced by a link to the same bytes": (_replace_by_link, "symlink"),
    "an empty directory": (lambda model: (model / "empty").mkdir(), "empty directory"),
    "a pipe": (lambda model: os.mkfifo(model / "pipe"), "not a plain file"),
}


@pytest.mark.parametrize("attack", sorted(ATTACKS))
def test_a_changed_model_is_refused_with_its_reason_on_one_line(signed, attack: str) -> None:
    change, reason = ATTACKS[attack]
    assert verify(signed.directory, signed.public).verdict is Verdict.PASS
    change(signed.directory)
    result = verify(signed.directory, signed.public)
    assert result.verdict is Verdict.FAIL
    assert reason in result.reason
    assert "\n" not in result.reason


def test_another_key_is_refused(signed, tmp_path: Path) -> None:
    create_keys(tmp_path / "b.key", tmp_path / "b.pub")
    result = verify(signed.directory, tmp_path / "b.pub")
    assert result.verdict is Verdict.FAIL
    assert "wrong key" in result.reason


def test_a_model_signed_again_by_a_stranger_is_refused(signed, tmp_path: Path) -> None:
    create_keys(tmp_path / "b.key", tmp_path / "b.pub")
    sign(signed.directory, tmp_path / "b.key")
    assert "wrong key" in verify(signed.directory, signed.public).reason


def test_a_stranger_who_borrows_the_owners_key_hint_is_refused(signed, tmp_path: Path) -> None:
    signature = signed.directory / "model.sig"
    owners = json.loads(signature.read_bytes())
    create_keys(tmp_path / "b.key", tmp_path / "b.pub")
    sign(signed.directory, tmp_path / "b.key")
    forged = json.loads(signature.read_bytes()) | {"verificationMaterial": owners["verificationMaterial"]}
    signature.write_text(json.dumps(forged))
    assert verify(signed.directory, signed.public).verdict is Verdict.FAIL


def test_a_missing_public_key_is_a_reason_and_not_a_traceback(signed, tmp_path: Path) -> None:
    assert "no public key" in verify(signed.directory, tmp_path / "none.pub").reason


def test_our_signature_ignores_no_path(signed) -> None:
    envelope = json.loads((signed.directory / "model.sig").read_bytes())["dsseEnvelope"]
    predicate = json.loads(base64.b64decode(envelope["payload"]))["predicate"]
    assert not predicate["serialization"].get("ignore_paths")
    assert {resource["name"] for resource in predicate["resources"]} == {
        "config.json",
        "manifest.json",
        "model.safetensors",
        "tokenizer/tokenizer.json",
    }


def test_a_signature_by_the_right_key_that_ignores_paths_is_refused(signed) -> None:
    """The library's own default: it signs with an ignore list, under which an unsigned file would pass."""
    signature = signed.directory / "model.sig"
    signature.unlink()
    signing.Config().use_elliptic_key_signer(private_key=signed.private).set_hashing_config(hashing.Config()).sign(
        signed.directory, signed.directory.parent / "default.sig"
    )
    signature.write_bytes((signed.directory.parent / "default.sig").read_bytes())
    result = verify(signed.directory, signed.public)
    assert result.verdict is Verdict.FAIL
    assert "ignores paths" in result.reason
    assert ".git" in result.reason


def _pickle_as(name: str) -> Callable[[Path], None]:
    return lambda model: (model / name).write_bytes(pickle.dumps({"weight": [1, 2, 3]}))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt", "data.pkl", "innocent.json", "vocab.txt"])
def test_a_pickle_is_never_signed_whatever_its_name(unsigned: Path, tmp_path: Path, name: str, relist: Callable[[Path], None]) -> None:
    create_keys(tmp_path / "a.key", tmp_path / "a.pub")
    _pickle_as(name)(unsigned)
    relist(unsigned)
    with pytest.raises(StepError, match=r"pickle|forbidden format"):
        sign(unsigned, tmp_path / "a.key")
    assert not (unsigned / "model.sig").exists()


def _sign_unchecked(model: Path, private: Path) -> None:
    """What a careless owner of the right key would do with the library alone."""
    (model / "model.sig").unlink(missing_ok=True)
    config = hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False)
    made = model.parent / "made.sig"
    signing.Config().use_elliptic_key_signer(private_key=private).set_hashing_config(config).sign(model, made)
    made.rename(model / "model.sig")


def test_a_pickle_signed_by_the_right_key_is_still_refused(signed, relist: Callable[[Path], None]) -> None:
    _pickle_as("pytorch_model.bin")(signed.directory)
    relist(signed.directory)
    _sign_unchecked(signed.directory, signed.private)
    assert "forbidden format" in verify(signed.directory, signed.public).reason


def _header(announced: int, header: bytes, data: bytes) -> bytes:
    return struct.pack("<Q", announced) + header + data


ONE = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x01\x02", "truncated safetensors"),
        (_header(1 << 40, ONE, b"\0" * 8), "truncated safetensors"),
        (_header(len(ONE), ONE, b"\0" * 7), "truncated safetensors"),
        (_header(len(ONE), ONE, b"\0" * 9), "truncated safetensors"),
        (_header(len(ONE), ONE[:-4] + b"    ", b"\0" * 8), "malformed safetensors"),
        (_header(2, b"{}", b""), "empty safetensors"),
        (_header(len(ONE), ONE.replace(b"[2]", b"[3]"), b"\0" * 8), "inconsistent safetensors"),
    ],
)
def test_broken_safetensors_signed_by_the_right_key_are_refused(signed, relist, content: bytes, reason: str) -> None:
    (signed.directory / "model.safetensors").write_bytes(content)
    relist(signed.directory)
    _sign_unchecked(signed.directory, signed.private)
    assert reason in verify(signed.directory, signed.public).reason


def test_the_private_key_is_its_owners_alone_and_is_kept(tmp_path: Path) -> None:
    private, public = tmp_path / "k" / "m.key", tmp_path / "k" / "m.pub"
    create_keys(private, public)
    first = private.read_bytes()
    create_keys(private, public)
    assert private.read_bytes() == first
    assert stat.S_IMODE(private.stat().st_mode) == 0o600


def test_a_public_half_of_another_pair_is_refused(tmp_path: Path) -> None:
    create_keys(tmp_path / "a.key", tmp_path / "a.pub")
    create_keys(tmp_path / "b.key", tmp_path / "b.pub")
    with pytest.raises(StepError, match="does not belong"):
        create_keys(tmp_path / "a.key", tmp_path / "b.pub")


def test_a_key_that_is_no_key_is_a_usage_error(unsigned: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.key").write_text("not a key")
    with pytest.raises(ConfigError, match="EC key"):
        sign(unsigned, tmp_path / "bad.key")


def test_a_staged_copy_verifies_is_kept_and_is_signed_again_for_a_new_key(signed, tmp_path: Path) -> None:
    (signed.directory / "model.sig").unlink()
    store = tmp_path / "store"
    staged = stage(signed.directory, signed.private, signed.public, store)
    assert staged == store / "small" / ("1" * 64)
    assert verify(staged, signed.public).ok
    assert not (signed.directory / "model.sig").exists()
    before = (staged / "model.sig").stat().st_ino
    stage(signed.directory, signed.private, signed.public, store)
    assert (staged / "model.sig").stat().st_ino == before
    create_keys(tmp_path / "b.key", tmp_path / "b.pub")
    stage(signed.directory, tmp_path / "b.key", tmp_path / "b.pub", store)
    assert verify(staged, tmp_path / "b.pub").ok
    assert not verify(staged, signed.public).ok
    assert [path.name for path in (store / "small").iterdir()] == ["1" * 64]


def test_a_spoilt_staged_copy_is_replaced(signed, tmp_path: Path) -> None:
    staged = stage(signed.directory, signed.private, signed.public, tmp_path / "store")
    (staged / "config.json").chmod(0o644)
    (staged / "config.json").write_text("spoilt")
    assert verify(stage(signed.directory, signed.private, signed.public, tmp_path / "store"), signed.public).ok


def test_the_command_exits_0_for_a_whole_model_and_1_with_one_line_for_a_changed_one(signed) -> None:
    command = [sys.executable, "-m", "curtilage.cli", "model", "verify", str(signed.directory), "--key", str(signed.public)]
    good = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (good.returncode, good.stdout.split(":")[0]) == (0, "PASS")
    _tamper(signed.directory)
    bad = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert bad.returncode == 1
    assert bad.stdout.startswith("FAIL: ")
    assert len(bad.stdout.splitlines()) == 1


def test_verification_loads_neither_torch_nor_transformers(signed) -> None:
    program = (
        "import sys; from pathlib import Path; from curtilage.models.signing import verify; "
        f"assert verify(Path({str(signed.directory)!r}), Path({str(signed.public)!r})).ok; "
        "print(sorted({'torch', 'transformers', 'tokenizers', 'pulumi'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_a_relative_path_is_the_same_model(signed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(signed.directory.parent)
    assert verify(Path(signed.directory.name), signed.public).ok


_ENTRY = b'"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}'


@pytest.mark.parametrize("header", [b'{"a": 1}', b"[]", b"null", b"[" * 5000, b"{" + _ENTRY + b", " + _ENTRY + b"}"])
def test_a_safetensors_header_that_readers_may_read_differently_is_refused(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\x01")
    with pytest.raises(Unsafe, match="malformed safetensors header"):
        check_safetensors(path, path.name)
