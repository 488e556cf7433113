"""One real node: containerd, kubelet and Cilium in the cluster's network namespace, from programs built here.

Nothing of it reaches the machine: its own mounts, processes, host name and IPC (``inside``), control groups under one top group that is
removed with it, and files in place of the kernel's global switches that kubelet and Cilium would set. Cilium attaches to the links of the
node's namespace alone. Its operator is not run: its kinds are applied from its own module, and the controller-manager gives each node its
pods' networks.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import IO, Any

import yaml

from curtilage.bundle import oci
from curtilage.doctor import CLUSTER_PACKAGES
from curtilage.errors import StepError
from curtilage.machine import search_path
from curtilage.paths import CHECKOUT
from lab.kubernetes import groups, names
from lab.kubernetes.build import CLANG
from lab.processes import ProcessFile, Recorded
from lab.shell import excerpt, run

POOL = "real"
LABELS = {"curtilage.dev/pool": POOL, "kubernetes.io/os": "linux"}
PAUSE, FIRST = "registry.legal.internal/pause:lab", "registry.legal.internal/first:lab"
_LAYOUT = ("blobs", "index.json", "oci-layout")
CONTAINERD = "/run/containerd/containerd.sock"
SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
    "kernel/unprivileged_bpf_disabled": "1",
    "kernel/timer_migration": "0",
}
"""Global switches with the values that kubelet and Cilium want: they read these files and leave the machine's own alone."""
FROM_HOST = """\
table inet node {
    chain output {
        type filter hook output priority filter; policy accept;
        meta mark & 0x00000f00 != { 0x00000e00, 0x00000d00, 0x00000400 } meta mark set meta mark & 0xfffff0ff | 0x00000c00
    }
}
"""
"""The one rule that Cilium would set of its own if it were to write rules here: what the node itself sends is the node's, so that kubelet's
probes reach pods (the numbers are Cilium's marks for the host, its proxy and encryption)."""
EXEC_SECONDS, IMPORT_SECONDS = 120.0, 300.0


