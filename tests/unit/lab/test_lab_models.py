"""If these fail, staging a version writes into one that a replica is reading, or leaves half of one under its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from curtilage.region import load_region
from lab.hosts import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "host" / "models").mkdir(parents=True)
    return Machine(load_region("lab").hosts[0], tmp_path / "host")


def version(store: Path, digest: str, signature: str) -> None:
    place = store / "small" / digest
    place.mkdir(parents=True, exist_ok=True)
    (place / "model.sig").write_text(signature)
    (place / "model.safetensors").write_text("weights")


def test_a_version_that_is_there_is_left_alone_and_another_comes_beside_it(machine: Machine, tmp_path: Path) -> None:
    store = tmp_path / "store"
    version(store, "aa", "one")
    machine.stage_models(store)
    before = (machine.models / "small" / "aa" / "model.safetensors").stat()
    version(store, "bb", "two")
    machine.stage_models(store)
    after = (machine.models / "small" / "aa" / "model.safetensors").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert sorted(path.name for path in (machine.models / "small").iterdir()) == ["aa", "bb"]


def test_a_version_that_was_signed_again_is_replaced_whole(machine: Machine, tmp_path: Path) -> None:
    store = tmp_path / "store"
    version(store, "aa", "one")
    machine.stage_models(store)
    open_by_a_replica = (machine.models / "small" / "aa" / "model.safetensors").open()
    version(store, "aa", "another key")
    machine.stage_models(store)
    assert (machine.models / "small" / "aa" / "model.sig").read_text() == "another key"
    assert open_by_a_replica.read() == "weights", "what a replica has open stays as it was"
    assert [path.name for path in (machine.models / "small").iterdir()] == ["aa"]
