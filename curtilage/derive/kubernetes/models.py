"""Model pods: weights are verified before they are loaded, nothing is fetched, and a rollout never needs a card more than there are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curtilage.derive.kubernetes.admission_pods import OFFLINE_ENV
from curtilage.derive.kubernetes.names import (
    APP_LABEL,
    DOMAIN,
    MODEL_PORT,
    MODELS,
    NOT_IMPORTED,
    POOL_LABEL,
    Manifest,
    image,
    labels,
    metadata,
    model_address,
    settings_of,
)
from curtilage.derive.kubernetes.pods import CONTAINER_SANDBOX, env, scratch, spread, template
from curtilage.derive.kubernetes.segment import SERVING
from curtilage.derive.serving import TASK_FLAGS, Serving, gpu_of, serving
from curtilage.models.manifest import Quantization
from curtilage.region import CPU_CARD, Region
from curtilage.region_parts import CARDS

STORE = "/srv/models"
CACHE = "/var/cache/curtilage"
_CACHES = {
    "HOME": CACHE,
    "XDG_CACHE_HOME": CACHE,
    "XDG_CONFIG_HOME": CACHE,
    "HF_HOME": f"{CACHE}/hf",
    "VLLM_CACHE_ROOT": f"{CACHE}/vllm",
    "VLLM_CONFIG_ROOT": f"{CACHE}/config",
    "TORCHINDUCTOR_CACHE_DIR": f"{CACHE}/inductor",
    "TRITON_CACHE_DIR": f"{CACHE}/triton",
}
_TMP = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - a pod's own, not a shared directory
_QUANTIZED = {Quantization.AWQ_INT4: "awq_marlin", Quantization.GPTQ_INT4: "gptq_marlin", Quantization.FP8: "fp8"}


def directory(item: Serving) -> str:
    """Where the store keeps a model's verified weights."""
    return f"{STORE}/{item.model.name}/{item.weights}"


def store(region: Region) -> Iterator[Manifest]:
    """The volume with signed weights, which pods mount read-only, and what each model is."""
    yield {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(region, "models", MODELS),
        "spec": {
            "accessModes": ["ReadOnlyMany"],
            "storageClassName": settings_of(region).models_storage_class,
            "resources": {"requests": {"storage": "500Gi"}},
        },
    }
    for item in serving(region):
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(region, f"model-{item.model.name}", MODELS),
            "data": {
                "image": item.model.image or NOT_IMPORTED,
                "manifest": item.model.manifest,
                "variant": item.variant.value,
                "weights": item.model.weights or NOT_IMPORTED,
                "why": item.why,
            },
        }


def workloads(region: Region) -> Iterator[Manifest]:
    """One Deployment and one service a model."""
    for index, item in enumerate(serving(region)):
        yield _deployment(region, item)
        yield _service(region, item, index)
        if item.replicas > 1:
            yield {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": metadata(region, f"vllm-{item.model.name}", MODELS, "vllm"),
                "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _selector(item)}},
            }


def _selector(item: Serving) -> dict[str, str]:
    return {APP_LABEL: "vllm", f"{DOMAIN}/model": item.model.name}


def _deployment(region: Region, item: Serving) -> Manifest:
    pod = template(region, "vllm", "vllm", SERVING, _pod(region, item))
    pod["metadata"]["labels"] = labels(region, "vllm") | _selector(item)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(region, f"vllm-{item.model.name}", MODELS, "vllm"),
        "spec": {
            "replicas": item.replicas,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 1800,
            # Every card is taken, so a new pod can only start where an old one has ended.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "selector": {"matchLabels": _selector(item)},
            "template": pod,
        },
    }


