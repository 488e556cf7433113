"""``curtilage model quantize|compare``: a smaller version of a model, and what it costs in answers."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from curtilage.errors import ConfigError, MachineError
from curtilage.output import print_json, progress, stdout
from curtilage.paths import cache_dir

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def quantize_model(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A model directory with 16-bit weights and its manifest.")],
    to: Annotated[Path | None, typer.Option("--to", help="Put a signed copy into this store, beside the unquantized version.")] = None,
    as_json: Json = False,
) -> None:
    """Store a model's linear layers in 8 bits (compressed-tensors, as vLLM loads it); nothing else of it changes."""
    from curtilage.models.build import signing_key
    from curtilage.models.quantize import quantize
    from curtilage.models.store import stage

    made = quantize(directory, progress)
    staged = None
    if to is not None:
        key = signing_key()
        staged = stage(made.directory, key.private, key.public, to)
    if as_json:
        print_json(
            {
                "name": made.manifest.name,
                "digest": made.manifest.digest,
                "variant": made.manifest.variant,
                "directory": str(made.directory),
                "signed": str(staged) if staged else None,
            }
        )
        return
    stdout.print(f"{made.manifest.name} {made.manifest.digest} ({made.manifest.variant})\ndirectory: {made.directory}", markup=False)
    if staged:
        stdout.print(f"signed copy: {staged}", markup=False)


def compare_models(
    first: Annotated[Path, typer.Argument(help="The version to compare with, as a directory.")],
    second: Annotated[Path, typer.Argument(help="The other version.")],
    vllm: Annotated[Path | None, typer.Option("--vllm", help="vLLM's tree for Python 3.11; default: the newest in the cache.")] = None,
    documents: Annotated[int, typer.Option("--documents", help="How many held-back synthetic documents.", min=1, max=5000)] = 200,
    as_json: Json = False,
) -> None:
    """Ask two versions the same held-back synthetic documents, by vLLM on this machine's processor, without a network."""
    from curtilage.models.compare import compare

    trees = sorted((cache_dir() / "trees").glob("vllm-*"), key=lambda path: path.stat().st_mtime)
    tree = vllm or (trees[-1] if trees else None)
    if tree is None or not (tree / "vllm").is_dir():
        raise ConfigError(
            f"no vLLM at {tree or cache_dir() / 'trees'}", rule="vLLM itself is asked", fix="bring the lab up once, or pass --vllm"
        )
    interpreter = shutil.which("python3.11", path=f"/usr/bin:{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if interpreter is None:
        raise MachineError("python 3.11 is not installed\n  fix:  apt-get install python3.11")
    found = compare(first.resolve(), second.resolve(), vllm=tree, interpreter=interpreter, count=documents, say=progress)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    stdout.print(
        f"{found.documents} documents, {found.answer_tokens} tokens of answers\n"
        f"perplexity {found.perplexity_first} ({found.loaded_as[0]}) and {found.perplexity_second} ({found.loaded_as[1]})\n"
        f"the same answer word for word: {found.agreement:.1%}; mean similarity {found.similarity:.1%}",
        markup=False,
    )
