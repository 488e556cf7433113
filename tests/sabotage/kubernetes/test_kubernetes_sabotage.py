"""Sabotaged manifests that pass are a release blocker; a harmless change that does not makes people stop reading."""

from __future__ import annotations

import pytest

from curtilage.proof.kubernetes import Scope, prove_manifests
from curtilage.verdict import Verdict
from tests.sabotage.kubernetes.cluster import SCOPE, sealed_region
from tests.sabotage.kubernetes.mutations import BENIGN, SABOTAGE, SEAL

BASES = {"layered": sealed_region(), "alone": sealed_region(layered=False)}
UNDECIDED = {"K8S-UNKNOWN", "K8S-TYPE", "EG-37"}
UNDECIDED_NAMES = {
    "host network not known",
    "the nodes processes",
    "a path of the node",
    "allow the clusters resolver",
    "a service that selects nothing",
    "an ingress",
    "allow a resolver with an import",
    "allow a namespace whose labels are nowhere",
    "a claim on a network file system",
    "a claim on a drivers network file system",
    "a claim on a share of a cloud",
    "an accept for a name",
    "an accept for nodes",
    "another policy accepts at the same priority",
}


def test_the_corpus_is_large_enough() -> None:
    assert len(SABOTAGE) >= 60
    assert len(BENIGN) >= 20


def needs_the_seal(name: str) -> bool:
    region = BASES["alone"].copy()
    change = SABOTAGE[name][0] if name in SABOTAGE else BENIGN[name]
    try:
        change(region)
    except KeyError as error:
        return error.args == (SEAL,)
    return False


CASES = [(name, base) for name in SABOTAGE for base in BASES if base == "layered" or not needs_the_seal(name)]
HARMLESS = [(name, base) for name in BENIGN for base in BASES if base == "layered" or not needs_the_seal(name)]


@pytest.mark.parametrize(("name", "base"), CASES)
def test_sabotage_never_passes(name: str, base: str) -> None:
    change, ids = SABOTAGE[name]
    region = BASES[base].copy()
    change(region)
    proof = prove_manifests(region.manifests(), SCOPE)
    found = [(item.id, item.reason) for item in proof.findings]
    assert proof.verdict in (Verdict.FAIL, Verdict.NOT_PROVEN), name
    assert ids & {finding.id for finding in proof.findings}, found
    if name not in UNDECIDED_NAMES and not ids & UNDECIDED:
        assert proof.verdict is Verdict.FAIL, found
    for finding in proof.findings:
        assert finding.reason
        assert any(step.startswith("change: ") for step in finding.path), finding
        if (
            finding.verdict is Verdict.FAIL
            and finding.id in ("EG-16", "EG-20", "EG-23", "K8S-UNSEALED")
            and "mounted" not in finding.reason
        ):
            assert finding.counterexample, finding
            assert {"family", "protocol", "source", "destination", "port"} <= set(finding.counterexample)


@pytest.mark.parametrize(("name", "base"), HARMLESS)
def test_a_harmless_change_still_passes(name: str, base: str) -> None:
    region = BASES[base].copy()
    BENIGN[name](region)
    proof = prove_manifests(region.manifests(), SCOPE)
    assert proof.verdict is Verdict.PASS, [(finding.id, finding.reason) for finding in proof.findings]
    assert proof.modelled
    assert proof.assumptions
    assert proof.out_of_scope


def test_without_any_named_network_private_addresses_are_undecided_and_public_ones_leak() -> None:
    region = BASES["alone"].copy()
    SABOTAGE["allow a network wider than the segment"][0](region)
    scope = Scope(namespaces=SCOPE.namespaces)
    assert prove_manifests(region.manifests(), scope).verdict is Verdict.NOT_PROVEN
    SABOTAGE["allow hidden in the gateway policy"][0](region)
    assert prove_manifests(region.manifests(), scope).verdict is Verdict.FAIL


def test_without_named_namespaces_every_namespace_of_the_manifests_is_legal() -> None:
    region = BASES["layered"].copy()
    BENIGN["a workload of another team"](region)
    proof = prove_manifests(region.manifests(), Scope(networks=SCOPE.networks))
    assert {(item.segment, item.id) for item in proof.findings} == {("web", "K8S-UNSEALED")}
