"""A crash leaves nothing half-made in the cache, and what a host is made of decides what it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from curtilage.errors import MachineError, StepError
from curtilage.paths import CHECKOUT
from lab import base, cache, trees
from lab.shell import run


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURTILAGE_CACHE", str(tmp_path / "cache"))


def silent(message: str) -> None:
    del message


def test_a_build_that_fails_leaves_nothing_under_the_final_name_and_the_next_one_starts_afresh(tmp_path: Path) -> None:
    def broken(target: Path) -> None:
        (target / "half").write_text("x")
        raise StepError("build", "disk full", fix="make room")

    with pytest.raises(StepError):
        cache.ensure("kind", "digest", broken, silent)
    assert not (tmp_path / "cache/kind/digest").exists()

    made = cache.ensure("kind", "digest", lambda target: (target / "whole").touch(), silent)
    assert [path.name for path in made.iterdir()] == ["whole"]


def test_what_is_there_is_not_built_again() -> None:
    cache.ensure("kind", "digest", lambda target: None, silent)

    def never(target: Path) -> None:
        raise AssertionError(f"built again in {target}")

    cache.ensure("kind", "digest", never, silent)


def test_parts_of_a_digest_do_not_run_into_each_other() -> None:
    assert cache.digest_of("ab", "c") != cache.digest_of("a", "bc")


def test_a_command_that_fails_shows_its_last_words() -> None:
    with pytest.raises(StepError, match="no space left"):
        run(["sh", "-c", "echo no space left; exit 3"], step="build")


def test_a_command_that_hangs_is_ended_with_its_children() -> None:
    with pytest.raises(StepError, match="took longer than"):
        run(["sh", "-c", "sleep 30 & wait"], step="build", timeout_seconds=0.3)


def test_a_missing_program_is_a_fact_about_the_machine() -> None:
    with pytest.raises(MachineError, match="is not installed"):
        run(["curtilage-no-such-program"], step="build")


def test_the_mirror_comes_from_either_format_of_the_machine_s_sources(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "debian.sources").write_text(
        "Types: deb-src\nURIs: http://source.example/\nSuites: bookworm\n\n"
        "Enabled: no\nTypes: deb\nURIs: http://off.example/\nSuites: bookworm\n\n"
        "Types: deb deb-src\nURIs: http://one.example/debian\nSuites: bookworm bookworm-updates\n"
    )
    (tmp_path / "sources.list").write_text(
        "# deb http://comment.example x main\ndeb [signed-by=/k] http://two.example/debian bookworm main\n"
    )
    assert base._sources(tmp_path) == [
        ("http://one.example/debian", ["bookworm", "bookworm-updates"]),
        ("http://two.example/debian", ["bookworm"]),
    ]


def test_a_machine_without_a_debian_source_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_sources", lambda apt: [("http://other.example/ubuntu", ["noble"])])
    monkeypatch.delenv("CURTILAGE_DEBIAN_MIRROR", raising=False)
    with pytest.raises(MachineError, match="CURTILAGE_DEBIAN_MIRROR"):
        base.mirror()


@pytest.mark.parametrize("name", sorted(trees.LOCKS))
def test_every_lock_pins_hashes_and_names_no_registry(name: str) -> None:
    text = trees.LOCKS[name].read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index-url" not in text
    blocks = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert blocks
    assert all("==" in line and line.endswith("\\") for line in blocks)


def test_the_package_is_copied_in_place_and_what_is_gone_from_the_source_goes(tmp_path: Path) -> None:
    target = trees.copy_package(tmp_path / "package")
    directory = (target / "curtilage").stat().st_ino
    (target / "curtilage" / "gone.py").write_text("x = 1\n")
    (target / "curtilage" / "errors.py").write_text("stale = 1\n")
    trees.copy_package(target)
    assert (target / "curtilage").stat().st_ino == directory, "running hosts have this very directory mounted"
    assert not (target / "curtilage" / "gone.py").exists()
    assert (target / "curtilage/errors.py").read_bytes() == (CHECKOUT / "curtilage/errors.py").read_bytes()
