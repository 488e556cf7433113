"""Look into every file of a model for pickles and archives, by content and not by name, before anything else touches it.

A model directory needs neither: weights are safetensors, the rest is text. So nothing is unpickled or opened to judge it, and no list of
dangerous opcodes has to be complete.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickletools
from pathlib import Path

from curtilage.models.files import Unsafe, check_loadable, safetensors_header, walk

PLAIN = frozenset({".json", ".jinja", ".md", ".txt", ".model", ".safetensors"})
"""Kinds of file a served model is made of (.model is a SentencePiece vocabulary; tekken and tokenizer files are JSON)."""
NAMES = frozenset({"LICENSE", "NOTICE", "USE_POLICY", "LICENCE", "COPYING"})
LEFT_OUT = frozenset({".gitattributes", ".gitignore"})
"""Files of a hub's repository that are no part of a model; not copied, so that no list of ignored paths is ever needed."""
_CONTAINERS = {b"PK\x03\x04": "zip archive", b"\x1f\x8b": "gzip archive", b"BZh": "bzip2 archive", b"\xfd7zXZ": "xz archive",
               b"7z\xbc\xaf": "7z archive", b"\x7fELF": "program", b"MZ": "program", b"#!": "script", b"\x89HDF": "HDF5 file",
               b"GGUF": "GGUF file", b"\x93NUMPY": "numpy file"}  # fmt: skip
_MAX_JSON = 256 * 1024 * 1024


def scan(root: Path) -> int:
    """Refuse what can carry code; returns how many files were read.

    Raises:
        Unsafe: naming the file and what it is.
    """
    count = 0
    for path in walk(root):
        name = str(path.relative_to(root))
        if path.suffix.lower() not in PLAIN and path.name not in NAMES:
            raise Unsafe(f"unknown kind of file: {name}; a model is {', '.join(sorted(PLAIN))} and its licence")
        if os.access(path, os.X_OK) and path.stat().st_mode & 0o111:
            raise Unsafe(f"executable file: {name}")
        _scan_file(path, name)
        count += 1
    check_loadable(root)
    return count


def _scan_file(path: Path, name: str) -> None:
    with path.open("rb") as stream:
        head = stream.read(4096)
    if path.suffix != ".safetensors":
        for magic, meaning in _CONTAINERS.items():
            if head.startswith(magic):
                raise Unsafe(f"{meaning}: {name}")
        if _is_pickle(head):
            raise Unsafe(f"pickle content: {name}")
    if path.suffix == ".json":
        _scan_json(path, name)
    elif path.suffix in {".jinja", ".md", ".txt"} or path.name in NAMES:
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            raise Unsafe(f"not UTF-8 text: {name}") from error
        if "\0" in text:
            raise Unsafe(f"binary content: {name}")


def _is_pickle(head: bytes) -> bool:
    """True when the file begins as a pickle of any protocol; old ones have no mark, so their first instructions are decoded."""
    if head[:1] == b"\x80" and head[1:2] in {b"\x00", b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"}:
        return True
    names: list[str] = []
    # The decoder raises whatever its parsers raise; what it read until then decides.
    with contextlib.suppress(Exception):
        for opcode, _, position in pickletools.genops(head):
            names.append(opcode.name)
            if (position or 0) > 1024 or len(names) > 12:
                break
    return bool({"GLOBAL", "INST", "STACK_GLOBAL", "REDUCE", "OBJ"} & set(names)) and len(names) >= 2


def _scan_json(path: Path, name: str) -> None:
    if path.stat().st_size > _MAX_JSON:
        raise Unsafe(f"oversized JSON: {name}")
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise Unsafe(f"not JSON: {name}") from error
    if not isinstance(document, dict):
        return
    # Both ask a library to import code that comes with the weights.
    if document.get("auto_map"):
        raise Unsafe(f"remote code: {name} names an auto_map")
    if document.get("trust_remote_code"):
        raise Unsafe(f"remote code: {name} asks for trust_remote_code")


def check_shards(root: Path) -> None:
    """Every shard an index names is there with the tensors it says, and there is no other.

    Raises:
        Unsafe: a shard is missing, unlisted, or lacks a tensor.
    """
    shards = {path.name: path for path in root.glob("*.safetensors")}
    for nested in root.rglob("*.safetensors"):
        if nested.parent != root:
            raise Unsafe(f"weights in a subdirectory: {nested.relative_to(root)}; a server would not load them, or load them instead")
    index = root / "model.safetensors.index.json"
    if not index.is_file():
        if set(shards) != {"model.safetensors"}:
            raise Unsafe(f"no index: {', '.join(sorted(shards)) or 'no weights'} without model.safetensors.index.json")
        return
    try:
        mapping = json.loads(index.read_bytes())["weight_map"]
        wanted: dict[str, set[str]] = {}
        for tensor, shard in mapping.items():
            wanted.setdefault(str(shard), set()).add(tensor)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unsafe("malformed index: model.safetensors.index.json") from error
    for shard in sorted(wanted.keys() - shards.keys()):
        raise Unsafe(f"missing shard: {shard} is named by the index")
    for shard in sorted(shards.keys() - wanted.keys()):
        raise Unsafe(f"extra weights: {shard} is not named by the index")
    for shard, tensors in sorted(wanted.items()):
        held = set(tensor_names(shards[shard]))
        if held != tensors:
            raise Unsafe(
                f"index differs: {shard} has {len(held - tensors)} tensors more and {len(tensors - held)} fewer than the index says"
            )


def tensor_names(path: Path) -> list[str]:
    """Names of the tensors in a safetensors file (already checked as whole)."""
    return [name for name in header(path) if name != "__metadata__"]


def header(path: Path) -> dict[str, dict[str, object]]:
    """The header of a safetensors file."""
    return safetensors_header(path, path.name)[1]
