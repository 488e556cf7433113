"""``curtilage doctor``: everything this machine lacks for ``make up``, each with the command that fixes it, before anything changes.

Every check is a function of a `Machine`, so it is tested without one. Needs only the core dependencies: it runs on a gateway host or in a
fresh checkout alike.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from curtilage.engine_build import ENGINE_VERSION, MINIMUM_GO
from curtilage.errors import MachineError
from curtilage.machine import Machine, gather
from curtilage.output import print_json, progress, stdout

app = typer.Typer(add_completion=False, rich_markup_mode=None)

NEED_MEMORY_GIB = 10
NEED_DISK_COLD_GIB = 30
NEED_DISK_WARM_GIB = 5
ARCHITECTURES = ("x86_64",)


@dataclass(frozen=True, kw_only=True)
class Package:
    """A Debian package, the commands by which it is recognised, and why it is needed."""

    name: str
    commands: tuple[str, ...]
    why: str


# The one list of what the machine itself must have installed. Hosts of the lab have their own: lab/base.py.
PACKAGES: tuple[Package, ...] = (
    Package(name="debootstrap", commands=("debootstrap",), why="makes the lab hosts' base file system"),
    Package(name="iproute2", commands=("ip",), why="makes network namespaces and the wire between them"),
    Package(name="iputils-ping", commands=("ping",), why="sends the echo request that must be answered before a lost one counts"),
    Package(name="make", commands=("make",), why="runs the project's commands"),
    Package(name="nftables", commands=("nft",), why="checks rulesets in the kernel before a host loads them"),
    Package(name="openssh-client", commands=("ssh", "ssh-keygen"), why="is how the operator reaches a host"),
    Package(name="shellcheck", commands=("shellcheck",), why="is one of `make check`"),
    Package(name="systemd-container", commands=("systemd-nspawn",), why="boots the lab's hosts"),
    Package(name="unbound", commands=("unbound-checkconf",), why="checks resolver configurations before a host loads them"),
    Package(name="util-linux", commands=("flock", "mount", "unshare"), why="makes the namespaces of trials and air-gapped training"),
)

# What the lab's cluster needs beside those, for its one real node (lab/kubernetes/node.py); asked for with --kubernetes alone.
CLUSTER_PACKAGES: tuple[Package, ...] = (
    Package(name="clang-19", commands=("clang-19",), why="compiles Cilium's datapath for this kernel"),
    Package(name="conntrack", commands=("conntrack",), why="is what kubelet looks at connections with"),
    Package(name="gcc", commands=("gcc",), why="compiles the pause program of pods"),
    Package(name="ipset", commands=("ipset",), why="is asked for by Cilium"),
    Package(name="iptables", commands=("iptables", "ip6tables"), why="is asked for by kubelet and Cilium"),
    Package(name="libc6-dev", commands=("gencat",), why="is what the pause program of pods is linked with"),
    Package(name="runc", commands=("runc",), why="starts the containers of pods"),
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The answer of one check."""

    check: str
    ok: bool
    found: str
    need: str
    fix: str = ""
    packages: tuple[str, ...] = ()  # what `--fix` would install


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def check_root(machine: Machine) -> Finding:
    """Root alone may make network namespaces, mount, and start nspawn machines."""
    return Finding(
        check="root",
        ok=machine.root,
        found="root" if machine.root else f"an ordinary user, {'with' if machine.sudo else 'without'} sudo",
        need="root, for network namespaces, mounts and nspawn machines",
        fix="" if machine.root else ("sudo make up" if machine.sudo else "log in as root: su -c 'make up'"),
    )


def check_architecture(machine: Machine) -> Finding:
    """The hosts' Python trees are locked for these architectures only."""
    return Finding(
        check="architecture",
        ok=machine.architecture in ARCHITECTURES,
        found=machine.architecture,
        need=" or ".join(ARCHITECTURES),
        fix="" if machine.architecture in ARCHITECTURES else f"use a machine with {' or '.join(ARCHITECTURES)}",
    )


def check_python(machine: Machine) -> Finding:
    """3.11 or newer for us, with venv; and 3.11 itself, for the bytecode of the hosts' trees."""
    lacking = [
        *(["python3"] if machine.python < (3, 11) else []),
        *(["python3-venv"] if not machine.venv else []),
        *(["python3.11"] if not machine.python_3_11 else []),
    ]
    return Finding(
        check="python",
        ok=not lacking,
        found=f"Python {_dotted(machine.python)}, {'with' if machine.venv else 'without'} venv"
        + ("" if machine.python_3_11 else ", no python3.11 for the hosts' trees"),
        need="Python >= 3.11 with venv, and python3.11 (the hosts' version)",
        fix=f"apt-get install {' '.join(lacking)}" if lacking else "",
        packages=tuple(lacking),
    )


