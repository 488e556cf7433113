"""If these fail, a neighbour's work keeps a model that answers people from its card, or batches push one out, or the ceiling does not hold.

Nodes with cards are played by kwok; scheduler, preemption, quota and the priorities are the cluster's own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from curtilage.derive.kubernetes.segment import BATCH
from lab.kubernetes.waiting import await_
from lab.providers.kube_api import ApiError, Cluster

Item = dict[str, Any]
CARDS = 4
SPACE = "neighbour"
PODS = f"/api/v1/namespaces/{SPACE}/pods"
MODELS = "/api/v1/namespaces/legal-models/pods"
MODEL = "/apis/apps/v1/namespaces/legal-models/deployments/vllm-mistral-7b-instruct"
soon = partial(await_, patience_seconds=60.0)
LOOKS = 15


def scale(api: Cluster, replicas: int) -> None:
    api.call("PATCH", f"{MODEL}/scale", {"spec": {"replicas": replicas}}, "application/merge-patch+json")


def serving(api: Cluster) -> set[str]:
    """The models that run, by uid."""
    listed = api.call("GET", MODELS, labelSelector="curtilage.dev/model=mistral-7b-instruct,!curtilage.dev/attacker")["items"]
    return {
        item["metadata"]["uid"]
        for item in listed
        if item["status"].get("phase") == "Running" and "deletionTimestamp" not in item["metadata"]
    }


def neighbour(name: str, **spec: Any) -> Item:
    """A pod of another team that wants a card."""
    container = {"name": "work", "image": "registry.legal.internal/work:1", "resources": {"limits": {"nvidia.com/gpu": "1"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "nodeSelector": {"curtilage.dev/pool": "gpu"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
            "containers": [container],
            **spec,
        },
    }


def phase(api: Cluster, name: str) -> str:
    try:
        return str(api.call("GET", f"{PODS}/{name}")["status"]["phase"])
    except ApiError as error:
        if error.code != 404:
            raise
        return "gone"


@pytest.fixture
def beside(api: Cluster) -> Iterator[Cluster]:
    """A namespace of another team; the models have their replicas again at the end."""
    api.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    soon(api, lambda: bool(api.call("GET", f"/api/v1/namespaces/{SPACE}/serviceaccounts")["items"]), "the namespace's service account")
    yield api
    scale(api, CARDS)
    api.call("DELETE", f"/api/v1/namespaces/{SPACE}")
    soon(api, lambda: len(serving(api)) == CARDS, "every replica")
    soon(api, lambda: not [item for item in api.call("GET", "/api/v1/namespaces")["items"] if item["metadata"]["name"] == SPACE], "its end")


def taken(api: Cluster, name: str, **spec: Any) -> None:
    """A card that a model gave up, taken by the neighbour."""
    soon(api, lambda: len(serving(api)) == CARDS, "every replica")
    scale(api, CARDS - 1)
    soon(api, lambda: len(serving(api)) == CARDS - 1, "a card that is free")
    api.call("POST", PODS, neighbour(name, **spec))
    soon(api, lambda: phase(api, name) == "Running", "the neighbour's start")


def test_a_model_that_answers_people_takes_its_card_from_work_of_lower_priority(beside: Cluster) -> None:
    taken(beside, "tuning", priorityClassName=BATCH)
    scale(beside, CARDS)
    soon(beside, lambda: len(serving(beside)) == CARDS, "the model's card")
    assert phase(beside, "tuning") == "gone"


def test_without_a_priority_above_the_neighbours_the_model_waits(beside: Cluster) -> None:
    higher = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "neighbour-first"}, "value": 2_000_000}
    where = "/apis/scheduling.k8s.io/v1/priorityclasses"
    beside.call("POST", where, higher)
    try:
        taken(beside, "first", priorityClassName="neighbour-first")
        scale(beside, CARDS)
        for _ in range(LOOKS):
            assert (phase(beside, "first"), len(serving(beside))) == ("Running", CARDS - 1)
            time.sleep(0.2)
    finally:
        beside.call("DELETE", f"{where}/neighbour-first")


def test_batches_wait_and_push_nothing_out(beside: Cluster) -> None:
    soon(beside, lambda: len(serving(beside)) == CARDS, "every replica")
    before = serving(beside)
    beside.call("POST", PODS, neighbour("batch", priorityClassName=BATCH))
    soon(beside, lambda: bool(beside.call("GET", f"{PODS}/batch")["status"].get("conditions")), "the scheduler's word")
    for _ in range(LOOKS):
        assert phase(beside, "batch") == "Pending"
        time.sleep(0.2)
    assert serving(beside) == before


def test_a_replica_more_than_there_are_cards_is_never_made(beside: Cluster) -> None:
    before = serving(beside)
    scale(beside, CARDS + 1)

    def refused() -> bool:
        conditions = beside.call("GET", MODEL)["status"].get("conditions", [])
        return any(item["type"] == "ReplicaFailure" and "requests.nvidia.com/gpu" in item["message"] for item in conditions)

    soon(beside, refused, "the quota's word")
    assert serving(beside) == before
