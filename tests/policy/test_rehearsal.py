"""If this fails, the order in which a region on AWS is made, or what one resource takes from another, holds only while all is unknown.

The real engine brings de-frankfurt up with both stand-ins in recorded mode: every id, ARN and address is made up, begins with ``recorded``
and stays in the state. Policies judge the update as they judge the preview. It says nothing of an account, and a stand-in that is not told
to rehearse refuses.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curtilage.engine import Engine
from curtilage.engine_build import engine_path
from tests.imported import NAME, imported_engine

pytestmark = pytest.mark.skipif(engine_path() is None, reason="no Pulumi engine here: `python -m curtilage.engine_build` makes one")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setenv("CURTILAGE_AWS_RECORDED", "1")
    return imported_engine(tmp_path)


def test_a_region_on_aws_comes_up_in_the_state_alone_and_a_second_time_changes_nothing(engine: Engine) -> None:
    plan = engine.preview()
    assert plan.violations == ()
    made = engine.up(plan)
    assert sum(made.values()) >= 200
    again = engine.preview(judged=False, refresh=True)
    assert again.nothing_to_do, again.changes
    done = engine._run("stack", "export", "--stack", NAME, cwd=engine._work)
    resources = json.loads(done.stdout)["deployment"]["resources"]
    ids = [item["id"] for item in resources if item["type"].startswith("aws:")]
    assert len(ids) > 100
    assert all(item.startswith("recorded-") for item in ids), "nobody takes one of these for a real one"
    objects = [item for item in resources if item["type"].startswith("kubernetes:")]
    assert len(objects) > 60
    assert {item["outputs"]["metadata"]["uid"] for item in objects} == {"recorded"}
