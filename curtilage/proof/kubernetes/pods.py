"""Pods that policies do not bind: those of the host's network, of the host's rights, or of a second network; and data that nodes carry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from curtilage.proof.aws.plan import UNKNOWN
from curtilage.proof.kubernetes.decision import Cluster
from curtilage.proof.kubernetes.leaks import Question
from curtilage.proof.kubernetes.objects import Manifest, Template
from curtilage.proof.kubernetes.rules import Network
from curtilage.proof.report import Finding
from curtilage.verdict import Verdict

MIGHTY = frozenset(
    {
        "ALL",
        "SYS_ADMIN",
        "NET_ADMIN",
        "NET_RAW",
        "SYS_MODULE",
        "SYS_PTRACE",
        "SYS_RAWIO",
        "BPF",
        "PERFMON",
        "DAC_READ_SEARCH",
        "SYS_BOOT",
        "MKNOD",
    }
)
LOCAL_VOLUMES = frozenset({"configMap", "secret", "emptyDir", "persistentVolumeClaim", "downwardAPI", "projected", "ephemeral", "image"})
REMOTE_VOLUMES = {
    "nfs": "server",
    "glusterfs": "endpoints",
    "iscsi": "targetPortal",
    "cephfs": "monitors",
    "rbd": "monitors",
    "gitRepo": "repository",
}
ELSEWHERE_VOLUMES = frozenset({"azureFile", "flexVolume", "portworxVolume", "quobyte", "scaleIO", "storageos", "photonPersistentDisk"})
SERVER_ATTRIBUTES = frozenset({"server", "source", "monitors", "endpoint", "url", "host", "targetportal", "addr", "address"})
"""Attributes by which drivers are told a machine to mount from."""
PLAIN_RESOURCES = re.compile(
    r"^(cpu|memory|ephemeral-storage|hugepages-[0-9A-Za-z]+|nvidia\.com/(gpu|mig-[0-9a-z.]+)(\.shared)?|amd\.com/gpu|gpu\.intel\.com/[a-z0-9]+)$"
)
SECOND_NETWORK = re.compile(r"cni\.cncf\.io|multus|danm|k8s\.ovn\.org/pod-networks|sriov", re.IGNORECASE)
FAST_NETWORK = re.compile(r"rdma|roce|efa|sriov|infiniband|hca|mlnx|macvlan|ipvlan|/ib", re.IGNORECASE)


def has_no_pods(cluster: Cluster, namespace: str) -> bool:
    """A quota of no pods holds in the namespace, and no workload is listed there."""
    if any(item.namespace == namespace for item in cluster.templates):
        return False
    for item in cluster.objects:
        if item.kind == "ResourceQuota" and not item.group and item.namespace == namespace and set(item.spec) == {"hard"}:
            hard = item.spec["hard"]
            if (
                isinstance(hard, dict)
                and (hard.get("pods") in ("0", 0) or hard.get("count/pods") in ("0", 0))
                and hard.get("pods") is not False
            ):
                return True
    return False


def decide_pods(cluster: Cluster, question: Question, *, owned: bool = False) -> list[Finding]:
    """Every listed workload of the segment, and the volumes that its claims may be bound to."""
    findings: list[Finding] = []
    legal = question.legal
    for volume in cluster.objects:
        if volume.kind == "PersistentVolume" and not volume.group:
            claim = volume.spec.get("claimRef")
            bound = claim.get("namespace") if isinstance(claim, dict) else None
            for what in _kept_by(volume, question.networks) if bound is None or bound in legal else ():
                cluster.gap("EG-20", volume, what, volume.where)
    for item in cluster.templates:
        if item.namespace not in legal:
            continue
        if item.spec is None or item.labels is None:
            cluster.gap("K8S-UNKNOWN", item.owner, "its pods' labels or specification are not known", item.owner.where)
            continue
        if owned and item.owner.kind == "Pod" and not item.owner.body["metadata"].get("ownerReferences"):
            cluster.gap("EG-27", item.owner, "the network plugin does not cover a pod that nothing owns", item.owner.where)
        for id, verdict, what in _reasons(item, question.networks):
            path: tuple[str, ...] = (f"{item.owner} ({item.owner.where})", f"change: {item.owner.where}")
            shown = None
            if verdict is Verdict.FAIL and id == "EG-20":
                shown = {
                    "family": "ipv4",
                    "protocol": "tcp",
                    "source": f"{item.owner}, with its node's address",
                    "destination": "198.51.100.10",
                    "port": 443,
                }
                path = (path[0], "no policy binds what stands in the node's network", "198.51.100.10", path[1])
            found = Finding(id, item.namespace, verdict, f"{item.owner}: {what}", shown, path)
            if found not in findings:
                findings.append(found)
    return findings


Reason = tuple[str, Verdict, str]


def _reasons(item: Template, networks: tuple[Network, ...]) -> Iterator[Reason]:
    spec = item.spec or {}
    open_, shut = Verdict.NOT_PROVEN, Verdict.FAIL
    yield from _flag(spec, "hostNetwork", "EG-20", shut, "its pods stand in their node's network, where no policy binds them")
    for key in ("hostPID", "hostIPC"):
        yield from _flag(spec, key, "EG-20", open_, f"{key}: its pods meet the node's processes, which stand in the node's network")
    for key in item.annotations:
        if item.annotations[key] is UNKNOWN and key == "(not known)":
            yield "K8S-UNKNOWN", open_, "its annotations are not known"
        elif SECOND_NETWORK.search(str(key)):
            yield "EG-26", shut, f"annotation {key} asks for a second network, which no policy covers"
    if spec.get("resourceClaims"):
        yield "EG-26", open_, "resourceClaims give it devices that are not known; a network card is one"
    for key in ("initContainers", "containers", "ephemeralContainers"):
        listed = spec.get(key)
        if listed is not None and not (isinstance(listed, list) and all(isinstance(entry, dict) for entry in listed)):
            yield "K8S-UNKNOWN", open_, f"its {key} are not known"
    pod = spec.get("securityContext")
    yield from _windows(pod)
    for where, container in item.containers():
        yield from _container(where, container)
    volumes = spec.get("volumes")
    if volumes is not None and not isinstance(volumes, list):
        yield "K8S-UNKNOWN", open_, "its volumes are not known"
    for volume in volumes if isinstance(volumes, list) else []:
        yield from _volume(volume, networks)


def _flag(holder: Mapping[str, Any], key: str, id: str, verdict: Verdict, what: str) -> Iterator[Reason]:
    value = holder.get(key)
    if value is True:
        yield id, verdict, what
    elif value not in (False, None):
        yield id, Verdict.NOT_PROVEN, f"{key} is not known, or neither true nor false"


def _windows(context: Any) -> Iterator[Reason]:
    if isinstance(context, dict) and isinstance(context.get("windowsOptions"), dict):
        yield from _flag(context["windowsOptions"], "hostProcess", "EG-20", Verdict.FAIL, "a host process stands in its node's network")


def _container(where: str, container: Mapping[str, Any]) -> Iterator[Reason]:
    open_ = Verdict.NOT_PROVEN
    context = container.get("securityContext") or {}
    if not isinstance(context, dict):
        yield "K8S-UNKNOWN", open_, f"{where}.securityContext is not known"
        context = {}
    yield from _flag(context, "privileged", "EG-20", Verdict.FAIL, f"{where} is privileged: it can enter its node's network")
    yield from _windows(context)
    added = (context.get("capabilities") or {}).get("add") if isinstance(context.get("capabilities") or {}, dict) else UNKNOWN
    if added is not None and not isinstance(added, list):
        yield "K8S-UNKNOWN", open_, f"{where}'s capabilities are not known"
    for name in added if isinstance(added, list) else []:
        if not isinstance(name, str) or name.upper().removeprefix("CAP_") in MIGHTY:
            yield (
                "EG-37",
                open_,
                f"{where} adds capability {name if isinstance(name, str) else '(not known)'}: it may act past its own network",
            )
    ports = container.get("ports") or []
    for port in ports if isinstance(ports, list) else [UNKNOWN]:
        if not isinstance(port, dict) or port.get("hostPort") is UNKNOWN:
            yield "K8S-UNKNOWN", open_, f"{where}'s ports are not known"
        elif port.get("hostPort"):
            yield (
                "EG-29",
                Verdict.FAIL,
                f"{where} takes port {port['hostPort']} of its node: callers from outside come in, and replies leave",
            )
    resources = container.get("resources") or {}
    for key in ("limits", "requests"):
        listed = resources.get(key) if isinstance(resources, dict) else UNKNOWN
        for name in listed if isinstance(listed, dict) else [] if listed is None else ["(not known)"]:
            if FAST_NETWORK.search(str(name)) and not PLAIN_RESOURCES.match(str(name)):
                yield "EG-26", Verdict.FAIL, f"{where} asks for {name}: a network of its own, which no policy covers"
            elif not PLAIN_RESOURCES.match(str(name)):
                yield "EG-26", open_, f"{where} asks for {name}: a device that is not known; a network card is one"
    for hook in ("livenessProbe", "readinessProbe", "startupProbe"):
        yield from _calls(f"{where}.{hook}", container.get(hook))
    cycle = container.get("lifecycle")
    for key in ("postStart", "preStop"):
        yield from _calls(f"{where}.lifecycle.{key}", cycle.get(key) if isinstance(cycle, dict) else cycle)


def _calls(where: str, probe: Any) -> Iterator[Reason]:
    if probe is UNKNOWN:
        yield "K8S-UNKNOWN", Verdict.NOT_PROVEN, f"{where} is not known"
    for key in ("httpGet", "tcpSocket"):
        found = probe.get(key) if isinstance(probe, dict) else None
        if isinstance(found, dict) and found.get("host"):
            yield "EG-20", Verdict.NOT_PROVEN, f"{where} names a host: the node calls it, past every policy"


def _volume(volume: Any, networks: tuple[Network, ...]) -> Iterator[Reason]:
    if not isinstance(volume, dict):
        yield "K8S-UNKNOWN", Verdict.NOT_PROVEN, "a volume is not known"
        return
    name = volume.get("name") if isinstance(volume.get("name"), str) else "(not known)"
    for key in volume:
        if key == "hostPath":
            yield "EG-20", Verdict.NOT_PROVEN, f"volume {name} is a path of the node: its sockets and files lead past every policy"
        elif key in REMOTE_VOLUMES:
            yield from _remote({key: volume[key]}, f"volume {name}", networks)
        elif key != "name" and key not in LOCAL_VOLUMES:
            yield "EG-20", Verdict.NOT_PROVEN, f"volume {name} ({key}) is carried by the node; where it leads is not known"


def _remote(holder: Mapping[str, Any], what: str, networks: tuple[Network, ...]) -> Iterator[Reason]:
    """Storage across the network is mounted by the node, whose packets no policy judges."""
    for key in REMOTE_VOLUMES:
        if key not in holder:
            continue
        found = holder[key].get(REMOTE_VOLUMES[key]) if isinstance(holder[key], dict) else None
        servers = found if isinstance(found, list) else [found]
        if not servers or not all(_inside(item, networks) for item in servers):
            public = any(_public(item) for item in servers)
            yield "EG-20", Verdict.FAIL if public else Verdict.NOT_PROVEN, f"{what} ({key}) is mounted by the node, past every policy"


def _kept_by(volume: Manifest, networks: tuple[Network, ...]) -> Iterator[str]:
    """Where a volume of the cluster leads, as far as it is not a disk or a directory of the node."""
    name = f"volume {volume.name}"
    yield from (what for _, _, what in _remote(volume.spec, name, networks))
    for key in sorted(set(volume.spec) & ELSEWHERE_VOLUMES):
        yield f"{name} ({key}) is carried by the node; where it leads is not known"
    driver = volume.spec.get("csi")
    given = driver.get("volumeAttributes") if isinstance(driver, dict) else None
    if driver is UNKNOWN or given is UNKNOWN:
        yield f"{name} (csi) is not known"
    for key, value in given.items() if isinstance(given, dict) else ():
        if key.lower() in SERVER_ATTRIBUTES and not _inside(value, networks):
            yield f"{name} (csi, {key}) is mounted by the node, past every policy"


def _inside(value: Any, networks: tuple[Network, ...]) -> bool:
    try:
        return any(ip_address(str(value)) in network for network in networks)
    except ValueError:
        return False


def _public(value: Any) -> bool:
    try:
        return not ip_address(str(value)).is_private or str(value).startswith(("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:"))
    except ValueError:
        return False
