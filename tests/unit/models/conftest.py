"""A small model that is real in every respect but its training: a manifest, whole safetensors, a key pair."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from curtilage.models.manifest import ModelFile, ModelManifest, Provenance, Quantization, content_digest
from curtilage.models.signing import create_keys, sign


@dataclass(frozen=True)
class Signed:
    """A signed model and the keys around it."""

    directory: Path
    private: Path
    public: Path


def safetensors(values: int = 64) -> bytes:
    """A whole safetensors file with one tensor."""
    header = json.dumps({"weight": {"dtype": "F32", "shape": [values], "data_offsets": [0, values * 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\x01" * (values * 4)


def write_manifest(directory: Path) -> None:
    """List the directory as it stands."""
    files = tuple(
        ModelFile(
            path=str(path.relative_to(directory)), sha256=hashlib.sha256(path.read_bytes()).hexdigest(), size_bytes=path.stat().st_size
        )
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name not in {"manifest.json", "model.sig"}
    )
    manifest = ModelManifest(
        name="small",
        architecture="MistralForCausalLM",
        parameters=64,
        context_tokens=64,
        dtype="float32",
        variant=Quantization.BF16,
        licence="Apache-2.0",
        digest="sha256:" + "1" * 64,
        content=content_digest(files),
        files=files,
        provenance=Provenance(kind="trained", seed=1),
    )
    (directory / "manifest.json").write_text(manifest.model_dump_json())


@pytest.fixture
def unsigned(tmp_path: Path) -> Path:
    directory = tmp_path / "model"
    (directory / "tokenizer").mkdir(parents=True)
    (directory / "model.safetensors").write_bytes(safetensors())
    (directory / "config.json").write_text('{"model_type": "mistral"}')
    (directory / "tokenizer" / "tokenizer.json").write_text("{}")
    write_manifest(directory)
    return directory


@pytest.fixture
def signed(unsigned: Path, tmp_path: Path) -> Signed:
    private, public = tmp_path / "keys" / "a.key", tmp_path / "keys" / "a.pub"
    create_keys(private, public)
    sign(unsigned, private)
    return Signed(unsigned, private, public)


@pytest.fixture
def relist() -> Callable[[Path], None]:
    return write_manifest
