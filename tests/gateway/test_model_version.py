"""If these fail, the ledger names a version that did not answer, or none."""

from __future__ import annotations

import pytest

from curtilage.gateway.upstream import served_versions

DIGEST = "a1" * 32


def test_the_ledger_says_which_version_answered(make_gateway, model) -> None:
    model.root = f"/srv/models/lab-mistral/{DIGEST}"
    gateway = make_gateway(model.url)
    assert gateway.chat().status == 200
    gateway.stop()
    kinds = {record["kind"]: record["data"] for record in gateway.records() if record["kind"] in {"intent", "outcome"}}
    assert kinds["intent"]["model_version"] == kinds["outcome"]["model_version"] == f"sha256:{DIGEST}"


@pytest.mark.parametrize("root", ["", "maker/model", "/srv/models/lab-mistral/latest", f"/srv/models/lab-mistral/{DIGEST}/extra"])
def test_a_host_that_names_no_version_of_ours_gives_a_record_without_one(root: str, make_gateway, model) -> None:
    model.root = root
    gateway = make_gateway(model.url)
    assert gateway.chat().status == 200
    gateway.stop()
    assert [record["data"]["model_version"] for record in gateway.records() if record["kind"] in {"intent", "outcome"}] == [None, None]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"data": 3}', b'{"data": [3]}', b'{"data": [{"root": "/x"}]}', b"\xff"])
def test_whatever_a_host_answers_is_no_error(body: bytes) -> None:
    assert served_versions(body) == {}


def test_when_another_host_answers_the_outcome_names_what_that_one_serves(make_gateway, model) -> None:
    other = type(model)()
    other.start()
    served = {model.url: f"sha256:{DIGEST}", other.url: f"sha256:{'b2' * 32}"}
    for host in (model, other):
        host.root = f"/srv/models/lab-mistral/{served[host.url].removeprefix('sha256:')}"
    gateway = make_gateway(model.url, other.url)
    other.stop()
    for _ in range(4):
        assert gateway.chat().status == 200
    gateway.stop()
    outcomes = [record["data"] for record in gateway.records() if record["kind"] == "outcome"]
    assert {outcome["upstream"] for outcome in outcomes} == {model.url}
    assert all(outcome["model_version"] == served[outcome["upstream"]] for outcome in outcomes)
    assert any(outcome["attempts"] == 2 for outcome in outcomes), "one call began at the host that was gone"
