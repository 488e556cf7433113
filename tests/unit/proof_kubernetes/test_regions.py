"""If these fail, a region that this repository holds derives objects that let something out, or a lock of its own is not missed."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest
from typer.testing import CliRunner

from curtilage.derive.kubernetes.manifests import manifests
from curtilage.paths import CHECKOUT
from curtilage.proof.commands import app
from curtilage.proof.kubernetes import Scope, prove_manifests
from curtilage.proof.kubernetes.objects import Manifest, Manifests, make_object
from curtilage.region import Region, load_region
from curtilage.verdict import Verdict

NAMES = sorted(file.name.split(".")[1] for file in (CHECKOUT / "stacks").glob("Pulumi.*.yaml"))
REGIONS = [region for region in map(load_region, NAMES) if region.kubernetes is not None]


def objects(region: Region) -> list[Manifest]:
    return [make_object(item, part) for part, items in manifests(region).items() for item in items]


@pytest.mark.parametrize("region", REGIONS, ids=lambda region: region.name)
def test_every_region_with_a_cluster_derives_a_sealed_one_and_every_network_policy_counts(region: Region) -> None:
    found = objects(region)
    assert prove_manifests(Manifests(tuple(found), ""), Scope.of(region)).verdict is Verdict.PASS
    for lock in (item for item in found if item.kind == "NetworkPolicy" and item.name == "default-deny"):
        rest = tuple(item for item in found if item is not lock)
        proof = prove_manifests(Manifests(rest, ""), Scope.of(region))
        assert proof.verdict is Verdict.FAIL
        assert {item.segment for item in proof.findings} == {lock.namespace}


LAYERED = [item for item in REGIONS if item.kubernetes and item.kubernetes.cluster_network_policy]


@pytest.mark.parametrize("region", LAYERED, ids=lambda region: region.name)
def test_where_a_region_declares_the_admin_tiers_deny_it_has_to_hold_alone(region: Region) -> None:
    found = objects(region)
    rest = tuple(item for item in found if item.kind != "ClusterNetworkPolicy")
    assert prove_manifests(Manifests(rest, ""), Scope.of(region)).verdict is Verdict.FAIL
    space = next(item for item in found if item.kind == "Namespace" and item.name == "legal-models")
    meta = {**space.body["metadata"], "labels": {"team": "x"}}
    unlabelled = tuple(replace(item, body={**item.body, "metadata": meta}) if item is space else item for item in found)
    proof = prove_manifests(Manifests(unlabelled, ""), Scope.of(region))
    assert proof.verdict is Verdict.FAIL
    assert ("legal-models", "EG-23") in {(item.segment, item.id) for item in proof.findings}


@pytest.mark.parametrize("region", LAYERED, ids=lambda region: region.name)
def test_each_family_that_the_admin_tier_denies_is_missed(region: Region) -> None:
    found = objects(region)
    (seal,) = [item for item in found if item.kind == "ClusterNetworkPolicy"]
    rules = seal.spec["egress"]
    for number, rule in enumerate(rules):
        if rule["action"] != "Deny" or "networks" not in rule["to"][0]:
            continue  # the deny by namespace says again what the two by network say
        spec = {**seal.spec, "egress": [*rules[:number], *rules[number + 1 :]]}
        rest = tuple(replace(item, body={**item.body, "spec": spec}) if item is seal else item for item in found)
        assert prove_manifests(Manifests(rest, ""), Scope.of(region)).verdict is Verdict.FAIL, rule


def test_a_region_is_proved_by_name() -> None:
    region = next(item for item in REGIONS if item.aws is None)
    result = CliRunner().invoke(app, ["--region", region.name, "--json"])
    assert result.exit_code == 0, result.output
    assert orjson.loads(result.stdout)["verdict"] == "PASS"
