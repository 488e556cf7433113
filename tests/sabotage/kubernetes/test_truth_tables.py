"""If these fail, the model disagrees with the projects' own conformance suites about who reaches whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from curtilage.proof.kubernetes.build import build
from curtilage.proof.kubernetes.flows import Flow, Flows
from curtilage.proof.kubernetes.objects import Manifests, make_object

TRUTH = Path(__file__).parent / "truth"
NETWORK: list[dict[str, Any]] = yaml.safe_load((TRUTH / "network_policy.yaml").read_text())
CLUSTER: list[dict[str, Any]] = yaml.safe_load((TRUTH / "cluster_network_policy.yaml").read_text())
PROTOCOLS = ("TCP", "UDP", "SCTP")


def filled(value: Any, addresses: dict[str, str]) -> Any:
    """Put pods' addresses where a case names them."""
    if isinstance(value, str):
        for name, ip in addresses.items():
            value = value.replace(f"{{{name}}}", ip)
        return value
    if isinstance(value, list):
        return [filled(item, addresses) for item in value]
    return {key: filled(item, addresses) for key, item in value.items()} if isinstance(value, dict) else value


def pods(names: dict[str, dict[str, str]], ports: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    for number, (name, labels) in enumerate(names.items(), start=1):
        space, _, pod = name.partition("/")
        listed = [
            {"name": f"serve-{port}-{protocol.lower()}", "containerPort": port, "protocol": protocol}
            for port in ports
            for protocol in PROTOCOLS
        ]
        meta = {"name": pod, "namespace": space, "labels": labels}
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta,
            "spec": {"containers": [{"name": "c", "ports": listed}]},
            "status": {"podIP": f"10.244.0.{number}"},
        }


def cluster(documents: list[dict[str, Any]]) -> Flows:
    model = build(Manifests(tuple(make_object(item, f"{number}.yaml") for number, item in enumerate(documents)), ""))
    assert not model.gaps, model.gaps
    return Flows(model)


def ask(flows: Flows, source: str, destination: str, protocol: str, port: int) -> str:
    return flows.answer(Flow.model_validate({"source": source, "destination": destination, "protocol": protocol, "port": port})).verdict


def fits(pattern: str, name: str) -> bool:
    return pattern in ("*", name) or (pattern.endswith("/*") and name.startswith(pattern[:-1]))


@pytest.mark.parametrize("case", NETWORK, ids=lambda case: case["name"])
def test_network_policies_answer_as_the_end_to_end_suites_tables_say(case: dict[str, Any]) -> None:
    names = {f"{space}/{pod}": {"pod": pod} for space in "xyz" for pod in "abc"}
    addresses = {name: f"10.244.0.{number}" for number, name in enumerate(names, start=1)}
    documents = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in "xyz"]
    documents += pods(names, (80, 81))
    for number, policy in enumerate(case["policies"]):
        meta = {"name": f"p{number}", "namespace": policy["ns"]}
        spec = filled(policy["spec"], addresses)
        documents.append({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec})
    flows = cluster(documents)
    for check in case["checks"]:
        expected = {(a, b): "allow" for a in names for b in names if a != b}
        for source, destination, answer in check["expect"]:
            expected |= {pair: answer for pair in expected if fits(source, pair[0]) and fits(destination, pair[1])}
        got = {(a, b): ask(flows, a, b, check.get("protocol", "TCP"), check["port"]) for a, b in expected}
        assert got == expected, check


@pytest.mark.parametrize("case", CLUSTER, ids=lambda case: case["name"])
@pytest.mark.parametrize("version", ["v1alpha2", "v1beta1"])
def test_cluster_network_policies_answer_as_the_conformance_suite_says(case: dict[str, Any], version: str) -> None:
    names = {f"{space}/{number}": {"house": space, "pod": f"{space}-{number}"} for space in "ghrs" for number in (0, 1)}
    addresses = {name: f"10.244.0.{number}" for number, name in enumerate(names, start=1)}
    documents: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"house": name}}} for name in "ghrs"
    ]
    documents += pods(names, (80,))
    for number, spec in enumerate(case["policies"]):
        api = f"policy.networking.k8s.io/{version}"
        body = filled(spec, addresses)
        documents.append({"apiVersion": api, "kind": "ClusterNetworkPolicy", "metadata": {"name": f"c{number}"}, "spec": body})
    for policy in case.get("network_policies", []):
        meta = {"name": "np", "namespace": policy["ns"]}
        documents.append({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": policy["spec"]})
    flows = cluster(documents)
    for client, server, protocol, port, answer in case["probes"]:
        assert ask(flows, client, server, protocol, port) == answer, (client, server, protocol, port)


def test_the_tables_hold_what_they_claim_to() -> None:
    assert len(NETWORK) >= 30
    assert len(CLUSTER) >= 15
    assert sum(len(case["checks"]) * 72 for case in NETWORK) + sum(len(case["probes"]) for case in CLUSTER) > 2500
