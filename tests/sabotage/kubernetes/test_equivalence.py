"""If these fail, the decision for all packets, or for one, is not what the specification says of each packet."""

from __future__ import annotations

import os
from ipaddress import ip_network
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from curtilage.proof.kubernetes import Scope, prove_manifests
from curtilage.proof.kubernetes.build import build
from curtilage.proof.kubernetes.flows import Flow, Flows
from curtilage.proof.kubernetes.objects import Manifests, make_object
from curtilage.verdict import Verdict
from tests.sabotage.kubernetes.brute import Packet, Place, network_policies_allow, outcomes, verdict

NAME = "kubernetes.io/metadata.name"
EXAMPLES = int(os.environ.get("CURTILAGE_EXAMPLES", "60"))
# Every value that a selector can name, one that none names, and none at all.
LABELS: list[dict[str, str]] = [({"a": a} if a else {}) | ({"b": b} if b else {}) for a, b in product(("", "x", "y", "z"), ("", "x", "q"))]
NAMED_VALUES = [("a", ["x"]), ("a", ["y"]), ("a", ["x", "y"]), ("b", ["x"])]
SPACES = {"n1": {"team": "legal"}, "n2": {"team": "web"}, "default": {}, "zz": {}}
INSIDE = "10.244.0.0/16"
ADDRESSES = ("10.244.1.1", "10.9.9.9", "198.51.100.7", "198.51.100.200", "203.0.113.1", "2001:db8:f::1", "2001:db9::1")
BLOCKS = ("0.0.0.0/0", "10.0.0.0/8", INSIDE, "198.51.100.0/24", "198.51.100.128/25", "::/0", "2001:db8::/32")
PORTS = (79, 80, 443)
NAMED = {("TCP", "web"): 80, ("UDP", "dns"): 443}

requirement = st.one_of(
    st.builds(
        lambda named, operator: {"key": named[0], "operator": operator, "values": named[1]},
        st.sampled_from(NAMED_VALUES),
        st.sampled_from(["In", "NotIn"]),
    ),
    st.builds(lambda key, operator: {"key": key, "operator": operator}, st.sampled_from("ab"), st.sampled_from(["Exists", "DoesNotExist"])),
)
pod_selector = st.one_of(
    st.just({}),
    st.just(None),
    st.sampled_from(
        [{"matchLabels": {"a": "x"}}, {"matchLabels": {"a": "y"}}, {"matchLabels": {"b": "x"}}, {"matchLabels": {"a": "x", "b": "x"}}]
    ),
    st.builds(lambda items: {"matchExpressions": items}, st.lists(requirement, min_size=1, max_size=2)),
)
space_selector = st.one_of(
    st.just({}),
    st.builds(lambda value: {"matchLabels": {"team": value}}, st.sampled_from(["legal", "web"])),
    st.builds(lambda value: {"matchLabels": {NAME: value}}, st.sampled_from(["n1", "n2", "default"])),
    st.builds(
        lambda operator, values: {"matchExpressions": [{"key": "team", "operator": operator, "values": values}]},
        st.sampled_from(["In", "NotIn"]),
        st.sampled_from([["legal"], ["web"], ["legal", "web"]]),
    ),
    st.builds(lambda operator: {"matchExpressions": [{"key": "team", "operator": operator}]}, st.sampled_from(["Exists", "DoesNotExist"])),
)


def block_of(cidr: str, out: str | None) -> dict[str, Any]:
    fits = (
        out is not None
        and out != cidr
        and ip_network(out).version == ip_network(cidr).version
        and ip_network(out).subnet_of(ip_network(cidr))
    )  # type: ignore[arg-type]
    return {"ipBlock": {"cidr": cidr} | ({"except": [out]} if fits else {})}


