"""Start, stop and look at the lab's cluster.

The control plane listens on the loopback of a network namespace of its own, whose one link leads to an open router and the lab's internet
behind it (``wire``): neither the machine nor the lab's hosts can be reached from it. One loopback port of the machine leads in (``door``).
A real node (``node``) runs pods under Cilium where the machine can; kwok plays the nodes with cards. What a killed start left is removed by
the next start or stop.
"""

from __future__ import annotations

import base64
import fcntl
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

from curtilage.engine import Engine
from curtilage.errors import ConfigError, StepError
from curtilage.output import progress
from curtilage.paths import CHECKOUT, cluster_dir
from curtilage.region import Region
from curtilage.region_parts import CARDS
from curtilage.verdict import Verdict
from lab.cache import Progress, remove_tree
from lab.canaries import Canaries
from lab.kubernetes import furniture, groups, pki, trial, wire
from lab.kubernetes.build import CRD, SUBSTITUTED, node_programs, programs
from lab.kubernetes.names import (
    API_PORT,
    DOOR_PORT,
    ETCD_PEER_PORT,
    ETCD_PORT,
    INTERNET,
    NAMESPACE,
    NODE,
    NODE4,
    NODE6,
    PODS6,
    ROUTER,
    ROUTER_PORT,
    SERVICES4,
    SERVICES6,
)
from lab.kubernetes.node import Node, lacking
from lab.lock import RUN_DIR
from lab.processes import ProcessFile, kill_groups
from lab.providers.kube_api import ApiError, Cluster, Unreachable
from lab.shell import excerpt

CONTEXT = "lab-k8s-legal"
PATIENCE_SECONDS = 120.0


