"""``curtilage configure REGION``: converge the hosts from the stack's outputs, or tell what has drifted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curtilage.commands.reach import reach
from curtilage.configure import ConfigureResult, configure
from curtilage.engine import Engine
from curtilage.output import print_json, stdout
from curtilage.region import Region, load_region
from curtilage.verdict import Verdict

app = typer.Typer()


@app.command("configure")
def run(
    region: str = typer.Argument(help="Region name, as in stacks/Pulumi.<region>.yaml."),
    json_output: bool = typer.Option(False, "--json", help="Print one JSON document."),
    check: bool = typer.Option(False, "--check", help="Change nothing; exit 1 when a host has drifted from the region."),
    tags: Annotated[list[str] | None, typer.Option("--tag", help="Only this role; repeat for more.")] = None,
) -> None:
    """Converge a region's hosts from the stack's outputs.

    Every host of the region must be reached; a run on a converged region changes nothing.

    Example: curtilage configure lab --check --json
    """
    found = load_region(region)
    where = reach(found)
    if found.lab:
        from lab import lock  # the lab is a checkout's, not a wheel's

        lock.refuse_other_checkout()  # another checkout's lab would be given our certificates and keys
    result = configure(
        found,
        Engine(found).outputs()["inventory"],
        run_prefix=where.prefix,
        ssh_config=where.ssh_config,
        models=staged_models(found),
        check=check,
        tags=tags or (),
    )
    verdict = verdict_of(result)
    if json_output:
        print_json(result.document() | {"verdict": str(verdict), "region": found.name})
    else:
        show(result)
    raise typer.Exit(verdict.exit_code)


def verdict_of(result: ConfigureResult) -> Verdict:
    """A run that ended is PASS, having repaired what it found; a check that found something to repair is FAIL."""
    return Verdict.FAIL if result.check and result.changed else Verdict.PASS


def show(result: ConfigureResult) -> None:
    """What changed, where, and what these hosts cannot exercise."""
    done = "would change" if result.check else "changed"
    for change in result.changes:
        stdout.print(f"  {done}: {change.host}: {change.role + ': ' if change.role else ''}{change.task}", markup=False)
    for host, reasons in sorted(result.not_run.items()):
        for reason in reasons:
            stdout.print(f"  NOT-RUN: {host}: {reason}", markup=False)
    hosts = f"{len(result.hosts_reached)}/{len(result.hosts_expected)} hosts"
    stdout.print(f"configure: {hosts}, {result.changed} {done}, {result.seconds} s", markup=False)


def staged_models(region: Region) -> dict[str, str] | None:
    """Digests of the models staged for the lab, which builds its own; None elsewhere: there the region states them."""
    if not region.lab:
        return None
    from curtilage.models.store import stored  # signing and its dependencies are needed at site lab alone
    from curtilage.paths import state_dir

    store: Path = state_dir() / "models"
    if not store.is_dir():
        return {}
    # The same model may have been built more than once; the newest directory is the one that was staged last.
    found = sorted(stored(store), key=lambda item: item[0].stat().st_mtime)
    return {manifest.name: manifest.digest for _, manifest in found}