def check_packages(machine: Machine) -> Finding:
    """Every package of `PACKAGES`, recognised by its commands: another distribution may ship them under other names."""
    return _packages("packages", machine, PACKAGES)


def check_cluster_packages(machine: Machine) -> Finding:
    """Every package of `CLUSTER_PACKAGES`, the same way."""
    return _packages("cluster", machine, CLUSTER_PACKAGES)


def _packages(check: str, machine: Machine, wanted: tuple[Package, ...]) -> Finding:
    lacking = [package for package in wanted if not machine.commands.issuperset(package.commands)]
    names = tuple(package.name for package in lacking)
    fix = f"apt-get install --no-install-recommends {' '.join(names)}"
    if not machine.apt:
        fix = "install these with the machine's own package manager: " + "; ".join(f"{p.name} ({p.why})" for p in lacking)
    return Finding(
        check=check,
        ok=not lacking,
        found="all there" if not lacking else "not installed: " + ", ".join(f"{p.name} ({p.why})" for p in lacking),
        need=", ".join(package.name for package in wanted),
        fix=fix if lacking else "",
        packages=names,
    )


def check_engine(machine: Machine) -> Finding:
    """An official CLI, or one that was built or carried here before, or a Go that can build it."""
    go_ok = machine.go is not None and machine.go >= MINIMUM_GO
    go = f"Go {_dotted(machine.go)}" if machine.go else "no Go"
    ok = machine.pulumi is not None or go_ok or (machine.go is None and machine.engine_built)
    return Finding(
        check="engine",
        ok=ok,
        found=f"pulumi in {machine.pulumi}" if machine.pulumi else go + (", engine built before" if machine.engine_built else ""),
        need=f"pulumi >= {ENGINE_VERSION} with its Python language host on PATH, or Go >= {_dotted(MINIMUM_GO)} to build it",
        fix=""
        if ok
        else f"install Go >= {_dotted(MINIMUM_GO)} or pulumi >= {ENGINE_VERSION} from its project's download page; put it on PATH",
    )


def _tried(check: str, machine: Machine, error: str | None, need: str, fix: str) -> Finding:
    """A fact that only root can try: without root it is not known, which is not ok."""
    if not machine.root:
        return Finding(check=check, ok=False, found="not tried: needs root", need=need, fix="sudo .venv/bin/curtilage doctor")
    return Finding(check=check, ok=error is None, found=error or "works", need=need, fix=fix if error else "")


def check_namespaces(machine: Machine) -> Finding:
    """Network, mount, PID, UTS and IPC namespaces can be made."""
    return _tried(
        "namespaces",
        machine,
        machine.namespaces_error,
        "Linux namespaces (net, mount, pid, uts, ipc)",
        "run on a real or virtual Linux machine, or give the container CAP_SYS_ADMIN and CAP_NET_ADMIN (docker run --privileged)",
    )


def check_ruleset(machine: Machine) -> Finding:
    """The kernel takes the two kinds of table the seal is made of."""
    if machine.root and "nft" not in machine.commands:
        return Finding(
            check="nftables", ok=False, found="not tried: nft is not installed", need="see packages", fix="curtilage doctor --fix"
        )
    return _tried(
        "nftables",
        machine,
        machine.ruleset_error,
        "a kernel with nf_tables (inet) and the netdev egress hook (Linux >= 5.16)",
        "modprobe nf_tables nft_chain_filter; on an older kernel, upgrade it",
    )


def check_overlay(machine: Machine) -> Finding:
    """An overlay can be mounted where the lab lives."""
    return _tried(
        "overlayfs",
        machine,
        machine.overlay_error,
        "overlayfs on the file system of the lab's directory",
        "modprobe overlay; in a container, mount a volume (not the container's own overlay) at /var/lib/curtilage",
    )


def check_disk(machine: Machine) -> Finding:
    """Much the first time; little once the cache is warm."""
    need = NEED_DISK_WARM_GIB if machine.cache_warm else NEED_DISK_COLD_GIB
    ok = machine.disk_free_gib >= need
    return Finding(
        check="disk",
        ok=ok,
        found=f"{machine.disk_free_gib:.0f} GiB free under {machine.cache}",
        need=f">= {need} GiB ({'the cache is warm' if machine.cache_warm else 'nothing is cached yet'})",
        fix="" if ok else "free some space, or set CURTILAGE_CACHE to a directory on a larger disk",
    )


