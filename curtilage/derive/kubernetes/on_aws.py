"""What a cluster on AWS lacks and an existing one brings: storage classes for disks and shared files, and NVIDIA's device plugin."""

from __future__ import annotations

from typing import Any

from curtilage.derive.kubernetes.names import NOT_IMPORTED, POOL_LABEL, Manifest, metadata, settings_of
from curtilage.region import Region


def storage_classes(region: Region, disk_key: Any, files: Any) -> list[Manifest]:
    """Disks for ledger and evidence, shared files for weights.

    Args:
        region: the region.
        disk_key: ARN of the disks' key, known when it is there.
        files: id of the shared files, known when they are there.
    """
    settings = settings_of(region)
    shared = {"allowVolumeExpansion": True, "reclaimPolicy": "Retain"}
    return [
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": metadata(region, settings.storage_class),
            "provisioner": "ebs.csi.aws.com",
            "parameters": {"type": "gp3", "encrypted": "true", "kmsKeyId": disk_key},
            "volumeBindingMode": "WaitForFirstConsumer",
            **shared,
        },
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": metadata(region, settings.models_storage_class),
            "provisioner": "efs.csi.aws.com",
            "parameters": {"provisioningMode": "efs-ap", "fileSystemId": files, "directoryPerms": "750"},
            "mountOptions": ["tls"],
            "volumeBindingMode": "Immediate",
            **shared,
        },
    ]


def device_plugin(region: Region) -> list[Manifest]:
    """NVIDIA's device plugin, from the registry inside: it tells the kubelet of the cards and talks to nobody else."""
    name = "nvidia-device-plugin"
    found = region.aws.device_plugin_image if region.aws else None
    container = {
        "name": name,
        "image": found or NOT_IMPORTED,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "256Mi"}},
        "volumeMounts": [{"name": "plugins", "mountPath": "/var/lib/kubelet/device-plugins"}],
    }
    pod = {
        "metadata": {"labels": {"app.kubernetes.io/name": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "priorityClassName": "system-node-critical",
            "nodeSelector": {POOL_LABEL: "gpu"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "containers": [container],
            "volumes": [{"name": "plugins", "hostPath": {"path": "/var/lib/kubelet/device-plugins", "type": "Directory"}}],
        },
    }
    meta = metadata(region, name, "kube-system", name)
    # It stands beside the segment, on its machines; the segment's label would let pods of the segment talk to it.
    meta["labels"].pop("curtilage.dev/segment")
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": meta,
            "spec": {
                "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
                "updateStrategy": {"type": "RollingUpdate"},
                "template": pod,
            },
        }
    ]
