"""Attackers as pods of a region: its own templates with another image, on the node that runs pods.

What admission asks of a pod it asks of these too: unprivileged, no right to raw sockets, approved by digest. The image is approved by
hand, as one with a hole in it would have been.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from curtilage.bundle import oci
from curtilage.derive.kubernetes.gateway import gateway
from curtilage.derive.kubernetes.models import workloads
from curtilage.derive.kubernetes.names import APP_LABEL, EVIDENCE, GATEWAY, GATEWAY_PORT, MODEL_PORT, MODELS, STORE_PORT
from curtilage.derive.kubernetes.pods import CONTAINER_SANDBOX, scratch
from curtilage.derive.kubernetes.pods import template as template_of
from curtilage.derive.kubernetes.segment import SERVING
from curtilage.errors import StepError
from curtilage.paths import CHECKOUT
from curtilage.probes.runner import Unreached
from curtilage.region import Region
from lab.base import ensure_base
from lab.cache import digest_of, ensure
from lab.kubernetes import approval
from lab.kubernetes.node import CONTAINERD, FIRST, POOL, Node
from lab.kubernetes.waiting import await_
from lab.providers.kube_api import ApiError, Cluster
from lab.shell import run

Item = dict[str, Any]
AGENT = "registry.legal.internal/attacker"
UNSEALED = "unsealed"
LABEL = "curtilage.dev/attacker"
PLACES = {"workload": (MODELS, "vllm"), "gateway": (GATEWAY, "gateway"), "evidence": (EVIDENCE, "evidence-store")}
LISTENS = {"workload": MODEL_PORT, "gateway": GATEWAY_PORT, "evidence": STORE_PORT}
TOLERATED = [{"key": "curtilage.dev/pool", "operator": "Equal", "value": POOL, "effect": "NoSchedule"}]
_HERE = CHECKOUT / "lab" / "kubernetes" / "attack"
_AGENT = CHECKOUT / "curtilage" / "probes" / "agent.py"
FAMILIES = 2
STARTS_AT_ONCE, SECONDS_A_START = 2, 8.0


def image() -> Path:
    """The attackers' image as an OCI layout; made now when it is not there."""
    base = ensure_base()
    sources = (_HERE / "pod.py", _AGENT)

    def build(target: Path) -> None:
        files = target / "files"
        files.mkdir()
        for source in sources:
            (files / source.name).write_bytes(source.read_bytes())
        run(["chmod", "-R", "u=rwX,go=rX", str(target)], step="attackers")
        entry = ("/usr/bin/python3", "-B", "/opt/attack/pod.py")
        layers = [oci.Layer("base filesystem", {"/": base}, keep_owners=True), oci.Layer("attacker", {"/opt/attack": files})]
        oci.write(oci.Image(name="attacker", entrypoint=entry), layers, target / "layout")

    return ensure("attacker", digest_of(base.name, *(source.read_bytes() for source in sources)), build) / "layout"


