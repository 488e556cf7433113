"""Tune an adapter on a signed model, from outside: base and corpus are checked, the job is isolated and traced, its result gets a card."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from curtilage.canonical import file_digest
from curtilage.errors import ConfigError, MachineError, StepError
from curtilage.finetune.adapter_recipe import AdapterRecipe, adapter_digest
from curtilage.finetune.airgap import run_isolated
from curtilage.finetune.generator import read
from curtilage.finetune.recipe import code_digest
from curtilage.finetune.training import Clearance
from curtilage.models.files import MANIFEST
from curtilage.models.manifest import ModelFile, ModelManifest, Provenance, Quantization, content_digest, read_manifest
from curtilage.models.signing import verify
from curtilage.models.store import cached_models, make, short
from curtilage.verdict import Verdict

JOB = "curtilage.finetune.adapter_job"
WORSE_BY = 0.02
"""An adapter whose loss on held-back documents is that much above the base's has learnt something else."""


@dataclass(frozen=True)
class Adapted:
    """An unsigned adapter in the cache."""

    manifest: ModelManifest
    directory: Path
    record: dict[str, Any]


def adapt(
    name: str, base: Path, key: Path, data: Path, recipe: AdapterRecipe, say: Callable[[str], None], *, clearance: Clearance
) -> Adapted:
    """An adapter in the cache; made if it is not there, going on from the last checkpoint that a killed run left.

    Args:
        name: the adapter's name, as model hosts will serve it.
        base: a signed model directory with 16-bit weights.
        key: the public key it must verify under.
        data: the corpus.
        recipe: the run's numbers.
        say: progress.
        clearance: why this corpus may be trained on.

    Raises:
        ConfigError: the base is quantized or an adapter itself, or the corpus is not the one that was cleared.
        MachineError: what the run needs is not on this machine.
        StepError: the base does not verify, the job failed or asked for a network, or the result may not be used.
    """
    _needed(recipe)
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,62}", name):
        raise ConfigError(f"name '{name}'", rule="small letters, digits, dots and hyphens", fix="pass another --name")
    checked = verify(base, key)
    if not checked.ok:
        raise StepError("adapt", f"{base}: {checked.reason}", fix="stage the base again; nothing unsigned is loaded")
    whole = read_manifest(base / MANIFEST)
    if whole.variant is not Quantization.BF16 or whole.adapter_of is not None:
        raise ConfigError(f"{base} is {'an adapter' if whole.adapter_of else whole.variant}", rule="an adapter is tuned on 16-bit weights",
                          fix="name the unquantized version; --qlora makes it 4 bits while training")  # fmt: skip
    _, about = read(data)
    if about["digest"] != clearance.dataset:
        raise ConfigError(
            f"{data} is {about['digest']}, cleared was {clearance.dataset}",
            rule="a corpus is cleared before training",
            fix="check it again",
        )
    digest = adapter_digest(whole.digest, clearance.dataset, recipe)
    target = cached_models() / name / short(digest)
    make(target, lambda work: _make(work, name, digest, base, whole, data, recipe, say, clearance))
    card: dict[str, Any] = orjson.loads((target / "model-card.json").read_bytes())
    return Adapted(read_manifest(target / MANIFEST), target, card)


def _needed(recipe: AdapterRecipe) -> None:
    names = ("torch", "transformers", "peft", *(("bitsandbytes",) if recipe.quantized else ()))
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise MachineError(f"this run needs {', '.join(missing)}\n  fix:  make deps (the finetune extra); bitsandbytes beside it for QLoRA")
    if recipe.batch < recipe.processes:
        raise ConfigError(
            f"a batch of {recipe.batch} for {recipe.processes} processes", rule="each takes a part of it", fix="pass a larger --batch"
        )


