"""If this fails, the API server lets an object in that opens the segment, whoever made it, or refuses one that it needs.

Every request is a dry run as a person with every right in the cluster (cluster-admin), so that admission alone stands between. What an
operator, a releaser or an auditor may even ask is decided by roles, in the last tests.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from curtilage.engine import Engine
from lab.kubernetes.cluster import LabCluster
from lab.providers.kube_api import ApiError, Cluster

Item = dict[str, Any]
Change = Callable[[Item], object]
ADMIN = {"Impersonate-User": "platform-admin", "Impersonate-Group": "platform-admins"}
BY = ("denied request", "violates PodSecurity", "disallowed by cluster policy")


QUOTA = "/api/v1/namespaces/legal-models/resourcequotas/ceiling"


def hard(api: Cluster, cards: int) -> None:
    """The ceiling of cards, as the cluster's administrator sets it; the quota controller has to have seen it."""
    api.call("PATCH", QUOTA, {"spec": {"hard": {"requests.nvidia.com/gpu": str(cards)}}}, "application/merge-patch+json")
    for _ in range(100):
        if api.call("GET", QUOTA)["status"]["hard"]["requests.nvidia.com/gpu"] == str(cards):
            return
        time.sleep(0.1)
    raise AssertionError("the quota controller did not see it")


@pytest.fixture(scope="module")
def room(cluster: LabCluster, engine: Engine) -> Iterator[None]:
    """Room for one pod more, which the region's own ceiling leaves none for, and a runtime class that exists."""
    api = cluster.client()
    runtime = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "kata"}, "handler": "kata"}
    api.call("POST", "/apis/node.k8s.io/v1/runtimeclasses", runtime)
    hard(api, 5)
    yield
    hard(api, 4)
    api.call("DELETE", "/apis/node.k8s.io/v1/runtimeclasses/kata")


@pytest.fixture(scope="module")
def administrators(cluster: LabCluster, engine: Engine) -> Iterator[None]:
    """A group with every right, as platform teams have one; the live audit rightly names it, so it goes again."""
    api, where = cluster.client(), "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "platform-admins"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "platform-admins"}],
    }
    api.call("POST", where, binding)
    yield
    api.call("DELETE", f"{where}/platform-admins")


@pytest.fixture
def admin(api: Cluster, administrators: None) -> Cluster:
    api.impersonate = ADMIN
    return api


def pod_of(api: Cluster, namespace: str, label: str) -> Item:
    """A pod as its controller would make it once more."""
    listed = api.call("GET", f"/api/v1/namespaces/{namespace}/pods")["items"]
    live = next(item for item in listed if item["metadata"]["labels"]["app.kubernetes.io/name"] == label)
    meta = live["metadata"]
    keep = {"namespace": namespace, "generateName": "once-more-", "labels": meta["labels"], "ownerReferences": meta["ownerReferences"]}
    spec = {key: value for key, value in live["spec"].items() if key not in ("nodeName", "priority", "preemptionPolicy", "tolerations")}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": copy.deepcopy(keep), "spec": copy.deepcopy(spec)}


def c(p: Item) -> Item:
    found: Item = p["spec"]["containers"][0]
    return found


def env(p: Item, name: str, value: str | None) -> None:
    listed = [item for item in c(p)["env"] if item["name"] != name]
    c(p)["env"] = listed if value is None else [*listed, {"name": name, "value": value}]


def arg(p: Item, *more: str) -> None:
    c(p)["args"] = [*c(p)["args"], *more]


def without_owner(p: Item) -> None:
    del p["metadata"]["ownerReferences"]


def relabel(p: Item, **box: Any) -> None:
    c(p)["securityContext"].update(box)


def volume(p: Item, **source: Any) -> None:
    p["spec"].setdefault("volumes", []).append({"name": "more", **source})


def image(p: Item, name: str) -> None:
    c(p)["image"] = name


