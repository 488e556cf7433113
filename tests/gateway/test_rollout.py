"""If these fail, a new version gets more than its share, a bad one stays, or what one matter taught a model answers on another."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from curtilage.matters.model import Confidentiality, PersonalData
from curtilage.matters.opening import open_directory

OLD, NEW, ADAPTER = (f"sha256:{mark * 32}" for mark in ("a1", "b2", "c3"))


def canary(share: float, began: str = "2031-05-01T08:00:00Z") -> dict[str, Any]:
    return {"canaries": [{"model": "lab-mistral", "stable": OLD, "version": NEW, "share": share, "began": began}]}


@pytest.fixture
def hosts(model) -> Iterator[tuple[Any, Any]]:
    """Two model hosts: one serves the old version, one the new."""
    other = type(model)()
    other.start()
    for host, digest in ((model, OLD), (other, NEW)):
        host.root = f"/srv/models/lab-mistral/{digest.removeprefix('sha256:')}"
    yield model, other
    other.stop()


@pytest.fixture
def matters(make_gateway, hosts) -> Callable[..., tuple[Any, list[str]]]:
    """A gateway whose one key is on several matters."""

    def make(serving: dict[str, Any], count: int = 40) -> tuple[Any, list[str]]:
        gateway = make_gateway(*(host.url for host in hosts), serving=serving, start=False)
        directory = open_directory(gateway.directory / "matters.db")
        (identity,) = directory.snapshot().identities
        names = [f"M-2031-{index:04d}" for index in range(count)]
        for name in names:
            directory.add_matter(name, jurisdiction="DE", confidentiality=Confidentiality.INTERNAL, personal_data=PersonalData.PLACEHOLDER)
            directory.add_member(identity, name)
        directory.close()
        gateway.start()
        return gateway, names

    return make


def call(gateway: Any, matter: str, **more: Any) -> Any:
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], **more}
    return gateway.request("POST", "/v1/chat/completions", body, headers={"X-Curtilage-Matter": matter})


def put(gateway: Any, serving: dict[str, Any] | str) -> None:
    text = serving if isinstance(serving, str) else json.dumps(serving)
    (gateway.directory / "serving.new").write_text(text)
    (gateway.directory / "serving.new").replace(gateway.directory / "serving.json")


def soon(true: Callable[[], object], seconds: float = 30.0) -> None:
    """It becomes true; a busy machine may take longer than the second in which the gateway looks."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.1)


def answered_by(gateway: Any) -> list[tuple[str, str]]:
    """(matter, version) of every completed call, from the ledger, in the order of the calls."""
    gateway.stop()
    records = list(gateway.records())
    matter_of = {record["index"]: record["data"]["matter"] for record in records if record["kind"] == "intent"}
    return [
        (matter_of[record["intent"]], record["data"]["model_version"])
        for record in records
        if record["kind"] == "outcome" and record["data"]["result"] == "completed"
    ]


def test_a_share_of_the_matters_is_answered_by_the_new_version_and_each_by_one_alone(matters) -> None:
    gateway, names = matters(canary(0.3))
    for name in names:
        for _ in range(2 if name < "M-2031-0010" else 1):
            assert call(gateway, name).status == 200
    versions: dict[str, set[str]] = {}
    for matter, version in answered_by(gateway):
        versions.setdefault(matter, set()).add(version)
    assert all(len(found) == 1 for found in versions.values()), "a matter stays on its side"
    on_new = sum(found == {NEW} for found in versions.values())
    # 40 matters at 30 %: fewer than 2 or more than 24 have a chance below one in ten thousand.
    assert 2 <= on_new <= 24
    assert len(versions) == len(names)


def test_a_share_taken_away_is_gone_without_a_restart_and_half_a_file_changes_nothing(matters, hosts) -> None:
    old, new = hosts
    gateway, names = matters(canary(1.0), 2)
    assert call(gateway, names[0]).status == 200
    process = gateway.process
    put(gateway, "{")
    soon(lambda: "serving.json stays as it was" in gateway.log())
    assert call(gateway, names[0]).status == 200
    assert (len(old.seen), len(new.seen)) == (0, 2)
    put(gateway, canary(0.0))
    soon(lambda: call(gateway, names[0]).status == 200 and old.seen)
    assert gateway.process is process
    assert process.poll() is None
    assert answered_by(gateway)[-1][1] == OLD


