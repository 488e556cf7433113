"""The cluster's programs, built from pinned Go modules and kept by the digest of what makes them (tools/)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from curtilage.errors import MachineError, StepError
from curtilage.output import progress
from curtilage.paths import CHECKOUT
from lab.cache import digest_of, ensure, remove_tree
from lab.shell import excerpt, run

FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w")
VERSION = "v1.36.3"
_STAMP = "k8s.io/component-base/version.gitVersion"
Builds = dict[str, tuple[str, str]]
CONTROL: Builds = {
    "kube-apiserver": ("tools/kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver"),
    "kube-controller-manager": ("tools/kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    "kube-scheduler": ("tools/kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler"),
    "etcd": ("tools/kubernetes", "go.etcd.io/etcd/server/v3"),
    "kwok": ("tools/kwok", "sigs.k8s.io/kwok/cmd/kwok"),
}
NODE: Builds = {
    "kubelet": ("tools/kubernetes", "k8s.io/kubernetes/cmd/kubelet"),
    "containerd": ("tools/containerd", "github.com/containerd/containerd/v2/cmd/containerd"),
    "containerd-shim-runc-v2": ("tools/containerd", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"),
    "ctr": ("tools/containerd", "github.com/containerd/containerd/v2/cmd/ctr"),
    "loopback": ("tools/cni-plugins", "github.com/containernetworking/plugins/plugins/main/loopback"),
    "cilium-agent": ("tools/cilium", "github.com/cilium/cilium/daemon"),
    "cilium-cni": ("tools/cilium", "github.com/cilium/cilium/plugins/cilium-cni"),
    "cilium-dbg": ("tools/cilium", "github.com/cilium/cilium/cilium-dbg"),
}
POLICY_API = ("tools/kubernetes", "sigs.k8s.io/network-policy-api")
CRD = "config/crd/standard/policy.networking.k8s.io_clusternetworkpolicies.yaml"
KUBERNETES = ("tools/kubernetes", "k8s.io/kubernetes")
PAUSE = "build/pause/linux/pause.c"
CILIUM = ("tools/cilium", "github.com/cilium/cilium")
CILIUM_CRDS = "pkg/k8s/apis/cilium.io/client/crds"
SUBSTITUTED = (
    "this Cilium is built with another release of its BGP library than it pins (gobgp v4.8.0; BGP is not used), and with one function"
    " corrected, which put policies' tiers in the wrong order (lab/kubernetes/build.py)"
)
CORRECTED = (
    "pkg/policy/mapstate.go",
    """\
	slices.SortFunc(mc.synced, func(a, b mapChange) int {
		// lower tier values come first
		return int(a.Tier - b.Tier)
	})
""",
    """\
	slices.SortStableFunc(mc.synced, func(a, b mapChange) int {
		// lower tier values come first
		return int(a.Tier) - int(b.Tier)
	})
""",
)
"""File, text and what stands for it: a tier is a uint8, so the difference was never below zero and nothing was ever sorted.

A new pod's identity then came to the other endpoints' policies tier by tier in the order of a map. Where the lower tier's allow came before
the admin tier's pass, the pass took the allow away as its lesser, and a way that policies allow stayed shut (Cilium 1.20.2,
``consumeMapChanges`` and ``insertWithPasses``).
"""
FIRST = CHECKOUT / "lab" / "kubernetes" / "attack" / "first.c"
FREESTANDING = (
    "-Os", "-Wall", "-Wextra", "-Werror", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-fno-builtin",
)  # fmt: skip
CLANG = "clang-19"
"""Compiles Cilium's datapath when its agent starts, and the pause program here."""
KWOK = ("tools/kwok", "sigs.k8s.io/kwok")
STAGES = ("node/fast", "node/heartbeat-with-lease", "pod/fast")
"""How kwok plays: a node is ready at once and renews its lease; a pod runs and is ready at once, and a job's pod ends."""
TIMEOUT_SECONDS = 1500
TELL_EVERY_SECONDS = 30


def programs() -> Path:
    """The control plane: ``bin/``, ``crd/`` and ``stages.yaml`` in a directory, built now when it is not there (about six minutes, once).

    Raises:
        MachineError: no Go.
        StepError: a build failed; the message holds the end of its log.
    """

    def build(target: Path) -> None:
        progress(f"cluster: building Kubernetes {VERSION}, etcd and kwok from their Go modules (about six minutes, once)")
        _build(target, CONTROL)
        _files(target, target / "build.log")

    return ensure("kubernetes", _digest(CONTROL, CRD, *STAGES), build)


def node_programs() -> Path:
    """A node: ``bin/``, ``pause/``, ``first/``, ``cilium/bpf`` and ``crd/`` (Cilium's kinds) in a directory, built when it is not there.

    Raises:
        MachineError: no Go.
        StepError: a build failed; the message holds the end of its log.
    """

    def build(target: Path) -> None:
        progress("cluster: building kubelet, containerd and Cilium from their Go modules (about eight minutes, once)")
        log = target / "build.log"
        pins = _corrected(target, log)
        _build(target, NODE, {CILIUM[0]: (f"-modfile={pins}",)})
        remove_tree(pins.parent)
        (target / "pause").mkdir()
        pause = ["gcc", "-Os", "-Wall", "-Werror", "-static", f"-DVERSION={VERSION}", "-o", str(target / "pause" / "pause")]
        run([*pause, str(_directory(*KUBERNETES, log) / PAUSE)], step="cluster: pause program")
        (target / "first").mkdir()
        run(["gcc", *FREESTANDING, "-o", str(target / "first" / "first"), str(FIRST)], step="cluster: first program")
        cilium = _directory(*CILIUM, log)
        # Go keeps modules read-only; a copy has to be removable.
        shutil.copytree(cilium / "bpf", target / "cilium" / "bpf", copy_function=shutil.copyfile)
        (target / "crd").mkdir()
        for file in sorted((cilium / CILIUM_CRDS).glob("v2*/*.yaml")):
            shutil.copyfile(file, target / "crd" / file.name)
        run(["chmod", "-R", "u+w", str(target)], step="cluster: programs")

    made_of = (PAUSE, CILIUM_CRDS, repr((FREESTANDING, CORRECTED)), FIRST.read_text(encoding="utf-8"))
    return ensure("kubernetes-node", _digest(NODE, *made_of), build)


