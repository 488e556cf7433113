"""``curtilage scan``: every way data can leave a CRM, read from its source; AI ones marked."""

from __future__ import annotations

import re
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer

from curtilage.errors import ConfigError
from curtilage.output import print_json, progress, stdout
from curtilage.scan import engine, live, report_html, report_sarif, report_table, rules, suppress
from curtilage.scan.model import Reported, Severity
from curtilage.verdict import Verdict

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
_HOST = re.compile(r"(?=.{1,253}$)[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?")


class Format(StrEnum):
    """How the report is written."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    HTML = "html"


class FailOn(StrEnum):
    """From which severity on a finding fails the scan."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NOTE = "note"
    NEVER = "never"


def judge(reported: list[Reported], fail_on: FailOn) -> Verdict:
    """FAIL for what was found, NOT_PROVEN when something could not be told, PASS when nothing is left at that severity."""
    if fail_on is FailOn.NEVER:
        return Verdict.PASS
    least = Severity[fail_on.name]
    counting = [item.finding for item in reported if item.counts and item.finding.severity >= least]
    if any(not finding.cannot_tell for finding in counting):
        return Verdict.FAIL
    return Verdict.NOT_PROVEN if counting else Verdict.PASS


@app.command(epilog="Example: curtilage scan force-app --gateway gateway.legal.example --format sarif --output scan.sarif")
def scan(
    path: Annotated[Path | None, typer.Argument(help="An SFDX project, retrieved metadata, or one file.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How the report is written.")] = Format.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the report to a file instead of stdout.")] = None,
    gateway: Annotated[
        list[str] | None,
        typer.Option(
            "--gateway", help="Host name of the gateway; calls that provably go there are mitigated. May be given more than once."
        ),
    ] = None,
    fail_on: Annotated[FailOn, typer.Option("--fail-on", help="The severity from which on a finding fails the scan.")] = FailOn.MEDIUM,
    baseline: Annotated[Path | None, typer.Option("--baseline", help="Findings that were accepted (made by --write-baseline).")] = None,
    write_baseline: Annotated[Path | None, typer.Option("--write-baseline", help="Accept everything found now, into this file.")] = None,
    org: Annotated[
        str | None, typer.Option("--org", help="Retrieve from this org with the `sf` CLI's own login instead of reading PATH.")
    ] = None,
    rules_markdown: Annotated[bool, typer.Option("--rules-markdown", help="Print the rules' documentation and end.")] = False,
) -> None:
    """Name every way data can leave an org: metadata, Apex, flows, prompts, agents, browser code; AI ones marked.

    Exit codes: 0 nothing at that severity, 1 findings, 2 usage, 3 only such as could not be told.
    """
    if rules_markdown:
        stdout.file.write(rules.markdown())
        return
    if (path is None) == (org is None):
        raise ConfigError(
            "no PATH" if path is None else "PATH and --org", rule="either PATH or --org says what is scanned", fix="give one of them"
        )
    for host in gateway or ():
        if not _HOST.fullmatch(host):
            raise ConfigError(
                f"--gateway {host}", rule="a host name, without scheme, port or path", fix="e.g. --gateway gateway.legal.example"
            )
    accepted = suppress.read_baseline(baseline) if baseline else frozenset()
    source = live.retrieved(org) if org else nullcontext(path)
    with source as root:
        assert root is not None  # noqa: S101 -- one of the two was given
        if org:
            progress(f"retrieved from {org}")
        result = engine.scan(root, gateways=frozenset(gateway or ()), baseline=accepted)
    if write_baseline:
        suppress.write_baseline(write_baseline, result.reported)
        progress(f"accepted {sum(item.suppressed is None for item in result.reported)} findings into {write_baseline}")
    verdict = judge(result.reported, fail_on)
    _print(result, Format.JSON if as_json else form, verdict, output)
    progress(f"{verdict}: {report_table.summary(result)}")
    raise typer.Exit(verdict.exit_code)


def _print(result: engine.Result, form: Format, verdict: Verdict, output: Path | None) -> None:
    if form is Format.JSON and output is None:
        print_json(report_table.document(result, verdict))
        return
    if form is Format.TABLE:
        text = "".join(line + "\n" for line in report_table.table(result))
    elif form is Format.HTML:
        text = report_html.html(result, verdict)
    else:
        document = report_table.document(result, verdict) if form is Format.JSON else report_sarif.sarif(result)
        text = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n"
    if output is None:
        stdout.file.write(text.encode("utf-8", "replace").decode())
        return
    try:
        output.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(
            f"{output}: {error.strerror}", rule="--output names a file that can be written", fix="check the directory and its mode"
        ) from None
    progress(f"wrote {output}")
