"""``curtilage evidence coverage``: what stands behind each requirement *now*, from a bundle whose results grow older every day."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer
from pydantic import TypeAdapter
from rich.table import Table

from curtilage.audit.note import VerifierKey
from curtilage.errors import ConfigError, StepError
from curtilage.evidence.archive import unpack
from curtilage.evidence.coverage import Line, Result, document
from curtilage.evidence.coverage import coverage as cover
from curtilage.evidence.junit import TestOutcome
from curtilage.evidence.requirements import frameworks
from curtilage.evidence.verify import verify_bundle
from curtilage.output import print_json, stdout
from curtilage.verdict import Verdict, worst

_OUTCOMES = TypeAdapter(list[TestOutcome])


def coverage(
    bundle: Annotated[Path, typer.Argument(help="The bundle file.")],
    framework: Annotated[str | None, typer.Option("--framework", help="Only this law or standard, e.g. gdpr.")] = None,
    missing: Annotated[bool, typer.Option("--missing", help="Only what is not met.")] = False,
    key: Annotated[Path | None, typer.Option("--key", help="The .pub file it must be signed with.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print requirement, result, age and reason as of today; what was fresh when the bundle was made may be stale now.

    Exit 0 when every requirement that machines can meet is met; those that only people can meet are listed and do not count.

    Example: curtilage evidence coverage lab.tar --framework gdpr --missing
    """
    known = [found.framework for found in frameworks()]
    if framework is not None and framework not in known:
        raise ConfigError(f"framework {framework!r}", rule="a framework is one that has a mapping", fix=f"use one of {', '.join(known)}")
    now = datetime.now(UTC)
    lines = [line for line in lines_of(bundle, key, now) if framework in (None, line.framework.framework)]
    shown = [line for line in lines if not missing or line.verdict is not Verdict.PASS]
    if json_output:
        print_json(document(shown, now))
    else:
        table = Table()
        for column in ("Requirement", "Result", "Days", "Why"):
            table.add_column(column, overflow="fold")
        for line in shown:
            age = line.age_days(now)
            name = f"{line.framework.framework} {line.requirement.cite}"
            table.add_row(name, str(line.verdict), "–" if age is None else str(age), "; ".join(line.reasons) or "–")
        stdout.print(table)
    raise typer.Exit(worst(line.verdict for line in lines if not line.requirement.organisational).exit_code)


def lines_of(bundle: Path, key: Path | None, now: datetime) -> list[Line]:
    """A verified bundle's coverage at a time.

    Raises:
        StepError: the bundle does not verify as one of its signer's.
    """
    result = verify_bundle(bundle, key=None if key is None else VerifierKey.load(key), now=now)
    broken = [finding for finding in result.findings if finding.id.startswith("evidence.") and finding.verdict is Verdict.FAIL]
    if broken:
        raise StepError("coverage", f"{broken[0].id}: {broken[0].reason}", fix="take a bundle that verifies")
    files = unpack(bundle.read_bytes())
    collected = datetime.fromisoformat(result.collected)
    results = [
        Result(
            id=str(item["id"]), verdict=Verdict(item["verdict"]), time=collected, control=str(item.get("control") or ""),
            catalogue=str(item.get("catalogue") or ""),
        )
        for item in orjson.loads(files["probes.json"])
    ]  # fmt: skip
    if "documents/tests.json" in files:
        outcomes = _OUTCOMES.validate_json(files["documents/tests.json"])
        results += [Result(id=outcome.id, verdict=outcome.verdict, time=outcome.time) for outcome in outcomes]
    return cover(results, list(files), now)
