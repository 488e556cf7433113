"""What a bundle says about itself: its parts, their files, and the chunks their bytes were cut into.

A bundle is a directory: ``bundle.dsse`` (the signed statement), ``manifest.json`` (named there by its digest), ``chunks/<sha256>``. The
chunks put together are the contents of all plain files in the manifest's order; nothing else is in them, so there is no place to hide a
byte. The same inputs give the same bytes: nothing in it says when or where it was made.

A manifest is judged as if a stranger had written it, although it is signed: a path may not leave its part, and nothing is written through a
link.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

STATEMENT, MANIFEST, CHUNKS = "bundle.dsse", "manifest.json", "chunks"
PAYLOAD_TYPE = "application/vnd.curtilage.bundle+json"
KEY_PURPOSE = "bundle"
CHUNK_BYTES = 64 << 20
MAX_MANIFEST_BYTES = 512 << 20

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
PartName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,127}$")]


class Kind(StrEnum):
    """What a part is; each has one place on the far side (curtilage/bundle/load.py)."""

    ENGINE = "engine"
    BASE = "base"
    PACKAGES = "packages"
    TREE = "tree"
    MODEL = "model"
    IMAGE = "image"
    WHEELS = "wheels"
    PRODUCT = "product"
    KEYS = "keys"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Part):
    """One name below a part. Times are kept because Python's bytecode is held against its source's time."""

    path: str
    type: Literal["file", "dir", "link", "char"]
    mode: Annotated[int, Field(ge=0, le=0o7777)]
    uid: Annotated[int, Field(ge=0, lt=1 << 32)] = 0
    gid: Annotated[int, Field(ge=0, lt=1 << 32)] = 0
    mtime: Annotated[int, Field(ge=0)] = 0
    size: Annotated[int, Field(ge=0)] = 0
    target: str = ""
    capability: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{2})*$")] = ""

    @model_validator(mode="after")
    def _stays_inside(self) -> Self:
        parts = PurePosixPath(self.path).parts
        if not parts or self.path != "/".join(parts) or ".." in parts or self.path.startswith("/") or "\0" in self.path:
            raise ValueError(f"path {self.path!r} is not a plain path below its part")
        if self.type != "file" and self.size:
            raise ValueError(f"{self.path!r} is no file and has a size")
        if (self.type in {"link", "char"}) != bool(self.target):
            raise ValueError(f"{self.path!r}: a link and a device name a target, nothing else does")
        if "\0" in self.target or (self.type == "char" and not re.fullmatch(r"[0-9]{1,4}:[0-9]{1,7}", self.target)):
            raise ValueError(f"{self.path!r}: target {self.target!r}")
        return self


class BundlePart(_Part):
    """One directory that is carried whole."""

    kind: Kind
    name: PartName
    entries: tuple[Entry, ...]

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(entry.size for entry in self.entries)

    @model_validator(mode="after")
    def _is_a_tree(self) -> Self:
        paths = [entry.path for entry in self.entries]
        if paths != sorted(set(paths)):
            raise ValueError(f"{self.name}: paths are not sorted, or one is there twice")
        directories = {entry.path for entry in self.entries if entry.type == "dir"}
        for path in paths:
            parent, slash, _ = path.rpartition("/")
            if slash and parent not in directories:
                raise ValueError(f"{self.name}: {path!r} lies below something that is no directory of the part")
        return self


class Missing(_Part):
    """Something a region needs that this bundle does not carry, and why."""

    what: str
    why: str


class Chunk(_Part):
    """One piece of the bytes."""

    sha256: Sha256
    size: Annotated[int, Field(gt=0, le=CHUNK_BYTES)]


class Manifest(_Part):
    """``manifest.json``."""

    schema_version: Literal[1] = 1
    region: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
    parts: tuple[BundlePart, ...]
    missing: tuple[Missing, ...]
    chunks: tuple[Chunk, ...]

    @model_validator(mode="after")
    def _sums_up(self) -> Self:
        names = [(part.kind, part.name) for part in self.parts]
        if len(set(names)) != len(names):
            raise ValueError("a part is there twice")
        if any(chunk.size != CHUNK_BYTES for chunk in self.chunks[:-1]):
            raise ValueError("a chunk before the last is not whole")
        if sum(chunk.size for chunk in self.chunks) != sum(part.size for part in self.parts):
            raise ValueError("the chunks do not hold as many bytes as the files need")
        return self


class Statement(_Part):
    """What is signed: a digest of the manifest, and its headline for people."""

    schema_version: Literal[1] = 1
    region: str
    manifest: Sha256
    manifest_bytes: int
    bytes: int
    chunks: int
