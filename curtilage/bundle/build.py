"""Make a bundle: list the parts, cut their bytes into chunks named by digest, sign the list.

Killed at any point it goes on by being started again: a chunk that is there whole is kept, one under a temporary name is not counted, and
the signed statement comes last. What changed while it was read is noticed by its size and time and refused.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, cast

from curtilage.audit.note import Signer
from curtilage.audit.tiles import write_durably
from curtilage.bundle.manifest import (
    CHUNK_BYTES,
    CHUNKS,
    MANIFEST,
    PAYLOAD_TYPE,
    STATEMENT,
    BundlePart,
    Chunk,
    Entry,
    Kind,
    Manifest,
    Missing,
    Statement,
)  # fmt: skip
from curtilage.bundle.verify import AHEAD
from curtilage.canonical import canonical_json, file_digest
from curtilage.errors import ConfigError, StepError
from curtilage.evidence.dsse import seal

_READ = 4 << 20
CAPABILITY = "security.capability"


@dataclass(frozen=True)
class Source:
    """A directory to carry. ``only`` names the files of it that are meant; None means all of it."""

    kind: Kind
    name: str
    directory: Path
    only: tuple[str, ...] | None = None


def build(
    sources: Sequence[Source], missing: Sequence[Missing], out: Path, *, region: str, signer: Signer, say: Callable[[str], None]
) -> Manifest:
    """Write the bundle to ``out``; returns its manifest.

    Raises:
        ConfigError: ``out`` holds another thing, or a source is not a directory.
        StepError: no space, or a source changed while it was read.
    """
    _refuse_foreign(out)
    parts = tuple(_list(source) for source in sorted(sources, key=lambda source: (source.kind, source.name)))
    for part in parts:
        say(f"{part.kind} {part.name}: {len(part.entries)} names, {part.size / 1e6:.1f} MB")
    directories = {(source.kind, source.name): source.directory for source in sources}
    folder = out / CHUNKS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # From here on the directory is no bundle until it is signed again.
        (out / STATEMENT).unlink(missing_ok=True)
        spare: SimpleQueue[bytearray] = SimpleQueue()
        chunks = tuple(_stored(folder, _cut(parts, directories, spare), spare))
        manifest = Manifest(region=region, parts=parts, missing=tuple(sorted(missing, key=lambda item: item.what)), chunks=chunks)
        _sweep(folder, {chunk.sha256 for chunk in chunks})
        content = canonical_json(manifest.model_dump(mode="json", exclude_defaults=True) | {"schema_version": 1})
        write_durably(out / MANIFEST, content)
        statement = Statement(
            region=region,
            manifest=hashlib.sha256(content).hexdigest(),
            manifest_bytes=len(content),
            bytes=sum(chunk.size for chunk in chunks),
            chunks=len(chunks),
        )
        write_durably(out / STATEMENT, seal(PAYLOAD_TYPE, canonical_json(statement.model_dump(mode="json")), signer))
    except OSError as error:
        raise StepError("bundle build", f"{out}: {error.strerror or error}", fix="free space, then run it again; it goes on") from error
    return manifest


def _refuse_foreign(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise ConfigError(f"{out} is not a directory", rule="a bundle is a directory of its own", fix="name another")
    known = {STATEMENT, MANIFEST, CHUNKS, STATEMENT + ".tmp", MANIFEST + ".tmp"}
    foreign = sorted(path.name for path in out.iterdir() if path.name not in known) if out.is_dir() else []
    if foreign:
        raise ConfigError(f"{out} holds {foreign[0]}", rule="a bundle is a directory of its own", fix="name an empty directory")


def _list(source: Source) -> BundlePart:
    if source.directory.is_symlink() or not source.directory.is_dir():
        raise ConfigError(f"{source.directory} is not a directory", rule=f"part {source.name} is one", fix="make it first")
    found = _named(source.directory, source.only) if source.only is not None else _walk(source.directory, "")
    entries = sorted((_entry(source, path) for path in found), key=lambda entry: entry.path)
    try:
        return BundlePart(kind=source.kind, name=source.name, entries=tuple(entries))
    except ValueError as error:
        raise StepError("bundle build", " ".join(str(error).split()), fix=f"see {source.directory}") from error


def _walk(directory: Path, prefix: str) -> Iterator[str]:
    for entry in os.scandir(directory):
        path = f"{prefix}{entry.name}"
        yield path
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{path}/")


def _named(directory: Path, only: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    for path in only:
        if os.path.lexists(directory / path):  # a file that is deleted and not yet committed is tracked and not there
            found.add(path)
            found.update(str(parent) for parent in Path(path).parents if str(parent) != ".")
    return found


def _entry(source: Source, path: str) -> Entry:
    full = source.directory / path
    found = full.lstat()
    # Who owns a file matters in a filesystem that boots; elsewhere it would only say who built the bundle.
    owners = {"uid": found.st_uid, "gid": found.st_gid} if source.kind is Kind.BASE else {}
    common: dict[str, Any] = {"path": path, "mode": stat.S_IMODE(found.st_mode), **owners}
    try:
        path.encode("utf-8")
        if stat.S_ISREG(found.st_mode):
            mtime = (
                0 if source.kind in {Kind.PRODUCT, Kind.MODEL, Kind.IMAGE, Kind.WHEELS, Kind.PACKAGES, Kind.KEYS} else int(found.st_mtime)
            )
            return Entry(type="file", size=found.st_size, mtime=mtime, capability=_capability(full), **common)
        if stat.S_ISDIR(found.st_mode):
            return Entry(type="dir", **common)
        if stat.S_ISLNK(found.st_mode):
            return Entry(type="link", target=str(full.readlink()), **common)
        if stat.S_ISCHR(found.st_mode):
            return Entry(type="char", target=f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}", **common)
    except ValueError as error:
        raise StepError("bundle build", f"{path!r}: {' '.join(str(error).split())}", fix="rename the file") from error
    raise StepError("bundle build", f"{full} is a socket, a pipe or a block device", fix="remove it")


def _capability(path: Path) -> str:
    try:
        return os.getxattr(path, CAPABILITY, follow_symlinks=False).hex()
    except OSError:  # no such attribute, or a filesystem without attributes
        return ""


def _cut(parts: tuple[BundlePart, ...], directories: dict[tuple[Kind, str], Path], spare: SimpleQueue[bytearray]) -> Iterator[memoryview]:
    """The bytes of all plain files in order, as chunks. Each is memory of its own, so that it may be stored while the next is read."""
    chunk, filled = _room(spare), 0

    def room() -> memoryview:
        return chunk[filled : filled + _READ]

    for part in parts:
        root = directories[part.kind, part.name]
        for entry in part.entries:
            if entry.type != "file":
                continue
            for read in _read(root / entry.path, entry.size, room):
                filled += read
                if filled == CHUNK_BYTES:
                    yield chunk
                    chunk, filled = _room(spare), 0
    if filled:
        yield chunk[:filled]


def _room(spare: SimpleQueue[bytearray]) -> memoryview:
    """Memory that was used before, where there is some: touching new memory costs as much as the digest."""
    try:
        return memoryview(spare.get_nowait())
    except Empty:
        return memoryview(bytearray(CHUNK_BYTES))


def _read(path: Path, size: int, into: Callable[[], memoryview]) -> Iterator[int]:
    """Read a file into what the caller has room for, block by block.

    Raises:
        StepError: it is not what it was when it was listed.
    """
    left = size
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        before = os.fstat(descriptor)
        while left and (read := stream.readinto(into()[:left])):
            left -= read
            yield read
        grown = bool(stream.read(1))
        after = os.fstat(descriptor)
    if left or grown or (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise StepError("bundle build", f"{path} changed while it was read", fix="let nothing write there, then run it again")


def _stored(folder: Path, blocks: Iterator[memoryview], spare: SimpleQueue[bytearray]) -> Iterator[Chunk]:
    """Store blocks in their order, some of them at once: one is digested and flushed while the next is read."""
    writing = threading.Lock()
    with ThreadPoolExecutor(max_workers=AHEAD, thread_name_prefix="chunk") as pool:
        waiting: deque[Future[Chunk]] = deque()
        try:
            for block in blocks:
                waiting.append(pool.submit(_store, folder, block, writing, spare))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()


def _store(folder: Path, block: memoryview, writing: threading.Lock, spare: SimpleQueue[bytearray]) -> Chunk:
    digest = hashlib.sha256(block).hexdigest()
    path = folder / digest
    # One at a time: two chunks of the same bytes have the same name. The disk is what takes long; digests run beside it.
    with writing:
        # Under its own name, yet a disk may have lost some of it since.
        if not (path.is_file() and path.stat().st_size == len(block) and file_digest(path) == f"sha256:{digest}"):
            write_durably(path, block)
    chunk = Chunk(sha256=digest, size=len(block))
    spare.put(cast("bytearray", block.obj))
    return chunk


def _sweep(folder: Path, wanted: set[str]) -> None:
    """Remove chunks of an earlier state of the sources: a bundle holds nothing that its manifest does not name."""
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()
