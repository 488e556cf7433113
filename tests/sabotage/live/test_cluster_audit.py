"""If these fail, a cluster that was opened by hand is called sealed, or what could not be read is passed over in silence.

The openings are those that a Pulumi refresh was measured not to see, and those it sees. Each is made in a cluster built of the region's own
objects, through the very bytes that an API server would send.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from typer.testing import CliRunner

from curtilage.commands.verify import app
from curtilage.derive.kubernetes.manifests import manifests
from curtilage.errors import ConfigError
from curtilage.kubeconfig import Context, context_of
from curtilage.live.kube_client import KubeClient
from curtilage.live.kube_read import DERIVED
from curtilage.live.kube_wanted import LOCKS
from curtilage.live.kubernetes import audit_cluster
from curtilage.live.report import LiveAudit
from curtilage.paths import CHECKOUT
from curtilage.region import Region, load_region
from curtilage.verdict import Verdict
from tests.sabotage.live.kube_server import Cluster, serving

REGION = load_region("fr-paris")
SPACES = ("legal-gateway", "legal-models", "legal-evidence")


def sealed(region: Region = REGION) -> Cluster:
    """The region's objects, and what a cluster and its controllers have beside them."""
    cluster = Cluster()
    for items in manifests(region).values():
        for item in items:
            cluster.put(item)
    for name in ("default", "kube-system", "kube-public", "monitoring"):
        cluster.put(thing("v1", "Namespace", name))
    for name in (*SPACES, "legal-admission", "kube-system"):
        cluster.put(thing("v1", "ConfigMap", "kube-root-ca.crt", name, data={"ca.crt": "x"}))
        cluster.put(thing("v1", "ServiceAccount", "default", name))
        cluster.put(thing("v1", "Secret", "key", name, data={"token": "bmV2ZXIgcmVhZA=="}))
    for group, resource in (("apps", "StatefulSet"), ("apps", "Deployment")):
        for key, owner in list(cluster.objects.items()):
            if key[:2] == (group, resource):
                cluster.put(running(owner))
            if key[:2] == ("apps", "Deployment") and resource == "Deployment":
                cluster.put(
                    thing("apps/v1", "ReplicaSet", f"{key[3]}-5d8", key[2], spec={"replicas": 1, "template": owner["spec"]["template"]})
                )
    for key in [key for key in cluster.objects if key[1] == "Service"]:
        # What the endpoint controllers make of each service: addresses of its pods, which are the segment's own.
        address = str(region.segment.ipv4[77])
        made = thing(
            "discovery.k8s.io/v1", "EndpointSlice", f"{key[3]}-x1", key[2], addressType="IPv4", endpoints=[{"addresses": [address]}]
        )
        made["metadata"]["labels"] = {
            "kubernetes.io/service-name": key[3],
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        }
        cluster.put(made | {"ports": [{"name": "https", "port": 8443, "protocol": "TCP"}]})
        cluster.put(thing("v1", "Endpoints", key[3], key[2], subsets=[{"addresses": [{"ip": address}], "ports": [{"port": 8443}]}]))
    node_pod = {"hostNetwork": True, "containers": [{"name": "agent", "image": "x", "securityContext": {"privileged": True}}]}
    cluster.put(thing("v1", "Pod", "cni-1", "kube-system", spec=node_pod))
    cluster.put(thing("v1", "ConfigMap", "coredns", "kube-system", data={"Corefile": ".:53 {\n  forward . /etc/resolv.conf\n}\n"}))
    cluster.put(binding("cluster-admin", "cluster-admin", {"kind": "Group", "name": "system:masters"}))
    cluster.put(role("cluster-admin", ["*"], ["*"], ["*"]))
    cluster.put(binding("system:controller:x", "cluster-admin", {"kind": "ServiceAccount", "name": "x", "namespace": "kube-system"}))
    cluster.put(thing("apiregistration.k8s.io/v1", "APIService", "v1.apps", spec={"group": "apps", "version": "v1"}))
    return cluster


def thing(version: str, kind: str, name: str, namespace: str = "", /, **parts: Any) -> dict[str, Any]:
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version, "kind": kind, "metadata": meta, **parts}


