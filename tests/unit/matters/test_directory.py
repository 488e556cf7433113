"""The matter directory: what it says is what was written, and every change leaves a trace that cannot be edited."""

from __future__ import annotations

import sqlite3

import pytest

from curtilage.errors import ConfigError
from curtilage.gateway.identity import authenticate
from curtilage.gateway.reasons import Refusal
from curtilage.gateway.setup import IdentitySpec, provision
from curtilage.matters.directory import Directory
from curtilage.matters.model import Confidentiality


@pytest.fixture
def directory(tmp_path):
    found = Directory(tmp_path / "matters.db", create=True)
    found.add_identity("crm-1", clearance=Confidentiality.PRIVILEGED)
    found.add_matter("M-1", jurisdiction="DE")
    found.add_member("crm-1", "M-1")
    yield found
    found.close()


def test_a_key_is_stored_as_a_salted_digest_only(directory) -> None:
    key = directory.issue_key("crm-1")
    raw = b"".join(path.read_bytes() for path in directory.path.parent.iterdir())
    assert key.split("-", 2)[2].encode() not in raw
    assert authenticate({b"x-api-key": key.encode()}, directory.snapshot()).identity.id == "crm-1"


def test_a_change_by_another_process_is_seen_at_the_next_look(directory) -> None:
    reader = Directory(directory.path)
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


def test_an_edited_change_breaks_the_chain_and_the_file_forbids_the_plain_edit(directory) -> None:
    with sqlite3.connect(directory.path) as raw, pytest.raises(sqlite3.IntegrityError):
        raw.execute("UPDATE changes SET actor = 'somebody' WHERE number = 1")
    with sqlite3.connect(directory.path) as raw:
        raw.execute("DROP TRIGGER changes_keep")
        raw.execute("UPDATE changes SET actor = 'somebody' WHERE number = 1")
    assert not directory.verify_changes()


def test_a_failed_change_leaves_neither_the_change_nor_its_trace(directory) -> None:
    with pytest.raises(ConfigError):
        directory.add_member("nobody", "M-1")
    assert len(list(directory.changes())) == 3


def test_a_gateway_never_starts_on_a_directory_that_is_not_there(tmp_path) -> None:
    with pytest.raises(ConfigError):
        Directory(tmp_path / "missing.db")
    assert list(tmp_path.iterdir()) == []


def test_a_matters_secret_is_its_own_and_never_printed(directory) -> None:
    directory.add_matter("M-2", jurisdiction="DE")
    first, second = directory.snapshot().matters["M-1"], directory.snapshot().matters["M-2"]
    assert first.derive("cache") != second.derive("cache")
    assert first.secret.hex() not in repr(first)
    assert repr(first.secret) not in repr(first)


def test_provisioning_twice_changes_nothing(tmp_path) -> None:
    spec = IdentitySpec(identity="crm-1", matter="M-1", jurisdiction="DE")
    assert set(provision(tmp_path / "m.db", [spec])) == {"crm-1"}
    assert provision(tmp_path / "m.db", [spec]) == {}
