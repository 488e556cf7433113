"""If these fail, a region could serve a version nobody promoted, or could not go back."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from curtilage.audit import tiles
from curtilage.errors import ConfigError, StepError
from curtilage.models import rollout
from curtilage.models.signing import sign
from curtilage.paths import CHECKOUT


class Versions:
    """Signed versions of one model, side by side in a store."""

    def __init__(self, store: Path, private: Path, key: Path, source: Path) -> None:
        self.store, self.private, self.key, self.source = store, private, key, source

    def add(self, mark: str) -> str:
        digest = hashlib.sha256(mark.encode()).hexdigest()
        target = self.store / "small" / digest
        shutil.copytree(self.source, target)
        manifest = json.loads((target / "manifest.json").read_text()) | {"digest": f"sha256:{digest}"}
        (target / "manifest.json").write_text(json.dumps(manifest))
        sign(target, self.private)
        return f"sha256:{digest}"

    def promote(self, digest: str, current: str | None = None, **more: Any) -> rollout.Pointer:
        return rollout.promote("lab", "small", digest, store=self.store, key=self.key, current=current, **more)

    def rollback(self) -> rollout.Pointer:
        return rollout.rollback("lab", "small", store=self.store, key=self.key)


@pytest.fixture
def versions(signed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Versions:
    monkeypatch.setenv("CURTILAGE_STATE", str(tmp_path / "state"))
    return Versions(tmp_path / "store", signed.private, signed.public, signed.directory)


def test_what_was_served_before_the_first_promotion_can_be_gone_back_to(versions: Versions) -> None:
    old, new = versions.add("old"), versions.add("new")
    assert rollout.serving("lab", "small") is None
    versions.promote(new, current=old)
    assert rollout.serving("lab", "small") == new
    assert versions.rollback() == rollout.Pointer(serving=old, withdrawn=(new,))
    with pytest.raises(StepError, match="no other version"):
        versions.rollback()
    assert rollout.serving("lab", "small") == old


def test_rollbacks_go_back_one_version_each_and_do_not_swing_between_two(versions: Versions) -> None:
    first, second, third = (versions.add(mark) for mark in "abc")
    versions.promote(second, current=first)
    versions.promote(third)
    assert [versions.rollback().serving, versions.rollback().serving] == [second, first]


def test_a_version_that_was_taken_back_is_not_promoted_again_by_mistake(versions: Versions) -> None:
    old, new = versions.add("old"), versions.add("new")
    versions.promote(new, current=old)
    versions.rollback()
    with pytest.raises(StepError, match="rolled back before"):
        versions.promote(new)
    assert versions.promote(new, again=True) == rollout.Pointer(serving=new, previous=(old,))


def test_promoting_what_is_served_changes_nothing(versions: Versions) -> None:
    old, new = versions.add("old"), versions.add("new")
    versions.promote(new, current=old)
    before = rollout.state_file("lab").read_bytes()
    versions.promote(new)
    assert rollout.state_file("lab").read_bytes() == before


@pytest.mark.parametrize("attack", ["changed", "absent", "unsigned", "other name"])
def test_what_does_not_verify_is_neither_promoted_nor_gone_back_to(attack: str, versions: Versions) -> None:
    old, new = versions.add("old"), versions.add("new")
    versions.promote(new, current=old)

    def spoil(digest: str) -> None:
        directory = versions.store / "small" / digest.removeprefix("sha256:")
        if attack == "changed":
            content = (directory / "model.safetensors").read_bytes()
            (directory / "model.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        elif attack == "absent":
            shutil.rmtree(directory)
        elif attack == "unsigned":
            (directory / "model.sig").unlink()
        else:
            shutil.rmtree(directory)
            shutil.copytree(versions.store / "small" / new.removeprefix("sha256:"), directory)

    spoil(old)
    for attempt in (versions.rollback, lambda: versions.promote(old)):
        with pytest.raises(StepError, match="nothing changed"):
            attempt()
    assert rollout.serving("lab", "small") == new


def test_a_full_disk_leaves_the_old_version_and_says_so(versions: Versions, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = versions.add("old"), versions.add("new")
    versions.promote(old)

    def full(path: Path, content: bytes) -> None:
        path.with_name(path.name + ".tmp").write_bytes(content[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tiles, "write_file", full)
    with pytest.raises(StepError, match="the old version stays"):
        versions.promote(new)
    assert rollout.serving("lab", "small") == old


_SWITCH = """
import sys
from pathlib import Path
from typing import Any
from curtilage.models import rollout
store, key, *digests = sys.argv[1:]
rollout._require = lambda *_: None  # verified once by the test; the loop is about the switch
print("ready", flush=True)
for turn in range(200_000):
    rollout.promote("lab", "small", digests[turn % 2], store=Path(store), key=Path(key), current=None)
