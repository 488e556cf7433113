"""``curtilage lab``: start, stop, look at and enter the one-machine region."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from curtilage.errors import ConfigError
from curtilage.output import print_json, progress, stdout
from curtilage.region import load_region
from lab.kubernetes.cluster import LabCluster
from lab.lab import Lab

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
OnKubernetes = Annotated[bool, typer.Option("--kubernetes", help="The lab's cluster instead of its hosts.")]
IgnorePolicies = Annotated[
    bool, typer.Option("--ignore-policies", help="With --kubernetes: a CNI that ignores policies, to see it refused the word sealed.")
]
REGION, CLUSTER_REGION = "lab", "lab-k8s"
NOT_RUNNING_EXIT = 1


@app.command(epilog="Example: curtilage lab start")
def start(json: Json = False, kubernetes: OnKubernetes = False, ignore_policies: IgnorePolicies = False) -> None:
    """Boot the lab: hosts, the open edge, the canaries. Unsealed until `curtilage up lab` configures it."""
    if ignore_policies and not kubernetes:
        raise ConfigError(
            "--ignore-policies without --kubernetes", rule="hosts have no CNI", fix="add --kubernetes, or leave --ignore-policies out"
        )
    if kubernetes:
        cluster = LabCluster()
        cluster.start(load_region(CLUSTER_REGION), progress, enforcing=not ignore_policies)
        if json:
            print_json(cluster.status())
        return
    lab = Lab(load_region(REGION))
    lab.start(progress)
    if json:
        print_json(lab.status())


@app.command(epilog="Example: curtilage lab stop")
def stop(json: Json = False, kubernetes: OnKubernetes = False) -> None:
    """Remove the lab: every process, namespace, link, mount and file of it. The cache stays."""
    if kubernetes:
        cluster = LabCluster()
        cluster.stop(progress)
        if json:
            print_json(cluster.status())
        return
    lab = Lab(load_region(REGION))
    lab.stop(progress)
    if json:
        print_json(lab.status())


@app.command(epilog="Example: curtilage lab status --json")
def status(json: Json = False, kubernetes: OnKubernetes = False) -> None:
    """Say what runs; exit code 1 when the lab does not run whole."""
    if kubernetes:
        _cluster_status(json=json)
        return
    found = Lab(load_region(REGION)).status()
    if json:
        print_json(found)
    else:
        stdout.print(f"lab: {found['state']}" + (f", since {found['since']}, from {found['checkout']}" if "since" in found else ""))
        for host in found.get("hosts", []):
            stdout.print(f"  {host['name']:<12} {host['role']:<9} {host['ipv4']:<12} {host['ipv6']:<18} {host['system']}")
        for missing in found.get("missing", []):
            stdout.print(f"  missing: {missing}")
    if found["state"] != "running":
        raise typer.Exit(NOT_RUNNING_EXIT)


def _cluster_status(*, json: bool) -> None:
    found = LabCluster().status()
    if json:
        print_json(found)
    else:
        for key, value in found.items():
            stdout.print(f"{key:<10} {', '.join(value) if isinstance(value, list) else value}", markup=False)
    if found["state"] != "running":
        raise typer.Exit(NOT_RUNNING_EXIT)


@app.command(
    "exec",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="Example: curtilage lab exec gpu-1 -- nft list ruleset. The exit code is the command's own.",
)
def exec_(
    host: Annotated[str, typer.Argument(help="A host of the lab, such as gpu-1.")],
    command: Annotated[list[str], typer.Argument(help="The command and its arguments, after --.")],
    json: Json = False,
) -> None:
    """Run a command on a host, over ssh as the operator."""
    command = command[1:] if command[:1] == ["--"] else command
    done = Lab(load_region(REGION)).exec(host, command, timeout_seconds=600)
    if json:
        print_json({"host": host, "argv": command, "exit_code": done.returncode, "stdout": done.stdout, "stderr": done.stderr})
    else:
        sys.stdout.write(done.stdout)
        sys.stderr.write(done.stderr)
    raise typer.Exit(done.returncode)
