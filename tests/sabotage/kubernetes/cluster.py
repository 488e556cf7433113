"""Builds the manifests of a sealed region: three namespaces with pods, one without, default deny both ways, an admin-tier deny above."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from curtilage.proof.kubernetes import Scope
from curtilage.proof.kubernetes.objects import Manifests, make_object

Document = dict[str, Any]
NET, CNP, NAME = "networking.k8s.io/v1", "policy.networking.k8s.io/v1alpha2", "kubernetes.io/metadata.name"
SEGMENT = {"curtilage.dev/segment": "legal"}
DIGEST = "registry.legal.internal/vllm@sha256:" + "a" * 64
SCOPE = Scope(
    namespaces=("legal-gateway", "legal-models", "legal-evidence", "legal-admission"),
    networks=tuple(map(ip_network, ("10.244.0.0/16", "fd00:244::/56", "10.96.0.0/12", "fd00:96::/108"))),
)


class Region:
    """Documents by ``Kind namespace/name``; a test changes one thing and proves the rest."""

    def __init__(self) -> None:
        self.items: dict[str, Document] = {}

    def add(self, version: str, kind: str, name: str, space: str = "", labels: dict[str, str] | None = None, **parts: Any) -> Document:
        meta: Document = {"name": name} | ({"namespace": space} if space else {}) | ({"labels": labels} if labels else {})
        key = f"{kind} {space}/{name}" if space else f"{kind} {name}"
        assert key not in self.items, key
        self.items[key] = {"apiVersion": version, "kind": kind, "metadata": meta, **parts}
        return self.items[key]

    def __getitem__(self, key: str) -> Document:
        return self.items[key]

    def spec(self, key: str) -> Document:
        found: Document = self.items[key]["spec"]
        return found

    def remove(self, *keys: str) -> None:
        for key in keys:
            del self.items[key]

    def copy(self) -> Region:
        return copy.deepcopy(self)

    def documents(self) -> Iterator[Document]:
        yield from self.items.values()

    def manifests(self) -> Manifests:
        return Manifests(tuple(make_object(item, f"rendered/{key.replace(' ', '-')}.yaml") for key, item in self.items.items()), "sha256:0")

    def policy(self, name: str, space: str, selector: Document | None = None, **spec: Any) -> Document:
        return self.add(NET, "NetworkPolicy", name, space, spec={"podSelector": selector or {}, **spec})

    def opens(self, *rules: Document, space: str = "legal-models", **spec: Any) -> Document:
        """One more policy, as anyone who may create policies could write it."""
        return self.policy("more", space, policyTypes=["Egress"], egress=list(rules), **spec)

    def workload(self, kind: str, name: str, space: str, port: int, **spec: Any) -> Document:
        labels = {"app.kubernetes.io/name": name}
        container = {
            "name": name,
            "image": DIGEST,
            "ports": [{"name": "serve", "containerPort": port}],
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            "resources": {"limits": {"cpu": "2", "memory": "8Gi"}},
        }
        pod = {"containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}], "automountServiceAccountToken": False, **spec}
        return self.add(
            "apps/v1",
            kind,
            name,
            space,
            spec={"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
        )

    def pod(self, key: str) -> Document:
        found: Document = self.items[key]["spec"]["template"]["spec"]
        return found


def pods(space: str, app: str) -> Document:
    return {
        "namespaceSelector": {"matchLabels": {**SEGMENT, NAME: space}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": app}},
    }


def tcp(port: int | str) -> Document:
    return {"protocol": "TCP", "port": port}


def block(*cidrs: str, without: list[str] | None = None) -> Document:
    return {"to": [{"ipBlock": {"cidr": cidr} | ({"except": without} if without else {})} for cidr in cidrs]}


def sealed_region(*, layered: bool = True) -> Region:
    """What a region's manifests are; ``layered`` adds the ClusterNetworkPolicy."""
    r = Region()
    for name in SCOPE.namespaces:
        r.add("v1", "Namespace", name, labels={**SEGMENT, "pod-security.kubernetes.io/enforce": "restricted"})
        if name != "legal-admission":
            r.policy("default-deny", name, policyTypes=["Ingress", "Egress"])
    r.add("v1", "ResourceQuota", "ceiling", "legal-admission", spec={"hard": {"pods": "0"}})
    r.add("v1", "ResourceQuota", "ceiling", "legal-models", spec={"hard": {"pods": "6"}})
    apps = {key: {"matchLabels": {"app.kubernetes.io/name": key}} for key in ("gateway", "vllm", "evidence-store")}
    r.policy(
        "gateway",
        "legal-gateway",
        apps["gateway"],
        policyTypes=["Ingress", "Egress"],
        ingress=[{"from": [{"ipBlock": {"cidr": "10.60.0.0/24"}}], "ports": [tcp(8443)]}],
        egress=[
            {"to": [pods("legal-models", "vllm")], "ports": [tcp(8000)]},
            {"to": [pods("legal-evidence", "evidence-store")], "ports": [tcp("serve")]},
        ],
    )
    r.policy(
        "vllm",
        "legal-models",
        apps["vllm"],
        policyTypes=["Ingress", "Egress"],
        ingress=[{"from": [pods("legal-gateway", "gateway")], "ports": [tcp(8000)]}],
    )
    r.policy(
        "evidence-store",
        "legal-evidence",
        apps["evidence-store"],
        policyTypes=["Ingress", "Egress"],
        ingress=[{"from": [pods("legal-gateway", "gateway")], "ports": [tcp(8443)]}],
    )
    r.workload("Deployment", "gateway", "legal-gateway", 8443)
    r.workload("Deployment", "vllm", "legal-models", 8000)
    r.workload("StatefulSet", "evidence-store", "legal-evidence", 8443)
    for space, name, port in (
        ("legal-gateway", "gateway", 443),
        ("legal-models", "vllm", 8000),
        ("legal-evidence", "evidence-store", 8443),
    ):
        r.add(
            "v1",
            "Service",
            name,
            space,
            spec={
                "type": "ClusterIP",
                "selector": {"app.kubernetes.io/name": name},
                "ports": [{"name": "serve", "port": port, "targetPort": "serve"}],
            },
        )
        r.add("v1", "ServiceAccount", name, space)
        r.add("policy/v1", "PodDisruptionBudget", name, space, spec={"minAvailable": 1})
    r.add("autoscaling/v2", "HorizontalPodAutoscaler", "gateway", "legal-gateway", spec={"maxReplicas": 4})
    r.add("v1", "ConfigMap", "settings", "legal-gateway", data={"config": "x"})
    r.add("scheduling.k8s.io/v1", "PriorityClass", "legal-serving", value=1000)
    r.add("rbac.authorization.k8s.io/v1", "ClusterRole", "legal-auditor", rules=[])
    r.add("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "legal-pods", spec={"failurePolicy": "Fail"})
    if layered:
        segment = {"matchLabels": SEGMENT}
        r.add(
            CNP,
            "ClusterNetworkPolicy",
            "legal-seal",
            spec={
                "tier": "Admin",
                "priority": 0,
                "subject": {"namespaces": segment},
                "egress": [
                    {"name": "segment", "action": "Pass", "to": [{"namespaces": segment}]},
                    {"name": "deny-namespaces", "action": "Deny", "to": [{"namespaces": {}}]},
                    {"name": "deny-ipv4", "action": "Deny", "to": [{"networks": ["0.0.0.0/0"]}]},
                    {"name": "deny-ipv6", "action": "Deny", "to": [{"networks": ["::/0"]}]},
                ],
            },
        )
    return r
