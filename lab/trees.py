"""The read-only Python trees under ``/opt`` of a lab host.

Each tree is what ``uv pip install --target`` makes from a lock with hashes, for Debian's own Python 3.11: a host needs no virtual environment,
no index and no compiler, only ``PYTHONPATH=/opt/<name>``. Locks carry no registry address; the machine's own uv or pip settings decide where
wheels come from.

``curtilage`` is two parts: its dependencies are dear and cached by lock, our own package is copied at each start, so that a change of code
costs nothing.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from curtilage.errors import MachineError
from curtilage.output import progress
from curtilage.paths import CHECKOUT
from lab.cache import Progress, digest_of, ensure
from lab.shell import run

LOCKS: dict[str, Path] = {
    "curtilage": CHECKOUT / "lab" / "trees" / "curtilage.lock",
    "vllm": CHECKOUT / "model_images" / "vllm-cpu" / "requirements.lock",
    "crm": CHECKOUT / "lab" / "trees" / "crm.lock",
}

# Part of a tree's digest: raise it when the way a tree is made changes.
RECIPE = "2"
PYTHON_VERSION = "3.11"
PLATFORM = "x86_64-manylinux_2_36"


def uv_path() -> Path:
    """The uv beside this interpreter, else the one on PATH: the first is what `make deps` installed."""
    beside = Path(sys.executable).parent / "uv"
    if beside.exists():
        return beside
    found = shutil.which("uv")
    if found is None:
        raise MachineError("uv is not installed\n  fix:  make deps")
    return Path(found)


def ensure_tree(name: str, say: Progress = progress) -> Path:
    """The tree `name` (``curtilage``, ``vllm`` or ``crm``) with every locked wheel and its compiled bytecode.

    For ``curtilage`` these are the dependencies only: `copy_package` adds the package itself.
    """
    lock = LOCKS[name]
    digest = digest_of(RECIPE, PYTHON_VERSION, PLATFORM, lock.read_bytes())

    def build(target: Path) -> None:
        say(f"installing the {name} tree from {lock.relative_to(CHECKOUT)}")
        run(
            [
                str(uv_path()), "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:",
                "--python", python_3_11(), "--python-platform", PLATFORM, "--compile-bytecode",
                "--target", str(target), "-r", str(lock),
            ],
            step=f"python tree {name}",
            fix="check that this machine's package index answers, then run the same command again",
            env={"UV_COMPILE_BYTECODE_TIMEOUT": "900"},
            timeout_seconds=1800,
        )  # fmt: skip
        os.chmod(target, 0o755)

    return ensure("trees", f"{name}-{digest}", build, say)


def python_3_11() -> str:
    """An interpreter of the hosts' version: bytecode is of no use to another one."""
    for candidate in ("/usr/bin/python3.11", sys.executable):
        if Path(candidate).exists() and (candidate != sys.executable or sys.version_info[:2] == (3, 11)):
            return candidate
    found = shutil.which("python3.11")
    if found is None:
        raise MachineError("python 3.11 is not installed\n  fix:  apt-get install python3.11, or make deps")
    return found


def copy_package(target: Path) -> Path:
    """Copy our own package, as it stands in the checkout, to `target`; returns `target`.

    Tests and caches stay behind. Bytecode is compiled here because the tree is read-only on the hosts.
    """
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    shutil.copytree(CHECKOUT / "curtilage", target / "curtilage", ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    run([python_3_11(), "-m", "compileall", "-q", str(target)], step="compile the curtilage package")
    return target
