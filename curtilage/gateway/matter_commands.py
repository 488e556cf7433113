"""``curtilage gateway matters`` and ``keys``: subjects, break-glass, dictionary, purposes, retention and shredding, key sets."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import orjson
import typer
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from curtilage.audit.content import ContentStore
from curtilage.audit.retention import all_retentions, shreddable_from
from curtilage.audit.tiles import write_durably
from curtilage.errors import ConfigError
from curtilage.gateway.identity import certificate_subject
from curtilage.gateway.tokens import parse_jwks
from curtilage.jurisdiction import load_jurisdiction
from curtilage.matters.directory import acting_user
from curtilage.matters.more_changes import purposes_of
from curtilage.matters.opening import open_directory
from curtilage.matters.sync import read_export, sync
from curtilage.output import print_json, stdout

DbOption = Annotated[Path, typer.Option("--db", help="The matter directory: an SQLite file, or a .yaml that names a PostgreSQL database.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
MAX_KEY_SET = 1 << 20


def register(matters: typer.Typer, keys: typer.Typer) -> None:
    """Hang the verbs."""
    for name, verb, example in (
        ("upgrade", upgrade, "upgrade --db matters.db"),
        ("sync", sync_export, "sync --db matters.db export.csv --dry-run"),
        ("purposes", purposes, "purposes --db matters.db M-2026-1 litigation"),
        ("direction", direction, "direction --db matters.db M-2026-1 GC-2026-014"),
        ("subject", subject, "subject --db matters.db jdoe --issuer https://login.example.org/realms/legal --subject 6f1c…"),
        ("term", term, "term --db matters.db M-2026-1 'Project Falcon'"),
        ("break-glass", break_glass, "break-glass --db matters.db jdoe M-2026-1 --reason 'night of the raid' --minutes 60"),
        ("approve", approve, "approve --db matters.db bg-1a2b3c4d --by asmith"),
        ("end-grant", end_grant, "end-grant --db matters.db bg-1a2b3c4d"),
        ("retention", retention, "retention --db matters.db --json"),
        ("shred", shred, "shred --db matters.db M-2019-7"),
    ):
        matters.command(name, epilog=f"Example: curtilage gateway matters {example}")(verb)
    keys.command(
        "fetch", epilog="Example: curtilage gateway keys fetch --issuer https://login.example.org/realms/legal --ca ca.pem --out jwks.json"
    )(fetch)


def upgrade(db: DbOption) -> None:
    """Bring a directory of an earlier release forward."""
    if not db.is_file():
        raise ConfigError("no such file", rule="an existing directory is upgraded", fix="correct the path", file=db)
    with closing(open_directory(db, create=True)):
        stdout.print(f"{db}: good", markup=False)


def sync_export(
    export: Annotated[Path, typer.Argument(help="The CRM's export of matters: CSV with a header, or a JSON list.")],
    db: DbOption,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Bring matters and members in line with an export of the CRM; holds, walls and what it does not name stay."""
    rows = read_export(export)
    for code in sorted({row.jurisdiction for row in rows}):
        load_jurisdiction(code)
    with closing(open_directory(db)) as directory:
        changes = sync(directory, rows, dry_run=dry_run, file=export)
    if json:
        print_json({"changed": not dry_run and bool(changes), "changes": [asdict(change) for change in changes]})
        return
    for change in changes:
        stdout.print(f"{change.matter}: {change.action} {change.identity or change.detail}".rstrip(), markup=False)
    stdout.print(f"{len(changes)} {'would change' if dry_run else 'changed'}", markup=False)


def purposes(
    matter: str,
    db: DbOption,
    names: Annotated[list[str] | None, typer.Argument(help="What calls on the matter may be for; none: the matter does not ask.")] = None,
) -> None:
    """Say for which purposes a model may be used on a matter."""
    with closing(open_directory(db)) as directory:
        directory.set_matter(matter, purposes=purposes_of(names or []))


def direction(matter: str, reference: str, db: DbOption) -> None:
    """Note the reference of counsel's direction; it goes into every call's record."""
    if not reference.isprintable() or len(reference) > 64:
        raise ConfigError(f"reference {reference!r}", rule="1 to 64 printable characters", fix="a file number, not a text", file=db)
    with closing(open_directory(db)) as directory:
        directory.set_matter(matter, direction=reference)


def subject(
    identity: str,
    db: DbOption,
    issuer: Annotated[str, typer.Option("--issuer", help="The identity provider.")] = "",
    name: Annotated[str, typer.Option("--subject", help="The subject in its tokens.")] = "",
    certificate: Annotated[Path | None, typer.Option("--certificate", help="A client certificate (PEM) instead.")] = None,
    remove: Annotated[bool, typer.Option("--remove")] = False,
) -> None:
    """Map an identity provider's subject, or a client certificate's key, to an identity."""
    if (certificate is None) == (not (issuer and name)):
        raise ConfigError("no subject, or two", rule="either --issuer and --subject, or --certificate", fix="give one of them")
    kind = "oidc" if certificate is None else "mtls"
    found = name if certificate is None else _subject_of(certificate)
    with closing(open_directory(db)) as directory:
        if remove:
            directory.remove_subject(kind=kind, issuer=issuer, subject=found)
        else:
            directory.add_subject(identity, kind=kind, issuer=issuer, subject=found)


