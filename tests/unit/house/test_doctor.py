"""If these fail, a machine that cannot run the lab is called ready, or a user is told what is wrong but not what to do."""

from __future__ import annotations

import dataclasses
import json

import pytest
from typer.testing import CliRunner

from curtilage import doctor
from curtilage.doctor import CHECKS, CLUSTER_PACKAGES, PACKAGES, Finding, examine
from curtilage.errors import MachineError
from curtilage.machine import Machine

READY = Machine(
    root=True,
    sudo=True,
    apt=True,
    architecture="x86_64",
    commands=frozenset(command for package in PACKAGES for command in package.commands),
    python=(3, 11, 7),
    venv=True,
    python_3_11=True,
    go=(1, 26, 8),
    pulumi=None,
    engine_built=False,
    namespaces_error=None,
    ruleset_error=None,
    overlay_error=None,
    cache="/somewhere",
    cache_warm=False,
    disk_free_gib=40.0,
    memory_available_gib=12.0,
    taken_namespaces=(),
    lab_owner=None,
    checkout="/home/me/curtilage",
)


def lacking(**changes: object) -> list[Finding]:
    return [finding for finding in examine(dataclasses.replace(READY, **changes)) if not finding.ok]  # type: ignore[arg-type]


def test_a_machine_that_has_everything_lacks_nothing() -> None:
    assert lacking() == []


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("root", {"root": False}),
        ("architecture", {"architecture": "aarch64"}),
        ("python", {"python": (3, 10, 1)}),
        ("python", {"venv": False}),
        ("python", {"python_3_11": False}),
        ("packages", {"commands": READY.commands - {"systemd-nspawn"}}),
        ("engine", {"go": None}),
        ("engine", {"go": (1, 25, 9)}),
        ("namespaces", {"namespaces_error": "unshare failed: Operation not permitted"}),
        ("nftables", {"ruleset_error": "Error: Could not process rule: Operation not supported"}),
        ("overlayfs", {"overlay_error": "mount: wrong fs type"}),
        ("disk", {"disk_free_gib": 29.9}),
        ("memory", {"memory_available_gib": 9.9}),
        ("names", {"taken_namespaces": ("curtilage-edge",)}),
        ("names", {"taken_namespaces": ("curtilage-edge",), "lab_owner": "/home/other/curtilage"}),
    ],
)
def test_each_lack_is_named_by_its_check_with_what_was_found_and_a_fix(check: str, changes: dict[str, object]) -> None:
    findings = {finding.check: finding for finding in lacking(**changes)}
    assert check in findings
    assert findings[check].found
    assert findings[check].need
    assert findings[check].fix


def test_what_the_cluster_needs_is_asked_for_by_name_alone() -> None:
    bare = [finding for finding in examine(READY, kubernetes=True) if not finding.ok]
    assert [finding.check for finding in bare] == ["cluster"]
    assert bare[0].packages == tuple(package.name for package in CLUSTER_PACKAGES)
    there = frozenset(command for package in CLUSTER_PACKAGES for command in package.commands)
    assert all(finding.ok for finding in examine(dataclasses.replace(READY, commands=READY.commands | there), kubernetes=True))
    assert all(package.commands for package in CLUSTER_PACKAGES), "a package without a command is never found missing"


def test_every_check_can_fail() -> None:
    worst = {
        "root": False,
        "architecture": "riscv64",
        "python": (3, 9, 0),
        "commands": frozenset(),
        "go": None,
        "disk_free_gib": 0.0,
        "memory_available_gib": 0.0,
        "taken_namespaces": ("curtilage-edge",),
    }
    assert len(lacking(**worst)) == len(CHECKS)


def test_what_only_root_can_try_is_not_called_working_without_root() -> None:
    findings = {finding.check: finding for finding in lacking(root=False)}
    assert {"namespaces", "nftables", "overlayfs"} <= findings.keys()
    assert findings["overlayfs"].found == "not tried: needs root"


def test_missing_packages_come_in_one_apt_command() -> None:
    (finding,) = lacking(commands=READY.commands - {"debootstrap", "ssh-keygen"})
    assert finding.packages == ("debootstrap", "openssh-client")
    assert finding.fix == "apt-get install --no-install-recommends debootstrap openssh-client"


def test_without_apt_the_fix_does_not_name_apt() -> None:
    (finding,) = lacking(commands=READY.commands - {"debootstrap"}, apt=False)
    assert "apt-get" not in finding.fix
    assert "debootstrap" in finding.fix


def test_an_official_engine_makes_go_needless() -> None:
    assert lacking(go=None, pulumi="/usr/local/bin") == []


def test_an_engine_that_a_bundle_brought_makes_go_needless() -> None:
    assert lacking(go=None, engine_built=True) == []


def test_a_warm_cache_needs_little_disk() -> None:
    assert lacking(disk_free_gib=6.0, cache_warm=True) == []
    assert [finding.check for finding in lacking(disk_free_gib=4.0, cache_warm=True)] == ["disk"]


def test_this_checkouts_running_lab_is_neither_taken_names_nor_missing_memory() -> None:
    assert lacking(taken_namespaces=("curtilage-edge",), lab_owner=READY.checkout, memory_available_gib=1.0) == []


def test_another_checkouts_lab_is_named_with_the_command_that_ends_it() -> None:
    (finding,) = lacking(taken_namespaces=("curtilage-edge",), lab_owner="/home/other/curtilage")
    assert finding.fix == "make -C /home/other/curtilage down"


def test_no_command_and_no_package_is_listed_twice() -> None:
    assert len({package.name for package in PACKAGES}) == len(PACKAGES)
    commands = [command for package in PACKAGES for command in package.commands]
    assert len(commands) == len(set(commands))


def test_the_verb_answers_one_json_document_and_exit_code_2_when_something_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "look", lambda: dataclasses.replace(READY, go=None))
    answer = CliRunner().invoke(doctor.app, ["--json"])
    assert answer.exit_code == 2
    assert [check["check"] for check in json.loads(answer.stdout)["checks"] if not check["ok"]] == ["engine"]


def test_the_verb_exits_0_when_nothing_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "look", lambda: READY)
    answer = CliRunner().invoke(doctor.app, [])
    assert answer.exit_code == 0
    assert "ready for `make up`" in answer.stdout


def test_without_fix_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[tuple[str, ...]] = []
    monkeypatch.setattr(doctor, "install", installed.append)
    monkeypatch.setattr(doctor, "look", lambda: dataclasses.replace(READY, commands=frozenset()))
    CliRunner().invoke(doctor.app, [])
    assert installed == []
    CliRunner().invoke(doctor.app, ["--fix"])
    assert installed == [tuple(sorted(package.name for package in PACKAGES))]


def test_installing_without_root_is_refused_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(MachineError, match="sudo apt-get install --yes --no-install-recommends nftables"):
        doctor.install(("nftables",))