def lacking() -> str | None:
    """Why this machine cannot run the node, or None."""
    there = [package for package in CLUSTER_PACKAGES if not all(shutil.which(name, path=search_path()) for name in package.commands)]
    if there:
        return f"not installed: {', '.join(package.name for package in there)} (curtilage doctor --kubernetes --fix installs them)"
    if os.geteuid() != 0:
        return "a node needs root"
    script = 'mount -t bpf bpf "$1" && test -r /sys/kernel/btf/vmlinux'
    with tempfile.TemporaryDirectory(prefix="curtilage-bpf-") as directory:
        tried = subprocess.run(["unshare", "--mount", "sh", "-c", script, "sh", directory], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"the kernel has no bpf file system or no type information, which Cilium needs: {tried.stderr.strip()}"
    return None


class Node:
    """The node's files under ``directory``, its first process among ``processes``."""

    def __init__(self, directory: Path, processes: ProcessFile) -> None:
        self.directory, self._processes = directory, processes

    @property
    def log(self) -> Path:
        """What the first process said."""
        return self.directory / "node.log"

    @property
    def drops(self) -> Path:
        """What its datapath dropped (``lab.kubernetes.drops`` reads it)."""
        return self.directory / "drops.jsonl"

    @property
    def volumes(self) -> Path:
        """Where persistent volumes lie, a directory each; the node sees them under the same path."""
        return self.directory / "volumes"

    def start(self, programs: Path, pods: IPv4Network, *, enforcing: bool) -> Recorded:
        """Start it; it is a node of the cluster once its kubelet says so.

        Args:
            programs: the built programs of a node.
            pods: the pods' IPv4 network.
            enforcing: Cilium enforces policies; otherwise it serves pods and ignores them, as many a CNI does.
        """
        here = self.directory
        here.mkdir(mode=0o755)
        groups.create()
        run(["ip", "netns", "exec", names.NAMESPACE, "nft", "-f", "-"], step="cluster: node's mark", stdin=FROM_HOST)
        self._clang()
        self._images(programs)
        self._monitor()
        self._containerd(programs)
        self._kubelet()
        self._cilium(programs, pods, enforcing=enforcing)
        path = f"{here / 'bin'}:{programs / 'bin'}:{search_path()}"
        document = {
            "directory": str(here),
            "hostname": names.NODE,
            "sysctls": SYSCTLS,
            "resolv": "nameserver 127.0.0.1\n",
            "programs": [
                _program("containerd", [programs / "bin" / "containerd", "--config", here / "containerd.toml"], path, CONTAINERD),
                _program("images", ["sh", here / "images.sh"], path, "/run/images"),
                _program("kubelet", [programs / "bin" / "kubelet", *self._kubelet_flags()], path),
                _program("cilium-agent", [programs / "bin" / "cilium-agent", "--config-dir", here / "cilium"], path)
                | {"env": {"PATH": path, "K8S_NODE_NAME": names.NODE}},
                _program("drops", ["sh", here / "drops.sh"], path),
            ],
        }
        (here / "node.json").write_text(json.dumps(document), encoding="utf-8")
        argv = [
            "nsenter", f"--net=/run/netns/{names.NAMESPACE}",
            "unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--mount-proc", "--kill-child=KILL",
            sys.executable, "-B", "-I", str(CHECKOUT / "lab" / "kubernetes" / "inside.py"), str(here / "node.json"),
        ]  # fmt: skip
        return self._processes.spawn(argv, what="node", log=self.log)

    def excerpt(self) -> str:
        """The ends of the node's logs, for an error message."""
        found = [path for path in [self.log, *(self.directory / f"{name}.log" for name in ("kubelet", "cilium-agent"))] if path.exists()]
        return "\n".join(f"{path.name}:\n{excerpt(path.read_text(encoding='utf-8', errors='replace'), 8)}" for path in found)

    def run(self, argv: Sequence[str], *, stdin: IO[bytes] | None = None, timeout_seconds: float = EXEC_SECONDS) -> str:
        """Run a command as the node sees things (its mounts, processes and network).

        Args:
            argv: the command.
            stdin: what it reads.
            timeout_seconds: it is killed after this time.

        Raises:
            StepError: the node is not there, or the command failed.
        """
        inside = ["nsenter", f"--target={self._first()}", "--mount", "--net", "--pid", "--ipc", "--uts", "--", *argv]
        document = json.loads((self.directory / "node.json").read_text(encoding="utf-8"))
        environment = {**os.environ, "PATH": document["programs"][0]["env"]["PATH"]}
        try:
            done = subprocess.run(inside, stdin=stdin, capture_output=True, timeout=timeout_seconds, check=False, env=environment)
        except subprocess.TimeoutExpired as error:
            raise StepError("node", f"`{argv[0]}` took longer than {timeout_seconds:.0f} s", fix="see the node's logs") from error
        if done.returncode:
            said = (done.stderr or done.stdout).decode("utf-8", "replace")
            raise StepError("node", f"`{' '.join(argv[:5])}` ended with {done.returncode}\n{excerpt(said)}", fix="see the excerpt")
        return done.stdout.decode("utf-8", "replace")

    def load(self, layout: Path, name: str) -> str:
        """Give the node an image: an OCI layout of ours, under the name and digest that pods ask for. Returns the digest."""
        digest = oci.check(layout)
        importing = ["ctr", "--address", CONTAINERD, "-n", "k8s.io", "images", "import", "--local", "--base-name", name, "--digests", "-"]
        # From one to the other: an image with a model's runtime is gigabytes, and they are on the disk twice already.
        with subprocess.Popen(["tar", "-cf", "-", "-C", str(layout), *_LAYOUT], stdout=subprocess.PIPE) as archive:
            self.run(importing, stdin=archive.stdout, timeout_seconds=IMPORT_SECONDS)
        if f"{name}@{digest}" not in self.run(["ctr", "--address", CONTAINERD, "-n", "k8s.io", "images", "ls", "-q"]).split():
            raise StepError("cluster", f"image {name}@{digest} is not on the node after its import", fix="see containerd.log")
        return digest

    # How.

    def _first(self) -> int:
        """The node's process 1, as the machine counts."""
        for item in self._processes.read():
            if item.what == "node" and item.alive():
                told = Path(f"/proc/{item.pid}/task/{item.pid}/children").read_text(encoding="ascii").split()
                if told:
                    return int(told[0])
        raise StepError("node", "the node does not run", fix="curtilage lab start --kubernetes")

    def _clang(self) -> None:
        (self.directory / "bin").mkdir()
        found = shutil.which(CLANG, path=search_path())
        if found is None:
            raise StepError("node", f"no {CLANG}", fix="curtilage doctor --kubernetes --fix")
        (self.directory / "bin" / "clang").symlink_to(found)

    def _images(self, programs: Path) -> None:
        """The two images that every node has, one static program each: a pod's sandbox, and the pod whose first work is a packet."""
        script = []
        for name, reference in (("pause", PAUSE), ("first", FIRST)):
            base, _, tag = reference.rpartition(":")
            layout = self.directory / name
            oci.write(oci.Image(name=tag, entrypoint=(f"/{name}",)), [oci.Layer(name, {"/": programs / name})], layout)
            run(["tar", "-cf", f"{layout}.tar", "-C", str(layout), *_LAYOUT], step=f"cluster: image {name}")
            # A reference that is a bare tag is added to the base name.
            script.append(f"ctr --address {CONTAINERD} -n k8s.io images import --local --base-name {base} --digests {layout}.tar")
        script.append("touch /run/images && exec sleep infinity")
        (self.directory / "images.sh").write_text(" && ".join(script) + "\n", encoding="utf-8")

    def _monitor(self) -> None:
        # The agent's socket is there some seconds after its agent.
        (self.directory / "drops.sh").write_text(
            f"until test -S /run/cilium/monitor1_2.sock; do sleep 0.1; done\nexec cilium-dbg monitor --type drop --json > {self.drops}\n",
            encoding="utf-8",
        )

    def _containerd(self, programs: Path) -> None:
        here = self.directory
        (here / "cni").mkdir()
        document = f"""\
version = 3
root = "{here / "containerd"}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "{CONTAINERD}"
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "{PAUSE}"
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  enable_unprivileged_icmp = true
  enable_unprivileged_ports = true
[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = ["{programs / "bin"}"]
  conf_dir = "{here / "cni"}"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
  SystemdCgroup = false
"""
        (here / "containerd.toml").write_text(document, encoding="utf-8")

    def _kubelet(self) -> None:
        here, keys = self.directory, self.directory.parent / "pki"
        document = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": str(names.NODE4.ip),
            "port": names.KUBELET_PORT,
            "readOnlyPort": 0,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": False},
                "x509": {"clientCAFile": str(keys / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(keys / "node.crt"),
            "tlsPrivateKeyFile": str(keys / "node.key"),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{groups.NAME}",
            "failCgroupV1": False,
            "failSwapOn": False,
            "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
            "resolvConf": str(here / "resolv.conf"),
            "podLogsDir": str(here / "pods"),
            # The machine's disk is not this node's to judge: a full one would make it throw images away.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "nodeStatusUpdateFrequency": "5s",
            "registerWithTaints": [{"key": "curtilage.dev/pool", "value": POOL, "effect": "NoSchedule"}],
            "shutdownGracePeriod": "0s",
        }
        (here / "kubelet.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")

    def _kubelet_flags(self) -> list[str]:
        here = self.directory
        return [
            f"--config={here / 'kubelet.yaml'}",
            f"--kubeconfig={here.parent / 'kubelet.kubeconfig'}",
            f"--root-dir={here / 'kubelet'}",
            f"--cert-dir={here / 'certificates'}",
            f"--hostname-override={names.NODE}",
            f"--node-ip={names.NODE4.ip},{names.NODE6.ip}",
            f"--node-labels={','.join(f'{key}={value}' for key, value in LABELS.items())}",
        ]

    def _cilium(self, programs: Path, pods: IPv4Network, *, enforcing: bool) -> None:
        options: dict[str, Any] = {
            "k8s-kubeconfig-path": self.directory.parent / "cilium.kubeconfig",
            "lib-dir": programs / "cilium",
            "state-dir": "/run/cilium",
            "bpf-root": "/sys/fs/bpf",
            "cgroup-root": "/run/cilium/cgroupv2",
            "enable-ipv4": "true",
            "enable-ipv6": "true",
            "routing-mode": "native",
            "ipam": "kubernetes",
            "ipv4-native-routing-cidr": pods,
            "ipv6-native-routing-cidr": names.PODS6,
            "enable-ipv4-masquerade": "false",
            "enable-ipv6-masquerade": "false",
            "devices": names.UPLINK,
            "direct-routing-device": names.UPLINK,
            "kube-proxy-replacement": "false",
            "bpf-lb-sock": "false",
            "bpf-lb-acceleration": "disabled",
            "enable-l7-proxy": "false",
            "enable-envoy-config": "false",
            "install-iptables-rules": "false",
            "enable-health-checking": "false",
            "enable-endpoint-health-checking": "false",
            "enable-hubble": "true",
            "write-cni-conf-when-ready": self.directory / "cni" / "05-cilium.conflist",
            "cni-exclusive": "false",
            "bpf-map-dynamic-size-ratio": "0.0025",
            "enable-k8s-cluster-network-policy": "true",
            "enable-policy": "default" if enforcing else "never",
        }
        directory = self.directory / "cilium"
        directory.mkdir()
        for name, value in options.items():
            (directory / name).write_text(str(value), encoding="ascii")


def _program(name: str, argv: Sequence[object], path: str, shows: str | None = None) -> dict[str, Any]:
    return {"name": name, "argv": [str(word) for word in argv], "env": {"PATH": path}, "await": shows}
