"""Starting and stopping: whatever happens to a start, stop or the next start leaves nothing of it.

These run labs of their own in a box (box.sh) where names, places and control groups are private, beside the lab that may be running.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from curtilage.paths import CHECKOUT

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="NOT-RUN: starting a lab needs root"),
]

HERE = Path(__file__).parent


def in_box(*words: str) -> Any:
    """Run a scenario of cycle.py in a box of its own and return its report."""
    name = f"ct-lab-{os.getpid()}-{time.monotonic_ns()}"
    try:
        done = subprocess.run(
            [str(HERE / "box.sh"), name, sys.executable, str(HERE / "cycle.py"), *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )
    finally:
        _empty(name)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _empty(name: str) -> None:
    """Whatever a failed scenario left in its groups is ended here, and the groups removed."""
    for top in Path("/sys/fs/cgroup").glob(f"*/{name}"):
        for _ in range(50):
            pids = {int(pid) for file in top.rglob("cgroup.procs") for pid in file.read_text().split()}
            if not pids:
                break
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        for path, _, _ in os.walk(top, topdown=False):
            Path(path).rmdir()


def test_a_stop_leaves_no_namespace_link_mount_process_group_or_file() -> None:
    report = in_box("cycle")
    assert report["started"]["state"] == "running"
    assert {host["system"] for host in report["started"]["hosts"]} == {"running"}
    assert "running already" in report["again"]
    assert report["stopped"] == {"state": "absent", "remains": False}
    assert report["after"] == report["before"]
    assert report["before"]["processes"] == []
    assert report["twice"] == 0, "stopping what is not there is no error"


@pytest.mark.parametrize("said", ["wiring", "booting"])
def test_a_killed_start_is_cleaned_by_stop(said: str) -> None:
    report = in_box("interrupted", said, "SIGKILL", "stop")
    assert report["code"] == -signal.SIGKILL
    assert report["second"] == 0
    assert report["after"] == report["before"]


@pytest.mark.parametrize("said", ["wiring", "booting"])
def test_a_killed_start_is_cleaned_by_the_next_start(said: str) -> None:
    report = in_box("interrupted", said, "SIGKILL", "start")
    assert report["second"] == 0
    assert report["state"] == "running"
    assert report["after"] == report["before"]


@pytest.mark.parametrize("said", ["wiring", "booting"])
def test_an_interrupted_start_says_so_and_the_next_one_goes_on(said: str) -> None:
    report = in_box("interrupted", said, "SIGINT", "start")
    assert report["code"] == 130
    assert report["state"] == "running"
    assert report["after"] == report["before"]


def test_a_second_start_while_one_runs_is_refused_naming_the_first() -> None:
    report = in_box("contended")
    assert report["code"] == 1
    assert f"pid {report['pid']} (lab start)" in report["said"]


def test_a_host_that_does_not_boot_is_reported_with_its_console() -> None:
    report = in_box("unbootable")
    assert "does not answer ssh" in report["said"]
    assert "the init program is missing" in report["said"]
    assert report["after"]["namespaces"] == report["after"]["files"] == report["after"]["processes"] == []


def test_a_ruleset_given_at_start_is_loaded_at_every_boot() -> None:
    report = in_box("sealed")
    assert "policy drop" in report["rules"]
    assert "policy drop" in report["after_reboot"]
    assert report["others"] == ""
    assert report["control"] == 0, "the positive control must reach the router"
    assert report["ping"] != 0
