"""The running lab's hosts were made of a loaded bundle and of nothing else (breaks: 'a disconnected site needs no network, ever')."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from curtilage.bundle.manifest import Kind
from curtilage.commands.configure import staged_models
from curtilage.engine_build import engine_path
from curtilage.models.signing import verify
from curtilage.paths import CHECKOUT, cache_dir, state_dir
from lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.root]

WHAT_ANSWERS = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/v1/models', timeout=20).read().decode())"


@pytest.fixture(scope="module")
def parts(lab: Lab) -> dict[str, Path]:
    """Part → directory, as the receipt of the load has it."""
    receipts = sorted((state_dir() / "bundles").glob("*.json"))
    if not receipts:
        pytest.skip("NOT-RUN: this lab was not made of a bundle; tools/test.sh and docs/airgap.md make one that is")
    assert len(receipts) == 1
    found: dict[str, Any] = json.loads(receipts[0].read_text())
    assert found["region"] == lab.region.name
    return {name: Path(path) for name, path in found["parts"].items()}


def of_kind(parts: dict[str, Path], kind: Kind) -> list[Path]:
    return [path for name, path in parts.items() if name.startswith(f"{kind.value}/")]


def test_the_cache_holds_what_the_bundle_brought_and_nothing_that_was_made_or_fetched(parts: dict[str, Path]) -> None:
    found = {path for path in cache_dir().glob("*/*") if not path.name.startswith(".") and path.parent.name != "bytecode"}
    assert found == {path for path in parts.values() if path.is_relative_to(cache_dir())}


def test_every_host_runs_on_the_loaded_file_system_and_trees(lab: Lab, parts: dict[str, Path]) -> None:
    (base,) = of_kind(parts, Kind.BASE)
    trees = {path.name.rpartition("-")[0]: path for path in of_kind(parts, Kind.TREE)}
    running = {process.what: process.pid for process in lab.processes.read() if process.alive()}
    for host in lab.region.hosts:
        words = Path(f"/proc/{running[f'host {host.name}']}/cmdline").read_bytes().decode().split("\0")
        assert str(base) in words
        bound = {word.partition("=")[2].rpartition(":")[0] for word in words if word.startswith("--bind-ro=")}
        wanted = {"gpu": "vllm", "crm": "crm"}.get(host.role.value)
        assert str(trees["curtilage"]) in bound
        assert wanted is None or str(trees[wanted]) in bound


def test_the_model_that_answers_is_one_that_was_carried_under_the_key_that_was_carried(lab: Lab, parts: dict[str, Path]) -> None:
    models = {model.name: model for model in of_kind(parts, Kind.MODEL)}
    (keys,) = of_kind(parts, Kind.KEYS)
    assert {path.name: path for path in (state_dir() / "models").glob("*/*")} == models
    assert all(verify(model, keys / "model-signing.pub").ok for model in models.values())
    assert not (state_dir() / "keys" / "model-signing.key").exists(), "the far side signs no model"
    told = staged_models(lab.region) or {}
    for host in lab.region.hosts_by_role("gpu"):
        answer = lab.exec(host.name, ["python3", "-c", WHAT_ANSWERS])
        served = Path(json.loads(answer.stdout)["data"][0]["root"]).name
        assert served in models
        assert told[lab.region.served_by(host).name] == f"sha256:{served}"
        done = lab.exec(host.name, ["cat", "/etc/curtilage/model-signing.pub"])
        assert done.stdout == (keys / "model-signing.pub").read_text()


def test_a_far_side_that_nothing_was_loaded_on_can_make_nothing(tmp_path: Path) -> None:
    """Had that side a network, Go or the near side's cache, a lab could come up there without its bundle."""
    argv = ["bash", "tools/far_side.sh", "run", str(tmp_path), "python", "-m", "curtilage.commands.prepare"]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "no Pulumi CLI" in done.stderr) == (2, True), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "cache").glob("*/[!.]*")), "something was made or found"


def test_the_engine_that_planned_it_is_the_loaded_one(parts: dict[str, Path]) -> None:
    (engine,) = of_kind(parts, Kind.ENGINE)
    assert (engine / "bin" / "pulumi").is_file()
    assert engine_path(path="/nonexistent") in (engine / "bin", None)
    assert [path.name for path in (cache_dir() / "engine").iterdir() if not path.name.startswith(".")] == [engine.name]


def test_the_region_came_up_green_from_it(lab: Lab, parts: dict[str, Path]) -> None:
    steps = json.loads((state_dir() / "runs" / f"{lab.region.name}.json").read_text())["steps"]
    done = {step["step"]: step for step in steps}
    assert all(step["status"] == "done" for step in steps)
    assert done["verify"]["verdict"] == "PASS"
    assert done["boot, sealed"]
