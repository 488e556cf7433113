"""``curtilage model import``: weights made elsewhere, from a directory or from one commit of a hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from curtilage.errors import ConfigError
from curtilage.models.hub import fetch
from curtilage.models.importing import Imported, import_directory
from curtilage.output import print_json, progress, stdout
from curtilage.paths import cache_dir

TOKEN = "CURTILAGE_HUB_TOKEN"  # noqa: S105 - the variable's name


def import_model(
    directory: Annotated[Path | None, typer.Argument(metavar="DIR", help="A directory of safetensors with tokenizer and config.")] = None,
    *,
    name: Annotated[str, typer.Option("--name", help="The catalogue's name for it: model_images/<name>.")],
    licence: Annotated[str, typer.Option("--licence", help="Its licence, as an SPDX identifier or the maker's own name of it.")],
    hub: Annotated[str | None, typer.Option("--hub", metavar="OWNER/NAME@COMMIT", help="Fetch this commit (40 digits) first.")] = None,
    endpoint: Annotated[str | None, typer.Option("--endpoint", help="The hub's https address; needed with --hub.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Check weights made elsewhere, file by file, and copy them into the cache with a manifest; all of it or nothing.

    Safetensors and plain text alone: a pickle, a program, remote code, a link, a missing or extra shard is refused. --hub is for a
    connected staging machine; a region never fetches. A token is read from CURTILAGE_HUB_TOKEN.
    """
    repository: str | None = None
    revision: str | None = None
    if directory is not None and hub is None:
        source = directory
    elif hub is not None and directory is None:
        if endpoint is None:
            raise ConfigError("--hub without --endpoint", rule="no hub is built in", fix="pass --endpoint https://…", key="endpoint")
        source = cache_dir() / "hub" / hub.replace("/", "--")
        repository, revision = fetch(hub, endpoint, source, progress, token=os.environ.get(TOKEN))
    else:
        raise ConfigError("both DIR and --hub" if hub else "neither DIR nor --hub", rule="one source is imported", fix="name one of them")
    found = import_directory(source, name=name, licence=licence, repository=repository, revision=revision, say=progress)
    _tell(found, as_json=as_json)


def _tell(found: Imported, *, as_json: bool) -> None:
    manifest = found.manifest
    if as_json:
        print_json(
            {
                "name": manifest.name,
                "digest": manifest.digest,
                "content": manifest.content,
                "variant": manifest.variant,
                "parameters": manifest.parameters,
                "directory": str(found.directory),
            }
        )
        return
    stdout.print(
        f"{manifest.name} {manifest.digest} ({manifest.variant}, {manifest.parameters:,} stored numbers)\ndirectory: {found.directory}\n"
        f"Next: write `weights: {manifest.digest}` in model_images/{manifest.name}/manifest.yaml, have it reviewed,\n"
        f"then `curtilage model sign {found.directory}`.",
        markup=False,
    )
