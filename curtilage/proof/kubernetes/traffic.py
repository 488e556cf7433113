"""Services, endpoints and the cluster's resolver: names and listeners that lead out of the segment, or let callers in to take replies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import z3

from curtilage.proof.aws.plan import UNKNOWN
from curtilage.proof.formula import All, Either, Not, Symbolic, equals
from curtilage.proof.kubernetes.decision import DST, SRC, Cluster, decide
from curtilage.proof.kubernetes.leaks import PRIVATE, RESOLVERS, Leaks, Question
from curtilage.proof.kubernetes.objects import Manifest
from curtilage.proof.kubernetes.rules import Network, in_network
from curtilage.proof.kubernetes.select import ADDRESS, KIND, NAMESPACE, POD
from curtilage.proof.kubernetes.words import Widths, describe, minimise
from curtilage.proof.report import Finding
from curtilage.verdict import Verdict

FORWARDERS = frozenset({"forward", "proxy", "grpc", "alternate", "fanout"})
PLAIN_PLUGINS = frozenset(
    {
        *("any", "autopath", "bind", "bufsize", "cache", "chaos", "debug", "errors", "file", "health", "hosts", "kubernetes", "lameduck"),
        *("loadbalance", "local", "log", "loop", "minimal", "nsid", "prometheus", "ready", "reload", "root", "timeouts", "tls", "whoami"),
    }
)
"""Plugins of CoreDNS that ask nobody and tell nobody; every other, a snippet or an import too, is not modelled."""
_INSIDE_NAME = re.compile(r"\.svc(\.cluster\.local)?\.?$")


def decide_services(cluster: Cluster, question: Question, callers: tuple[Network, ...]) -> list[Finding]:
    """Every service and every hand-made endpoint of the segment.

    Args:
        cluster: the objects.
        question: which namespaces are legal, which addresses inside.
        callers: where callers of a NodePort may come from; none: a NodePort has no place.
    """
    findings: list[Finding] = []
    for item in cluster.objects:
        if item.namespace not in question.legal:
            continue
        if (item.group, item.kind) == ("", "Service"):
            findings += _service(cluster, question, item, callers)
        elif item.kind in ("Endpoints", "EndpointSlice") and item.group in ("", "discovery.k8s.io"):
            findings += _endpoints(cluster, question, item)
    return findings


def _service(cluster: Cluster, question: Question, item: Manifest, callers: tuple[Network, ...]) -> Iterator[Finding]:
    spec = item.body.get("spec")
    if spec is not None and not isinstance(spec, dict):
        cluster.gap("EG-29", item, "spec is not known", item.where)
        return
    spec = spec or {}
    kind, selector = spec.get("type") or "ClusterIP", spec.get("selector")
    if kind == "ExternalName":
        name = spec.get("externalName")
        if not isinstance(name, str):
            cluster.gap("EG-29", item, "the name it stands for is not known", item.where)
        elif not (_INSIDE_NAME.search(name) and name.split(".")[1] in question.legal):
            yield _found(item, "it is an alias for a name outside the segment", {"destination": name})
        return
    external = spec.get("externalIPs")
    if external is UNKNOWN or (external and not isinstance(external, list)):
        cluster.gap("EG-29", item, "its externalIPs are not known", item.where)
    elif external:
        yield _found(item, "externalIPs: the cluster takes packets for those addresses, whoever they belong to (CVE-2020-8554)")
    if kind == "LoadBalancer":
        yield _found(item, "a load balancer lets callers from outside come in, and replies leave")
    elif kind == "NodePort":
        yield from _node_port(cluster, question, item, callers)
    elif kind != "ClusterIP":
        cluster.gap("EG-29", item, "its type is not known", item.where)
    if (item.namespace, item.name) == ("default", "kubernetes"):
        return  # the API server's own; it has no selector anywhere
    if not isinstance(selector, dict) and selector is not None:
        cluster.gap("EG-29", item, "its selector is not known", item.where)
    elif not selector and not _has_endpoints(cluster, item):
        cluster.gap("EG-29", item, "it selects no pods: its endpoints are whatever someone writes, and the manifests hold none", item.where)


def _node_port(cluster: Cluster, question: Question, item: Manifest, callers: tuple[Network, ...]) -> Iterator[Finding]:
    """A listener on every node: who may come in to the namespace's pods decides who takes replies."""
    decision = decide(cluster, question.code(item.namespace), "ingress")
    algebra = Symbolic(Widths())
    known = Either(tuple(in_network(SRC, network) for network in (*callers, *question.networks)))
    here = All(
        (equals(f"{DST}.{KIND}", POD), equals(f"{DST}.{NAMESPACE}", question.code(item.namespace)), equals(f"{SRC}.{KIND}", ADDRESS))
    )
    wanted = algebra.value(All((here, Not(known)))).must
    comes = algebra.any(algebra.value(decision.network_policy), algebra.value(decision.allowed)).may
    solver = z3.Solver()
    solver.set("timeout", 20_000)
    solver.add(wanted, comes, *question.domain(algebra))
    answer = solver.check()
    if callers and answer == z3.unsat:
        return
    shown = None
    if answer == z3.sat:
        templates = [entry for entry in cluster.templates if entry.namespace == item.namespace]
        values = minimise(solver, algebra, cluster.world, templates, DST)
        shown = describe(values, cluster.world, templates, item.namespace, DST)
    yield _found(item, "a port of every node lets callers from outside come in, and replies leave", shown)


