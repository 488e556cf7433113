"""If one of these fails, a machine that was brought a signed model makes and signs one of its own, or serves one that does not verify."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from curtilage.bundle import gather
from curtilage.bundle.build import Source
from curtilage.bundle.manifest import Missing
from curtilage.commands import prepare
from curtilage.commands.prepare import _hold_carried, _served
from curtilage.errors import StepError
from curtilage.models import rollout
from curtilage.models.build import trusts_another
from curtilage.models.files import MANIFEST
from curtilage.models.manifest import read_manifest
from curtilage.models.signing import create_keys, sign
from curtilage.models.store import short
from curtilage.region import load_region


@pytest.fixture
def brought(signed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with one model that was signed elsewhere, and the signer's public key alone."""
    monkeypatch.setenv("CURTILAGE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(prepare, "LAB_MODELS", ("small",))
    store, keys = tmp_path / "state" / "models", tmp_path / "state" / "keys"
    shutil.copytree(signed.directory, store / "small" / short(read_manifest(signed.directory / MANIFEST).digest))
    keys.mkdir()
    (keys / "model-signing.pub").write_bytes(signed.public.read_bytes())
    return store


def test_what_was_brought_is_served_and_nothing_is_signed(brought: Path) -> None:
    assert trusts_another()
    _hold_carried(brought, lambda _: None)
    digest = _served(brought, "small", "")
    assert read_manifest(brought / "small" / short(digest) / MANIFEST).digest == digest
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
        _hold_carried(brought, lambda _: None)


def test_an_empty_store_is_told_with_its_mending(tmp_path: Path) -> None:
    with pytest.raises(StepError, match=prepare.LAB_MODEL):
        _hold_carried(tmp_path, lambda _: None)


def test_an_embedding_model_that_was_not_brought_is_told_with_its_mending(brought: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "LAB_MODELS", ("small", "lab-embed"))
    with pytest.raises(StepError, match="no lab-embed"):
        _hold_carried(brought, lambda _: None)


MADE, SMALLER = "a" * 64, "b" * 64


def test_a_labs_bundle_carries_what_its_model_was_quantized_from_and_a_sites_the_one_version_it_names(
    unsigned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = tmp_path / "near", tmp_path / "far"
    monkeypatch.setenv("CURTILAGE_STATE", str(near))
    create_keys(near / "keys" / "model-signing.key", near / "keys" / "model-signing.pub")
    for digest, made_of in ((MADE, None), (SMALLER, f"sha256:{MADE}")):
        target = near / "models" / "lab-mistral" / digest
        shutil.copytree(unsigned, target)
        manifest = json.loads((target / MANIFEST).read_text()) | {"name": "lab-mistral", "digest": f"sha256:{digest}"}
        manifest["provenance"]["quantized_from"] = made_of
        (target / MANIFEST).write_text(json.dumps(manifest))
        sign(target, near / "keys" / "model-signing.key")

    def carried(region_name: str, weights: str | None) -> list[str]:
        sources: list[Source] = []
        missing: list[Missing] = []
        gather._model(load_region(region_name), "lab-mistral", weights, sources, missing)
        assert missing == []
        return [source.directory.name for source in sources]

    names = carried("lab", None)
    assert names == [SMALLER, MADE]
    for name in names:
        shutil.copytree(near / "models" / "lab-mistral" / name, far / "lab-mistral" / name)
    assert rollout.newest(far, "lab-mistral") == rollout.newest(near / "models", "lab-mistral") == f"sha256:{SMALLER}"
    assert carried("ch-zurich", f"sha256:{SMALLER}") == [SMALLER]
