"""The read-only Python trees under ``/opt`` of a lab host.

Each tree is what ``uv pip install --target`` makes from a lock with hashes, for Debian's own Python 3.11: a host needs no virtual
environment, no index and no compiler, only ``PYTHONPATH=/opt/<name>``. Locks carry no registry address; the machine's own uv or pip
settings decide where wheels come from.

``curtilage`` is two parts: its dependencies are dear and cached by lock, our own package is copied at each start, so that a change of
code costs nothing.
"""

from __future__ import annotations

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
    "crm-old": CHECKOUT / "lab" / "trees" / "crm-old.lock",
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
    """The tree `name` (a key of :data:`LOCKS`) with every locked wheel and its compiled bytecode.

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
        if name == "curtilage":
            (target / "curtilage").mkdir()  # where a host mounts the package over its dependencies
        target.chmod(0o755)

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
    """Make ``target/curtilage`` the package as it stands in the checkout; returns `target`.

    An existing copy is brought up to date in place, file by file, because running hosts have that very directory mounted. Bytecode is
    compiled here because the tree is read-only on the hosts.
    """
    source, destination = CHECKOUT / "curtilage", target / "curtilage"
    destination.mkdir(parents=True, exist_ok=True)
    wanted = {path.relative_to(source) for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    for path in sorted(destination.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif "__pycache__" in path.parts or path.relative_to(destination) not in wanted:
            path.unlink()
    for name in sorted(wanted):
        (destination / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, destination / name)
    run(["chmod", "-R", "u=rwX,go=rX", str(destination)], step="copy the curtilage package")
    # Checked hashes, not times: a copy in place must not run yesterday's bytecode.
    argv = [python_3_11(), "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "-s", str(target), "-p", "/opt/curtilage"]
    run([*argv, str(destination)], step="compile the curtilage package")
    return target
