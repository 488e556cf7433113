"""``curtilage audit report --matter M``: the privilege report, as HTML, PDF and proofs for other programs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import orjson
import typer

from curtilage.audit.note import VerifierKey
from curtilage.audit.report import compose
from curtilage.audit.report_facts import gather
from curtilage.audit.report_law import template
from curtilage.audit.report_ledger import MatterLedger, read_matter
from curtilage.audit.tiles import write_durably
from curtilage.audit.verify import verify as verify_directory
from curtilage.errors import ConfigError, StepError
from curtilage.matters.model import Snapshot
from curtilage.matters.opening import open_directory
from curtilage.output import print_json, stdout
from curtilage.paper.html import render_html
from curtilage.paper.pdf import render_pdf
from curtilage.region import load_region

LEDGER = Path("/var/lib/curtilage/ledger")
KEY = Path("/etc/curtilage/ledger.pub")
DIRECTORY = Path("/var/lib/curtilage/gateway/matters.db")
CONTENT = Path("/var/lib/curtilage/content")
_FILE = re.compile(r"[^A-Za-z0-9._-]+")


class Form(StrEnum):
    """What is written."""

    BOTH = "both"
    HTML = "html"
    PDF = "pdf"


def report(
    directory: Annotated[Path, typer.Argument(help="The ledger's directory, or a copy of it.")] = LEDGER,
    matter: Annotated[str, typer.Option("--matter", help="The matter.")] = "",
    key: Annotated[Path, typer.Option("--key", help="The ledger's .pub file, obtained from elsewhere than the ledger.")] = KEY,
    checkpoint: Annotated[Path | None, typer.Option("--checkpoint", help="A head kept elsewhere, to compare the ledger with.")] = None,
    matters: Annotated[Path | None, typer.Option("--matters", help="The matter directory; the gateway's own where there is one.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="The region, to compare model hosts and places with.")] = None,
    content: Annotated[
        str | None, typer.Option("--content", help="The gateway's content store, or none where it keeps none; its own where there is one.")
    ] = None,
    jurisdiction: Annotated[str | None, typer.Option("--jurisdiction", help="Whose law to ask; the matter's own unless told.")] = None,
    form: Annotated[Form, typer.Option("--format", help="both, html or pdf.")] = Form.BOTH,
    out: Annotated[Path, typer.Option("--out", help="An existing directory to write to.")] = Path(),
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Report what counsel needs to judge privilege in a matter: who, which model, who could read, what left, under whose direction.

    The ledger is verified first; one that does not verify gets no report. Exit 3 says that a fact is open, 1 that one speaks against.

    Example: curtilage audit report --matter M-2030-017 --region de-frankfurt --out reports
    """
    if not matter:
        raise ConfigError("no matter", rule="a report is about one matter", fix="name it: --matter M-2030-017")
    if not out.is_dir():
        raise ConfigError(f"{out} is no directory", rule="--out names an existing directory", fix="make it first")
    public = VerifierKey.load(key)
    compared = _verified(directory, public, checkpoint)
    ledger = read_matter(directory, matter, public)
    snapshot, place = _snapshot(matters), load_region(region) if region else None
    law = template(jurisdiction or _law_of(ledger, snapshot))
    facts = gather(ledger, snapshot, place, _kept(content, matter))
    paper = compose(
        ledger, facts, law, directory=snapshot, region=region, made=datetime.now(UTC), compared_with=compared
    )  # fmt: skip
    stem = f"privilege-{_FILE.sub('-', matter)[:80]}"
    files = {f"{stem}.proofs.json": orjson.dumps(ledger.proofs(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)}
    if form in (Form.BOTH, Form.HTML):
        files[f"{stem}.html"] = render_html(paper).encode()
    if form in (Form.BOTH, Form.PDF):
        files[f"{stem}.pdf"] = render_pdf(paper)
    for name, written in files.items():
        write_durably(out / name, written)
    if json_output:
        print_json(
            {
                "facts": {
                    str(topic): [{"refs": list(fact.refs), "text": fact.text, "verdict": fact.verdict} for fact in found]
                    for topic, found in facts.by_topic.items()
                },
                "files": sorted(str(out / name) for name in files),
                "interactions": len(ledger.interactions),
                "matter": matter,
                "records": len(ledger.records),
                "verdict": facts.verdict,
            }
        )
    else:
        for name in sorted(files):
            stdout.print(str(out / name), markup=False)
        stdout.print(f"{facts.verdict} {len(ledger.interactions)} interactions, {len(ledger.records)} records proved", markup=False)
    raise typer.Exit(facts.verdict.exit_code)


def _verified(directory: Path, key: VerifierKey, checkpoint: Path | None) -> int | None:
    """Refuse a ledger that does not verify; returns the size of the head it was compared with."""
    try:
        kept = checkpoint.read_bytes() if checkpoint else None
    except OSError as error:
        raise ConfigError(f"cannot read {checkpoint}: {error.strerror}", rule="--checkpoint names a head", fix="check the path") from error
    result = verify_directory(directory, str(key), kept)
    if result.problems:
        first = result.problems[0]
        raise StepError(
            "verify the ledger", f"{first.id} {first.where}: {first.reason}", fix="no report is made of a ledger that does not verify"
        )
    return result.compared_with


def _snapshot(path: Path | None) -> Snapshot | None:
    """The matter directory; the gateway's own only where it is there."""
    if path is None and not DIRECTORY.is_file():
        return None
    directory = open_directory(path or DIRECTORY)
    try:
        return directory.snapshot()
    finally:
        directory.close()


def _kept(content: str | None, matter: str) -> int | None:
    """How many contents of the matter are stored; None where nobody looked."""
    if content == "none":
        return 0
    if content is None and not CONTENT.is_dir():
        return None
    folder = Path(content) if content is not None else CONTENT
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no directory", rule="--content names the content store, or none", fix="check the path")
    place = folder / sha256(matter.encode()).hexdigest()[:32]  # as curtilage.audit.content names it
    return sum(1 for path in place.iterdir() if path.is_file()) if place.is_dir() else 0


def _law_of(ledger: MatterLedger, directory: Snapshot | None) -> str:
    """The matter's jurisdiction: as the directory says, or as its calls recorded it when they agree."""
    found = directory.matters.get(ledger.matter) if directory else None
    if found is not None:
        return found.jurisdiction
    recorded = {str(call.data["jurisdiction"]) for call in ledger.interactions if call.data.get("jurisdiction")}
    if len(recorded) == 1:
        return recorded.pop()
    raise ConfigError(
        f"the jurisdiction of matter {ledger.matter!r} is not known here ({', '.join(sorted(recorded)) or 'nothing on record'})",
        rule="a report asks the questions of the matter's own law; a matter nobody knows gets none",
        fix="check the matter's id, give the matter directory with --matters, or name the law with --jurisdiction",
    )