@dataclass(frozen=True, kw_only=True)
class Pod:
    """A running attacker."""

    place: str
    namespace: str
    name: str
    addresses: tuple[str, ...]
    container: str

    @classmethod
    def of(cls, item: Item, place: str) -> Pod:
        """A pod as the API has it, once it runs."""
        return cls(
            place=place,
            namespace=item["metadata"]["namespace"],
            name=item["metadata"]["name"],
            addresses=tuple(part["ip"] for part in item["status"]["podIPs"]),
            container=item["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2],
        )

    def address(self, family: int) -> str:
        """Its address of a family."""
        return next(item for item in self.addresses if (":" in item) == (family == 6))


class Attackers:
    """The attackers of one region on one cluster."""

    def __init__(self, region: Region, api: Cluster, node: Node) -> None:
        self.region, self.api, self.node = region, api, node
        self.references: dict[str, str] = {}
        self._listed = ""

    def approve(self) -> None:
        """Put the images on the node and, by hand, on the region's list."""
        self.references = {
            AGENT: f"{AGENT}@{self.node.load(image(), AGENT)}",
            FIRST: f"{FIRST.rpartition(':')[0]}@{oci.check(self.node.directory / 'first')}",
        }
        self._listed = approval.approve(self.api, self.references.values())

    def put(self, place: str, *, stream: Sequence[Item] = (), first: Item | None = None) -> Pod:
        """An attacker in a place of the region, running.

        Args:
            place: one of PLACES.
            stream: probes to repeat until it is killed.
            first: a plan that its init container runs.
        """
        item = self.deployment(place, stream=stream, first=first)
        self.api.call("POST", self.api.path(item, named=False), item)
        return self.running(place)

    def roll(self, place: str, before: Pod) -> Pod:
        """Make the place's pod give way to the next; returns that one."""
        again = {"spec": {"template": {"metadata": {"annotations": {"curtilage.dev/rolled": before.name}}}}}
        self.api.call("PATCH", self._maker(place), again, "application/merge-patch+json")
        return self.running(place, but=before.name)

    def deployment(self, place: str, *, stream: Sequence[Item] = (), first: Item | None = None) -> Item:
        """A Deployment made of the region's own template for the place."""
        namespace, app = PLACES[place]
        told = [{"name": "LISTEN", "value": str(LISTENS[place])}] if not stream else [{"name": "STREAM", "value": json.dumps(list(stream))}]
        if place == "workload":
            template = copy.deepcopy(next(iter(workloads(self.region)))["spec"]["template"])
            pod = template["spec"]
            weights = {"name": "models", "mountPath": "/srv/models", "readOnly": True}
            before = pod["initContainers"][0]
            before |= {"image": self.references[AGENT], "volumeMounts": [weights], "resources": {}}
            before["env"] = [{"name": "ONCE", "value": "1"}, *([{"name": "ATTACK", "value": json.dumps(first)}] if first else [])]
            main = pod["containers"][0]
            main |= {"image": self.references[AGENT], "volumeMounts": [weights], "resources": {}, "env": [*main["env"], *told]}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                main.pop(probe)
            pod["volumes"] = [scratch("models", "1Mi")]
            pod["terminationGracePeriodSeconds"] = 3
            pod.pop("topologySpreadConstraints")
        else:
            template = copy.deepcopy(next(item for item in gateway(self.region) if item["kind"] == "StatefulSet")["spec"]["template"])
            pod = template["spec"]
            pod["containers"] = [{"name": "attacker", "image": self.references[AGENT], "securityContext": CONTAINER_SANDBOX, "env": told}]
            pod["terminationGracePeriodSeconds"] = 3
            for part in ("affinity", "topologySpreadConstraints", "volumes"):
                pod.pop(part)
            pod["serviceAccountName"] = "gateway" if place == "gateway" else "evidence-store"
        pod["nodeSelector"], pod["tolerations"] = {"curtilage.dev/pool": POOL}, TOLERATED
        name = f"attacker-{place}"
        template["metadata"]["labels"] |= {APP_LABEL: app, LABEL: place}
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "replicas": 1,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
                "selector": {"matchLabels": {APP_LABEL: app, LABEL: place}},
                "template": template,
            },
        }

    def unsealed(self) -> Pod:
        """The same image in a namespace of no region: what it sends has to arrive."""
        self.api.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": UNSEALED}})
        container = {"name": "attacker", "image": self.references[AGENT], "env": [{"name": "LISTEN", "value": "8000"}]}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": UNSEALED, "namespace": UNSEALED, "labels": {LABEL: UNSEALED}},
            "spec": {
                "containers": [container],
                "nodeSelector": {"curtilage.dev/pool": POOL},
                "tolerations": TOLERATED,
                "terminationGracePeriodSeconds": 1,
                "automountServiceAccountToken": False,
                "securityContext": {"runAsUser": 65532, "runAsNonRoot": True},
            },
        }
        await_(self.api, lambda: bool(self._accounts(UNSEALED)), "the namespace's service account")
        self.api.call("POST", f"/api/v1/namespaces/{UNSEALED}/pods", pod)
        return self.running(UNSEALED)

    def running(self, place: str, *, but: str = "") -> Pod:
        """The place's attacker once it runs.

        Args:
            place: a place, or UNSEALED.
            but: the name of a pod that is meant to be gone.
        """
        namespace = self._namespace(place)
        found: list[Item] = []

        def runs() -> bool:
            found[:] = [item for item in self._pods(namespace, place) if item["metadata"]["name"] != but and runs_whole(item)]
            return bool(found)

        await_(self.api, runs, f"the attacker in {place}", namespace)
        return Pod.of(found[0], place)

    def first(self, starts: int) -> None:
        """Start pods whose first work is a packet, one after the other as fast as the quota lets them: a Job beside the gateway."""
        container = {"name": "first", "image": self.references[FIRST], "securityContext": CONTAINER_SANDBOX}
        template = template_of(self.region, "gateway", "gateway", SERVING, {"restartPolicy": "Never", "containers": [container]})
        template["spec"] |= {"nodeSelector": {"curtilage.dev/pool": POOL}, "tolerations": TOLERATED}
        template["metadata"]["labels"] |= {LABEL: "first"}
        spec = {
            "completions": starts,
            "parallelism": STARTS_AT_ONCE,
            "completionMode": "Indexed",
            "backoffLimit": 0,
            "template": template,
        }
        item = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "attacker-first", "namespace": GATEWAY}, "spec": spec}
        self.api.call("POST", self.api.path(item, named=False), item)

    def ended(self, starts: int) -> dict[int, tuple[str, tuple[str, ...]]]:
        """What `first`'s pods saw, by number: the errno of their connection, and their addresses."""
        found: dict[int, tuple[str, tuple[str, ...]]] = {}

        def all_ended() -> bool:
            for item in self._pods(GATEWAY, "first"):
                state = (item["status"].get("containerStatuses") or [{}])[0].get("state", {})
                if "terminated" in state:
                    number = int(item["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"])
                    addresses = tuple(part["ip"] for part in item["status"].get("podIPs", []))
                    found[number] = (state["terminated"].get("message", "").strip().lstrip("0") or "0", addresses)
            return len(found) >= starts

        await_(self.api, all_ended, f"{starts} starts", GATEWAY, patience_seconds=starts * SECONDS_A_START)
        self.api.call("DELETE", f"/apis/batch/v1/namespaces/{GATEWAY}/jobs/attacker-first", {"propagationPolicy": "Background"})
        return found

    def withdraw(self) -> None:
        """Take the images off the region's list again."""
        approval.restore(self.api, self._listed)

    def ask(self, pod: Pod, plan: Item) -> Item:
        """Run a plan in a running attacker's container, as a further process of it."""
        argv = ["ctr", "--address", CONTAINERD, "-n", "k8s.io", "tasks", "exec", "--exec-id", f"ask-{time.monotonic_ns()}", pod.container]
        try:
            said = self.node.run([*argv, "/usr/bin/python3", "-B", "/opt/attack/agent.py", json.dumps(plan)])
            answer: Item = json.loads(said)
        except (StepError, ValueError) as error:
            raise Unreached(f"{pod.place}: {error}") from error
        return answer

    def said(self, pod: Pod, container: str, **query: str) -> list[Item]:
        """What a container printed, one JSON object a line."""
        text = self.api.text(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/log", container=container, **query)
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def remove(self, *places: str) -> None:
        """Take attackers away, and wait until they are gone, each pod with what makes it."""
        for place in places:
            try:
                self.api.call("DELETE", self._maker(place), {"propagationPolicy": "Foreground"})
            except ApiError as error:
                if error.code != 404:
                    raise
        for place in places:
            await_(self.api, partial(self._is_gone, place), f"the end of {place}", self._namespace(place))

    def _is_gone(self, place: str) -> bool:
        if self._pods(self._namespace(place), place):
            return False
        if place not in PLACES:  # its namespace, which takes its time, and is kept from nobody
            return True
        try:
            self.api.call("GET", self._maker(place))
        except ApiError as error:
            if error.code == 404:
                return True
            raise
        return False  # a Deployment of the name cannot be made before the one that goes has gone

    @staticmethod
    def _namespace(place: str) -> str:
        return PLACES[place][0] if place in PLACES else UNSEALED

    def _maker(self, place: str) -> str:
        """Where the object lies that a place's pod goes with."""
        if place not in PLACES:
            return f"/api/v1/namespaces/{UNSEALED}"
        return f"/apis/apps/v1/namespaces/{self._namespace(place)}/deployments/attacker-{place}"

    def _pods(self, namespace: str, place: str) -> list[Item]:
        found: list[Item] = self.api.call("GET", f"/api/v1/namespaces/{namespace}/pods", labelSelector=f"{LABEL}={place}")["items"]
        return found

    def _accounts(self, namespace: str) -> list[Item]:
        found: list[Item] = self.api.call("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts")["items"]
        return found


def runs_whole(item: Item) -> bool:
    """Whether a pod is up with both its addresses, and not on its way out."""
    status = item["status"]
    up = status.get("phase") == "Running" and len(status.get("podIPs", [])) == FAMILIES
    return up and "deletionTimestamp" not in item["metadata"] and all("running" in part["state"] for part in status["containerStatuses"])
