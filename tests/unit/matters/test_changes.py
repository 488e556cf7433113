"""Break-glass, subjects, dictionary, shredding and the upgrade of an older file."""

from __future__ import annotations

import sqlite3
import time

import pytest

from curtilage.audit.content import ContentStore
from curtilage.audit.errors import LedgerCorrupt
from curtilage.audit.retention import retention_of, shreddable_from
from curtilage.errors import ConfigError
from curtilage.matters.model import Confidentiality
from curtilage.matters.opening import open_directory
from curtilage.matters.schema import SCHEMA


@pytest.fixture
def directory(place):
    found = open_directory(place, create=True)
    for name in ("jdoe", "asmith", "boss"):
        found.add_identity(name, clearance=Confidentiality.PRIVILEGED)
    found.add_matter("M-1", jurisdiction="DE")
    yield found
    found.close()


def test_a_grant_needs_a_second_person_and_then_a_clock(directory) -> None:
    grant = directory.request_grant("jdoe", "M-1", reason="raid", minutes=5, requested_by="boss")
    assert directory.snapshot().matters_of("jdoe", time.time()) == frozenset()
    for nobody in ("jdoe", "boss", "stranger"):
        with pytest.raises(ConfigError):
            directory.approve_grant(grant, approved_by=nobody)
    directory.approve_grant(grant, approved_by="asmith")
    assert directory.snapshot().matters_of("jdoe", time.time()) == {"M-1"}
    assert directory.snapshot().matters_of("jdoe", time.time() + 301) == frozenset()
    directory.revoke_grant(grant)
    assert directory.snapshot().matters_of("jdoe", time.time()) == frozenset()
    assert [change["action"] for change in directory.changes()][-3:] == ["grant.request", "grant.approve", "grant.revoke"]
    assert directory.verify_changes()


@pytest.mark.parametrize(("reason", "minutes"), [("", 5), ("raid", 0), ("raid", 481)])
def test_a_grant_without_a_reason_or_a_bound_is_refused(directory, reason, minutes) -> None:
    with pytest.raises(ConfigError):
        directory.request_grant("jdoe", "M-1", reason=reason, minutes=minutes, requested_by="boss")


def test_the_audit_trail_does_not_quote_the_dictionary(directory) -> None:
    directory.add_term("M-1", "Project Falcon")
    assert directory.snapshot().terms["M-1"] == (("Project Falcon", "CLIENT_TERM"),)
    assert "Falcon" not in str(list(directory.changes()))


def test_a_matter_is_shredded_only_when_closed_unheld_and_past_its_time(directory, tmp_path, on_disk) -> None:
    store = ContentStore(tmp_path / "content")
    matter = directory.snapshot().matters["M-1"]
    store.put(matter, "ctc_1", {"received": b"what was said"})
    assert store.get(matter, "ctc_1", "received") == b"what was said"
    secret = matter.secret
    assert secret in on_disk(), "the positive control: it is there until the matter is shredded"
    with pytest.raises(ConfigError):
        directory.shred_matter("M-1", not_before=0)
    directory.set_matter("M-1", is_open=False, legal_hold=True)
    with pytest.raises(ConfigError):
        directory.shred_matter("M-1", not_before=0)
    directory.set_matter("M-1", legal_hold=False)
    with pytest.raises(ConfigError):
        directory.shred_matter("M-1", not_before=time.time() + 60)
    directory.shred_matter("M-1", not_before=0)
    gone = directory.snapshot().matters["M-1"]
    with pytest.raises(ConfigError):
        store.get(gone, "ctc_1", "received")
    with pytest.raises(ConfigError):
        directory.set_matter("M-1", is_open=True)
    assert secret not in on_disk()
    assert directory.verify_changes()


def test_sealed_content_cannot_stand_in_for_another_calls(directory, tmp_path) -> None:
    store = ContentStore(tmp_path / "content")
    matter = directory.snapshot().matters["M-1"]
    store.put(matter, "ctc_1", {"received": b"one"})
    store.put(matter, "ctc_2", {"received": b"two"})
    first, second = sorted((tmp_path / "content").rglob("*"))[1:]
    assert b"one" not in first.read_bytes() + second.read_bytes()
    moved = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(moved)
    with pytest.raises(LedgerCorrupt):
        store.get(matter, "ctc_1", "received")


def test_retention_waits_for_closing_and_yields_to_a_hold(directory) -> None:
    assert retention_of(directory.snapshot().matters["M-1"]).state == "open"
    directory.set_matter("M-1", is_open=False)
    closed = directory.snapshot().matters["M-1"]
    found = retention_of(closed, days=36_500)
    assert found.state == "retained"
    assert retention_of(closed, days=36_500, now=time.time() + 36_501 * 86_400).state == "due"
    directory.set_matter("M-1", legal_hold=True)
    with pytest.raises(ConfigError):
        shreddable_from(directory.snapshot().matters["M-1"], days=36_500)


def test_a_file_of_the_first_release_is_refused_until_it_is_upgraded(tmp_path) -> None:
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as raw:
        raw.executescript(SCHEMA)
        raw.execute("INSERT INTO matters (id, jurisdiction, confidentiality, secret) VALUES ('M-1', 'DE', 'privileged', x'00')")
        raw.execute("PRAGMA user_version = 1")
    with pytest.raises(ConfigError, match="upgrade"):
        open_directory(path)
    open_directory(path, create=True).close()
    found = open_directory(path)
    assert found.snapshot().matters["M-1"].purposes == frozenset()
    found.close()
