"""The memory sum before a deploy: if one of these fails, a model is refused that fits, or deployed and dies of memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curtilage.errors import ConfigError
from curtilage.models.fit import GIB, fit, preferred, shape_of_catalogue, shape_of_directory, supported, weigh
from curtilage.models.fit_commands import check_region
from curtilage.models.manifest import CATALOGUE, Quantization, catalogue, read_catalogue_model
from curtilage.region import load_region
from curtilage.region_parts import CARDS

MISTRAL = {
    "model_type": "mistral", "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8, "hidden_size": 4096,
    "intermediate_size": 14336, "vocab_size": 32768, "max_position_embeddings": 32768, "head_dim": 128,
}  # fmt: skip


def directory(tmp_path: Path, **changes: object) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({key: value for key, value in (MISTRAL | changes).items() if value != "absent"}))
    return tmp_path


def test_a_configuration_gives_the_parameters_the_model_is_known_for(tmp_path: Path) -> None:
    shape = shape_of_directory(directory(tmp_path))
    assert shape.weights_gib[Quantization.BF16] * GIB / 2 == pytest.approx(7.248e9, rel=0.001)  # Mistral 7B v0.3
    assert shape.weights_gib[Quantization.BF16] == pytest.approx(13.5, rel=0.01)  # what the catalogue says
    assert shape.weights_gib[Quantization.AWQ_INT4] == pytest.approx(3.95, rel=0.02)
    assert shape.cache_gib(1) * GIB == 2 * 32 * 8 * 128 * 2  # 128 KiB a token


@pytest.mark.parametrize("entry", [entry for entry in catalogue() if entry.parameters_billion > 1], ids=lambda entry: entry.name)
def test_the_choice_follows_the_card(entry: object) -> None:
    shape = shape_of_catalogue(entry)  # type: ignore[arg-type]
    small = {"concurrency": 1, "context": 2048}
    assert fit(shape, CARDS["L4"], 1, **small).variant is Quantization.AWQ_INT4
    assert fit(shape, CARDS["A10G"], 1, **small).variant is Quantization.AWQ_INT4
    assert fit(shape, CARDS["L40S"], 1, **small).variant is Quantization.FP8
    assert fit(shape, CARDS["H100"], 1, **small).variant is Quantization.FP8
    assert fit(shape, CARDS["A100-80"], 1, **small).variant is Quantization.BF16


def test_ampere_is_never_given_fp8() -> None:
    assert not supported(CARDS["A10G"], Quantization.FP8)
    assert all(Quantization.FP8 not in [kind for kind, _ in preferred(card)] for card in CARDS.values() if not card.fp8)
    shape = shape_of_catalogue(read_catalogue_model(CATALOGUE / "mistral-7b-instruct" / "manifest.yaml"))
    with pytest.raises(ConfigError, match="no FP8"):
        fit(shape, CARDS["A100-80"], 1, concurrency=1, context=1024, variant=Quantization.FP8)


def test_a_refusal_says_the_numbers_and_what_would_fit_and_that_does(tmp_path: Path) -> None:
    shape = shape_of_catalogue(read_catalogue_model(CATALOGUE / "llama-2-13b-chat" / "manifest.yaml"))
    with pytest.raises(ConfigError) as refused:
        fit(shape, CARDS["L4"], 1, concurrency=8, context=4096)
    message = str(refused.value)
    assert "weights 6.9 + cache of 8 x 4096 tokens 25.0" in message
    assert "GiB of" in message
    requests = int(message.split("fix:")[1].split(" requests")[0])
    assert fit(shape, CARDS["L4"], 1, concurrency=requests, context=4096).fits
    with pytest.raises(ConfigError):
        fit(shape, CARDS["L4"], 1, concurrency=requests + 1, context=4096)
    assert "1 x A100-40 in awq-int4 (34.9 of 35.6 GiB)" in message


def test_one_more_request_costs_its_cache_and_the_border_is_exact(tmp_path: Path) -> None:
    shape = shape_of_directory(directory(tmp_path))
    one, two = (weigh(shape, CARDS["L4"], 1, Quantization.AWQ_INT4, context=1000, concurrency=count) for count in (1, 2))
    assert two.need_gib - one.need_gib == pytest.approx(1000 * 131072 / GIB)


def test_two_cards_are_taken_where_one_is_too_small(tmp_path: Path) -> None:
    shape = shape_of_directory(directory(tmp_path))
    found = fit(shape, CARDS["L4"], 4, concurrency=4, context=32768)
    assert (found.cards, found.variant) == (2, Quantization.AWQ_INT4)


def test_more_cards_than_key_value_heads_keep_copies(tmp_path: Path) -> None:
    shape = shape_of_directory(directory(tmp_path, num_key_value_heads=2))
    four, two = (weigh(shape, CARDS["L4"], cards, Quantization.BF16, context=100, concurrency=1).cache_gib for cards in (4, 2))
    assert four == pytest.approx(2 * two)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "mamba"), ("model_type", "absent"), ("num_hidden_layers", "absent"), ("num_hidden_layers", -1),
        ("num_attention_heads", 0), ("hidden_size", "4096"), ("num_hidden_layers", 10**12), ("num_key_value_heads", True),
        ("vocab_size", 1.5),
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_counted_is_refused(tmp_path: Path, key: str, value: object) -> None:
    with pytest.raises(ConfigError):
        shape_of_directory(directory(tmp_path, **{key: value}))


def test_a_context_beyond_the_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="32768"):
        fit(shape_of_directory(directory(tmp_path)), CARDS["H200"], 1, concurrency=1, context=32769)


@pytest.mark.parametrize("name", ["ch-zurich", "de-frankfurt", "fr-paris", "ie-dublin"])
def test_every_shipped_region_fits_and_says_why(name: str) -> None:
    found = check_region(load_region(name), concurrency=1, context=None)
    assert found
    assert all(entry.fits and entry.reason for entry in found)


def test_the_lab_has_no_card_to_sum() -> None:
    assert check_region(load_region("lab"), concurrency=1, context=None) == []
