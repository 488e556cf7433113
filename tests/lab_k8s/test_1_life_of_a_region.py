"""If this fails, a region on an existing cluster does not come up, does not stay as it was, or what changed by hand is not seen."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from curtilage.drift import of_events
from curtilage.engine import Engine
from curtilage.errors import StepError
from curtilage.live.kubernetes import audit_cluster
from curtilage.paths import CHECKOUT
from curtilage.region import load_region
from curtilage.verdict import Verdict
from lab.kubernetes.cluster import CONTEXT, LabCluster
from lab.kubernetes.names import NODE4, PODS6, ROUTER_PORT
from lab.kubernetes.node import lacking
from lab.providers.kube_api import ApiError, Cluster
from lab.shell import run

POLICY = "/apis/networking.k8s.io/v1/namespaces/legal-models/networkpolicies/default-deny"


def test_the_region_is_up_whole_and_a_second_time_changes_nothing(engine: Engine, api: Cluster) -> None:
    assert engine.no_changes()
    assert set(engine.up()) == {"same"}
    assert sum(engine.preview(judged=False).changes.values()) >= 60
    assert of_events(engine.refreshed()) == ()
    pods = [item for item in api.call("GET", "/api/v1/pods")["items"] if item["metadata"]["namespace"].startswith("legal-")]
    assert len(pods) >= 6
    assert {pod["status"]["phase"] for pod in pods} == {"Running"}


def test_model_pods_stand_on_nodes_with_cards_alone_and_the_rest_elsewhere(api: Cluster) -> None:
    nodes = {
        item["metadata"]["name"]: item["metadata"]["labels"]["curtilage.dev/pool"] for item in api.call("GET", "/api/v1/nodes")["items"]
    }
    placed = {(pod["metadata"]["namespace"], nodes[pod["spec"]["nodeName"]]) for pod in api.call("GET", "/api/v1/pods")["items"]}
    assert placed == {("legal-models", "gpu"), ("legal-gateway", "system"), ("legal-evidence", "system")}
    gateways = [pod["spec"]["nodeName"] for pod in api.call("GET", "/api/v1/namespaces/legal-gateway/pods")["items"]]
    assert len(gateways) == len(set(gateways)) >= 2, "two gateways never share a node"


def opened_by_kubectl(api: Cluster) -> dict[str, Any]:
    """The policy as someone edits it who may; refused until the API server has forgotten the binding."""
    deadline = time.monotonic() + 30
    while True:
        try:
            change = {"spec": {"policyTypes": ["Ingress"]}}
            found: dict[str, Any] = api.call("PATCH", POLICY, change, "application/merge-patch+json", fieldManager="kubectl-edit")
        except ApiError as error:
            if time.monotonic() > deadline:
                raise AssertionError("the API server still knows the binding") from error
            time.sleep(0.2)
        else:
            return found


def test_drift_in_a_policy_is_red_and_an_up_that_refreshes_repairs_it(engine: Engine, api: Cluster) -> None:
    # Only the admin of the cluster can: admission is taken away first, as an attacker with every right would.
    binding = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/legal-policies-stay-shut"
    kept = api.call("GET", binding)
    api.call("DELETE", binding)
    opened = opened_by_kubectl(api)
    assert opened["spec"]["policyTypes"] == ["Ingress"]
    found = of_events(engine.refreshed())
    assert {(item.type.rsplit(":")[-1], item.change, item.red) for item in found} == {
        ("NetworkPolicy", "update", True),
        ("ValidatingAdmissionPolicyBinding", "delete", True),
    }
    assert [item.details for item in found if item.change == "update"] == [('spec.policyTypes: ["Ingress", "Egress"] -> ["Ingress"]',)]
    # Back to the plan: state learns what is gone, then the plan is applied.
    done = engine._run("up", "--refresh", "--yes", "--skip-preview", *engine._on_stack())
    assert done.returncode == 0, done.stdout + done.stderr
    assert api.call("GET", POLICY)["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert api.call("GET", binding)["spec"] == kept["spec"]
    assert engine.no_changes()


def test_an_api_server_that_is_down_stops_up_before_the_first_change(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    text = LabCluster().kubeconfig.read_text(encoding="utf-8")
    elsewhere = tmp_path / "kubeconfig"
    elsewhere.write_text(text.replace(":16443", f":{port}"), encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", str(elsewhere))
    with pytest.raises(StepError, match="nobody answers"):
        engine.up()


def test_status_says_what_packets_showed_and_nothing_of_the_cluster_is_in_the_root_namespace(cluster: LabCluster) -> None:
    verdict, reason = cluster.enforcement()
    assert cluster.status()["packets"] == f"{verdict}: {reason}"
    if lacking() is None:
        assert verdict is Verdict.PASS, reason
    else:
        assert verdict is Verdict.NOT_RUN
    links, routes = run(["ip", "-brief", "link"], step="test"), run(["ip", "route"], step="test") + run(["ip", "-6", "route"], step="test")
    assert not [line for line in links.splitlines() if line.startswith(("cilium", "lxc", ROUTER_PORT))]
    for network in (NODE4.network, PODS6, load_region("lab-k8s").segments["legal"].ipv4):
        assert str(network) not in routes
    assert not [line for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines() if str(cluster.directory) in line]


def test_a_second_start_keeps_what_runs_and_status_is_one_document(cluster: LabCluster) -> None:
    argv = [sys.executable, "-m", "curtilage", "lab", "start", "--kubernetes", "--json"]
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert CONTEXT in done.stdout
    assert "runs already" in done.stderr


def test_a_live_audit_of_the_real_api_proves_what_stands_and_misses_nothing(
    cluster: LabCluster, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    found = audit_cluster(load_region("lab-k8s"))
    assert [item["id"] for item in found.document()["findings"]] == []
