"""The fingerprint file: keyed hashes of real records, and nothing a reader without the key could read them from.

A numpy archive without pickles, authenticated as a whole under the guard's key, so that a fingerprint taken out of it is noticed.
"""

from __future__ import annotations

import hmac
import io
import os
import secrets
import tempfile
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from curtilage.errors import ConfigError
from curtilage.finetune.guard_hash import I64, U64, derive

_MAGIC = b"curtilage-fingerprints-1\n"
KEY_BYTES = 32


@dataclass(frozen=True)
class Fingerprints:
    """What the guard knows of the real records.

    Attributes:
        exact: HMAC of each record and of each long field, sorted, as 16-byte strings.
        shingles: hashes in ascending order; ``records`` says whose.
        sizes: distinct shingles of each record.
        boilerplate: shingles of the templates and of wording many records share: they prove nothing.
        terms: hashes of the dictionary and the canaries; ``shape[words, letters]`` says which groups of words to look up.
        canaries: the subset of ``terms`` that are canaries.
        identifiers: hashes of addresses, account numbers, file numbers.
        about: counts, date, digest of the templates.
    """

    exact: NDArray[np.bytes_]
    shingles: U64
    records: I64
    sizes: I64
    boilerplate: U64
    terms: U64
    canaries: U64
    shape: NDArray[np.bool_]
    identifiers: U64
    about: dict[str, Any]


def make_key(path: Path) -> None:
    """A new guard key, readable by its owner alone; an existing file is never written over.

    Raises:
        ConfigError: the file is there, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", rule="a key is made once", fix="name a file that does not exist yet") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(secrets.token_hex(KEY_BYTES) + "\n")


def read_key(path: Path) -> bytes:
    """A guard key.

    Raises:
        ConfigError: not a key, or others may read it.
    """
    try:
        text, mode = path.read_text(encoding="ascii").strip(), path.stat().st_mode
        key = bytes.fromhex(text)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no guard key", rule="a key is 64 hex digits", fix="curtilage finetune guard key FILE") from error
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{path} holds {len(key)} bytes", rule="a key is 64 hex digits", fix="curtilage finetune guard key FILE")
    if mode & 0o077:
        raise ConfigError(
            f"{path} is readable by others", rule="who has the key can guess records against the file", fix=f"chmod 600 {path}"
        )
    return key


def key_id(key: bytes) -> str:
    """A name for a key that does not tell it."""
    return derive(key, "name", 8).hex()


def save(fingerprints: Fingerprints, key: bytes, path: Path) -> None:
    """Write the file whole or not at all, readable by its owner alone."""
    body = io.BytesIO()
    arrays = {field.name: getattr(fingerprints, field.name) for field in fields(fingerprints) if field.name != "about"}
    np.savez(body, about=np.frombuffer(orjson.dumps(fingerprints.about), dtype=np.uint8), **arrays)
    content = body.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(_MAGIC + bytes.fromhex(key_id(key)) + hmac.digest(derive(key, "file"), content, "sha256") + content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def load(path: Path, key: bytes) -> Fingerprints:
    """Read the file.

    Raises:
        ConfigError: another key's, changed, truncated, or no fingerprint file.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}", rule="the guard needs fingerprints", fix="curtilage finetune guard fingerprint"
        ) from error
    again = "make it again: curtilage finetune guard fingerprint"
    head = len(_MAGIC) + 8 + 32
    if not raw.startswith(_MAGIC) or len(raw) < head:
        raise ConfigError(f"{path} is no fingerprint file", rule="fingerprints are made by the guard", fix=again)
    if raw[len(_MAGIC) : len(_MAGIC) + 8].hex() != key_id(key):
        raise ConfigError(f"{path} was made under another key", rule="fingerprints compare under one key alone", fix="pass its --key")
    content = raw[head:]
    if not hmac.compare_digest(raw[head - 32 : head], hmac.digest(derive(key, "file"), content, "sha256")):
        raise ConfigError(f"{path} was changed or cut short", rule="a fingerprint file is authenticated as a whole", fix=again)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
        return Fingerprints(about=orjson.loads(found.pop("about").tobytes()), **found)
    except (ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{path} has another layout", rule="fingerprints are of this version", fix=again) from error
