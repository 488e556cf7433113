"""If this fails, a stand-in answers where the official plugin is installed, or a missing plugin is not named."""

from __future__ import annotations

from pathlib import Path

import pytest

from curtilage import plugins as chosen
from curtilage.plugins import MISSING, OFFICIAL, STANDIN, plugins
from curtilage.region import Platform


def install(directory: Path, name: str) -> Path:
    directory.mkdir(parents=True)
    file = directory / f"pulumi-resource-{name}"
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return directory


def kinds(platform: Platform, path: Path, home: Path) -> dict[str, str]:
    return {item.name: item.kind for item in plugins(platform, path=str(path), home=home)}


def test_a_stand_in_answers_only_where_nothing_official_is(tmp_path: Path) -> None:
    home, path = tmp_path / "home", tmp_path / "path"
    assert kinds(Platform.HOSTS, path, home) == {}
    assert kinds(Platform.AWS, path, home) == {"aws": STANDIN, "kubernetes": STANDIN}
    install(home / "plugins" / "resource-aws-v7.9.0", "aws")
    newest = install(home / "plugins" / "resource-aws-v7.51.1", "aws")
    assert kinds(Platform.AWS, path, home) == {"aws": OFFICIAL, "kubernetes": STANDIN}
    assert plugins(Platform.AWS, path=str(path), home=home)[0].directory == newest
    install(path, "kubernetes")
    assert kinds(Platform.KUBERNETES, path, home) == {"kubernetes": OFFICIAL}


def test_the_stand_in_on_path_is_still_a_stand_in(tmp_path: Path) -> None:
    assert kinds(Platform.KUBERNETES, chosen.STANDINS, tmp_path) == {"kubernetes": STANDIN}


def test_a_wheel_without_stand_ins_names_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "STANDINS", tmp_path / "nowhere")
    assert kinds(Platform.AWS, tmp_path, tmp_path) == {"aws": MISSING, "kubernetes": MISSING}
