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
from curtilage.paths import state_dir

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


@app.command(epilog="Example: curtilage finetune adapt --name nda-m1 --base DIR --data corpus --guard report.json --key guard.key")
def adapt(
    name: Annotated[str, typer.Option("--name", help="The adapter's name at the model hosts; no caller can ask for it.")],
    base: Annotated[Path, typer.Option("--base", help="A signed model directory with 16-bit weights.")],
    data: Annotated[Path, typer.Option("--data", help="The corpus.")],
    guard: Annotated[Path, typer.Option("--guard", help="The report of a passing `curtilage finetune guard check` of this corpus.")],
    key: Annotated[Path, typer.Option("--key", help="The guard's key, which the report is sealed with.")],
    to: Annotated[Path | None, typer.Option("--to", help="The store for the signed adapter; default: this checkout's.")] = None,
    model_key: Annotated[
        Path | None, typer.Option("--model-key", help="Public key the base is signed with; default: this machine's.")
    ] = None,
    qlora: Annotated[bool, typer.Option("--qlora", help="Keep the base in 4 bits while training; needs a card and bitsandbytes.")] = False,
    processes: Annotated[int, typer.Option("--processes", help="One a card, started by torchrun.", min=1, max=16)] = 1,
    rank: Annotated[int | None, typer.Option("--rank", help="Of the two factors.", min=1, max=256)] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Training steps.", min=1)] = None,
    batch: Annotated[int | None, typer.Option("--batch", help="Conversations a step, over all processes.", min=1)] = None,
    rate: Annotated[float | None, typer.Option("--learning-rate", help="The highest rate.", min=0)] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of weights and batches.", min=0)] = None,
    as_json: Json = False,
) -> None:
    """Tune a LoRA adapter for one matter on a signed model, without a network; the result is judged, gets a card and is signed."""
    from curtilage.finetune.adapter_recipe import AdapterRecipe
    from curtilage.finetune.adapting import adapt as tune
    from curtilage.models.build import signing_key
    from curtilage.models.store import stage

    clearance = cleared_by_guard(data, guard, key)
    chosen = {"rank": rank, "steps": steps, "batch": batch, "learning_rate": rate, "seed": seed}
    recipe = AdapterRecipe.model_validate(
        {item: value for item, value in chosen.items() if value is not None} | {"quantized": qlora, "processes": processes}
    )
    pair = signing_key()
    made = tune(name, base, model_key or pair.public, data, recipe, progress, clearance=clearance)
    staged = stage(made.directory, pair.private, pair.public, to if to is not None else state_dir() / "models")
    if as_json:
        print_json(
            {
                "name": name,
                "digest": made.manifest.digest,
                "adapter_of": made.manifest.adapter_of,
                "signed": str(staged),
                "card": made.record,
            }
        )
        return
    figures = made.record["evaluation"]
    stdout.print(
        f"{name}@{made.manifest.digest}\nheld-back loss {figures['held_back_loss']}, the base's {figures['base_loss']}\nsigned: {staged}",
        markup=False,
    )


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
