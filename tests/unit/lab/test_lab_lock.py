"""Two labs cannot run over each other by accident."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from curtilage.errors import StepError
from curtilage.paths import CHECKOUT
from lab import lock

HOLD = "import sys; from lab import lock; lock.RUN_DIR=__import__('pathlib').Path(sys.argv[1]); lock.LOCK=lock.RUN_DIR/'lab.lock'\n"
HOLD += "with lock.hold('lab start'):\n print('held', flush=True); sys.stdin.read()\n"


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "RUN_DIR", tmp_path / "run")
    monkeypatch.setattr(lock, "LOCK", tmp_path / "run" / "lab.lock")
    monkeypatch.setattr(lock, "lab_dir", lambda: tmp_path / "lab")


def holder(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_command_is_refused_and_told_the_pid_of_the_first(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        with pytest.raises(StepError, match=rf"pid {first.pid} \(lab start\)"), lock.hold("lab stop"):
            pass
        assert first.stdin is not None
        first.stdin.close()


def test_a_killed_command_frees_the_lock(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        first.kill()
        first.wait()
        with lock.hold("lab stop"):
            pass


def test_the_lock_may_be_taken_again_by_its_holder_and_leaves_no_file(tmp_path: Path) -> None:
    with lock.hold("up"), lock.hold("lab start"):
        assert lock.LOCK.exists()
    assert not (tmp_path / "run").exists()


def owner(checkout: Path) -> lock.Owner:
    return lock.Owner(checkout=str(checkout), region="lab", made_of="x", state="running", since=0.0, pid=1)


def test_a_lab_of_another_checkout_is_refused_by_name(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    owner(other).write()
    with pytest.raises(StepError, match=f"belongs to the checkout {other}"):
        lock.refuse_other_checkout()


def test_a_lab_whose_checkout_is_gone_may_be_taken_over(tmp_path: Path) -> None:
    owner(tmp_path / "deleted").write()
    lock.refuse_other_checkout()


def test_an_owner_file_that_is_not_whole_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "owner.json").write_text('{"checkout": "/')
    assert lock.owner() is None
