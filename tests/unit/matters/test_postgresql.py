"""What a directory in PostgreSQL adds: a safe way there or none, a bound on every answer, and gateways that may read and no more."""

from __future__ import annotations

import time

import pytest
import yaml

from curtilage.errors import ConfigError, StepError
from curtilage.gateway.setup import IdentitySpec, provision, write_authority
from curtilage.matters.opening import open_directory
from curtilage.matters.store import DirectoryUnavailable
from tests import postgres

SPEC = IdentitySpec(identity="crm-1", matter="M-1", jurisdiction="DE")
GOOD = {"address": "192.0.2.51", "database": "curtilage", "user": "gateway", "ca": "ca.pem"}


@pytest.fixture
def shared(server, tmp_path):
    """A directory with one identity, and the file by which a gateway reads it."""
    place = server.place(tmp_path)
    provision(place, [SPEC])
    return place, server.reader_of(place)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"address": "8.8.8.8"}, "stands inside"),
        ({"address": "db.example.org"}, "address"),
        ({"address": "169.254.169.254"}, "stands inside"),
        ({"ca": None}, "over TLS alone"),
        ({"socket": "/run/postgresql"}, "either address or socket"),
        ({"address": None}, "either address or socket"),
        ({"address": None, "socket": "/run/postgresql"}, "no TLS"),
        ({"certificate": "client.pem"}, "given together"),
        ({"sslmode": "disable"}, "Extra inputs"),
        ({"answer_seconds": 60}, "less than or equal"),
        ({"database": ""}, "at least 1"),
    ],
)
def test_a_way_to_the_database_that_is_not_safe_is_refused_with_its_rule(tmp_path, changed, said) -> None:
    path = tmp_path / "matters.yaml"
    path.write_text(yaml.safe_dump({"postgresql": {key: value for key, value in {**GOOD, **changed}.items() if value is not None}}))
    with pytest.raises(ConfigError, match=said) as told:
        open_directory(path)
    assert str(path) in str(told.value)


@pytest.mark.parametrize("text", ["", "- 1", "postgresql: [", "sqlite: {}"])
def test_a_file_that_names_no_database_is_told(tmp_path, text) -> None:
    path = tmp_path / "matters.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="rule:"):
        open_directory(path)


def test_a_gateway_reads_over_tls_and_changes_nothing(shared) -> None:
    reader = open_directory(shared[1])
    assert set(reader.snapshot().identities) == {"crm-1"}
    with pytest.raises(ConfigError, match="may only read"):
        reader.issue_key("crm-1")
    assert reader.verify_changes()
    reader.close()


def test_a_server_without_tls_or_with_anothers_certificate_gets_no_question(server, shared, tmp_path) -> None:
    reader = shared[1]
    settings = yaml.safe_load(reader.read_text())["postgresql"]
    (tmp_path / "other").mkdir()
    write_authority(tmp_path / "other", ["localhost"], ["127.0.0.1"])
    for changed in ({"ca": str(tmp_path / "other" / "ca.pem")}, {"address": "127.0.0.2"}):
        reader.write_text(yaml.safe_dump({"postgresql": {**settings, **changed}}))
        with pytest.raises(DirectoryUnavailable):
            open_directory(reader)
    reader.write_text(yaml.safe_dump({"postgresql": settings}))
    open_directory(reader).close()  # the positive control
    server.stop()
    server.start(ssl=False)
    try:
        with pytest.raises(DirectoryUnavailable, match="SSL"):
            open_directory(reader)
    finally:
        server.stop()
        server.start()


def test_variables_of_the_environment_lead_nowhere_else(shared, monkeypatch) -> None:
    for name, value in {
        "PGHOSTADDR": "127.0.0.9",
        "PGSSLMODE": "disable",
        "PGOPTIONS": "-c search_path=public",
        "PGPASSWORD": "wrong",
        "PGTARGETSESSIONATTRS": "standby",
    }.items():
        monkeypatch.setenv(name, value)
    for place in shared:
        directory = open_directory(place)
        assert set(directory.snapshot().identities) == {"crm-1"}
        directory.close()


def test_a_database_without_a_directory_is_not_made_one_by_reading_it(server, tmp_path) -> None:
    place = server.place(tmp_path)
    with pytest.raises(ConfigError, match="holds no directory"):
        open_directory(place)
    open_directory(place, create=True).close()
    open_directory(place).close()


def test_a_database_that_stands_still_or_is_locked_is_given_up_in_time(server, shared) -> None:
    directory = open_directory(shared[1])
    directory.snapshot()
    with server.hung():
        began = time.monotonic()
        with pytest.raises(DirectoryUnavailable):
            directory.snapshot()
        assert time.monotonic() - began < 2.5
        began = time.monotonic()
        with pytest.raises(DirectoryUnavailable):
            directory.snapshot()
        assert time.monotonic() - began < 0.2, "it was found away a moment ago, and is not waited for again"
    time.sleep(0.6)
    assert directory.snapshot().identities
    with server.administrator(server.database(shared[0]), postgres.OWNER) as other, other.transaction():
        other.execute("LOCK TABLE curtilage.state IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        with pytest.raises(DirectoryUnavailable, match="timeout"):
            directory.snapshot()
        assert time.monotonic() - began < 2.5
    time.sleep(0.6)
    assert directory.snapshot().identities
    directory.close()


def test_a_database_that_was_started_again_is_asked_again_at_once(server, shared) -> None:
    directory = open_directory(shared[1])
    before = directory.snapshot()
    server.stop()
    server.start()
    after = directory.snapshot()
    assert after is not before, "a database that came back may be another one, so all of it is read again"
    assert after.identities == before.identities
    server.stop()
    try:
        with pytest.raises(DirectoryUnavailable):
            directory.snapshot()
    finally:
        server.start()
    directory.close()


def test_what_only_its_owner_may_overwrite_is_told_when_somebody_else_shreds(server, shared) -> None:
    place, _ = shared
    with server.administrator(server.database(place), postgres.OWNER) as connection:
        connection.execute(f"GRANT USAGE ON SCHEMA curtilage TO {postgres.READER}")
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA curtilage TO {postgres.READER}")
    directory = open_directory(place)
    directory.set_matter("M-1", is_open=False)
    directory.close()
    writer = open_directory(shared[1])
    with pytest.raises(StepError, match="VACUUM"):
        writer.shred_matter("M-1", not_before=0)
    assert writer.snapshot().matters["M-1"].shredded_at is not None
    writer.close()
