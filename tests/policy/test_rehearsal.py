"""If this fails, the order in which a region on AWS is made, or what one resource takes from another, holds only while all is unknown.

The real engine brings de-frankfurt up with both stand-ins in recorded mode: every id, ARN and address is made up, begins with ``recorded``
and stays in the state. Policies judge the update as they judge the preview. It says nothing of an account, and a stand-in that is not told
to rehearse refuses.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from curtilage.engine import Engine
from curtilage.engine_build import engine_path
from curtilage.paths import CHECKOUT
from curtilage.plugins import STANDIN
from curtilage.region import load_region

PARTS = ("curtilage", "components", "policies", "stacks", "model_images", "lab")
NAME = "de-frankfurt"
DIGEST = "sha256:" + "a" * 64

pytestmark = pytest.mark.skipif(engine_path() is None, reason="no Pulumi engine here: `python -m curtilage.engine_build` makes one")


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Of a checkout whose stack file names digests, as after an import."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for part in PARTS:
        shutil.copytree(CHECKOUT / part, checkout / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(CHECKOUT / name, checkout)
    file = checkout / "stacks" / f"Pulumi.{NAME}.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    region = document["config"]["curtilage:region"]
    registry = region["kubernetes"]["registry"]
    region["kubernetes"]["curtilage_image"] = f"{registry}/curtilage@{DIGEST}"
    region["aws"]["device_plugin_image"] = f"{registry}/device-plugin@{DIGEST}"
    for model in region["models"]:
        model |= {"image": f"{registry}/vllm@{DIGEST}", "weights": DIGEST}
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    found = Engine(load_region(file), checkout=checkout, state=tmp_path / "state")
    if any(item.kind != STANDIN for item in found.plugins):
        pytest.skip("an official plugin is installed, and would reach for an account")
    monkeypatch.setenv("CURTILAGE_AWS_RECORDED", "1")
    return found


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