def running(owner: dict[str, Any]) -> dict[str, Any]:
    template = owner["spec"]["template"]
    meta = owner["metadata"]
    found = thing("v1", "Pod", f"{meta['name']}-0", meta["namespace"], spec=template["spec"], status={"phase": "Running"})
    found["metadata"] |= {"labels": {**template["metadata"]["labels"], "controller-revision-hash": "x-1"}}
    found["metadata"] |= {"ownerReferences": [{"kind": owner["kind"], "name": meta["name"], "controller": True}]}
    return found


def role(name: str, groups: list[str], resources: list[str], verbs: list[str]) -> dict[str, Any]:
    rules = [{"apiGroups": groups, "resources": resources, "verbs": verbs}]
    return thing("rbac.authorization.k8s.io/v1", "ClusterRole", name, rules=rules)


def binding(name: str, of: str, subject: dict[str, Any], namespace: str = "") -> dict[str, Any]:
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    return thing("rbac.authorization.k8s.io/v1", kind, name, namespace, roleRef={"kind": "ClusterRole", "name": of}, subjects=[subject])


@pytest.fixture
def cluster() -> Cluster:
    return sealed()


@pytest.fixture
def audit(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., LiveAudit]]:
    with serving(cluster, tmp_path, "fr-paris-legal") as config:
        monkeypatch.setenv("KUBECONFIG", str(config))
        yield lambda **more: audit_cluster(REGION, **more)


def test_a_sealed_cluster_passes_and_nothing_but_reading_was_done(cluster: Cluster, audit: Callable[..., LiveAudit]) -> None:
    cluster.page = 3
    found = audit()
    assert found.verdict is Verdict.PASS, found.text()
    assert cluster.methods == {"GET"}
    assert any(token for _, token in cluster.calls), "lists came in pages"
    assert not [path for path, _ in cluster.calls if path.endswith(("/secrets", "/events"))], "no secret is read"
    spaces = {path.split("/")[4] for path, _ in cluster.calls if path.endswith("/configmaps")}
    assert spaces == {*SPACES, "legal-admission"}, "configuration of others is nobody's business here"
    wanted = sum(len(items) for items in manifests(REGION).values())
    assert sum(found.read.values()) > wanted
    assert "ServiceAccount:kube-system/x" in "".join(found.assumptions)
    assert json.loads(orjson.dumps(found.document(), default=str))["verdict"] == "PASS"


def test_the_cluster_of_a_region_on_aws_is_audited_by_the_context_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    region = load_region("de-frankfurt")
    cluster = sealed(region)
    with serving(cluster, tmp_path, "frankfurt") as config:
        monkeypatch.setenv("KUBECONFIG", str(config))
        found = audit_cluster(region, context="frankfurt")
        assert found.verdict is Verdict.PASS, found.text()
        cluster.get("NetworkPolicy", "default-deny", "legal-models")["spec"]["egress"] = [{}]
        assert audit_cluster(region, context="frankfurt").verdict is Verdict.FAIL
        with pytest.raises(ConfigError, match="is in no kubeconfig"):
            audit_cluster(region)


def test_the_role_that_the_documentation_gives_the_auditor_opens_nothing(cluster: Cluster, audit: Callable[..., LiveAudit]) -> None:
    page = (CHECKOUT / "docs" / "live-audit.md").read_text()
    given = yaml.safe_load(page.split("```yaml")[1].split("```")[0])
    assert not [rule for rule in given["rules"] if "secrets" in rule["resources"] or ("" in rule["apiGroups"] and "*" in rule["resources"])]
    groups = {group for rule in given["rules"] for group in rule["apiGroups"]}
    assert {group for group, _ in DERIVED} <= groups, "it may list what the audit reads"
    cluster.put(given)
    cluster.put(binding("auditors", given["metadata"]["name"], {"kind": "Group", "name": "live-auditors"}))
    assert audit().verdict is Verdict.PASS


Change = Callable[[Cluster], None]
ANY = {"to": [{"ipBlock": {"cidr": "198.51.100.0/24"}}]}


