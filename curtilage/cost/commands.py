"""``curtilage cost REGION``."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from curtilage.commands.reach import reach
from curtilage.cost.measured import measure
from curtilage.cost.model import Cost, Site
from curtilage.cost.model import cost as cost_of
from curtilage.cost.plot import draw, table
from curtilage.cost.prices import DEFAULT, read_prices
from curtilage.errors import ConfigError
from curtilage.models.manifest import read_catalogue_model
from curtilage.output import print_json, stdout
from curtilage.paths import CHECKOUT
from curtilage.region import Region, load_region

app = typer.Typer(rich_markup_mode=None)


def site_of(region: Region) -> Site:
    """What of a region decides its cost; the largest of its models sets the pace.

    Raises:
        ConfigError: it has no GPU machine or no model, or machines with different cards.
    """
    file = f"stacks/Pulumi.{region.name}.yaml"
    gpu = region.aws.gpu if region.aws else region.kubernetes.gpu if region.kubernetes else None
    if gpu is not None:
        card, nodes, per_node = gpu.card, gpu.nodes, gpu.per_node
    else:
        cards = Counter(host.card for host in region.hosts_by_role("gpu") if host.card)
        if len(cards) != 1:
            raise ConfigError("GPU hosts with different cards", rule="one price per region", fix="split the region", file=file, key="hosts")
        ((card, nodes),) = cards.items()
        per_node = 1
    models = []
    for model in region.models:
        path = model.manifest if model.manifest.endswith(".yaml") else f"{model.manifest}/manifest.yaml"
        models.append(read_catalogue_model(CHECKOUT / path))
    if not models:
        raise ConfigError("no model", rule="a cost per token needs a model", fix="name one", file=file, key="models")
    largest = max(models, key=lambda entry: entry.parameters_billion)
    return Site(
        region=region.name,
        platform=region.platform.value,
        card=card,
        instance=region.aws.gpu.instance if region.aws else None,
        nodes=nodes,
        cards_per_node=per_node,
        model=largest.name,
        parameters_billion=largest.parameters_billion,
    )


@app.command(epilog="Example: curtilage cost ch-zurich --prices my-prices.yaml --plot break-even.svg")
def cost(
    region: Annotated[str, typer.Argument(help="A region of stacks/, or a path.")],
    prices: Annotated[Path, typer.Option("--prices", help="Dated prices and assumptions.")] = DEFAULT,
    throughput: Annotated[float | None, typer.Option("--throughput", help="Measured tokens a second of one card.", min=0.001)] = None,
    utilisation: Annotated[float | None, typer.Option("--utilisation", help="Mean share of full load, 0 to 1.", min=0.0001, max=1)] = None,
    measured: Annotated[bool, typer.Option("--measured", help="Ask the running region's Prometheus for both.")] = False,
    plot: Annotated[Path | None, typer.Option("--plot", help="Write the break-even plot here, .svg or .png.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """What a region, a matter and a million tokens cost, against cloud APIs for the same work; every assumption is named."""
    loaded = load_region(region)
    if throughput is not None and not math.isfinite(throughput):
        raise ConfigError(f"--throughput {throughput}", rule="a figure is a finite number", fix="pass what was measured")
    site, figures = site_of(loaded), read_prices(prices)
    if measured:
        if throughput is not None or utilisation is not None:
            raise ConfigError(
                "--measured with --throughput or --utilisation", rule="a figure is measured or given", fix="leave one of them out"
            )
        served = measure(loaded, reach(loaded))
        # Prometheus counts a machine; the sums want a card.
        throughput, utilisation = served.tokens_per_second / site.cards_per_node, served.utilisation
    found = cost_of(figures, site, measured=throughput, utilisation=utilisation)
    if utilisation is not None:
        figures = figures.model_copy(update={"utilisation": figures.utilisation.model_copy(update={"share": utilisation})})
    rows = table(figures, site, throughput)
    if plot is not None:
        draw(figures, site, plot, throughput)
    if as_json:
        print_json({**found.model_dump(mode="json"), "table": rows, "plot": str(plot) if plot else None})
        return
    _show(found)
    stdout.print(f"\n{'million tokens a month':>24}" + "".join(f"{name:>26}" for name in rows[0] if name != "million_tokens"), markup=False)
    for row in rows:
        stdout.print(
            f"{row['million_tokens']:>24,.0f}" + "".join(f"{row[name]:>26,.0f}" for name in row if name != "million_tokens"), markup=False
        )


def _show(found: Cost) -> None:
    money = found.currency
    stdout.print(f"{found.region}: {found.model} on {found.nodes} x {found.node}, prices of {found.prices_of}", markup=False)
    for line in found.lines:
        stdout.print(f"  {line.name:<40} {line.monthly:>12,.0f} {money}  ({line.source})", markup=False)
    stdout.print(f"  {'a month':<40} {found.monthly:>12,.0f} {money}", markup=False)
    stdout.print(f"  {'a matter a month':<40} {found.per_matter:>12,.2f} {money}  ({found.matters} matters)", markup=False)
    tokens = f"{found.tokens_million:,.0f} of {found.capacity_million:,.0f} million tokens a month, {found.utilisation:.0%}"
    stdout.print(f"  {'a million tokens':<40} {found.per_million:>12,.2f} {money}  ({tokens})", markup=False)
    for cloud in found.cloud:
        even = f"break-even at {cloud.break_even_million:,.0f} million a month" if cloud.break_even_million else "no break-even"
        stdout.print(f"  {cloud.name:<40} {cloud.per_million:>12,.2f} {money}  ours is {cloud.ratio:.2f} times that; {even}", markup=False)
    stdout.print(f"'2 to 3 times a cloud API for the same throughput': {found.claim}: {found.claim_why}", markup=False)
    if found.assumed:
        stdout.print(f"assumed, not looked up: {', '.join(found.assumed)}", markup=False)
