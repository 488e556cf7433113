"""If this fails, a new region is written that the law data or the platform forbids, or a right one is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curtilage.commands import region as verb
from curtilage.errors import ConfigError

COMMON = ["--owner", "Group Legal", "--cost-centre", "legal", "--network", "10.70.0.0/16", "--card", "L40S"]
CLUSTER = ["new", "xx-town", "--jurisdiction", "FR", "--platform", "kubernetes", "--site", "FR", "--context", "xx-town", *COMMON]
AWS = [
    *["new", "xx-town", "--jurisdiction", "DE", "--platform", "aws", "--site", "eu-central-1", "--account", "111122223333"],
    *["--organisation", "o-curtilage01", "--principal", "arn:aws:iam::444455556666:root"],
    *["--administrator", "arn:aws:iam::111122223333:role/admin", *COMMON],
]
HOSTS = ["new", "xx-town", "--jurisdiction", "CH", "--platform", "hosts", "--site", "CH", *COMMON]


@pytest.fixture(autouse=True)
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "model_images").symlink_to(verb.CHECKOUT / "model_images")
    monkeypatch.setattr(verb, "CHECKOUT", tmp_path)
    return tmp_path / "stacks"


def call(arguments: list[str]) -> str:
    return CliRunner().invoke(verb.app, arguments, catch_exceptions=False).stdout


@pytest.mark.parametrize("arguments", [CLUSTER, AWS, HOSTS], ids=["kubernetes", "aws", "hosts"])
def test_a_region_is_one_new_file_that_loads(arguments: list[str], stacks: Path) -> None:
    document = json.loads(call([*arguments, "--json"]))
    assert document["written"]
    assert [path.name for path in stacks.iterdir()] == ["Pulumi.xx-town.yaml"]
    assert verb.load_region(stacks / "Pulumi.xx-town.yaml").document() == document["region"]


def test_a_dry_run_writes_nothing(stacks: Path) -> None:
    assert "curtilage:region" in call([*CLUSTER, "--dry-run"])
    assert not list(stacks.iterdir())


def changed(arguments: list[str], flag: str, value: str | None) -> list[str]:
    index = arguments.index(flag)
    return arguments[:index] + ([] if value is None else [flag, value]) + arguments[index + 2 :]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (changed(CLUSTER, "--site", "US"), "site 'US' is outside FR"),
        (changed(AWS, "--site", "us-east-1"), "not an AWS region inside DE"),
        (changed(AWS, "--jurisdiction", "NL"), "none of AWS is there"),
        (changed(AWS, "--jurisdiction", "XX"), "unknown jurisdiction 'XX'"),
        (changed(AWS, "--card", "RTX-4090"), "card 'RTX-4090'"),
        (changed(CLUSTER, "--card", "cpu"), "card 'cpu'"),
        (changed(CLUSTER, "--network", "8.8.0.0/16"), "is not private"),
        (changed(CLUSTER, "--network", "10.70.0.1/16"), "host bits"),
        (changed(CLUSTER, "--context", None), "no --context"),
        (changed(AWS, "--organisation", None), "no --organisation"),
        (changed(AWS, "--account", "12"), "aws.account"),
        ([*HOSTS, "--context", "x"], "--context on hosts"),
        ([*HOSTS, "--nodes", "5"], "2 to 4 GPU nodes"),
        ([*CLUSTER, "--model", "gpt-9"], "no model 'gpt-9'"),
        (["new", "../escape", *CLUSTER[2:]], "name"),
    ],
)
def test_what_is_forbidden_is_refused_and_nothing_is_written(arguments: list[str], message: str, stacks: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        call(arguments)
    assert not list(stacks.iterdir())


def test_a_region_that_is_there_is_never_overwritten(stacks: Path) -> None:
    call(CLUSTER)
    before = (stacks / "Pulumi.xx-town.yaml").read_text()
    with pytest.raises(ConfigError, match="there already"):
        call(changed(CLUSTER, "--owner", "Someone"))
    assert (stacks / "Pulumi.xx-town.yaml").read_text() == before
