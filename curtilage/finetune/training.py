"""Start a training run from outside: the data are checked, the job is isolated, its record comes back."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from curtilage.errors import MachineError
from curtilage.finetune.airgap import run_isolated
from curtilage.finetune.generator import read
from curtilage.finetune.recipe import Recipe

TRAINER = "curtilage.finetune.trainer"


def train(data: Path, out: Path, recipe: Recipe, say: Callable[[str], None]) -> dict[str, Any]:
    """Train in a namespace without interfaces and return the run's record.

    Raises:
        ConfigError: the corpus is missing or was changed after it was made.
        MachineError: no such namespace can be made here, or torch is not installed.
        StepError: the job failed.
    """
    missing = [name for name in ("torch", "transformers", "tokenizers") if find_spec(name) is None]
    if missing:
        raise MachineError(f"training needs {', '.join(missing)}\n  fix:  make deps (the finetune extra)")
    read(data)
    out.mkdir(parents=True, exist_ok=True)
    run_isolated(TRAINER, {"data": str(data.resolve()), "out": str(out.resolve()), "recipe": recipe.model_dump()}, say=say)
    record: dict[str, Any] = orjson.loads((out.parent / f"{out.name}.training.json").read_bytes())
    return record
