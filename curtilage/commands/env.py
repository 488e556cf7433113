"""``curtilage env REGION``: the shell exports that let plain ``pulumi`` run a region's stack."""

from __future__ import annotations

import shlex

import typer

from curtilage.engine import Engine
from curtilage.output import print_json, stdout
from curtilage.region import load_region

app = typer.Typer()

_SECRET = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_ACCESS_TOKEN")


@app.command("env")
def env(
    region: str = typer.Argument(help="Region name, as in stacks/Pulumi.<region>.yaml."),
    json_output: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Print the shell exports that let plain `pulumi preview|up -s REGION` run; the stack is made when it is not there.

    Example: eval "$(curtilage env lab)" && pulumi preview -s lab
    """
    engine = Engine(load_region(region))
    engine.ensure_stack()
    # A passphrase or token the operator has set is in their environment already; it is never repeated on a terminal.
    exports = {name: value for name, value in engine.exports().items() if name not in _SECRET or value == ""}
    if json_output:
        print_json(exports)
    else:
        for name, value in exports.items():
            stdout.print(f"export {name}={shlex.quote(value)}", markup=False)