def _subject_of(path: Path) -> str:
    try:
        return certificate_subject(x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(serialization.Encoding.DER))
    except (OSError, ValueError) as error:
        raise ConfigError(f"not a certificate: {error}", rule="a PEM certificate", fix="check the path", file=path) from error


def term(matter: str, words: str, db: DbOption, remove: Annotated[bool, typer.Option("--remove")] = False) -> None:
    """Add a word or number to a matter's dictionary: it is taken out of the matter's calls wherever it stands."""
    with closing(open_directory(db)) as directory:
        (directory.remove_term if remove else directory.add_term)(matter, words)


def break_glass(
    identity: str,
    matter: str,
    db: DbOption,
    reason: Annotated[str, typer.Option("--reason", help="Why it cannot wait.")],
    minutes: Annotated[int, typer.Option("--minutes", help="For how long, from the approval on.")] = 60,
) -> None:
    """Ask for a time-boxed place on a matter; somebody else approves it."""
    with closing(open_directory(db)) as directory:
        grant = directory.request_grant(identity, matter, reason=reason, minutes=minutes, requested_by=acting_user())
    print_json({"grant": grant, "approved": False})


def approve(grant: str, db: DbOption, by: Annotated[str, typer.Option("--by", help="The identity of who approves.")]) -> None:
    """Approve a break-glass grant, as a person who neither asked for it nor gets it."""
    with closing(open_directory(db)) as directory:
        directory.approve_grant(grant, approved_by=by)


def end_grant(grant: str, db: DbOption) -> None:
    """End a break-glass grant at once."""
    with closing(open_directory(db)) as directory:
        directory.revoke_grant(grant)


def retention(db: DbOption, json: JsonOption = False) -> None:
    """Which matters are open, held, retained, or due to be shredded."""
    with closing(open_directory(db)) as directory:
        rows: list[dict[str, Any]] = [asdict(found) for found in all_retentions(directory.snapshot())]
    if json:
        print_json(rows)
        return
    for row in rows:
        stdout.print("  ".join(f"{key}={value}" for key, value in row.items()), markup=False)


def shred(
    matter: str,
    db: DbOption,
    content: Annotated[Path | None, typer.Option("--content", help="The content store, to delete the matter's files as well.")] = None,
    retention_days: Annotated[
        int | None, typer.Option("--retention-days", help="The owner's period, where the law's is not known.")
    ] = None,
) -> None:
    """Destroy a closed matter's secret: placeholders, commitments and stored content of it mean nothing from then on."""
    with closing(open_directory(db)) as directory:
        found = directory.snapshot().matters.get(matter)
        if found is None:
            raise ConfigError(f"no matter {matter}", rule="only what is there can be shredded", fix="look at `matters list`", file=db)
        directory.shred_matter(matter, not_before=shreddable_from(found, days=retention_days))
        removed = ContentStore(content).remove(matter) if content is not None else 0
    print_json({"matter": matter, "shredded": True, "files": removed})


def fetch(
    issuer: Annotated[str, typer.Option("--issuer", help="The identity provider's https address, as its tokens name it.")],
    out: Annotated[Path, typer.Option("--out", help="The key set's file, read by the gateway when it changes.")],
    ca: Annotated[Path | None, typer.Option("--ca", help="The CA that vouches for it; the system's unless given.")] = None,
) -> None:
    """Fetch an issuer's keys by OpenID Connect Discovery, from a host that may reach it; the gateway never does."""
    context = ssl.create_default_context(cafile=str(ca) if ca is not None else None)
    if urlsplit(issuer).scheme != "https":
        raise ConfigError(f"issuer {issuer!r}", rule="an issuer is an https address", fix="as its tokens name it")
    document = _get(f"{issuer.rstrip('/')}/.well-known/openid-configuration", context)
    address = document.get("jwks_uri")
    if document.get("issuer") != issuer or not isinstance(address, str) or urlsplit(address).scheme != "https":
        raise ConfigError(
            f"{issuer} says it is {document.get('issuer')!r}", rule="an issuer names itself and an https key set", fix="check --issuer"
        )
    found = _get(address, context)
    try:
        keys = parse_jwks(orjson.dumps(found))
    except ValueError as error:
        raise ConfigError(f"{address}: {error}", rule="a key set for verifying", fix="ask who runs the identity provider") from error
    write_durably(out, orjson.dumps(found))
    print_json({"issuer": issuer, "keys": len(keys), "out": str(out)})


class _Same(urllib.request.HTTPRedirectHandler):
    """Keys come from where the issuer says, not from where it sends."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _get(url: str, context: ssl.SSLContext) -> dict[str, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), _Same())
    try:
        with opener.open(url, timeout=10) as answer:
            tree = orjson.loads(answer.read(MAX_KEY_SET))
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise ConfigError(
            f"{url}: {error}", rule="the identity provider answers with JSON over TLS", fix="check --issuer and --ca"
        ) from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{url}: not an object", rule="the identity provider answers with a JSON object", fix="check --issuer")
    return tree
