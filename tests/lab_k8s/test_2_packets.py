"""If these fail, something in a pod of a region sends a packet to where it must not, or nobody could tell.

The region is the one that this tier brought up; the attackers stand beside its pods under its own policies, on the node that runs pods. A
machine that cannot run such a node prints why, and everything here is NOT-RUN.
"""

from __future__ import annotations

import errno as errno_names
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from curtilage.paths import CHECKOUT
from curtilage.probes.pod_cells import BY_CLUSTER_POLICY, outward, streamed
from curtilage.probes.runner import CellResult
from curtilage.verdict import Verdict
from lab import canary_log
from lab.kubernetes import drops
from lab.kubernetes.attackers import PLACES, Attackers, Pod
from lab.kubernetes.cluster import LabCluster
from lab.kubernetes.matrix import PATHS, Matrix, plan
from lab.kubernetes.matrix import PLACES as NUMBERED
from lab.providers.kube_api import ApiError, Cluster

STARTS = 52
FIRST4, FIRST6, FIRST_PORT = "203.0.113.200", "2001:db8::c8", 20000
CELLS: dict[str, CellResult] = {}


@pytest.fixture(scope="module")
def pods(attackers: Attackers, unsealed: Pod) -> dict[str, Pod]:
    """An attacker in each place; the one beside the models attacks in its init container first."""
    first = plan(outward("init", NUMBERED.index("init")))
    return {"unsealed": unsealed, "workload": attackers.put("workload", first=first)} | {
        place: attackers.put(place) for place in ("gateway", "evidence")
    }


def keep(results: list[CellResult]) -> None:
    CELLS.update({result.id: result for result in results})


def all_pass(results: list[CellResult]) -> None:
    keep(results)
    bad = [f"{result.verdict} {result.id}: {result.reason}" for result in results if result.verdict is not Verdict.PASS]
    assert results
    assert not bad, "\n".join(bad)


def test_a_pod_without_a_policy_reaches_the_canary_and_one_under_a_default_deny_does_not(cluster: LabCluster, attackers: Attackers) -> None:
    verdict, reason = cluster.enforcement()
    assert verdict is Verdict.PASS, reason


def test_nothing_leaves_from_a_model_the_gateway_or_the_evidence_store(matrix: Matrix, pods: dict[str, Pod], unsealed: Pod) -> None:
    all_pass(matrix.outward([pods[place] for place in PLACES], unsealed))


def test_nothing_leaves_from_an_init_container(matrix: Matrix, attackers: Attackers, pods: dict[str, Pod], unsealed: Pod) -> None:
    (answer,) = attackers.said(pods["workload"], "verify-weights")
    cells = outward("init", NUMBERED.index("init"))
    all_pass(matrix.judged(cells, pods["workload"], answer, matrix.heard_from(cells, unsealed)))


def test_pods_reach_each_other_where_the_region_means_it_and_nowhere_else(matrix: Matrix, pods: dict[str, Pod], tmp_path: Path) -> None:
    meant = {(path.source, path.destination, path.port): path.allowed for path in PATHS}
    results, seen = matrix.lateral(pods)
    all_pass(results)
    assert len(seen) == 2 * len(PATHS), "both families"
    assert [way for way, connected in sorted(seen.items()) if connected is not meant[way[:3]]] == []
    assert proved(tmp_path) == [meant[path.source, path.destination, path.port] for path in PATHS]


def proved(directory: Path) -> list[bool]:
    """What the proof says of the same paths, asked of the manifests that the region renders."""

    def end(place: str) -> dict[str, Any]:
        if place == "unsealed":
            return {"namespace": "unsealed", "labels": {}}
        namespace, app = PLACES[place]
        return {"namespace": namespace, "labels": {"app.kubernetes.io/name": app, "curtilage.dev/segment": "legal"}}

    flows = directory / "flows.jsonl"
    lines = [
        {"id": str(number), "source": end(path.source), "destination": end(path.destination), "protocol": "TCP", "port": path.port}
        for number, path in enumerate(PATHS)
    ]
    flows.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (directory / "unsealed.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: unsealed\n", encoding="utf-8")
    argv = [sys.executable, "-m", "curtilage", "prove", "flows", "--flows", str(flows)]
    for manifests in (CHECKOUT / "tests" / "golden" / "lab-k8s", directory / "unsealed.yaml"):
        argv += ["--manifests", str(manifests)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=CHECKOUT)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.split()
    assert set(answers) <= {"allow", "deny"}, answers
    return [answer == "allow" for answer in answers]


