"""Gateway pods and the evidence store.

The gateway is a StatefulSet, not a Deployment: each replica keeps a ledger under a key of its own, and two replicas that sign one ledger
would fork it. A name that stays gives a replica its key, its volume and its place in the evidence store's list of logs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from curtilage.derive.kubernetes.names import (
    APP_LABEL,
    EVIDENCE,
    GATEWAY,
    GATEWAY_PORT,
    HTTPS,
    MODEL_PORT,
    NODE_PORT,
    STORE_PORT,
    Manifest,
    gateway_address,
    image,
    metadata,
    model_address,
    settings_of,
    store_address,
)
from curtilage.derive.kubernetes.pods import CONTAINER_SANDBOX, apart, scratch, spread, template
from curtilage.derive.kubernetes.segment import SERVING
from curtilage.derive.serving import serving
from curtilage.region import Region
from curtilage.vendor_models import Task, stands_for
from curtilage.vendors import dialect_of

CONFIG = "/etc/curtilage"
STATE = "/var/lib/curtilage"
_POD_NAME = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
_POOL = {"curtilage.dev/pool": "system"}


def gateway_config(region: Region) -> dict[str, Any]:
    """``gateway.yaml``: every upstream is a service address of the region's own models."""
    tasks = {name: task.value for name, task in region.tasks.items() if task is not Task.GENERATE}
    return {
        "listen": [{"address": "0.0.0.0", "port": GATEWAY_PORT}],  # noqa: S104 - a pod's only address is its own
        "tls": {"certificate": f"{CONFIG}/tls/tls.crt", "key": f"{CONFIG}/tls/tls.key"},
        "names": {name: dialect_of(name) for name in sorted(region.gateway.intercept)},
        "upstreams": [f"http://{model_address(region, index)}:{MODEL_PORT}" for index, _ in enumerate(region.models)],
        "models": stands_for(region.tasks) | {"default": region.generating.name},
        **({"tasks": tasks} if tasks else {}),
        "ledger": {"directory": f"{STATE}/ledger", "signing_key": f"{CONFIG}/ledger.key"},
        "matters": f"{STATE}/matters.db",
        "region": {"name": region.name, "jurisdiction": region.jurisdiction},
        "metrics": {"textfile": f"{STATE}/metrics/curtilage-gateway.prom"},
        "evidence": {
            "url": f"https://{store_address(region)}:{STORE_PORT}/",
            "ca": f"{CONFIG}/client/ca.crt",
            "certificate": f"{CONFIG}/client/tls.crt",
            "key": f"{CONFIG}/client/tls.key",
        },
    }


def gateway(region: Region) -> Iterator[Manifest]:
    """Configuration, pods, service, budget and scaling of the gateway."""
    settings = settings_of(region)
    text = json.dumps(gateway_config(region), indent=2, sort_keys=True) + "\n"
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(region, "gateway", GATEWAY), "data": {"gateway.yaml": text}}
    yield _gateway_pods(region)
    facing: dict[str, Any] = {"type": "ClusterIP"}
    port: dict[str, Any] = {"name": "https", "port": HTTPS, "targetPort": "https", "protocol": "TCP"}
    if region.aws is not None:
        # Local keeps the caller's address and sends nothing from node to node.
        facing = {"type": "NodePort", "externalTrafficPolicy": "Local"}
        port |= {"nodePort": NODE_PORT}
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(region, "gateway", GATEWAY, "gateway"),
        "spec": {**facing, "clusterIP": gateway_address(region), "selector": {APP_LABEL: "gateway"}, "ports": [port]},
    }
    yield {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(region, "gateway", GATEWAY, "gateway"),
        "spec": {"minAvailable": settings.gateway_replicas - 1, "selector": {"matchLabels": {APP_LABEL: "gateway"}}},
    }
    yield {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(region, "gateway", GATEWAY, "gateway"),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "gateway"},
            "minReplicas": settings.gateway_replicas,
            "maxReplicas": settings.gateway_replicas * 2,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}}],
            # A ledger that scales down ends with a checkpoint; slow, so that no replica comes and goes with a minute's load.
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 1800}},
        },
    }


