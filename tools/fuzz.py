"""Fuzz what reads bytes from outside: ``python tools/fuzz.py [--target NAME] [--seconds N]``; 1 when an input breaks a target.

The targets are tests/unit/fuzz/targets.py, the kept inputs tests/unit/fuzz/seeds. atheris, a coverage-guided fuzzer, runs in a throwaway
environment under the cache; it has no build for every Python, so an interpreter for which it has one must be on the machine (CPython 3.12
or 3.13). Where the environment cannot be made, that is NOT-RUN with the reason (exit code 3). New inputs that reach new code stay under the
cache; one that breaks a target is printed, and belongs into the seeds when the fault is mended.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from curtilage.output import progress
from curtilage.paths import CHECKOUT, cache_dir

HERE = CHECKOUT / "tests" / "unit" / "fuzz"
ATHERIS = "atheris==3.1.0"
NEEDED = (
    "google-re2",
    "pyahocorasick",
    "orjson",
    "confusable-homoglyphs",
    "cryptography",
    "pydantic",
    "pyyaml",
    "typer",
    "rich",
    "aiohttp",
)
RUNNER = """
import sys
import atheris
with atheris.instrument_imports(include=["curtilage"]):
    sys.path[:0] = [sys.argv.pop(1), sys.argv.pop(1)]
    import targets
target = targets.TARGETS[sys.argv.pop(1)]
atheris.Setup(sys.argv, target)
atheris.Fuzz()
"""


def environment(wanted: str) -> Path | str:
    """The environment's interpreter, or why there is none."""
    uv = str(CHECKOUT / ".venv" / "bin" / "uv")
    lock = (CHECKOUT / "requirements.lock").read_text()
    pins = [found.group() for name in NEEDED if (found := re.search(rf"^{re.escape(name)}==[^ \\]+", lock, re.MULTILINE))]
    for version in (wanted,) if wanted else ("3.12", "3.13"):
        folder = cache_dir() / "bench" / f"fuzz-{version.strip('/').replace('/', '-')}"
        if (folder / "ready").exists():
            return folder / "bin" / "python"
        commands = (
            [uv, "venv", "-q", "--clear", "--no-python-downloads", "--python", version, str(folder)],
            [uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python"), ATHERIS, *pins],
        )
        done = None
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                break
        if done is not None and done.returncode == 0:
            (folder / "ready").touch()
            return folder / "bin" / "python"
    return f"no environment with {ATHERIS}: {done.stderr.strip()[-300:] if done else ''}"


def main() -> int:
    """Fuzz each target for its share of the time."""
    names = sorted(path.name for path in (HERE / "seeds").iterdir())
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="Example: python tools/fuzz.py --seconds 60")
    parser.add_argument("--target", choices=names, action="append", help="only this one; repeat for more")
    parser.add_argument("--seconds", type=int, default=20, help="for each target")
    parser.add_argument("--python", default="", help="the interpreter to make the environment with, where none of these versions is found")
    arguments = parser.parse_args()
    python = environment(arguments.python)
    if isinstance(python, str):
        progress(f"NOT-RUN: {python}")
        return 3
    broken = 0
    for name in arguments.target or names:
        grown = cache_dir() / "fuzz" / name
        grown.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [str(python), "-c", RUNNER, str(CHECKOUT), str(HERE), name, f"-max_total_time={arguments.seconds}",
             "-max_len=4096", "-timeout=30",
             f"-artifact_prefix={grown}/broken-", "-print_final_stats=1", str(grown), str(HERE / "seeds" / name)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        executed = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
        progress(f"{name}: {executed.group(1) if executed else '?'} inputs, {'broken' if done.returncode else 'nothing found'}")
        if done.returncode:
            broken += 1
            sys.stderr.write(done.stderr[-3000:] + "\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
