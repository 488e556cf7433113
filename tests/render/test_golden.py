"""If this fails, a host would be given something else than what was reviewed. If that is intended: ``python tools/update_goldens.py``."""

from __future__ import annotations

import difflib
import importlib.util
from types import ModuleType

import pytest

from curtilage.derive.firewall import render_ruleset
from curtilage.derive.inventory import inventory
from curtilage.paths import CHECKOUT
from curtilage.region import load_region


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("update_goldens", CHECKOUT / "tools" / "update_goldens.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = _tool()
REGIONS: list[str] = TOOL.regions()


@pytest.mark.parametrize("region", REGIONS)
def test_what_hosts_are_given_is_what_was_reviewed(region: str) -> None:
    rendered: dict[str, str] = TOOL.rendered(region)
    directory = TOOL.GOLDEN / region
    kept = {path.name: path.read_text() for path in directory.iterdir()}
    assert set(kept) == set(rendered), "run python tools/update_goldens.py and review the difference"
    for name, text in rendered.items():
        difference = list(
            difflib.unified_diff(kept[name].splitlines(), text.splitlines(), f"golden/{region}/{name}", "rendered", lineterm="")
        )
        assert not difference, "\n".join(difference)


def test_every_golden_belongs_to_a_region() -> None:
    assert {path.name for path in TOOL.GOLDEN.iterdir() if path.is_dir()} == set(REGIONS)


@pytest.mark.parametrize("region", REGIONS)
def test_the_inventory_holds_every_host_once_with_the_ruleset_of_the_plan(region: str) -> None:
    parsed = load_region(region)
    document = inventory(parsed)["all"]
    assert list(document["hosts"]) == [host.name for host in parsed.hosts]
    grouped = [name for group in document["children"].values() for name in group["hosts"]]
    assert sorted(grouped) == sorted(document["hosts"])
    for host in parsed.hosts:
        facts = document["hosts"][host.name]
        assert facts["ansible_host"] == str(host.ipv4)
        assert facts["curtilage_nftables"] == render_ruleset(parsed, host)
        assert bool(facts["curtilage_unbound"]) == (host.role == "gateway")
