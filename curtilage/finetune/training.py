"""Start a training run from outside: the data are checked, the job is isolated, its record comes back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import orjson

from curtilage.errors import ConfigError, MachineError, StepError
from curtilage.finetune.airgap import run_isolated
from curtilage.finetune.generator import generate, read
from curtilage.finetune.guard import require_pass
from curtilage.finetune.guard_store import read_key
from curtilage.finetune.recipe import Recipe
from curtilage.verdict import Verdict

TRAINER = "curtilage.finetune.trainer"


@dataclass(frozen=True)
class Clearance:
    """Why a corpus may be trained on: the guard passed it, or every byte of it was made again from the templates alone."""

    dataset: str
    kind: Literal["guard", "regenerated"]
    about: dict[str, Any]


def cleared_by_guard(data: Path, report: Path, key: Path) -> Clearance:
    """Clearance by a passing check of exactly this corpus.

    Raises:
        ConfigError: there is none.
    """
    found = require_pass(data, report, read_key(key))
    return Clearance(found.dataset, "guard", {"checked": found.checked, "key": found.key, "fingerprints": found.fingerprints})


def cleared_by_generator(data: Path) -> Clearance:
    """Clearance of a corpus that read nothing: the shipped templates and its seed give the same bytes again.

    Where real records exist it proves less than the guard: a record pasted into a template would be generated too.

    Raises:
        ConfigError: the bytes differ.
    """
    _, card = read(data)
    with tempfile.TemporaryDirectory(prefix="curtilage-again-") as scratch:
        again = generate(Path(scratch), count=int(str(card["documents"])), seed=int(str(card["seed"])))
    if again.digest != card["digest"]:
        raise ConfigError(
            f"{data} is not what the templates give", rule="a corpus is cleared before training", fix="let the guard check it"
        )
    return Clearance(again.digest, "regenerated", {"templates": again.templates})


def train(
    data: Path, out: Path, recipe: Recipe, say: Callable[[str], None], *, clearance: Clearance, checkpoint: Path | None = None
) -> dict[str, Any]:
    """Train in a namespace without interfaces and return the run's record; goes on from the last checkpoint that a killed run left.

    Raises:
        ConfigError: the corpus is missing, was changed after it was made, or is not the one that was cleared.
        MachineError: no such namespace can be made here, or torch is not installed.
        StepError: the job failed, or the model remembers a canary; then it gets no card and cannot be signed.
    """
    missing = [name for name in ("torch", "transformers", "tokenizers") if find_spec(name) is None]
    if missing:
        raise MachineError(f"training needs {', '.join(missing)}\n  fix:  make deps (the finetune extra)")
    _, card = read(data)
    if card["digest"] != clearance.dataset:
        raise ConfigError(
            f"{data} is {card['digest']}, cleared was {clearance.dataset}", rule="a corpus is cleared before training", fix="check it again"
        )
    out.mkdir(parents=True, exist_ok=True)
    saved = checkpoint if checkpoint is not None else out.parent / f".{out.name}.checkpoint"
    job = {"data": str(data.resolve()), "out": str(out.resolve()), "recipe": recipe.model_dump(), "checkpoint": str(saved.resolve())}
    traced = run_isolated(TRAINER, job, say=say)
    record: dict[str, Any] = orjson.loads((out.parent / f"{out.name}.training.json").read_bytes())
    verdict = record["memorisation"]["verdict"]
    if verdict not in {Verdict.PASS, Verdict.NOT_RUN}:
        raise StepError(
            "train",
            f"memorisation: {verdict}; the model says a number it saw once, or the test could not see that it does not ({out})",
            fix="see memorisation in the training record; train fewer steps, a smaller model, or more documents",
        )
    record["trace"] = traced
    record["clearance"] = {"kind": clearance.kind, **clearance.about}
    return record
