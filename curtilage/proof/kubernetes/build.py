"""From objects to the model: namespaces, pods, policies, and what is not modelled, by name."""

from __future__ import annotations

from collections.abc import Iterable

from curtilage.proof.kubernetes.cluster import ClusterPolicy, read_cluster_policy
from curtilage.proof.kubernetes.decision import Cluster
from curtilage.proof.kubernetes.kinds import FOREIGN_POLICIES, INERT, POD_KINDS, POLICY_KINDS, RELAYS, TRAFFIC_KINDS, VERSIONS
from curtilage.proof.kubernetes.objects import NOWHERE, Manifest, Manifests, string_map, template_of
from curtilage.proof.kubernetes.policy import NetworkPolicy, read_policy
from curtilage.proof.kubernetes.select import World

SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")
"""There in every cluster, and no legal segment's."""
ALWAYS = ("default", *SYSTEM_NAMESPACES)
UNKNOWN_ID, TYPE_ID = "K8S-UNKNOWN", "K8S-TYPE"


def build(manifests: Manifests, legal: Iterable[str] = ()) -> Cluster:
    """The model of all objects; ``legal`` are namespaces that are there even if no object says so."""
    found = _once(manifests.objects)
    world = World()
    cluster = Cluster(world, found, tuple(item for item in map(template_of, found) if item is not None), (), ())
    for about, what in manifests.gaps:
        cluster.gap(UNKNOWN_ID, about, what, about)
    _repeated(cluster)
    _namespaces(cluster, legal)

    def gap(item: Manifest, what: str) -> None:
        cluster.gap(UNKNOWN_ID, item, what, item.where)

    policies, cluster_policies = list[NetworkPolicy](), list[ClusterPolicy]()
    for item in found:
        key = (item.group, item.kind)
        if key in POLICY_KINDS and item.body["metadata"].get("deletionTimestamp") is not None:
            gap(item, "it is being deleted, and holds no longer than that takes")
        if item.namespace == NOWHERE and key not in INERT:
            gap(item, "its namespace is not known")
        if key in VERSIONS and item.version not in VERSIONS[key]:
            gap(item, f"version {item.version} is not modelled; {', '.join(sorted(VERSIONS[key]))} are")
        if key in POLICY_KINDS:
            if item.kind == "NetworkPolicy":
                policies.append(read_policy(item, gap))
            else:
                cluster_policies.append(read_cluster_policy(item, gap))
    cluster.policies, cluster.cluster_policies = tuple(policies), tuple(cluster_policies)
    elders = [item for item in cluster_policies if item.manifest.kind != "ClusterNetworkPolicy"]
    if elders and len(elders) != len(cluster_policies):
        gap(elders[0].manifest, "it stands beside ClusterNetworkPolicy; an implementation takes one API or the other")
    asked = [selector for policy in policies for selector in policy.selectors()]
    world.complete([*asked, *(selector for policy in cluster_policies for selector in policy.selectors())])
    return cluster


def legal_namespaces(manifests: Manifests) -> tuple[str, ...]:
    """Every namespace that an object of the manifests stands in or is, but the system's own: what is not named otherwise is legal."""
    names = {item.name if item.kind == "Namespace" and not item.group else item.namespace for item in manifests.objects if not _given(item)}
    return tuple(sorted(name for name in names if name and name not in (*SYSTEM_NAMESPACES, NOWHERE)))


def _given(item: Manifest) -> bool:
    """What every cluster has in namespace ``default``, which a listing of all namespaces brings along."""
    return (item.namespace, item.name) in {("default", "kubernetes"), ("default", "kube-root-ca.crt"), ("default", "default")} or (
        item.kind == "Namespace" and item.name == "default" and "resourceVersion" in item.body["metadata"]
    )


def unmodelled(cluster: Cluster, legal: frozenset[str]) -> None:
    """Name every object of a kind that the model cannot follow and that could matter to the segment."""
    known = {*POD_KINDS, *POLICY_KINDS, *TRAFFIC_KINDS, *INERT}
    for item in cluster.objects:
        key = (item.group, item.kind)
        if key in known or (item.namespace and item.namespace not in legal and item.namespace != NOWHERE):
            continue
        if key in RELAYS:
            cluster.gap("EG-29", item, RELAYS[key], item.where)
        elif key in FOREIGN_POLICIES:
            cluster.gap(TYPE_ID, item, f"not modelled: {FOREIGN_POLICIES[key]}", item.where)
        elif item.kind.endswith("Patch"):
            cluster.gap(TYPE_ID, item, "it changes an object that the manifests do not hold", item.where)
        elif item.kind in ("MutatingWebhookConfiguration", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"):
            cluster.gap(TYPE_ID, item, "it rewrites objects after they were judged here", item.where)
        else:
            cluster.gap(TYPE_ID, item, f"kind {item.kind} of {item.group or 'core'}/{item.version} is not modelled", item.where)


def _once(objects: tuple[Manifest, ...]) -> tuple[Manifest, ...]:
    """Objects said twice in the same words are one."""
    kept: dict[tuple[str, str, str, str, str], Manifest] = {}
    found = []
    for item in objects:
        key = (item.group, item.kind, item.version, item.namespace, item.name)
        if key in kept and kept[key].body == item.body:
            continue
        kept.setdefault(key, item)
        found.append(item)
    return tuple(found)


def _repeated(cluster: Cluster) -> None:
    seen: dict[tuple[str, str, str, str], Manifest] = {}
    for item in cluster.objects:
        key = (item.group, item.kind, item.namespace, item.name)
        if key in seen and item.name != "(not known)":
            cluster.gap(UNKNOWN_ID, item, f"it is defined twice, differently; also in {seen[key].where}", item.where)
        seen.setdefault(key, item)


def _namespaces(cluster: Cluster, legal: Iterable[str]) -> None:
    world = cluster.world
    for item in cluster.objects:
        if item.kind == "Namespace" and not item.group and world.named(item.name) is None:
            meta = item.body["metadata"]
            labels = string_map(meta.get("labels"))
            if labels is None:
                cluster.gap(UNKNOWN_ID, item, "its labels are not known, or no texts", item.where)
            world.add(item.name, labels, listed=True)
    named = {item.namespace for item in cluster.objects if item.namespace not in ("", NOWHERE)} | set(legal)
    for name in sorted(named):
        if world.named(name) is None:
            # Listed by use alone: the object, and so its labels, are somewhere else.
            world.add(name, None, listed=True)
    for name in ALWAYS:
        if world.named(name) is None:
            world.add(name, {}, listed=False)
