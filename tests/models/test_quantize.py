"""If these fail, a quantized version is not the model it was made from, or the server would not load it as 8 bits."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from curtilage.canonical import file_digest
from curtilage.errors import ConfigError, StepError
from curtilage.models.importing import variant_of
from curtilage.models.manifest import ModelFile, ModelManifest, Provenance, Quantization, content_digest
from curtilage.models.quantize import quantize
from curtilage.models.signing import create_keys, verify
from curtilage.models.store import stage

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")

LINEAR = "model.layers.0.self_attn.q_proj.weight"


def model(directory: Path, *, shards: int = 1, spoil: float | None = None, config: dict[str, object] | None = None) -> Path:
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(1)
    directory.mkdir()
    tensors = {
        "model.embed_tokens.weight": torch.randn(32, 16).to(torch.bfloat16),
        LINEAR: torch.randn(16, 16).to(torch.bfloat16) * 3,
        "model.layers.0.mlp.down_proj.weight": torch.randn(16, 24).to(torch.bfloat16),
        "model.layers.0.input_layernorm.weight": torch.ones(16, dtype=torch.bfloat16),
        "lm_head.weight": torch.randn(32, 16).to(torch.bfloat16),
    }
    tensors["model.layers.0.mlp.down_proj.weight"][3] = 0
    if spoil is not None:
        tensors[LINEAR][2, 2] = spoil
    if shards == 1:
        save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    else:
        where = {name: f"model-{index % 2 + 1:05d}-of-00002.safetensors" for index, name in enumerate(sorted(tensors))}
        for shard in set(where.values()):
            save_file({name: tensors[name] for name in where if where[name] == shard}, directory / shard, metadata={"format": "pt"})
        (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    (directory / "config.json").write_text(
        json.dumps({"architectures": ["MistralForCausalLM"], "max_position_embeddings": 64, **(config or {})})
    )
    for name in ("tokenizer.json", "tokenizer_config.json", "model-card.json"):
        (directory / name).write_text("{}")
    files = tuple(
        ModelFile(path=path.name, sha256=file_digest(path).removeprefix("sha256:"), size_bytes=path.stat().st_size)
        for path in sorted(directory.iterdir())
    )
    manifest = ModelManifest(name="small", architecture="MistralForCausalLM", parameters=64, context_tokens=64, dtype="bfloat16",
                             variant=Quantization.BF16, licence="Apache-2.0", digest="sha256:" + "1" * 64, content=content_digest(files),
                             files=files, provenance=Provenance(kind="trained", seed=1))  # fmt: skip
    (directory / "manifest.json").write_text(manifest.model_dump_json())
    return directory


def tensors_of(directory: Path) -> dict[str, object]:
    from safetensors.torch import load_file

    return {name: tensor for path in sorted(directory.glob("*.safetensors")) for name, tensor in load_file(path).items()}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURTILAGE_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("shards", [1, 2])
def test_linear_layers_are_within_half_a_step_and_everything_else_is_untouched(shards: int, tmp_path: Path) -> None:
    import torch

    source = model(tmp_path / "source", shards=shards)
    made = quantize(source, lambda _: None)
    before, after = tensors_of(source), tensors_of(made.directory)
    assert after.keys() - before.keys() == {f"{LINEAR}_scale", "model.layers.0.mlp.down_proj.weight_scale"}
    for name, tensor in before.items():
        if f"{name}_scale" in after:
            scale = after[f"{name}_scale"]
            assert after[name].dtype is torch.int8
            assert scale.shape == (tensor.shape[0], 1)
            assert bool(((after[name].float() * scale - tensor.float()).abs() <= scale * 0.5001).all())
        else:
            assert torch.equal(after[name], tensor)
    assert int(after["model.layers.0.mlp.down_proj.weight"][3].abs().max()) == 0, "a row of zeros stays one"


def test_the_version_is_read_as_int8_by_the_importer_and_signed_like_any_other(tmp_path: Path) -> None:
    made = quantize(model(tmp_path / "source"), lambda _: None)
    assert variant_of(json.loads((made.directory / "config.json").read_bytes())) is Quantization.INT8
    assert (made.manifest.variant, made.manifest.provenance.quantized_from) == (Quantization.INT8, "sha256:" + "1" * 64)
    create_keys(tmp_path / "k.key", tmp_path / "k.pub")
    staged = stage(made.directory, tmp_path / "k.key", tmp_path / "k.pub", tmp_path / "store")
    assert verify(staged, tmp_path / "k.pub").digest == made.manifest.digest
    card = json.loads((staged / "model-card.json").read_bytes())
    assert card["quantization"]["weights_bytes"]["after"] < card["quantization"]["weights_bytes"]["before"]


def test_the_same_model_gives_the_same_bytes_and_another_one_another_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = model(tmp_path / "source")
    first = quantize(source, lambda _: None)
    monkeypatch.setenv("CURTILAGE_CACHE", str(tmp_path / "other"))
    second = quantize(source, lambda _: None)
    assert (first.manifest, first.directory != second.directory) == (second.manifest, True)
    other = quantize(model(tmp_path / "third", config={"rope_theta": 5}), lambda _: None)
    assert other.manifest.digest != first.manifest.digest


@pytest.mark.parametrize("spoil", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers_are_refused_and_leave_nothing(spoil: float, tmp_path: Path) -> None:
    with pytest.raises(StepError, match="not finite"):
        quantize(model(tmp_path / "source", spoil=spoil), lambda _: None)
    assert not list((tmp_path / "cache").glob("models/*/*"))


def test_a_quantized_model_is_not_quantized_again(tmp_path: Path) -> None:
    made = quantize(model(tmp_path / "source"), lambda _: None)
    with pytest.raises(ConfigError, match="already"):
        quantize(made.directory, lambda _: None)


def test_a_model_that_differs_from_its_manifest_is_refused(tmp_path: Path) -> None:
    source = model(tmp_path / "source")
    (source / "config.json").write_text('{"architectures": ["MistralForCausalLM"]}')
    with pytest.raises(StepError, match="changed file"):
        quantize(source, lambda _: None)
