"""The lab's own processes, written down with their start time, so that stopping never ends somebody else's.

A pid alone is not enough: after a crash it may belong to another program. The start time in ``/proc`` tells them apart.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Recorded:
    """A process of the lab. It leads a process group of its own, and that group is what gets signals."""

    pid: int
    started: int  # clock ticks after the machine's boot: field 22 of /proc/<pid>/stat
    boot: str
    what: str

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return self.boot == boot_id() and start_time(self.pid) == self.started


def boot_id() -> str:
    """This machine's boot: pids and start times mean something within one boot only."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks; None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])


class ProcessFile:
    """The list of the lab's processes: one JSON line each, appended before anything waits for the process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def spawn(self, argv: Sequence[str], *, what: str, log: Path, env: Mapping[str, str] | None = None) -> Recorded:
        """Start a process in a session of its own, its output in `log`, and write it down."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o022,
                cwd="/",
                env={**os.environ, **(env or {})},
            )
            recorded = Recorded(process.pid, start_time(process.pid) or -1, boot_id(), what)
            with self._path.open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(asdict(recorded)) + "\n")
        return recorded

    def read(self) -> list[Recorded]:
        """Every process written down; a last line cut off by a crash is skipped, its process is found by its namespace."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                found.append(Recorded(**json.loads(line)))
            except (ValueError, TypeError):
                continue
        return found


def kill_groups(processes: Sequence[Recorded], *, patience_seconds: float = 10) -> None:
    """Kill each process's group, after making sure that it still is that process, and wait until it is gone."""
    for process in processes:
        if process.alive():
            _signal(os.killpg, process.pid)
    _wait([process.pid for process in processes], patience_seconds)


def kill_pids(pids: Sequence[int], *, patience_seconds: float = 10) -> None:
    """Kill processes that were found inside the lab's own namespaces."""
    for pid in pids:
        if pid != os.getpid():
            _signal(os.kill, pid)
    _wait(pids, patience_seconds)


def _signal(send: Callable[[int, int], None], pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        send(pid, signal.SIGKILL)


def _wait(pids: Sequence[int], patience_seconds: float) -> None:
    deadline = time.monotonic() + patience_seconds
    for pid in pids:
        while start_time(pid) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)  # our own child leaves no zombie behind
