"""If this fails, docs/operations.md tells people to restore a state in a way that does not work."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from curtilage.engine import Engine
from curtilage.engine_build import engine_path
from curtilage.region import load_region

pytestmark = pytest.mark.skipif(engine_path() is None, reason="no Pulumi engine here: `python -m curtilage.engine_build` makes one")


def pulumi(engine: Engine, *arguments: str, cwd: Path) -> str:
    """Plain ``pulumi``, in the shell that ``curtilage env`` makes."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")} | engine.exports()
    done = subprocess.run(["pulumi", *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_lost_state_comes_back_from_its_export_and_on_hosts_without_one(tmp_path: Path) -> None:
    state = tmp_path / "state"
    engine = Engine(load_region("lab"), state=state)
    engine.up()
    digest, work = engine.preview(judged=False).digest, state / "pulumi" / "work" / "lab"
    backup = tmp_path / "backup.json"
    backup.write_text(pulumi(engine, "stack", "export", "--stack", "lab", cwd=work))

    shutil.rmtree(state / "pulumi" / "backend")
    assert not engine.no_changes(), "without its state the region looks new"
    pulumi(engine, "stack", "import", "--stack", "lab", "--file", str(backup), cwd=work)
    assert engine.no_changes()
    assert engine.preview(judged=False).digest == digest

    shutil.rmtree(state / "pulumi" / "backend")
    engine.up()
    assert engine.no_changes()
    assert engine.preview(judged=False).digest == digest
