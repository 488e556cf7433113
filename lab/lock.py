"""One lab per machine: a lock while something changes it, an owner while it runs.

The lock is an flock on a file in ``/run``, so that a killed command frees it. The owner file lives in the lab's directory and names the
checkout, so that two checkouts cannot run over each other by accident.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from curtilage.errors import StepError
from curtilage.paths import CHECKOUT, lab_dir

RUN_DIR = Path("/run/curtilage")
LOCK = RUN_DIR / "lab.lock"
_held = 0


@dataclass(frozen=True, kw_only=True)
class Owner:
    """Whose lab this is and how far it came."""

    checkout: str
    region: str
    made_of: str  # digest of everything a restart would be needed for
    state: str  # "starting" | "running"
    since: float
    pid: int

    def write(self) -> None:
        """Replace the owner file in one step."""
        lab_dir().mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = lab_dir() / ".owner.json"
        temporary.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        temporary.replace(lab_dir() / "owner.json")


def owner() -> Owner | None:
    """The lab's owner; None when there is no lab or its file is not whole."""
    try:
        return Owner(**json.loads((lab_dir() / "owner.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def refuse_other_checkout() -> None:
    """Stop when the lab belongs to another checkout.

    Raises:
        StepError: naming that checkout and the command that stops its lab.
    """
    found = owner()
    if found is not None and Path(found.checkout) != CHECKOUT and Path(found.checkout).is_dir():
        raise StepError(
            "lab",
            f"the lab of this machine belongs to the checkout {found.checkout} ({found.state} since {time.ctime(found.since)})",
            fix=f"run `make down` in {found.checkout}, or go on there",
        )


@contextlib.contextmanager
def hold(what: str) -> Iterator[None]:
    """Hold the machine's lab lock while changing the lab; reentrant within a process.

    Raises:
        StepError: another process holds it; the message names its pid and what it does.
    """
    global _held
    if _held:
        _held += 1
        try:
            yield
        finally:
            _held -= 1
        return
    descriptor = _acquire(what)
    _held = 1
    try:
        yield
    finally:
        _held = 0
        with contextlib.suppress(OSError):
            LOCK.unlink()
            RUN_DIR.rmdir()
        os.close(descriptor)


def _acquire(what: str) -> int:
    for _ in range(100):
        RUN_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
        try:
            descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:
            continue  # its last holder just removed the directory
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 4096, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise StepError(
                "lab",
                f"another command is at work on this machine's lab: {holder or 'it has just begun'}",
                fix="wait until it ends, or end it by its pid",
            ) from None
        try:
            same = LOCK.stat().st_ino == os.fstat(descriptor).st_ino
        except FileNotFoundError:
            same = False
        if same:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"pid {os.getpid()} ({what}) from {CHECKOUT}".encode(), 0)
            return descriptor
        os.close(descriptor)  # the holder before us removed the file between our open and our lock
    raise StepError("lab", f"{LOCK} keeps vanishing", fix="see what else removes files in /run")
