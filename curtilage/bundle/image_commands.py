"""``curtilage bundle image``: write an image as an OCI layout, check one, or print the command for a Containerfile."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from curtilage.audit.note import VerifierKey
from curtilage.bundle import images
from curtilage.bundle.oci import LayoutError
from curtilage.errors import ConfigError
from curtilage.evidence.keys import load_or_create
from curtilage.output import print_json, progress, stdout
from curtilage.paths import CHECKOUT
from curtilage.verdict import Verdict

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


@app.command(epilog="Example: curtilage bundle image build gateway --out gateway.image")
def build(
    name: Annotated[str, typer.Argument(help="gateway or vllm-cpu.")],
    out: Annotated[Path, typer.Option("--out", help="Directory to write; must not exist.")],
    as_json: Json = False,
) -> None:
    """Write an image from the hosts' base filesystem and locked trees, with its bill of materials and signed provenance."""
    from lab.base import ensure_base  # the lab is a checkout's, not a wheel's
    from lab.trees import ensure_tree

    spec = images.SPECS.get(name)
    trees = {tree: ensure_tree(tree, progress) for tree in spec.trees} if spec else {}
    signer = load_or_create(images.KEY_PURPOSE)
    digest = images.build(
        name, out, base=ensure_base(progress) if spec else Path(), trees=trees, package=CHECKOUT / "curtilage", signer=signer
    )
    if as_json:
        print_json({"image": name, "digest": digest, "directory": str(out), "key": str(signer.verifier)})
        return
    stdout.print(f"{name} {digest}\ndirectory: {out}", markup=False)


@app.command(epilog="Example: curtilage bundle image verify gateway.image --key image.pub")
def verify(
    directory: Annotated[Path, typer.Argument(help="What `image build` wrote.")],
    key: Annotated[Path, typer.Option("--key", help="The .pub file it must be signed with.")],
    as_json: Json = False,
) -> None:
    """Check signature, bill of materials and every blob of an image."""
    try:
        digest, reason, verdict = images.check(directory, VerifierKey.load(key)), "whole and signed", Verdict.PASS
    except LayoutError as error:
        digest, reason, verdict = "", str(error), Verdict.FAIL
    if as_json:
        print_json({"verdict": verdict, "reason": reason, "digest": digest or None})
    else:
        stdout.print(f"{verdict}: {directory}: {reason} {digest}".rstrip(), markup=False)
    raise typer.Exit(verdict.exit_code)


@app.command(epilog="Example: curtilage bundle image diff gateway-old.image gateway.image")
def diff(
    before: Annotated[Path, typer.Argument(help="An image, or its sbom.cdx.json.")],
    after: Annotated[Path, typer.Argument(help="The image built from newer pins, or its sbom.cdx.json.")],
    as_json: Json = False,
) -> None:
    """Say which packages a rebuilt image adds, drops and changes: what a reviewer of a security patch reads."""
    found = images.changes(_sbom(before), _sbom(after))
    if as_json:
        print_json(found)
        return
    for name, (old, new) in sorted(found["changed"].items()):
        stdout.print(f"~ {name} {old} -> {new}", markup=False)
    for sign, kind in (("+", "added"), ("-", "removed")):
        for name, version in sorted(found[kind].items()):
            stdout.print(f"{sign} {name} {version}", markup=False)
    if not any(found.values()):
        stdout.print("the same packages", markup=False)


@app.command(epilog="Example: curtilage bundle image advisories gateway.image --osv /srv/osv")
def advisories(
    image: Annotated[Path, typer.Argument(help="An image, or its sbom.cdx.json.")],
    osv: Annotated[Path | None, typer.Option("--osv", help="A directory of OSV records that was carried in.")] = None,
    as_json: Json = False,
) -> None:
    """Known vulnerabilities of an image's packages, from an offline database; NOT-RUN without one."""
    from curtilage.bundle.advisories import examine

    report = examine(_sbom(image), osv)
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        stdout.print(f"{report.verdict}: {report.reason}", markup=False)
        for item in report.found:
            stdout.print(f"  {item.id} {item.package} {item.version}, fixed in {item.fixed or 'no version'}: {item.summary}", markup=False)
        for line in report.unread[:20]:
            stdout.print(f"  not read: {line}", markup=False)
    raise typer.Exit(report.verdict.exit_code)


def _sbom(path: Path) -> dict[str, Any]:
    place = path / images.SBOM if path.is_dir() else path
    try:
        found = json.loads(place.read_bytes())
        if not isinstance(found, dict) or found.get("bomFormat") != "CycloneDX" or not isinstance(found.get("components"), list):
            raise ValueError("no CycloneDX document")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{place}: {error}", rule="a bill of materials is CycloneDX JSON", fix="name an image of ours, or its file"
        ) from error
    return found


@app.command(epilog="Example: curtilage bundle image command trainer --base registry.example/python@sha256:DIGEST")
def command(
    name: Annotated[str, typer.Argument(help="A directory of model_images with a Containerfile.")],
    base: Annotated[str, typer.Option("--base", help="The base image, by digest.")],
) -> None:
    """Print the command that builds a Containerfile: no network, no clock, a base named by digest or a refusal."""
    stdout.print(shlex.join(images.container_command(name, base)), markup=False)
