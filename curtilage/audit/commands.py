"""``curtilage audit``: verify, query and export a ledger."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from curtilage.audit.export import export_ledger
from curtilage.audit.note import VerifierKey
from curtilage.audit.query import COLUMNS, PRIVILEGE_COLUMNS, Filter, cell, counts, merge, select, to_csv
from curtilage.audit.reader import read_records
from curtilage.audit.report_command import report
from curtilage.audit.verify import verify as verify_directory
from curtilage.audit.verify_parse import VerifyResult
from curtilage.errors import ConfigError
from curtilage.output import print_json, progress, stderr, stdout

app = typer.Typer(no_args_is_help=True, help="Verify, query, report and export the ledger.")
app.command("report")(report)


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class View(StrEnum):
    """Which columns."""

    CALLS = "calls"
    PRIVILEGE = "privilege"


def _document(result: VerifyResult) -> dict[str, object]:
    return asdict(result) | {"verdict": result.verdict}


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", rule="--checkpoint names an exported checkpoint", fix="check the path"
        ) from error


def _stamp(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"time {text!r}", rule="times are ISO 8601", fix="use e.g. 2030-01-31 or 2030-01-31T12:00:00Z") from error
    return (when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@app.command("verify")
def verify(
    directory: Annotated[Path, typer.Argument(help="The ledger's directory, or a copy of it.")],
    key: Annotated[Path, typer.Option("--key", help="The ledger's .pub file, obtained from elsewhere than the ledger.")],
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="A checkpoint kept elsewhere; shows truncation and replacement.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check every record, tile, pairing and signature with code that shares nothing with the writer.

    Example: curtilage audit verify /var/lib/curtilage/ledger --key ledger.pub --checkpoint exported-checkpoint
    """
    result = verify_directory(directory, str(VerifierKey.load(key)), _read(checkpoint))
    if json_output:
        print_json(_document(result))
        raise typer.Exit(result.verdict.exit_code)
    for problem in result.problems:
        stdout.print(f"FAIL {problem.id} {problem.where}: {problem.reason}", markup=False)
    stdout.print(f"{result.verdict} {result.origin}: {result.size} records under the signed head, {result.unsealed} after it", markup=False)
    stdout.print(
        "  "
        + ", ".join(f"{number} {kind}" for kind, number in result.counts.items())
        + f", {result.open_calls} open, {result.interrupted} interrupted",
        markup=False,
    )
    if checkpoint is None:
        stdout.print(
            "  no exported checkpoint given: a ledger cut short or replaced by its own key's holder would not be noticed", markup=False
        )
    elif result.verdict == "PASS":
        stdout.print(f"  extends the exported checkpoint of {result.compared_with} records", markup=False)
    progress(f"{result.size + result.unsealed} records in {result.seconds:.2f} s")
    raise typer.Exit(result.verdict.exit_code)


@app.command("query")
def query(
    directories: Annotated[list[Path], typer.Argument(help="The ledger's directory, or a copy of it; several make one view.")],
    matter: Annotated[str | None, typer.Option("--matter", help="Only this matter.")] = None,
    identity: Annotated[str | None, typer.Option("--identity", help="Only this identity.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="From this time on (ISO 8601, UTC unless it says otherwise).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Before this time.")] = None,
    view: Annotated[
        View, typer.Option("--view", help="calls, or privilege: who, which model, at whose direction, what was removed.")
    ] = View.CALLS,
    output: Annotated[Format, typer.Option("--format", help="table, csv or json.")] = Format.TABLE,
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", help="Verify first with this .pub file, and answer nothing when that fails; one for each ledger, in order."),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Same as --format json.")] = False,
) -> None:
    """Which calls touched a matter: who, when, which model, what was removed, how it ended.

    Example: curtilage audit query /var/lib/curtilage/ledger --matter M-2030-017 --from 2030-01-01 --format csv
    """
    if key and len(key) != len(directories):
        raise ConfigError(
            f"{len(key)} keys for {len(directories)} ledgers", rule="one --key for each ledger, in order", fix="give each its .pub"
        )
    for directory, one in zip(directories, key or (), strict=False):
        result = verify_directory(directory, str(VerifierKey.load(one)))
        if result.problems:
            stderr.print(f"FAIL: {directory} does not verify ({result.problems[0].where}: {result.problems[0].reason})", markup=False)
            raise typer.Exit(result.verdict.exit_code)
    wanted = Filter(matter=matter, identity=identity, since=_stamp(since), until=_stamp(until))
    columns = PRIVILEGE_COLUMNS if view is View.PRIVILEGE else COLUMNS
    if len(directories) == 1:
        rows = select(read_records(directories[0]), wanted)
    else:
        rows = [row for row in merge({str(path): read_records(path) for path in directories}) if wanted.takes(row)]
        columns = ("log", *columns)
    if json_output or output is Format.JSON:
        print_json({"counts": counts(rows), "rows": rows, "verified": bool(key)})
    elif output is Format.CSV:
        stdout.file.write(to_csv(rows, columns))
    else:
        table = Table()
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(cell(row.get(column)) for column in columns))
        stdout.print(table)
        stdout.print("; ".join(f"{name}: {cell(value)}" for name, value in counts(rows).items()), markup=False)
    if not key:
        progress("not verified: pass --key, or run `curtilage audit verify`")


@app.command("export")
def export(
    directory: Annotated[Path, typer.Argument(help="The ledger's directory.")],
    out: Annotated[Path, typer.Option("--out", help="The file for the checkpoint; with --tiles, a new directory for the whole log.")],
    tiles: Annotated[
        bool, typer.Option("--tiles", help="Export records and tiles too: a tlog-tiles directory any standard verifier reads.")
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Export the signed tree head, to be kept elsewhere; with --tiles, everything under it.

    Example: curtilage audit export /var/lib/curtilage/ledger --out ledger.checkpoint
    """
    size, files = export_ledger(directory, out, tiles=tiles)
    if json_output:
        print_json({"files": files, "out": str(out), "size": size})
    else:
        stdout.print(f"{out}: the tree head of {size} records" + (f" and {files - 1} tiles" if tiles else ""), markup=False)
