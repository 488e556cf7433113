"""Writes ``tests/golden/<region>/``: what every host of every region in ``stacks/`` is given, so that a pull request shows the effect.

Run it on purpose: ``python tools/update_goldens.py``. The test compares; it never writes.
"""

from __future__ import annotations

import json
from pathlib import Path

from curtilage.allowance import Role
from curtilage.derive.firewall import render_ruleset
from curtilage.derive.inventory import inventory
from curtilage.derive.resolver import render_unbound
from curtilage.paths import CHECKOUT
from curtilage.region import load_region

GOLDEN = CHECKOUT / "tests" / "golden"


def regions() -> list[str]:
    """The regions in ``stacks/``."""
    return sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in (CHECKOUT / "stacks").glob("Pulumi.*.yaml"))


def rendered(name: str) -> dict[str, str]:
    """Each golden file of a region and its text.

    The inventory's rulesets and resolvers have files of their own, so there they are only named.
    """
    region = load_region(name)
    files = {f"{host.name}.nft": render_ruleset(region, host) for host in region.hosts}
    files |= {f"{host.name}.unbound.conf": render_unbound(region, host) for host in region.hosts_by_role(Role.GATEWAY)}
    document = inventory(region)
    for host, facts in document["all"]["hosts"].items():
        facts["curtilage_nftables"] = f"see {host}.nft"
        if facts["curtilage_unbound"] is not None:
            facts["curtilage_unbound"] = f"see {host}.unbound.conf"
    return files | {"inventory.json": json.dumps(document, indent=2, sort_keys=True) + "\n"}


def main(golden: Path = GOLDEN) -> None:
    """Write every region's files and remove those that no region renders any more."""
    for name in regions():
        directory, files = golden / name, rendered(name)
        directory.mkdir(parents=True, exist_ok=True)
        for stale in {path.name for path in directory.iterdir()} - set(files):
            (directory / stale).unlink()
        for file, text in files.items():
            (directory / file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
