"""If these fail, a canary has another share than it was given, stays although its calls speak against it, or an adapter is shared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curtilage.errors import ConfigError
from curtilage.gateway.config import Limits
from curtilage.gateway.reasons import Refusal
from curtilage.gateway.serving import Rollout, Wanted
from curtilage.gateway.upstream import Upstreams

OLD, NEW, ADAPTER, OTHER = (f"sha256:{mark * 32}" for mark in ("a1", "b2", "c3", "d4"))
MODELS = {"gpt-4o": "lab-mistral", "lab-mistral": "lab-mistral"}


def canary(share: float = 0.5, began: str = "2031-05-01T08:00:00Z", **more: Any) -> dict[str, Any]:
    return {"model": "lab-mistral", "stable": OLD, "version": NEW, "share": share, "began": began} | more


def adapter(matter: str = "M-1", served: str = "nda-adapter", version: str = ADAPTER, model: str = "lab-mistral") -> dict[str, Any]:
    return {"matter": matter, "model": model, "served": served, "version": version}


def rollout(tmp_path: Path, document: dict[str, Any]) -> Rollout:
    (tmp_path / "serving.json").write_text(json.dumps(document))
    return Rollout(tmp_path / "serving.json", tmp_path / "withdrawn.json", MODELS)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_the_share_of_matters_is_the_share_that_was_given(share: float, tmp_path: Path) -> None:
    found = rollout(tmp_path, {"canaries": [canary(share)]})
    places = [f"matter {index}".encode() for index in range(4_000)]
    chosen = [found.wanted("lab-mistral", place).version for place in places]
    assert set(chosen) <= {OLD, NEW}
    # Six standard deviations; none at all at the ends.
    assert abs(chosen.count(NEW) / len(chosen) - share) <= 6 * (share * (1 - share) / len(chosen)) ** 0.5
    assert chosen == [found.wanted("lab-mistral", place).version for place in places], "a matter stays on its side"


def test_a_version_that_has_the_share_of_nobody_may_not_even_stand_in(tmp_path: Path) -> None:
    gone = rollout(tmp_path, {"canaries": [canary(0.0)]}).wanted("lab-mistral", b"matter")
    assert (gone.version, gone.never) == (OLD, frozenset({NEW}))
    assert rollout(tmp_path, {"canaries": [canary(0.01)]}).wanted("lab-mistral", b"matter").never == frozenset()


def test_the_next_canary_is_tried_on_other_matters(tmp_path: Path) -> None:
    places = [f"matter {index}".encode() for index in range(200)]
    sides = [
        {
            place
            for place in places
            if rollout(tmp_path, {"canaries": [canary(0.2, version=new)]}).wanted("lab-mistral", place).version == new
        }
        for new in (NEW, OTHER)
    ]
    assert sides[0] != sides[1]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"more": 1}',
        json.dumps({"canaries": [{"model": "lab-mistral"}]}),
        json.dumps({"canaries": [canary(1.5)]}),
        json.dumps({"canaries": [canary(-0.1)]}),
        '{"canaries": [' + json.dumps(canary()).replace("0.5", "NaN") + "]}",
        json.dumps({"canaries": [canary(), canary()]}),
        json.dumps({"canaries": [canary(version=OLD)]}),
        json.dumps({"canaries": [canary(version="latest")]}),
        json.dumps({"adapters": [adapter(), adapter("M-2")]}),
        json.dumps({"adapters": [adapter(), adapter("M-2", served="another")]}),
        json.dumps({"adapters": [adapter(), adapter("M-2", version=OTHER)]}),
        json.dumps({"adapters": [adapter(), adapter("M-1", "another", OTHER)]}),
        json.dumps({"adapters": [adapter(served="lab-mistral")]}),
        json.dumps({"adapters": [adapter(served="gpt-4o")]}),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_at_start_and_changes_nothing_later(text: str, tmp_path: Path) -> None:
    found = rollout(tmp_path, {"canaries": [canary(1.0)], "adapters": [adapter()]})
    before = found.serving
    (tmp_path / "serving.json").write_text(text)
    found.refresh()
    assert found.serving == before
    with pytest.raises(ConfigError):
        Rollout(tmp_path / "serving.json", tmp_path / "withdrawn.json", MODELS)


def test_a_changed_file_is_taken_up_and_a_missing_one_is_no_canary(tmp_path: Path) -> None:
    found = rollout(tmp_path, {"canaries": [canary(1.0)]})
    (tmp_path / "serving.json").unlink()
    found.refresh()
    assert found.wanted("lab-mistral", b"x") == Wanted("lab-mistral")
    rollout(tmp_path, {"adapters": [adapter()]})
    found.refresh()
    assert found.served_as("lab-mistral", "M-1") == "nda-adapter"
    assert found.served_as("lab-mistral", "M-2") == "lab-mistral"
    assert found.served_as("other-model", "M-1") == "other-model"


def test_a_slower_version_is_taken_back_and_an_equal_one_is_not(tmp_path: Path) -> None:
    for factor, gone in ((1.0, False), (3.0, True)):
        found = rollout(tmp_path, {"canaries": [canary(began=f"factor {factor}")]})
        for index in range(60):
            found.note("lab-mistral", OLD, failed=False, milliseconds=100 + index)
            found.note("lab-mistral", NEW, failed=False, milliseconds=(100 + index) * factor)
        found.judge()
        assert found.is_withdrawn(found.serving.canaries[0]) is gone
        assert found.wanted("lab-mistral", b"x").never == (frozenset({NEW}) if gone else frozenset())


def test_three_failures_of_three_take_a_version_back_for_good_and_one_does_not(tmp_path: Path) -> None:
    found = rollout(tmp_path, {"canaries": [canary(1.0)]})
    for count in (1, 2, 3):
        found.note("lab-mistral", NEW, failed=True, milliseconds=1)
        found.judge()
        assert found.is_withdrawn(found.serving.canaries[0]) is (count >= 2)
    again = rollout(tmp_path, {"canaries": [canary(1.0)]})
    assert again.is_withdrawn(again.serving.canaries[0]), "a restart does not bring it again"
    anew = rollout(tmp_path, {"canaries": [canary(1.0, began="2031-06-01T08:00:00Z")]})
    assert not anew.is_withdrawn(anew.serving.canaries[0]), "a new promotion does"


def test_it_is_taken_back_even_where_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "serving.json").write_text(json.dumps({"canaries": [canary(1.0)]}))
    found = Rollout(tmp_path / "serving.json", tmp_path / "nowhere" / "withdrawn.json", MODELS)
    for _ in range(4):
        found.note("lab-mistral", NEW, failed=True, milliseconds=1)
    found.judge()
    assert found.wanted("lab-mistral", b"x") == Wanted("lab-mistral", OLD, never=frozenset({NEW}))


def hosts(*served: dict[str, str], healthy: bool = True) -> Upstreams:
    upstreams = Upstreams([f"http://127.0.0.1:{8000 + index}" for index in range(len(served))], Limits())
    for host, versions in zip(upstreams.hosts, served, strict=True):
        host.versions, host.healthy = versions, healthy
    return upstreams


def test_the_wanted_version_is_chosen_before_an_idle_host_and_another_stands_in_only_where_it_may() -> None:
    upstreams = hosts({"m": OLD}, {"m": NEW})
    upstreams.hosts[1].outstanding = 9
    assert upstreams.choose(Wanted("m", NEW)) is upstreams.hosts[1]
    assert upstreams.choose(Wanted("m")) is upstreams.hosts[0]
    upstreams.hosts[1].healthy, upstreams.hosts[1].versions = False, {}
    assert upstreams.choose(Wanted("m", NEW)) is upstreams.hosts[0]
    with pytest.raises(Refusal):
        upstreams.choose(Wanted("m", NEW, only=True))
    with pytest.raises(Refusal):
        hosts({"m": NEW}).choose(Wanted("m", OLD, never=frozenset({NEW})))
