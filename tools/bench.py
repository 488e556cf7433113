"""Measure what the project promises about time and memory on this machine, and print one JSON document.

Memory is the sum of PSS over every process inside one of the lab's network namespaces, sampled each second while a step runs: shared pages
count once, and the tools that run in the machine's own namespace do not count as the region's.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

from curtilage.engine_build import ensure_engine
from curtilage.machine import GIB, NAMESPACE_PREFIX
from curtilage.paths import CHECKOUT

BIN = CHECKOUT / ".venv" / "bin"
CURTILAGE, PYTHON = str(BIN / "curtilage"), str(BIN / "python")
# name -> (command, the most seconds it may take, None where no figure is promised)
STEPS: dict[str, tuple[list[str], int | None]] = {
    "up": ([CURTILAGE, "up", "lab"], 600),
    "up_again": ([CURTILAGE, "up", "lab"], 120),
    "verify": ([CURTILAGE, "verify", "lab"], 60),
    "down": ([CURTILAGE, "down", "lab"], None),
    "proof_kernel": ([PYTHON, "tools/bench/proof.py", "kernel"], 250),
    "proof_lab": ([PYTHON, "tools/bench/proof.py", "lab"], None),
    "proof_region": ([PYTHON, "tools/bench/proof.py", "region"], None),
    "proof_regions": ([PYTHON, "tools/bench/proof.py", "regions", "--plot", "docs/proof-regions.svg"], None),
    "sanitizer": ([str(BIN / "python"), "tools/bench_sanitizer.py"], None),
    "scanner": ([PYTHON, "tools/bench/scanner.py"], None),
    "salesforce": ([PYTHON, "tools/salesforce_checks.py"], None),
    "bundle": ([PYTHON, "tools/bench/bundle.py"], None),
    "evidence": ([PYTHON, "tools/bench/evidence.py"], None),
    "unit": ([PYTHON, "-m", "pytest", "-q", "tests/unit"], 60),
}


def lab_pss_bytes() -> int:
    """PSS of every process whose network namespace is one of the lab's."""
    spaces = {entry.stat().st_ino for entry in Path("/run/netns").glob(f"{NAMESPACE_PREFIX}*")}
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "ns" / "net").stat().st_ino in spaces:
                found = re.search(r"^Pss:\s+(\d+) kB", (process / "smaps_rollup").read_text(), re.MULTILINE)
                total += int(found.group(1)) * 1024 if found else 0
        except OSError:  # ended while we looked
            continue
    return total


def measure(command: list[str]) -> dict[str, object]:
    """Run a command; its seconds, its exit code, and the lab's peak memory meanwhile."""
    peak, done = 0, threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(1):
            peak = max(peak, lab_pss_bytes())

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    began = time.monotonic()
    code = subprocess.run(command, cwd=CHECKOUT, stdout=sys.stderr, check=False).returncode
    seconds = time.monotonic() - began
    done.set()
    sampler.join()
    return {"seconds": round(seconds, 1), "exit_code": code, "peak_lab_pss_gib": round(peak / GIB, 2)}


def main() -> int:
    """Measure the named steps, in order; 1 when one fails or takes longer than promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog="Example: python tools/bench.py up verify down")
    parser.add_argument("steps", nargs="*", default=list(STEPS), help=f"of {', '.join(STEPS)}; all by default")
    chosen = parser.parse_args().steps
    if unknown := set(chosen) - set(STEPS):
        parser.error(f"unknown step: {', '.join(sorted(unknown))}")
    ensure_engine()  # built once; its minutes are no part of a figure
    figures: dict[str, dict[str, object]] = {}
    good = True
    for name in chosen:
        command, limit = STEPS[name]
        figures[name] = measure(command)
        held = figures[name]["exit_code"] == 0 and (limit is None or float(str(figures[name]["seconds"])) <= limit)
        figures[name] |= {"limit_seconds": limit, "held": held}
        good &= held
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / GIB
    machine = {"cores": os.cpu_count(), "memory_gib": round(memory, 1), "kernel": platform.release(), "python": platform.python_version()}
    print(
        json.dumps(
            {"date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "machine": machine, "figures": figures}, indent=2
        )
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
