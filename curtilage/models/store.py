"""Where built models lie: ``<root>/<name>/<digest>/``, each complete or absent.

The cache keeps models unsigned, because a signature depends on whose key made it; ``stage`` copies one out, signs the copy and only then
gives it its name.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from curtilage.errors import StepError
from curtilage.models.files import MANIFEST, SIGNATURE, Unsafe
from curtilage.models.manifest import ModelManifest, read_manifest
from curtilage.models.signing import check_manifest, sign, verify
from curtilage.paths import cache_dir

STALE_SECONDS = 3_600


def cached_models() -> Path:
    """Models this machine made or imported, unsigned."""
    return cache_dir() / "models"


def short(digest: str) -> str:
    """A digest as a directory's name: its 64 hex characters, since a colon does not survive every tool on the way."""
    return digest.removeprefix("sha256:")


def publish(work: Path, target: Path) -> Path:
    """Give a finished directory its name; when another run was faster, keep that one's."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        work.rename(target)
    except OSError:
        if not (target / MANIFEST).is_file():
            raise
        shutil.rmtree(work, ignore_errors=True)
    return target


def make(target: Path, build: Callable[[Path], None]) -> Path:
    """``target``, built in a temporary directory beside it unless it is there already; a failure leaves nothing behind.

    Raises:
        StepError: there is no space, or the directory cannot be written.
    """
    if (target / MANIFEST).is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        work = Path(tempfile.mkdtemp(prefix=f".{target.name[:16]}-", dir=target.parent))
    except OSError as error:
        raise StepError("model store", f"{target.parent}: {error.strerror}", fix="free space, or set CURTILAGE_CACHE elsewhere") from error
    try:
        work.chmod(0o755)
        build(work)
        return publish(work, target)
    except OSError as error:
        raise StepError("model store", f"{target}: {error.strerror or error}", fix="free space, then run the same command again") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _sweep(directory: Path) -> None:
    """Remove what a killed run left an hour ago or more; a younger one may belong to a run that still works."""
    for path in directory.glob(".*-*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_dir() and time.time() - path.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def stage(source: Path, private_key: Path, public_key: Path, destination: Path) -> Path:
    """A signed copy of ``source`` at ``destination/<name>/<digest>``, verified before it gets that name.

    A copy that is there already and still verifies under this key is kept; any other is replaced, so a new key signs again.

    Raises:
        StepError: the source is not whole, or the copy does not verify.
    """
    try:
        manifest = check_manifest(source)
    except Unsafe as error:
        raise StepError("stage model", f"{source}: {error}", fix=f"remove {source} and build again") from error
    target = destination / manifest.name / short(manifest.digest)
    if target.exists() and verify(target, public_key).ok:
        os.utime(target)  # it was staged just now, and a lab serves what was staged last
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".staging-", dir=target.parent))
    # Signed under its final name: the signature records the directory's name as the model's.
    work = scratch / target.name
    try:
        shutil.copytree(source, work, ignore=shutil.ignore_patterns(SIGNATURE), copy_function=shutil.copyfile)
        _readable(work)
        sign(work, private_key)
        (work / SIGNATURE).chmod(0o444)
        result = verify(work, public_key)
        if not result.ok:
            raise StepError("stage model", result.reason, fix="check that the public key belongs to the private one")
        if target.exists():
            target.rename(scratch / "replaced")
        work.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _readable(directory: Path) -> None:
    """A service user that owns nothing here reads the model and changes nothing."""
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o444)


def stored(root: Path) -> Iterator[tuple[Path, ModelManifest]]:
    """Every model under a root that has a manifest, by name and digest.

    Raises:
        ConfigError: a manifest cannot be read.
    """
    for path in sorted(root.glob(f"*/*/{MANIFEST}")):
        if not path.parent.name.startswith("."):
            yield path.parent, read_manifest(path)
