"""If one of these fails, a machine that was brought a signed model makes and signs one of its own, or serves one that does not verify."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from curtilage.commands import prepare
from curtilage.commands.prepare import _carried
from curtilage.errors import StepError
from curtilage.models.build import trusts_another
from curtilage.models.files import MANIFEST
from curtilage.models.manifest import read_manifest
from curtilage.models.store import short


@pytest.fixture
def brought(signed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one model that was signed elsewhere, and the signer's public key alone."""
    monkeypatch.setenv("CURTILAGE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(prepare, "LAB_MODEL", "small")
    store, keys = tmp_path / "state" / "models", tmp_path / "state" / "keys"
    shutil.copytree(signed.directory, store / "small" / short(read_manifest(signed.directory / MANIFEST).digest))
    keys.mkdir()
    (keys / "model-signing.pub").write_bytes(signed.public.read_bytes())
    return store


def test_what_was_brought_is_served_and_nothing_is_signed(brought: Path) -> None:
    assert trusts_another()
    name, digest = _carried(brought, lambda _: None)
    assert (brought / name / short(digest) / MANIFEST).is_file()
    assert read_manifest(brought / name / short(digest) / MANIFEST).digest == digest
    assert not (brought.parent / "keys" / "model-signing.key").exists()


def test_a_signer_of_its_own_makes_its_own(brought: Path, signed) -> None:
    (brought.parent / "keys" / "model-signing.key").write_bytes(signed.private.read_bytes())
    assert not trusts_another()


def test_one_changed_byte_is_not_served(brought: Path) -> None:
    weights = next(brought.glob("*/*/model.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.chmod(0o644)
    weights.write_bytes(content)
    with pytest.raises(StepError, match="load the region's bundle again"):
        _carried(brought, lambda _: None)


def test_an_empty_store_is_told_with_its_mending(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=prepare.LAB_MODEL):
        _carried(tmp_path, lambda _: None)
