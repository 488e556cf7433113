"""The decision about manifests: can a packet leave a pod of the legal segment, whatever labels the pod has, for anywhere not allowed."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from curtilage.allowance import Allowance
from curtilage.derive.kubernetes.names import ADMISSION, SEALED, SEGMENT_LABEL
from curtilage.derive.kubernetes.network import NAMESPACE_OF
from curtilage.proof.kubernetes.build import build, legal_namespaces, unmodelled
from curtilage.proof.kubernetes.decision import Cluster
from curtilage.proof.kubernetes.kinds import INERT
from curtilage.proof.kubernetes.leaks import Leaks, Question
from curtilage.proof.kubernetes.objects import Manifest, Manifests
from curtilage.proof.kubernetes.pods import decide_pods, has_no_pods
from curtilage.proof.kubernetes.rules import Network, Rule
from curtilage.proof.kubernetes.traffic import decide_resolver, decide_services
from curtilage.proof.report import About, Finding, ProofResult
from curtilage.region import Platform, Region
from curtilage.region_kubernetes import Enforcer
from curtilage.verdict import Verdict, worst

OUT_OF_SCOPE = (
    "what stands in the cluster and not in the manifests: objects made by hand, by operators, by other releases",
    "the node that a pod runs on, and the pod itself: no policy keeps them apart (EG-33); nodes are sealed by their own ruleset or groups",
    "static pods: the kubelet starts them from files, past the API (EG-32)",
    "the seconds before a CNI has programmed a new pod's policies, unless it holds pods back until then (EG-21)",
    "connections that stood before a policy changed: whether they end is the implementation's (EG-12)",
    "a namespace that is being deleted: its policies may go before its pods (EG-22)",
    "people and controllers with rights in the cluster: exec, port-forward and proxy are relays for who may use them (EG-31)",
    "service meshes, kube-proxy's and the CNI's own settings; audit and non-enforcing modes (EG-24)",
)


@dataclass(frozen=True)
class Scope:
    """What the manifests are measured by.

    Attributes:
        namespaces: the legal segment's; empty: every namespace of the manifests but the system's.
        networks: addresses that count as inside; empty: none is known.
        callers: networks outside from which callers may come in.
        allowances: the only destinations outside, each for the namespace of its role.
        region: whose scope it is; its name.
        node_port: whether one listener on the nodes is meant, for the callers.
        layered: the region says that its cluster serves ClusterNetworkPolicy: the admin tier then has to hold alone, too, because whoever
            may write a NetworkPolicy can open another (EG-23).
        owned_pods: the network plugin covers pods with an owner alone (EG-27).
    """

    namespaces: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    callers: tuple[Network, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    region: str = ""
    node_port: bool = False
    layered: bool = False
    owned_pods: bool = False

    @classmethod
    def of(cls, region: Region, namespaces: tuple[str, ...] = ()) -> Scope:
        """The scope of a region: its segments and its cluster's service network are inside, its sealed namespaces legal."""
        settings = region.kubernetes
        inside = [network for item in region.segments.values() for network in item.networks]
        return cls(
            namespaces=namespaces or (*SEALED, ADMISSION),
            networks=(*inside, *(settings.services if settings else ())),
            callers=settings.crm_networks if settings else (),
            allowances=region.allowances,
            region=region.name,
            # On AWS the load balancer of the PrivateLink service meets the gateway at one NodePort.
            node_port=region.platform is Platform.AWS,
            layered=settings is not None and settings.cluster_network_policy,
            owned_pods=settings is not None and settings.enforcer is Enforcer.AWS_VPC_CNI,
        )


