"""``curtilage finetune``: synthetic documents and training without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from curtilage.errors import ConfigError
from curtilage.finetune import guard_commands
from curtilage.finetune.card import model_card, model_card_text
from curtilage.finetune.generator import generate as generate_documents
from curtilage.finetune.recipe import Recipe
from curtilage.finetune.training import cleared_by_guard
from curtilage.finetune.training import train as train_model
from curtilage.output import print_json, progress, stdout

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
app.add_typer(guard_commands.app, name="guard", help="Keep real records out of a corpus, without reading them.")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


@app.command(epilog="Example: curtilage finetune generate --out corpus --count 6000 --seed 7")
def generate(
    out: Annotated[Path, typer.Option("--out", help="Directory for documents.jsonl and its card.")],
    count: Annotated[int, typer.Option("--count", help="How many documents.")] = 6_000,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same bytes.")] = 1,
    as_json: Json = False,
) -> None:
    """Write synthetic legal documents in English, German and French, with a card and a digest."""
    dataset = generate_documents(out, count=count, seed=seed)
    if as_json:
        print_json(
            {
                "directory": str(dataset.directory),
                "documents": dataset.count,
                "seed": dataset.seed,
                "digest": dataset.digest,
                "templates": dataset.templates,
                "by_kind": dataset.by_kind,
                "by_language": dataset.by_language,
            }
        )
        return
    stdout.print(f"{dataset.count} documents in {dataset.directory}, digest {dataset.digest}", markup=False)


@app.command(epilog="Example: curtilage finetune train --data corpus --guard report.json --key guard.key --out tuned")
def train(
    data: Annotated[Path, typer.Option("--data", help="Directory made by `curtilage finetune generate`.")],
    out: Annotated[Path, typer.Option("--out", help="Directory for the model; must not exist or be empty.")],
    guard: Annotated[Path, typer.Option("--guard", help="The report of a passing `curtilage finetune guard check` of this corpus.")],
    key: Annotated[Path, typer.Option("--key", help="The guard's key, which the report is sealed with.")],
    steps: Annotated[int | None, typer.Option("--steps", help="Training steps; fewer is quicker and worse.", min=1)] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of weights and batches.", min=0)] = None,
    as_json: Json = False,
) -> None:
    """Train the small model from nothing, in a network namespace that holds no interface but loopback."""
    clearance = cleared_by_guard(data, guard, key)
    if out.exists() and any(out.iterdir()):
        raise ConfigError(f"{out} is not empty", rule="a run never writes over a model", fix="pass another --out")
    chosen = {name: value for name, value in (("steps", steps), ("seed", seed)) if value is not None}
    record = train_model(data, out, Recipe.model_validate(chosen), progress, clearance=clearance)
    card = model_card(out.name, record)
    (out / "model-card.json").write_bytes(orjson.dumps(card, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    (out / "README.md").write_text(model_card_text(card), encoding="utf-8")
    if as_json:
        print_json({"directory": str(out), "card": card, "record": record})
        return
    stdout.print(f"{record['parameters'] / 1e6:.1f} M parameters in {out}, held-back loss {record['held_back_loss']}", markup=False)
