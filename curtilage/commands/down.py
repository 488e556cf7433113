"""``curtilage down REGION``: take a region down."""

from __future__ import annotations

import typer

from curtilage.engine import Engine
from curtilage.output import print_json, progress
from curtilage.region import load_region

app = typer.Typer()


@app.command("down", epilog="Example: curtilage down lab")
def down(
    region: str = typer.Argument(help="Region name, as in stacks/Pulumi.<region>.yaml."),
    json_output: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Take a region down: the lab's machines and the stack's resources. The cache and the evidence stay."""
    found = load_region(region)
    if found.lab:
        from lab.lab import Lab  # the lab is a checkout's, not a wheel's

        Lab(found).stop(progress)
    Engine(found).destroy()
    progress(f"{region} is down")
    if json_output:
        print_json({"region": region, "down": True})
