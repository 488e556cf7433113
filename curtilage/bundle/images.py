"""Our images: what each is made of, its bill of materials, and its signed provenance.

``OUT/layout`` is the image (an OCI layout), ``OUT/sbom.cdx.json`` what is in it, ``OUT/provenance.dsse`` the signed statement that binds
both to what they were made from (in-toto, SLSA v1).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curtilage import __version__
from curtilage.audit.note import Signer, VerifierKey
from curtilage.audit.tiles import write_durably
from curtilage.bundle import oci
from curtilage.canonical import canonical_json, file_digest
from curtilage.errors import ConfigError
from curtilage.evidence.dsse import IN_TOTO, EnvelopeError, seal, unseal
from curtilage.evidence.sbom import image_sbom, locked_components
from curtilage.evidence.statements import PROVENANCE, descriptor, statement
from curtilage.paths import CHECKOUT

KEY_PURPOSE = "image"
LAYOUT, SBOM, SIGNED = "layout", "sbom.cdx.json", "provenance.dsse"
BUILD_TYPE = "https://curtilage.example/image/v1"
_QUIET = {
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1", "VLLM_DO_NOT_TRACK": "1", "PIP_NO_INDEX": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
}  # fmt: skip
_BASE = re.compile(r"[a-z0-9][a-z0-9./:_-]*@sha256:[0-9a-f]{64}")
CONTAINERFILES = ("vllm", "vllm-cpu", "gateway", "trainer")


@dataclass(frozen=True)
class Spec:
    """An image we write ourselves: Python trees over the hosts' base filesystem."""

    image: oci.Image
    trees: tuple[str, ...]
    locks: tuple[Path, ...]


_CURTILAGE = CHECKOUT / "lab" / "trees" / "curtilage.lock"
SPECS = {
    "gateway": Spec(
        oci.Image(
            name="gateway",
            # Pods say what it is for: it is the gateway, the evidence store and the verifier of weights (curtilage.derive.kubernetes).
            entrypoint=("/usr/bin/python3", "-m", "curtilage"),
            environment=_QUIET | {"PYTHONPATH": "/opt/curtilage"},
        ),
        ("curtilage",),
        (_CURTILAGE,),
    ),
    "vllm-cpu": Spec(
        oci.Image(
            name="vllm-cpu",
            entrypoint=("/usr/bin/python3", "-m", "vllm.entrypoints.openai.api_server"),
            environment=_QUIET | {"PYTHONPATH": "/opt/vllm"},
        ),
        ("curtilage", "vllm"),
        (_CURTILAGE, CHECKOUT / "model_images" / "vllm-cpu" / "requirements.lock"),
    ),
}


def build(name: str, out: Path, *, base: Path, trees: dict[str, Path], package: Path, signer: Signer) -> str:
    """Write, describe and sign an image; returns its digest.

    Args:
        name: one of SPECS.
        out: a directory that is not there yet.
        base: the hosts' base filesystem.
        trees: Python trees by name.
        package: our own package's directory.
        signer: the key for images.
    """
    spec = SPECS.get(name)
    if spec is None:
        raise ConfigError(
            f"image '{name}'", rule=f"written here are {', '.join(sorted(SPECS))}", fix="name one; others have a Containerfile"
        )
    if out.exists():
        raise ConfigError(f"{out} is there already", rule="an image is written once", fix="name another directory, or remove it")
    digest = oci.write(spec.image, layers(spec, base=base, trees=trees, package=package), out / LAYOUT)
    components = {component.name: component for lock in spec.locks for component in locked_components(lock)}
    listed = image_sbom(name, digest, components=tuple(components[key] for key in sorted(components)), debian=debian_packages(base))
    write_durably(out / SBOM, canonical_json(listed))
    inputs = [descriptor(lock.relative_to(CHECKOUT).as_posix(), file_digest(lock)) for lock in spec.locks]
    signed = statement(
        [descriptor(name, digest)],
        PROVENANCE,
        {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"image": name},
                "internalParameters": {"base": base.name},
                "resolvedDependencies": inputs,
            },
            "runDetails": {
                "builder": {"id": BUILD_TYPE, "version": {"curtilage": __version__}},
                "byproducts": [descriptor(SBOM, file_digest(out / SBOM))],
            },
        },
    )
    write_durably(out / SIGNED, seal(IN_TOTO, canonical_json(signed), signer))
    return digest