def _has_endpoints(cluster: Cluster, service: Manifest) -> bool:
    for item in cluster.objects:
        if item.namespace != service.namespace:
            continue
        labels = item.body["metadata"].get("labels")
        named = labels.get("kubernetes.io/service-name") if isinstance(labels, dict) else None
        if (item.kind == "Endpoints" and item.name == service.name) or (item.kind == "EndpointSlice" and named == service.name):
            return True
    return False


def _endpoints(cluster: Cluster, question: Question, item: Manifest) -> Iterator[Finding]:
    if (item.namespace, item.name) == ("default", "kubernetes"):
        return
    listed = item.body.get("subsets") if item.kind == "Endpoints" else item.body.get("endpoints")
    if listed is not None and not isinstance(listed, list):
        cluster.gap("EG-29", item, "its addresses are not known", item.where)
        return
    entries: list[Any] = []
    for part in listed or []:
        if not isinstance(part, dict):
            entries.append(UNKNOWN)
        elif item.kind == "Endpoints":
            for key in ("addresses", "notReadyAddresses"):
                found = part.get(key) or []
                entries += [
                    (one.get("ip"), one) if isinstance(one, dict) else UNKNOWN for one in (found if isinstance(found, list) else [UNKNOWN])
                ]
        else:
            found = part.get("addresses") or []
            entries += [(text, part) for text in found] if isinstance(found, list) else [UNKNOWN]
    for entry in entries:
        text, holder = entry if isinstance(entry, tuple) else (UNKNOWN, {})
        target = holder.get("targetRef")
        pod = isinstance(target, dict) and target.get("kind") == "Pod" and target.get("namespace", item.namespace) in question.legal
        try:
            address = ip_address(text) if isinstance(text, str) else None
        except ValueError:
            yield _found(item, "it leads a service to a name outside the segment", {"destination": str(text)})
            continue
        if address is None:
            cluster.gap("EG-29", item, "an address of it is not known", item.where)
        elif any(address in network for network in question.networks):
            continue
        elif not question.networks and any(address in network for network in PRIVATE):
            if not pod:
                cluster.gap("EG-29", item, f"no --segment or --region says whether {address} is inside", item.where)
        else:
            yield _found(item, "it leads a service to an address outside the segment", {"destination": str(address)})


