"""Does this cluster's CNI enforce what its API accepts? Asked with packets, before the word 'sealed' is said of a region in it.

The same pod twice in a namespace of its own: without a policy its connection reaches the canary, or nothing could be told; under a default
deny it must not, and the datapath must say that it was the policy. A CNI that ignores policies takes the objects and lets the packet out.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from curtilage.verdict import Verdict
from lab import canary_log
from lab.kubernetes import drops
from lab.kubernetes.node import FIRST, POOL, Node
from lab.kubernetes.waiting import await_
from lab.providers.kube_api import Cluster

SPACE = "curtilage-trial"
TARGET, PORT_BEFORE, PORT_UNDER = "203.0.113.200", 20900, 20902
PATIENCE_SECONDS = 60.0
SETTLE_SECONDS = 1.0
DENY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "default-deny", "namespace": SPACE},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
}


def run(api: Cluster, node: Node, canary: Path) -> tuple[Verdict, str]:
    """The verdict and its reason; the namespace is removed again."""
    api.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    try:
        await_(
            api,
            lambda: bool(api.call("GET", f"/api/v1/namespaces/{SPACE}/serviceaccounts")["items"]),
            "its service account",
            patience_seconds=PATIENCE_SECONDS,
        )
        before = _start(api, "before", PORT_BEFORE)
        api.call("POST", f"/apis/networking.k8s.io/v1/namespaces/{SPACE}/networkpolicies", DENY)
        under = _start(api, "under", PORT_UNDER)
        time.sleep(SETTLE_SECONDS)
        heard = {record["port"] for record in canary_log.records("internet", directory=canary) if record["destination"] == TARGET}
        said = [drop.reason for drop in drops.read(node.drops) if (drop.destination, drop.port) == (TARGET, PORT_UNDER)]
    finally:
        api.call("DELETE", f"/api/v1/namespaces/{SPACE}")
    return judge(before, PORT_BEFORE in heard, under, PORT_UNDER in heard, said)


def judge(before: str, before_heard: bool, under: str, under_heard: bool, said: list[str]) -> tuple[Verdict, str]:
    """What the two starts mean.

    Args:
        before: the errno of the pod without a policy, as it printed it.
        before_heard: the canary heard that pod.
        under: the errno of the pod under a default deny.
        under_heard: the canary heard that pod.
        said: the reasons of the datapath's records of that pod's packets.
    """
    if under_heard or under == "000":
        return Verdict.FAIL, "this CNI ignores network policies: a pod under a default deny reached the canary"
    if before != "000" or not before_heard:
        return Verdict.INVALID, f"a pod without a policy did not reach the canary (errno {before}), so silence shows nothing"
    if not any(reason.startswith("Policy denied") for reason in said):
        return Verdict.INVALID, "a pod under a default deny was silent, and the datapath has no record of a policy that stopped it"
    return Verdict.PASS, f"enforced: a pod's first packet reaches the canary, under a default deny it is dropped ({said[0]})"


def _start(api: Cluster, name: str, port: int) -> str:
    pod: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "nodeSelector": {"curtilage.dev/pool": POOL},
            "tolerations": [{"operator": "Exists"}],
            "containers": [
                {
                    "name": "first",
                    "image": FIRST,
                    "imagePullPolicy": "Never",
                    "env": [{"name": "JOB_COMPLETION_INDEX", "value": str(port - 20000)}],
                }
            ],
        },
    }
    api.call("POST", f"/api/v1/namespaces/{SPACE}/pods", pod)
    found: list[str] = []

    def ended() -> bool:
        state = api.call("GET", f"/api/v1/namespaces/{SPACE}/pods/{name}")["status"].get("containerStatuses") or [{}]
        terminated = state[0].get("state", {}).get("terminated")
        found[:] = [terminated.get("message", "").strip()] if terminated else []
        return bool(found)

    await_(api, ended, f"pod {name}'s end", SPACE, patience_seconds=PATIENCE_SECONDS)
    return found[0]


def write(file: Path, found: tuple[Verdict, str]) -> None:
    """Keep the answer for as long as the cluster lives."""
    file.write_text(json.dumps({"verdict": str(found[0]), "reason": found[1]}), encoding="utf-8")


def read(file: Path) -> tuple[Verdict, str]:
    """The kept answer; NOT_RUN where no trial was."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return Verdict(document["verdict"]), str(document["reason"])
    except (OSError, ValueError, KeyError):
        return Verdict.NOT_RUN, "no pod sent a packet: the cluster has no node that runs pods"