def layers(spec: Spec, *, base: Path, trees: Mapping[str, Path], package: Path) -> list[oci.Layer]:
    """What an image is made of, the dearest to carry first: base filesystem, trees, our own package."""
    found = [oci.Layer("base filesystem", {"/": base}, keep_owners=True)]
    found += [oci.Layer(f"tree {tree}", {f"/opt/{tree}": trees[tree]}) for tree in spec.trees]
    return [*found, oci.Layer("the product", {"/opt/curtilage/curtilage": package})]


def check(out: Path, key: VerifierKey) -> str:
    """The digest of a signed image, after everything in it was checked.

    Raises:
        LayoutError: naming what is wrong.
    """
    try:
        if {path.name for path in out.iterdir()} != {LAYOUT, SBOM, SIGNED}:
            raise oci.LayoutError(f"an image is {LAYOUT}, {SBOM} and {SIGNED}, and nothing else")
        found = json.loads(unseal(json.loads((out / SIGNED).read_bytes()), IN_TOTO, key))
        (subject,) = found["subject"]
        (listed,) = found["predicate"]["runDetails"]["byproducts"]
        expected = "sha256:" + subject["digest"]["sha256"]
        if listed["name"] != SBOM or "sha256:" + listed["digest"]["sha256"] != file_digest(out / SBOM):
            raise oci.LayoutError(f"{SBOM} is not the one that was signed")
    except (OSError, KeyError, TypeError, ValueError, EnvelopeError) as error:
        if isinstance(error, oci.LayoutError):
            raise
        raise oci.LayoutError(f"{SIGNED}: {' '.join(str(error).split())}") from error
    digest = oci.check(out / LAYOUT)
    if digest != expected:
        raise oci.LayoutError(f"the layout is {digest}, signed was {expected}")
    return digest


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a bill of materials has more, less and otherwise than an older one, by package."""

    def versions(document: Mapping[str, Any]) -> dict[str, str]:
        return {str(item["purl"]).rpartition("@")[0]: str(item["version"]) for item in document["components"] if "purl" in item}

    old, new = versions(before), versions(after)
    return {
        "added": {name: new[name] for name in new.keys() - old.keys()},
        "removed": {name: old[name] for name in old.keys() - new.keys()},
        "changed": {name: [old[name], new[name]] for name in old.keys() & new.keys() if old[name] != new[name]},
    }


def debian_packages(base: Path) -> dict[str, str]:
    """Installed packages of a Debian filesystem, by its own record."""
    status = base / "var" / "lib" / "dpkg" / "status"
    found: dict[str, str] = {}
    for stanza in status.read_text(encoding="utf-8").split("\n\n") if status.is_file() else []:
        fields = dict(re.findall(r"^(Package|Status|Version): (.*)$", stanza, re.MULTILINE))
        if fields.get("Status") == "install ok installed":
            found[fields["Package"]] = fields["Version"]
    return found


def container_command(name: str, base: str) -> list[str]:
    """The command that builds a Containerfile, without a network and with a base named by digest.

    Raises:
        ConfigError: an image we have none for, or a base that may be another one tomorrow.
    """
    if name not in CONTAINERFILES:
        raise ConfigError(f"image '{name}'", rule=f"Containerfiles: {', '.join(CONTAINERFILES)}", fix="name one")
    if not _BASE.fullmatch(base):
        raise ConfigError(f"base '{base}'", rule="a base image is named by digest: NAME@sha256:<64 hex digits>", fix="name its digest")
    return [
        "buildah", "build", "--network=none", "--timestamp=0", "--pull=never", "--format=oci", f"--build-arg=BASE={base}",
        f"--file=model_images/{name}/Containerfile", f"--tag=curtilage/{name}", ".",
    ]  # fmt: skip
