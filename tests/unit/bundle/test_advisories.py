"""If these fail, a vulnerable package passes, a patched one is called vulnerable, or an unread database is taken for a clean one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from curtilage.bundle import images
from curtilage.bundle.advisories import _debian, examine
from curtilage.bundle.image_commands import app
from curtilage.errors import ConfigError
from curtilage.verdict import Verdict

NOW = datetime(2031, 5, 10, tzinfo=UTC)


def sbom(**packages: str) -> dict[str, Any]:
    """``pypi_name`` or ``deb_name`` → version."""
    purls = [f"pkg:{'pypi' if name.startswith('pypi') else 'deb/debian'}/{name.partition('_')[2].replace('_', '-')}@{version}"
             for name, version in packages.items()]  # fmt: skip
    return {"bomFormat": "CycloneDX", "components": [{"purl": purl, "version": purl.rpartition("@")[2]} for purl in purls]}


def record(
    name: str, *events: dict[str, str], ecosystem: str = "PyPI", modified: str = "2031-05-09T00:00:00Z", **more: Any
) -> dict[str, Any]:
    affected = {"package": {"ecosystem": ecosystem, "name": name}, "ranges": [{"type": "ECOSYSTEM", "events": list(events)}]}
    return {"id": "OSV-1", "modified": modified, "summary": "bad", "affected": [affected | more.pop("affected", {})]} | more


def judged(tmp_path: Path, document: dict[str, Any], *records: dict[str, Any]) -> Any:
    database = tmp_path / "osv"
    database.mkdir(exist_ok=True)
    for index, item in enumerate(records):
        (database / f"{index}.json").write_text(json.dumps(item))
    return examine(document, database, now=NOW)


@pytest.mark.parametrize(
    ("version", "vulnerable"),
    [("1.0", True), ("1.9.9", True), ("2.0rc1", True), ("2.0", False), ("2.5", False), ("3.0", True), ("3.1", True), ("3.1.post1", False)],
)
def test_a_range_is_read_as_the_schema_says(version: str, vulnerable: bool, tmp_path: Path) -> None:
    events = [{"introduced": "0"}, {"fixed": "2.0"}, {"introduced": "3.0"}, {"last_affected": "3.1"}]
    for order in (events, events[::-1]):
        report = judged(tmp_path, sbom(pypi_some_thing=version), record("Some.Thing", *order))
        assert report.verdict is (Verdict.FAIL if vulnerable else Verdict.PASS)
        assert [item.fixed for item in report.found] == ([("2.0" if version < "3" else None)] if vulnerable else [])


@pytest.mark.parametrize(
    ("version", "vulnerable"),
    [
        ("3.0.15-1~deb12u1", True),
        ("3.0.15-1", True),
        ("3.0.16-1~deb12u1", False),
        ("1:1.0-1", False),
        ("3.0.9-1", True),
        ("3.0.16~rc1-1", True),
    ],
)
def test_debian_versions_are_compared_by_debians_rules(version: str, vulnerable: bool, tmp_path: Path) -> None:
    found = record("openssl", {"introduced": "0"}, {"fixed": "3.0.16-1~deb12u1"}, ecosystem="Debian:12")
    assert (judged(tmp_path, sbom(deb_openssl=version), found).verdict is Verdict.FAIL) is vulnerable


def test_debian_order_is_that_of_the_manual_page() -> None:
    # deb-version(7): the order given there for the sorting of "~".
    words = ["~~", "~~a", "~", "", "a"]
    assert sorted(words, key=lambda word: _debian(f"1{word}-1")) == words


def test_a_version_that_is_listed_is_found_and_a_withdrawn_record_is_not(tmp_path: Path) -> None:
    listed = record("thing", affected={"ranges": [], "versions": ["1.0"]})
    assert judged(tmp_path, sbom(pypi_thing="1.0"), listed).verdict is Verdict.FAIL
    assert judged(tmp_path, sbom(pypi_thing="1.0"), listed | {"withdrawn": "2031-05-09T00:00:00Z"}).verdict is Verdict.PASS


def test_a_package_of_that_name_elsewhere_is_another_one(tmp_path: Path) -> None:
    assert judged(tmp_path, sbom(pypi_thing="1.0"), record("thing", {"introduced": "0"}, ecosystem="npm")).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "broken",
    [
        {"id": "x", "modified": "2031-05-09T00:00:00Z"},
        record("thing", {"introduced": "no version"}),
        record("thing", {"introduced": "0", "fixed": "1"}),
        record("other", {"introduced": "0"}, modified="2031-01-01T00:00:00Z"),
        record("other", {"introduced": "0"}, modified="yesterday"),
    ],
)
def test_what_cannot_be_read_or_is_old_is_never_clean(broken: dict[str, Any], tmp_path: Path) -> None:
    assert judged(tmp_path, sbom(pypi_thing="1.0"), broken).verdict is Verdict.NOT_PROVEN


def test_an_empty_database_is_not_clean_and_none_is_not_run(tmp_path: Path) -> None:
    assert judged(tmp_path, sbom(pypi_thing="1.0")).verdict is Verdict.NOT_PROVEN
    assert examine(sbom(pypi_thing="1.0"), None).verdict is Verdict.NOT_RUN
    with pytest.raises(ConfigError):
        examine(sbom(), tmp_path / "nowhere")


def test_a_patch_is_shown_as_what_changed_between_two_bills_of_materials(tmp_path: Path) -> None:
    old, new = sbom(pypi_a="1.0", pypi_b="1.0", deb_c="1-1"), sbom(pypi_a="1.1", deb_c="1-1", pypi_d="2")
    assert images.changes(old, new) == {
        "added": {"pkg:pypi/d": "2"},
        "removed": {"pkg:pypi/b": "1.0"},
        "changed": {"pkg:pypi/a": ["1.0", "1.1"]},
    }
    for name, document in (("old.json", old), ("new.json", new), ("none.json", {})):
        (tmp_path / name).write_text(json.dumps(document))
    told = CliRunner().invoke(app, ["diff", str(tmp_path / "old.json"), str(tmp_path / "new.json")])
    assert told.stdout.splitlines() == ["~ pkg:pypi/a 1.0 -> 1.1", "+ pkg:pypi/d 2", "- pkg:pypi/b 1.0"]
    assert isinstance(CliRunner().invoke(app, ["diff", str(tmp_path / "none.json"), str(tmp_path / "new.json")]).exception, ConfigError)
    assert CliRunner().invoke(app, ["advisories", str(tmp_path / "old.json")]).exit_code == 3
