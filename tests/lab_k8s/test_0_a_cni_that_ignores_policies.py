"""If this fails, a region whose policies nobody enforces is called sealed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from curtilage.paths import CHECKOUT
from curtilage.region import load_region
from curtilage.verdict import Verdict
from lab.kubernetes.cluster import LabCluster
from lab.kubernetes.node import lacking


@pytest.fixture(scope="module")
def ignoring() -> Iterator[LabCluster]:
    """A cluster of its own, gone before the tier's cluster starts."""
    why_not = lacking()
    if why_not is not None:
        pytest.skip(f"NOT-RUN: {why_not}")
    found = LabCluster()
    if found.status()["state"] == "running":
        pytest.skip("NOT-RUN: a cluster runs already, and it is kept; `make down-k8s` lets this test start its own")
    found.start(load_region("lab-k8s"), enforcing=False)
    yield found
    found.stop()


def test_a_cni_that_ignores_policies_is_found_out_by_packets(ignoring: LabCluster) -> None:
    verdict, reason = ignoring.enforcement()
    assert verdict is Verdict.FAIL
    assert "ignores network policies" in reason


@pytest.mark.parametrize(("argv", "code"), [(("lab", "status", "--kubernetes", "--json"), 0), (("verify", "lab-k8s", "--json"), 1)])
def test_status_and_verify_say_so_and_nobody_says_sealed(ignoring: LabCluster, argv: tuple[str, ...], code: int) -> None:
    environment = os.environ | {"KUBECONFIG": str(ignoring.kubeconfig)}
    done = subprocess.run(
        [sys.executable, "-m", "curtilage", *argv], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == code, done.stderr
    found = json.loads(done.stdout)
    assert "ignores network policies" in json.dumps(found["packets"])
    if code:
        assert found["verdict"] == "FAIL"
    else:
        assert found["packets"].startswith("FAIL")
