"""If this fails, a stack file is accepted that the seal cannot hold, or refused without saying why.

``configs/<name>.<ok|error>.yaml`` are named by verdict; an error's header lists what its message must say, one ``# expect:`` a line.
"""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
import yaml

from curtilage.allowance import Role
from curtilage.errors import ConfigError
from curtilage.paths import CHECKOUT
from curtilage.region import Region, load_region

CONFIGS = Path(__file__).parent / "configs"
AS_OF = date(2027, 1, 15)
VALID = sorted(CONFIGS.glob("*.ok.yaml"))
REFUSED = sorted(CONFIGS.glob("*.error.yaml"))


def test_every_fixture_is_named_by_its_verdict() -> None:
    assert set(CONFIGS.iterdir()) == {*VALID, *REFUSED}
    assert VALID
    assert REFUSED


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_a_valid_file_is_a_region_that_survives_a_round_trip(path: Path) -> None:
    region = load_region(path, as_of=AS_OF)
    assert Region.model_validate(region.document(), context={"as_of": AS_OF}) == region


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path.name)
def test_a_refusal_names_file_key_rule_and_fix(path: Path) -> None:
    expected = [line.removeprefix("# expect: ") for line in path.read_text().splitlines() if line.startswith("# expect: ")]
    assert expected, "an error fixture says what its message must say"
    with pytest.raises(ConfigError) as refused:
        load_region(path, as_of=AS_OF)
    message = str(refused.value)
    for part in [*expected, path.name, "rule:", "fix:"]:
        assert part in message


@pytest.mark.parametrize("path", sorted((CHECKOUT / "stacks").glob("Pulumi.*.yaml")), ids=lambda path: path.name)
def test_every_stack_of_the_repository_loads_by_its_name(path: Path) -> None:
    region = load_region(path.name.removeprefix("Pulumi.").removesuffix(".yaml"))
    assert path.name == f"Pulumi.{region.name}.yaml"


def test_the_lab_has_the_addresses_of_the_architecture() -> None:
    lab = load_region("lab")
    addresses = {host.name: (str(host.ipv4), str(host.ipv6)) for host in lab.hosts}
    assert addresses == {
        "gpu-1": ("192.0.2.11", "2001:db8:1::11"),
        "gpu-2": ("192.0.2.12", "2001:db8:1::12"),
        "gpu-3": ("192.0.2.13", "2001:db8:1::13"),
        "gw-1": ("192.0.2.21", "2001:db8:1::21"),
        "crm-1": ("192.0.2.31", "2001:db8:1::31"),
        "evidence-1": ("192.0.2.41", "2001:db8:1::41"),
    }
    assert lab.lab
    assert [host.name for host in lab.hosts_by_role(Role.GPU)] == ["gpu-1", "gpu-2", "gpu-3"]
    assert [lab.served_by(host).name for host in lab.hosts_by_role(Role.GPU)] == ["lab-mistral", "lab-mistral", "lab-embed"]
    assert not lab.unimported_models(), "the lab's own pipeline makes its weights"


def test_a_model_without_digests_is_undeployable_outside_the_lab() -> None:
    region = load_region(CONFIGS / "weights-not-imported.ok.yaml", as_of=AS_OF)
    assert [model.name for model in region.unimported_models()] == ["mistral-7b"]


def test_an_allowance_lives_through_its_last_day_and_not_a_day_longer() -> None:
    path = CONFIGS / "allowance-ends-today.ok.yaml"
    assert load_region(path, as_of=AS_OF).allowances
    with pytest.raises(ConfigError, match="expired on 2027-01-15"):
        load_region(path, as_of=date(2027, 1, 16))


def test_the_canonical_form_does_not_depend_on_the_order_of_keys(tmp_path: Path) -> None:
    document = yaml.safe_load((CONFIGS / "allowance.ok.yaml").read_text())
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump(document, sort_keys=True))
    assert load_region(other, as_of=AS_OF).canonical() == load_region(CONFIGS / "allowance.ok.yaml", as_of=AS_OF).canonical()


def test_a_file_named_for_another_region_is_refused(tmp_path: Path) -> None:
    shutil.copy(CONFIGS / "minimal.ok.yaml", tmp_path / "Pulumi.other.yaml")
    with pytest.raises(ConfigError, match=r"rename the file to Pulumi\.probe\.yaml"):
        load_region(tmp_path / "Pulumi.other.yaml")


def test_an_unknown_region_lists_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"use one of: .*lab"):
        load_region("atlantis")


def test_a_region_cannot_be_changed_after_it_was_judged() -> None:
    region = load_region("lab")
    with pytest.raises(ValueError, match="frozen"):
        region.hosts = ()  # type: ignore[misc]
