"""``curtilage evidence``: build, stamp, verify and report bundles, show keys, run the store."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from curtilage.audit.note import VerifierKey
from curtilage.audit.tiles import write_durably
from curtilage.errors import ConfigError, StepError
from curtilage.evidence import timestamp
from curtilage.evidence.archive import ArchiveError
from curtilage.evidence.coverage_command import coverage
from curtilage.evidence.inputs import recall
from curtilage.evidence.keys import key_path, load_or_create
from curtilage.evidence.serve import load_config, serve
from curtilage.evidence.site import write_report
from curtilage.evidence.verify import BundleResult, verify_bundle
from curtilage.output import print_json, stdout
from curtilage.paths import out_dir

app = typer.Typer(no_args_is_help=True, help="Build, stamp, verify and report signed evidence bundles.")
app.command("coverage")(coverage)

_REGION = re.compile(r"[a-z][a-z0-9-]{0,62}")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Tsa = Annotated[str | None, typer.Option("--tsa", help="RFC 3161 authority to ask over http(s); one inside, or reached by an operator.")]


@app.command("build")
def build(
    region: Annotated[str, typer.Argument(help="Region name.")],
    inputs: Annotated[Path | None, typer.Option("--inputs", help="A run's sealed inputs; the region's last run unless told.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The file to write.")] = None,
    tsa: Tsa = None,
    json_output: Json = False,
) -> None:
    """Build the signed bundle of the region's last run with all its documents, stamp it where an authority is given, and verify it.

    Example: curtilage evidence build lab
    """
    signer = load_or_create("evidence")
    path = recall(region, inputs).build(signer, out)
    if tsa is not None:
        _attach(path, timestamp.ask(tsa, timestamp.request_for(path)))
    _show(verify_bundle(path, key=signer.verifier, region=region), json_output)


@app.command("stamp")
def stamp(
    bundle: Annotated[Path, typer.Argument(help="The bundle file; the token is put into it.")],
    tsa: Tsa = None,
    query_out: Annotated[Path | None, typer.Option("--query-out", help="Write the request, to be carried to an authority.")] = None,
    reply: Annotated[Path | None, typer.Option("--reply", help="The authority's reply, carried back.")] = None,
) -> None:
    """Stamp a bundle with the time at which an RFC 3161 authority saw its manifest; directly, or carried as files across the gap.

    Example: curtilage evidence stamp lab.tar --query-out lab.tsq
    """
    if sum(option is not None for option in (tsa, query_out, reply)) != 1:
        raise ConfigError("not exactly one of --tsa, --query-out, --reply", rule="a bundle is stamped in one way", fix="give one of them")
    try:
        if query_out is not None:
            write_durably(query_out, timestamp.request_for(bundle))
            stdout.print(f"{query_out}: carry it to the authority, then: curtilage evidence stamp {bundle} --reply REPLY", markup=False)
        else:
            answer = timestamp.ask(tsa, timestamp.request_for(bundle)) if tsa is not None else _bytes(reply)
            _attach(bundle, answer)
            stdout.print(f"{bundle}: stamped; verify it with --tsa-ca", markup=False)
    except (ArchiveError, KeyError, timestamp.TimestampError, OSError) as error:
        raise ConfigError(f"{bundle}: {error}", rule="evidence stamp takes a bundle of ours", fix="check the path") from error


def _bytes(path: Path | None) -> bytes:
    assert path is not None  # noqa: S101 - one of the three options was given
    return path.read_bytes()


def _attach(bundle: Path, reply: bytes) -> None:
    try:
        timestamp.attach(bundle, reply)
    except timestamp.TimestampError as error:
        raise StepError("time stamp", str(error), fix="ask the authority again for this very bundle") from error


@app.command("verify")
def verify(
    bundle: Annotated[str, typer.Argument(help="The bundle file; or a region's name, for its newest bundle here.")],
    key: Annotated[Path | None, typer.Option("--key", help="The .pub file it must be signed with, obtained from elsewhere.")] = None,
    region: Annotated[str | None, typer.Option("--region", help="Fail unless it is evidence of this region.")] = None,
    plan_digest: Annotated[str | None, typer.Option("--plan-digest", help="Fail unless it is evidence of this plan.")] = None,
    not_before: Annotated[str | None, typer.Option("--not-before", help="Fail if the run ended before this time (ISO 8601).")] = None,
    max_age: Annotated[float | None, typer.Option("--max-age", help="Fail if the run is older than this many days.")] = None,
    newer_than: Annotated[
        Path | None, typer.Option("--newer-than", help="A bundle known already; fail unless this one is of a later run of its region.")
    ] = None,
    tsa_ca: Annotated[
        Path | None, typer.Option("--tsa-ca", help="Certificates a time stamp must lead to; given, there must be a stamp.")
    ] = None,
    required: Annotated[Path | None, typer.Option("--required", help="Further required test ids, one a line.")] = None,
    json_output: Json = False,
) -> None:
    """Verify a bundle offline: signature, every byte, statements, documents, age, plan, region, and every required test.

    Example: curtilage evidence verify lab.tar --key evidence.pub --region lab --not-before 2030-01-31
    """
    try:
        since = None if not_before is None else datetime.fromisoformat(not_before)
        more = None if required is None else [line.strip() for line in required.read_text(encoding="utf-8").splitlines() if line.strip()]
    except ValueError as error:
        raise ConfigError(f"time {not_before!r}", rule="times are ISO 8601", fix="use e.g. 2030-01-31T12:00:00Z") from error
    except OSError as error:
        raise ConfigError(f"cannot read {required}: {error.strerror}", rule="--required names a text file", fix="check the path") from error
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    pinned = None if key is None else VerifierKey.load(key)
    path = Path(bundle)
    if not path.is_file() and _REGION.fullmatch(bundle):  # a checkout has a folder named lab
        path, region = newest_bundle(bundle), region or bundle
        pinned = pinned or load_or_create("evidence").verifier
    _show(
        verify_bundle(
            path, key=pinned, plan_digest=plan_digest, not_before=since, required=more, region=region, newer_than=newer_than,
            max_age_days=max_age, tsa_ca=tsa_ca,
        ),
        json_output,
    )  # fmt: skip


def newest_bundle(region: str) -> Path:
    """The newest bundle of a region here, by the time in its name.

    Raises:
        ConfigError: there is none.
    """
    folder = out_dir() / region / "evidence"
    found = sorted(folder.glob("*.tar"))
    if not found:
        raise ConfigError(
            f"no bundle of {region!r} in {folder}", rule="verify takes a bundle file or a region that has one", fix=f"curtilage up {region}"
        )
    return found[-1]


@app.command("report")
def report(
    bundle: Annotated[Path, typer.Argument(help="The bundle file.")],
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")] = Path("report.html"),
    key: Annotated[Path | None, typer.Option("--key", help="The .pub file it must be signed with.")] = None,
) -> None:
    """Write a bundle's report: one HTML file, made from the bundle alone, after it was verified.

    Example: curtilage evidence report lab.tar --key evidence.pub --out report.html
    """
    result = verify_bundle(bundle, key=None if key is None else VerifierKey.load(key))
    if not result.probes_digest:
        reason = "; ".join(f"{finding.id}: {finding.reason}" for finding in result.findings)
        raise StepError("report", f"{bundle} is no bundle to report on: {reason}", fix="build it again")
    write_report(bundle, result, out, key_hint=key.name if key else "evidence.pub")
    stdout.print(f"{result.verdict} {out}", markup=False)
    raise typer.Exit(result.verdict.exit_code)


@app.command("verifier")
def verifier(
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("verify_evidence.py"),
) -> None:
    """Write the one-file verifier: Python alone, none of this product's code, for an auditor's own machine.

    Example: curtilage evidence verifier --out verify_evidence.py
    """
    write_durably(out, standalone_verifier())
    out.chmod(0o755)
    stdout.print(str(out), markup=False)


def standalone_verifier() -> bytes:
    """The source of the one-file verifier."""
    return files("curtilage.evidence").joinpath("standalone.py").read_bytes()


@app.command("key")
def key(
    purpose: Annotated[str, typer.Argument(help="evidence, or ledger-<host>.")] = "evidence",
    json_output: Json = False,
) -> None:
    """Print the public key of a purpose (made on first use), to hand to those who verify.

    Example: curtilage evidence key > evidence.pub
    """
    verifier = load_or_create(purpose).verifier
    if json_output:
        print_json({"fingerprint": verifier.fingerprint, "key": str(verifier), "path": str(key_path(purpose).with_suffix(".pub"))})
    else:
        stdout.print(str(verifier), markup=False)


@app.command("serve-store")
def serve_store(
    config: Annotated[Path, typer.Option("--config", help="YAML: listen, cert, key, client_ca, directory, logs, max_bytes.")] = Path(
        "/etc/curtilage/evidence.yaml"
    ),
) -> None:
    """Run the append-only store for checkpoints and bundles, behind mutual TLS.

    Example: curtilage evidence serve-store --config /etc/curtilage/evidence.yaml
    """
    serve(load_config(config))


def _show(result: BundleResult, json_output: bool) -> None:
    if json_output:
        print_json(result.document())
    else:
        for finding in result.findings:
            stdout.print(f"{finding.verdict} {finding.id}: {finding.reason}", markup=False)
        stdout.print(f"{result.verdict} {result.path}", markup=False)
        stdout.print(f"  region {result.region}, plan {result.plan_digest}, collected {result.collected}", markup=False)
        stdout.print(
            f"  {result.required} required tests; " + ", ".join(f"{number} {verdict}" for verdict, number in result.counts.items()),
            markup=False,
        )
        stdout.print(f"  signed by {result.fingerprint} ({'pinned' if result.pinned else 'NOT pinned: compare it'})", markup=False)
        if result.timestamp is not None:
            stdout.print(f"  time stamp {result.timestamp}", markup=False)
        if result.audit_size is not None:
            stdout.print(f"  ledger head of {result.audit_size} records", markup=False)
    raise typer.Exit(result.verdict.exit_code)