def check_memory(machine: Machine) -> Finding:
    """A running lab of this checkout already has its memory."""
    running = bool(machine.taken_namespaces) and machine.lab_owner == machine.checkout
    ok = running or machine.memory_available_gib >= NEED_MEMORY_GIB
    return Finding(
        check="memory",
        ok=ok,
        found=f"{machine.memory_available_gib:.1f} GiB available" + (", with this checkout's lab running" if running else ""),
        need=f">= {NEED_MEMORY_GIB} GiB available",
        fix="" if ok else "stop what takes the most: ps aux --sort=-rss | head",
    )


def check_names(machine: Machine) -> Finding:
    """The lab's namespace names are free, or this checkout's own lab has them."""
    names = ", ".join(machine.taken_namespaces)
    ok = not machine.taken_namespaces or machine.lab_owner == machine.checkout
    if machine.lab_owner and not ok:
        found, fix = f"the lab of {machine.lab_owner} has them: {names}", f"make -C {machine.lab_owner} down"
    elif not ok:
        found = f"taken, by no lab that left its name: {names}"
        fix = "curtilage lab stop; if they are another program's: " + "; ".join(
            f"ip netns delete {name}" for name in machine.taken_namespaces
        )
    else:
        found, fix = (f"this checkout's lab has them: {names}" if names else "free"), ""
    return Finding(check="names", ok=ok, found=found, need="network namespaces named curtilage-* are free or ours", fix=fix)


CHECKS: tuple[Callable[[Machine], Finding], ...] = (
    check_root,
    check_architecture,
    check_python,
    check_packages,
    check_engine,
    check_namespaces,
    check_ruleset,
    check_overlay,
    check_disk,
    check_memory,
    check_names,
)


def examine(machine: Machine, *, kubernetes: bool = False) -> list[Finding]:
    """Every check's finding, in the order a person would fix them; with ``kubernetes``, what the lab's cluster needs beside."""
    return [check(machine) for check in (*CHECKS, *([check_cluster_packages] if kubernetes else []))]


def look() -> Machine:
    """This machine, looked at for every command of `PACKAGES` and `CLUSTER_PACKAGES`."""
    return gather(frozenset(command for package in (*PACKAGES, *CLUSTER_PACKAGES) for command in package.commands))


@contextmanager
def _no_daemons() -> Iterator[None]:
    """Debian starts a daemon when it installs its package; a resolver on this machine is not ours to start.

    A policy-rc.d that says no is Debian's own way to prevent that; one that is there already is somebody's decision and stays.
    """
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    try:
        policy.chmod(0o755)
        yield
    finally:
        policy.unlink(missing_ok=True)


def install(packages: tuple[str, ...]) -> None:
    """Install Debian packages, saying what is done; nothing of theirs is started.

    Raises:
        MachineError: not root, no apt-get, or apt-get failed.
    """
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    if os.geteuid() != 0:
        raise MachineError(f"installing packages needs root\n  fix:  sudo {' '.join(command)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_daemons():
        for step in (["apt-get", "update", "--quiet=2"], command):
            progress(f"doctor: {' '.join(step)}")
            try:
                # apt's own words go to stderr: stdout is the verb's answer.
                code = subprocess.run(step, env=environment, stdout=sys.stderr, check=False).returncode
            except OSError as error:
                raise MachineError(f"cannot run {step[0]}: {error}\n  fix:  install {', '.join(packages)} by hand") from error
            if code:
                raise MachineError(f"`{' '.join(step)}` ended with {code}\n  fix:  see its message above, then run the same command again")


@app.command("doctor", epilog="Example: curtilage doctor --fix")
def doctor(
    json: bool = typer.Option(False, "--json", help="Print one JSON document."),
    fix: bool = typer.Option(False, "--fix", help="Install the missing Debian packages with apt-get first."),
    kubernetes: bool = typer.Option(False, "--kubernetes", help="Also what the lab's cluster needs for its real node (make up-k8s)."),
) -> None:
    """Name everything this machine lacks for `make up`, with the command that fixes it. Changes nothing without --fix."""
    findings = examine(look(), kubernetes=kubernetes)
    if fix:
        packages = tuple(sorted({name for finding in findings for name in finding.packages}))
        if packages:
            install(packages)
            findings = examine(look(), kubernetes=kubernetes)
    ok = all(finding.ok for finding in findings)
    if json:
        print_json({"ok": ok, "checks": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            stdout.print(f"{'ok     ' if finding.ok else 'LACKING'} {finding.check:<13} {finding.found}", markup=False)
            if not finding.ok:
                stdout.print(f"        need: {finding.need}\n        fix:  {finding.fix}", markup=False)
        lacking = sum(not finding.ok for finding in findings)
        stdout.print("this machine is ready for `make up`" if ok else f"{lacking} of {len(findings)} checks lack something", markup=False)
    raise typer.Exit(0 if ok else MachineError.exit_code)