peer = st.one_of(
    st.builds(block_of, st.sampled_from(BLOCKS), st.one_of(st.none(), st.sampled_from(BLOCKS))),
    st.builds(lambda pods: {"podSelector": pods or {}}, pod_selector),
    st.builds(lambda spaces: {"namespaceSelector": spaces}, space_selector),
    st.builds(lambda pods, spaces: {"podSelector": pods or {}, "namespaceSelector": spaces}, pod_selector, space_selector),
)
port = st.one_of(
    st.builds(lambda protocol: {"protocol": protocol}, st.sampled_from(["TCP", "UDP"])),
    st.builds(lambda protocol, number: {"protocol": protocol, "port": number}, st.sampled_from(["TCP", "UDP"]), st.sampled_from(PORTS)),
    st.builds(lambda low: {"port": low, "endPort": 400}, st.sampled_from([79, 80])),
    st.sampled_from([{"port": "web"}, {"protocol": "UDP", "port": "dns"}]),
)


def rules(key: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    rule = st.builds(
        lambda peers, ports: ({key: peers} if peers is not None else {}) | ({"ports": ports} if ports is not None else {}),
        st.one_of(st.none(), st.lists(peer, max_size=2)),
        st.one_of(st.none(), st.lists(port, max_size=2)),
    )
    return st.lists(rule, max_size=2)


@st.composite
def network_policy(draw: st.DrawFn) -> dict[str, Any]:
    spec: dict[str, Any] = {"podSelector": draw(pod_selector)}
    types = draw(st.sampled_from([None, [], ["Egress"], ["Ingress"], ["Ingress", "Egress"]]))
    if types is not None:
        spec["policyTypes"] = types
    for key, peers in (("egress", "to"), ("ingress", "from")):
        if draw(st.booleans()):
            spec[key] = draw(rules(peers))
    return spec


cluster_peer = st.one_of(
    st.builds(lambda spaces: {"namespaces": spaces}, space_selector),
    st.builds(lambda spaces, pods: {"pods": {"namespaceSelector": spaces, "podSelector": pods or {}}}, space_selector, pod_selector),
)
cluster_port = st.one_of(
    st.builds(lambda p, n: {p: {"destinationPort": {"number": n}}}, st.sampled_from(["tcp", "udp"]), st.sampled_from(PORTS)),
    st.builds(lambda p: {p: {"destinationPort": {"range": {"start": 80, "end": 443}}}}, st.sampled_from(["tcp", "udp"])),
)


@st.composite
def cluster_policy(draw: st.DrawFn) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "tier": draw(st.sampled_from(["Admin", "Baseline"])),
        "priority": draw(st.integers(0, 2)),
        "subject": draw(cluster_peer),
    }
    for key, peers in (("egress", "to"), ("ingress", "from")):
        networks = st.builds(lambda texts: {"networks": texts}, st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=2, unique=True))
        ends = st.one_of(cluster_peer, networks) if key == "egress" else cluster_peer
        rule = st.builds(
            lambda action, to, protocols, peers=peers: {"action": action, peers: to} | ({"protocols": protocols} if protocols else {}),
            st.sampled_from(["Accept", "Deny", "Pass"]),
            st.lists(ends, min_size=1, max_size=2),
            st.lists(cluster_port, max_size=1),
        )
        spec[key] = draw(st.lists(rule, max_size=2))
    return spec


@st.composite
def clusters(draw: st.DrawFn) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name, labels in SPACES.items()
        if name in ("n1", "n2")
    ]
    for number, spec in enumerate(draw(st.lists(network_policy(), max_size=3))):
        space = draw(st.sampled_from(["n1", "n1", "n2"]))
        meta = {"name": f"p{number}", "namespace": space}
        documents.append({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec})
    if draw(st.booleans()):
        spec = {"podSelector": {}, "policyTypes": ["Egress"]}
        meta = {"name": "deny", "namespace": "n1"}
        documents.append({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec})
    for number, spec in enumerate(draw(st.lists(cluster_policy(), max_size=2))):
        version = "policy.networking.k8s.io/v1alpha2"
        documents.append({"apiVersion": version, "kind": "ClusterNetworkPolicy", "metadata": {"name": f"c{number}"}, "spec": spec})
    return documents


def manifests(documents: list[dict[str, Any]]) -> Manifests:
    return Manifests(tuple(make_object(item, f"{number}.yaml") for number, item in enumerate(documents)), "")


