"""If these fail, a wrong engine runs a region's plan: an old CLI, one without its language host, or a build whose pins changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from curtilage import engine_build
from curtilage.engine_build import BUILDS, ENGINE_VERSION, engine_digest, official_engine, version_of
from curtilage.errors import MachineError, StepError
from curtilage.paths import CHECKOUT


def a_pulumi(directory: Path, version: str, *, language_host: bool = True) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "pulumi").write_text(f"#!/bin/sh\necho {version}\n")
    (directory / "pulumi").chmod(0o755)
    if language_host:
        (directory / "pulumi-language-python").touch(mode=0o755)
    return str(directory)


@pytest.mark.parametrize("version", ["v3.255.0", "v3.255.1", "v3.300.0", "v4.0.0"])
def test_an_official_engine_that_is_new_enough_is_used(tmp_path: Path, version: str) -> None:
    assert official_engine(a_pulumi(tmp_path, version)) == tmp_path


@pytest.mark.parametrize("version", ["v3.254.9", "v3.99.0", "v2.300.0", "not a version"])
def test_an_engine_that_is_too_old_or_says_nothing_is_not_used(tmp_path: Path, version: str) -> None:
    assert official_engine(a_pulumi(tmp_path, version)) is None


def test_an_engine_without_its_language_host_is_not_used(tmp_path: Path) -> None:
    assert official_engine(a_pulumi(tmp_path, "v3.300.0", language_host=False)) is None


@pytest.mark.parametrize(("text", "version"), [("go1.26.8", (1, 26, 8)), ("go version go1.26 linux/amd64", (1, 26)), ("none", None)])
def test_versions_are_read_as_numbers(text: str, version: tuple[int, ...] | None) -> None:
    assert version_of(text) == version


def copy_of_the_pins(target: Path) -> Path:
    for module in {module for module, _, _ in BUILDS.values()}:
        (target / module).mkdir(parents=True)
        for name in ("go.mod", "go.sum"):
            (target / module / name).write_bytes((CHECKOUT / module / name).read_bytes())
    return target


def test_any_changed_pin_or_toolchain_makes_another_engine(tmp_path: Path) -> None:
    root = copy_of_the_pins(tmp_path)
    before = engine_digest("go1.26.8", root)
    assert engine_digest("go1.26.8", CHECKOUT) == before, "the digest must not depend on where the checkout lies"
    assert engine_digest("go1.26.9", root) != before
    with (root / "tools/language-host/go.sum").open("a") as handle:
        handle.write("\n")
    assert engine_digest("go1.26.8", root) != before


def test_the_pinned_module_is_the_version_the_code_names() -> None:
    assert f"github.com/pulumi/pulumi/pkg/v3 v{ENGINE_VERSION}" in (CHECKOUT / "tools/engine/go.mod").read_text()
    assert f"github.com/pulumi/pulumi/sdk/v3 v{ENGINE_VERSION}" in (CHECKOUT / "tools/engine/go.mod").read_text()
    host = (CHECKOUT / "tools/language-host/go.mod").read_text()
    assert f"github.com/pulumi/pulumi/sdk/v3 v{engine_build.LANGUAGE_HOST_VERSION}" in host


def test_the_sdk_in_the_lock_is_the_engines_version() -> None:
    assert f"\npulumi=={ENGINE_VERSION} " in (CHECKOUT / "requirements.lock").read_text()


def test_no_engine_and_no_go_is_told_with_a_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CURTILAGE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(MachineError, match=r"(?s)no Go to build one with.*fix:"):
        engine_build.ensure_engine()


def test_a_failed_build_shows_the_end_of_its_log_and_leaves_nothing_half_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "go").write_text(
        '#!/bin/sh\ncase "$1" in version) echo go version go1.26.8 linux/amd64;; env) echo go1.26.8;;'
        " *) echo no space left on device; exit 1;; esac\n"
    )
    (tools / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setattr(engine_build, "official_engine", lambda _path=None: None)
    monkeypatch.setenv("CURTILAGE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(StepError, match="no space left on device"):
        engine_build.ensure_engine()
    assert [entry.name for entry in (tmp_path / "cache" / "engine").iterdir()] == [".lock"]


def without_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no Go and no CLI; returns where its cache keeps engines."""
    monkeypatch.setenv("CURTILAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin" if not Path("/usr/bin/go").exists() else str(tmp_path))
    return tmp_path / "cache" / "engine"


def test_without_go_the_engine_that_a_bundle_brought_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = without_go(tmp_path, monkeypatch)
    a_pulumi(store / "abc" / "bin", f"v{ENGINE_VERSION}")
    a_pulumi(store / ".building-1" / "bin", f"v{ENGINE_VERSION}")
    assert engine_build.ensure_engine() == store / "abc" / "bin"


@pytest.mark.parametrize("versions", [["v3.254.0"], [f"v{ENGINE_VERSION}", f"v{ENGINE_VERSION}"]])
def test_a_carried_engine_of_another_version_or_one_of_several_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: list[str]
) -> None:
    store = without_go(tmp_path, monkeypatch)
    for index, version in enumerate(versions):
        a_pulumi(store / f"e{index}" / "bin", version)
    with pytest.raises(MachineError, match="no Go to build one"):
        engine_build.ensure_engine()
