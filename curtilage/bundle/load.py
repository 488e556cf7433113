"""Put a bundle's parts where this machine looks for them: all laid out first, then given their names, each by one rename.

Interrupted at any point, a part is there whole or not at all, and the same command goes on: parts that have their names are kept when they
are what the bundle holds, the rest is laid out anew. The receipt comes last; without it nothing says that the bundle was loaded.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from curtilage.audit.note import VerifierKey
from curtilage.audit.tiles import sync_directory, write_durably
from curtilage.bundle.build import CAPABILITY
from curtilage.bundle.manifest import CHUNKS, BundlePart, Entry, Kind, Manifest
from curtilage.bundle.verify import BundleError, check_names, chunks_ahead, read
from curtilage.canonical import canonical_json
from curtilage.errors import MachineError, StepError
from curtilage.paths import cache_dir, state_dir

SPARE_BYTES = 64 << 20
SIGNER = "model-signing.pub"
_AGAIN = "carry the bundle over again, then run the same command"


def place(part: BundlePart) -> Path:
    """Where a part belongs: fixed by its kind, whatever the manifest says."""
    cache = cache_dir()
    if part.kind is Kind.MODEL:
        name, _, digest = part.name.rpartition("_")
        return state_dir() / "models" / (name or "unnamed") / digest
    folder = {Kind.TREE: "trees", Kind.IMAGE: "images"}
    return cache / folder.get(part.kind, str(part.kind)) / part.name


def load(bundle: Path, key: VerifierKey, region: str, say: Callable[[str], None]) -> dict[str, str]:
    """Load a bundle; returns part → directory.

    Raises:
        StepError: the bundle is not what was signed, or there is no space; nothing was installed.
        MachineError: it holds a filesystem with owners, and this is not root.
    """
    try:
        manifest, digest = read(bundle, key, region)
        # Contents are judged as they are laid out, under temporary names: reading them twice would take twice as long.
        check_names(bundle, manifest)
    except (BundleError, OSError) as error:
        raise StepError("bundle load", f"{bundle}: {_said(error)}; nothing was installed", fix=_AGAIN) from error
    _refuse_without_rights(manifest)
    with _one_loader():
        return _load(bundle, manifest, digest, say)


@contextlib.contextmanager
def _one_loader() -> Iterator[None]:
    """One load at a time, so that what lies about under a temporary name is a killed one's."""
    folder = state_dir() / "bundles"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _load(bundle: Path, manifest: Manifest, digest: str, say: Callable[[str], None]) -> dict[str, str]:
    for parent in {place(part).parent for part in manifest.parts}:
        for left in parent.glob(".loading-*"):
            say(f"removing what an interrupted load left: {left.name}")
            shutil.rmtree(left, ignore_errors=True)
    places = {f"{part.kind}/{part.name}": place(part) for part in manifest.parts}
    staged: dict[str, Path] = {}
    named = False
    scratches: list[Path] = []
    try:
        there = _unchanged(bundle, manifest, [part for part in manifest.parts if _is_there(part)])
        todo = [part for part in manifest.parts if part not in there]
        for part in there:
            say(f"{part.kind} {part.name} is there already")
        _refuse_without_space(todo)
        for part, content in _contents(bundle, manifest):
            if part not in todo:
                continue
            target = place(part)
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=".loading-", dir=target.parent))
            scratches.append(scratch)
            say(f"{part.kind} {part.name}: laying out {part.size / 1e6:.1f} MB")
            _lay_out(part, scratch / "part", content)
            staged[f"{part.kind}/{part.name}"] = scratch / "part"
        # All of it is on this disk and was digested; only now does anything get its name.
        named = bool(todo)
        for part in todo:
            target = place(part)
            if target.exists():
                target.rename(staged[f"{part.kind}/{part.name}"].parent / "replaced")
            staged[f"{part.kind}/{part.name}"].rename(target)
            sync_directory(target.parent)
        receipt = {"bundle": digest, "region": manifest.region, "parts": {name: str(path) for name, path in places.items()}}
        write_durably(state_dir() / "bundles" / f"{digest.removeprefix('sha256:')}.json", canonical_json(receipt))
    except (BundleError, OSError) as error:
        kept = "parts without their names are removed" if named else "nothing was installed"
        fix = _AGAIN if isinstance(error, BundleError) else "free space, then run it again"
        raise StepError("bundle load", f"{bundle}: {_said(error)}; {kept}", fix=fix) from error
    finally:
        for scratch in scratches:
            shutil.rmtree(scratch, ignore_errors=True)
    _trust_the_signer(manifest, say)
    return {name: str(path) for name, path in places.items()}


def _trust_the_signer(manifest: Manifest, say: Callable[[str], None]) -> None:
    """A machine without a signer of its own trusts the one whose models it was brought; one that has a signer decides for itself."""
    carried = [place(part) / SIGNER for part in manifest.parts if part.kind is Kind.KEYS and (place(part) / SIGNER).is_file()]
    kept = state_dir() / "keys" / SIGNER
    for path in carried:
        if not kept.exists():
            kept.parent.mkdir(mode=0o700, exist_ok=True)
            write_durably(kept, path.read_bytes())
            say(f"models are trusted under the carried key, {path}")
        elif kept.read_bytes() != path.read_bytes():
            say(f"{kept} is kept; models of this bundle verify with {path}")