DIGEST = "@sha256:" + "f" * 64
REFUSED_PODS: dict[str, Change] = {
    "host network": lambda p: p["spec"].update(hostNetwork=True),
    "host processes": lambda p: p["spec"].update(hostPID=True),
    "host ipc": lambda p: p["spec"].update(hostIPC=True),
    "host port": lambda p: c(p)["ports"][0].update(hostPort=8000),
    "host path": lambda p: volume(p, hostPath={"path": "/"}),
    "network file system": lambda p: volume(p, nfs={"server": "192.0.2.9", "path": "/"}),
    "projected token": lambda p: volume(p, projected={"sources": [{"serviceAccountToken": {"path": "t"}}]}),
    "csi volume": lambda p: volume(p, csi={"driver": "secrets-store.csi.k8s.io"}),
    "privileged": lambda p: relabel(p, privileged=True, allowPrivilegeEscalation=True),
    "gains privileges": lambda p: relabel(p, allowPrivilegeEscalation=True),
    "raw sockets": lambda p: relabel(p, capabilities={"drop": ["ALL"], "add": ["NET_RAW"]}),
    "network administration": lambda p: relabel(p, capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}),
    "system administration": lambda p: relabel(p, capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
    "keeps capabilities": lambda p: relabel(p, capabilities={}),
    "writes its root": lambda p: relabel(p, readOnlyRootFilesystem=False),
    "root user": lambda p: relabel(p, runAsUser=0),
    "unconfined": lambda p: p["spec"]["securityContext"].update(seccompProfile={"type": "Unconfined"}),
    "sysctl": lambda p: p["spec"]["securityContext"].update(sysctls=[{"name": "net.ipv4.ip_forward", "value": "1"}]),
    "image by tag": lambda p: image(p, "registry.legal.internal/vllm:latest"),
    "image of another registry": lambda p: image(p, f"registry.example/vllm{DIGEST}"),
    "image nobody approved": lambda p: image(p, f"registry.legal.internal/vllm{DIGEST}"),
    "init image nobody approved": lambda p: p["spec"]["initContainers"][0].update(image=f"registry.legal.internal/x{DIGEST}"),
    "token mounted": lambda p: p["spec"].update(automountServiceAccountToken=True),
    "token by default": lambda p: p["spec"].pop("automountServiceAccountToken"),
    "second network": lambda p: p["metadata"].update(annotations={"k8s.v1.cni.cncf.io/networks": "macvlan"}),
    "address of its own": lambda p: p["metadata"].update(annotations={"cni.projectcalico.org/ipAddrs": '["10.0.0.1"]'}),
    "rdma": lambda p: c(p)["resources"]["limits"].update({"rdma/hca_shared_devices_a": "1"}),
    "runtime class": lambda p: p["spec"].update(runtimeClassName="kata"),
    "scheduler of its own": lambda p: p["spec"].update(schedulerName="mine"),
    "node by name": lambda p: p["spec"].update(nodeName="system-1"),
    "host aliases": lambda p: p["spec"].update(hostAliases=[{"ip": "192.0.2.1", "hostnames": ["hub.example"]}]),
    "shared processes": lambda p: p["spec"].update(shareProcessNamespace=True),
    "resolver of the cluster": lambda p: p["spec"].update(dnsPolicy="ClusterFirst", dnsConfig=None),
    "resolver outside": lambda p: p["spec"].update(dnsConfig={"nameservers": ["192.0.2.53"]}),
    "bare pod": without_owner,
    "another entry point": lambda p: c(p).update(command=["/bin/sh"]),
    "hook that calls": lambda p: c(p).update(lifecycle={"postStart": {"httpGet": {"host": "192.0.2.1", "port": 80}}}),
    "probe that calls": lambda p: c(p).update(livenessProbe={"httpGet": {"host": "192.0.2.1", "port": 80}}),
    "hub online": lambda p: env(p, "HF_HUB_OFFLINE", "0"),
    "hub unsaid": lambda p: env(p, "HF_HUB_OFFLINE", None),
    "telemetry on": lambda p: env(p, "VLLM_NO_USAGE_STATS", "0"),
    "developer mode": lambda p: env(p, "VLLM_SERVER_DEV_MODE", "1"),
    "hub elsewhere": lambda p: env(p, "HF_ENDPOINT", "https://hub.example"),
    "proxy": lambda p: env(p, "HTTPS_PROXY", "http://192.0.2.1:3128"),
    "preload": lambda p: env(p, "LD_PRELOAD", "/tmp/x.so"),
    "environment from elsewhere": lambda p: c(p).update(envFrom=[{"configMapRef": {"name": "x"}}]),
    "remote code": lambda p: arg(p, "--trust-remote-code"),
    "remote code, abbreviated": lambda p: arg(p, "--trust-remote"),
    "tool server": lambda p: arg(p, "--tool-server=http://192.0.2.1"),
    "options in a file": lambda p: arg(p, "--config=/srv/models/x.yaml"),
    "model by name": lambda p: c(p).update(args=["--model=org/name" if a.startswith("--model=") else a for a in c(p)["args"]]),
    "model outside the store": lambda p: c(p).update(
        args=["--model=/srv/models/../etc" if a.startswith("--model=") else a for a in c(p)["args"]]
    ),
    "pickles": lambda p: c(p).update(args=["--load-format=pt" if a.startswith("--load-format=") else a for a in c(p)["args"]]),
    "weights unverified": lambda p: p["spec"].update(initContainers=[]),
    "weights writable": lambda p: next(v for v in p["spec"]["volumes"] if "persistentVolumeClaim" in v)["persistentVolumeClaim"].pop(
        "readOnly"
    ),
}
ACCEPTED_PODS: dict[str, Change] = {
    "as it is": lambda p: None,
    "another label": lambda p: p["metadata"]["labels"].update(team="legal"),
    "an annotation": lambda p: p["metadata"].update(annotations={"legal.internal/note": "x"}),
    "a user that is not root": lambda p: relabel(p, runAsUser=10001),
    "more memory": lambda p: c(p)["resources"]["requests"].update(memory="20Gi"),
    "an empty volume": lambda p: volume(p, emptyDir={}),
    "a volume of settings": lambda p: volume(p, configMap={"name": "x"}),
    "a flag of the list": lambda p: arg(p, "--seed=1"),
    "a variable of its own": lambda p: env(p, "LOG_LEVEL", "info"),
    "a probe of its own": lambda p: c(p).update(livenessProbe={"httpGet": {"port": 8000, "path": "/health"}}),
    "the default scheduler": lambda p: p["spec"].update(schedulerName="default-scheduler"),
    "a shorter grace": lambda p: p["spec"].update(terminationGracePeriodSeconds=5),
    "an empty list of added capabilities left out": lambda p: relabel(p, capabilities={"drop": ["ALL"]}),
}