def prove_manifests(manifests: Manifests, scope: Scope | None = None, *, subject: str = "manifests") -> ProofResult:
    """Decide whether any packet can leave the legal segment's pods for anywhere that is not allowed."""
    started = time.monotonic()
    scope = scope or Scope()
    legal = _legal(manifests, scope)
    cluster = build(manifests, legal)
    unmodelled(cluster, frozenset(legal))
    findings: list[Finding] = []
    question = Question(cluster, frozenset(legal), scope.networks)
    used = {item.id: False for item in scope.allowances}
    rests: set[str] = set()
    for name in legal:
        if has_no_pods(cluster, name):
            continue
        openings = tuple(item for item in scope.allowances if NAMESPACE_OF.get(item.from_role) == name)
        leaks = Leaks(question, name, openings)
        findings += leaks.find()
        findings += leaks.unlayered() if scope.layered else ()
        used |= {item.id: True for item in openings if leaks.usable(item)}
        rests |= leaks.rests
        findings += decide_resolver(cluster, question, name, leaks)
    findings += decide_pods(cluster, question, owned=scope.owned_pods)
    findings += decide_services(cluster, question, scope.callers if scope.node_port else ())
    findings = sorted(findings, key=lambda item: (item.verdict != Verdict.FAIL, item.counterexample is None, item.segment, item.id))
    findings += [
        Finding(
            id, _segment(cluster, about, legal), Verdict.NOT_PROVEN, f"{about}: {what}", None, (f"{about} ({where})", f"change: {where}")
        )
        for id, about, what, where in cluster.gaps
    ]
    if not legal:
        findings.append(Finding("K8S-EMPTY", "kubernetes", Verdict.NOT_PROVEN, "no namespace of a legal segment is in the manifests"))
    return ProofResult(
        about=About.MANIFESTS,
        subject=subject,
        verdict=worst(item.verdict for item in findings) if findings else Verdict.PASS,
        findings=tuple(findings),
        modelled=_modelled(cluster, legal, question),
        assumptions=_assumptions(cluster, scope, legal, rests),
        out_of_scope=OUT_OF_SCOPE,
        allowances=used,
        digest=manifests.digest,
        seconds=time.monotonic() - started,
    )


def _lets_out(rule: Rule) -> bool:
    return rule.direction == "egress" and rule.action in ("", "Accept")


def _legal(manifests: Manifests, scope: Scope) -> tuple[str, ...]:
    """What is named, and with a region whatever carries the segment's label; a label that was taken off takes nothing out."""
    if not scope.namespaces:
        return legal_namespaces(manifests)
    labelled = {item.name for item in manifests.objects if scope.region and item.kind == "Namespace" and _in_segment(item)}
    return tuple(sorted({*scope.namespaces, *labelled}))


def _in_segment(item: Manifest) -> bool:
    labels = item.body["metadata"].get("labels")
    return isinstance(labels, dict) and labels.get(SEGMENT_LABEL) not in (None, "")


def _segment(cluster: Cluster, about: str, legal: tuple[str, ...]) -> str:
    space = about.rpartition(" ")[2].partition("/")[0]
    return space if space in legal else "cluster"


def _modelled(cluster: Cluster, legal: tuple[str, ...], question: Question) -> tuple[str, ...]:
    kinds = Counter((item.group, item.kind) for item in cluster.objects)
    pods = [item for item in cluster.templates if item.namespace in legal]
    empty = [name for name in legal if has_no_pods(cluster, name)]
    lines = [
        f"legal segment: {', '.join(legal) or 'none'}; every pod its namespaces could hold, by labels; {len(pods)} listed workloads",
        "packets by family, address, pod, namespace, protocol (all 256) and port; egress of sources, and the ways that callers come in",
        f"{len(cluster.policies)} network policies, {len(cluster.cluster_policies)} cluster network policies",
        f"inside: {', '.join(map(str, question.networks)) or 'no network is named; pods of the legal namespaces alone'}",
    ]
    lines += [f"namespace {name}: a quota of 0 pods holds; it has none" for name in empty]
    lines += [
        f"{count} x {kind}: cannot let anything out: {INERT[(group, kind)]}"
        for (group, kind), count in sorted(kinds.items())
        if (group, kind) in INERT
    ]
    return tuple(lines)


def _assumptions(cluster: Cluster, scope: Scope, legal: tuple[str, ...], rests: set[str]) -> tuple[str, ...]:
    found = ["the network plugin (CNI) enforces NetworkPolicy on every pod, in both address families: `curtilage verify` probes it live"]
    if cluster.cluster_policies:
        found.append(
            "the CNI enforces ClusterNetworkPolicy (declared here; many serve the objects and ignore them): nothing rests on it alone"
        )
    found += sorted(rests)
    if cluster.world.relied:
        labels = "; ".join(sorted(cluster.world.relied))
        found.append(f"no namespace outside the manifests carries labels of the segment ({labels}): admission or RBAC keeps them")
    if scope.networks and any(peer.networks for rule in cluster.rules if _lets_out(rule) for peer in rule.peers or ()):
        found.append(f"addresses of {', '.join(map(str, scope.networks))} are the segment's alone: no pod of another namespace has one")
    if any(item.namespace == "default" and "namespace" not in item.body["metadata"] for item in cluster.objects):
        found.append("objects that state no namespace are applied to 'default'")
    if not scope.namespaces:
        found.append(f"every namespace of the manifests is legal ({', '.join(legal) or 'none'}); --namespace names them instead")
    found.append("addresses of pods are not routed to from outside the cluster; callers come through services, which are judged")
    return tuple(found)
