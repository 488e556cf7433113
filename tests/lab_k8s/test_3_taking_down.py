"""If this fails, a region cannot be taken down, or what it leaves behind opens the next one, or a pod sends while its policies go."""

from __future__ import annotations

import threading
import time

from curtilage.engine import Engine
from curtilage.probes.pod_cells import streamed
from curtilage.verdict import Verdict
from lab.kubernetes import drops
from lab.kubernetes.attackers import PLACES, Attackers, Pod
from lab.kubernetes.cluster import LabCluster
from lab.kubernetes.furniture import KEEPER
from lab.kubernetes.matrix import PLACES as NUMBERED
from lab.kubernetes.matrix import Matrix, plan
from lab.providers.kube_api import ApiError

AGAIN_SECONDS = 90
SPACE = "/api/v1/namespaces/legal-models"


def test_nothing_leaves_while_a_namespace_goes_and_its_policies_with_it(
    cluster: LabCluster, engine: Engine, attackers: Attackers, matrix: Matrix, unsealed: Pod
) -> None:
    cells = streamed("deletion", NUMBERED.index("deletion"), "EG-22")
    through = matrix.heard_from(cells, unsealed)
    attackers.remove(*PLACES)
    sender = attackers.put("workload", stream=plan(cells)["probes"])
    time.sleep(3)
    said = attackers.said(sender, "vllm")[-1]
    seen: list[int] = []
    watch = threading.Thread(target=_lines_while_it_goes, args=(cluster, seen), daemon=True)
    watch.start()
    engine.destroy()
    watch.join(timeout=30)
    results = matrix.judged(cells, sender, said, through)
    assert {result.verdict for result in results} == {Verdict.PASS}, [f"{result.id}: {result.reason}" for result in results]
    later = [drop for drop in drops.read(cluster.node.drops, skip=seen[0]) if drop.source in sender.addresses]
    assert later, "it did not send while its namespace went, so nothing was shown"
    attackers.remove("unsealed")


def _lines_while_it_goes(cluster: LabCluster, seen: list[int]) -> None:
    """How many records there were when the namespace began to go."""
    api = cluster.client()
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            going = "deletionTimestamp" in api.call("GET", SPACE)["metadata"]
        except ApiError:
            return
        if going:
            seen.append(drops.lines(cluster.node.drops))
            return
        time.sleep(0.02)


def test_destroy_leaves_nothing_and_policies_stand_until_their_namespace_is_gone(cluster: LabCluster, engine: Engine) -> None:
    api = cluster.client()
    engine.destroy()
    assert not [item for item in api.call("GET", "/api/v1/namespaces")["items"] if item["metadata"]["name"].startswith("legal-")]
    assert api.call("GET", "/apis/networking.k8s.io/v1/networkpolicies")["items"] == []
    bindings = api.call("GET", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings")["items"]
    assert {item["metadata"]["name"] for item in bindings} == {KEEPER}
    assert api.call("GET", "/api/v1/pods")["items"] == []


def test_a_region_comes_up_again_in_the_same_life_of_the_api_server(cluster: LabCluster, engine: Engine) -> None:
    began = time.monotonic()
    engine.up()
    assert time.monotonic() - began < AGAIN_SECONDS
    phases = {item["status"]["phase"] for item in cluster.client().call("GET", "/api/v1/pods")["items"]}
    assert phases == {"Running"}, "admission found its parameters again"