def _gateway_pods(region: Region) -> Manifest:
    probe = {"tcpSocket": {"port": "https"}}
    container = {
        "name": "gateway",
        "image": image(region),
        "args": ["gateway", "serve", "--config", f"{CONFIG}/gateway.yaml"],
        "env": [_POD_NAME, {"name": "HOME", "value": STATE}],
        "ports": [{"name": "https", "containerPort": GATEWAY_PORT, "protocol": "TCP"}],
        "startupProbe": {**probe, "periodSeconds": 2, "failureThreshold": 60},
        "readinessProbe": {**probe, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**probe, "periodSeconds": 20, "failureThreshold": 3},
        "securityContext": CONTAINER_SANDBOX,
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}},
        "volumeMounts": [
            {"name": "config", "mountPath": f"{CONFIG}/gateway.yaml", "subPath": "gateway.yaml", "readOnly": True},
            {"name": "tls", "mountPath": f"{CONFIG}/tls", "readOnly": True},
            {"name": "client", "mountPath": f"{CONFIG}/client", "readOnly": True},
            # One Secret, one key a replica, each pod sees its own alone.
            {"name": "ledger-keys", "mountPath": f"{CONFIG}/ledger.key", "subPathExpr": "$(POD_NAME).key", "readOnly": True},
            {"name": "ledger-keys", "mountPath": f"{CONFIG}/ledger.pub", "subPathExpr": "$(POD_NAME).pub", "readOnly": True},
            {"name": "state", "mountPath": STATE},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a pod's own disk
        ],
    }
    pod = template(
        region,
        "gateway",
        "gateway",
        SERVING,
        {
            "terminationGracePeriodSeconds": 60,
            "affinity": apart("gateway"),
            "topologySpreadConstraints": spread("gateway", hard=True),
            "nodeSelector": _POOL,
            "containers": [container],
            "volumes": [
                {"name": "config", "configMap": {"name": "gateway"}},
                _secret("tls", "gateway-tls"),
                _secret("client", "gateway-client"),
                _secret("ledger-keys", "gateway-ledger-keys"),
                scratch("tmp", "256Mi"),
            ],
        },
    )
    return _stateful(region, "gateway", GATEWAY, settings_of(region).gateway_replicas, pod, "20Gi")


def evidence(region: Region) -> Iterator[Manifest]:
    """The evidence store: in a namespace of its own, so that a gateway cannot rewrite its past."""
    text = json.dumps(
        {
            "listen": f"0.0.0.0:{STORE_PORT}",
            "cert": f"{CONFIG}/tls/tls.crt",
            "key": f"{CONFIG}/tls/tls.key",
            "client_ca": f"{CONFIG}/client-ca/ca.crt",
            "directory": f"{STATE}/store",
            "logs": [f"{CONFIG}/logs/gateway-{number}.pub" for number in range(settings_of(region).gateway_replicas * 2)],
        },
        indent=2,
        sort_keys=True,
    )
    yield {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(region, "evidence-store", EVIDENCE),
        "data": {"evidence.yaml": text + "\n"},
    }
    probe = {"tcpSocket": {"port": "https"}}
    container = {
        "name": "evidence-store",
        "image": image(region),
        "args": ["evidence", "serve-store", "--config", f"{CONFIG}/evidence.yaml"],
        "env": [{"name": "HOME", "value": STATE}],
        "ports": [{"name": "https", "containerPort": STORE_PORT, "protocol": "TCP"}],
        "readinessProbe": {**probe, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**probe, "periodSeconds": 20, "failureThreshold": 3},
        "securityContext": CONTAINER_SANDBOX,
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
        "volumeMounts": [
            {"name": "config", "mountPath": f"{CONFIG}/evidence.yaml", "subPath": "evidence.yaml", "readOnly": True},
            {"name": "tls", "mountPath": f"{CONFIG}/tls", "readOnly": True},
            {"name": "client-ca", "mountPath": f"{CONFIG}/client-ca", "readOnly": True},
            {"name": "logs", "mountPath": f"{CONFIG}/logs", "readOnly": True},
            {"name": "state", "mountPath": STATE},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a pod's own disk
        ],
    }
    pod = template(
        region,
        "evidence-store",
        "evidence-store",
        SERVING,
        {
            "nodeSelector": _POOL,
            "containers": [container],
            "volumes": [
                {"name": "config", "configMap": {"name": "evidence-store"}},
                _secret("tls", "evidence-tls"),
                {"name": "client-ca", "configMap": {"name": "client-ca"}},
                {"name": "logs", "configMap": {"name": "ledger-verifiers"}},
                scratch("tmp", "256Mi"),
            ],
        },
    )
    yield _stateful(region, "evidence-store", EVIDENCE, 1, pod, "100Gi")
    yield {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(region, "evidence-store", EVIDENCE, "evidence-store"),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": store_address(region),
            "selector": {APP_LABEL: "evidence-store"},
            "ports": [{"name": "https", "port": STORE_PORT, "targetPort": "https", "protocol": "TCP"}],
        },
    }


def _stateful(region: Region, name: str, namespace: str, replicas: int, pod: dict[str, Any], size: str) -> Manifest:
    claim = {
        "metadata": {"name": "state"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": settings_of(region).storage_class,
            "resources": {"requests": {"storage": size}},
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata(region, name, namespace, name),
        "spec": {
            "serviceName": name,
            "replicas": replicas,
            "revisionHistoryLimit": 3,
            "podManagementPolicy": "Parallel",
            # What a ledger says must outlive the pod that wrote it, and the set too.
            "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
            "selector": {"matchLabels": {APP_LABEL: name}},
            "template": pod,
            "volumeClaimTemplates": [claim],
        },
    }


def _secret(name: str, secret: str) -> dict[str, Any]:
    """A Secret that the operator makes outside of the plan: no key is ever in a plan or a state."""
    return {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440}}


def upstreams(region: Region) -> list[str]:
    """Where the gateway sends to."""
    return [f"{model_address(region, index)}:{MODEL_PORT}" for index, _ in enumerate(serving(region))]
