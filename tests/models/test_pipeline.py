"""The pipeline end to end on a very small recipe: if this fails, the model a region serves is not the one its manifest describes.

Needs network namespaces (root or user namespaces) and torch; where either lacks, the test says so and does not run.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curtilage.errors import StepError
from curtilage.finetune.airgap import run_isolated
from curtilage.finetune.recipe import Recipe
from curtilage.models.build import BuiltModel, KeyPair, build_lab_model, input_digest, sign_to
from curtilage.models.manifest import read_manifest
from curtilage.models.signing import create_keys, verify
from tests.models.needs import lacks

SMALL = Recipe(vocabulary=512, hidden=64, layers=1, heads=2, kv_heads=1, intermediate=128, context=128, block_tokens=64, batch=2, steps=3)
COUNT = 80


LACKS = lacks("torch")
pytestmark = pytest.mark.skipif(bool(LACKS), reason=LACKS or "never")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def built(cache: Path) -> tuple[BuiltModel, list[str]]:
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CURTILAGE_CACHE", str(cache))
        return build_lab_model(said.append, recipe=SMALL, count=COUNT), said


def test_the_build_has_the_digest_that_was_known_before_it(built: tuple[BuiltModel, list[str]]) -> None:
    model, _ = built
    assert model.digest == input_digest(recipe=SMALL, count=COUNT)
    assert model.directory.name == model.digest.removeprefix("sha256:")
    manifest = read_manifest(model.directory / "manifest.json")
    assert {"model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "model-card.json"} <= {
        file.path for file in manifest.files
    }
    assert manifest.provenance.libraries.keys() >= {"torch", "transformers", "tokenizers"}


def test_training_saw_loopback_alone_and_says_so_in_the_card(built: tuple[BuiltModel, list[str]]) -> None:
    model, said = built
    assert any("loopback alone" in line for line in said)
    assert any("loss" in line for line in said)
    card = json.loads((model.directory / "model-card.json").read_text())
    assert card["training"]["network"] == "namespace of its own, interfaces: lo"
    assert card["training"]["steps"] == SMALL.steps


def test_a_second_build_is_instant_and_a_new_cache_gives_the_same_weights(
    built: tuple[BuiltModel, list[str]], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = built
    monkeypatch.setenv("CURTILAGE_CACHE", str(cache))
    said: list[str] = []
    assert build_lab_model(said.append, recipe=SMALL, count=COUNT) == model
    assert said == [f"lab-mistral {model.directory.name[:12]} is in the cache"]
    monkeypatch.setenv("CURTILAGE_CACHE", str(tmp_path))
    again = build_lab_model(lambda _: None, recipe=SMALL, count=COUNT)
    assert again.content == model.content
    assert not [path for path in again.directory.parent.iterdir() if path.name.startswith(".")]


def test_a_signed_copy_verifies_and_a_tampered_weight_does_not(built: tuple[BuiltModel, list[str]], tmp_path: Path) -> None:
    model, _ = built
    key = KeyPair(tmp_path / "k.key", tmp_path / "k.pub")
    create_keys(key.private, key.public)
    staged = sign_to(model, key, tmp_path / "store")
    result = verify(staged, key.public)
    assert (result.ok, result.digest, result.content) == (True, model.digest, model.content)
    weights = staged / "model.safetensors"
    weights.chmod(0o644)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert "changed file" in verify(staged, key.public).reason


def test_the_saved_tokenizer_renders_the_very_text_the_model_was_trained_on(built: tuple[BuiltModel, list[str]]) -> None:
    from transformers import PreTrainedTokenizerFast

    from curtilage.finetune.tokenizer import render

    model, _ = built
    tokenizer = PreTrainedTokenizerFast.from_pretrained(model.directory)
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is it privileged?"}]
    assert tokenizer.apply_chat_template(turns, tokenize=False) == render(turns)
    ids = tokenizer(render(turns))["input_ids"]
    assert tokenizer.decode(ids) == render(turns)
    assert tokenizer.eos_token_id in ids


def test_the_trainer_refuses_a_corpus_that_was_edited(tmp_path: Path) -> None:
    from curtilage.finetune.generator import generate

    generate(tmp_path / "data", count=5, seed=1)
    path = tmp_path / "data" / "documents.jsonl"
    path.write_bytes(path.read_bytes() + b"{}\n")
    job = {"data": str(tmp_path / "data"), "out": str(tmp_path / "out"), "recipe": SMALL.model_dump()}
    with pytest.raises(StepError):
        run_isolated("curtilage.finetune.trainer", job, say=lambda _: None)
    assert not (tmp_path / "out").exists()
