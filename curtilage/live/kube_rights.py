"""Who may open the seal: every right, bound to anyone, to write what the seal is made of or to go round it.

Rights that the region itself derives are compared with what is derived, not judged again. The cluster's own controllers, which an API
server binds by name, and whom the caller names as administrators are said in the report; anyone else is a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curtilage.derive.kubernetes.manifests import manifests
from curtilage.live.report import RIGHTS
from curtilage.proof.kubernetes.kinds import ADMISSION, CLUSTER_NET, NET, RBAC
from curtilage.proof.kubernetes.objects import Manifest
from curtilage.proof.report import Finding
from curtilage.region import Platform, Region
from curtilage.verdict import Verdict

WRITES = frozenset({"*", "create", "update", "patch", "delete", "deletecollection"})
CHANGES = frozenset({"*", "update", "patch", "delete", "deletecollection"})
OPENS: tuple[tuple[str, str, frozenset[str], str], ...] = (
    (NET, "networkpolicies", WRITES, "write network policies"),
    (CLUSTER_NET, "clusternetworkpolicies", WRITES, "write cluster network policies"),
    (CLUSTER_NET, "adminnetworkpolicies", WRITES, "write admin network policies"),
    ("cilium.io", "ciliumnetworkpolicies", WRITES, "write Cilium's policies"),
    ("cilium.io", "ciliumclusterwidenetworkpolicies", WRITES, "write Cilium's policies"),
    (ADMISSION, "validatingadmissionpolicies", CHANGES, "change admission policies"),
    (ADMISSION, "validatingadmissionpolicybindings", CHANGES, "change admission bindings"),
    (ADMISSION, "mutatingwebhookconfigurations", WRITES, "write webhooks that rewrite objects"),
    (ADMISSION, "mutatingadmissionpolicies", WRITES, "write policies that rewrite objects"),
    (ADMISSION, "mutatingadmissionpolicybindings", WRITES, "write policies that rewrite objects"),
    (ADMISSION, "validatingwebhookconfigurations", WRITES, "write webhooks that are told every object"),
    ("apiregistration.k8s.io", "apiservices", WRITES, "answer for the API server"),
    ("certificates.k8s.io", "certificatesigningrequests/approval", WRITES, "approve certificates of other users"),
    ("certificates.k8s.io", "signers", frozenset({"*", "approve", "sign"}), "approve certificates of other users"),
    (RBAC, "clusterroles", frozenset({"*", "escalate", "bind"}), "give rights beyond their own"),
    (RBAC, "roles", frozenset({"*", "escalate", "bind"}), "give rights beyond their own"),
    (RBAC, "clusterrolebindings", WRITES, "bind rights"),
    (RBAC, "rolebindings", WRITES, "bind rights"),
    ("", "namespaces", CHANGES, "change namespaces and their labels"),
    ("", "configmaps", WRITES, "write the list of approved images"),
    ("", "secrets", frozenset({"*", "get", "list", "watch"}), "read keys"),
    ("", "pods/exec", WRITES | {"get"}, "run commands in pods"),
    ("", "pods/attach", WRITES | {"get"}, "attach to pods"),
    ("", "pods/portforward", WRITES | {"get"}, "forward ports of pods"),
    ("", "pods/proxy", WRITES | {"get"}, "reach pods through the API server"),
    ("", "services/proxy", WRITES | {"get"}, "reach services through the API server"),
    ("", "nodes/proxy", WRITES | {"get"}, "reach kubelets through the API server"),
    ("", "pods/ephemeralcontainers", WRITES, "add containers to running pods"),
    ("", "users", frozenset({"*", "impersonate"}), "act as other users"),
    ("", "groups", frozenset({"*", "impersonate"}), "act as other groups"),
    ("", "serviceaccounts", frozenset({"*", "impersonate"}), "act as service accounts"),
    ("", "serviceaccounts/token", WRITES, "make tokens of service accounts"),
)
"""(API group, resource, verbs, what it lets do)."""
_BY_NAME = frozenset({"namespaces", "configmaps", "validatingadmissionpolicies", "validatingadmissionpolicybindings"})
"""Of these only the region's own matter; of the others one of any name opens as much: another policy, another role, a pod."""
_NARROW = ("configmaps",)
"""Of these only the ones in namespaces of the segment matter, and a role for one namespace gives no others."""
SYSTEM_SPACE = "kube-system"


