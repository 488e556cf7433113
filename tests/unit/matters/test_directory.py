"""The matter directory: what it says is what was written, and every change leaves a trace that cannot be edited."""

from __future__ import annotations

import contextlib
import sqlite3
import threading

import psycopg
import pytest

from curtilage.errors import ConfigError
from curtilage.gateway.identity import authenticate
from curtilage.gateway.reasons import Refusal
from curtilage.gateway.setup import IdentitySpec, provision
from curtilage.matters.model import Confidentiality
from curtilage.matters.opening import open_directory


@pytest.fixture
def directory(place):
    found = open_directory(place, create=True)
    found.add_identity("crm-1", clearance=Confidentiality.PRIVILEGED)
    found.add_matter("M-1", jurisdiction="DE")
    found.add_member("crm-1", "M-1")
    yield found
    found.close()


def test_a_key_is_stored_as_a_salted_digest_only(directory, on_disk) -> None:
    key = directory.issue_key("crm-1")
    raw = on_disk()
    assert directory.snapshot().keys[key.split("-")[1]].digest in raw, "the positive control: this is where keys are kept"
    assert key.split("-", 2)[2].encode() not in raw
    assert authenticate({b"x-api-key": key.encode()}, directory.snapshot()).identity.id == "crm-1"


def test_a_change_by_another_process_is_seen_at_the_next_look(directory) -> None:
    reader = open_directory(directory.path)
    first = reader.snapshot()
    assert reader.snapshot() is first, "nothing changed, nothing is read again"
    directory.remove_member("crm-1", "M-1")
    assert reader.snapshot().memberships == {}


@pytest.mark.parametrize("headers", [{b"authorization": b"Basic abc"}, {b"x-api-key": b"a", b"api-key": b"b"}, {}, {b"x-api-key": b"\xff"}])
def test_ambiguous_or_missing_keys_are_refused(directory, headers) -> None:
    with pytest.raises(Refusal):
        authenticate(headers, directory.snapshot())


def test_expired_revoked_and_inactive_are_each_refused(directory) -> None:
    expired, revoked, inactive = (
        directory.issue_key("crm-1", valid_seconds=-1),
        directory.issue_key("crm-1"),
        directory.issue_key("crm-1"),
    )
    directory.revoke_key(revoked.split("-")[1])
    for key in (expired, revoked):
        with pytest.raises(Refusal):
            authenticate({b"api-key": key.encode()}, directory.snapshot())
    assert authenticate({b"api-key": inactive.encode()}, directory.snapshot())
    directory.set_identity("crm-1", active=False)
    with pytest.raises(Refusal):
        authenticate({b"api-key": inactive.encode()}, directory.snapshot())


def test_every_change_is_audited_in_an_unbroken_chain(directory) -> None:
    assert [change["action"] for change in directory.changes()] == ["identity.add", "matter.add", "member.add"]
    assert directory.verify_changes()


@pytest.mark.parametrize("edit", ["UPDATE changes SET actor = 'somebody' WHERE number = 1", "DELETE FROM changes WHERE number = 2"])
def test_an_edited_change_breaks_the_chain_and_the_tables_forbid_the_plain_edit(directory, raw, edit) -> None:
    with pytest.raises((sqlite3.IntegrityError, psycopg.Error), match="append-only"):
        raw(edit)
    assert directory.verify_changes()
    for trigger in ("changes_keep", "changes_stay"):
        with contextlib.suppress(sqlite3.OperationalError, psycopg.Error):
            raw(f"DROP TRIGGER {trigger}" if directory.path.suffix == ".db" else f"DROP TRIGGER {trigger} ON changes")
    raw(edit)
    assert not directory.verify_changes()


def test_a_failed_change_leaves_neither_the_change_nor_its_trace(directory) -> None:
    with pytest.raises(ConfigError):
        directory.add_member("nobody", "M-1")
    assert len(list(directory.changes())) == 3


def test_a_gateway_never_starts_on_a_directory_that_is_not_there(tmp_path) -> None:
    with pytest.raises(ConfigError):
        open_directory(tmp_path / "missing.db")
    assert list(tmp_path.iterdir()) == []


def test_a_matters_secret_is_its_own_and_never_printed(directory) -> None:
    directory.add_matter("M-2", jurisdiction="DE")
    first, second = directory.snapshot().matters["M-1"], directory.snapshot().matters["M-2"]
    assert first.derive("cache") != second.derive("cache")
    assert first.secret.hex() not in repr(first)
    assert repr(first.secret) not in repr(first)


def test_a_change_by_hand_is_seen_too(directory, raw) -> None:
    assert directory.snapshot().identities["crm-1"].active
    raw("UPDATE identities SET active = 0")
    assert not directory.snapshot().identities["crm-1"].active


def test_changes_made_at_once_make_one_chain(directory) -> None:
    def add(number: int) -> None:
        own = open_directory(directory.path)
        for index in range(5):
            own.add_matter(f"M-{number}-{index}", jurisdiction="DE")
        own.close()

    threads = [threading.Thread(target=add, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(directory.snapshot().matters) == 31
    assert directory.verify_changes()


def test_provisioning_twice_changes_nothing(place) -> None:
    spec = IdentitySpec(identity="crm-1", matter="M-1", jurisdiction="DE")
    assert set(provision(place, [spec])) == {"crm-1"}
    assert provision(place, [spec]) == {}
