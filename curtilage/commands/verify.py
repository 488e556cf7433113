"""``curtilage verify REGION``: attack the running region from inside."""

from __future__ import annotations

import typer

from curtilage.commands.reach import reach
from curtilage.errors import NotRunError
from curtilage.output import print_json, stdout
from curtilage.paths import out_dir
from curtilage.probes.table import not_passed, probe_table, verdict_counts
from curtilage.probes.verify import Verification, verify_region
from curtilage.region import load_region

app = typer.Typer()


@app.command("verify")
def verify(
    region: str = typer.Argument(help="Region name, as in stacks/Pulumi.<region>.yaml."),
    host: list[str] | None = typer.Option(None, "--host", help="Attack from this host only (no evidence is made of it); repeat for more."),
    json_output: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Attack the running region from inside; every attack must fail, and be seen to fail.

    Example: curtilage verify lab --json
    """
    found = run_verification(region, tuple(host or ()))
    if json_output:
        print_json(summary(found) | {"cells": found.cells})
    else:
        show(found)
    raise typer.Exit(found.verdict.exit_code)


def run_verification(name: str, hosts: tuple[str, ...] = ()) -> Verification:
    """The live suite on a region, wherever it runs."""
    where = reach(load_region(name))
    if where.canary is None:
        raise NotRunError(
            f"NOT-RUN: {name} has no canary, so silence would prove nothing\n  fix:  export CURTILAGE_CANARY=DIRECTORY of its records"
        )
    return verify_region(
        region=name,
        prefix=where.prefix,
        ssh_config=where.ssh_config,
        canary=where.canary,
        out=out_dir() / name / ("verification" if not hosts else "verification-part"),
        hosts=hosts,
    )


def summary(found: Verification) -> dict[str, object]:
    """What a bundle and the last screen say of a verification."""
    return {
        "verdict": str(found.verdict),
        "counts": verdict_counts(found.cells),
        "host_tests": found.host_tests,
        "seconds": found.seconds,
        "junit": str(found.junit),
    }


def show(found: Verification) -> None:
    """The table and every cell that is not PASS."""
    stdout.print(probe_table(found.cells))
    for line in not_passed(found.cells):
        stdout.print(line, markup=False)
    failed = [name for name, outcome in found.host_tests.items() if outcome != "passed"]
    stdout.print(f"host tests: {len(found.host_tests) - len(failed)}/{len(found.host_tests)} passed", markup=False)
    for name in failed:
        stdout.print(f"FAIL {name}", markup=False)