"""


def test_a_switch_killed_at_any_moment_leaves_the_old_version_or_the_new_one(versions: Versions) -> None:
    pair = [versions.add("old"), versions.add("new")]
    versions.promote(pair[0])
    for round_ in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", _SWITCH, str(versions.store), str(versions.key), *pair], stdout=subprocess.PIPE, cwd=CHECKOUT
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            time.sleep(0.003 * round_)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        assert rollout.serving("lab", "small") in pair
    versions.promote(pair[1])
    assert rollout.serving("lab", "small") == pair[1], "a killed switch leaves no lock behind"


@pytest.mark.parametrize("content", ["", "{", '{"region": "lab", "models": {"small": {"serving": "latest"}}}', '{"region": "other"}'])
def test_a_spoilt_rollout_file_is_refused_and_not_taken_for_an_empty_one(content: str, versions: Versions) -> None:
    rollout.state_file("lab").parent.mkdir(parents=True)
    rollout.state_file("lab").write_text(content)
    with pytest.raises(ConfigError, match="rollout file"):
        rollout.serving("lab", "small")


def test_versions_say_which_one_is_served_and_which_does_not_verify(versions: Versions) -> None:
    old, new, extra = versions.add("old"), versions.add("new"), versions.add("extra")
    versions.promote(new, current=old)
    (versions.store / "small" / extra.removeprefix("sha256:") / "added.json").write_text("{}")
    listed = {item.digest: item for item in rollout.versions("lab", "small", store=versions.store, key=versions.key, current=None)}
    assert {digest: item.state for digest, item in listed.items()} == {old: "previous", new: "serving", extra: "staged"}
    assert [listed[digest].verified.ok for digest in (old, new, extra)] == [True, True, False]


def test_a_canary_leaves_the_version_that_serves_alone_and_is_taken_back_without_it(versions: Versions) -> None:
    old, new, third = (versions.add(mark) for mark in ("old", "new", "third"))
    trial = versions.promote(new, current=old, share=0.1)
    assert (trial.serving, trial.canary and trial.canary.version, trial.canary and trial.canary.share) == (old, new, 0.1)
    document = rollout.serving_document(rollout.load("lab"))
    assert document["canaries"] == [{"model": "small", "stable": old, "version": new, "share": 0.1, "began": trial.canary.began}]
    wider = versions.promote(new, share=0.5)
    assert wider.canary == trial.canary.model_copy(update={"share": 0.5}), "the same trial goes on"
    for wrong in (third, old):
        with pytest.raises(StepError, match="nothing changed"):
            versions.promote(wrong, share=0.2)
    assert versions.rollback() == rollout.Pointer(serving=old, ended=wider.canary, withdrawn=(new,))
    document = rollout.serving_document(rollout.load("lab"))
    gone = {"model": "small", "stable": old, "version": new, "share": 0.0, "began": trial.canary.began}
    assert document["canaries"] == [gone], "its host serves it until it is configured again, so the gateways must be told"
    with pytest.raises(StepError, match="rolled back before"):
        versions.promote(new, share=0.1)
    assert versions.promote(third).ended == wider.canary, "nor beside a third version"
    assert versions.rollback().ended == wider.canary
    assert versions.promote(new, share=0.1, again=True).ended is None
    assert versions.promote(new) == rollout.Pointer(serving=new, previous=(old,), withdrawn=(third,)), "promoted whole, the trial is over"


def test_a_canary_that_does_not_verify_never_begins(versions: Versions) -> None:
    old, new = versions.add("old"), versions.add("new")
    path = versions.store / "small" / new.removeprefix("sha256:") / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StepError, match="nothing changed"):
        versions.promote(new, current=old, share=0.1)
    assert rollout.load("lab").models == {}


def _adapter(versions: Versions, name: str, made_for: str | None) -> rollout.MatterAdapter:
    digest = hashlib.sha256(name.encode()).hexdigest()
    target = versions.store / name / digest
    shutil.copytree(versions.source, target)
    manifest = json.loads((target / "manifest.json").read_text())
    manifest |= {"name": name, "digest": f"sha256:{digest}", "adapter_of": made_for}
    (target / "manifest.json").write_text(json.dumps(manifest))
    sign(target, versions.private)
    return rollout.MatterAdapter(matter=f"M-{name}", model="small", served=name, version=f"sha256:{digest}")


def test_an_adapter_belongs_to_one_matter_and_to_the_version_it_was_made_for(versions: Versions) -> None:
    old, new = versions.add("old"), versions.add("new")

    def give(adapter: rollout.MatterAdapter) -> rollout.Rollout:
        return rollout.give_adapter("lab", adapter, store=versions.store, key=versions.key, current=old)

    mine = _adapter(versions, "mine", old)
    assert give(mine).adapters == (mine,)
    assert rollout.serving_document(rollout.load("lab"))["adapters"] == [mine.model_dump(mode="json")]
    for wrong, reason in (
        (_adapter(versions, "foreign", new), "was made for"),
        (_adapter(versions, "whole", None), "was made for no other model"),
        (mine.model_copy(update={"matter": "M-other"}), "another matter's"),
        (mine.model_copy(update={"version": "sha256:" + "0" * 64}), "is not in"),
    ):
        with pytest.raises(StepError, match=reason):
            give(wrong)
    with pytest.raises(StepError, match="adapters made for"):
        versions.promote(new, current=old)
    assert rollout.take_adapter("lab", "M-mine", "small").adapters == ()
    with pytest.raises(StepError, match="no adapter"):
        rollout.take_adapter("lab", "M-mine", "small")
    versions.promote(new, current=old)
