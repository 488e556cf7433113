"""A control group of its own for each host.

systemd keeps one group per service. Started side by side from the same group, the hosts' systemds would share them, and a stop of one
host's ``ssh.service`` would wait for every other host's. nspawn makes its ``payload`` group inside the group it is started in, so each
supervisor enters its host's group first, in each hierarchy a systemd uses (the unified one, and ``name=systemd`` where the machine still
has version 1).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

NAME = "curtilage"


def hierarchies() -> list[Path]:
    """Where the hierarchies that a systemd uses are mounted."""
    found = []
    with Path("/proc/self/mounts").open(encoding="utf-8") as table:
        for line in table:
            _, point, kind, options = line.split()[:4]
            if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
                found.append(Path(point))
    return found


def groups_of(host: str) -> list[Path]:
    """The host's group in each hierarchy; its supervisor makes and enters them."""
    return [hierarchy / NAME / host for hierarchy in hierarchies()]


def existing() -> list[Path]:
    """The lab's groups that are there now."""
    return [hierarchy / NAME for hierarchy in hierarchies() if (hierarchy / NAME).is_dir()]


def remove() -> None:
    """Remove every group of the lab, deepest first. A group with a process in it cannot be removed, and is left."""
    for top in existing():
        for path, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                Path(path).rmdir()
