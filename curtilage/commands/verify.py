"""``curtilage verify REGION``: attack the running region from inside; of a cluster or an account, prove what stands there live."""

from __future__ import annotations

from typing import NoReturn

import typer

from curtilage.commands.enforcement import enforcement, said
from curtilage.commands.reach import reach
from curtilage.errors import ConfigError, NotRunError
from curtilage.live.aws import audit_account
from curtilage.live.aws_calls import iam_policy as needed
from curtilage.live.kubernetes import audit_cluster
from curtilage.live.report import LiveAudit
from curtilage.output import print_json, stdout
from curtilage.paths import out_dir
from curtilage.probes.table import not_passed, probe_table, verdict_counts
from curtilage.probes.verify import Verification, verify_region
from curtilage.region import Platform, Region, load_region
from curtilage.verdict import Verdict, worst

app = typer.Typer()


@app.command("verify")
def verify(
    region: str = typer.Argument(help="Region name, as in stacks/Pulumi.<region>.yaml."),
    host: list[str] | None = typer.Option(None, "--host", help="Attack from this host only (no evidence is made of it); repeat for more."),
    context: str = typer.Option("", "--context", help="Kubeconfig context of an AWS region's cluster; other regions' files name theirs."),
    account: str = typer.Option("", "--account", help="Account the credentials have to be of; default: the region file's."),
    profile: str = typer.Option("", "--profile", help="AWS profile to read with; default: the environment's credentials."),
    administrator: list[str] | None = typer.Option(
        None, "--administrator", help="Who may open a cluster's seal and is answered for: Kind:name, as Group:platform. Repeat for more."
    ),
    iam_policy: bool = typer.Option(False, "--iam-policy", help="Print the IAM policy that the audit of an account needs, and stop."),
    json_output: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Hosts: attack the running region from inside; every attack must fail, and be seen to fail.

    Clusters and accounts: read what stands there, and prove that. What could not be read is NOT-PROVEN, by name.

    Example: curtilage verify lab --json

    Example: curtilage verify fr-paris --administrator Group:platform-team
    """
    chosen = load_region(region)
    if iam_policy:
        if chosen.platform is not Platform.AWS:
            raise ConfigError(f"--iam-policy, and {region} is on {chosen.platform}", rule="it is for accounts", fix="leave it out")
        print_json(needed())
        raise typer.Exit
    if chosen.platform is not Platform.HOSTS:
        if host:
            raise ConfigError(
                f"--host, and {region} is on {chosen.platform}",
                rule="attacks start from hosts",
                fix="leave --host out; the audit is of the whole",
            )
        audit_live(chosen, context, account, profile, tuple(administrator or ()), json_output=json_output)
    given = [name for name, value in (("--context", context), ("--account", account), ("--profile", profile)) if value]
    if given or administrator:
        raise ConfigError(
            f"{(given or ['--administrator'])[0]}, and {region} is on hosts", rule="it is for clusters and accounts", fix="leave it out"
        )
    found = run_verification(region, tuple(host or ()))
    if json_output:
        print_json(summary(found) | {"cells": found.cells})
    else:
        show(found)
    raise typer.Exit(found.verdict.exit_code)


def audit_live(region: Region, context: str, account: str, profile: str, administrators: tuple[str, ...], *, json_output: bool) -> NoReturn:
    """The live audit of a cluster or an account; ends the command with its exit code."""
    audits: dict[str, LiveAudit] = {}
    verdicts: list[Verdict] = []
    not_run: dict[str, str] = {}
    if region.platform is Platform.KUBERNETES:
        if account or profile:
            raise ConfigError(
                f"--account or --profile, and {region.name} is on a cluster", rule="they are for accounts", fix="leave them out"
            )
        audits["kubernetes"] = audit_cluster(region, context=context or None, administrators=administrators)
    else:
        audits["aws"] = audit_account(region, account=account or None, profile=profile or None)
        if context:
            audits["kubernetes"] = audit_cluster(region, context=context, administrators=administrators)
        else:
            not_run["kubernetes"] = "the cluster's objects were not read: name its context with --context"
            verdicts.append(Verdict.NOT_RUN)
    packets = enforcement(region)
    if packets is not None:
        # A cluster whose CNI was seen to ignore policies fails whatever its objects say; one that nobody could try is said below.
        verdicts += [] if packets[0] is Verdict.NOT_RUN else [packets[0]]
    verdict = worst([*verdicts, *(item.verdict for item in audits.values())])
    if json_output:
        print_json(
            {
                "region": region.name,
                "verdict": str(verdict),
                "audits": {name: item.document() for name, item in audits.items()},
                "not_run": not_run,
                **({"packets": {"verdict": str(packets[0]), "reason": packets[1]}} if packets else {}),
            }
        )
    else:
        for item in audits.values():
            stdout.print(item.text(), markup=False)
        for name, why in not_run.items():
            stdout.print(f"{region.name}: {name}: NOT-RUN: {why}", markup=False)
        if packets is not None:
            stdout.print("\n".join(said(region, packets)), markup=False)
    raise typer.Exit(verdict.exit_code)


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