def pod(space: str, labels: dict[str, str], ip: str, *, ports: bool = True) -> Place:
    return Place(ip, space, labels, {**SPACES[space], NAME: space}, NAMED if ports else {})


@settings(max_examples=EXAMPLES, deadline=None)
@given(clusters())
def test_the_proof_finds_a_leak_exactly_where_some_packet_leaks(documents: list[dict[str, Any]]) -> None:
    certain = possible = False
    outside = [Place(ip) for ip in ADDRESSES if ip != "10.244.1.1"]
    # Pods of other namespaces have any address; with and without the named ports, for nobody knows theirs.
    ways = [(ip, True) for ip in ADDRESSES[1:]] + [("203.0.113.1", False)]
    outside += [pod(space, labels, ip, ports=named) for space, labels, (ip, named) in product(("n2", "default", "zz"), LABELS, ways)]
    admin = [item for item in documents if item["kind"] == "ClusterNetworkPolicy"]
    for labels, end, protocol, number in product(LABELS, outside, ("TCP", "UDP"), PORTS):
        packet = Packet(pod("n1", labels, "10.244.1.1"), end, protocol, number)
        isolated, allowed = network_policies_allow(documents, packet, "Egress")
        alone = allowed or not isolated
        together = outcomes(documents, packet, "Egress") if admin else {"allow" if alone else "deny"}
        certain = certain or alone or together == {"allow"}
        possible = possible or alone or "allow" in together
        if certain:
            break
    proof = prove_manifests(manifests(documents), Scope(namespaces=("n1",), networks=(ip_network(INSIDE),)))
    tied = len({item["spec"]["priority"] for item in admin}) < len(admin)
    if certain:
        assert proof.verdict is Verdict.FAIL or (tied and proof.verdict is Verdict.NOT_PROVEN)
        for finding in proof.findings:
            assert finding.verdict is not Verdict.FAIL or finding.counterexample
    elif possible:
        assert proof.verdict is Verdict.NOT_PROVEN
    else:
        # What is left is the resolver, which the packets above do not ask.
        assert {item.id for item in proof.findings} <= {"EG-28"}


@settings(max_examples=2 * EXAMPLES, deadline=None)
@given(clusters(), st.data())
def test_flow_by_flow_the_answers_are_the_specifications(documents: list[dict[str, Any]], data: st.DataObject) -> None:
    pods = {}
    for number, (space, labels) in enumerate(product(("n1", "n2"), LABELS)):
        ip = f"10.244.{number}.1" if number % 2 else f"2001:db8:{number}::1"
        pods[f"pod-{number}"] = pod(space, labels, ip)
        spec = {"containers": [{"name": "c", "ports": [{"name": n, "protocol": p, "containerPort": at} for (p, n), at in NAMED.items()]}]}
        meta = {"name": f"pod-{number}", "namespace": space, "labels": labels}
        documents.append({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": {"podIP": ip}})
    asked = Flows(build(manifests(documents)))
    ties = len({item["spec"]["priority"] for item in documents if item["kind"] == "ClusterNetworkPolicy"}) < sum(
        item["kind"] == "ClusterNetworkPolicy" for item in documents
    )
    for _ in range(25):
        ends: list[tuple[Any, Place]] = []
        for _side in range(2):
            if data.draw(st.integers(0, 3)):
                name = data.draw(st.sampled_from(sorted(pods)))
                ends.append((f"{pods[name].namespace}/{name}", pods[name]))
            else:
                ip = data.draw(st.sampled_from(ADDRESSES[1:]))
                ends.append(({"ip": ip}, Place(ip)))
        (left, source), (right, destination) = ends
        if left == right or (":" in source.ip) != (":" in destination.ip):
            continue
        protocol, number = data.draw(st.sampled_from(["TCP", "UDP", "SCTP"])), data.draw(st.sampled_from(PORTS))
        flow = Flow.model_validate({"source": left, "destination": right, "protocol": protocol, "port": number})
        expected = verdict(documents, Packet(source, destination, protocol, number))
        got = asked.answer(flow)
        assert got.verdict == expected or (ties and got.verdict == "not_proven"), (flow, expected, got)
