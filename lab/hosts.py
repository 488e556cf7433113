"""The region's hosts as systemd-nspawn machines: a shared read-only base, an overlay each, a network namespace each.

The namespace is wired before the host boots and stays when it reboots, so that a reboot meets the same wire. The overlay is mounted in a
mount namespace of the host's own supervisor: when that ends, however it ends, no mount is left.

What a host may do: everything a container's root may, plus CAP_NET_ADMIN because nftables needs it. CAP_NET_RAW stays, on purpose: a probe
that runs as root must be able to try raw sockets, and the firewall, not a missing capability, must stop it. The clock, the kernel's modules
and its log are out of reach.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from pathlib import Path

from curtilage.allowance import Role
from curtilage.region import Host, Region
from lab import cgroups, keys
from lab.network_names import PREFIX

DROPPED = ("CAP_AUDIT_CONTROL", "CAP_AUDIT_WRITE", "CAP_SYS_TTY_CONFIG", "CAP_LEASE")

# nspawn, told to keep its unit, ends with 133 when its host reboots; the same command then boots the host again on the same overlay.
SUPERVISOR = """\
set -eu
root=$1 lower=$2 upper=$3 work=$4 groups=$5
shift 5
trap : TERM
for group in $groups; do
    mkdir -p "$group"
    echo $$ > "$group/cgroup.procs"
done
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work" "$root"
code=133
while [ "$code" = 133 ]; do
    code=0
    "$@" || code=$?
    echo "supervisor: the host ended with $code"
done
exit "$code"
"""


class Machine:
    """One host's files and the command that boots it."""

    def __init__(self, host: Host, directory: Path) -> None:
        self.host, self.directory = host, directory

    @property
    def console(self) -> Path:
        """What the host printed while booting."""
        return self.directory / "console.log"

    @property
    def models(self) -> Path:
        """What a gpu host sees, read-only, as /srv/models."""
        return self.directory / "models"

    def prepare(self, region: Region, ssh: Path, ruleset: str | None) -> None:
        """Lay out the overlay: identity, keys, names, and, to seal from the first packet, the ruleset.

        Args:
            region: the region the host belongs to.
            ssh: the lab's keys.
            ruleset: nftables text that ``nftables.service`` loads before the network is used; None leaves that to the first configuration.
        """
        for name in ("upper", "work", "root", "models"):
            _directory(self.directory / name)
        put = _Writer(self.directory / "upper")
        put("etc/hostname", f"{self.host.name}\n")
        put("etc/machine-id", f"{uuid.uuid4().hex}\n", mode=0o444)
        put("etc/hosts", _hosts_file(region))
        put("etc/resolv.conf", _resolv_conf(region))
        put("etc/ssh/ssh_host_ed25519_key", (ssh / f"host_{self.host.name}").read_text(encoding="ascii"), mode=0o600)
        put("etc/ssh/ssh_host_ed25519_key.pub", (ssh / f"host_{self.host.name}.pub").read_text(encoding="ascii"))
        put("etc/ssh/sshd_config.d/20-host-key.conf", "HostKey /etc/ssh/ssh_host_ed25519_key\n")
        put("root/.ssh/authorized_keys", keys.authorized_key(ssh, region), mode=0o600)
        for private in ("upper/root", "upper/root/.ssh"):
            (self.directory / private).chmod(0o700)
        if ruleset is not None:
            put("etc/nftables.conf", ruleset)
            wants = self.directory / "upper/etc/systemd/system/sysinit.target.wants"
            _directory(wants)
            (wants / "nftables.service").symlink_to("/lib/systemd/system/nftables.service")

    def argv(self, base: Path, trees: dict[str, Path], package: Path) -> list[str]:
        """The supervisor's command line."""
        here = self.directory
        binds = {"/opt/curtilage": trees["curtilage"], "/opt/curtilage/curtilage": package / "curtilage"}
        if self.host.role is Role.GPU:
            binds |= {"/opt/vllm": trees["vllm"], "/srv/models": self.models}
        if self.host.role is Role.CRM:
            binds |= {"/opt/crm": trees["crm"], "/opt/crm-old": trees["crm-old"]}
        return [
            "unshare", "--mount", "--propagation", "private",
            "sh", "-c", SUPERVISOR, "curtilage-host",
            str(here / "root"), str(base), str(here / "upper"), str(here / "work"),
            " ".join(str(group) for group in cgroups.groups_of(self.host.name)),
            "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
            f"--machine={self.host.name}", f"--directory={here / 'root'}",
            f"--network-namespace-path=/run/netns/{PREFIX}{self.host.name}",
            "--capability=CAP_NET_ADMIN", f"--drop-capability={','.join(DROPPED)}",
            "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=read-only",
            *(f"--bind-ro={source}:{target}" for target, source in sorted(binds.items())),
        ]  # fmt: skip

    def stage_models(self, source: Path) -> None:
        """Copy a model store (``<name>/<digest>/...``) to where the host sees it as /srv/models.

        A version that is there is left alone: nothing that a replica reads is written to. One that was signed again is replaced whole.
        """
        for version in sorted(path for path in source.glob("*/*") if path.is_dir() and not path.name.startswith(".")):
            target = self.models / version.parent.name / version.name
            if target.is_dir() and _same(version / "model.sig", target / "model.sig"):
                continue
            _directory(target.parent)
            partial = Path(tempfile.mkdtemp(prefix=".staging-", dir=target.parent))
            try:
                shutil.copytree(version, partial / "new")
                if target.exists():
                    target.rename(partial / "old")
                (partial / "new").rename(target)
            finally:
                shutil.rmtree(partial, ignore_errors=True)


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


class _Writer:
    """Writes files into an overlay's upper directory; a new directory shadows the base's, so it takes the usual mode."""

    def __init__(self, upper: Path) -> None:
        self._upper = upper

    def __call__(self, name: str, text: str, *, mode: int = 0o644) -> None:
        path = self._upper / name
        parents = [parent for parent in path.parents if parent.is_relative_to(self._upper)]
        for parent in reversed(parents):
            _directory(parent)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)


def _directory(path: Path) -> None:
    if not path.is_dir():
        path.mkdir(parents=True)
        path.chmod(0o755)


def _hosts_file(region: Region) -> str:
    """Names of the segment's own hosts. Nothing else resolves without the region's resolver."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost"]
    lines += [f"{address} {host.name}" for host in region.hosts for address in (host.ipv4, host.ipv6) if address is not None]
    return "\n".join(lines) + "\n"


def _resolv_conf(region: Region) -> str:
    """The gateway host is the segment's resolver."""
    resolvers = [f"nameserver {host.ipv4}" for host in region.hosts_by_role(Role.GATEWAY)]
    return "\n".join([*resolvers, "options timeout:1 attempts:1", ""])
