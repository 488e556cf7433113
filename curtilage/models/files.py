"""Whether a model directory holds only what may be loaded: plain files, no code-bearing formats, whole safetensors.

A signature proves who made a directory; these checks hold for signed ones too, because a key's owner can be fooled into signing a pickle.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SIGNATURE = "model.sig"
MANIFEST = "manifest.json"
# Loading any of these can run code (pickle and what wraps it), and vLLM would prefer some of them to safetensors.
FORBIDDEN_SUFFIXES = frozenset(
    {".bin", ".ckpt", ".dill", ".h5", ".joblib", ".keras", ".mar", ".msgpack", ".npy", ".npz", ".onnx", ".p", ".pb", ".pickle", ".pkl",
     ".pt", ".pt2", ".pth", ".py", ".pyc", ".so", ".tar", ".zip"}
)  # fmt: skip
MAX_HEADER_BYTES = 100_000_000  # the format's own limit
_ITEM_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8, "C64": 8,
}  # fmt: skip


class Unsafe(ValueError):
    """A model directory that must not be loaded; the message is one line."""


def walk(root: Path) -> Iterator[Path]:
    """Every file below ``root``, hidden ones too.

    Raises:
        Unsafe: the root or an entry is a link, a device, a socket or a pipe, or a directory is empty (nothing would sign it).
    """
    if root.is_symlink() or not root.is_dir():
        raise Unsafe(f"{root} is not a directory" if not root.is_symlink() else f"{root} is a symlink; a model is a plain directory")
    pending = [root]
    while pending:
        directory = pending.pop()
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        if not entries:
            raise Unsafe(f"empty directory: {directory.relative_to(root)}" if directory != root else f"{root} is empty")
        for entry in entries:
            mode = entry.stat(follow_symlinks=False).st_mode
            path = Path(entry.path)
            name = path.relative_to(root)
            if stat.S_ISLNK(mode):
                raise Unsafe(f"symlink: {name} -> {path.readlink()}")
            if stat.S_ISDIR(mode):
                pending.append(path)
            elif stat.S_ISREG(mode):
                yield path
            else:
                raise Unsafe(f"not a plain file: {name}")


def check_loadable(root: Path) -> None:
    """Refuse formats that can carry code, and safetensors that are not whole.

    Raises:
        Unsafe: names the file and why.
    """
    weights = 0
    for path in walk(root):
        name = path.relative_to(root)
        if path.suffix.lower() in FORBIDDEN_SUFFIXES:
            raise Unsafe(f"forbidden format: {name}; weights are safetensors only")
        with path.open("rb") as stream:
            head = stream.read(2)
        # A pickle may carry any name: protocols 2 to 5 begin with these two bytes, and a zip archive is torch's container for one.
        if head[:1] == b"\x80" and head[1:] in {b"\x02", b"\x03", b"\x04", b"\x05"} and path.suffix != ".safetensors":
            raise Unsafe(f"pickle content: {name}")
        if head == b"PK":
            raise Unsafe(f"zip archive: {name}; it may hold a pickle")
        if path.suffix == ".safetensors":
            weights += 1
            check_safetensors(path, str(name))
    if not weights:
        raise Unsafe("no weights: a model has at least one .safetensors file")


def safetensors_header(path: Path, name: str) -> tuple[int, dict[str, Any]]:
    """Where the tensors' bytes begin, and what the header says of each; the one reader of this format here.

    Raises:
        Unsafe: the header is not whole, not an object, or names a tensor twice (readers would disagree on which one counts).
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        prefix = stream.read(8)
        if len(prefix) < 8:
            raise Unsafe(f"truncated safetensors: {name} has {size} bytes, not even a header length")
        length = int.from_bytes(prefix, "little")
        if length > MAX_HEADER_BYTES or 8 + length > size:
            raise Unsafe(f"truncated safetensors: {name} announces a header of {length} bytes in a file of {size}")
        raw = stream.read(length)
    try:
        header = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise Unsafe(f"malformed safetensors header: {name}") from error
    if not isinstance(header, dict) or not all(isinstance(entry, dict) for entry in header.values()):
        raise Unsafe(f"malformed safetensors header: {name}")
    return 8 + length, header


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def check_safetensors(path: Path, name: str) -> None:
    """The header is whole, and the tensors fill the rest of the file without gap or overlap.

    Raises:
        Unsafe: truncated, oversized or inconsistent.
    """
    begins, header = safetensors_header(path, name)
    size, position = path.stat().st_size, 0
    try:
        tensors = sorted(
            ((*entry["data_offsets"], entry["dtype"], entry["shape"]) for key, entry in header.items() if key != "__metadata__"),
            key=lambda tensor: (tensor[0], tensor[1]),
        )
        for begin, end, dtype, shape in tensors:
            expected = _ITEM_BYTES.get(dtype)
            elements = 1
            for extent in shape:
                elements *= int(extent)
            if begin != position or end < begin or (expected is not None and end - begin != elements * expected):
                raise Unsafe(f"inconsistent safetensors: {name} has a tensor at {begin}..{end} where {position} was expected")
            position = end
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, Unsafe):
            raise
        raise Unsafe(f"malformed safetensors header: {name}") from error
    if not tensors:
        raise Unsafe(f"empty safetensors: {name} holds no tensor")
    if begins + position != size:
        raise Unsafe(f"truncated safetensors: {name} has {size} bytes, its header describes {begins + position}")