@dataclass(frozen=True)
class Opening:
    """A change by hand, and the segment it opens."""

    name: str
    change: Change
    segment: str


def _policy(name: str, space: str, edit: Callable[[dict[str, Any]], Any]) -> Change:
    return lambda cluster: edit(cluster.get("NetworkPolicy", name, space)["spec"]) and None


def _labelled(cluster: Cluster) -> None:
    """A namespace of someone else's takes the segment's label: its pods become peers, and stand outside."""
    space = thing("v1", "Namespace", "attic")
    space["metadata"]["labels"] = {"curtilage.dev/segment": "legal"}
    cluster.put(space)
    cluster.get("NetworkPolicy", "gateway", "legal-gateway")["spec"]["egress"].append(
        {"to": [{"namespaceSelector": {"matchLabels": {"curtilage.dev/segment": "legal"}}, "podSelector": {}}]}
    )


def _admin_rule(cluster: Cluster) -> None:
    rules = cluster.get("ClusterNetworkPolicy", "legal-seal")["spec"]["egress"]
    rules.insert(0, {"name": "open", "action": "Accept", "to": [{"networks": ["0.0.0.0/0"]}]})


OPENINGS = (
    Opening(
        "egress opened where the program omits it",
        _policy("default-deny", "legal-models", lambda s: s.update(egress=[{}]) or 1),
        "legal-models",
    ),
    Opening("a rule appended", _policy("gateway", "legal-gateway", lambda s: s["egress"].append(ANY) or 1), "legal-gateway"),
    Opening("a rule prepended", _policy("gateway", "legal-gateway", lambda s: s["egress"].insert(0, ANY) or 1), "legal-gateway"),
    Opening(
        "a peer appended to a rule",
        _policy("gateway", "legal-gateway", lambda s: s["egress"][0]["to"].append({"ipBlock": {"cidr": "2001:db8::/32"}}) or 1),
        "legal-gateway",
    ),
    Opening(
        "a label added to a selector",
        _policy("default-deny", "legal-evidence", lambda s: s["podSelector"].update(matchLabels={"x": "y"}) or 1),
        "legal-evidence",
    ),
    Opening(
        "a value changed",
        _policy("gateway", "legal-gateway", lambda s: s["egress"][0].update(to=[{"ipBlock": {"cidr": "0.0.0.0/0"}}]) or 1),
        "legal-gateway",
    ),
    Opening(
        "a policy type removed", _policy("default-deny", "legal-models", lambda s: s.update(policyTypes=["Ingress"]) or 1), "legal-models"
    ),
    Opening("a policy deleted", lambda c: c.delete("NetworkPolicy", "default-deny", "legal-gateway"), "legal-gateway"),
    Opening("a policy added by hand", lambda c: c.put(_extra()) and None, "legal-models"),
    Opening("a namespace labelled as the segment's", _labelled, "attic"),
    Opening("a rule before the admin tier's denials", _admin_rule, "legal-models"),
    Opening("a pod in its node's network", lambda c: c.put(_host_pod()) and None, "legal-models"),
    Opening("a service that is an alias for a name outside", lambda c: c.put(_alias()) and None, "legal-gateway"),
)


def _extra() -> dict[str, Any]:
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": "203.0.113.7/32"}}]}]}
    return thing("networking.k8s.io/v1", "NetworkPolicy", "debugging", "legal-models", spec=spec)


def _host_pod() -> dict[str, Any]:
    return thing("v1", "Pod", "debug", "legal-models", spec={"hostNetwork": True, "containers": [{"name": "a", "image": "x"}]})


def _alias() -> dict[str, Any]:
    return thing("v1", "Service", "outside", "legal-gateway", spec={"type": "ExternalName", "externalName": "api.example.com"})


