"""The picture of a region on a cluster shows what its derived network policies allow, and never leaves out what it does not understand."""

from __future__ import annotations

from typing import Any

import pytest

from curtilage.evidence import cluster
from curtilage.evidence.cluster import machines_and_flows
from curtilage.evidence.diagram import draw
from curtilage.evidence.dossier import dossier_of
from curtilage.evidence.flowmap import flow_map
from curtilage.region import load_region
from curtilage.verdict import Verdict

REGIONS = ("fr-paris", "nl-amsterdam", "de-frankfurt", "ie-dublin", "uk-london", "us-virginia")


@pytest.mark.parametrize("name", REGIONS)
def test_a_cluster_s_flows_are_the_three_that_answer_a_question_and_the_metrics(name: str) -> None:
    _, flows = machines_and_flows(load_region(name))
    assert flows == [
        ("answers", "CRM networks", "gateway", "tcp", 8443),
        ("checkpoints", "gateway", "evidence-store", "tcp", 8443),
        ("inference", "gateway", "vllm", "tcp", 8000),
        ("metrics", "prometheus", "vllm", "tcp", 8000),
    ]


@pytest.mark.parametrize("name", REGIONS)
def test_it_is_drawn_and_not_observed(name: str) -> None:
    dossier = dossier_of(load_region(name))
    found = flow_map(dossier)
    assert found.verdict is Verdict.NOT_RUN
    text = draw(dossier, found, plan_digest="sha256:" + "1" * 64)
    for word in ("inference · tcp 8000", "legal-models", "no allowance"):
        assert word in text


def changed(monkeypatch: pytest.MonkeyPatch, name: str, spec: dict[str, Any]) -> None:
    region = load_region("fr-paris")
    policies = [dict(policy) for policy in cluster.network_policies(region)]
    for policy in policies:
        if policy["metadata"]["name"] == name:
            policy["spec"] = {**policy["spec"], **spec}
    monkeypatch.setattr(cluster, "network_policies", lambda _: iter(policies))


def test_one_end_alone_is_no_flow(monkeypatch: pytest.MonkeyPatch) -> None:
    changed(monkeypatch, "gateway", {"egress": []})
    _, flows = machines_and_flows(load_region("fr-paris"))
    assert [flow[0] for flow in flows] == ["answers", "metrics"]


@pytest.mark.parametrize(
    "peer",
    [
        {"ipBlock": {"cidr": "0.0.0.0/0"}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}},
        {"namespaceSelector": {"matchLabels": {}}},
    ],
)
def test_a_peer_it_does_not_know_is_an_error_and_not_left_out(peer: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    changed(monkeypatch, "vllm", {"ingress": [{"from": [peer], "ports": [{"protocol": "TCP", "port": 8000}]}]})
    with pytest.raises(ValueError, match="a policy names"):
        machines_and_flows(load_region("fr-paris"))