def _found(item: Manifest, what: str, shown: dict[str, Any] | None = None) -> Finding:
    counterexample = None
    if shown is not None:
        counterexample = {"family": "ipv4", "protocol": "tcp", "source": f"a pod of namespace {item.namespace}", "port": None, **shown}
        if ":" in str(shown["destination"]):
            counterexample["family"] = "ipv6"
    path = (f"{item} ({item.where})", *((counterexample["destination"],) if counterexample else ()), f"change: {item.where}")
    return Finding("EG-29", item.namespace, Verdict.FAIL, f"{item}: {what}", counterexample, path)


def decide_resolver(cluster: Cluster, question: Question, namespace: str, leaks: Leaks) -> Iterator[Finding]:
    """What becomes of a query that a pod may send to the cluster's resolver: a resolver that asks others is a tunnel."""
    asked = leaks.asks_resolver()
    if asked is None:
        return
    values, rule = asked
    if rule is None:
        return  # nothing isolates the pod, which is a finding of its own
    shown = describe(values, cluster.world, leaks.templates, namespace)
    files = [
        (item, item.body["data"]["Corefile"])
        for item in cluster.objects
        if item.kind == "ConfigMap"
        and item.namespace == RESOLVERS
        and isinstance(item.body.get("data"), dict)
        and "Corefile" in item.body["data"]
    ]
    verdict, what, where = Verdict.NOT_PROVEN, f"its configuration (ConfigMap {RESOLVERS}/coredns) is not in the manifests", "the manifests"
    for item, text in files:
        verdict, what = _corefile(text, question)
        where = item.where
        if verdict is Verdict.PASS and len(files) == 1:
            leaks.rests.add(f"the resolver of {RESOLVERS} runs as {item} says: it asks nobody outside the segment")
            return
    if verdict is Verdict.PASS:
        verdict, what = Verdict.NOT_PROVEN, "several Corefiles are there, and which one it runs is not known"
    path = (
        shown["source"],
        f"{rule} ({rule.policy.where}): {rule.says}",
        f"resolver of {RESOLVERS}: {what}",
    )
    reason = f"pods may ask the cluster's resolver, and {what}"
    yield Finding("EG-28", namespace, verdict, reason, shown, (*path, f"change: {rule.policy.where} or {where}"))


def _corefile(text: Any, question: Question) -> tuple[Verdict, str]:
    if not isinstance(text, str):
        return Verdict.NOT_PROVEN, "its Corefile is not known"
    plugins = list(_plugins(text))
    for name, words in plugins:
        if name in FORWARDERS and (len(words) < 2 or not all(_inside(word, question) for word in words[1:])):
            return Verdict.FAIL, f"it forwards what it does not know ({' '.join([name, *words])})"
    odd = sorted({name for name, _ in plugins if name not in FORWARDERS and name not in PLAIN_PLUGINS})
    if odd:
        return Verdict.NOT_PROVEN, f"its Corefile has parts that are not modelled ({', '.join(odd)})"
    return Verdict.PASS, "it forwards nothing"


def _plugins(text: str) -> Iterator[tuple[str, list[str]]]:
    """The plugins of every server block with their arguments; what stands outside of one is named too."""
    depth = 0
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        opens, closes = words.count("{"), words.count("}")
        bare = [word for word in words if word not in ("{", "}")]
        if bare and (depth == 1 or (depth == 0 and not opens)):
            yield bare[0].lower(), bare[1:]
        elif depth == 0 and opens and len(words) > words.index("{") + 1:
            # A block on one line: what follows the brace is a plugin.
            inner = [word for word in words[words.index("{") + 1 :] if word not in ("{", "}")]
            if inner:
                yield inner[0].lower(), inner[1:]
        depth = max(depth + opens - closes, 0)


def _inside(word: str, question: Question) -> bool:
    text = word.removeprefix("dns://").removeprefix("tls://")
    text = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0] if text.count(":") == 1 else text
    try:
        return any(ip_address(text) in network for network in question.networks)
    except ValueError:
        return False