@pytest.mark.parametrize("opening", OPENINGS, ids=lambda item: item.name)
def test_each_opening_made_by_hand_is_found_with_its_packet(opening: Opening, cluster: Cluster, audit: Callable[..., LiveAudit]) -> None:
    opening.change(cluster)
    found = audit()
    assert found.verdict is Verdict.FAIL
    shown = [item for item in found.findings if item.verdict is Verdict.FAIL and item.segment == opening.segment and item.counterexample]
    assert shown, found.text()
    packet = shown[0].counterexample or {}
    assert packet["destination"]
    said = " ".join(shown[0].path)
    assert "/api" in said or "no NetworkPolicy with policyTypes" in said, "the live object is named by its address, or that there is none"


ADMISSION = "ValidatingAdmissionPolicy"
LOCK_CHANGES: tuple[tuple[str, Change, str], ...] = (
    (
        "a key added to the list of images",
        lambda c: c.get("ConfigMap", "approved-images", "legal-admission")["data"].update(x="y"),
        "data.x",
    ),
    ("an admission binding deleted", lambda c: c.delete(f"{ADMISSION}Binding", "legal-pods-sealed"), "legal-pods-sealed is not there"),
    ("an admission policy deleted", lambda c: c.delete(ADMISSION, "legal-no-relay"), "legal-no-relay is not there"),
    (
        "an admission binding that audits only",
        lambda c: c.get(f"{ADMISSION}Binding", "legal-pods-sealed")["spec"].update(validationActions=["Audit"]),
        "spec.validationActions",
    ),
    (
        "a condition added to an admission policy",
        lambda c: c.get(ADMISSION, "legal-pods-sealed")["spec"].update(matchConditions=[{"name": "never", "expression": "false"}]),
        "spec.matchConditions",
    ),
    (
        "an admission policy that fails open",
        lambda c: c.get(ADMISSION, "legal-pods-sealed")["spec"].update(failurePolicy="Ignore"),
        "spec.failurePolicy",
    ),
    (
        "objects excluded from an admission policy",
        lambda c: c.get(ADMISSION, "legal-pods-sealed")["spec"]["matchConstraints"].update(objectSelector={"matchLabels": {"a": "b"}}),
        "objectSelector",
    ),
    (
        "a label taken from a namespace",
        lambda c: c.get("Namespace", "legal-models")["metadata"]["labels"].pop("curtilage.dev/segment"),
        "labels",
    ),
    (
        "pod security loosened",
        lambda c: c.get("Namespace", "legal-models")["metadata"]["labels"].update({"pod-security.kubernetes.io/enforce": "privileged"}),
        "pod-security",
    ),
    ("a right added to a role", lambda c: c.get("ClusterRole", "legal-operator")["rules"].append({"verbs": ["*"]}), "rules has"),
    (
        "a subject added to a binding",
        lambda c: c.get("RoleBinding", "legal-releaser", "legal-models")["subjects"].append({"kind": "User", "name": "x"}),
        "subjects has",
    ),
    (
        "an image approved by hand",
        lambda c: c.get("ConfigMap", "approved-images", "legal-admission")["data"].update(
            images="registry.example.com/x@sha256:" + "a" * 64
        ),
        "data.images has another value",
    ),
    ("a quota raised", lambda c: c.get("ResourceQuota", "ceiling", "legal-admission")["spec"]["hard"].update(pods="5"), "spec.hard.pods"),
    ("the admin tier's policy deleted", lambda c: c.delete("ClusterNetworkPolicy", "legal-seal"), "legal-seal is not there"),
)


@pytest.mark.parametrize(("name", "change", "said"), LOCK_CHANGES, ids=[item[0] for item in LOCK_CHANGES])
def test_each_lock_that_is_missing_or_changed_is_a_finding(
    name: str, change: Change, said: str, cluster: Cluster, audit: Callable[..., LiveAudit]
) -> None:
    change(cluster)
    found = audit()
    assert found.verdict is Verdict.FAIL, name
    assert any(said in item.reason for item in found.findings if item.verdict is Verdict.FAIL), found.text()


