"""The lab as a whole: start, stop, status, and the operator's way in.

Order of a start: everything dear comes from the cache first (that alone may touch the network of the machine), then the wire, the
canaries, the keys, the hosts. A start that is killed at any point leaves things under the lab's own names only, and the next start or
stop removes them.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curtilage.errors import MachineError, StepError
from curtilage.output import progress
from curtilage.paths import CHECKOUT, lab_dir
from curtilage.region import Region
from lab import cgroups, keys, lock, network
from lab.base import ensure_base
from lab.cache import Progress, digest_of, remove_tree
from lab.canaries import Canaries
from lab.hosts import SUPERVISOR, Machine
from lab.network_names import BRIDGE, EDGE, INTERNET, OPS
from lab.processes import ProcessFile, kill_groups, kill_pids
from lab.shell import excerpt
from lab.trees import copy_package, ensure_tree

BOOT_PATIENCE_SECONDS = 90.0


class Lab:
    """The one-machine region.

    Every method works on the lab of this machine, so that `Lab(region)` made in another process reaches the same one.
    """

    def __init__(self, region: Region) -> None:
        self.region = region
        self.directory = lab_dir()
        self.machines = {host.name: Machine(host, self.directory / "hosts" / host.name) for host in region.hosts}
        self.processes = ProcessFile(self.directory / "processes.jsonl")
        self.canaries = Canaries(self.directory / "canary", self.processes, internet=INTERNET, near=(EDGE, BRIDGE))

    # The operator's way in.

    @property
    def ssh_directory(self) -> Path:
        """``operator`` (private key), ``known_hosts``, ``config``."""
        return self.directory / "ssh"

    @property
    def ssh_config_path(self) -> Path:
        """For ``ssh -F`` and Ansible, inside the ops namespace."""
        return self.ssh_directory / "config"

    @staticmethod
    def ops_argv(argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` in the ops namespace: how Ansible and the probes reach the hosts."""
        return ["ip", "netns", "exec", OPS, *argv]

    def exec(
        self, host: str, argv: Sequence[str], *, timeout_seconds: float = 60, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a host over ssh, as the operator; the words arrive as given, no shell splits them again."""
        if host not in self.machines:
            raise StepError("lab exec", f"there is no host '{host}'", fix=f"name one of {', '.join(sorted(self.machines))}")
        return subprocess.run(
            self.ops_argv(["ssh", "-F", str(self.ssh_config_path), "--", host, shlex.join(argv)]),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout_seconds,
            input=stdin,
        )

    # Start.

    def start(self, say: Progress = progress, *, rulesets: Mapping[str, str] | None = None, models: Path | None = None) -> None:
        """Bring the lab up, or bring a running one up to date with the package's code.

        Args:
            say: progress, one line each.
            rulesets: nftables text per host to load at boot, before the network is used; a host without one boots unsealed and waits for
                its first configuration.
            models: a model store to stage on the gpu hosts before anything is sealed.
        """
        if os.geteuid() != 0:
            raise MachineError("the lab needs root: it makes namespaces, mounts and containers\n  fix:  run it as root or with sudo")
        os.umask(0o022)
        with lock.hold("lab start"):
            lock.refuse_other_checkout()
            base = ensure_base(say)
            trees = {name: ensure_tree(name, say) for name in ("curtilage", "vllm", "crm", "crm-old")}
            made_of = digest_of(self.region.canonical(), SUPERVISOR, str(base), *(str(trees[name]) for name in sorted(trees)))
            package = self.directory / "package"
            found = lock.owner()
            if found is not None and found.state == "running" and found.made_of == made_of and not self.broken():
                copy_package(package)
                self._stage(models)
                say("the lab is running already; its package is up to date")
                return
            if self._remains():
                say("removing what an earlier lab left")
                self._remove()
            self._start(base, trees, package, made_of, rulesets or {}, models, say)

    def _start(
        self,
        base: Path,
        trees: dict[str, Path],
        package: Path,
        made_of: str,
        rulesets: Mapping[str, str],
        models: Path | None,
        say: Progress,
    ) -> None:
        began = time.time()

        def owned(state: str) -> None:
            lock.Owner(checkout=str(CHECKOUT), region=self.region.name, made_of=made_of, state=state, since=began, pid=os.getpid()).write()

        owned("starting")
        copy_package(package)
        say("wiring the segment, the open edge and the internet of canaries")
        network.create(self.region)
        self.canaries.start([str(net) for net in self.region.segment.networks])
        keys.make(self.ssh_directory, self.region)
        for name, machine in self.machines.items():
            machine.prepare(self.region, self.ssh_directory, rulesets.get(name))
        self._stage(models)
        say(f"booting {', '.join(self.machines)}")
        for name, machine in self.machines.items():
            self.processes.spawn(machine.argv(base, trees, package), what=f"host {name}", log=machine.console)
        with concurrent.futures.ThreadPoolExecutor(len(self.machines)) as pool:
            list(pool.map(self.wait_for_ssh, self.machines))
        owned("running")
        say(f"the lab runs: {len(self.machines)} hosts in {time.time() - began:.0f} s")

    def _stage(self, models: Path | None) -> None:
        if models is not None:
            self.stage_models(models)

    def stage_models(self, source: Path) -> None:
        """Put a model store (``<name>/<digest>/...``) where the gpu hosts see it, read-only, as /srv/models."""
        for machine in self.machines.values():
            if machine.host.role == "gpu":
                machine.stage_models(source)

    def refresh_package(self) -> None:
        """Bring /opt/curtilage/curtilage of the running hosts up to date with the checkout."""
        copy_package(self.directory / "package")

    def wait_for_ssh(self, host: str, *, patience_seconds: float = BOOT_PATIENCE_SECONDS, not_boot: str | None = None) -> None:
        """Wait until a host answers the operator.

        Args:
            host: the host.
            patience_seconds: then the boot has failed.
            not_boot: a boot id that does not count, to wait for the boot after it.

        Raises:
            StepError: it did not; the message has the end of its console.
        """
        deadline = time.monotonic() + patience_seconds
        said = ""
        while time.monotonic() < deadline:
            try:
                done = self.exec(host, ["cat", "/proc/sys/kernel/random/boot_id"], timeout_seconds=10)
                said = done.stderr.strip()
                if done.returncode == 0 and done.stdout.strip() != not_boot:
                    return
            except subprocess.TimeoutExpired:
                said = "ssh took too long"
            if not any(process.alive() for process in self.processes.read() if process.what == f"host {host}"):
                said = "its supervisor ended"
                break
            time.sleep(0.3)
        console = self.machines[host].console
        text = console.read_text(encoding="utf-8", errors="replace") if console.exists() else ""
        raise StepError(
            f"boot {host}",
            f"{host} does not answer ssh ({said or 'no answer'}); the end of {console}:\n{excerpt(text)}",
            fix="`curtilage lab stop`, then start again; `curtilage doctor` names what this machine lacks",
        )

    def reboot(self, host: str) -> None:
        """Reboot a host: same overlay, same namespace, a new boot. Returns when it answers again."""
        boot = self.exec(host, ["cat", "/proc/sys/kernel/random/boot_id"]).stdout.strip()
        # The connection may be cut before the command's status arrives; the new boot id is what tells.
        self.exec(host, ["systemctl", "reboot"])
        self.wait_for_ssh(host, not_boot=boot)

    # Stop and status.

    def stop(self, say: Progress = progress) -> None:
        """Remove the lab: every process, namespace, link, mount and file of it. What is cached stays."""
        with lock.hold("lab stop"):
            lock.refuse_other_checkout()
            if not self._remains():
                say("there is no lab")
                return
            self._remove()
            say("the lab is gone")

    def _remains(self) -> bool:
        return self.directory.exists() or bool(network.existing()) or bool(cgroups.existing())

    def _remove(self) -> None:
        kill_groups(self.processes.read())
        for namespace in network.existing():
            kill_pids(network.processes_inside(namespace))
        network.remove()
        for point in reversed(_mounts_under(self.directory)):
            subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
        cgroups.remove()
        if self.directory.exists():
            remove_tree(self.directory)
        with contextlib.suppress(OSError):  # not empty, or a mount of the machine's own: then it is not ours to remove
            self.directory.parent.rmdir()

    def broken(self) -> list[str]:
        """What of a lab that says it runs is not there any more."""
        alive = {process.what for process in self.processes.read() if process.alive()}
        wanted = {f"host {name}" for name in self.machines} | self.canaries.names
        missing_namespaces = {end.namespace for end in network.legs(self.region)} - set(network.existing())
        return sorted(wanted - alive) + sorted(missing_namespaces)

    def status(self) -> dict[str, Any]:
        """What runs, as one JSON-ready document; asks every host over ssh."""
        found = lock.owner()
        if found is None:
            return {"state": "absent", "remains": self._remains()}
        broken = self.broken()
        state = found.state if not broken else ("interrupted" if found.state == "starting" else "broken")
        return {
            "state": state,
            "region": found.region,
            "checkout": found.checkout,
            "since": datetime.fromtimestamp(found.since, UTC).isoformat(timespec="seconds"),
            "missing": broken,
            "namespaces": network.existing(),
            "hosts": [self._host_status(name) for name in self.machines],
            "ssh_config": str(self.ssh_config_path),
            "canary_log": str(self.canaries.directory),
        }

    def _host_status(self, name: str) -> dict[str, Any]:
        host = self.machines[name].host
        try:
            done = self.exec(name, ["systemctl", "is-system-running"], timeout_seconds=10)
            system = done.stdout.strip() or "unreachable"
        except (subprocess.TimeoutExpired, FileNotFoundError):
            system = "unreachable"
        return {"name": name, "role": str(host.role), "ipv4": str(host.ipv4), "ipv6": str(host.ipv6), "system": system}


def _mounts_under(directory: Path) -> list[str]:
    with Path("/proc/self/mountinfo").open(encoding="utf-8") as table:
        points = [line.split()[4].encode().decode("unicode_escape") for line in table]
    return [point for point in points if point == str(directory) or point.startswith(f"{directory}/")]