def ask(api: Cluster, method: str, path: str, body: Item | None = None, kind: str = "application/json") -> str:
    """Empty when the server would do it, else why not."""
    try:
        api.call(method, path, body, kind, dryRun="All")
    except ApiError as error:
        return str(error)
    return ""


def test_one_model_pod_more_than_there_are_cards_is_refused_by_the_quota(admin: Cluster) -> None:
    answer = ask(admin, "POST", "/api/v1/namespaces/legal-models/pods", pod_of(admin, "legal-models", "vllm"))
    assert "exceeded quota" in answer
    assert "requests.nvidia.com/gpu" in answer


@pytest.mark.parametrize("name", REFUSED_PODS)
def test_a_pod_that_could_open_the_segment_is_refused(admin: Cluster, room: None, name: str) -> None:
    pod = pod_of(admin, "legal-models", "vllm")
    REFUSED_PODS[name](pod)
    answer = ask(admin, "POST", "/api/v1/namespaces/legal-models/pods", pod)
    assert any(by in answer for by in BY), answer


@pytest.mark.parametrize("name", ACCEPTED_PODS)
def test_a_pod_like_it_that_opens_nothing_is_let_in(admin: Cluster, room: None, name: str) -> None:
    pod = pod_of(admin, "legal-models", "vllm")
    ACCEPTED_PODS[name](pod)
    assert ask(admin, "POST", "/api/v1/namespaces/legal-models/pods", pod) == ""


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "more", "namespace": "legal-models"},
    "spec": {"selector": {"app.kubernetes.io/name": "vllm"}, "ports": [{"port": 8000}]},
}
SEGMENT = {"matchLabels": {"curtilage.dev/segment": "legal"}}
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "more", "namespace": "legal-gateway"},
    "spec": {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "egress": [{"to": [{"namespaceSelector": SEGMENT}], "ports": [{"protocol": "TCP", "port": 8000}]}],
    },
}
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "more", "labels": {"team": "x"}}}
SLICE = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {"name": "more", "namespace": "legal-models", "labels": {"kubernetes.io/service-name": "vllm"}},
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["203.0.113.9"]}],
    "ports": [{"port": 443}],
}
INGRESS = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "more", "namespace": "legal-gateway"},
    "spec": {"defaultBackend": {"service": {"name": "gateway", "port": {"number": 443}}}},
}
CRON = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "more", "namespace": "legal-models"},
    "spec": {
        "schedule": "* * * * *",
        "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}},
    },
}
TOKEN = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["x"]}}