def test_a_gateway_does_not_start_on_a_file_that_is_not_whole(matters, make_gateway, hosts) -> None:
    gateway = make_gateway(hosts[0].url, serving={"canaries": 3}, start=False)
    with contextlib.suppress(AssertionError):  # whether it has ended by then depends on the machine
        gateway.start()
    assert gateway.process.wait(60) == 2
    assert "serving.json" in gateway.log()


def test_a_new_version_that_fails_is_taken_back_by_the_gateway_itself_and_stays_so(matters, hosts) -> None:
    _, new = hosts
    gateway, names = matters(canary(1.0), 1)
    new.mode = "500"
    soon(lambda: call(gateway, names[0]).status and (gateway.directory / "withdrawn.json").exists())
    new.seen.clear()
    new.mode = "ok"
    assert [call(gateway, names[0]).status for _ in range(3)] == [200] * 3
    assert not new.seen, "what was taken back is not asked again"
    gateway.stop()
    gateway.start()
    assert call(gateway, names[0]).status == 200
    assert not new.seen, "nor after a restart"
    put(gateway, canary(1.0, began="2031-05-02T08:00:00Z"))
    soon(lambda: call(gateway, names[0]).status == 200 and new.seen)  # a new promotion is a new trial


def test_a_callers_mistake_takes_nothing_back(matters, hosts) -> None:
    _, new = hosts
    gateway, names = matters(canary(1.0), 1)
    new.mode = "400"
    for _ in range(8):
        assert call(gateway, names[0]).status == 400
    time.sleep(1.5)
    assert not (gateway.directory / "withdrawn.json").exists()


def test_the_old_version_stands_in_for_a_new_one_that_is_down(matters, hosts) -> None:
    gateway, names = matters(canary(1.0), 1)
    assert call(gateway, names[0]).status == 200
    old_seen = len(hosts[0].seen)
    hosts[1].mode = "drop"
    assert call(gateway, names[0]).status == 200
    assert len(hosts[0].seen) > old_seen


def test_a_version_that_was_rolled_back_stands_in_for_nobody_though_its_host_still_serves_it(matters, hosts) -> None:
    old, new = hosts
    gateway, names = matters(canary(0.0), 6)
    assert [call(gateway, name).status for name in names] == [200] * 6
    old.mode = "drop"
    assert call(gateway, names[0]).status == 503
    assert not new.seen


def adapter(matter: str, served: str = "nda-adapter", version: str = ADAPTER) -> dict[str, Any]:
    return {"matter": matter, "model": "lab-mistral", "served": served, "version": version}


def test_a_matters_adapter_answers_on_that_matter_alone_and_the_ledger_says_so(matters, hosts) -> None:
    old, _ = hosts
    old.adapters = {"nda-adapter": f"/srv/models/nda-adapter/{ADAPTER.removeprefix('sha256:')}"}
    gateway, names = matters({"adapters": [adapter("M-2031-0000")]}, 2)
    assert call(gateway, names[0]).status == call(gateway, names[1]).status == 200
    asked = [seen.body["model"] for host in hosts for seen in host.seen]
    assert sorted(asked) == ["lab-mistral", "nda-adapter"]
    # Asking for it by name is asking for a model that is not there, whatever the matter.
    for name in names:
        refused = call(gateway, name, model="nda-adapter")
        assert (refused.status, refused.reason) == (403, "curtilage.model_unmapped")
    listed = gateway.request("GET", "/v1/models", None)
    assert "nda-adapter" not in json.dumps(listed.body)
    by_matter = dict(answered_by(gateway))
    assert by_matter["M-2031-0000"] == ADAPTER
    assert by_matter["M-2031-0001"] in {OLD, NEW}


@pytest.mark.parametrize("root", ["", f"/srv/models/nda-adapter/{'d4' * 32}"])
def test_an_adapter_that_no_host_serves_in_its_version_is_refused_and_nothing_stands_in(root: str, matters, hosts) -> None:
    hosts[0].adapters = {"nda-adapter": root} if root else {}
    gateway, names = matters({"adapters": [adapter("M-2031-0000")]}, 2)
    assert call(gateway, names[0]).status == 503
    assert call(gateway, names[1]).status == 200
    assert [seen.body["model"] for host in hosts for seen in host.seen] == ["lab-mistral"]