def _digest(builds: Builds, *more: str) -> str:
    """Of everything that makes the programs: Go's version, the flags, the modules' pins."""
    modules = sorted({module for module, _ in builds.values()})
    pins = [(CHECKOUT / module / name).read_bytes() for module in modules for name in ("go.mod", "go.sum")]
    version = subprocess.run([_go_path(), "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()
    return digest_of(version, repr((FLAGS, VERSION, builds, more)), *pins)


def _go_path() -> str:
    go = shutil.which("go")
    if go is None:
        raise MachineError("no go, which builds the cluster's programs\n  fix:  install Go, then run it again")
    return go


def _build(target: Path, builds: Builds, more: Mapping[str, Sequence[str]] | None = None) -> None:
    for name, (module, package) in builds.items():
        stamp = ["-ldflags", f"-s -w -X {_STAMP}={VERSION}"] if package.startswith("k8s.io/") else []
        flags = [*FLAGS, *stamp, *(more or {}).get(module, ())]
        _go(["build", *flags, "-o", str(target / "bin" / name), package], CHECKOUT / module, target / "build.log", name)


def _corrected(target: Path, log: Path) -> Path:
    """The pins of Cilium's programs with a corrected copy of its module in its place; the copy lies beside them.

    Raises:
        StepError: the text to correct is not there, so another release is pinned.
    """
    place, (file, found, meant) = target / "corrected", CORRECTED
    copy = place / "cilium"
    # Nothing of it was built yet, so nothing has fetched it; what is fetched is checked against go.sum.
    _go(["mod", "download", CILIUM[1]], CHECKOUT / CILIUM[0], log, "Cilium's module")
    # Go keeps modules read-only; a copy has to be writable, and removable.
    shutil.copytree(_directory(*CILIUM, log), copy, copy_function=shutil.copyfile)
    run(["chmod", "-R", "u+w", str(copy)], step="cluster: Cilium")
    text = (copy / file).read_text(encoding="utf-8")
    if text.count(found) != 1:
        raise StepError("cluster", f"Cilium's {file} is not the one to correct", fix="see whether this release still needs it (build.py)")
    (copy / file).write_text(text.replace(found, meant), encoding="utf-8")
    pins = place / "go.mod"
    shutil.copyfile(CHECKOUT / CILIUM[0] / "go.sum", pins.with_suffix(".sum"))
    own = (CHECKOUT / CILIUM[0] / "go.mod").read_text(encoding="utf-8")
    pins.write_text(f"{own}\nreplace {CILIUM[1]} => {copy}\n", encoding="utf-8")
    return pins


def _files(target: Path, log: Path) -> None:
    """What of the modules is no program: the definition of cluster policies, and kwok's stages."""
    (target / "crd").mkdir()
    shutil.copyfile(_directory(*POLICY_API, log) / CRD, target / "crd" / Path(CRD).name)
    stages = _directory(*KWOK, log) / "kustomize" / "stage"
    files = sorted(path for name in STAGES for path in (stages / name).glob("*.yaml") if path.name != "kustomization.yaml")
    if len(files) < len(STAGES):
        raise StepError("cluster", f"kwok's module has {len(files)} stages", fix="see whether tools/kwok pins another version")
    (target / "stages.yaml").write_text("\n---\n".join(path.read_text(encoding="utf-8") for path in files), encoding="utf-8")


def _directory(module: str, package: str, log: Path) -> Path:
    """Where Go keeps a module's files, checked against go.sum when they were fetched."""
    told = log.with_name("where")
    told.unlink(missing_ok=True)
    _go(["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", package], CHECKOUT / module, told, package)
    return Path(told.read_text(encoding="utf-8").strip())


def _go(arguments: list[str], module: Path, log: Path, name: str) -> None:
    # No workspace, flag or C compiler of the user's changes what is built.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    started = told = time.monotonic()
    with log.open("a") as output:
        process = subprocess.Popen(["go", *arguments], cwd=module, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                if time.monotonic() - started > TIMEOUT_SECONDS:
                    raise StepError(
                        "cluster", f"{name} was not built within {TIMEOUT_SECONDS} s", fix="run it again; what is built is kept"
                    )
                if time.monotonic() - told > TELL_EVERY_SECONDS:
                    told = time.monotonic()
                    progress(f"cluster: building {name}, {told - started:.0f} s so far")
                time.sleep(0.2)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        raise StepError(
            "cluster",
            f"`go {arguments[0]}` of {name} ended with {process.returncode}:\n{excerpt(log.read_text(errors='replace'))}",
            fix="usual causes are a full disk (`df -h`) and an unreachable Go module proxy (`go env GOPROXY`)",
        )