def _pod(region: Region, item: Serving) -> dict[str, Any]:
    weights = {"name": "models", "mountPath": STORE, "readOnly": True}
    found: dict[str, Any] = {
        "terminationGracePeriodSeconds": 120,
        "topologySpreadConstraints": spread("vllm", hard=False),
        "nodeSelector": {POOL_LABEL: "gpu"},
        "initContainers": [
            {
                "name": "verify-weights",
                "image": image(region),
                "args": ["model", "verify", directory(item), "--key", "/etc/curtilage/model-signing.pub"],
                "securityContext": CONTAINER_SANDBOX,
                "resources": {"requests": {"cpu": "1", "memory": "512Mi"}, "limits": {"cpu": "4", "memory": "1Gi"}},
                # The verifier hands the signature that it judged to the library as a file of its own; its root is read-only.
                "volumeMounts": [weights, {"name": "signers", "mountPath": "/etc/curtilage", "readOnly": True}, _TMP],
            }
        ],
        "containers": [_container(item, weights)],
        "volumes": [
            {"name": "models", "persistentVolumeClaim": {"claimName": "models", "readOnly": True}},
            # Made by the releasers, not by the plan: who may sign is not decided by who may deploy.
            {"name": "signers", "configMap": {"name": "model-signers"}},
            scratch("cache", "20Gi"),
            scratch("tmp", "1Gi"),
            # Shared memory between the processes of one replica.
            scratch("shm", "8Gi", memory=True),
        ],
    }
    card, _, _ = gpu_of(region)
    if card != CPU_CARD:
        found["nodeSelector"]["nvidia.com/gpu.product"] = CARDS[card].product
        found["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    return found


def _container(item: Serving, weights: dict[str, Any]) -> dict[str, Any]:
    args = [
        f"--model={directory(item)}",
        f"--served-model-name={item.model.name}",
        "--host=0.0.0.0",
        f"--port={MODEL_PORT}",
        "--load-format=safetensors",
        f"--max-model-len={item.context_tokens}",
        f"--tensor-parallel-size={max(1, item.cards)}",
        "--disable-uvicorn-access-log",
        *TASK_FLAGS[item.model.task],
        *([f"--quantization={_QUANTIZED[item.variant]}"] if item.variant in _QUANTIZED else []),
        *([] if item.cards else ["--enforce-eager"]),
    ]
    if item.cards:
        limits = {"cpu": str(8 * item.cards), "memory": f"{32 * item.cards}Gi", "nvidia.com/gpu": str(item.cards)}
        requests = {"cpu": str(3 * item.cards), "memory": f"{16 * item.cards}Gi", "nvidia.com/gpu": str(item.cards)}
        own: dict[str, str] = {}
    else:
        limits, requests, own = {"cpu": "2", "memory": "6Gi"}, {"cpu": "500m", "memory": "3Gi"}, {"VLLM_CPU_KVCACHE_SPACE": "1"}

    def asks(path: str, **timing: int) -> dict[str, Any]:
        return {"httpGet": {"path": path, "port": "http"}, **timing}

    return {
        "name": "vllm",
        "image": item.model.image or NOT_IMPORTED,
        "args": args,
        "env": env(OFFLINE_ENV | _CACHES | own),
        "ports": [{"name": "http", "containerPort": MODEL_PORT, "protocol": "TCP"}],
        # Loading takes minutes and is no failure: half an hour, then the pod starts over.
        "startupProbe": asks("/health", periodSeconds=10, failureThreshold=180, timeoutSeconds=5),
        "readinessProbe": asks("/health", periodSeconds=5, failureThreshold=3, timeoutSeconds=5),
        "livenessProbe": asks("/health", periodSeconds=20, failureThreshold=6, timeoutSeconds=10),
        "securityContext": CONTAINER_SANDBOX,
        "resources": {"requests": requests, "limits": limits},
        "volumeMounts": [
            weights,
            {"name": "cache", "mountPath": CACHE},
            _TMP,
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - likewise
        ],
    }


def _service(region: Region, item: Serving, index: int) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(region, f"vllm-{item.model.name}", MODELS, "vllm"),
        "spec": {
            "type": "ClusterIP",
            "clusterIP": model_address(region, index),
            "selector": _selector(item),
            "ports": [{"name": "http", "port": MODEL_PORT, "targetPort": "http", "protocol": "TCP"}],
        },
    }
