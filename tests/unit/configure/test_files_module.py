"""The module that settles a role's files: if these break, a half-written or refused file can become a service's configuration."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from curtilage.paths import CHECKOUT

MODULE = CHECKOUT / "ansible" / "library" / "curtilage_files.py"
USER = __import__("pwd").getpwuid(os.geteuid()).pw_name
GROUP = __import__("grp").getgrgid(os.getegid()).gr_name


def _settle(tmp_path: Path, *files: dict[str, Any], check: bool = False) -> dict[str, Any]:
    """Run the module as Ansible does: a process of its own, arguments as JSON."""
    arguments = {
        "files": [{"owner": USER, "group": GROUP} | file for file in files],
        "_ansible_check_mode": check,
        "_ansible_tmpdir": str(tmp_path),
    }
    request = tmp_path / "arguments.json"
    request.write_bytes(orjson.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
    code = (
        "import sys, runpy, ansible.module_utils.basic as b\n"
        "b._ANSIBLE_PROFILE = 'legacy'\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(MODULE), str(request)], capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout, done.stderr
    answer: dict[str, Any] = orjson.loads(done.stdout)
    return answer


def test_a_file_is_written_once_and_then_left_alone(tmp_path: Path) -> None:
    target = {"path": str(tmp_path / "a.conf"), "content": "one\n", "mode": "0640"}
    assert _settle(tmp_path, target)["settled"] == [target["path"]]
    assert stat.S_IMODE((tmp_path / "a.conf").stat().st_mode) == 0o640
    assert _settle(tmp_path, target)["changed"] is False


def test_check_mode_tells_and_touches_nothing(tmp_path: Path) -> None:
    answer = _settle(tmp_path, {"path": str(tmp_path / "a.conf"), "content": "one\n"}, check=True)
    assert answer["changed"] is True
    assert not (tmp_path / "a.conf").exists()


def test_a_refused_file_leaves_the_one_before_it_in_place_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "a.conf"
    path.write_text("good\n")
    answer = _settle(tmp_path, {"path": str(path), "content": "bad\n", "validate": "grep --quiet good %s"})
    assert answer["failed"] is True
    assert "refused by grep" in answer["msg"]
    assert path.read_text() == "good\n"
    assert not list(tmp_path.glob(".a.conf-*"))


def test_a_symbolic_link_in_the_files_place_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("untouched\n")
    (tmp_path / "a.conf").symlink_to(tmp_path / "other")
    _settle(tmp_path, {"path": str(tmp_path / "a.conf"), "content": "one\n"})
    assert not (tmp_path / "a.conf").is_symlink()
    assert (tmp_path / "other").read_text() == "untouched\n"


@pytest.mark.parametrize("wrong", ["0666", "0600"])
def test_a_mode_changed_by_hand_is_corrected_and_reported(tmp_path: Path, wrong: str) -> None:
    target = {"path": str(tmp_path / "a.conf"), "content": "one\n", "mode": "0644"}
    _settle(tmp_path, target)
    (tmp_path / "a.conf").chmod(int(wrong, 8))
    assert _settle(tmp_path, target)["changed"] is True
    assert stat.S_IMODE((tmp_path / "a.conf").stat().st_mode) == 0o644


def test_an_absent_file_is_removed_once(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("x")
    target = {"path": str(tmp_path / "a.conf"), "state": "absent"}
    assert _settle(tmp_path, target)["changed"] is True
    assert not (tmp_path / "a.conf").exists()
    assert _settle(tmp_path, target)["changed"] is False
