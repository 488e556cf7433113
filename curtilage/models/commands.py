"""``curtilage model``: build, import, sign, verify, list, fit, quantize, compare, and which version a region serves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from curtilage.errors import ConfigError
from curtilage.models import quantize_commands, rollout_commands
from curtilage.models.files import SIGNATURE
from curtilage.models.fit_commands import fit
from curtilage.models.import_commands import import_model
from curtilage.models.manifest import CATALOGUE, catalogue
from curtilage.models.signing import sign as sign_directory
from curtilage.models.signing import verify as verify_directory
from curtilage.models.store import cached_models, stored
from curtilage.output import print_json, stdout
from curtilage.paths import state_dir

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

app.command("fit", epilog="Example: curtilage model fit qwen3-14b --card L4 --concurrency 4 --context 8192")(fit)
app.command("import", epilog="Example: curtilage model import ./Mistral-7B --name mistral-7b-instruct --licence Apache-2.0")(import_model)

app.command("versions", epilog="Example: curtilage model versions lab")(rollout_commands.versions)
app.command("promote", epilog="Example: curtilage model promote lab sha256:DIGEST")(rollout_commands.promote)
app.command("adapter", epilog="Example: curtilage model adapter lab M-2031-0001 nda-adapter@sha256:DIGEST")(rollout_commands.adapter)
app.command("rollback", epilog="Example: curtilage model rollback lab")(rollout_commands.rollback)
app.command("judge", epilog="Example: curtilage model judge lab --calls calls.json --rollback")(rollout_commands.judge_version)
app.command("quantize", epilog="Example: curtilage model quantize ~/.cache/curtilage/models/lab-mistral/DIGEST --to .state/models")(
    quantize_commands.quantize_model
)
app.command("compare", epilog="Example: curtilage model compare DIR-BF16 DIR-INT8 --documents 200")(quantize_commands.compare_models)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


@app.command(epilog="Example: curtilage model build lab-mistral --to /srv/models")
def build(
    name: Annotated[str, typer.Argument(help="A model whose manifest names a pipeline.")],
    to: Annotated[Path | None, typer.Option("--to", help="Put a signed copy at DIR/<name>/<digest>.")] = None,
    as_json: Json = False,
) -> None:
    """Make a model from our own documents, in the cache; a second run is instant."""
    # Imported here: verification on a host must need neither the trainer's package nor its libraries.
    from curtilage.models.build import LAB_MODEL, build_lab_model, sign_to, signing_key

    if name != LAB_MODEL:
        raise ConfigError(f"model '{name}'", rule="other weights are imported, not made", fix=f"name {LAB_MODEL}")
    built = build_lab_model()
    key = signing_key()
    staged = sign_to(built, key, to if to is not None else state_dir() / "models")
    if as_json:
        print_json(
            {
                "name": built.name,
                "digest": built.digest,
                "content": built.content,
                "directory": str(built.directory),
                "signed": str(staged),
                "public_key": str(key.public),
            }
        )
        return
    stdout.print(f"{built.name} {built.digest}\nsigned copy: {staged}\npublic key:  {key.public}", markup=False)


@app.command(epilog="Example: curtilage model sign ./my-model --key model-signing.key")
def sign(
    directory: Annotated[Path, typer.Argument(help="A model directory with its manifest.json.")],
    key: Annotated[str | None, typer.Option("--key", help="EC private key in PEM, or a pkcs11: URI; default: this machine's.")] = None,
    as_json: Json = False,
) -> None:
    """Sign every file of a model, leaving none aside."""
    if key is None:
        from curtilage.models.build import signing_key

        key = str(signing_key().private)
    signature = sign_directory(directory, key)
    if as_json:
        print_json({"directory": str(directory), "signature": str(signature)})
        return
    stdout.print(f"signed: {signature}", markup=False)


@app.command(epilog="Example: curtilage model verify /srv/models/lab-mistral/DIGEST --key /etc/curtilage/model-signing.pub")
def verify(
    directory: Annotated[Path, typer.Argument(help="A model directory with its model.sig.")],
    key: Annotated[Path | None, typer.Option("--key", help="Public key in PEM; default: this machine's own.")] = None,
    as_json: Json = False,
) -> None:
    """Say whether a model is exactly what the key's owner signed and may be loaded; exit 1 and the reason in one line when not."""
    result = verify_directory(directory, key if key is not None else state_dir() / "keys" / "model-signing.pub")
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        stdout.print(f"{result.verdict}: {directory}: {result.reason}", markup=False)
    sys.exit(result.verdict.exit_code)


@app.command("list", epilog="Example: curtilage model list --json")
def list_models(
    root: Annotated[Path, typer.Option("--catalogue", help="Directory of <model>/manifest.yaml.")] = CATALOGUE,
    store: Annotated[Path | None, typer.Option("--store", help="A model store, as on a host; default: the cache.")] = None,
    as_json: Json = False,
) -> None:
    """List the models a region may name, whether they can be deployed, and those built on this machine."""
    entries: list[dict[str, Any]] = [
        {
            "name": entry.name,
            "title": entry.title,
            "licence": entry.licence,
            "context_tokens": entry.context_tokens,
            "weights": entry.weights,
            "deployable": entry.deployable,
            "why": "made by our pipeline" if entry.pipeline else "imported" if entry.weights else "not imported: cannot be deployed",
        }
        for entry in catalogue(root)
    ]
    built: list[dict[str, Any]] = [
        {
            "name": manifest.name,
            "digest": manifest.digest,
            "content": manifest.content,
            "directory": str(directory),
            "signed": (directory / SIGNATURE).is_file(),
        }
        for directory, manifest in stored(store if store is not None else cached_models())
    ]
    if as_json:
        print_json({"catalogue": entries, "built": built})
        return
    for entry in entries:
        stdout.print(f"{entry['name']:<28} {entry['licence']:<22} {entry['context_tokens']:>7} tokens  {entry['why']}", markup=False)
    for model in built:
        signed = "signed" if model["signed"] else "unsigned"
        stdout.print(f"{model['name']:<28} {model['digest'][:19]:<22} {signed}  {model['directory']}", markup=False)