def _make(
    work: Path, name: str, digest: str, base: Path, whole: ModelManifest, data: Path, recipe: AdapterRecipe,
    say: Callable[[str], None], clearance: Clearance,
) -> None:  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="curtilage-adapter-") as scratch:
        out = Path(scratch) / "adapter"
        job = {
            "base": str(base.resolve()),
            "base_digest": whole.digest,
            "data": str(data.resolve()),
            "out": str(out),
            "recipe": recipe.model_dump(),
            "checkpoint": str(cached_models() / name / f".{short(digest)}.checkpoint"),
        }
        traced = run_isolated(JOB, job, say=say)
        record: dict[str, Any] = orjson.loads((Path(scratch) / "adapter.training.json").read_bytes())
        _judge(record)
        for file in ("adapter_model.safetensors", "adapter_config.json"):
            shutil.copyfile(out / file, work / file)
    record |= {"trace": traced, "clearance": {"kind": clearance.kind, **clearance.about}}
    card = adapter_card(name, whole, record)
    (work / "model-card.json").write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    (work / "README.md").write_text(adapter_card_text(card), encoding="utf-8")
    files = tuple(
        ModelFile(path=path.name, sha256=file_digest(path).removeprefix("sha256:"), size_bytes=path.stat().st_size)
        for path in sorted(work.iterdir())
    )
    manifest = ModelManifest(
        name=name,
        architecture=whole.architecture,
        parameters=record["parameters"],
        context_tokens=whole.context_tokens,
        dtype="float32",
        variant=Quantization.BF16,
        licence=whole.licence,
        digest=digest,
        content=content_digest(files),
        files=files,
        provenance=Provenance(kind="trained", data=clearance.dataset, seed=recipe.seed, code=code_digest(), libraries=record["libraries"]),
        adapter_of=whole.digest,
    )
    (work / MANIFEST).write_bytes(orjson.dumps(manifest.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


def _judge(record: dict[str, Any]) -> None:
    """What remembers its corpus, or is worse than the base on what it was tuned for, gets no card and cannot be signed."""
    verdict = record["memorisation"]["verdict"]
    if verdict not in {Verdict.PASS, Verdict.NOT_RUN}:
        raise StepError(
            "adapt",
            f"memorisation: {verdict}; the adapter says a number it saw once, or the test could not see that it does not",
            fix="fewer steps, a smaller rank or rate, or more documents",
        )
    before, after = record["base_loss"], record["held_back_loss"]
    if before is None or after is None or after > before + WORSE_BY:
        raise StepError(
            "adapt", f"held-back loss {after}, the base's {before}: the adapter is worse than none", fix="more steps, or a smaller rate"
        )


def adapter_card(name: str, base: ModelManifest, record: dict[str, Any]) -> dict[str, Any]:
    """The card as data; nothing in it is typed by hand but what no run can know."""
    return {
        "name": name,
        "adapter_of": {"name": base.name, "digest": base.digest},
        "method": "QLoRA" if record["recipe"]["quantized"] else "LoRA",
        "parameters": record["parameters"],
        "licence": base.licence,
        "training": {
            key: record[key]
            for key in ("data", "documents", "recipe", "libraries", "clearance", "trace", "isolation", "losses", "seconds", "device")
        },
        "evaluation": {key: record[key] for key in ("held_back_documents", "held_back_loss", "base_loss")},
        "memorisation": record["memorisation"],
        "intended_use": "answers on the one matter it is given to; answers are not legal advice",
        "limits": "no better than its base outside the documents' kinds; the corpus is synthetic",
    }  # fmt: skip


def adapter_card_text(card: dict[str, Any]) -> str:
    """The card for people."""
    training, evaluation = card["training"], card["evaluation"]
    return (
        f"# {card['name']}\n\n{card['method']} adapter of {card['adapter_of']['name']} (`{card['adapter_of']['digest']}`), "
        f"{card['parameters'] / 1e6:.2f} million parameters, {card['licence']}.\n\n"
        f"* {training['documents']} synthetic documents (`{training['data']}`), {training['recipe']['steps']} steps, seed "
        f"{training['recipe']['seed']}, on {training['device']} in {training['seconds']} s\n"
        f"* corpus cleared by: {training['clearance']['kind']}\n"
        f"* network while training: namespace of its own, interfaces {', '.join(training['isolation']['interfaces'])}; trace of its calls: "
        f"{training['trace']['verdict']}\n"
        f"* loss on {evaluation['held_back_documents']} held-back documents: {evaluation['held_back_loss']}; the base's: "
        f"{evaluation['base_loss']}\n* memorisation: {card['memorisation']['verdict']}\n"
        f"* use: {card['intended_use']}\n* limits: {card['limits']}\n"
    )
