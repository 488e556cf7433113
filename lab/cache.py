"""Things that are dear to make: built once under a temporary name, renamed when whole.

A crash leaves a temporary directory that the next build removes, never something half-made under the final name. One build of a thing at a
time: a second one waits for the first and then finds it made.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from curtilage.output import progress
from curtilage.paths import cache_dir

Progress = Callable[[str], None]


def digest_of(*parts: str | bytes) -> str:
    """A short digest of everything that makes a thing; each part is length-prefixed, so that parts cannot run into each other."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:24]


@contextlib.contextmanager
def _only_builder(kind: Path) -> Iterator[None]:
    kind.mkdir(parents=True, exist_ok=True)
    with (kind / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def remove_tree(path: Path) -> None:
    """Remove a directory tree of ours; refuses to descend into a mount, because a bind mount's far end is not ours."""
    real = os.path.realpath(path)
    with Path("/proc/self/mountinfo").open(encoding="utf-8") as table:
        for line in table:
            point = line.split()[4].encode().decode("unicode_escape")
            if point == real or point.startswith(real + "/"):
                raise RuntimeError(f"{point} is still mounted under {path}")
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def ensure(kind: str, digest: str, build: Callable[[Path], None], say: Progress = progress) -> Path:
    """The cached directory ``<cache>/<kind>/<digest>``, built by `build(temporary path)` when it is not there yet."""
    parent = cache_dir() / kind
    final = parent / digest
    if final.is_dir():
        return final
    with _only_builder(parent):
        if final.is_dir():
            return final
        for left in parent.glob(".building-*"):
            say(f"removing an unfinished build: {left.name}")
            remove_tree(left)
        temporary = parent / f".building-{digest}"
        temporary.mkdir()
        build(temporary)
        temporary.rename(final)
    return final
