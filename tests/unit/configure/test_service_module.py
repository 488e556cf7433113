"""When a service counts as stale: if these break, a cut-off run leaves a service on old certificates, or every run restarts it."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path
from types import ModuleType

import pytest

from curtilage.paths import CHECKOUT


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("curtilage_service", CHECKOUT / "ansible/library/curtilage_service.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def _started(seconds_ago: float) -> dict[str, str]:
    return {"ExecMainStartTimestampMonotonic": str(int((time.clock_gettime(time.CLOCK_MONOTONIC) - seconds_ago) * 1e6))}


def _file(tmp_path: Path, seconds_ago: float) -> str:
    path = tmp_path / "a.conf"
    path.write_text("x")
    os.utime(path, (time.time() - seconds_ago,) * 2)
    return str(path)


def test_a_process_older_than_a_file_it_reads_is_stale(module: ModuleType, tmp_path: Path) -> None:
    path = _file(tmp_path, seconds_ago=5)
    assert module.stale(_started(60), [path, "/nonexistent"]) == [path]


def test_a_process_younger_than_its_files_is_not_stale(module: ModuleType, tmp_path: Path) -> None:
    assert module.stale(_started(2), [_file(tmp_path, seconds_ago=5)]) == []


def test_a_unit_that_never_ran_is_not_stale(module: ModuleType, tmp_path: Path) -> None:
    assert module.stale({"ExecMainStartTimestampMonotonic": "0"}, [_file(tmp_path, seconds_ago=5)]) == []


def test_a_timer_counts_from_when_it_became_active(module: ModuleType, tmp_path: Path) -> None:
    active = {"ActiveEnterTimestampMonotonic": _started(60)["ExecMainStartTimestampMonotonic"]}
    path = _file(tmp_path, seconds_ago=5)
    assert module.stale(active, [path]) == [path]
