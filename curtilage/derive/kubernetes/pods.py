"""Parts that every pod of the segment shares: sandbox, no resolver, no token, spread over nodes."""

from __future__ import annotations

from typing import Any

from curtilage.derive.kubernetes.names import APP_LABEL, UNPRIVILEGED, labels
from curtilage.region import Region

CONTAINER_SANDBOX: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
}


def env(values: dict[str, str]) -> list[dict[str, Any]]:
    """Environment as the API wants it, in a stable order."""
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def scratch(name: str, size: str, *, memory: bool = False) -> dict[str, Any]:
    """A pod's own disk or memory, gone with the pod."""
    return {"name": name, "emptyDir": {"sizeLimit": size} | ({"medium": "Memory"} if memory else {})}


def template(region: Region, app: str, account: str, priority: str, spec: dict[str, Any], **annotations: str) -> dict[str, Any]:
    """A pod template: what is the same for all, and the workload's own part."""
    metadata: dict[str, Any] = {"labels": labels(region, app)}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "metadata": metadata,
        "spec": {
            "serviceAccountName": account,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "priorityClassName": priority,
            # No resolver: names are a way out, and everything a pod talks to is written down as an address.
            "dnsPolicy": "None",
            "dnsConfig": {"nameservers": ["127.0.0.1"]},
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": UNPRIVILEGED,
                "runAsGroup": UNPRIVILEGED,
                "fsGroup": UNPRIVILEGED,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            **spec,
        },
    }


def spread(app: str, *, hard: bool) -> list[dict[str, Any]]:
    """Over nodes always, over zones where there are some."""
    selector = {"matchLabels": {APP_LABEL: app}}
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule" if hard else "ScheduleAnyway",
            "labelSelector": selector,
        },
        {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector},
    ]


def apart(app: str) -> dict[str, Any]:
    """No two of them on one node."""
    term = {"labelSelector": {"matchLabels": {APP_LABEL: app}}, "topologyKey": "kubernetes.io/hostname"}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
