"""If these fail, our own images do not do as pods of a region what they promise, or answer whom they must not, or load what nobody signed.

The gateway and one model run here, of the region's own templates, on the node that runs pods; a model of a card's size needs a card.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from curtilage.audit.query import Filter, select
from curtilage.audit.reader import read_records
from curtilage.audit.verify import verify
from curtilage.probes.pod_cells import BY_POLICY, Lateral, lateral
from curtilage.verdict import Verdict
from lab.kubernetes import drops
from lab.kubernetes.attackers import PLACES, Attackers, Pod
from lab.kubernetes.cluster import LabCluster
from lab.kubernetes.matrix import Matrix
from lab.kubernetes.names import CRM4, STRANGER4
from lab.kubernetes.served import Served
from lab.kubernetes.waiting import await_
from lab.providers.kube_api import Cluster

pytestmark = pytest.mark.timeout(900)

Item = dict[str, Any]
ANSWERED = {
    ("openai", "chat without a record"),
    ("openai", "chat"),
    ("openai", "chat stream"),
    ("anthropic", "messages"),
    ("anthropic", "messages stream"),
}
WITHOUT_A_RECORD = "chat without a record"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/legal-gateway/networkpolicies"
SEAL = "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies/legal-seal"
OPENING = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "opening", "namespace": "legal-gateway"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]},
}
SETTLE_SECONDS = 1.0
STARTS_SECONDS = 120.0


@pytest.fixture(scope="module")
def served(cluster: LabCluster, attackers: Attackers) -> Iterator[Served]:
    """The gateway and a model, ready. Attackers give way: no two gateways share a node, and the namespaces have a ceiling."""
    attackers.remove(*PLACES)
    found = Served(attackers.region, cluster.client(), cluster.node)
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="module")
def calls(served: Served) -> list[Item]:
    """What the vendors' SDKs were answered on the CRM's side."""
    return served.ask()


def test_unmodified_sdks_are_answered_by_the_model_in_the_cluster(calls: list[Item]) -> None:
    answered = {(call["sdk"], call["call"]) for call in calls if call["outcome"] == "answered" and call["text"]}
    assert answered == ANSWERED, calls
    (files,) = [call for call in calls if call["call"] == "files"]
    assert files["outcome"] == "refused 403"


def test_the_ledger_on_the_pods_volume_verifies_and_has_every_answered_call_once(served: Served, calls: list[Item]) -> None:
    found = verify(served.ledger, str(served.key))
    assert found.verdict == Verdict.PASS, found.problems
    completed = [row for row in select(read_records(served.ledger), Filter()) if row.get("result") == "completed"]
    answered = {call["call"]: call["entry"] for call in calls if call["outcome"] == "answered"}
    assert len(completed) == len(answered) == len(ANSWERED)
    # Streams show no id to their caller.
    assert {entry for entry in answered.values() if entry} <= {row["call"] for row in completed}
    assert [row["call"] for row in completed if not row["removed"]] == [answered[WITHOUT_A_RECORD]]


def test_a_pod_of_no_region_and_a_strangers_address_are_shut_out_until_a_policy_lets_them_in(
    served: Served, matrix: Matrix, cluster: LabCluster, open_door: Cluster, unsealed: Pod
) -> None:
    pod = served.gateway()
    crm, stranger = str(CRM4.ip), str(STRANGER4.ip)
    path = Lateral(source="unsealed", destination="gateway", port=8443, allowed=False, control="cluster-policy")
    results, _ = matrix.lateral({"unsealed": unsealed, "gateway": pod}, (path,))
    assert {result.verdict for result in results} == {Verdict.PASS}, [f"{result.id}: {result.reason}" for result in results]

    before = drops.lines(cluster.node.drops)
    assert served.connects(crm), "control: the way is whole"
    assert not served.connects(stranger)
    time.sleep(SETTLE_SECONDS)
    (reason,) = {
        drop.reason
        for drop in drops.read(cluster.node.drops, skip=before)
        if (drop.source, drop.destination, drop.port) == (stranger, pod.address(4), path.port)
    }
    assert reason.startswith(BY_POLICY)

    def unsealed_connects() -> bool:
        cells = [cell for cell in lateral(path, pod.addresses) if cell.family == 4]
        answer = matrix.attack(cells, unsealed)
        return bool(answer["results"].get(cells[0].id, {}).get("signature") == "connected")

    open_door.call("POST", POLICIES, OPENING)
    try:
        await_(open_door, lambda: served.connects(stranger), "the stranger's connection")
        assert not unsealed_connects(), "the cluster's policy stands above the namespace's"
        kept = open_door.call("GET", SEAL)
        open_door.call("DELETE", SEAL)
        try:
            await_(open_door, unsealed_connects, "the connection of a pod of no region")
        finally:
            meta = {key: kept["metadata"][key] for key in ("name", "labels") if key in kept["metadata"]}
            open_door.call("POST", SEAL.rpartition("/")[0], {**kept, "metadata": meta})
    finally:
        open_door.call("DELETE", f"{POLICIES}/opening")
    await_(open_door, lambda: not served.connects(stranger), "the end of the opening")


def test_weights_of_which_one_byte_is_another_are_not_loaded(served: Served, api: Cluster) -> None:
    file = max(served.weights.glob("*.safetensors"), key=lambda path: path.stat().st_size)
    with file.open("r+b") as stream:
        stream.seek(-1, 2)
        last = stream.read(1)
        stream.seek(-1, 2)
        stream.write(bytes([last[0] ^ 1]))
    (before,) = [item["metadata"]["name"] for item in served.models()]
    api.call("DELETE", f"/api/v1/namespaces/legal-models/pods/{before}", gracePeriodSeconds="5")

    def judged() -> Item | None:
        """How the next pod's verifier ended; None while it works."""
        pods = [item for item in served.models() if item["metadata"]["name"] != before]
        (status,) = pods[0]["status"].get("initContainerStatuses") or [{}] if pods else [{}]
        ended = status.get("lastState", {}).get("terminated") or status.get("state", {}).get("terminated")
        return {"ended": ended, "pod": pods[0]} if ended else None

    await_(api, lambda: judged() is not None, "the verifier's end", "legal-models", patience_seconds=STARTS_SECONDS)
    found = judged()
    assert found is not None
    assert found["ended"]["exitCode"] == Verdict.FAIL.exit_code
    (loader,) = found["pod"]["status"]["containerStatuses"]
    assert "waiting" in loader["state"]
    assert not loader["started"]
    log = f"/api/v1/namespaces/legal-models/pods/{found['pod']['metadata']['name']}/log"
    await_(api, lambda: f"{Verdict.FAIL}: " in api.text(log, container="verify-weights"), "the verifier's word", "legal-models")
