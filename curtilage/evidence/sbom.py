"""The software bill of materials: CycloneDX 1.7 of the hash-locked requirements, of the images and of the models with their cards.

Serial number and time come from the run, so the same run gives the same bytes. The tests hold it against the published schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field

from curtilage import __version__
from curtilage.errors import ConfigError

SPEC_VERSION = "1.7"
NAMESPACE = UUID("6f0c1f0e-6f0a-5f4e-9a57-0d5cf6f5a001")
"""Of every name-based identifier in our documents."""

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[^]]*\])?==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


class Component(BaseModel):
    """One locked package: whichever of its files is installed has one of these digests."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1)]
    version: Annotated[str, Field(min_length=1)]
    hashes: tuple[str, ...]


def locked_components(lock: Path) -> tuple[Component, ...]:
    """The packages of a hash-locked requirements file.

    Raises:
        ConfigError: a package without a digest: such a lock pins nothing.
    """
    found: dict[str, Component] = {}
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        match = _PIN.match(line)
        if match is None:
            continue
        name = re.sub(r"[-_.]+", "-", match["name"]).lower()
        hashes = tuple(sorted(_HASH.findall(line)))
        if not hashes:
            raise ConfigError(
                f"{name} has no digest", rule="every package of a lock has its digests", fix="compile the lock again", file=lock
            )
        found[name] = Component(name=name, version=match["version"], hashes=hashes)
    return tuple(found[name] for name in sorted(found))


def identifier(*parts: str) -> str:
    """A name-based UUID: the same parts give the same identifier."""
    return str(uuid5(NAMESPACE, "\0".join(parts)))


def sbom(
    region: str,
    *,
    collected: str,
    plan_digest: str,
    components: tuple[Component, ...],
    images: Mapping[str, str],
    models: Mapping[str, str],
    model_documents: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """The bill of materials of a region's run."""
    return {
        "bomFormat": "CycloneDX",
        "components": [
            *(_package(component) for component in components),
            *(_container(name, digest) for name, digest in sorted(images.items())),
            *(_model(name, digest, model_documents.get(name, {})) for name, digest in sorted(models.items())),
        ],
        "metadata": {
            "component": {
                "bom-ref": f"region/{region}",
                "name": f"curtilage region {region}",
                "properties": [{"name": "curtilage:plan", "value": plan_digest}],
                "type": "platform",
                "version": __version__,
            },
            "timestamp": collected,
            "tools": {"components": [{"name": "curtilage", "type": "application", "version": __version__}]},
        },
        "serialNumber": f"urn:uuid:{identifier('sbom', region, plan_digest, collected)}",
        "specVersion": SPEC_VERSION,
        "version": 1,
    }


def image_sbom(name: str, digest: str, *, components: tuple[Component, ...], debian: Mapping[str, str]) -> dict[str, Any]:
    """The bill of materials of one container image: its locked Python packages and its Debian packages, by name and version."""
    return {
        "bomFormat": "CycloneDX",
        "components": [
            *(_package(component) for component in components),
            *(
                {"bom-ref": purl, "name": package, "purl": purl, "type": "library", "version": version}
                for package, version in sorted(debian.items())
                for purl in (f"pkg:deb/debian/{package}@{quote(version, safe='.-~')}",)
            ),
        ],
        "metadata": {
            "component": _container(name, digest),
            "tools": {"components": [{"name": "curtilage", "type": "application", "version": __version__}]},
        },
        "serialNumber": f"urn:uuid:{identifier('image', name, digest)}",
        "specVersion": SPEC_VERSION,
        "version": 1,
    }


def _package(component: Component) -> dict[str, Any]:
    purl = f"pkg:pypi/{component.name}@{component.version}"
    return {
        "bom-ref": purl,
        "externalReferences": [
            {"hashes": [{"alg": "SHA-256", "content": digest}], "type": "distribution", "url": purl} for digest in component.hashes
        ],
        "name": component.name,
        "purl": purl,
        "type": "library",
        "version": component.version,
    }


def _container(name: str, digest: str) -> dict[str, Any]:
    return {
        "bom-ref": f"image/{name}",
        "hashes": [{"alg": "SHA-256", "content": digest.partition(":")[2]}],
        "name": name,
        "type": "container",
        "version": digest,
    }


def _model(name: str, digest: str, documents: Mapping[str, Any]) -> dict[str, Any]:
    manifest, card = documents.get("manifest") or {}, documents.get("card") or {}
    found: dict[str, Any] = {
        "bom-ref": f"model/{name}",
        "hashes": [{"alg": "SHA-256", "content": digest.partition(":")[2]}],
        "name": name,
        "type": "machine-learning-model",
        "version": digest,
    }
    if manifest.get("licence"):
        found["licenses"] = [{"license": {"name": str(manifest["licence"])}}]
    if manifest.get("files"):
        found["components"] = [
            {
                "bom-ref": f"model/{name}/{file['path']}",
                "hashes": [{"alg": "SHA-256", "content": file["sha256"]}],
                "name": file["path"],
                "type": "file",
            }
            for file in manifest["files"]
        ]
    parameters: dict[str, Any] = {"architectureFamily": "transformer"}
    if manifest.get("architecture"):
        parameters["modelArchitecture"] = str(manifest["architecture"])
    considerations = {
        key: [str(card[source])] for key, source in (("useCases", "intended_use"), ("technicalLimitations", "limits")) if card.get(source)
    }
    found["modelCard"] = {"modelParameters": parameters} | ({"considerations": considerations} if considerations else {})
    return found