def rule(**changes: Any) -> Change:
    return lambda p: p["spec"]["egress"][0].update(changes)


def to(cidr: str) -> Change:
    return rule(to=[{"ipBlock": {"cidr": cidr}}])


REFUSED: dict[str, tuple[Item, Change]] = {
    "load balancer": (SERVICE, lambda p: p["spec"].update(type="LoadBalancer")),
    "node port": (SERVICE, lambda p: p["spec"].update(type="NodePort")),
    "external name": (SERVICE, lambda p: p.update(spec={"type": "ExternalName", "externalName": "hub.example"})),
    "external address": (SERVICE, lambda p: p["spec"].update(externalIPs=["192.0.2.7"])),
    "service without selector": (SERVICE, lambda p: p["spec"].pop("selector")),
    "endpoints by hand": (SLICE, lambda p: None),
    "egress to everywhere": (POLICY, to("0.0.0.0/0")),
    "egress to everywhere by ipv6": (POLICY, to("::/0")),
    "egress to one address": (POLICY, to("203.0.113.9/32")),
    "egress to half of everywhere": (POLICY, to("128.0.0.0/1")),
    "empty egress rule": (POLICY, lambda p: p["spec"].update(egress=[{}])),
    "egress to nobody named": (POLICY, rule(to=[])),
    "egress by ports alone": (POLICY, lambda p: p["spec"]["egress"][0].pop("to")),
    "egress by every port": (POLICY, lambda p: p["spec"]["egress"][0].pop("ports")),
    "egress to all namespaces": (POLICY, rule(to=[{"namespaceSelector": {}}])),
    "policy of one direction": (POLICY, lambda p: p["spec"].update(policyTypes=["Ingress"], egress=None)),
    "ingress from everywhere": (
        POLICY,
        lambda p: p["spec"].update(ingress=[{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 1}]}]),
    ),
    "empty ingress rule": (POLICY, lambda p: p["spec"].update(ingress=[{}])),
    "another namespace in the segment": (SPACE, lambda p: p["metadata"]["labels"].update({"curtilage.dev/segment": "legal"})),
    "ingress": (INGRESS, lambda p: None),
    "cron job": (CRON, lambda p: None),
}
ACCEPTED: dict[str, tuple[Item, Change]] = {
    "service inside": (SERVICE, lambda p: None),
    "service on another port": (SERVICE, lambda p: p["spec"].update(ports=[{"port": 9000, "targetPort": 8000}])),
    "headless service": (SERVICE, lambda p: p["spec"].update(clusterIP="None")),
    "policy inside the segment": (POLICY, lambda p: None),
    "policy to pods of its own namespace": (POLICY, rule(to=[{"podSelector": {"matchLabels": {"a": "b"}}}])),
    "policy by several ports": (POLICY, rule(ports=[{"protocol": "TCP", "port": 8000}, {"protocol": "TCP", "port": 8001}])),
    "policy that closes more": (POLICY, lambda p: p["spec"].update(egress=[])),
    "ingress from the segment": (
        POLICY,
        lambda p: p["spec"].update(ingress=[{"from": [{"namespaceSelector": SEGMENT}], "ports": [{"port": 1}]}]),
    ),
    "a namespace of others": (SPACE, lambda p: None),
    "a service of others": (SERVICE, lambda p: (p["metadata"].update(namespace="default"), p["spec"].update(type="NodePort"))),
}


