"""Starts the live suite where the operator sits and reads its result (`curtilage verify`)."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from curtilage.errors import StepError
from curtilage.verdict import Verdict, worst


@dataclass(frozen=True, kw_only=True)
class Verification:
    """One run of the live suite.

    Attributes:
        verdict: the worst of all cells and host tests.
        cells: the judged cells as JSON objects (`CellResult.document`).
        host_tests: tests of what is loaded on the hosts, by outcome.
        junit: the JUnit report.
        seconds: wall time.
    """

    verdict: Verdict
    cells: list[dict[str, Any]]
    host_tests: dict[str, str]
    junit: Path
    seconds: float


def verify_region(
    *, region: str, prefix: list[str], ssh_config: Path, canary: Path, out: Path, hosts: tuple[str, ...] = ()
) -> Verification:
    """Attack a running region from inside.

    Args:
        region: its name.
        prefix: argv prefix that enters the operator's network (the lab: its ops namespace).
        ssh_config: reaches the hosts from there.
        canary: directory of the canaries' records.
        hosts: attackers to run; all of them by default.
        out: directory for ``cells.json``, ``junit.xml``, ``host-tests.json``.

    Raises:
        StepError: the suite itself could not run.
    """
    out.mkdir(parents=True, exist_ok=True)
    cells_file, junit, report = out / "cells.json", out / "junit.xml", out / "host-tests.json"
    for stale in (cells_file, junit, report):
        stale.unlink(missing_ok=True)
    suite = Path(str(files("curtilage.probes").joinpath("suite")))
    outer = Path("/proc/self/ns/net").stat().st_ino
    options = {
        "region": region, "ssh-config": ssh_config, "canary": canary, "results": cells_file, "outer-namespace": outer if prefix else 0,
        "host-report": report, "junitxml": junit,
    }  # fmt: skip
    argv = [
        *prefix, sys.executable, "-m", "pytest", "-q", "--tb=no", "--no-header", "-p", "no:cacheprovider", "--rootdir", str(suite),
        "-c", str(suite / "pytest.ini"), *(f"--{name}={value}" for name, value in options.items()),
        *(f"--attacker={host}" for host in hosts), str(suite),
    ]  # fmt: skip
    done = subprocess.run(argv, stdout=sys.stderr, stderr=sys.stderr, check=False)
    if done.returncode not in (0, 1) or not cells_file.exists() or not report.exists():
        raise StepError(
            "verify", f"the live suite did not run (pytest exit {done.returncode})", fix="read the lines above; `curtilage lab status`"
        )
    cells = json.loads(cells_file.read_text())
    tests = json.loads(report.read_text())
    host_tests: dict[str, str] = tests["outcomes"]
    verdicts = [Verdict(cell["verdict"]) for cell in cells]
    verdicts += [Verdict.PASS if outcome == "passed" else Verdict.FAIL for outcome in host_tests.values()]
    return Verification(verdict=worst(verdicts), cells=cells, host_tests=host_tests, junit=junit, seconds=tests["seconds"])
