"""If this fails, someone with every right in a cluster opens a region and nobody is told: Pulumi's refresh does not see these.

Each is made against the real API server, after its admission binding was taken away; the audit of live objects has to name it, and to be
content again once it is undone. The first eight are in fields or objects that the plan leaves out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from curtilage.drift import of_events
from curtilage.engine import Engine
from curtilage.live.kubernetes import audit_cluster
from curtilage.region import load_region
from curtilage.verdict import Verdict
from lab.kubernetes.cluster import LabCluster
from lab.providers.kube_api import Cluster

Item = dict[str, Any]
NET = "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies/{}"
DENY, VLLM, GATEWAY = (
    NET.format(*item) for item in (("legal-models", "default-deny"), ("legal-models", "vllm"), ("legal-gateway", "gateway"))
)
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/"
ANYWHERE = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}
OPENINGS: dict[str, tuple[str, Callable[[Item], object]]] = {
    "egress where the plan says nothing": (DENY, lambda p: p["spec"].update(egress=[{}])),
    "a rule appended": (GATEWAY, lambda p: p["spec"]["egress"].append(ANYWHERE)),
    "a peer appended": (GATEWAY, lambda p: p["spec"]["egress"][0]["to"].append({"ipBlock": {"cidr": "203.0.113.0/24"}})),
    "a selector narrowed": (DENY, lambda p: p["spec"].update(podSelector={"matchLabels": {"nobody": "has-this"}})),
    "ingress opened": (VLLM, lambda p: p["spec"]["ingress"].append({})),
    "an image approved by hand": (
        "/api/v1/namespaces/legal-admission/configmaps/approved-images",
        lambda p: p["data"].update(images=p["data"]["images"] + "\nregistry.legal.internal/x@sha256:" + "e" * 64),
    ),
    "admission told to spare someone": (
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/legal-pods-sealed",
        lambda p: p["spec"].update(matchConditions=[{"name": "spare", "expression": "request.userInfo.username != 'mallory'"}]),
    ),
    "a quota lifted": ("/api/v1/namespaces/legal-admission/resourcequotas/ceiling", lambda p: p["spec"]["hard"].update(pods="5")),
    "one direction left": (DENY, lambda p: p["spec"].update(policyTypes=["Ingress"])),
}
ADDED: dict[str, tuple[str, Item]] = {
    "one more policy": (
        NET.format("legal-models", ""),
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "more", "namespace": "legal-models"},
            "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
        },
    ),
    "a right to open": (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/legal-models/rolebindings/",
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "more", "namespace": "legal-models"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "mallory"}],
        },
    ),
}


@pytest.fixture(autouse=True)
def context(cluster: LabCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))


def heard() -> tuple[Verdict, set[str]]:
    """The verdict, and the findings beside the binding that this file itself took away."""
    found = audit_cluster(load_region("lab-k8s"))
    return found.verdict, {str(item) for item in found.document()["findings"] if "legal-policies-stay-shut" not in str(item)}


@pytest.mark.parametrize("name", OPENINGS)
def test_an_opening_in_an_object_of_the_region_is_found(open_door: Cluster, name: str) -> None:
    path, change = OPENINGS[name]
    assert heard()[1] == set()
    before = open_door.call("GET", path)
    after = copy.deepcopy(before)
    change(after)
    open_door.call("PUT", path, after)
    try:
        verdict, found = heard()
    finally:
        now = open_door.call("GET", path)
        open_door.call("PUT", path, {**before, "metadata": {**before["metadata"], "resourceVersion": now["metadata"]["resourceVersion"]}})
    assert verdict is Verdict.FAIL
    assert any(before["metadata"]["name"] in item for item in found), found
    assert heard()[1] == set(), "undone, it is content again"


@pytest.mark.parametrize("name", ADDED)
def test_an_object_that_the_plan_does_not_hold_is_found(open_door: Cluster, name: str) -> None:
    path, item = ADDED[name]
    open_door.call("POST", path.rstrip("/"), item)
    try:
        verdict, found = heard()
    finally:
        open_door.call("DELETE", path.rstrip("/") + "/more")
    assert verdict is Verdict.FAIL
    assert found


def test_a_refresh_does_not_see_what_the_audit_sees(open_door: Cluster, engine: Engine) -> None:
    before = open_door.call("GET", DENY)
    opened = copy.deepcopy(before)
    opened["spec"]["egress"] = [{}]
    open_door.call("PUT", DENY, opened)
    try:
        drift = [item for item in of_events(engine.refreshed()) if item.type.endswith(":NetworkPolicy")]
        assert drift == []
        assert heard()[0] is Verdict.FAIL
    finally:
        now = open_door.call("GET", DENY)
        open_door.call("PUT", DENY, {**before, "metadata": {**before["metadata"], "resourceVersion": now["metadata"]["resourceVersion"]}})
