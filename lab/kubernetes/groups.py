"""The node's control groups: one top group in every hierarchy of the machine, and nothing of it left behind.

The machine may have version 1 hierarchies, where a container has a group in each controller; kubelet wants its root to be there in all of
them, and a cpuset group takes no process before it has processors and memory nodes.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

NAME = "curtilage-kubernetes"
_MOUNTS = Path("/proc/self/mounts")


def hierarchies() -> list[Path]:
    """Where control groups of either version are mounted."""
    lines = (line.split() for line in _MOUNTS.read_text(encoding="utf-8").splitlines())
    return [Path(fields[1]) for fields in lines if fields[2] in ("cgroup", "cgroup2")]


def create() -> None:
    """The top group in every hierarchy."""
    for hierarchy in hierarchies():
        group = hierarchy / NAME
        group.mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (group / file).exists() and not (group / file).read_text(encoding="ascii").strip():
                (group / file).write_text((hierarchy / file).read_text(encoding="ascii"), encoding="ascii")


def existing() -> list[Path]:
    """The top groups that are there now."""
    return [group for hierarchy in hierarchies() if (group := hierarchy / NAME).is_dir()]


def remove(patience_seconds: float = 10.0) -> None:
    """Remove them, deepest first; the kernel lets go of a killed process's group a moment after the process."""
    deadline = time.monotonic() + patience_seconds
    while found := existing():
        for top in found:
            for path, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    Path(path).rmdir()
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)
