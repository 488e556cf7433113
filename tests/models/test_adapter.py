"""If these fail, an adapter is tuned on what was not signed or cleared, remembers it, or differs from run to run."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from curtilage.canonical import file_digest
from curtilage.errors import ConfigError, MachineError, StepError
from curtilage.finetune import adapting
from curtilage.finetune.adapter_recipe import AdapterRecipe
from curtilage.finetune.generator import generate
from curtilage.finetune.recipe import Recipe
from curtilage.finetune.training import Clearance, cleared_by_generator
from curtilage.models.build import KeyPair, build_lab_model, sign_to
from curtilage.models.quantize import quantize
from curtilage.models.signing import create_keys, verify
from curtilage.models.store import stage
from curtilage.paths import CHECKOUT
from curtilage.verdict import Verdict
from tests.models.needs import lacks

LACKS = lacks("torch", "peft")
pytestmark = pytest.mark.skipif(bool(LACKS), reason=LACKS or "never")

BASE = Recipe(
    vocabulary=512, hidden=64, layers=1, heads=2, kv_heads=1, intermediate=128, context=256, block_tokens=64, batch=4, steps=40, threads=1
)
SMALL = AdapterRecipe(
    rank=8, alpha=16, batch=4, steps=24, warmup_steps=2, learning_rate=5e-3, tokens=192, checkpoint_steps=4, canaries=0, threads=1
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adapter")


@pytest.fixture(scope="module", autouse=True)
def _cache(place: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CURTILAGE_CACHE", str(place / "cache"))
        yield


@pytest.fixture(scope="module")
def key(place: Path) -> KeyPair:
    pair = KeyPair(place / "k.key", place / "k.pub")
    create_keys(pair.private, pair.public)
    return pair


@pytest.fixture(scope="module")
def base(place: Path, key: KeyPair, _cache: None) -> Path:
    return sign_to(build_lab_model(lambda _: None, recipe=BASE, count=80), key, place / "store")


@pytest.fixture(scope="module")
def corpus(place: Path) -> tuple[Path, Clearance]:
    generate(place / "corpus", count=80, seed=9)
    return place / "corpus", cleared_by_generator(place / "corpus")


@pytest.fixture(scope="module")
def made(base: Path, key: KeyPair, corpus: tuple[Path, Clearance]) -> adapting.Adapted:
    return adapting.adapt("nda", base, key.public, corpus[0], SMALL, lambda _: None, clearance=corpus[1])


def test_it_is_better_than_the_base_on_what_it_did_not_see_and_its_card_says_how(made: adapting.Adapted, base: Path) -> None:
    card = json.loads((made.directory / "model-card.json").read_bytes())
    assert card["evaluation"]["held_back_loss"] < card["evaluation"]["base_loss"]
    assert card["memorisation"]["verdict"] == Verdict.NOT_RUN, "this recipe plants none"
    assert card["training"]["isolation"]["interfaces"] == ["lo"]
    assert card["training"]["trace"]["verdict"] in {Verdict.PASS, Verdict.NOT_RUN}
    assert (made.manifest.adapter_of or "").removeprefix("sha256:") == base.name
    assert made.manifest.parameters == card["parameters"] < 200_000


def test_the_signed_adapter_verifies_and_loads_on_its_base(made: adapting.Adapted, base: Path, key: KeyPair, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    staged = stage(made.directory, key.private, key.public, tmp_path)
    assert verify(staged, key.public).ok
    plain = AutoModelForCausalLM.from_pretrained(base)
    ids = torch.tensor([[5, 6, 7]])
    before = plain(input_ids=ids).logits
    assert not torch.equal(PeftModel.from_pretrained(plain, staged)(input_ids=ids).logits, before)
    assert "/" not in json.loads((staged / "adapter_config.json").read_bytes())["base_model_name_or_path"]


def test_a_run_killed_in_the_middle_goes_on_and_ends_with_the_same_adapter(
    made: adapting.Adapted, base: Path, key: KeyPair, corpus: tuple[Path, Clearance], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURTILAGE_CACHE", str(place / "other"))
    code = """
