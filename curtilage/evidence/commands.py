"""``curtilage evidence``: build and verify bundles, show keys, run the store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from curtilage.audit.note import VerifierKey
from curtilage.errors import ConfigError
from curtilage.evidence.inputs import recall
from curtilage.evidence.keys import key_path, load_or_create
from curtilage.evidence.serve import load_config, serve
from curtilage.evidence.verify import BundleResult, verify_bundle
from curtilage.output import print_json, stdout

app = typer.Typer(no_args_is_help=True, help="Build and verify signed evidence bundles.")


@app.command("build")
def build(
    region: Annotated[str, typer.Argument(help="Region name.")],
    inputs: Annotated[Path | None, typer.Option("--inputs", help="A run's inputs; the region's last run unless told.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The file to write.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Build the signed bundle of the region's last run, and verify it.

    Example: curtilage evidence build lab
    """
    signer = load_or_create("evidence")
    path = recall(region, inputs).build(signer, out)
    _show(verify_bundle(path, key=signer.verifier), json_output)


@app.command("verify")
def verify(
    bundle: Annotated[Path, typer.Argument(help="The bundle file.")],
    key: Annotated[Path | None, typer.Option("--key", help="The .pub file it must be signed with, obtained from elsewhere.")] = None,
    plan_digest: Annotated[str | None, typer.Option("--plan-digest", help="Fail unless it is evidence of this plan.")] = None,
    not_before: Annotated[str | None, typer.Option("--not-before", help="Fail if the run ended before this time (ISO 8601).")] = None,
    required: Annotated[Path | None, typer.Option("--required", help="Further required test ids, one a line.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Verify a bundle offline: signature, every byte, statements, age, plan, and every required test.

    Example: curtilage evidence verify lab.tar --key evidence.pub --not-before 2030-01-31
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
    _show(verify_bundle(bundle, key=pinned, plan_digest=plan_digest, not_before=since, required=more), json_output)


@app.command("key")
def key(
    purpose: Annotated[str, typer.Argument(help="evidence, or ledger-<host>.")] = "evidence",
    json_output: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
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
        if result.audit_size is not None:
            stdout.print(f"  ledger head of {result.audit_size} records", markup=False)
    raise typer.Exit(result.verdict.exit_code)