@pytest.mark.timeout(900)
def test_a_pod_whose_first_work_is_a_packet_is_too_late(attackers: Attackers, cluster: LabCluster, pods: dict[str, Pod]) -> None:
    attackers.first(STARTS)
    found = attackers.ended(STARTS)
    assert sorted(found) == list(range(STARTS))
    time.sleep(1)
    records = canary_log.records("internet", directory=cluster.canaries.directory)
    heard = {record["port"] for record in records if record["destination"] in (FIRST4, FIRST6)}
    dropped = {(drop.source, drop.destination, drop.port): drop.reason for drop in drops.read(cluster.node.drops)}
    for number, (errno, addresses) in found.items():
        target, port = FIRST6 if number % 2 else FIRST4, FIRST_PORT + number
        source = next(item for item in addresses if (":" in item) == bool(number % 2))
        assert int(errno) == errno_names.ETIMEDOUT, f"start {number}: errno {errno}"
        assert port not in heard, f"start {number} was heard"
        assert dropped.get((source, target, port)) == BY_CLUSTER_POLICY, f"start {number} has no drop record"


def test_nothing_leaves_while_one_pod_gives_way_to_the_next(
    matrix: Matrix, attackers: Attackers, unsealed: Pod, pods: dict[str, Pod]
) -> None:
    cells = streamed("rollout", NUMBERED.index("rollout"), "EG-21")
    attackers.remove("evidence")
    before = attackers.put("evidence", stream=plan(cells)["probes"])
    time.sleep(3)
    said = attackers.said(before, "attacker")[-1]
    after = attackers.roll("evidence", before)
    time.sleep(3)
    through = matrix.heard_from(cells, unsealed)
    all_pass(matrix.judged(cells, before, said, through))
    later = [replace(cell, host="rollout-next") for cell in cells]
    renamed = {cell.id: through[old.id] for old, cell in zip(cells, later, strict=True)}
    answer = attackers.said(after, "attacker")[-1]
    answer["results"] = {cell.id: answer["results"][old.id] for old, cell in zip(cells, later, strict=True)}
    all_pass(matrix.judged(later, after, answer, renamed))


def test_a_hundred_packets_were_asked_about_and_every_one_was_stopped_by_what_should_stop_it() -> None:
    assert len(CELLS) >= 100
    assert {result.verdict for result in CELLS.values()} == {Verdict.PASS}
    assert {result.host for result in CELLS.values()} >= {"workload", "gateway", "evidence", "init", "rollout", "rollout-next", "unsealed"}


OPEN_BY_CILIUM = {
    "apiVersion": "cilium.io/v2",
    "kind": "CiliumClusterwideNetworkPolicy",
    "metadata": {"name": "open"},
    "spec": {"endpointSelector": {}, "egress": [{"toEntities": ["all"]}]},
}
IDENTITY = {"apiVersion": "cilium.io/v2", "kind": "CiliumIdentity", "metadata": {"name": "65000"}, "security-labels": {"k8s:a": "b"}}


def test_a_cni_keeps_its_own_books_and_nobody_else_writes_them(attackers: Attackers, cluster: LabCluster) -> None:
    api = cluster.client()
    path = "/apis/cilium.io/v2/ciliumidentities"
    with pytest.raises(ApiError, match="legal-no-other-kinds"):
        api.call("POST", path, IDENTITY, dryRun="All")
    api.impersonate = {"Impersonate-User": "system:serviceaccount:kube-system:cilium", "Impersonate-Group": "system:masters"}
    api.call("POST", path, IDENTITY, dryRun="All")
    with pytest.raises(ApiError, match="legal-no-other-kinds"):
        api.call("POST", "/apis/cilium.io/v2/ciliumclusterwidenetworkpolicies", OPEN_BY_CILIUM, dryRun="All")


OPENING = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "opening", "namespace": "legal-gateway"},
    "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
}
POLICIES = "/apis/networking.k8s.io/v1/namespaces/legal-gateway/networkpolicies"
SEAL = "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies/legal-seal"


def test_an_opening_alone_changes_nothing_without_the_seal_it_is_another_stop_and_without_both_it_leaks(
    matrix: Matrix, open_door: Cluster, unsealed: Pod, pods: dict[str, Pod]
) -> None:
    def verdicts() -> set[Verdict]:
        time.sleep(2)
        return {result.verdict for result in matrix.outward([pods["gateway"]], unsealed)}

    open_door.call("POST", POLICIES, OPENING)
    try:
        assert verdicts() == {Verdict.PASS}, "the cluster's policy stands above the namespace's"
    finally:
        open_door.call("DELETE", f"{POLICIES}/opening")
    kept = open_door.call("GET", SEAL)
    open_door.call("DELETE", SEAL)
    try:
        assert verdicts() == {Verdict.INVALID}, "silent, but not stopped by what the cells name"
        open_door.call("POST", POLICIES, OPENING)
        try:
            assert verdicts() == {Verdict.FAIL}, "the canary hears every one"
        finally:
            open_door.call("DELETE", f"{POLICIES}/opening")
    finally:
        meta = {key: kept["metadata"][key] for key in ("name", "labels") if key in kept["metadata"]}
        open_door.call("POST", SEAL.rpartition("/")[0], {**kept, "metadata": meta})
    assert verdicts() == {Verdict.PASS}
