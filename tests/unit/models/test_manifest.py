"""If these fail, a region could name a model that nobody imported, or a manifest could hold what nobody checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from curtilage.errors import ConfigError
from curtilage.models.manifest import CATALOGUE, Quantization, catalogue, read_catalogue_model

NAMED_BY_THE_PRODUCT = {"lab-mistral", "mistral-7b-instruct", "llama-2-7b-chat", "llama-2-13b-chat"}


def _edited(tmp_path: Path, old: str, new: str, name: str = "mistral-7b-instruct") -> Path:
    text = (CATALOGUE / name / "manifest.yaml").read_text()
    assert old in text
    (tmp_path / name).mkdir()
    path = tmp_path / name / "manifest.yaml"
    path.write_text(text.replace(old, new))
    return path


def test_the_catalogue_holds_the_models_the_product_names() -> None:
    assert {entry.name for entry in catalogue()} >= NAMED_BY_THE_PRODUCT


def test_only_the_pipelines_model_can_be_deployed_before_an_import() -> None:
    for entry in catalogue():
        assert entry.deployable == (entry.weights is not None or entry.name == "lab-mistral"), entry.name


def test_memory_follows_from_the_parameter_count() -> None:
    for entry in catalogue():
        for variant in entry.variants:
            if variant.quantization is Quantization.BF16 and entry.pipeline is None:
                assert variant.weights_gib == pytest.approx(entry.parameters_billion * 2e9 / 2**30, abs=0.02), entry.name
        sizes = [variant.weights_gib for variant in entry.variants]
        assert sizes == sorted(sizes, reverse=True), entry.name


def test_grouped_heads_cost_a_quarter_of_the_cache() -> None:
    entries = {entry.name: entry for entry in catalogue()}
    assert entries["llama-2-7b-chat"].kv_cache_bytes_per_token == 4 * entries["mistral-7b-instruct"].kv_cache_bytes_per_token == 524_288


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("weights: null", "weights: sha256:abc", "weights"),
        ("revision: null", "revision: main", "revision"),
        ("licence: Apache-2.0", "licence: Apache-2.0\ncolour: blue", "colour"),
        ("name: mistral-7b-instruct", "name: another", "directory"),
        ("weights: null", "weights: [", "YAML"),
    ],
)
def test_a_broken_entry_is_refused_and_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_catalogue_model(_edited(tmp_path, old, new))


def test_weights_cannot_be_both_imported_and_made(tmp_path: Path) -> None:
    path = _edited(tmp_path, "weights: null", "weights: sha256:" + "0" * 64, name="lab-mistral")
    with pytest.raises(ConfigError, match="both weights and pipeline"):
        read_catalogue_model(path)
