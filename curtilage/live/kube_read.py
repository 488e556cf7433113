"""Every object of a cluster that could matter to the segment, as the proof takes them; what could not be read is a gap, by name.

Which kinds there are is asked of the cluster, not known beforehand: a kind that nobody thought of is listed too and named by the proof.
Secrets, events and leases are never read: they send nothing, and an auditor has no business with them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from curtilage.errors import ConfigError
from curtilage.live.kube_client import KubeClient, RefusedError, UnansweredError
from curtilage.proof.kubernetes.kinds import ADMISSION, APPS, BATCH, CLUSTER_NET, INERT, NET, RBAC, VERSIONS
from curtilage.proof.kubernetes.objects import Manifest, Manifests, make_object

Kind = tuple[str, str]

REQUIRED: tuple[Kind, ...] = (
    ("", "Namespace"),
    ("", "Pod"),
    ("", "ReplicationController"),
    ("", "Service"),
    ("", "Endpoints"),
    ("", "ResourceQuota"),
    ("", "LimitRange"),
    ("", "ServiceAccount"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    *((APPS, kind) for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet")),
    *((BATCH, kind) for kind in ("Job", "CronJob")),
    ("discovery.k8s.io", "EndpointSlice"),
    (NET, "NetworkPolicy"),
    (NET, "Ingress"),
    *((RBAC, kind) for kind in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")),
    *((ADMISSION, kind) for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")),
    *((ADMISSION, kind) for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
)
"""Kinds that every cluster of a supported version serves: where one is not served, something hides it."""
DERIVED: frozenset[Kind] = frozenset(
    {
        *REQUIRED,
        ("autoscaling", "HorizontalPodAutoscaler"),
        ("policy", "PodDisruptionBudget"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "StorageClass"),
        ("monitoring.coreos.com", "PodMonitor"),
        ("monitoring.coreos.com", "PrometheusRule"),
        (CLUSTER_NET, "ClusterNetworkPolicy"),
    }
)
"""Read although they send nothing themselves: the region derives some, and they are compared."""
HARMLESS: dict[Kind, str] = {
    ("", "ComponentStatus"): "a report of the cluster's own parts",
    (NET, "ServiceCIDR"): "addresses that services get; services are judged",
    (NET, "IPAddress"): "addresses that services have; services are judged",
    ("storage.k8s.io", "VolumeAttributesClass"): "settings of disks",
    ("resource.k8s.io", "DeviceClass"): "names devices; a pod that claims one is judged",
    ("resource.k8s.io", "ResourceSlice"): "lists devices; a pod that claims one is judged",
    ("internal.apiserver.k8s.io", "StorageVersion"): "how the API server stores objects",
    ("storagemigration.k8s.io", "StorageVersionMigration"): "how the API server stores objects",
    ("certificates.k8s.io", "ClusterTrustBundle"): "certificates",
    ("cilium.io", "CiliumEndpointSlice"): "what Cilium reports",
}
CORE_DNS = "/api/v1/namespaces/kube-system/configmaps/coredns"
_NOISE = ("managedFields", "selfLink", "generation", "uid", "creationTimestamp")


@dataclass
class Reading:
    """What was read, and what was not."""

    objects: list[Manifest] = field(default_factory=list)
    gaps: list[tuple[str, str]] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)

    def manifests(self) -> Manifests:
        """In the proof's form."""
        lines = sorted(json.dumps([item.where, item.body], sort_keys=True, default=str) for item in self.objects)
        digest = "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()
        return Manifests(tuple(self.objects), digest, tuple(self.gaps))


@dataclass(frozen=True)
class Served:
    """A kind that the cluster serves, where."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    lists: bool

    @property
    def root(self) -> str:
        """The address of its version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    @property
    def api_version(self) -> str:
        """As objects say it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def __str__(self) -> str:
        return f"{self.kind}.{self.group or 'core'}/{self.version}"


def read_cluster(client: KubeClient, namespaces: tuple[str, ...]) -> Reading:
    """Everything that matters.

    Args:
        client: the cluster.
        namespaces: the legal segment's: only theirs are the ConfigMaps that are read.

    Raises:
        ConfigError: the API knows no such user.
        UnansweredError: nobody answers at all.
    """
    found = Reading()
    kinds = _served(client, found)
    for key in REQUIRED:
        if key not in kinds:
            found.gaps.append((f"kind {key[1]} of {key[0] or 'core'}", "the API does not serve it, so objects of it were not read"))
    for key, kind in sorted(kinds.items()):
        if key == ("", "ConfigMap"):
            for name in namespaces:
                _collect(client, found, kind, f"{kind.root}/namespaces/{name}/configmaps")
        elif key in HARMLESS or (key in INERT and key not in DERIVED):
            continue
        elif not kind.lists:
            if key in DERIVED:
                found.gaps.append((str(kind), "the API lets nobody list it, so objects of it were not read"))
        else:
            _collect(client, found, kind, f"{kind.root}/{kind.plural}")
    _resolver(client, found)
    return found


def _served(client: KubeClient, found: Reading) -> dict[Kind, Served]:
    """Every kind, each in one version: one that the proof has read the schema of, else the server's own choice."""
    try:
        core = client.get("/api")
        groups = client.get("/apis")
    except RefusedError as error:
        if error.code == 401:
            raise ConfigError(
                f"context '{client.context.name}': the API knows no such user ({error})",
                rule="the audit reads with credentials that the cluster accepts",
                fix="log in again, or correct the kubeconfig's user",
                key="kubernetes.context",
            ) from None
        raise UnansweredError(f"discovery is refused: {error}") from error
    versions: list[tuple[str, str]] = [("", str(item)) for item in _list(core.get("versions"))]
    for group in _list(groups.get("groups")):
        if not isinstance(group, dict) or not isinstance(group.get("name"), str):
            found.gaps.append(("discovery", "a group without a name"))
            continue
        choice = group.get("preferredVersion")
        preferred = choice if isinstance(choice, dict) else {}
        listed = [str(item.get("version")) for item in _list(group.get("versions")) if isinstance(item, dict)]
        # The server's own choice comes first.
        first = [item for item in listed if item == preferred.get("version")]
        versions += [(group["name"], item) for item in (*first, *(item for item in listed if item not in first))]
    kinds: dict[Kind, Served] = {}
    for name, version in versions:
        for kind in _resources(client, found, name, version):
            key = (kind.group, kind.kind)
            known = VERSIONS.get(key, frozenset())
            if key not in kinds or (kinds[key].version not in known and version in known):
                kinds[key] = kind
    return kinds