def test_every_single_lock_is_missed_when_it_is_deleted(cluster: Cluster, audit: Callable[..., LiveAudit]) -> None:
    locks = [
        (item["kind"], item["metadata"]["name"], item["metadata"].get("namespace", ""))
        for items in manifests(REGION).values()
        for item in items
        if (item["apiVersion"].rpartition("/")[0], item["kind"]) in LOCKS
    ]
    assert len(locks) > 40
    for kind, name, space in locks:
        cluster.delete(kind, name, space)
    found = audit()
    missed = [item.reason for item in found.findings if item.id == "LIVE-MISSING" and item.verdict is Verdict.FAIL]
    assert len(missed) == len(locks)


def test_amounts_that_a_server_writes_its_own_way_are_no_drift_and_other_amounts_are(
    cluster: Cluster, audit: Callable[..., LiveAudit]
) -> None:
    hard = cluster.get("ResourceQuota", "ceiling", "legal-models")["spec"]["hard"]
    name = next(key for key in hard if key.startswith("requests.cpu") or key.endswith("pods"))
    number = hard[name]
    hard[name] = f"{int(number) * 1000}m"
    assert audit().verdict is Verdict.PASS
    hard[name] = str(int(number) + 1)
    assert audit().verdict is Verdict.FAIL


def test_a_workload_that_is_missing_or_has_another_container_is_not_proven(cluster: Cluster, audit: Callable[..., LiveAudit]) -> None:
    cluster.get("StatefulSet", "gateway", "legal-gateway")["spec"]["template"]["spec"]["containers"].append({"name": "b", "image": "x"})
    cluster.get("StatefulSet", "gateway", "legal-gateway")["spec"]["replicas"] = 9
    cluster.delete("Service", "gateway", "legal-gateway")
    found = audit()
    assert found.verdict is Verdict.NOT_PROVEN, found.text()
    reasons = " ".join(item.reason for item in found.findings)
    assert "containers has 2 entries" in reasons or "containers has 3 entries" in reasons
    assert "Service legal-gateway/gateway is not there" in reasons
    assert "replicas" not in reasons, "how many there are is a controller's own"


ADMISSION_API = "admissionregistration.k8s.io"


def named(group: str, resource: str, verbs: list[str], name: str) -> dict[str, Any]:
    """A role for one object alone."""
    given = role("more", [group], [resource], verbs)
    given["rules"][0]["resourceNames"] = [name]
    return given


RIGHTS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("write policies everywhere", role("more", ["networking.k8s.io"], ["networkpolicies"], ["patch"]), ""),
    ("do everything everywhere", role("more", ["*"], ["*"], ["*"]), ""),
    ("change admission bindings", role("more", ["admissionregistration.k8s.io"], ["*"], ["delete"]), ""),
    ("run commands in pods of the segment", role("more", [""], ["pods/*"], ["create"]), "legal-models"),
    ("write the list of images", role("more", [""], ["configmaps"], ["update"]), "legal-admission"),
    ("write one policy by its name", named("networking.k8s.io", "networkpolicies", ["patch"], "default-deny"), "legal-models"),
    ("change one admission policy by its name", named(ADMISSION_API, "validatingadmissionpolicies", ["update"], "legal-pods-sealed"), ""),
    ("give themselves one role by its name", named("rbac.authorization.k8s.io", "clusterroles", ["bind"], "cluster-admin"), ""),
    ("run commands in one pod by its name", named("", "pods/exec", ["create"], "vllm-0"), "legal-models"),
    ("approve certificates", role("more", ["certificates.k8s.io"], ["certificatesigningrequests/approval"], ["update"]), ""),
    ("read keys", role("more", [""], ["secrets"], ["list"]), ""),
    ("act as others", role("more", [""], ["users"], ["impersonate"]), ""),
)


@pytest.mark.parametrize(("what", "given", "space"), RIGHTS, ids=[item[0] for item in RIGHTS])
def test_whoever_else_may_open_the_seal_is_named(
    what: str, given: dict[str, Any], space: str, cluster: Cluster, audit: Callable[..., LiveAudit]
) -> None:
    cluster.put(given)
    cluster.put(binding("mine", "more", {"kind": "User", "name": "someone"}, space))
    found = audit()
    assert found.verdict is Verdict.FAIL, what
    assert [item.id for item in found.findings] == ["EG-31"]
    assert "User:someone may" in found.findings[0].reason
    answered = audit(administrators=("User:someone",))
    assert answered.verdict is Verdict.PASS
    assert "User:someone" in "".join(answered.assumptions)


