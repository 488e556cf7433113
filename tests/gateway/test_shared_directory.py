"""Several gateways on one directory in PostgreSQL: what one is told all know, and without the database nobody is answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import yaml
from typer.testing import CliRunner

from curtilage.gateway.commands import app
from curtilage.gateway.setup import IdentitySpec, provision
from curtilage.matters.opening import open_directory
from tests import postgres
from tests.gateway.conftest import MockModel, RunningGateway, written
from tests.gateway.test_faults_amid_calls import ANTHROPIC, OPENAI, ask, ended, streams_under_way, until, verified


@pytest.fixture(scope="module")
def database() -> Iterator[postgres.Server]:
    with postgres.server() as found:
        yield found


@pytest.fixture(scope="module")
def place(database, tmp_path_factory):
    """Names the directory for whoever may change it."""
    return database.place(tmp_path_factory.mktemp("directory"))


@pytest.fixture(scope="module")
def running(database, place, tmp_path_factory) -> Iterator[tuple[list[RunningGateway], MockModel]]:
    """Two gateways that may read the directory, for all tests here: the later ones take the database away."""
    provision(place, [IdentitySpec(identity="crm-1", matter="M-1", jurisdiction="DE")])
    reader = database.reader_of(place)
    mock = MockModel()
    mock.start()
    gateways = [written(tmp_path_factory.mktemp("gateways") / str(number), (mock.url,)) for number in range(2)]
    for gateway in gateways:
        path = gateway.directory / "gateway.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "matters": str(reader)}))
        gateway.start()
    yield gateways, mock
    for gateway in gateways:
        gateway.stop()
    mock.stop()


@pytest.fixture
def pair(running, place) -> list[RunningGateway]:
    """The two gateways, with a key of this test's own."""
    gateways, mock = running
    mock.pace_seconds, mock.say = 0.0, lambda body: "The local model answers."
    directory = open_directory(place)
    key = directory.issue_key("crm-1")
    directory.close()
    for gateway in gateways:
        gateway.key = key
    return gateways


@pytest.fixture
def model(running) -> MockModel:
    return running[1]


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_new_key_opens_both_gateways_and_a_revoked_one_neither_from_the_next_call_on(pair, place) -> None:
    first = pair[0].key
    second = yaml.safe_load(run("keys", "issue", "--db", str(place), "crm-1"))["key"]
    for gateway in pair:
        gateway.key = second
        assert ask(gateway, OPENAI).status == 200
    run("keys", "revoke", "--db", str(place), second.split("-")[1])
    for gateway in pair:
        answer = ask(gateway, ANTHROPIC)
        assert (answer.status, answer.body["error"]["type"]) == (403, "permission_error")
        gateway.key = first
        assert ask(gateway, OPENAI).status == 200
    assert "unbroken" in run("matters", "changes", "--db", str(place))


def test_a_revoked_key_ends_streams_at_both_gateways_within_two_seconds(pair, place, model) -> None:
    model.pace_seconds, model.say = 0.05, lambda body: "word " * 400
    answers: list[bytes] = []
    threads = [threading.Thread(target=lambda gateway=gateway: answers.append(ask(gateway, OPENAI, stream=True).raw)) for gateway in pair]
    for thread in threads:
        thread.start()
    until(lambda: model.open_streams == 2)
    directory = open_directory(place)
    began = time.monotonic()
    directory.revoke_key(pair[0].key.split("-")[1])
    directory.close()
    for thread in threads:
        thread.join(20)
    assert time.monotonic() - began < 3, "a second between two looks, and one for a busy machine"
    assert len(answers) == 2
    for raw in answers:
        assert b"curtilage.access_ended" in raw
        assert b"[DONE]" not in raw


def test_an_export_of_the_crm_brings_a_shared_directory_in_line(pair, place, tmp_path) -> None:
    export = tmp_path / "export.csv"
    export.write_text("matter,jurisdiction,confidentiality,open,members\nM-1,DE,confidential,yes,\nM-2,DE,confidential,yes,crm-1\n")
    assert "changed" in run("matters", "sync", "--db", str(place), str(export))
    for gateway in pair:
        named = gateway.request("POST", OPENAI[1], OPENAI[2], headers={"X-Curtilage-Matter": "M-2"})
        assert named.status == 200
    run("matters", "member", "--db", str(place), "crm-1", "M-2", "--remove")


def test_a_database_killed_amid_calls_ends_them_in_their_dialect_on_record_and_nobody_is_answered_until_it_is_back(
    pair, database, model
) -> None:
    gateway = pair[0]
    assert ask(gateway, OPENAI).status == 200
    threads, answers = streams_under_way(gateway, model)
    database.stop()
    try:
        for thread in threads:
            thread.join(20)
        seen = len(model.seen)
        for raw in answers.values():
            assert b"curtilage.directory_unavailable" in raw
            assert b"[DONE]" not in raw
            assert b"message_stop" not in raw
        for surface in (OPENAI, ANTHROPIC):
            refused = ask(gateway, surface)
            assert refused.status == 503
            assert b"curtilage.directory_unavailable" in refused.raw
        assert len(model.seen) == seen, "nothing goes to a model for a caller that nobody knows"
    finally:
        database.start()
    model.pace_seconds, model.say = 0.0, lambda body: "back"
    until(lambda: ask(gateway, OPENAI).status == 200, 5)


def test_a_database_that_hangs_keeps_no_call_waiting_for_long_and_no_other_work(pair, database, model) -> None:
    gateway = pair[0]
    assert ask(gateway, OPENAI).status == 200
    took: list[float] = []

    def call() -> None:
        began = time.monotonic()
        assert b"curtilage.directory_unavailable" in ask(gateway, OPENAI).raw
        took.append(time.monotonic() - began)

    with database.hung():
        threads = [threading.Thread(target=call) for _ in range(20)]
        for thread in threads:
            thread.start()
        began = time.monotonic()
        assert gateway.request("GET", "/nothing-here").status in (403, 404, 503)
        for thread in threads:
            thread.join(20)
        assert time.monotonic() - began < 8
    assert len(took) == 20
    assert max(took) < 5, "a second and a half for the statement, two for a new connection, the rest for a busy machine"
    until(lambda: ask(gateway, OPENAI).status == 200, 5)


def test_what_was_refused_for_want_of_the_directory_is_on_record(pair) -> None:
    gateway = pair[0]
    outcomes = [(found["result"], found.get("reason")) for found in ended(gateway)]
    assert outcomes.count(("failed", "curtilage.directory_unavailable")) == 2, "the two streams that the database was taken from"
    refused = [record["data"]["reason"] for record in gateway.records() if record["kind"] == "refused"]
    assert refused.count("curtilage.directory_unavailable") >= 22, "two calls without the database, and twenty while it hung"
    verified(gateway)
    assert postgres.PASSWORD not in gateway.log()


def test_a_gateway_does_not_start_without_its_directory_and_check_says_why(pair, database) -> None:
    gateway = pair[0]
    config = str(gateway.directory / "gateway.yaml")
    assert CliRunner().invoke(app, ["check", "--config", config]).exit_code == 0
    database.stop()
    try:
        assert CliRunner().invoke(app, ["check", "--config", config]).exit_code != 0
        with pytest.raises(AssertionError, match="matter directory"):
            gateway.start()
        assert "Traceback" not in gateway.log()
    finally:
        database.start()
