"""What a region expects of an existing cluster: nodes with cards, classes of volumes, the APIs of an operator and of cluster policies.

These nodes have no kubelet: kwok answers for them, so that pods are scheduled, become ready and are counted, and nothing runs. Prometheus'
kinds are served without their schema. Both are the lab's stand-ins and say so by label.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

Item = dict[str, Any]
STAND_IN = {"curtilage.dev/stand-in": "lab"}
PLAYED = "kwok.x-k8s.io/node=fake"
"""The annotation of a node that kwok answers for."""
ZONES = ("a", "b", "c")
VOLUMES = 8


def items(crd: Path, *, product: str, cards: int, storage_classes: tuple[str, ...], volumes: Path) -> Iterator[Item]:
    """Every object, in the order in which it is made.

    Args:
        crd: the ClusterNetworkPolicy definition of its own module.
        product: what the GPU operator would label the nodes' cards.
        cards: GPUs a node.
        storage_classes: the region's two classes of volumes.
        volumes: a directory of the node's, under which each volume is one.
    """
    yield yaml.safe_load(crd.read_text(encoding="utf-8"))
    yield from _keeper()
    for kind, plural in (("PodMonitor", "podmonitors"), ("PrometheusRule", "prometheusrules")):
        yield _definition(kind, plural)
    for number in range(2):
        yield _node(f"gpu-{number + 1}", ZONES[number], {"curtilage.dev/pool": "gpu", "nvidia.com/gpu.product": product}, cards)
    for number in range(3):
        yield _node(f"system-{number + 1}", ZONES[number], {"curtilage.dev/pool": "system"}, 0)
    for name in storage_classes:
        yield {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name, "labels": STAND_IN},
            "provisioner": "kubernetes.io/no-provisioner",
            "volumeBindingMode": "Immediate",
        }
        for number in range(VOLUMES):
            yield _volume(f"{name}-{number}", name, volumes)


KEEPER = "lab-keeps-parameters"


def _keeper() -> Iterator[Item]:
    """An admission policy about nothing, with a ConfigMap as its parameter, so that one such policy always stands.

    When the last one goes, the API server stops its shared watch of ConfigMaps and never starts it again (apiserver v0.36.3,
    admission/plugin/policy/generic/policy_source.go: the factory starts an informer once), and every later policy says "no params found"
    until the server restarts. A region's policies go with the region.
    """
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": KEEPER, "labels": STAND_IN}}
    rule = {"apiGroups": ["lab.curtilage.dev"], "apiVersions": ["*"], "resources": ["nothing"], "operations": ["CREATE"]}
    yield kind | {
        "kind": "ValidatingAdmissionPolicy",
        "spec": {
            "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "true"}],
        },
    }
    yield kind | {
        "kind": "ValidatingAdmissionPolicyBinding",
        "spec": {
            "policyName": KEEPER,
            "validationActions": ["Deny"],
            "paramRef": {"name": KEEPER, "namespace": "default", "parameterNotFoundAction": "Allow"},
        },
    }


def _definition(kind: str, plural: str) -> Item:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.monitoring.coreos.com", "labels": STAND_IN},
        "spec": {
            "group": "monitoring.coreos.com",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [version],
        },
    }


def _node(name: str, zone: str, labels: dict[str, str], cards: int) -> Item:
    found = {"cpu": "64", "memory": "512Gi", "pods": "110", "ephemeral-storage": "1Ti"} | ({"nvidia.com/gpu": str(cards)} if cards else {})
    taints = [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}] if cards else []
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": dict([PLAYED.split("=")]),
            "labels": {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone, "type": "kwok", **STAND_IN, **labels},
        },
        "spec": {"taints": taints},
        "status": {"allocatable": found, "capacity": found},
    }


def _volume(name: str, storage_class: str, volumes: Path) -> Item:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": STAND_IN},
        "spec": {
            "capacity": {"storage": "2Ti"},
            "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": storage_class,
            "hostPath": {"path": str(volumes / name)},
        },
    }
