"""``curtilage finetune guard``: key, fingerprint, check."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from curtilage.finetune.guard import check as check_dataset
from curtilage.finetune.guard_make import fingerprint as make_fingerprints
from curtilage.finetune.guard_records import terms as read_terms
from curtilage.finetune.guard_records import texts
from curtilage.finetune.guard_store import key_id, load, make_key, read_key, save
from curtilage.output import print_json, stdout

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Key = Annotated[Path, typer.Option("--key", help="The guard's key, readable by its owner alone.")]


@app.command(epilog="Example: curtilage finetune guard key guard.key")
def key(path: Annotated[Path, typer.Argument(help="File to write; must not exist.")], as_json: Json = False) -> None:
    """Make the guard's key. Who has it and the fingerprints can test guesses about the records: keep it like the records."""
    make_key(path)
    name = key_id(read_key(path))
    if as_json:
        print_json({"file": str(path), "key": name})
        return
    stdout.print(f"key {name} in {path}", markup=False)


@app.command(
    epilog="Example: curtilage finetune guard fingerprint records.jsonl --key guard.key --out real.fingerprints --terms clients.txt"
)
def fingerprint(
    records: Annotated[Path, typer.Argument(help="Real records: JSON lines, or a directory of .txt, .md, .eml files.")],
    key: Key,
    out: Annotated[Path, typer.Option("--out", help="The fingerprint file to write.")],
    terms: Annotated[Path | None, typer.Option("--terms", help="Names of clients and matters, one a line.")] = None,
    canaries: Annotated[Path | None, typer.Option("--canaries", help="Planted sentences that must turn up nowhere, one a line.")] = None,
    as_json: Json = False,
) -> None:
    """Write keyed fingerprints of real records; the file holds no text. Run it where the records are."""
    secret = read_key(key)
    made = make_fingerprints(texts(records), secret, terms=read_terms(terms), canaries=read_terms(canaries))
    save(made, secret, out)
    if as_json:
        print_json({"file": str(out), **made.about})
        return
    stdout.print(f"{made.about['fingerprints']} fingerprints of {made.about['records']} records in {out}", markup=False)


@app.command(epilog="Example: curtilage finetune guard check corpus --fingerprints real.fingerprints --key guard.key --report report.json")
def check(
    dataset: Annotated[Path, typer.Argument(help="A generated corpus, a JSON lines file, or a directory of texts.")],
    fingerprints: Annotated[Path, typer.Option("--fingerprints", help="What `guard fingerprint` wrote.")],
    key: Key,
    report: Annotated[Path | None, typer.Option("--report", help="Where to write the sealed report that training asks for.")] = None,
    as_json: Json = False,
) -> None:
    """Refuse a corpus that holds a real record, whole, changed or in part; exit 1 then, and name the documents."""
    secret = read_key(key)
    found = check_dataset(dataset, load(fingerprints, secret), secret)
    document = found.model_dump(mode="json")
    if report is not None:
        partial = report.with_name(report.name + ".part")
        partial.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
        partial.replace(report)
    if as_json:
        print_json(document)
    else:
        stdout.print(f"{found.verdict}: {found.refused} of {found.documents} documents refused", markup=False)
        for finding in found.findings:
            stdout.print(f"  {finding.document}: {finding.kind}: {finding.detail}", markup=False)
    sys.exit(found.verdict.exit_code)
