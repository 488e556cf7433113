"""Stopping the lab must never end a process that is not the lab's."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.processes import ProcessFile, Recorded, boot_id, kill_groups, start_time


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def recorded(process: subprocess.Popen[bytes]) -> Recorded:
    return Recorded(process.pid, start_time(process.pid) or 0, boot_id(), "sleeper")


def test_a_recorded_process_is_killed_with_its_group(tmp_path: Path) -> None:
    file = ProcessFile(tmp_path / "processes.jsonl")
    spawned = file.spawn(["sh", "-c", "sleep 60 & echo $!; wait"], what="group", log=tmp_path / "log")
    deadline = time.monotonic() + 5
    while not (tmp_path / "log").read_text().strip() and time.monotonic() < deadline:
        time.sleep(0.02)
    child = int((tmp_path / "log").read_text())
    assert spawned.alive()
    assert file.read() == [spawned]
    kill_groups(file.read())
    assert not spawned.alive()
    while start_time(child) is not None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert start_time(child) is None


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another boot"}])
def test_a_process_that_took_over_the_pid_is_left_alone(sleeper: subprocess.Popen[bytes], change: dict[str, object]) -> None:
    stale = dataclasses.replace(recorded(sleeper), **change)  # type: ignore[arg-type]
    assert not stale.alive()
    kill_groups([stale], patience_seconds=0)
    assert sleeper.poll() is None


def test_a_line_cut_off_by_a_crash_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "processes.jsonl"
    path.write_text('{"pid": 1, "started": 5, "boot": "b", "what": "w"}\n{"pid": 2, "sta')
    assert [one.pid for one in ProcessFile(path).read()] == [1]


def test_a_process_that_is_gone_has_no_start_time() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert start_time(process.pid) is None
    assert start_time(os.getpid()) is not None