def made(api: Cluster, item: Item, change: Change) -> str:
    item = copy.deepcopy(item)
    change(item)
    return ask(api, "POST", api.path(item, named=False), item)


@pytest.mark.parametrize("name", REFUSED)
def test_an_object_that_steers_traffic_out_is_refused(admin: Cluster, name: str) -> None:
    answer = made(admin, *REFUSED[name])
    assert any(by in answer for by in BY), answer


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_object_like_it_that_stays_inside_is_let_in(admin: Cluster, name: str) -> None:
    assert made(admin, *ACCEPTED[name]) == ""


DENY = "/apis/networking.k8s.io/v1/namespaces/legal-models/networkpolicies/default-deny"
MERGE = "application/merge-patch+json"


def test_default_deny_is_neither_edited_nor_deleted_nor_is_its_namespace_relabelled(admin: Cluster) -> None:
    space = "/api/v1/namespaces/legal-models"
    for answer in (
        ask(admin, "DELETE", DENY),
        ask(admin, "PATCH", DENY, {"spec": {"egress": [{}]}}, MERGE),
        ask(admin, "PATCH", DENY, {"spec": {"podSelector": {"matchLabels": {"a": "b"}}}}, MERGE),
        ask(admin, "PATCH", space, {"metadata": {"labels": {"curtilage.dev/segment": None}}}, MERGE),
        ask(admin, "PATCH", space, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}, MERGE),
        ask(admin, "POST", f"{space}/serviceaccounts/vllm/token", TOKEN),
    ):
        assert "denied request" in answer, answer
    assert ask(admin, "PATCH", space, {"metadata": {"labels": {"team": "legal"}}}, MERGE) == ""


def test_nobody_enters_a_pod_by_a_container_beside_it(admin: Cluster) -> None:
    name = admin.call("GET", "/api/v1/namespaces/legal-models/pods")["items"][0]["metadata"]["name"]
    beside = {"spec": {"ephemeralContainers": [{"name": "look", "image": "busybox"}]}}
    answer = ask(
        admin, "PATCH", f"/api/v1/namespaces/legal-models/pods/{name}/ephemeralcontainers", beside, "application/strategic-merge-patch+json"
    )
    assert any(by in answer for by in BY), answer


@pytest.mark.parametrize("group", ["legal-operators", "legal-releasers", "legal-auditors"])
def test_no_role_may_open_read_keys_or_enter(api: Cluster, group: str) -> None:
    api.impersonate = {"Impersonate-User": "someone", "Impersonate-Group": group}
    secrets = "/api/v1/namespaces/legal-models/secrets"
    for answer in (
        made(api, POLICY, lambda p: None),
        ask(api, "DELETE", DENY),
        ask(api, "GET", secrets),
        ask(api, "DELETE", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/legal-pods-sealed"),
        ask(api, "PATCH", "/api/v1/namespaces/legal-models", {"metadata": {"labels": {"a": "b"}}}, MERGE),
        ask(api, "POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/legal-models/rolebindings", {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "x", "namespace": "legal-models"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"}, "subjects": [],
        }),
    ):  # fmt: skip
        assert "cannot" in answer or "Forbidden" in answer, answer
    assert ask(api, "GET", "/api/v1/namespaces/legal-models/pods") == "", "looking at pods is what every one of them may"
