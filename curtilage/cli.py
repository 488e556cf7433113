"""The ``curtilage`` command: mounts each area's verbs and turns errors into messages and exit codes.

Each area keeps its verbs in a module of its own with a Typer ``app``; this file only says where they hang.
"""

from __future__ import annotations

import importlib
import sys
from typing import NamedTuple

import typer

from curtilage import __version__
from curtilage.errors import CurtilageError
from curtilage.output import print_json_error, stderr


class Area(NamedTuple):
    """Where a verb lives: loaded only when it is named, so that a gateway host needs nothing of the other extras."""

    module: str
    help: str
    group: bool  # True: the app is a group under this name; False: the app's one command takes this name


AREAS: dict[str, Area] = {
    "doctor": Area("curtilage.doctor", "Name everything this machine lacks, with the command that fixes it.", False),
    "plan": Area("curtilage.commands.plan", "Preview a region: plan, policies, proof. Changes nothing.", False),
    "up": Area("curtilage.commands.up", "Bring a region up: preview, policies, proof, up, configure, verify, evidence.", False),
    "configure": Area("curtilage.commands.configure", "Converge a region's hosts from the stack's outputs.", False),
    "verify": Area("curtilage.commands.verify", "Attack the running region from inside, or prove what stands there live.", False),
    "drift": Area("curtilage.commands.drift", "Name what changed behind the plan's back; red for network, identity, keys.", False),
    "alerts": Area("curtilage.commands.alerts", "What fires in a region now, by its own Prometheus.", False),
    "down": Area("curtilage.commands.down", "Take a region down.", False),
    "env": Area("curtilage.commands.env", "Print the shell exports that let plain `pulumi` run a stack.", False),
    "review": Area("curtilage.review.commands", "One comment for a pull request: egress delta, policies, proof, plan digest.", False),
    "prove": Area("curtilage.proof.commands", "Decide whether anything can leave: rulesets, plans, manifests.", True),
    "lab": Area("lab.commands", "The one-machine region: start, stop, status, exec.", True),
    "model": Area("curtilage.models.commands", "Build, sign and verify models.", True),
    "finetune": Area("curtilage.finetune.commands", "Generate synthetic documents and train without a network.", True),
    "bundle": Area("curtilage.bundle.commands", "Carry everything a region needs over an air gap.", True),
    "cost": Area("curtilage.cost.commands", "What a region, a matter and a million tokens cost, against cloud APIs.", False),
    "gateway": Area("curtilage.gateway.commands", "Run the gateway; manage its keys and matters.", True),
    "redact": Area("curtilage.sanitize.commands", "Redact text or records with the very code the gateway runs.", False),
    "audit": Area("curtilage.audit.commands", "Verify, query and export the ledger.", True),
    "region": Area("curtilage.commands.region", "Write a new region's file, or refuse it.", True),
    "crm": Area("curtilage.crm.commands", "Import the CRM's field classification into rules and the package's allow-list.", True),
    "scan": Area("curtilage.scan.commands", "Name every way data can leave a CRM, from its source; AI ones marked.", False),
    "evidence": Area("curtilage.evidence.commands", "Build and verify signed evidence bundles.", True),
}


def build_app(named: str | None) -> typer.Typer:
    """The Typer app with the named area loaded and every other one listed by its help text alone."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        help="Curtilage: sovereign LLM deployments for corporate legal departments.",
        epilog="Exit codes: 0 PASS, 1 FAIL, 2 usage or input error, 3 NOT-PROVEN / INVALID / NOT-RUN.",
    )

    @app.callback(invoke_without_command=True)
    def root(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
        if version:
            typer.echo(__version__)
            raise typer.Exit

    for name, area in AREAS.items():
        if name == named:
            loaded: typer.Typer = importlib.import_module(area.module).app
            app.add_typer(loaded, name=name if area.group else None, help=area.help if area.group else None)
        else:
            app.command(name, help=area.help)(lambda: None)
    return app


def main() -> None:
    """Entry point; a user's mistake ends in a message and its exit code, never in a traceback, and with ``--json`` in a document too."""
    named = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    try:
        build_app(named)()
    except CurtilageError as error:
        stderr.print(f"error: {error}", markup=False)
        if "--json" in sys.argv:
            print_json_error(str(error), error.exit_code)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        stderr.print("interrupted; run the same command again to go on", markup=False)
        sys.exit(130)


if __name__ == "__main__":
    main()
