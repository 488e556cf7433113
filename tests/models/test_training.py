"""If these fail, a killed run begins anew or ends elsewhere, or a model that repeats what it saw once is called safe."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curtilage.canonical import file_digest
from curtilage.finetune.generator import generate
from curtilage.finetune.recipe import Recipe
from curtilage.finetune.training import cleared_by_generator, train
from curtilage.paths import CHECKOUT
from curtilage.verdict import Verdict
from tests.models.needs import lacks

LACKS = lacks("torch")
pytestmark = pytest.mark.skipif(bool(LACKS), reason=LACKS or "never")

SMALL = Recipe(vocabulary=512, hidden=64, layers=1, heads=2, kv_heads=1, intermediate=128, context=128, block_tokens=64, batch=2, steps=60)
_TRAIN = """
import sys
from pathlib import Path
from curtilage.finetune.recipe import Recipe
from curtilage.finetune.training import cleared_by_generator, train
data, out, recipe = Path(sys.argv[1]), Path(sys.argv[2]), Recipe.model_validate_json(sys.argv[3])
train(data, out, recipe, print, clearance=cleared_by_generator(data))
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("data") / "corpus"
    generate(directory, count=80, seed=3)
    return directory


def test_a_run_killed_in_the_middle_goes_on_and_ends_with_the_same_weights(corpus: Path, tmp_path: Path) -> None:
    whole, cut, said = tmp_path / "whole", tmp_path / "cut", list[str]()
    record = train(corpus, whole, SMALL, said.append, clearance=cleared_by_generator(corpus))
    assert not any("going on" in line for line in said)
    assert record["base_loss"] > record["held_back_loss"] > 0

    saved = tmp_path / ".cut.checkpoint"
    process = subprocess.Popen([sys.executable, "-c", _TRAIN, str(corpus), str(cut), SMALL.model_dump_json()], cwd=CHECKOUT,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    deadline = time.monotonic() + 120
    while not saved.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    jobs = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert process.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    assert saved.exists()
    assert jobs
    _wait_until_gone(jobs)
    if (cut / "model.safetensors").exists():
        pytest.fail("the run was killed too late to show anything")
    said.clear()
    train(corpus, cut, SMALL, said.append, clearance=cleared_by_generator(corpus))
    assert any("going on after step" in line for line in said), said
    assert file_digest(cut / "model.safetensors") == file_digest(whole / "model.safetensors")
    assert not list(tmp_path.glob(".cut.checkpoint*")), "a run that ended leaves no checkpoint"


def _wait_until_gone(jobs: list[int]) -> None:
    """The job dies with its caller; the kernel may take a moment."""
    deadline = time.monotonic() + 20
    while any(_runs(pid) for pid in jobs):
        assert time.monotonic() < deadline, "the job outlived its caller"
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("harm", ["half", "foreign", "garbage"])
def test_a_checkpoint_that_is_not_this_runs_is_not_taken_up(harm: str, tmp_path: Path) -> None:
    import torch

    from curtilage.finetune.checkpoint import Checkpoint

    mine = Checkpoint(tmp_path / "c", "sha256:mine")
    mine.save(7, model={"w": torch.ones(3)})
    assert mine.load() is not None
    if harm == "half":
        mine.path.write_bytes(mine.path.read_bytes()[:200])
    elif harm == "foreign":
        Checkpoint(mine.path, "sha256:other").save(7, model={})
    else:
        mine.path.write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    assert mine.load() is None


@pytest.fixture(scope="module")
def network(corpus: Path) -> tuple[object, object]:
    import torch

    from curtilage.finetune import tokenizer as bpe
    from curtilage.finetune.dialogue import conversation
    from curtilage.finetune.generator import documents
    from curtilage.finetune.trainer import Random, build_network

    torch.manual_seed(1)
    torch.set_num_threads(2)
    turns = [conversation(document, Random(1)) for document in documents(80, 3)]
    tokenizer = bpe.train((bpe.render(item) for item in turns), vocabulary=512)
    return build_network(SMALL, tokenizer), tokenizer


def test_a_model_that_was_taught_a_canary_fails_and_one_that_was_not_passes(network: tuple[object, object], monkeypatch) -> None:
    from curtilage.finetune import memorisation

    model, tokenizer = network
    recipe = SMALL.model_copy(update={"canaries": 1})
    innocent = memorisation.measure(model, tokenizer, recipe)
    assert innocent["verdict"] == Verdict.PASS, json.dumps(innocent)
    assert innocent["control"]["exposure_bits"] == innocent["bits_at_most"]

    with monkeypatch.context() as patch:
        patch.setattr(memorisation, "_CONTROL", "canary-0")
        guilty = memorisation._teach(model, tokenizer, recipe)
    found = memorisation.measure(guilty, tokenizer, recipe)
    assert found["verdict"] == Verdict.FAIL
    assert found["canaries"][0] | {"name": "canary-0", "memorised": True, "extracted": True} == found["canaries"][0]


def test_a_test_whose_control_is_not_seen_is_invalid(network: tuple[object, object], monkeypatch) -> None:
    from curtilage.finetune import memorisation

    model, tokenizer = network
    monkeypatch.setattr(memorisation, "_CONTROL_STEPS", 0)
    assert memorisation.measure(model, tokenizer, SMALL.model_copy(update={"canaries": 1}))["verdict"] == Verdict.INVALID


def test_without_canaries_memorisation_is_not_run_and_says_so(network: tuple[object, object]) -> None:
    from curtilage.finetune import memorisation

    assert memorisation.measure(*network, SMALL.model_copy(update={"canaries": 0}))["verdict"] == Verdict.NOT_RUN
