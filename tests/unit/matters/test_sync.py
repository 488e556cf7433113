"""The CRM's export: it decides about the matters it names, changes nothing when a row is wrong, and never opens what is held shut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curtilage.errors import ConfigError
from curtilage.matters.model import Confidentiality
from curtilage.matters.opening import open_directory
from curtilage.matters.sync import read_export, sync

HEADER = "matter,jurisdiction,confidentiality,open,members\n"


@pytest.fixture
def directory(place):
    found = open_directory(place, create=True)
    for identity in ("anna", "ben", "carla"):
        found.add_identity(identity)
    found.add_matter("M-1", jurisdiction="DE")
    found.add_member("anna", "M-1")
    found.set_matter("M-1", legal_hold=True)
    found.add_wall("carla", "M-1", "acted for the other side")
    found.add_matter("M-untold", jurisdiction="DE")
    yield found
    found.close()


def export(folder: Path, text: str, name: str = "export.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_matters_and_members_follow_the_export_and_holds_walls_and_others_stay(directory, tmp_path) -> None:
    rows = read_export(export(tmp_path, HEADER + "M-1,DE,Privileged,yes,ben; carla\nM-2,FR,internal,open,anna\nM-3,DE,internal,closed,\n"))
    assert [change.action for change in sync(directory, rows, dry_run=True)] == [
        "confidentiality", "member", "member", "no member", "add", "member",
    ]  # fmt: skip
    assert directory.snapshot().matters["M-1"].confidentiality is Confidentiality.CONFIDENTIAL, "a dry run changes nothing"
    changed = sync(directory, rows)
    found = directory.snapshot()
    assert found.matters["M-1"].confidentiality is Confidentiality.PRIVILEGED
    assert found.matters["M-1"].legal_hold
    assert ("carla", "M-1") in found.walled_off
    assert {identity for identity, own in found.memberships.items() if "M-1" in own} == {"ben", "carla"}
    assert found.memberships["anna"] == {"M-2"}
    assert found.matters["M-untold"].is_open
    assert "M-3" not in found.matters
    assert sync(directory, rows) == [], "a second run changes nothing"
    assert directory.verify_changes()
    assert len(list(directory.changes())) == 8 + len(changed)


def test_json_says_the_same(directory, tmp_path) -> None:
    rows = [{"matter": "M-1", "jurisdiction": "DE", "confidentiality": "confidential", "open": False, "direction": "GC-14"}]
    sync(directory, read_export(export(tmp_path, json.dumps(rows), "export.json")))
    matter = directory.snapshot().matters["M-1"]
    assert (matter.is_open, matter.direction) == (False, "GC-14")


@pytest.mark.parametrize(
    "row",
    [
        "M-1,FR,confidential,yes,", "M-1,DE,confidential,yes,nobody", "M-1,DE,secret,yes,", "M-1,de,confidential,yes,",
        "M-1,DE,confidential,maybe,", ",DE,confidential,yes,", "M-1,DE,confidential,yes,,more", "M/../1,DE,confidential,yes,",
        "M-9,DE,internal,yes,\nM-9,DE,internal,yes,",
    ],
)  # fmt: skip
def test_one_wrong_row_and_nothing_changes(directory, tmp_path, row) -> None:
    before = list(directory.changes())
    with pytest.raises(ConfigError):
        sync(directory, read_export(export(tmp_path, f"{HEADER}M-8,DE,internal,yes,anna\n{row}\n")))
    assert list(directory.changes()) == before


def test_what_was_shredded_is_not_opened_again(directory, tmp_path) -> None:
    directory.add_matter("M-old", jurisdiction="DE")
    directory.set_matter("M-old", is_open=False)
    directory.shred_matter("M-old", not_before=0)
    with pytest.raises(ConfigError):
        sync(directory, read_export(export(tmp_path, HEADER + "M-old,DE,confidential,yes,\n")))


@pytest.mark.parametrize("text", ["", "matter\n", "[1]", "\x00"])
def test_what_is_no_export_is_told(tmp_path, text) -> None:
    with pytest.raises(ConfigError):
        read_export(export(tmp_path, text, "export.json" if text == "[1]" else "export.csv"))