class LabCluster:
    """The one cluster of this machine, whichever process asks."""

    def __init__(self) -> None:
        self.directory = cluster_dir()
        self.kubeconfig = self.directory / "kubeconfig"
        self._processes = ProcessFile(self.directory / "processes.jsonl")
        self.node = Node(self.directory / "node", self._processes)
        self.canaries = Canaries(self.directory / "canary", self._processes, internet=INTERNET, near=(ROUTER, ROUTER_PORT))

    def start(self, region: Region, say: Progress = progress, *, enforcing: bool = True) -> None:
        """Build what is missing, start the programs, and give the cluster what the region expects of one. Running already, it is kept.

        Args:
            region: what it is for.
            say: where progress goes.
            enforcing: False makes the node's CNI ignore policies, as many do, to see that such a cluster is refused.

        Raises:
            ConfigError: the region is on no cluster of its own.
            StepError: a program did not come up; the message has its log's end.
        """
        settings = region.kubernetes
        if settings is None or settings.gpu is None or not region.lab:
            raise ConfigError(
                f"region {region.name}", rule="the lab's cluster is for a region on kubernetes at site lab", fix="name lab-k8s"
            )
        with _alone():
            if self.status()["state"] == "running":
                say("cluster: runs already")
                return
            found, why_not = programs(), lacking()
            real = node_programs() if why_not is None else None
            self._remove()
            began = time.monotonic()
            self.directory.mkdir(mode=0o700, parents=True)
            try:
                pods = region.segments["legal"].ipv4
                self._boot(found, pods)
                items = furniture.items(
                    found / "crd" / Path(CRD).name,
                    product=CARDS[settings.gpu.card].product,
                    cards=settings.gpu.per_node,
                    storage_classes=(settings.storage_class, settings.models_storage_class),
                    volumes=self.node.volumes,
                )
                self._furnish(items)
                if real is None:
                    say(f"cluster: no node that runs pods, so packets are NOT-RUN: {why_not}")
                else:
                    say(f"cluster: starting {NODE}; {SUBSTITUTED}")
                    self._add_node(real, pods, enforcing=enforcing)
                    self._await("node", lambda: NODE in _ready(self.client()))
                    trial.write(self._enforcement, trial.run(self.client(), self.node, self.canaries.directory))
                # What an earlier cluster held is gone with it; its state would make the next `up` say "same" of nothing.
                Engine(region).forget()
            except BaseException:
                self._remove()
                raise
            say(f"cluster: ready after {time.monotonic() - began:.1f} s; export KUBECONFIG={self.kubeconfig}")

    def stop(self, say: Progress = progress) -> None:
        """Remove every process, the namespace and every file of it. The programs stay in the cache."""
        with _alone():
            there = self.directory.exists() or bool(wire.existing())
            self._remove()
        say("cluster: removed" if there else "cluster: there was none")

    def status(self) -> dict[str, Any]:
        """Whether its API answers, and which processes are gone."""
        listed = self._processes.read()
        if not listed:
            return {"state": "stopped"}
        gone = [item.what for item in listed if not item.alive()]
        try:
            version = self.client().call("GET", "/version")["gitVersion"]
        except (ApiError, Unreachable, LookupError, OSError) as error:
            return {"state": "broken", "gone": gone, "reason": str(error)}
        state = "broken" if gone else "running"
        return {
            "state": state,
            "gone": gone,
            "version": version,
            "kubeconfig": str(self.kubeconfig),
            "context": CONTEXT,
            "packets": ": ".join(self.enforcement()),
        }

    def enforcement(self) -> tuple[Verdict, str]:
        """Whether the cluster's CNI enforces policies, as its trial at the start found with packets; NOT_RUN where no pod can send any."""
        return trial.read(self._enforcement)

    def client(self) -> Cluster:
        """The cluster as its administrator."""
        return Cluster(str(self.kubeconfig), CONTEXT)

    # How.

    @property
    def _enforcement(self) -> Path:
        return self.directory / "enforcement.json"

    def _boot(self, found: Path, pods: IPv4Network) -> None:
        keys = self.directory / "pki"
        pki.make(keys)
        wire.create(pods)
        etcd = f"http://127.0.0.1:{ETCD_PORT}"
        peer = f"http://127.0.0.1:{ETCD_PEER_PORT}"
        self._spawn(found, "etcd", {
            "data-dir": self.directory / "etcd", "listen-client-urls": etcd, "advertise-client-urls": etcd,
            "listen-peer-urls": peer, "initial-advertise-peer-urls": peer, "initial-cluster": f"default={peer}",
            "unsafe-no-fsync": "true",
        })  # fmt: skip
        self._spawn(found, "kube-apiserver", {
            "etcd-servers": etcd, "bind-address": "127.0.0.1", "advertise-address": "127.0.0.1", "secure-port": API_PORT,
            "authorization-mode": "Node,RBAC", "anonymous-auth": "false", "client-ca-file": keys / "ca.crt",
            "tls-cert-file": keys / "server.crt", "tls-private-key-file": keys / "server.key",
            "service-cluster-ip-range": f"{SERVICES4},{SERVICES6}", "kubelet-preferred-address-types": "InternalIP",
            "kubelet-certificate-authority": keys / "ca.crt", "kubelet-client-certificate": keys / "kubelet-client.crt",
            "kubelet-client-key": keys / "kubelet-client.key",
            "service-account-issuer": "https://lab-k8s.legal.internal", "service-account-key-file": keys / "accounts.key",
            "service-account-signing-key-file": keys / "accounts.key", "endpoint-reconciler-type": "none",
        })  # fmt: skip
        self._door()
        self._config("admin", self.kubeconfig, DOOR_PORT)
        for name in ("controller-manager", "scheduler", "kwok", "kubelet", "cilium"):
            self._config(name, self.directory / f"{name}.kubeconfig", API_PORT)
        self._await("kube-apiserver", self._is_ready)
        self._spawn(found, "kube-controller-manager", {
            "kubeconfig": self.directory / "controller-manager.kubeconfig", "bind-address": "127.0.0.1", "leader-elect": "false",
            "service-account-private-key-file": keys / "accounts.key", "root-ca-file": keys / "ca.crt",
            "use-service-account-credentials": "true", "allocate-node-cidrs": "true", "cluster-cidr": f"{pods},{PODS6}",
            "node-cidr-mask-size-ipv4": 24, "node-cidr-mask-size-ipv6": 64,
        })  # fmt: skip
        self._spawn(found, "kube-scheduler", {
            "kubeconfig": self.directory / "scheduler.kubeconfig", "bind-address": "127.0.0.1", "leader-elect": "false",
        })  # fmt: skip
        kwok = {
            "kubeconfig": self.directory / "kwok.kubeconfig", "config": found / "stages.yaml", "manage-all-nodes": "false",
            "manage-nodes-with-annotation-selector": furniture.PLAYED, "node-lease-duration-seconds": 40,
            # The controller-manager gives nodes their pods' networks from the other half.
            "cidr": list(pods.subnets())[1],
        }  # fmt: skip
        self._spawn(found, "kwok", kwok)

    def _add_node(self, real: Path, pods: IPv4Network, *, enforcing: bool) -> None:
        """The node, its CNI's kinds, and the canaries that hear what leaves it."""
        self.canaries.start([str(network) for network in (NODE4.network, NODE6.network, pods, PODS6)])
        api = self.client()
        for file in sorted((real / "crd").glob("*.yaml")):
            item = yaml.safe_load(file.read_text(encoding="utf-8"))
            api.call("POST", api.path(item, named=False), item)
        self.node.start(real, pods, enforcing=enforcing)

    def _spawn(self, found: Path, name: str, flags: Mapping[str, object]) -> None:
        argv = ["ip", "netns", "exec", NAMESPACE, str(found / "bin" / name), *(f"--{key}={value}" for key, value in flags.items())]
        self._processes.spawn(argv, what=name, log=self._log(name))

    def _door(self) -> None:
        argv = [sys.executable, "-m", "lab.kubernetes.door", NAMESPACE, str(DOOR_PORT), str(API_PORT)]
        self._processes.spawn(argv, what="door", log=self._log("door"), env={"PYTHONPATH": str(CHECKOUT)})

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def _config(self, user: str, path: Path, port: int) -> None:
        keys = self.directory / "pki"

        def data(file: str) -> str:
            return base64.b64encode((keys / file).read_bytes()).decode("ascii")

        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "lab-k8s", "cluster": {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": data("ca.crt")}}
            ],
            "users": [{"name": user, "user": {"client-certificate-data": data(f"{user}.crt"), "client-key-data": data(f"{user}.key")}}],
            "contexts": [{"name": CONTEXT, "context": {"cluster": "lab-k8s", "user": user}}],
            # Programs of the cluster know no context by name; an operator's tools must name theirs.
            **({"current-context": CONTEXT} if user != "admin" else {}),
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document), encoding="utf-8")

    def _is_ready(self) -> bool:
        try:
            self.client().call("GET", "/readyz")
        except (ApiError, Unreachable):
            return False
        return True

    def _furnish(self, items: Iterator[dict[str, Any]]) -> None:
        api = self.client()
        made = []
        for item in items:
            self._await(f"kind {item['kind']}", partial(_is_served, api, item))
            api.call("POST", api.path(item, named=False), item)
            made.append(item)
        nodes = {item["metadata"]["name"] for item in made if item["kind"] == "Node"}
        self._await("kwok", lambda: _ready(api) >= nodes)

    def _await(self, what: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            gone = [item.what for item in self._processes.read() if not item.alive()]
            if gone or time.monotonic() > deadline:
                name = gone[0] if gone else what
                log = self._log(name)
                text = excerpt(log.read_text(encoding="utf-8", errors="replace") if log.exists() else "")
                reason = f"{name} ended" if gone else f"{what} was not ready within {PATIENCE_SECONDS:.0f} s"
                said = self.node.excerpt() if name == "node" else text
                raise StepError("cluster", f"{reason}:\n{said}", fix="see the excerpt; then start it again")
            time.sleep(0.1)

    def _remove(self) -> None:
        kill_groups(self._processes.read())
        wire.remove()
        groups.remove()
        if self.directory.exists():
            remove_tree(self.directory)


def _is_served(api: Cluster, item: Mapping[str, Any]) -> bool:
    return api.kind(item["apiVersion"], item["kind"]) is not None


def _ready(api: Cluster) -> set[str]:
    found = set()
    for node in api.call("GET", "/api/v1/nodes")["items"]:
        conditions: Sequence[Mapping[str, str]] = node.get("status", {}).get("conditions") or []
        if any(item["type"] == "Ready" and item["status"] == "True" for item in conditions):
            found.add(node["metadata"]["name"])
    return found


@contextmanager
def _alone() -> Iterator[None]:
    """One start or stop at a time; a killed one frees the lock."""
    RUN_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (RUN_DIR / "kubernetes.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
