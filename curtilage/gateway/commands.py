"""``curtilage gateway``: make, check and run a gateway; manage its keys and matters."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from curtilage.errors import ConfigError
from curtilage.gateway import logs, matter_commands, setup
from curtilage.gateway.bench.commands import bench
from curtilage.gateway.config import load_config
from curtilage.jurisdiction import load_jurisdiction
from curtilage.matters.model import Confidentiality, IdentityKind, PersonalData
from curtilage.matters.opening import open_directory
from curtilage.output import print_json, progress, stdout
from curtilage.vendor_models import Task

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Issue, list and revoke gateway keys.")
matters = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Manage people and services, matters, memberships and walls.")
app.add_typer(keys, name="keys")
app.add_typer(matters, name="matters")
matter_commands.register(matters, keys)
app.command("bench", epilog="Example: curtilage gateway bench --json")(bench)

ConfigOption = Annotated[Path, typer.Option("--config", help="The gateway.yaml.")]
DbOption = Annotated[Path, typer.Option("--db", help="The matter directory: an SQLite file, or a .yaml that names a PostgreSQL database.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command(epilog="Example: curtilage gateway init ./gw --listen 127.0.0.1:8443 --upstream http://127.0.0.1:8000")
def init(
    directory: Annotated[Path, typer.Argument(help="An empty directory for everything the gateway keeps.")],
    upstream: Annotated[list[str], typer.Option("--upstream", help="A model host, e.g. http://127.0.0.1:8000; repeat for more.")],
    listen: Annotated[str, typer.Option("--listen", help="Address and port; port 0 picks a free one.")] = "127.0.0.1:8443",
    model: Annotated[str, typer.Option("--model", help="The name under which the model hosts serve the model.")] = setup.DEFAULT_MODEL,
    map_name: Annotated[list[str] | None, typer.Option("--map", help="One more model name that callers ask for; repeat for more.")] = None,
    jurisdiction: Annotated[str, typer.Option("--jurisdiction", help="Where this gateway stands.")] = "DE",
    name: Annotated[
        list[str] | None, typer.Option("--name", help="One more vendor name to answer for, e.g. res.openai.azure.com; repeat for more.")
    ] = None,
    embed: Annotated[str | None, typer.Option("--embed", help="A served model that embeds; it ranks too.")] = None,
    rerank: Annotated[str | None, typer.Option("--rerank", help="A served model that ranks.")] = None,
) -> None:
    """Write a gateway's configuration, CA, one identity, one matter and its keys, and print them as JSON."""
    load_jurisdiction(jurisdiction)
    tasks = {served: task for served, task in ((embed, Task.EMBED), (rerank, Task.RERANK)) if served is not None}
    names, more = name or (), map_name or ()
    print_json(setup.init(directory, listen, upstream, model=model, model_names=more, jurisdiction=jurisdiction, names=names, tasks=tasks))


@app.command(epilog="Example: curtilage gateway serve --config ./gw/gateway.yaml")
def serve(config: ConfigOption) -> None:
    """Serve until SIGTERM, then drain; what changes on disk is read again, also on SIGHUP, and a broken file changes nothing."""
    from curtilage.gateway import server

    logs.to_stderr()
    loaded = load_config(config)
    progress(f"gateway for {len(loaded.names)} names on {', '.join(f'{entry.address}:{entry.port}' for entry in loaded.listen)}")
    raise typer.Exit(server.serve(config))


@app.command(epilog="Example: curtilage gateway check --config /etc/curtilage/gateway.yaml --json")
def check(config: ConfigOption, json: JsonOption = False) -> None:
    """Check a configuration and everything it names, without listening."""
    from curtilage.gateway import server

    found = server.check(load_config(config))
    if json:
        print_json(found)
    else:
        stdout.print(
            f"{config}: good: {found['identities']} identities, {found['matters']} matters, upstreams {', '.join(found['upstreams'])}"
        )


