"""If this fails, a region is brought up on nodes that cannot carry it, and its pods wait for ever while the plan says that all is well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest

from curtilage.errors import ConfigError, StepError
from curtilage.live import kube_nodes
from curtilage.live.kube_client import RefusedError, UnansweredError
from curtilage.live.kube_nodes import lacking, require_nodes
from curtilage.region import load_region

REGION = load_region("fr-paris")
Node = dict[str, Any]


def node(name: str, pool: str, cards: int = 0) -> Node:
    labels = {"curtilage.dev/pool": pool} | ({"nvidia.com/gpu.product": "NVIDIA-L40S"} if cards else {})
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}] if cards else []},
        "status": {
            "allocatable": {"cpu": "64"} | ({"nvidia.com/gpu": str(cards)} if cards else {}),
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def cluster() -> list[Node]:
    return [node("gpu-1", "gpu", 2), node("gpu-2", "gpu", 2), node("system-1", "system"), node("system-2", "system")]


def changed(index: int, change: Callable[[Node], object]) -> list[Node]:
    found = deepcopy(cluster())
    change(found[index])
    return found


def test_a_cluster_that_is_what_the_file_says_lacks_nothing() -> None:
    assert REGION.kubernetes is not None
    assert REGION.kubernetes.gpu is not None
    assert (REGION.kubernetes.gpu.card, REGION.kubernetes.gpu.nodes, REGION.kubernetes.gpu.per_node) == ("L40S", 2, 2)
    assert lacking(REGION, cluster()) == []


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        (cluster()[1:], "1 ready nodes have labels curtilage.dev/pool=gpu and nvidia.com/gpu.product=NVIDIA-L40S, the region names 2"),
        (changed(0, lambda n: n["metadata"]["labels"].update({"nvidia.com/gpu.product": "NVIDIA-L4"})), "(there: NVIDIA-L4)"),
        (changed(0, lambda n: n["metadata"]["labels"].pop("nvidia.com/gpu.product")), "(there: no card)"),
        (changed(0, lambda n: n["metadata"]["labels"].pop("curtilage.dev/pool")), "1 ready nodes"),
        (changed(0, lambda n: n["status"]["conditions"][0].update(status="False")), "1 ready nodes"),
        (changed(0, lambda n: n["status"].pop("conditions")), "1 ready nodes"),
        (changed(0, lambda n: n["spec"].update(unschedulable=True)), "1 ready nodes"),
        (changed(0, lambda n: n["status"]["allocatable"].update({"nvidia.com/gpu": "1"})), "node gpu-1 offers 1 of nvidia.com/gpu"),
        (changed(0, lambda n: n["status"]["allocatable"].pop("nvidia.com/gpu")), "node gpu-1 offers 0 of nvidia.com/gpu"),
        (changed(0, lambda n: n["spec"].update(taints=[])), "node gpu-1 lacks taint nvidia.com/gpu:NoSchedule"),
        (changed(0, lambda n: n["spec"]["taints"][0].update(effect="PreferNoSchedule")), "lacks taint"),
        (changed(0, lambda n: n["status"]["allocatable"].update({"rdma/hca_shared_devices_a": "63"})), "rdma/hca_shared_devices_a"),
        (changed(3, lambda n: n["status"]["allocatable"].update({"intel.com/sriov_netdevice": "8"})), "leaves past network policies"),
        (cluster()[:3], "1 ready nodes have label curtilage.dev/pool=system; 2 gateways"),
        ([], "0 ready nodes have label"),
        ([{}], "0 ready nodes have label"),
    ],
)
def test_what_nodes_lack_is_said(nodes: list[Node], says: str) -> None:
    assert any(says in gap for gap in lacking(REGION, nodes)), lacking(REGION, nodes)


def test_a_region_on_aws_makes_its_own_nodes() -> None:
    assert lacking(load_region("de-frankfurt"), []) == []


def answering(monkeypatch: pytest.MonkeyPatch, answer: list[Node] | Exception) -> None:
    class Client:
        def __init__(self, context: Any) -> None:
            self.context = context

        def pages(self, path: str) -> Iterator[Node]:
            assert path == "/api/v1/nodes"
            if isinstance(answer, Exception):
                raise answer
            yield from answer

    monkeypatch.setattr(kube_nodes, "KubeClient", Client)
    monkeypatch.setattr(kube_nodes, "context_of", lambda name: name)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (cluster()[1:], "1 ready nodes"),
        (RefusedError(403, "nodes is forbidden"), "may not be read: 403 nodes is forbidden"),
        (UnansweredError("127.0.0.1:1"), "could not be read"),
    ],
)
def test_a_cluster_that_lacks_something_or_hides_it_stops_the_run(
    answer: list[Node] | Exception, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, answer)
    with pytest.raises(StepError, match=says) as refused:
        require_nodes(REGION)
    assert "nothing was changed" in str(refused.value)
    answering(monkeypatch, cluster())
    require_nodes(REGION)


def test_no_cluster_but_the_named_one_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="context 'fr-paris-legal' is in no kubeconfig"):
        require_nodes(REGION)
