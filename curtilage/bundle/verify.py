"""Whether a bundle is whole and what the key's owner signed; needs no network and writes nothing."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from curtilage.audit.note import VerifierKey
from curtilage.bundle.manifest import CHUNKS, MANIFEST, MAX_MANIFEST_BYTES, PAYLOAD_TYPE, STATEMENT, Chunk, Manifest, Missing, Statement
from curtilage.evidence.dsse import EnvelopeError, unseal
from curtilage.verdict import Verdict

_MAX_STATEMENT = 1 << 20
AHEAD = 2
"""Chunks in memory beside the one in use: enough for the digest to run while the disk writes."""


class BundleError(ValueError):
    """A bundle that is not what was signed; the message is one line."""


class Checked(BaseModel):
    """What was found. A whole bundle that lacks something a region needs is NOT_RUN, not PASS."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: Verdict
    reason: str
    region: str | None = None
    manifest: str | None = None
    bytes: int = 0
    parts: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()


def check(bundle: Path, key: VerifierKey, region: str | None = None) -> Checked:
    """Judge a bundle; never raises for a bad one, it says why."""
    try:
        manifest, digest = read(bundle, key, region)
        check_chunks(bundle, manifest)
    except BundleError as error:
        return Checked(verdict=Verdict.FAIL, reason=str(error))
    except OSError as error:
        return Checked(verdict=Verdict.FAIL, reason=f"{error.filename}: {error.strerror}")
    lacking = ", ".join(item.what for item in manifest.missing)
    return Checked(
        verdict=Verdict.NOT_RUN if manifest.missing else Verdict.PASS,
        reason=f"whole and signed; it does not carry {lacking}" if lacking else "whole and signed",
        region=manifest.region,
        manifest=digest,
        bytes=sum(chunk.size for chunk in manifest.chunks),
        parts=tuple(f"{part.kind}/{part.name}" for part in manifest.parts),
        missing=manifest.missing,
    )


def read(bundle: Path, key: VerifierKey, region: str | None = None) -> tuple[Manifest, str]:
    """The manifest and its digest, after the signature over it; chunks are not looked at.

    Raises:
        BundleError: it is not signed by this key, or not what was signed.
    """
    if not bundle.is_dir():
        raise BundleError(f"{bundle} is not a directory")
    found = {path.name for path in bundle.iterdir()}
    for name in (STATEMENT, MANIFEST, CHUNKS):
        if name not in found:
            raise BundleError(f"no {name}: the bundle was not finished, or not carried over whole")
        if (bundle / name).is_symlink():
            raise BundleError(f"{name} is a link")
    if found != {STATEMENT, MANIFEST, CHUNKS}:
        raise BundleError(f"extra file: {sorted(found - {STATEMENT, MANIFEST, CHUNKS})[0]}")
    try:
        statement = Statement.model_validate_json(unseal(json.loads(_bounded(bundle / STATEMENT, _MAX_STATEMENT)), PAYLOAD_TYPE, key))
    except (EnvelopeError, ValidationError, ValueError, RecursionError) as error:
        raise BundleError(f"{STATEMENT}: {_line(error)}") from error
    content = _bounded(bundle / MANIFEST, MAX_MANIFEST_BYTES)
    if hashlib.sha256(content).hexdigest() != statement.manifest:
        raise BundleError(f"{MANIFEST} is not the one that was signed")
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise BundleError(f"{MANIFEST}: {_line(error)}") from error
    if manifest.region != statement.region or (region is not None and manifest.region != region):
        raise BundleError(f"a bundle of region {manifest.region}, not of {region or statement.region}")
    return manifest, f"sha256:{statement.manifest}"


def check_chunks(bundle: Path, manifest: Manifest) -> None:
    """Every chunk is there, whole and unchanged, and there is nothing beside them.

    Raises:
        BundleError: naming the chunk.
    """
    check_names(bundle, manifest)
    for _ in chunks_ahead(bundle / CHUNKS, manifest.chunks):
        pass


def check_names(bundle: Path, manifest: Manifest) -> None:
    """Every chunk is there with its size, and there is nothing beside them; no content is read.

    Raises:
        BundleError: naming the chunk.
    """
    folder = bundle / CHUNKS
    present = {path.name for path in folder.iterdir()}
    wanted = {chunk.sha256: chunk for chunk in manifest.chunks}
    if present - wanted.keys():
        raise BundleError(f"extra file: {CHUNKS}/{sorted(present - wanted.keys())[0]}")
    for chunk in wanted.values():
        path = folder / chunk.sha256
        if path.is_symlink() or not path.is_file():
            raise BundleError(f"missing chunk: {chunk.sha256}")
        if path.stat().st_size != chunk.size:
            raise BundleError(f"changed chunk: {chunk.sha256}")


def chunks_ahead(folder: Path, chunks: Sequence[Chunk]) -> Iterator[memoryview]:
    """Each chunk's bytes in order, digested; the next ones are read and digested while the caller works on one.

    What is yielded holds until the caller asks for the next. Its memory is used again: touching new memory costs as much as the digest.

    Raises:
        BundleError: one is missing or changed.
    """
    largest = max((chunk.size for chunk in chunks), default=0)
    spare: list[bytearray] = []
    with ThreadPoolExecutor(max_workers=AHEAD, thread_name_prefix="chunk") as pool:
        waiting: deque[tuple[Future[memoryview], bytearray]] = deque()
        try:
            for chunk in chunks:
                buffer = spare.pop() if spare else bytearray(largest)
                waiting.append((pool.submit(read_chunk, folder, chunk, buffer), buffer))
                if len(waiting) > AHEAD:
                    done, buffer = waiting.popleft()
                    yield done.result()
                    spare.append(buffer)
            while waiting:
                yield waiting.popleft()[0].result()
        finally:
            for left, _ in waiting:
                left.cancel()


def read_chunk(folder: Path, chunk: Chunk, buffer: bytearray) -> memoryview:
    """A chunk's bytes, digested after they were read: what was judged is what is used.

    Raises:
        BundleError: it is missing or changed.
    """
    path = folder / chunk.sha256
    if path.is_symlink() or not path.is_file():
        raise BundleError(f"missing chunk: {chunk.sha256}")
    content, filled = memoryview(buffer)[: chunk.size], 0
    with path.open("rb", buffering=0) as stream:
        while filled < chunk.size and (read := stream.readinto(content[filled:])):
            filled += read
        grown = bool(stream.read(1))
    if grown or filled != chunk.size or hashlib.sha256(content).hexdigest() != chunk.sha256:
        raise BundleError(f"changed chunk: {chunk.sha256}")
    return content


def _bounded(path: Path, limit: int) -> bytes:
    with path.open("rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise BundleError(f"{path.name} is larger than {limit} bytes")
    return content


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
