"""One run of Ansible in a process of its own: its private directory, what its worker tells, and its end."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from curtilage.errors import StepError
from curtilage.paths import CHECKOUT, state_dir

PREFIX = "curtilage-configure-"
# What Ansible and ssh need of the caller's environment, and nothing else of it: not its keys, tokens or proxies.
KEPT_ENVIRONMENT = ("LANG", "LC_ALL", "SSH_AUTH_SOCK", "TZ", "CURTILAGE_STATE")


@dataclass(frozen=True)
class Change:
    """A task that changed a host."""

    host: str
    role: str
    task: str


@dataclass(frozen=True)
class Failure:
    """A task that failed on a host, or a host that could not be reached."""

    host: str
    role: str
    task: str
    message: str


@dataclass
class Run:
    """What the worker has told so far."""

    changes: list[Change] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    not_run: dict[str, tuple[str, ...]] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)
    tail: list[str] = field(default_factory=list)
    ended: bool = False
    rc: int | None = None


@contextmanager
def private_directory(region: str) -> Iterator[Path]:
    """A directory of this run alone, gone afterwards. One run per region at a time; a second one is refused, not queued.

    It lies in the system's temporary directory because a path of an ssh control socket is limited to about a hundred characters.
    """
    record = state_dir() / f"configure-{region}.lock"
    with record.open("a+", encoding="utf-8") as lock:
        record.chmod(0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StepError(
                "configure", f"another run is configuring {region}", fix="wait for it to end, then run the command again"
            ) from error
        lock.seek(0)
        left = Path(lock.read().strip() or "/nonexistent")
        if left.name.startswith(PREFIX) and left.is_dir() and not left.is_symlink() and left.stat().st_uid == os.geteuid():
            shutil.rmtree(left)
        private = Path(tempfile.mkdtemp(prefix=PREFIX))  # created 0700
        try:
            _replace(lock, str(private))
            for name in ("home", "tmp", "cp"):
                (private / name).mkdir(mode=0o700)
            yield private
        finally:
            _close_connections(private / "cp")
            shutil.rmtree(private)
            _replace(lock, "")


def _replace(lock: Any, text: str) -> None:
    lock.seek(0)
    lock.truncate()
    lock.write(text)
    lock.flush()


def _close_connections(sockets: Path) -> None:
    """End ssh's shared connections, which would otherwise keep the operator's namespace busy after the run."""
    for socket in sockets.iterdir() if sockets.is_dir() else ():
        if socket.is_socket():
            command = ["ssh", "-F", "/dev/null", "-o", f"ControlPath={socket}", "-O", "exit", "any"]
            subprocess.run(command, capture_output=True, timeout=10, check=False)


def run_worker(private: Path, run_prefix: Sequence[str], progress: Callable[[str], None]) -> Run:
    """Let the worker do what the directory's request says, and gather what it tells; it ends when this does, however this ends."""
    binaries = Path(sys.executable).parent
    environment = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ} | {
        "HOME": str(private / "home"),
        "TMPDIR": str(private / "tmp"),
        "LC_ALL": os.environ.get("LC_ALL", "C.UTF-8"),
        "PATH": f"{binaries}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run = Run()
    with (private / "worker.log").open("w+b") as log:
        worker = subprocess.Popen(
            [*run_prefix, sys.executable, "-m", "curtilage.configure_worker", str(private)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=CHECKOUT,
            env=environment,
            start_new_session=True,  # an interrupt of the user is ours to pass on, once
        )
        try:
            for line in worker.stdout or ():
                _take(line, run, progress)
            worker.wait()
        except BaseException:
            _end(worker)
            raise
        if not run.ended:
            log.seek(0)
            run.tail = log.read()[-4000:].decode(errors="replace").splitlines()[-25:]
            run.rc = worker.returncode
    return run


def _take(line: bytes, run: Run, progress: Callable[[str], None]) -> None:
    """Read one JSON line of the worker."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return  # a library's print; the worker's own lines are JSON
    if "play" in record:
        progress(f"  {record['play']}")
    elif "changed" in record:
        run.changes.append(Change(record["host"], record["role"] or "", record["changed"]))
    elif "failed" in record or "unreachable" in record:
        found = Failure(
            record.get("host") or record.get("unreachable") or "",
            record.get("role") or "",
            record.get("failed") or "connect",
            record["message"],
        )
        run.failures.append(found)
        progress(f"  ✗ {found.host}: {found.task}")
    elif "not_run" in record:
        reasons = tuple(line.removeprefix("/var/lib/curtilage/not-run.d/") for line in record["not_run"])
        if reasons:
            run.not_run[record["host"]] = reasons
    elif "stats" in record:
        run.stats, run.rc, run.tail, run.ended = record["stats"], record["rc"], record["tail"], True


def _end(worker: subprocess.Popen[bytes]) -> None:
    """Ask the worker's process group to end, then make it: Ansible forks, and no fork may outlive the run."""
    for wanted, patience_seconds in ((signal.SIGINT, 5), (signal.SIGTERM, 5), (signal.SIGKILL, 5)):
        try:
            os.killpg(worker.pid, wanted)
            worker.wait(patience_seconds)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