@app.command(epilog="Example: curtilage gateway provision --db matters.db --identity crm-1 --matter M-2026-1 --jurisdiction DE")
def provision(
    db: DbOption,
    identity: Annotated[str, typer.Option("--identity")],
    matter: Annotated[str, typer.Option("--matter")],
    jurisdiction: Annotated[str, typer.Option("--jurisdiction")],
) -> None:
    """Create what is missing of one identity, one matter and a key, and print the key when it was made now."""
    load_jurisdiction(jurisdiction)
    made = setup.provision(db, [setup.IdentitySpec(identity=identity, matter=matter, jurisdiction=jurisdiction)])
    print_json({"identity": identity, "matter": matter, "key": made.get(identity), "changed": identity in made})


@keys.command("issue", epilog="Example: curtilage gateway keys issue --db matters.db crm-1")
def issue(
    identity: str,
    db: DbOption,
    days: Annotated[float | None, typer.Option("--days", help="How long it is valid.")] = None,
    aws: Annotated[bool, typer.Option("--aws", help="A pair for AWS's SDKs, which sign with it.")] = False,
) -> None:
    """Issue a key; it is shown once and only its salted digest is kept (of one that signs, its secret: docs/adr/0010)."""
    seconds = days * 86400 if days is not None else None
    with closing(open_directory(db)) as directory:
        if aws:
            key_id, secret = directory.issue_signing_key(identity, valid_seconds=seconds)
            print_json({"identity": identity, "aws_access_key_id": key_id, "aws_secret_access_key": secret})
        else:
            print_json({"identity": identity, "key": directory.issue_key(identity, valid_seconds=seconds)})


@keys.command("revoke", epilog="Example: curtilage gateway keys revoke --db matters.db 0a1b2c3d4e5f")
def revoke(key_id: str, db: DbOption) -> None:
    """Revoke a key by its id, at once and for good."""
    with closing(open_directory(db)) as directory:
        directory.revoke_key(key_id)
    progress(f"key {key_id} is revoked")


@keys.command("list", epilog="Example: curtilage gateway keys list --db matters.db --json")
def list_keys(db: DbOption, json: JsonOption = False) -> None:
    """List key ids with their identities."""
    with closing(open_directory(db)) as directory:
        rows = [
            {"key": key.id, "identity": key.identity, "expires_at": key.expires_at, "revoked": key.revoked}
            for key in directory.snapshot().keys.values()
        ]
    _show(rows, json)


@matters.command("identity", epilog="Example: curtilage gateway matters identity --db matters.db jdoe --clearance confidential")
def add_identity(
    identity: str,
    db: DbOption,
    kind: Annotated[IdentityKind, typer.Option("--kind")] = IdentityKind.PERSON,
    clearance: Annotated[Confidentiality, typer.Option("--clearance")] = Confidentiality.INTERNAL,
) -> None:
    """Add a person or a service."""
    with closing(open_directory(db, create=True)) as directory:
        directory.add_identity(identity, kind=kind, clearance=clearance)


@matters.command("set-identity", epilog="Example: curtilage gateway matters set-identity --db matters.db jdoe --inactive")
def set_identity(
    identity: str,
    db: DbOption,
    clearance: Annotated[Confidentiality | None, typer.Option("--clearance")] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive")] = None,
) -> None:
    """Change a clearance, or switch an identity off and on."""
    with closing(open_directory(db)) as directory:
        directory.set_identity(identity, clearance=clearance, active=active)


@matters.command("add", epilog="Example: curtilage gateway matters add --db matters.db M-2026-1 --jurisdiction DE")
def add_matter(
    matter: str,
    db: DbOption,
    jurisdiction: Annotated[str, typer.Option("--jurisdiction")],
    confidentiality: Annotated[Confidentiality, typer.Option("--confidentiality")] = Confidentiality.CONFIDENTIAL,
    personal_data: Annotated[PersonalData, typer.Option("--personal-data")] = PersonalData.PLACEHOLDER,
) -> None:
    """Open a matter."""
    load_jurisdiction(jurisdiction)
    with closing(open_directory(db, create=True)) as directory:
        directory.add_matter(matter, jurisdiction=jurisdiction, confidentiality=confidentiality, personal_data=personal_data)


