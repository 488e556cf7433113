"""Writes ``tests/golden/<region>/``: what every host of every region in ``stacks/`` is given, so that a pull request shows the effect.

Run it on purpose: ``python tools/update_goldens.py``. The test compares; it never writes.
"""

from __future__ import annotations

import json
from pathlib import Path

from curtilage.allowance import Role
from curtilage.derive import monitoring
from curtilage.derive.aws import guardrails, names, policies
from curtilage.derive.firewall import render_ruleset
from curtilage.derive.inventory import inventory
from curtilage.derive.kubernetes.manifests import manifests
from curtilage.derive.kubernetes.manifests import rendered as rendered_objects
from curtilage.derive.resolver import render_answers, render_unbound
from curtilage.paths import CHECKOUT
from curtilage.region import Platform, Region, load_region

GOLDEN = CHECKOUT / "tests" / "golden"


def regions() -> list[str]:
    """The regions in ``stacks/``."""
    return sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in (CHECKOUT / "stacks").glob("Pulumi.*.yaml"))


def rendered(name: str) -> dict[str, str]:
    """Each golden file of a region and its text.

    The inventory's rulesets and resolvers have files of their own, so there they are only named.
    """
    region = load_region(name)
    if region.platform is not Platform.HOSTS:
        return _cluster(region) | (_account(region) if region.aws is not None else {})
    files = {f"{host.name}.nft": render_ruleset(region, host) for host in region.hosts}
    files |= {f"{host.name}.unbound.conf": render_unbound(region, host) for host in region.hosts_by_role(Role.GATEWAY)}
    for host in region.hosts_by_role(Role.GATEWAY):
        files |= {f"{host.name}.answers-{which}.conf": text for which, text in (render_answers(region, host) or {}).items()}
    document = inventory(region)
    for key, facts in document["all"]["hosts"].items():
        facts["curtilage_nftables"] = f"see {key}.nft"
        if facts["curtilage_unbound"] is not None:
            facts["curtilage_unbound"] = f"see {key}.unbound.conf"
        if facts["curtilage_answers"] is not None:
            facts["curtilage_answers"] = {which: f"see {key}.answers-{which}.conf" for which in facts["curtilage_answers"]}
    files |= {"prometheus-rules.yml": monitoring.rule_file(region), "dashboard.json": monitoring.dashboard(region)}
    return files | {"inventory.json": json.dumps(document, indent=2, sort_keys=True) + "\n"}


def _cluster(region: Region) -> dict[str, str]:
    """Each component's Kubernetes objects, as they are declared."""
    return {f"{component}.yaml": rendered_objects(items) for component, items in manifests(region).items()}


def _account(region: Region) -> dict[str, str]:
    """Policies of endpoints, keys, buckets and roles, what resolves, and the organisation's guardrails."""
    texts = {f"endpoint-{service}.json": policies.endpoint_policy(region, service) for service in ("s3", *names.endpoints(region))}
    texts |= {f"key-{purpose}.json": policies.key_policy(region, purpose) for purpose in names.PURPOSES}
    texts |= {f"bucket-{purpose}.json": policies.bucket_policy(region, purpose) for purpose in ("logs", "evidence", "models")}
    texts |= {
        "repository.json": policies.repository_policy(region),
        "role-backup.json": policies.backup_policy(region),
        "role-files.json": policies.files_policy(region),
        "role-nodes.json": policies.node_policy(region),
    }
    found = {name: _pretty(json.loads(text)) for name, text in texts.items()}
    subnets = {zone: str(network) for zone, network in names.subnets(region).items()}
    return found | {
        "network.json": _pretty({"names": names.domains(region), "subnets": subnets, "registry": names.registry(region)}),
        "organisation-scp.json": _pretty(guardrails.service_control_policy(region)),
        "organisation-rcp.json": _pretty(guardrails.resource_control_policy(region)),
    }


def _pretty(document: object) -> str:
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


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