import sys
from pathlib import Path
from curtilage.finetune.adapter_recipe import AdapterRecipe
from curtilage.finetune.adapting import adapt
from curtilage.finetune.training import cleared_by_generator
base, key, data, recipe = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), AdapterRecipe.model_validate_json(sys.argv[4])
adapt("nda", base, key, data, recipe, print, clearance=cleared_by_generator(data))
"""
    process = subprocess.Popen([sys.executable, "-c", code, str(base), str(key.public), str(corpus[0]), SMALL.model_dump_json()],
                               cwd=CHECKOUT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    saved = place / "other" / "models" / "nda" / f".{made.directory.name}.checkpoint"
    deadline = time.monotonic() + 180
    while not saved.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert process.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    assert saved.exists()
    assert not (place / "other" / "models" / "nda" / made.directory.name).exists(), "nothing half-made has the name"
    said: list[str] = []
    again = adapting.adapt("nda", base, key.public, corpus[0], SMALL, said.append, clearance=corpus[1])
    assert any("going on after step" in line for line in said), said
    assert file_digest(again.directory / "adapter_model.safetensors") == file_digest(made.directory / "adapter_model.safetensors")
    assert not list(saved.parent.glob(".*.checkpoint*"))


ATTEMPTS = 3


def test_two_processes_of_torchrun_learn_what_one_does_and_speak_over_loopback_alone(
    made: adapting.Adapted, base: Path, key: KeyPair, corpus: tuple[Path, Clearance]
) -> None:
    import torch
    from safetensors.torch import load_file

    recipe = SMALL.model_copy(update={"processes": 2, "threads": 1})
    for attempt in range(ATTEMPTS):
        try:
            two = adapting.adapt("nda-two", base, key.public, corpus[0], recipe, lambda _: None, clearance=corpus[1])
            break
        except StepError as error:
            # gloo itself aborts now and then on a busy machine (docs/finetuning.md); anything else is ours.
            if "SIGABRT" not in str(error):
                raise
            if attempt == ATTEMPTS - 1:
                pytest.skip(f"NOT-RUN: torch's gloo aborted in each of {ATTEMPTS} runs: {error}")
    assert two.record["training"]["trace"]["verdict"] in {Verdict.PASS, Verdict.NOT_RUN}
    one, other = (load_file(found.directory / "adapter_model.safetensors") for found in (made, two))
    assert one.keys() == other.keys()
    # Sums in another order: close, not equal.
    assert all(torch.allclose(one[name], other[name], atol=5e-3) for name in one)


def test_what_is_not_signed_not_cleared_or_quantized_is_refused_before_anything_is_made(
    base: Path, key: KeyPair, corpus: tuple[Path, Clearance], tmp_path: Path
) -> None:
    data, clearance = corpus

    def tune(where: Path, cleared: Clearance = clearance, name: str = "bad", recipe: AdapterRecipe = SMALL) -> None:
        adapting.adapt(name, where, key.public, data, recipe, lambda _: None, clearance=cleared)

    changed = tmp_path / base.name
    shutil.copytree(base, changed)
    (changed / "config.json").chmod(0o644)
    (changed / "config.json").write_text("{}")
    with pytest.raises(StepError, match="changed file"):
        tune(changed)
    smaller = stage(quantize(base, lambda _: None).directory, key.private, key.public, tmp_path / "store")
    with pytest.raises(ConfigError, match="int8"):
        tune(smaller)
    with pytest.raises(ConfigError, match="cleared"):
        tune(base, Clearance("sha256:" + "0" * 64, "guard", {}))
    with pytest.raises(ConfigError, match="name"):
        tune(base, name="../x")
    with pytest.raises(ConfigError, match="batch"):
        tune(base, recipe=SMALL.model_copy(update={"processes": 8}))
    if find_spec("bitsandbytes") is None:
        with pytest.raises(MachineError, match="bitsandbytes"):
            tune(base, recipe=SMALL.model_copy(update={"quantized": True}))
    assert not list((tmp_path.parent / "cache").glob("models/bad*"))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        ({"memorisation": {"verdict": "FAIL"}}, "memorisation"),
        ({"memorisation": {"verdict": "INVALID"}}, "memorisation"),
        ({"held_back_loss": 2.0}, "worse than none"),
        ({"held_back_loss": None}, "worse than none"),
    ],
)
def test_an_adapter_that_remembers_or_is_worse_than_none_gets_no_card(harm: dict[str, object], reason: str) -> None:
    good = {"memorisation": {"verdict": "PASS"}, "base_loss": 1.0, "held_back_loss": 0.5}
    adapting._judge(good)
    with pytest.raises(StepError, match=reason):
        adapting._judge(good | harm)
