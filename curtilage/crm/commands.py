"""``curtilage crm``: the CRM's own classification, made into rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curtilage.crm import fields, outputs
from curtilage.errors import ConfigError
from curtilage.output import print_json, progress, stdout

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.callback()
def crm() -> None:
    """What a CRM says about its own fields, made into the gateway's rules and the package's allow-list."""


@app.command("import", epilog="Example: curtilage crm import fields.json --classification fields.gateway.json --package salesforce")
def import_(
    files: Annotated[list[Path], typer.Argument(help="What `sf data query --use-tooling-api` wrote: JSON or CSV.")],
    classification: Annotated[Path | None, typer.Option("--classification", help="The gateway's classification file to make.")] = None,
    package: Annotated[Path | None, typer.Option("--package", help="The package whose allow-list records to make.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write what the diff shows; without it nothing is changed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of the diff.")] = False,
) -> None:
    """Show what the CRM's field classification changes, and write it when told to.

    A custom field that nobody classified is listed and denied.
    """
    found = fields.read(files)
    if package is not None and not (package / "sfdx-project.json").is_file():
        raise ConfigError(f"--package {package}", rule="a directory with sfdx-project.json", fix="e.g. --package salesforce")
    wanted: dict[Path, str | None] = {classification: outputs.classification(found)} if classification else {}
    if package is not None:
        wanted |= outputs.package_files(found, package)
    changes = outputs.diff(wanted, Path.cwd())
    if write:
        outputs.write(wanted)
        if classification is not None:
            outputs.check(classification)
    unclassified = [item.name for item in found if item.custom and not item.level]
    closed = {item.name: item.closed_because for item in found if item.closed_because}
    allowed = [item.name for item in found if not item.closed_because]
    if as_json:
        print_json({"allowed": allowed, "denied": closed, "unclassified": unclassified, "diff": changes, "written": write})
    else:
        stdout.file.write(changes)
        for name in unclassified:
            progress(f"not classified, so denied: {name}")
    verb = "written" if write else "nothing written; add --write"
    progress(
        f"{len(found)} fields: {len(allowed)} allowed, {len(closed)} denied, {len(unclassified)} of them custom and not classified; {verb}"
    )