@pytest.mark.parametrize(
    "given",
    [
        role("more", ["networking.k8s.io"], ["networkpolicies"], ["get", "list", "watch"]),
        role("more", ["apps"], ["*"], ["*"]),
        thing("rbac.authorization.k8s.io/v1", "ClusterRole", "more", rules=None),
    ],
    ids=["who only reads policies", "who writes deployments", "who may do nothing"],
)
def test_who_may_not_open_it_is_no_finding(given: dict[str, Any], cluster: Cluster, audit: Callable[..., LiveAudit]) -> None:
    cluster.put(given)
    cluster.put(thing("v1", "Namespace", "attic"))
    cluster.put(binding("mine", "more", {"kind": "User", "name": "someone"}))
    cluster.put(binding("theirs", "cluster-admin", {"kind": "User", "name": "someone-else"}, "attic"))
    assert audit().verdict is Verdict.PASS


UNREAD: tuple[tuple[str, Change, str], ...] = (
    ("a list is forbidden", lambda c: c.refused.update({"/apis/networking.k8s.io/v1/networkpolicies": 403}), "networkpolicies"),
    ("rights may not be listed", lambda c: c.refused.update({"/apis/rbac.authorization.k8s.io/v1/rolebindings": 403}), "rolebindings"),
    ("the pods' list fails", lambda c: c.refused.update({"/api/v1/pods": 500}), "/api/v1/pods"),
    ("a group's kinds are not told", lambda c: c.refused.update({"/apis/networking.k8s.io/v1": 503}), "networking.k8s.io/v1"),
    ("a kind that every cluster has is not served", lambda c: c.served.pop(("", "Pod")) and None, "kind Pod of core"),
    ("discovery is refused", lambda c: c.refused.update({"/apis": 403}), "discovery is refused"),
    (
        "a kind that nobody knows stands in the segment",
        lambda c: c.put(thing("mesh.example.com/v1", "Tunnel", "t", "legal-models")) and None,
        "kind Tunnel of mesh.example.com/v1 is not modelled",
    ),
    (
        "a kind that nobody knows stands over the cluster",
        lambda c: c.put(thing("mesh.example.com/v1", "EgressRoute", "t")) and None,
        "kind EgressRoute of mesh.example.com/v1",
    ),
    (
        "a webhook rewrites objects",
        lambda c: c.put(thing("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "w", webhooks=[])) and None,
        "it rewrites objects",
    ),
)


@pytest.mark.parametrize(("name", "change", "said"), UNREAD, ids=[item[0] for item in UNREAD])
def test_what_cannot_be_read_or_followed_is_never_passed_over(
    name: str, change: Change, said: str, cluster: Cluster, audit: Callable[..., LiveAudit]
) -> None:
    change(cluster)
    found = audit()
    assert found.verdict is not Verdict.PASS, name
    assert any(said in item.reason and item.verdict is Verdict.NOT_PROVEN for item in found.findings), found.text()


def test_a_list_that_breaks_off_between_two_pages_is_not_read(cluster: Cluster, audit: Callable[..., LiveAudit]) -> None:
    cluster.page, cluster.broken_after = 4, 4
    found = audit()
    assert found.verdict is not Verdict.PASS
    assert any("it was not read to its end" in item.reason for item in found.findings)


@pytest.mark.parametrize(
    ("where", "answer", "said"),
    [
        ("/api/v1/pods", {"kind": "PodList", "items": []}, "no list"),
        ("/api/v1/pods", {"kind": "Status", "metadata": {}, "items": []}, "no list"),
        ("/api/v1/pods", {"kind": "PodList", "metadata": {}, "items": ["x"]}, "no object"),
        ("/api/v1/pods", {"kind": "PodList", "metadata": {"remainingItemCount": 3}, "items": []}, "3 items are left"),
        ("/apis/apps/v1", {"resources": None}, "was not told"),
        ("/apis/apps/v1", {"resources": [{"name": "x", "kind": 5}]}, "a form that is not known"),
        ("/apis", {"groups": [{"versions": []}]}, "a group without a name"),
    ],
    ids=["no metadata", "another kind", "no objects", "a rest", "no kinds", "half a kind", "half a group"],
)
def test_an_answer_of_another_form_is_not_read_as_an_empty_one(
    where: str, answer: dict[str, Any], said: str, cluster: Cluster, audit: Callable[..., LiveAudit]
) -> None:
    cluster.answers[where] = answer
    found = audit()
    assert found.verdict is not Verdict.PASS
    assert any(said in item.reason for item in found.findings), found.text()


def test_a_cluster_that_does_not_answer_is_not_proven(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(cluster, tmp_path, "fr-paris-legal") as config:
        monkeypatch.setenv("KUBECONFIG", str(config))
    result = CliRunner().invoke(app, ["fr-paris", "--json"])
    assert result.exit_code == 3
    document = orjson.loads(result.stdout)
    assert document["verdict"] == "NOT_PROVEN"
    assert document["audits"]["kubernetes"]["findings"][0]["id"] == "LIVE-UNREAD"


def test_the_command_prints_one_document_and_its_exit_code_is_the_verdicts(cluster: Cluster, audit: Callable[..., LiveAudit]) -> None:
    passed = CliRunner().invoke(app, ["fr-paris", "--json"])
    assert passed.exit_code == 0, passed.output
    assert orjson.loads(passed.stdout)["audits"]["kubernetes"]["not_run"], "what is not tested is said beside PASS"
    cluster.delete("NetworkPolicy", "default-deny", "legal-models")
    failed = CliRunner().invoke(app, ["fr-paris"])
    assert failed.exit_code == 1
    assert "packet: " in failed.stdout


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"server": "http://127.0.0.1:1"}, "HTTPS"),
        ({"insecure-skip-tls-verify": True}, "certificate is checked"),
        ({"proxy-url": "http://127.0.0.1:2"}, "directly"),
        ({"certificate-authority-data": "bm90IGEgY2VydGlmaWNhdGU="}, "PEM"),
    ],
)
def test_a_way_in_that_proves_nothing_is_refused(part: dict[str, Any], said: str) -> None:
    cluster = {"server": "https://127.0.0.1:1", **part}
    with pytest.raises(ConfigError, match=said):
        KubeClient(Context(name="c", server=cluster["server"], cluster=cluster, user={}))


