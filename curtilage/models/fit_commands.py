"""``curtilage model fit``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from curtilage.errors import ConfigError
from curtilage.models.fit import Fit, Shape, shape_of_catalogue, shape_of_directory
from curtilage.models.fit import fit as fit_model
from curtilage.models.manifest import CATALOGUE, Quantization, read_catalogue_model
from curtilage.output import print_json, stdout
from curtilage.region import CPU_CARD, Region, load_region
from curtilage.region_parts import CARDS


def region_cards(region: Region) -> list[tuple[str, int]]:
    """Each kind of card a region has, with how many one node holds."""
    gpu = region.aws.gpu if region.aws else region.kubernetes.gpu if region.kubernetes else None
    if gpu is not None:
        return [(gpu.card, gpu.per_node)]
    return sorted({(host.card, 1) for host in region.hosts_by_role("gpu") if host.card})


def check_region(region: Region, *, concurrency: int, context: int | None) -> list[Fit]:
    """The sum for every model on every kind of card; a region without a card has nothing to sum.

    Raises:
        ConfigError: one does not fit.
    """
    found = []
    for model in region.models:
        path = model.manifest if model.manifest.endswith(".yaml") else f"{model.manifest}/manifest.yaml"
        entry = read_catalogue_model(CATALOGUE.parent / path)
        for name, per_node in region_cards(region):
            if name != CPU_CARD:
                wanted = min(entry.context_tokens, 16_384) if context is None else context
                found.append(fit_model(shape_of_catalogue(entry), CARDS[name], per_node, concurrency=concurrency, context=wanted))
    return found


def fit(
    model: Annotated[str | None, typer.Argument(help="A catalogue name, or a directory with config.json.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="Check every model of a region instead.")] = None,
    card: Annotated[str | None, typer.Option("--card", help=f"One of {', '.join(CARDS)}.")] = None,
    cards: Annotated[int, typer.Option("--cards", help="Cards in one node.", min=1, max=8)] = 1,
    concurrency: Annotated[int, typer.Option("--concurrency", help="Requests at a time.", min=1)] = 4,
    context: Annotated[int | None, typer.Option("--context", help="Tokens of one request; default: 16384, or the model's.", min=1)] = None,
    quantization: Annotated[Quantization | None, typer.Option("--quantization", help="Insist on this variant.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Choose the variant for a card and sum its memory; refuse what does not fit, with the numbers and what would."""
    if (model is None) == (region is None):
        raise ConfigError("neither or both of MODEL and --region", rule="one of them is checked", fix="name a model or a region")
    if region is not None:
        found = check_region(load_region(region), concurrency=concurrency, context=context)
    else:
        if card not in CARDS:
            raise ConfigError(f"card {card!r}", rule=f"a card is one of {', '.join(CARDS)}", fix="pass --card")
        shape = _shape(str(model))
        wanted = min(shape.context_tokens, 16_384) if context is None else context
        found = [fit_model(shape, CARDS[card], cards, concurrency=concurrency, context=wanted, variant=quantization)]
    if as_json:
        print_json({"fits": [{**asdict(entry), "need_gib": entry.need_gib, "verdict": "PASS"} for entry in found]})
        return
    for entry in found:
        stdout.print(f"{entry.model}: {entry.line()}\n  {entry.reason}", markup=False)
    if not found:
        stdout.print("no card in this region: nothing to sum", markup=False)


def _shape(model: str) -> Shape:
    directory = Path(model)
    if (directory / "config.json").is_file():
        return shape_of_directory(directory)
    return shape_of_catalogue(read_catalogue_model(CATALOGUE / model / "manifest.yaml"))
