"""If these fail, the objects of a Pulumi plan are judged by another rule than the same objects in files."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from ipaddress import ip_network
from typing import Any

from curtilage.allowance import Allowance, Role
from curtilage.proof.aws import parse_plan
from curtilage.proof.kubernetes import Scope, from_plan, prove_manifests
from curtilage.verdict import Verdict

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
DENY = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def step(
    kind: str, name: str, inputs: dict[str, Any], *, op: str = "create", depends: dict[str, list[str]] | None = None
) -> dict[str, Any]:
    urn = f"urn:pulumi:fr-paris::curtilage::{kind}::{name}"
    state = {"urn": urn, "type": kind, "custom": True, "inputs": inputs, "propertyDependencies": depends or {}}
    return {"op": op, "urn": urn, "newState": state, "oldState": state}


def policy(spec: Any, namespace: Any = "legal", name: str = "deny", **more: Any) -> dict[str, Any]:
    body = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    return step("kubernetes:networking.k8s.io/v1:NetworkPolicy", name, body, **more)


SPACE = step("kubernetes:core/v1:Namespace", "legal", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "legal"}})


def proved(*steps: dict[str, Any], scope: Scope | None = None) -> Any:
    return prove_manifests(from_plan(parse_plan({"steps": list(steps)})), scope)


def test_a_sealed_plan_passes_and_one_with_an_opening_fails() -> None:
    assert proved(SPACE, policy(DENY)).verdict is Verdict.PASS
    found = proved(SPACE, policy(DENY), policy({**DENY, "egress": [{}]}, name="more"))
    assert found.verdict is Verdict.FAIL
    assert any("urn:pulumi" in step for step in found.findings[0].path)


def test_a_policy_that_the_plan_deletes_does_not_count() -> None:
    assert proved(SPACE, policy(DENY, op="delete")).verdict is Verdict.FAIL


def test_what_the_plan_does_not_know_is_undecided_and_named() -> None:
    for spec in (
        UNKNOWN,
        {"podSelector": UNKNOWN, "policyTypes": ["Egress"]},
        {**DENY, "egress": UNKNOWN},
        {**DENY, "policyTypes": UNKNOWN},
    ):
        found = proved(SPACE, policy(spec))
        assert found.verdict is Verdict.NOT_PROVEN, spec
        assert "K8S-UNKNOWN" in {item.id for item in found.findings}


def test_a_namespace_known_by_its_dependency_alone_is_followed() -> None:
    depends = {"metadata": [SPACE["urn"]]}
    assert proved(SPACE, policy(DENY, namespace=UNKNOWN, depends=depends)).verdict is Verdict.PASS
    assert proved(SPACE, policy(DENY, namespace=UNKNOWN)).verdict is not Verdict.PASS


def test_a_release_that_shows_no_objects_is_undecided() -> None:
    chart = step("kubernetes:helm.sh/v3:Release", "monitoring", {"chart": "x", "namespace": "legal", "name": "m"})
    found = proved(SPACE, policy(DENY), chart)
    assert found.verdict is Verdict.NOT_PROVEN


def test_a_patch_of_an_object_elsewhere_is_undecided() -> None:
    body = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "x", "namespace": "legal"}, "spec": DENY}
    patch = step("kubernetes:networking.k8s.io/v1:NetworkPolicyPatch", "x", {**body, "kind": "NetworkPolicyPatch"})
    assert proved(SPACE, policy(DENY), patch).verdict is Verdict.NOT_PROVEN


def test_an_exported_state_is_judged_by_what_is_there() -> None:
    state = SPACE["newState"]
    there = {**policy(DENY)["newState"]}
    there["outputs"] = {**there["inputs"], "spec": {**DENY, "egress": [{}]}, "status": {}}
    document = {"deployment": {"resources": [state, there]}}
    assert prove_manifests(from_plan(parse_plan(document))).verdict is Verdict.FAIL


ALLOWANCE = Allowance(
    id="time", destination=ip_network("203.0.113.0/28"), protocol="udp", ports=(123,), from_role=Role.GPU, owner="Operations",
    reason="the appliance keeps time", expires=date(2999, 1, 1),
)  # fmt: skip


def test_an_allowance_opens_its_own_destination_for_its_own_role_and_is_reported_when_unused() -> None:
    scope = Scope(namespaces=("legal-models",), networks=(ip_network("10.244.0.0/16"),), allowances=(ALLOWANCE,))
    opening = {"to": [{"ipBlock": {"cidr": "203.0.113.0/28"}}], "ports": [{"protocol": "UDP", "port": 123}]}
    used = proved(policy({**DENY, "egress": [opening]}, namespace="legal-models"), scope=scope)
    assert (used.verdict, used.allowances) == (Verdict.PASS, {"time": True})
    unused = proved(policy(DENY, namespace="legal-models"), scope=scope)
    assert (unused.verdict, unused.document()["unused_allowances"]) == (Verdict.PASS, ["time"])
    wider = {"to": [{"ipBlock": {"cidr": "203.0.113.0/27"}}], "ports": [{"protocol": "UDP", "port": 123}]}
    assert proved(policy({**DENY, "egress": [wider]}, namespace="legal-models"), scope=scope).verdict is Verdict.FAIL
    other = replace(scope, namespaces=("legal-gateway",))
    assert proved(policy({**DENY, "egress": [opening]}, namespace="legal-gateway"), scope=other).verdict is Verdict.FAIL