def test_the_default_context_is_never_used_and_wrong_credentials_are_refused(
    cluster: Cluster, audit: Callable[..., LiveAudit], tmp_path: Path
) -> None:
    config = tmp_path / "kubeconfig"
    text = config.read_text()
    with pytest.raises(ConfigError, match="--context another"):
        audit(context="another")
    config.write_text(text.replace("an-auditor", "somebody-else"))
    with pytest.raises(ConfigError, match="no such user"):
        audit()
    config.write_text(text.replace("fr-paris-legal", "elsewhere"))
    with pytest.raises(ConfigError, match="is in no kubeconfig"):
        audit()


def test_a_login_command_gives_the_token_and_what_it_says_on_failure_is_not_repeated(
    cluster: Cluster, audit: Callable[..., LiveAudit], tmp_path: Path
) -> None:
    config = tmp_path / "kubeconfig"
    chosen = context_of("fr-paris-legal")
    credential = json.dumps({"status": {"token": "an-auditor"}})
    login = {"apiVersion": "client.authentication.k8s.io/v1", "command": "printf", "args": ["%s", credential]}
    assert KubeClient(Context(name="c", server=chosen.server, cluster=chosen.cluster, user={"exec": login})).get("/api")["versions"] == [
        "v1"
    ]
    broken = {**login, "command": "sh", "args": ["-c", "echo hush-hush >&2; exit 3"]}
    with pytest.raises(ConfigError) as told:
        KubeClient(Context(name="c", server=chosen.server, cluster=chosen.cluster, user={"exec": broken}))
    assert "hush-hush" not in str(told.value)
    assert config.is_file()