@matters.command("set", epilog="Example: curtilage gateway matters set --db matters.db M-2026-1 --hold")
def set_matter(
    matter: str,
    db: DbOption,
    confidentiality: Annotated[Confidentiality | None, typer.Option("--confidentiality")] = None,
    personal_data: Annotated[PersonalData | None, typer.Option("--personal-data")] = None,
    hold: Annotated[bool | None, typer.Option("--hold/--no-hold", help="Legal hold.")] = None,
    is_open: Annotated[bool | None, typer.Option("--open/--closed")] = None,
) -> None:
    """Change what a matter says."""
    with closing(open_directory(db)) as directory:
        directory.set_matter(matter, confidentiality=confidentiality, personal_data=personal_data, legal_hold=hold, is_open=is_open)


@matters.command("member", epilog="Example: curtilage gateway matters member --db matters.db jdoe M-2026-1")
def member(identity: str, matter: str, db: DbOption, remove: Annotated[bool, typer.Option("--remove")] = False) -> None:
    """Put an identity on a matter, or take it off."""
    with closing(open_directory(db)) as directory:
        (directory.remove_member if remove else directory.add_member)(identity, matter)


@matters.command("wall", epilog="Example: curtilage gateway matters wall --db matters.db jdoe M-2026-1 --reason 'acted for the other side'")
def wall(
    identity: str,
    matter: str,
    db: DbOption,
    reason: Annotated[str, typer.Option("--reason")] = "",
    remove: Annotated[bool, typer.Option("--remove")] = False,
) -> None:
    """Raise an ethical wall between an identity and a matter, or take it down."""
    with closing(open_directory(db)) as directory:
        if remove:
            directory.remove_wall(identity, matter)
        elif not reason:
            raise ConfigError("no reason", rule="a wall says why it stands", fix="--reason '…'")
        else:
            directory.add_wall(identity, matter, reason)


@matters.command("list", epilog="Example: curtilage gateway matters list --db matters.db --json")
def list_matters(db: DbOption, json: JsonOption = False) -> None:
    """List matters with their members and walls."""
    with closing(open_directory(db)) as directory:
        found = directory.snapshot()
    rows = [
        {
            "matter": matter.id,
            "jurisdiction": matter.jurisdiction,
            "confidentiality": matter.confidentiality,
            "personal_data": matter.personal_data,
            "legal_hold": matter.legal_hold,
            "open": matter.is_open,
            "members": sorted(identity for identity, own in found.memberships.items() if matter.id in own),
            "walled_off": sorted(identity for identity, behind in found.walled_off if behind == matter.id),
        }
        for matter in found.matters.values()
    ]
    _show(rows, json)


@matters.command("changes", epilog="Example: curtilage gateway matters changes --db matters.db --json")
def changes(db: DbOption, json: JsonOption = False) -> None:
    """Every change ever made to the directory, and whether their chain is unbroken."""
    with closing(open_directory(db)) as directory:
        rows, sound = list(directory.changes()), directory.verify_changes()
    if json:
        print_json({"unbroken": sound, "changes": rows})
    else:
        _show([{key: row[key] for key in ("at", "actor", "action", "subject", "detail")} for row in rows], as_json=False)
        stdout.print("the chain of changes is unbroken" if sound else "THE CHAIN OF CHANGES IS BROKEN")
    if not sound:
        raise typer.Exit(1)


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    for row in rows:
        stdout.print(
            "  ".join(f"{key}={','.join(value) if isinstance(value, list) else value}" for key, value in row.items()), markup=False
        )
