"""Namespaces, quotas, priorities and who may do what in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curtilage.derive.kubernetes.names import ADMISSION, DOMAIN, EVIDENCE, GATEWAY, MODELS, SEALED, Manifest, labels, metadata, settings_of
from curtilage.derive.serving import gpu_of, serving
from curtilage.region import Region

SERVING, BATCH = "legal-serving", "legal-batch"
_PSA = ("enforce", "audit", "warn")
_READ = ["get", "list", "watch"]


def namespaces(region: Region) -> Iterator[Manifest]:
    """The sealed namespaces: Pod Security ``restricted`` enforced, and the label that the admin-tier policy and admission select by."""
    for name in (*SEALED, ADMISSION):
        pod_security = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in _PSA}
        versions = {f"pod-security.kubernetes.io/{mode}-version": "latest" for mode in _PSA}
        yield {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": labels(region) | pod_security | versions},
        }


def quotas(region: Region) -> Iterator[Manifest]:
    """What each namespace may use at most: cards, pods, and no service that faces outward."""
    _, nodes, per_node = gpu_of(region)
    replicas = sum(item.replicas for item in serving(region))
    most = settings_of(region).gateway_replicas * 2
    hard: dict[str, dict[str, str]] = {
        GATEWAY: {"pods": str(most + 1), "requests.nvidia.com/gpu": "0", "services.nodeports": "1" if region.aws else "0"},
        MODELS: {"pods": str(replicas + 2), "requests.nvidia.com/gpu": str(nodes * per_node), "services.nodeports": "0"},
        EVIDENCE: {"pods": "2", "requests.nvidia.com/gpu": "0", "services.nodeports": "0"},
        ADMISSION: {"pods": "0"},
    }
    for name, limits in hard.items():
        yield {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": metadata(region, "ceiling", name),
            "spec": {"hard": {"services.loadbalancers": "0", **limits}},
        }
        yield {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": metadata(region, "defaults", name),
            "spec": {
                "limits": [
                    {
                        "type": "Container",
                        "default": {"cpu": "1", "memory": "1Gi"},
                        "defaultRequest": {"cpu": "100m", "memory": "256Mi"},
                    }
                ]
            },
        }


def priorities(region: Region) -> Iterator[Manifest]:
    """Serving goes before tuning and batches, which never push anything out."""
    for name, value, policy, text in (
        (SERVING, 1_000_000, "PreemptLowerPriority", "Gateways and models that answer people."),
        (BATCH, 1_000, "Never", "Tuning and batches: wait, and give way."),
    ):
        yield {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": metadata(region, name),
            "value": value,
            "preemptionPolicy": policy,
            "description": text,
        }


def accounts(region: Region) -> Iterator[Manifest]:
    """One service account a workload, none with a token; admission refuses a pod that mounts one, whatever account it names."""
    for namespace, name in ((GATEWAY, "gateway"), (MODELS, "vllm"), (EVIDENCE, "evidence-store")):
        yield {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(region, name, namespace),
            "automountServiceAccountToken": False,
        }


def access(region: Region) -> Iterator[Manifest]:
    """Three duties, three groups, no overlap that opens anything.

    Nobody gets network policies, admission, exec, attach, port-forward, proxy, secrets' content or RBAC: these change by a reviewed plan
    alone, which runs with an identity of its own.
    """
    groups = settings_of(region).groups
    apps = ["deployments", "statefulsets", "replicasets"]
    seen: list[dict[str, Any]] = [
        {"apiGroups": [""], "resources": ["pods", "pods/log", "events", "services", "endpoints", "configmaps", "persistentvolumeclaims",
                                          "resourcequotas", "limitranges", "serviceaccounts"], "verbs": _READ},
        {"apiGroups": ["apps"], "resources": apps, "verbs": _READ},
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": _READ},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
        {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": _READ},
        {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": _READ},
    ]  # fmt: skip
    roles: dict[str, tuple[str, list[dict[str, Any]]]] = {
        "legal-operator": (
            groups.operators,
            [
                *seen,
                {"apiGroups": ["apps"], "resources": ["deployments/scale", "statefulsets/scale"], "verbs": ["get", "patch", "update"]},
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]},
            ],
        ),
        "legal-releaser": (
            groups.releasers,
            [*seen, {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets"], "verbs": ["patch", "update"]}],
        ),
        "legal-auditor": (
            groups.auditors,
            [*seen, {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"], "verbs": _READ}],
        ),
    }
    for name, (group, rules) in roles.items():
        yield {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata(region, name), "rules": rules}
        for namespace in SEALED:
            yield _binding(region, name, namespace, name, group)
    images = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["approved-images"], "verbs": ["get", "patch", "update"]}
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": metadata(region, "legal-image-approver"),
        "rules": [images],
    }
    # Who approves an image does not start it: releasers have the workloads, operators the list.
    yield _binding(region, "legal-image-approver", ADMISSION, "legal-image-approver", groups.operators)
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": metadata(region, "legal-seal-reader"),
        "rules": [
            {"apiGroups": ["policy.networking.k8s.io"], "resources": ["clusternetworkpolicies"], "verbs": _READ},
            {
                "apiGroups": ["admissionregistration.k8s.io"],
                "resources": ["validatingadmissionpolicies", "validatingadmissionpolicybindings"],
                "verbs": _READ,
            },
            {"apiGroups": [""], "resources": ["namespaces", "nodes"], "verbs": _READ},
            {"apiGroups": ["scheduling.k8s.io"], "resources": ["priorityclasses"], "verbs": _READ},
        ],
    }
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": metadata(region, "legal-seal-reader"),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "legal-seal-reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": groups.auditors}],
    }


def _binding(region: Region, name: str, namespace: str, role: str, group: str) -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": metadata(region, name, namespace),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}],
    }


def expectations(region: Region) -> Iterator[Manifest]:
    """What the nodes must already be, written down where an auditor and the probes read it."""
    card, nodes, per_node = gpu_of(region)
    yield {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(region, "gpu-nodes", MODELS),
        "data": {
            "card": card,
            "nodes": str(nodes),
            "cards-per-node": str(per_node),
            "labels": f"{DOMAIN}/pool=gpu",
            "taint": "nvidia.com/gpu=present:NoSchedule",
            "driver": "in the node image, started before the kubelet; nothing is fetched when a node joins",
            "device-plugin": "NVIDIA device plugin or GPU operator from the registry inside; no time slicing, no MPS",
            "forbidden": "rdma/*, *.nvidia.com/ib, SR-IOV and secondary interfaces: they leave past every network policy (EG-26)",
        },
    }
