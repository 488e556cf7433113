"""If these fail, a crash could leave half a model under a whole model's name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from curtilage.errors import StepError
from curtilage.models.store import STALE_SECONDS, make


def _finish(work: Path) -> None:
    (work / "manifest.json").write_text("{}")


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fail(work: Path) -> None:
        (work / "half").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "m" / "d", fail)
    assert list((tmp_path / "m").iterdir()) == []


def test_no_space_is_a_step_error_with_a_way_out(tmp_path: Path) -> None:
    def full(work: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StepError, match="No space left") as caught:
        make(tmp_path / "m" / "d", full)
    assert "free space" in caught.value.fix
    assert list((tmp_path / "m").iterdir()) == []


def test_a_second_make_does_not_build(tmp_path: Path) -> None:
    make(tmp_path / "m" / "d", _finish)
    make(tmp_path / "m" / "d", lambda _: pytest.fail("built again"))


def test_when_another_run_was_faster_its_model_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "m" / "d"

    def slower(work: Path) -> None:
        _finish(work)
        target.mkdir()
        (target / "manifest.json").write_text('{"first": true}')

    make(target, slower)
    assert (target / "manifest.json").read_text() == '{"first": true}'
    assert [path.name for path in target.parent.iterdir()] == ["d"]


def test_what_a_killed_run_left_is_removed_and_a_running_one_is_spared(tmp_path: Path) -> None:
    old, young = tmp_path / "m" / ".d-old", tmp_path / "m" / ".d-young"
    old.mkdir(parents=True)
    young.mkdir()
    past = old.stat().st_mtime - STALE_SECONDS - 1
    os.utime(old, (past, past))
    make(tmp_path / "m" / "d", _finish)
    assert not old.exists()
    assert young.exists()
