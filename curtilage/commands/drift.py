"""``curtilage drift REGION``: what changed behind the plan's back."""

from __future__ import annotations

import typer

from curtilage.commands.configure import staged_models
from curtilage.commands.reach import reach
from curtilage.configure import configure
from curtilage.drift import Drift, of_events, of_hosts
from curtilage.engine import Engine
from curtilage.errors import NotRunError
from curtilage.output import print_json, progress, stdout
from curtilage.plugins import STANDIN
from curtilage.region import Platform, Region, load_region
from curtilage.verdict import Verdict

app = typer.Typer()

UNSEEN = {
    Platform.HOSTS: "a task that Ansible cannot check without changing; `curtilage verify` attacks the hosts",
    Platform.KUBERNETES: "objects the plan does not hold, and fields it left out; `curtilage verify` reads them",
    Platform.AWS: "resources the plan does not hold; `curtilage verify` reads the account",
}
"""What this command cannot see, by platform: said in every answer, so that none of them is read as 'nothing changed'."""


@app.command("drift")
def drift(
    region: str = typer.Argument(help="Region name, as in stacks/Pulumi.<region>.yaml."),
    json_output: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Compare what stands with what was applied: one finding a resource or host, red for network, identity and keys. Changes nothing.

    Ends with 1 when a finding is red, with 0 when none is. Made for a schedule: see docs/regions.md.

    Example: curtilage drift fr-paris --json
    """
    found = load_region(region)
    findings = look(found)
    verdict = Verdict.FAIL if any(item.red for item in findings) else Verdict.PASS
    if json_output:
        print_json(
            {
                "region": found.name,
                "verdict": str(verdict),
                "findings": [item.document() for item in findings],
                "unseen": UNSEEN[found.platform],
            }
        )
    else:
        show(found, findings, verdict)
    raise typer.Exit(verdict.exit_code)


def look(region: Region) -> tuple[Drift, ...]:
    """The findings of a region, as its platform can be looked at."""
    engine = Engine(region)
    progress(f"drift: reading what stands in {region.name}")
    if region.platform is not Platform.HOSTS:
        _refuse_blind(region, engine)
        return of_events(engine.refreshed())
    where = reach(region)
    if region.lab:
        from lab import lock  # the lab is a checkout's, not a wheel's

        lock.refuse_other_checkout()
    result = configure(
        region,
        engine.outputs()["inventory"],
        run_prefix=where.prefix,
        ssh_config=where.ssh_config,
        models=staged_models(region),
        check=True,
    )
    return of_hosts((change.host, change.role or "", change.task) for change in result.changes)


def _refuse_blind(region: Region, engine: Engine) -> None:
    """The stand-in of AWS reads no account: what it would answer is the plan itself."""
    if region.platform is Platform.AWS and any(item.name == "aws" and item.kind == STANDIN for item in engine.plugins):
        raise NotRunError(
            f"NOT-RUN: {region.name} is on AWS, and its provider here is the stand-in, which reads no account"
            "\n  fix:  pulumi plugin install resource aws"
        )


def show(region: Region, findings: tuple[Drift, ...], verdict: Verdict) -> None:
    """The findings for a human."""
    for item in findings:
        stdout.print(f"{'RED ' if item.red else 'look'}  {item.area:8}  {item.change:6}  {item.type}  {item.name}", markup=False)
        for line in item.details:
            stdout.print(f"      {line}", markup=False)
    red = sum(item.red for item in findings)
    stdout.print(f"drift: {region.name}: {len(findings)} findings, {red} red: {verdict}", markup=False)
    stdout.print(f"       not seen: {UNSEEN[region.platform]}", markup=False)
