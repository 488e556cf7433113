"""Write and check an OCI image layout (image-spec v1.1): the same files give the same digest on every machine, and no tool is needed.

Names are sorted, times are zero, owners are root unless a filesystem that boots says otherwise, nobody but the owner may write, and no file
runs as somebody else. Layers are plain tar: compressed bytes depend on the compressor's version. Left out are bytecode (it holds times),
devices and sockets (a runtime makes its own).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curtilage.canonical import canonical_json, file_digest
from curtilage.errors import ConfigError, StepError

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EPOCH = "1970-01-01T00:00:00Z"
_MAX_JSON = 4 << 20


class LayoutError(ValueError):
    """Not a layout of ours, byte for byte; the message is one line."""


@dataclass(frozen=True)
class Layer:
    """Directories that become one layer: place in the image → directory here."""

    what: str
    places: Mapping[str, Path]
    keep_owners: bool = False


@dataclass(frozen=True, kw_only=True)
class Image:
    """What an image is besides its layers."""

    name: str
    entrypoint: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = "65532:65532"


def write(image: Image, layers: Sequence[Layer], out: Path) -> str:
    """The layout at ``out``, there whole or not at all; returns the manifest's digest.

    Raises:
        ConfigError: ``out`` is there already, or a layer's directory is not.
        StepError: no space.
    """
    if out.exists():
        raise ConfigError(f"{out} is there already", rule="a layout is written once", fix="name another directory, or remove it")
    for layer in layers:
        for directory in layer.places.values():
            if not directory.is_dir():
                raise ConfigError(f"{directory} is not a directory", rule=f"layer '{layer.what}' is made of it", fix="make it first")
    out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".image-", dir=out.parent))
    try:
        blobs = work / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        described = [_layer(blobs, layer) for layer in layers]
        config = _blob(
            blobs,
            CONFIG,
            {
                "architecture": "amd64",
                "config": {
                    "Entrypoint": list(image.entrypoint),
                    "Env": [f"{name}={value}" for name, value in sorted(image.environment.items())],
                    "User": image.user,
                    "WorkingDir": "/",
                },
                "created": EPOCH,
                "history": [{"created": EPOCH, "created_by": layer.what} for layer in layers],
                "os": "linux",
                "rootfs": {"diff_ids": [item["digest"] for item in described], "type": "layers"},
            },
        )
        manifest = _blob(blobs, MANIFEST, {"config": config, "layers": described, "mediaType": MANIFEST, "schemaVersion": 2})
        named = manifest | {"annotations": {"org.opencontainers.image.ref.name": image.name}}
        (work / "index.json").write_bytes(canonical_json({"manifests": [named], "mediaType": INDEX, "schemaVersion": 2}))
        (work / "oci-layout").write_bytes(canonical_json({"imageLayoutVersion": "1.0.0"}))
        work.chmod(0o755)
        work.rename(out)
    except OSError as error:
        raise StepError("image", f"{out}: {error.strerror or error}", fix="free space, then run it again") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return str(manifest["digest"])


def check(layout: Path) -> str:
    """The manifest's digest, after every blob was held against its name and every blob was found to belong.

    Raises:
        LayoutError: something is changed, missing or more than it should be.
    """
    try:
        if {path.name for path in layout.iterdir()} != {"blobs", "index.json", "oci-layout"}:
            raise LayoutError("a layout holds blobs, index.json and oci-layout, and nothing else")
        if json.loads(_small(layout / "oci-layout")) != {"imageLayoutVersion": "1.0.0"}:
            raise LayoutError("not an image layout of version 1.0.0")
        index = json.loads(_small(layout / "index.json"))
        if canonical_json(index) != _small(layout / "index.json") or set(index) != {"manifests", "mediaType", "schemaVersion"}:
            raise LayoutError("index.json is not in its canonical form")
        (top,) = index["manifests"]
        blobs = layout / "blobs" / "sha256"
        manifest = json.loads(_checked(blobs, top).read_bytes())
        parts = [manifest["config"], *manifest["layers"]]
        for part in parts:
            _checked(blobs, part)
        config = json.loads(_checked(blobs, manifest["config"]).read_bytes())
        if config["rootfs"]["diff_ids"] != [item["digest"] for item in manifest["layers"]]:
            raise LayoutError("the configuration names other layers than the manifest")
        wanted = {item["digest"].removeprefix("sha256:") for item in [top, *parts]}
        extra = {path.name for path in blobs.iterdir()} - wanted
        if extra or {path.name for path in (layout / "blobs").iterdir()} != {"sha256"}:
            raise LayoutError(f"extra blob: {sorted(extra)[0] if extra else 'beside sha256'}")
        return str(top["digest"])
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, LayoutError):
            raise
        raise LayoutError(" ".join(str(error).split()) or type(error).__name__) from error


def _checked(blobs: Path, descriptor: Mapping[str, Any]) -> Path:
    digest = str(descriptor["digest"])
    algorithm, _, value = digest.partition(":")
    if algorithm != "sha256" or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise LayoutError(f"digest {digest!r}")
    path: Path = blobs / value
    if path.is_symlink() or not path.is_file() or path.stat().st_size != descriptor["size"] or file_digest(path) != digest:
        raise LayoutError(f"changed or missing blob: {digest}")
    return path


def _small(path: Path) -> bytes:
    if path.stat().st_size > _MAX_JSON:
        raise LayoutError(f"{path.name} is too large")
    return path.read_bytes()


def _blob(blobs: Path, kind: str, document: Any) -> dict[str, Any]:
    content = canonical_json(document)
    digest = hashlib.sha256(content).hexdigest()
    (blobs / digest).write_bytes(content)
    return {"digest": f"sha256:{digest}", "mediaType": kind, "size": len(content)}


class _Digesting(io.RawIOBase):
    """A file that knows the digest of what was written to it."""

    def __init__(self, path: Path) -> None:
        self._stream, self.sha256, self.size = path.open("wb"), hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, block: Any) -> int:
        self.sha256.update(block)
        self.size += len(block)
        return self._stream.write(block)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _layer(blobs: Path, layer: Layer) -> dict[str, Any]:
    partial = blobs / "layer.part"
    with _Digesting(partial) as stream:
        with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for name, source in sorted(_names(layer).items()):
                _add(archive, name, source, layer.keep_owners)
        digest, size = stream.sha256.hexdigest(), stream.size
    partial.replace(blobs / digest)
    return {"digest": f"sha256:{digest}", "mediaType": LAYER, "size": size}


def _names(layer: Layer) -> dict[str, Path | None]:
    """Every name of a layer; None stands for a directory on the way to a place."""
    found: dict[str, Path | None] = {}
    for place, directory in layer.places.items():
        parts = [part for part in place.split("/") if part]
        for depth in range(1, len(parts) + 1):
            found.setdefault("/".join(parts[:depth]), None)
        prefix = "".join(f"{part}/" for part in parts)
        found |= {prefix + name: path for name, path in _walk(directory, "")}
    return found


def _walk(directory: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    for entry in os.scandir(directory):
        mode = entry.stat(follow_symlinks=False).st_mode
        if entry.name == "__pycache__" or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)):
            continue
        yield prefix + entry.name, Path(entry.path)
        if stat.S_ISDIR(mode):
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")


def _add(archive: tarfile.TarFile, name: str, source: Path | None, keep_owners: bool) -> None:
    header = tarfile.TarInfo(name)
    header.mtime = 0
    if source is None:
        header.type, header.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(header)
        return
    found = source.lstat()
    if keep_owners:
        header.uid, header.gid = found.st_uid, found.st_gid
    if stat.S_ISLNK(found.st_mode):
        header.type, header.linkname, header.mode = tarfile.SYMTYPE, str(source.readlink()), 0o777
        archive.addfile(header)
    elif stat.S_ISDIR(found.st_mode):
        # The sticky bit stays: /tmp is everybody's.
        sticky = found.st_mode & stat.S_ISVTX
        header.type, header.mode = tarfile.DIRTYPE, stat.S_IMODE(found.st_mode) & (0o1777 if sticky else 0o755)
        archive.addfile(header)
    else:
        header.mode, header.size = stat.S_IMODE(found.st_mode) & 0o755, found.st_size
        with source.open("rb") as stream:
            archive.addfile(header, stream)