def _said(error: Exception) -> str:
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.strerror else str(error)


def _refuse_without_rights(manifest: Manifest) -> None:
    owned = any(entry.uid or entry.gid or entry.type == "char" or entry.capability for part in manifest.parts for entry in part.entries)
    if owned and os.geteuid() != 0:
        raise MachineError("the bundle holds a host's filesystem with its owners\n  fix:  load it as root")


def _refuse_without_space(todo: list[BundlePart]) -> None:
    needed: dict[int, tuple[Path, int]] = {}
    for part in todo:
        parent = next(path for path in place(part).parents if path.exists())
        device = parent.stat().st_dev
        # A block is the least a name costs.
        needed[device] = (parent, needed.get(device, (parent, 0))[1] + sum(-(-entry.size // 4096) * 4096 + 512 for entry in part.entries))
    for parent, total in needed.values():
        free = shutil.disk_usage(parent).free
        if free < total + SPARE_BYTES:
            raise StepError(
                "bundle load", f"{total:,} bytes are needed at {parent}, {free:,} are free; nothing was installed", fix="free space"
            )


def _is_there(part: BundlePart) -> bool:
    """Whether the part has its name, and every entry its kind, size, mode and target."""
    root = place(part)
    if root.is_symlink() or not root.is_dir():
        return False
    kinds = {"file": stat.S_ISREG, "dir": stat.S_ISDIR, "link": stat.S_ISLNK, "char": stat.S_ISCHR}
    for entry in part.entries:
        try:
            found = (root / entry.path).lstat()
        except OSError:
            return False
        if not kinds[entry.type](found.st_mode) or (entry.type == "file" and found.st_size != entry.size):
            return False
        if entry.type == "link":
            if str((root / entry.path).readlink()) != entry.target:
                return False
        elif stat.S_IMODE(found.st_mode) != entry.mode:
            return False
    return True


def _unchanged(bundle: Path, manifest: Manifest, there: list[BundlePart]) -> list[BundlePart]:
    """Of the parts that are there, those whose files hold the very bytes of the bundle."""
    if not there:
        return []
    found = []
    for part, content in _contents(bundle, manifest):
        if part in there and all(_same(place(part) / entry.path, content(entry.size)) for entry in part.entries if entry.type == "file"):
            found.append(part)
    return found


def _same(path: Path, blocks: Iterator[memoryview]) -> bool:
    same = True
    with path.open("rb") as stream:
        # Read to the end also after a difference: the reader's place is where the next file begins.
        for block in blocks:
            same = stream.read(len(block)) == block and same
    return same


def _contents(bundle: Path, manifest: Manifest) -> Iterator[tuple[BundlePart, Callable[[int], Iterator[memoryview]]]]:
    """Each part with a reader of its bytes, in order; what a caller leaves unread is skipped."""
    chunks = chunks_ahead(bundle / CHUNKS, manifest.chunks)
    held = memoryview(b"")

    def take(size: int) -> Iterator[memoryview]:
        nonlocal held
        while size:
            if not held:
                held = next(chunks)
            block, held = held[:size], held[size:]
            size -= len(block)
            yield block

    for part in manifest.parts:
        left = part.size

        def reader(size: int) -> Iterator[memoryview]:
            nonlocal left
            left -= size
            yield from take(size)

        yield part, reader
        for _ in take(left):
            pass


def _lay_out(part: BundlePart, root: Path, content: Callable[[int], Iterator[memoryview]]) -> None:
    root.mkdir(mode=0o755)
    root.chmod(0o755)
    for entry in part.entries:
        path = root / entry.path
        if entry.type == "dir":
            path.mkdir(mode=0o700)
        elif entry.type == "link":
            path.symlink_to(entry.target)
        elif entry.type == "char":
            major, _, minor = entry.target.partition(":")
            os.mknod(path, stat.S_IFCHR | entry.mode, os.makedev(int(major), int(minor)))
        else:
            # The manifest names each path once and directories before what is in them, so nothing is ever written through a link.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                for block in content(entry.size):
                    stream.write(block)
        _settle(path, entry)
    # Directories last and from below: a read-only one could not be filled.
    for entry in reversed(part.entries):
        if entry.type == "dir":
            (root / entry.path).chmod(entry.mode)
    os.sync()


def _settle(path: Path, entry: Entry) -> None:
    if os.geteuid() == 0:
        os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
    if entry.type in {"file", "char"}:
        # After the owner: a change of owner clears setuid.
        path.chmod(entry.mode)
        if entry.capability:
            os.setxattr(path, CAPABILITY, bytes.fromhex(entry.capability), follow_symlinks=False)
    if entry.type == "file" and entry.mtime:
        os.utime(path, (entry.mtime, entry.mtime), follow_symlinks=False)
