"""What this machine is and has: gathered once, read only, so that the doctor's checks are functions of a value.

Two facts cannot be read anywhere and are tried instead, each inside namespaces that vanish with the trying process: whether an overlay can
be mounted where the lab will live, and whether the kernel takes a ruleset with a ``netdev`` egress hook. The first leaves nothing but a
temporary directory, which is removed again.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from curtilage.engine_build import go_version, official_engine
from curtilage.paths import CHECKOUT, cache_dir, lab_dir

NAMESPACE_PREFIX = "curtilage-"
GIB = 1024**3
TRY_SECONDS = 20

# The seal stands on these: a drop policy in the inet family, and a netdev egress chain for frames that never see it.
TRIAL_RULESET = """
table inet curtilage {
    chain output {
        type filter hook output priority 0; policy drop;
        counter
    }
}
table netdev curtilage_raw {
    chain egress {
        type filter hook egress device "lo" priority 0; policy drop;
    }
}
"""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Facts about one machine; `gather` reads the real one."""

    root: bool
    sudo: bool  # a sudo is installed; whether it lets this user in is sudo's to say
    apt: bool
    architecture: str
    commands: frozenset[str]
    python: tuple[int, ...]
    venv: bool
    python_3_11: bool
    go: tuple[int, ...] | None
    pulumi: str | None  # directory of an official CLI that is new enough
    engine_built: bool
    namespaces_error: str | None
    ruleset_error: str | None
    overlay_error: str | None
    cache: str
    cache_warm: bool
    disk_free_gib: float
    memory_available_gib: float
    taken_namespaces: tuple[str, ...]
    lab_owner: str | None  # the checkout whose lab is on this machine
    checkout: str


def search_path() -> str:
    """PATH with the system directories that an ordinary user's PATH lacks."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def gather(commands: frozenset[str]) -> Machine:
    """This machine's facts; `commands` are the names to look for on PATH."""
    root = os.geteuid() == 0
    found = frozenset(name for name in commands if shutil.which(name, path=search_path()))
    official = official_engine()
    return Machine(
        root=root,
        sudo=shutil.which("sudo") is not None,
        apt=shutil.which("apt-get") is not None,
        architecture=platform.machine(),
        commands=found,
        python=sys.version_info[:3],
        venv=all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
        python_3_11=sys.version_info[:2] == (3, 11) or shutil.which("python3.11") is not None,
        go=go_version(),
        pulumi=str(official) if official else None,
        engine_built=any((cache_dir() / "engine").glob("*/bin/pulumi")),
        namespaces_error=_try(["unshare", "--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "true"]) if root else None,
        ruleset_error=_try_ruleset() if root and "nft" in found else None,
        overlay_error=_try_overlay() if root else None,
        cache=str(cache_dir()),
        cache_warm=all(any((cache_dir() / kind).glob("*")) for kind in ("base", "trees")),
        disk_free_gib=shutil.disk_usage(_existing(cache_dir())).free / GIB,
        memory_available_gib=_memory_available_gib(),
        taken_namespaces=_namespaces(),
        lab_owner=_lab_owner(),
        checkout=str(CHECKOUT),
    )


def _existing(path: Path) -> Path:
    """The path itself or its nearest parent that exists."""
    return next(candidate for candidate in (path, *path.parents) if candidate.exists())


def _try(command: list[str], stdin: str = "") -> str | None:
    """None when the command works, else the first line of what it said."""
    environment = {**os.environ, "PATH": search_path(), "LC_ALL": "C"}
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=TRY_SECONDS, check=False, env=environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    return next(iter(done.stderr.strip().splitlines()), f"exit code {done.returncode}")


def _try_ruleset() -> str | None:
    return _try(["unshare", "--net", "nft", "-f", "-"], stdin=TRIAL_RULESET)


def _try_overlay() -> str | None:
    """Mount an overlay on the file system the lab will use; some container file systems refuse to be its upper layer."""
    try:
        with tempfile.TemporaryDirectory(prefix=".curtilage-doctor-", dir=_existing(lab_dir())) as directory:
            for name in ("lower", "upper", "work", "root"):
                (Path(directory) / name).mkdir()
            # A private mount namespace: the mount ends with the command.
            script = 'cd "$1" && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root && touch root/file'
            return _try(["unshare", "--mount", "sh", "-c", script, "sh", directory])
    except OSError as error:
        return str(error)


def _memory_available_gib() -> float:
    """What a new process could take: the kernel's estimate, or the control group's limit where that is tighter."""
    available = float("inf")
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) * 1024
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            available = min(available, int(Path(limit).read_text()) - int(Path(used).read_text()))
        except (OSError, ValueError):  # no such control group, or "max"
            continue
    return available / GIB


def _namespaces() -> tuple[str, ...]:
    directory = Path("/run/netns")
    return tuple(sorted(entry.name for entry in directory.glob(f"{NAMESPACE_PREFIX}*"))) if directory.is_dir() else ()


def _lab_owner() -> str | None:
    """The checkout named by the lab's owner file; None when no lab is here or the file cannot be read."""
    try:
        owner = json.loads((lab_dir() / "owner.json").read_text())
    except (OSError, ValueError):
        return None
    checkout = owner.get("checkout") if isinstance(owner, dict) else None
    return checkout if isinstance(checkout, str) else None