def _resources(client: KubeClient, found: Reading, group: str, version: str) -> Iterator[Served]:
    root = f"/apis/{group}/{version}" if group else f"/api/{version}"
    try:
        answer = client.get(root)
    except (RefusedError, UnansweredError) as error:
        if group != "metrics.k8s.io":  # figures of use; nothing that is judged
            found.gaps.append((f"API group {group or 'core'}/{version}", f"which kinds it has could not be read: {error}"))
        return
    listed = answer.get("resources")
    if not isinstance(listed, list):
        found.gaps.append((f"API group {group or 'core'}/{version}", "which kinds it has was not told"))
    for item in _list(listed):
        name, kind, verbs = (item.get("name"), item.get("kind"), item.get("verbs")) if isinstance(item, dict) else (None, None, None)
        if not isinstance(name, str) or not isinstance(kind, str) or not isinstance(verbs, list) or not name:
            # Whatever it is, it could stand in the segment.
            found.gaps.append((f"API group {group or 'core'}/{version}", "one of its kinds was told in a form that is not known"))
        elif "/" not in name:
            yield Served(group, version, kind, name, item.get("namespaced") is True, "list" in verbs)


def _collect(client: KubeClient, found: Reading, kind: Served, path: str) -> None:
    for attempt in (1, 2):
        items: list[Mapping[str, Any]] = []
        try:
            items.extend(client.pages(path))
        except RefusedError as error:
            if error.code == 410 and attempt == 1:
                continue  # the list grew too old between two pages; from its beginning it is a new one
            if error.code == 404 and kind.group and (kind.group, kind.kind) not in DERIVED:
                return  # its definition went away in between
            found.gaps.append((f"{path}", f"it could not be listed: {error}"))
        except UnansweredError as error:
            found.gaps.append((f"{path}", f"it was not read to its end: {error}"))
        for item in items:
            _keep(found, kind, item)
        found.read[str(kind)] = found.read.get(str(kind), 0) + len(items)
        return


def _keep(found: Reading, kind: Served, item: Mapping[str, Any]) -> None:
    """Items of a list do not say what they are; the list does."""
    given = item.get("metadata")
    meta = {key: value for key, value in given.items() if key not in _NOISE} if isinstance(given, dict) else None
    body = {**item, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta}
    if (kind.group, kind.kind) == ("apiregistration.k8s.io", "APIService") and _local(body):
        return
    space = f"/namespaces/{meta.get('namespace')}" if kind.namespaced and meta else ""
    where = f"{kind.root}{space}/{kind.plural}/{(meta or {}).get('name', '')}"
    try:
        made = make_object(body, where)
    except ConfigError as error:
        found.gaps.append((where, error.given))
        return
    if not kind.namespaced and made.namespace:
        # A kind that the proof has no scope for: the API says that it has no namespace.
        made = Manifest(made.group, made.kind, made.version, "", made.name, made.body, made.where)
    found.objects.append(made)


def _local(body: Mapping[str, Any]) -> bool:
    """An API of the API server itself, or the one for figures of use, which serves no objects that are judged."""
    spec = body.get("spec")
    return isinstance(spec, dict) and (spec.get("service") is None or spec.get("group") == "metrics.k8s.io")


def _resolver(client: KubeClient, found: Reading) -> None:
    """The cluster's resolver: a query that pods may send to it goes where its configuration says."""
    try:
        item = client.get(CORE_DNS)
    except RefusedError as error:
        if error.code != 404:
            found.gaps.append((CORE_DNS, f"it could not be read: {error}"))
        return
    except UnansweredError as error:
        found.gaps.append((CORE_DNS, f"it could not be read: {error}"))
        return
    _keep(found, Served("", "v1", "ConfigMap", "configmaps", True, True), item)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
