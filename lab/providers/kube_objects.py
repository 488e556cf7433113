"""What the official Kubernetes provider does to a program's objects before it sends them, and which of their fields replace them."""

from __future__ import annotations

import base64
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import _types

from lab.providers.schema import SECRET, SIGNATURE, Schema, _choices, _inputs, is_unknown, plain

AUTONAMED = "pulumi.com/autonamed"
READONLY = ("uid", "resourceVersion", "managedFields", "creationTimestamp", "generation", "selfLink", "deletionTimestamp")
CLUSTER_SCOPED = frozenset(
    {
        "Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding", "PriorityClass", "StorageClass", "CSIDriver",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration",
        "CustomResourceDefinition", "APIService", "RuntimeClass", "IngressClass", "ClusterNetworkPolicy", "CiliumClusterwideNetworkPolicy",
        "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "FlowSchema", "PriorityLevelConfiguration",
    }
)  # fmt: skip
"""Kinds without a namespace, for a preview that reaches no cluster to ask."""
_ALWAYS = ("metadata.name", "metadata.namespace")
REPLACING: dict[str, tuple[str, ...]] = {
    "ConfigMap": ("data", "binaryData"),
    "Secret": ("data", "stringData", "type"),
    "Deployment": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.volumeClaimTemplates", "spec.podManagementPolicy"),
    "Job": ("spec.selector", "spec.template", "spec.completions"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "Service": ("spec.clusterIP",),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.storageClassName", "spec.selector", "spec.volumeName"),
    "StorageClass": ("parameters", "provisioner"),
    "Pod": ("spec",),
}
_QUANTITY = re.compile(r"^(\d+)m$")


def autoname(inputs: dict[str, Any], olds: dict[str, Any], name: str, seed: bytes) -> None:
    """A name for an object without one: the resource's with eight hex digits; kept for as long as it lives."""
    meta = inputs.setdefault("metadata", {})
    if meta.get("name"):
        return
    old = olds.get("metadata", {})
    kept = old.get("name") if (old.get("annotations") or {}).get(AUTONAMED) == "true" else None
    meta["name"] = kept or f"{name.lower()}-{seed.hex()[:8] or '00000000'}"
    meta["annotations"] = {**(meta.get("annotations") or {}), AUTONAMED: "true"}


def place(inputs: dict[str, Any], namespace: str, *, namespaced: bool) -> None:
    """The namespace that a namespaced object without one gets."""
    if namespaced and not inputs["metadata"].get("namespace"):
        inputs["metadata"]["namespace"] = namespace or "default"


def pruned(schema: Schema, kind: str, inputs: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A built-in object as its Go type keeps it, and the paths of fields that vanished."""
    gone: list[str] = []
    found = {key: _keep(value, schema.type(kind).inputs.get(key), key, gone) for key, value in inputs.items()}
    return {key: value for key, value in found.items() if value is not _GONE}, gone


_GONE = object()


def _keep(value: Any, wanted: Any, path: str, gone: list[str]) -> Any:
    if wanted is None:
        if not path.startswith("__"):
            gone.append(path)
        return value if path.startswith("__") else _GONE
    if value is None:
        return _GONE
    choice = _choices(wanted)[0]
    origin, parts = typing.get_origin(choice), typing.get_args(choice)
    if origin in (list, Sequence) and isinstance(value, list):
        # An empty list is omitted, as Go's `omitempty` does: `egress: []` vanishes.
        kept = [_keep(item, parts[0], f"{path}[{index}]", gone) for index, item in enumerate(value)]
        return [item for item in kept if item is not _GONE] or _GONE
    if origin in (dict, Mapping) and isinstance(value, dict):
        return {key: _quantity(path, item) for key, item in value.items()} or _GONE
    if _types.is_input_type(choice) and isinstance(value, dict) and SIGNATURE not in value:
        known = _inputs(choice)
        inner = {key: _keep(item, known.get(key), f"{path}.{key}", gone) for key, item in value.items()}
        return {key: item for key, item in inner.items() if item is not _GONE}
    return value


def _quantity(path: str, value: Any) -> Any:
    """Quantities are canonical: ``2000m`` is ``2``."""
    leaf = path.rsplit(".", 1)[-1]
    if leaf in ("limits", "requests", "hard", "default", "defaultRequest", "capacity") and isinstance(value, str):
        found = _QUANTITY.match(value)
        if found and int(found[1]) % 1000 == 0:
            return str(int(found[1]) // 1000)
    return value


def secret(inputs: dict[str, Any]) -> None:
    """A Secret's text becomes base64, and all of its data is secret, whatever the program said."""
    data = plain(inputs.get("data")) or {}
    text = plain(inputs.pop("stringData", None)) or {}
    data |= {key: base64.b64encode(str(plain(value)).encode()).decode() for key, value in text.items()}
    if data:
        inputs["data"] = {SIGNATURE: SECRET, "value": {key: plain(value) for key, value in data.items()}}


def bare(value: Any) -> Any:
    """A value as the API gets it: no secrets' wrapping, nothing of the engine's own."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return bare(value.get("value"))
        return {key: bare(item) for key, item in value.items() if not key.startswith("__")}
    return [bare(item) for item in value] if isinstance(value, list) else value


def has_unknown(value: Any) -> bool:
    """Whether anything in a value is not known yet."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    return any(has_unknown(item) for item in value) if isinstance(value, list) else is_unknown(value)


def shaped(live: Any, shape: Any) -> Any:
    """The live object cut to the fields that a program set: all that drift is ever seen in."""
    if isinstance(shape, dict) and isinstance(live, dict):
        return {key: shaped(live[key], item) for key, item in shape.items() if key in live}
    if isinstance(shape, list) and isinstance(live, list):
        return [shaped(one, shape[index]) for index, one in enumerate(live[: len(shape)])]
    return live


def differences(old: Any, new: Any, path: str = "") -> dict[str, str]:
    """Paths that differ, each with ``add``, ``delete`` or ``update``."""
    if isinstance(old, dict) and isinstance(new, dict):
        found: dict[str, str] = {}
        for key in sorted({*old, *new}):
            where = f"{path}.{key}" if path else key
            if key not in old:
                found[where] = "add"
            elif key not in new:
                found[where] = "delete"
            else:
                found |= differences(old[key], new[key], where)
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        found = {}
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            found |= differences(one, other, f"{path}[{index}]")
        return found
    return {} if old == new else {path: "update"}


def replaces(kind: str, changed: Sequence[str]) -> list[str]:
    """Of the paths that differ, those that no object survives."""
    fields = (*_ALWAYS, *REPLACING.get(kind, ()))
    return [path for path in changed if any(path == field or path.startswith((f"{field}.", f"{field}[")) for field in fields)]
