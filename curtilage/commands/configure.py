"""``curtilage configure REGION``: converge the hosts from the stack's outputs, or tell what has drifted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curtilage.allowance import Role
from curtilage.canonical import canonical_json
from curtilage.commands.reach import Reach, reach
from curtilage.configure import ConfigureResult, configure
from curtilage.engine import Engine
from curtilage.output import print_json, stdout
from curtilage.paths import state_dir
from curtilage.region import Region, load_region
from curtilage.verdict import Verdict

app = typer.Typer()


@app.command("configure")
def run(
    region: str = typer.Argument(help="Region name, as in stacks/Pulumi.<region>.yaml."),
    json_output: bool = typer.Option(False, "--json", help="Print one JSON document."),
    check: bool = typer.Option(False, "--check", help="Change nothing; exit 1 when a host has drifted from the region."),
    serving: bool = typer.Option(False, "--serving", help="Only tell the gateways which versions and adapters answer (seconds)."),
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
    if serving:
        hosts = tell_gateways(found, where)
        if json_output:
            print_json({"region": found.name, "told": hosts, "verdict": str(Verdict.PASS)})
        else:
            stdout.print(f"told: {', '.join(hosts)}", markup=False)
        return
    if found.lab and not check and (state_dir() / "models").is_dir():
        from lab.lab import Lab

        Lab(found).stage_models(state_dir() / "models")  # what was promoted since the lab was started is there as well
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


_TAKE_SERVING = (
    "umask 022; t=$(mktemp /etc/curtilage/.serving.XXXXXX) && cat > $t && chmod 0644 $t && sync $t && mv $t /etc/curtilage/serving.json"
)


def tell_gateways(region: Region, where: Reach) -> list[str]:
    """Put the rollout's present state on every gateway: which share a canary has, and whose adapters answer. Nothing restarts.

    Raises:
        StepError: a gateway was not reached; what the others were told stays.
    """
    from curtilage.models import rollout

    document = canonical_json(rollout.serving_document(rollout.load(region.name))).decode() + "\n"
    hosts = [host.name for host in region.hosts_by_role(Role.GATEWAY)]
    for host in hosts:
        where.run(host, ["sh", "-c", _TAKE_SERVING], step="serving", timeout_seconds=20, stdin=document)
    return hosts


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
    """Digests of what was promoted here, and of the models staged for the lab, which builds its own; elsewhere the region states them."""
    from curtilage.models import rollout  # signing and its dependencies are needed where models are

    promoted = {model.name: digest for model in region.models if (digest := rollout.serving(region.name, model.name)) is not None}
    if not region.lab:
        return promoted or None

    store: Path = state_dir() / "models"
    if not store.is_dir():
        return promoted
    staged = {model.name: digest for model in region.models if (digest := rollout.newest(store, model.name)) is not None}
    return staged | promoted
