"""The lab's cluster with region lab-k8s in it: started for this tier when it does not run, and then removed at its end."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curtilage.engine import Engine
from curtilage.engine_build import ensure_engine
from curtilage.region import load_region
from curtilage.verdict import Verdict
from lab.kubernetes.attackers import PLACES, Attackers, Pod
from lab.kubernetes.cluster import LabCluster
from lab.kubernetes.matrix import Matrix
from lab.providers.kube_api import ApiError, Cluster

BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/"
DENY = "/apis/networking.k8s.io/v1/namespaces/legal-models/networkpolicies/default-deny"


@pytest.fixture(scope="session")
def cluster() -> Iterator[LabCluster]:
    found = LabCluster()
    ran = found.status()["state"] == "running"
    found.start(load_region("lab-k8s"))
    yield found
    if not ran:
        found.stop()


@pytest.fixture(scope="session")
def engine(cluster: LabCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The region, up; taken down at the end, so that the next one finds an empty cluster."""
    ensure_engine()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(cluster.kubeconfig))
        found = Engine(load_region("lab-k8s"), state=Path(tmp_path_factory.mktemp("state")))
        if any(item["metadata"]["name"].startswith("legal-") for item in cluster.client().call("GET", "/api/v1/namespaces")["items"]):
            pytest.fail("the cluster holds a region already: `make down-k8s`, then run this tier again")
        found.up()
        yield found
        found.destroy()


@pytest.fixture
def api(cluster: LabCluster, engine: Engine) -> Cluster:
    """As the cluster's own administrator."""
    return cluster.client()


@pytest.fixture(scope="session")
def attackers(cluster: LabCluster, engine: Engine) -> Iterator[Attackers]:
    """Attackers beside the region's pods, where the machine can run a node; their image is approved by hand meanwhile."""
    verdict, reason = cluster.enforcement()
    if verdict is Verdict.NOT_RUN:
        pytest.skip(f"NOT-RUN: {reason}")
    found = Attackers(load_region("lab-k8s"), cluster.client(), cluster.node)
    found.approve()
    yield found
    found.remove("unsealed", *PLACES)
    found.withdraw()


@pytest.fixture(scope="session")
def unsealed(attackers: Attackers) -> Pod:
    """A pod of no region, whose packets have to arrive."""
    return attackers.unsealed()


@pytest.fixture(scope="session")
def matrix(attackers: Attackers, cluster: LabCluster) -> Matrix:
    return Matrix(attackers, cluster.canaries.directory, cluster.node)


@pytest.fixture(scope="module")
def open_door(cluster: LabCluster, engine: Engine) -> Iterator[Cluster]:
    """The cluster with the binding about network policies taken away, until the API server has forgotten it; put back at the end."""
    api = cluster.client()
    kept = api.call("GET", BINDINGS + "legal-policies-stay-shut")
    api.call("DELETE", BINDINGS + "legal-policies-stay-shut")
    deadline = time.monotonic() + 30
    probe = copy.deepcopy(api.call("GET", DENY))
    probe["spec"]["egress"] = [{}]
    while True:
        try:
            api.call("PUT", DENY, probe, dryRun="All")
            break
        except ApiError:
            assert time.monotonic() < deadline, "the binding is still known"
            time.sleep(0.2)
    yield api
    meta = {key: kept["metadata"][key] for key in ("name", "labels") if key in kept["metadata"]}
    api.call("POST", BINDINGS.rstrip("/"), {**kept, "metadata": meta})
