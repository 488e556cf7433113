"""``curtilage bundle``: build on a connected machine, verify and load on one without a network."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from curtilage.audit.note import VerifierKey
from curtilage.bundle import image_commands
from curtilage.bundle.build import build as build_bundle
from curtilage.bundle.load import load as load_bundle
from curtilage.bundle.manifest import KEY_PURPOSE
from curtilage.bundle.verify import check
from curtilage.evidence.keys import load_or_create
from curtilage.output import print_json, progress, stdout
from curtilage.region import load_region
from curtilage.verdict import Verdict

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Carry everything a region needs over an air gap.")
app.add_typer(image_commands.app, name="image", help="Container images as OCI layouts, made without a container tool.")

RegionName = Annotated[str, typer.Argument(metavar="REGION", help="The region's name.")]
Directory = Annotated[Path, typer.Option("--bundle", help="The bundle's directory.")]
Key = Annotated[Path, typer.Option("--key", help="The .pub file it must be signed with, carried over another way than the bundle.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


@app.command(epilog="Example: curtilage bundle build lab --out /media/lab.bundle")
def build(
    region: RegionName,
    out: Annotated[Path | None, typer.Option("--out", help="The bundle's directory; default: in the cache.")] = None,
    image: Annotated[
        list[Path] | None, typer.Option("--image", help="An image of `bundle image build`; more than one may be given.")
    ] = None,
    wheels: Annotated[Path | None, typer.Option("--wheels", help="Wheels of the locks; `missing` says which.")] = None,
    as_json: Json = False,
) -> None:
    """Gather, chunk and sign everything a region needs; run again after an interruption, it goes on. Exit 3 when something is missing."""
    from curtilage.bundle.gather import default_directory, gather  # needs a checkout; verifying and loading do not

    found = load_region(region)
    signer = load_or_create(KEY_PURPOSE)
    target = out if out is not None else default_directory(found.name)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="curtilage-bundle-") as scratch:
        sources, missing = gather(found, wheels=wheels, image_directories=image or (), public_keys=Path(scratch), say=progress)
        manifest = build_bundle(sources, missing, target, region=found.name, signer=signer, say=progress)
    size, seconds = sum(chunk.size for chunk in manifest.chunks), time.monotonic() - began
    verdict = Verdict.NOT_RUN if missing else Verdict.PASS
    if as_json:
        print_json(
            {
                "verdict": verdict,
                "bundle": str(target),
                "bytes": size,
                "chunks": len(manifest.chunks),
                "seconds": round(seconds, 1),
                "parts": [f"{part.kind}/{part.name}" for part in manifest.parts],
                "missing": [item.model_dump() for item in manifest.missing],
                "key": str(signer.verifier),
            }
        )
    else:
        stdout.print(f"{target}: {size / 1e6:.1f} MB in {len(manifest.chunks)} chunks, {seconds:.1f} s", markup=False)
        for item in manifest.missing:
            stdout.print(f"  NOT-RUN: {item.what}: {item.why}", markup=False)
        stdout.print(f"verify it with: {signer.verifier}", markup=False)
    raise typer.Exit(verdict.exit_code)


@app.command(epilog="Example: curtilage bundle verify lab --bundle /media/lab.bundle --key bundle.pub")
def verify(region: RegionName, bundle: Directory, key: Key, as_json: Json = False) -> None:
    """Check signature, manifest and every byte, without a network; exit 3 when it is whole but lacks something a region needs."""
    result = check(bundle, VerifierKey.load(key), region)
    if as_json:
        print_json(result.model_dump(mode="json"))
    else:
        stdout.print(f"{result.verdict}: {bundle}: {result.reason}", markup=False)
        for item in result.missing:
            stdout.print(f"  NOT-RUN: {item.what}: {item.why}", markup=False)
    raise typer.Exit(result.verdict.exit_code)


@app.command(epilog="Example: curtilage bundle load lab --bundle /media/lab.bundle --key bundle.pub")
def load(region: RegionName, bundle: Directory, key: Key, as_json: Json = False) -> None:
    """Verify a bundle, then put its parts where this machine looks for them; all of a part or nothing."""
    places = load_bundle(bundle, VerifierKey.load(key), region, progress)
    if as_json:
        print_json({"region": region, "parts": places})
        return
    for name, path in sorted(places.items()):
        stdout.print(f"{name}: {path}", markup=False)