def _system(subject: Mapping[str, Any], platform: Platform) -> bool:
    """Whom an API server and its controllers run as; nobody else can log in by these names."""
    kind, name = subject.get("kind"), str(subject.get("name", ""))
    if platform is Platform.AWS and kind == "User" and name.startswith(("eks:", "aws:")):
        return True  # EKS's own: an access entry may not take these prefixes
    if kind == "ServiceAccount":
        return subject.get("namespace") == SYSTEM_SPACE
    if kind == "User":
        return name.startswith("system:") and not name.startswith(("system:anonymous", "system:serviceaccount:"))
    return kind == "Group" and name in ("system:masters", "system:nodes", "system:bootstrappers", "system:monitoring")


def decide_rights(
    region: Region, live: tuple[Manifest, ...], legal: tuple[str, ...], administrators: frozenset[str]
) -> tuple[list[Finding], tuple[str, ...]]:
    """A finding for each subject that may open the seal, and whom the verdict trusts instead.

    Args:
        region: whose derived rights are no finding.
        live: the cluster's objects.
        legal: namespaces of the segment.
        administrators: ``Kind:name`` of those the caller answers for; a service account as ``ServiceAccount:namespace/name``.
    """
    roles = {(item.kind, item.namespace, item.name): item for item in live if item.group == RBAC and item.kind in ("Role", "ClusterRole")}
    own = {
        (document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"])
        for documents in manifests(region).values()
        for document in documents
    }
    findings: list[Finding] = []
    trusted: set[str] = set()
    for item in live:
        if item.group != RBAC or item.kind not in ("RoleBinding", "ClusterRoleBinding") or (item.kind, item.namespace, item.name) in own:
            continue
        if item.kind == "RoleBinding" and item.namespace not in legal:
            continue
        reference = item.body.get("roleRef")
        reference = reference if isinstance(reference, dict) else {}
        space = item.namespace if reference.get("kind") == "Role" else ""
        role = roles.get((str(reference.get("kind")), space, str(reference.get("name"))))
        if role is None:
            continue  # a binding to no role gives nothing; to make the role is a right of its own, judged where it is bound
        powers = sorted(set(_powers(role, everywhere=item.kind == "ClusterRoleBinding", own=own)))
        subjects = item.body.get("subjects") or []
        for subject in subjects if powers and isinstance(subjects, list) else []:
            who = _who(subject if isinstance(subject, dict) else {})
            if isinstance(subject, dict) and (_system(subject, region.platform) or who in administrators):
                trusted.add(f"{who} (by {item})" if who in administrators else who)
                continue
            reason = f"{who} may {', '.join(powers)}: {item} binds {role}, and the region derives neither for this"
            change = "change: remove the binding, or answer for the subject with --administrator"
            findings.append(Finding(RIGHTS, item.namespace or "cluster", Verdict.FAIL, reason, None, (f"{item} ({item.where})", change)))
    named = sorted(item for item in trusted)
    return findings, (f"who may open the seal and is trusted not to: {', '.join(named)}",) if named else ()


def _who(subject: Mapping[str, Any]) -> str:
    kind, name = str(subject.get("kind", "(no kind)")), str(subject.get("name", "(no name)"))
    return f"{kind}:{subject.get('namespace', '')}/{name}" if kind == "ServiceAccount" else f"{kind}:{name}"


def _powers(role: Manifest, *, everywhere: bool, own: set[tuple[str, str, str]]) -> Iterator[str]:
    rules = role.body.get("rules") or []
    names = {name for _, _, name in own}
    for rule in rules if isinstance(rules, list) else []:
        if not isinstance(rule, dict):
            yield "do what is not known"
            continue
        groups, resources, verbs = (_texts(rule.get(key)) for key in ("apiGroups", "resources", "verbs"))
        bound = _texts(rule.get("resourceNames"))
        for group, resource, actions, what in OPENS:
            if not ({group, "*"} & groups and _covers(resources, resource) and actions & verbs):
                continue
            if bound and "create" not in verbs & actions and not bound & names and resource in _BY_NAME:
                continue  # bound to objects by name, and none is the region's
            if resource in _NARROW and everywhere and bound:
                continue
            yield what


def _covers(resources: frozenset[str], wanted: str) -> bool:
    plain, _, sub = wanted.partition("/")
    return bool({"*", wanted, f"*/{sub}" if sub else wanted} & resources) or (bool(sub) and f"{plain}/*" in resources)


def _texts(value: Any) -> frozenset[str]:
    return frozenset(str(item) for item in value) if isinstance(value, list) else frozenset()
