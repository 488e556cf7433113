"""The hosts' base filesystem: Debian minbase with what the roles need, made once from the machine's own package mirror.

One base serves every host, so that a host differs from another by its role alone. No service of it runs before a role enables it, and it
carries no identity: no machine id, no ssh host key, no resolver.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from curtilage.canonical import file_digest
from curtilage.errors import MachineError
from curtilage.output import progress
from lab.cache import Progress, digest_of, ensure
from lab.shell import run

SUITE = "bookworm"

# Every package is there for a reason a role names: Ansible may not fetch anything under the seal.
PACKAGES: tuple[str, ...] = (
    "ca-certificates",
    "chrony",  # time: internal only
    "conntrack",
    "iproute2",
    "iputils-ping",  # probes: ICMP and ICMPv6
    "libgomp1",  # vLLM on CPU
    "libnuma1",  # vLLM on CPU
    "libstdc++6",
    "libtcmalloc-minimal4",  # vLLM on CPU: its own advice for an allocator
    "nftables",
    "openssh-server",
    "openssl",
    "procps",
    "prometheus",
    "prometheus-node-exporter",
    "python3",
    "python3-apt",  # Ansible's apt and package_facts modules
    "systemd",
    "systemd-sysv",
    "unbound",
)

# Units that stay off until a role turns them on; ssh is the one way in and stays on.
OFF: tuple[str, ...] = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "chrony.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@tty1.service",
    "nftables.service",
    "prometheus-node-exporter.service",
    "prometheus.service",
    "remote-fs.target",
    "systemd-timesyncd.service",
    "unbound.service",
)

# Units that have no place in a container: they would wait for a terminal or touch the machine's kernel.
MASKED: tuple[str, ...] = (
    "console-getty.service",
    "container-getty@.service",
    "getty.target",
    "systemd-networkd.service",
    "systemd-resolved.service",
    "unbound-resolvconf.service",
)

SSHD = """\
# One way in: a key the operator holds. No passwords, no forwarding: a forwarded port would be a way round the firewall.
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding no
AllowAgentForwarding no
AllowStreamLocalForwarding no
PermitTunnel no
X11Forwarding no
UseDNS no
"""

JOURNALD = """\
# A host keeps its journal over a reboot (the lab reboots hosts to see the seal survive), and never much of it.
[Journal]
Storage=persistent
SystemMaxUse=64M
"""

# Part of the base's digest: raise it when the way the base is made changes.
RECIPE = "3"


def mirror() -> str:
    """The Debian mirror this machine's own apt uses, or ``$CURTILAGE_DEBIAN_MIRROR``.

    Raises:
        MachineError: the machine has no Debian source (say, it is an Ubuntu) and the variable is not set.
    """
    given = os.environ.get("CURTILAGE_DEBIAN_MIRROR")
    if given:
        return given
    for found, suites in _sources(Path("/etc/apt")):
        if SUITE in suites:
            return found
    raise MachineError(
        f"no apt source of this machine serves Debian {SUITE}, which the lab's hosts are made of\n"
        f"  fix:  export CURTILAGE_DEBIAN_MIRROR=<address of a Debian mirror>"
    )


def _sources(apt: Path) -> list[tuple[str, list[str]]]:
    """(address, suites) of every binary package source, in both of apt's formats."""
    found: list[tuple[str, list[str]]] = []
    for file in sorted((apt / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", file.read_text(encoding="utf-8")):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
            if "deb" in fields.get("Types", "").split() and fields.get("Enabled", "yes") != "no":
                found += [(uri, fields.get("Suites", "").split()) for uri in fields.get("URIs", "").split()]
    for file in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]:
        if file.is_file():
            lines = re.findall(r"^deb\s+(?:\[[^]]*\]\s*)?(\S+)\s+(\S+)", file.read_text(encoding="utf-8"), re.MULTILINE)
            found += [(uri, [suite]) for uri, suite in lines]
    return found


def ensure_base(say: Progress = progress) -> Path:
    """The base filesystem, from the cache or built now (about a minute and 450 MB)."""
    digest = digest_of(RECIPE, SUITE, "\n".join(PACKAGES), "\n".join(OFF), "\n".join(MASKED), SSHD, JOURNALD)
    return ensure("base", digest, lambda temporary: _build(temporary, say), say)


def _build(root: Path, say: Progress) -> None:
    say(f"building the base filesystem: Debian {SUITE}, {len(PACKAGES)} packages and what they need")
    log = root.parent / f"{root.name}.log"
    log.unlink(missing_ok=True)
    run(
        ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root), mirror()],
        step="base filesystem",
        fix=f"the whole log is {log}; a mirror that does not answer or a full disk are the usual reasons",
        log=log,
        timeout_seconds=900,
    )
    _settle(root)
    log.unlink(missing_ok=True)


def _settle(root: Path) -> None:
    """Turn services off and take every identity and every cache out of the base."""
    systemctl: Callable[[list[str]], str] = lambda argv: run(  # noqa: E731 - one call shape, used four times
        ["systemctl", f"--root={root}", "--quiet", *argv], step="base filesystem: services"
    )
    present = [unit for unit in OFF if _has_unit(root, unit)]
    systemctl(["disable", *present])
    systemctl(["mask", *MASKED])
    systemctl(["enable", "ssh.service"])
    systemctl(["set-default", "multi-user.target"])
    (root / "etc/ssh/sshd_config.d/10-curtilage.conf").write_text(SSHD, encoding="utf-8")
    journald = root / "etc/systemd/journald.conf.d"
    journald.mkdir(parents=True, exist_ok=True)
    (journald / "10-curtilage.conf").write_text(JOURNALD, encoding="utf-8")
    (root / "var/log/journal").mkdir(exist_ok=True)
    for name in ("etc/machine-id", "etc/resolv.conf", "etc/hostname"):
        (root / name).unlink(missing_ok=True)
        (root / name).write_text("", encoding="utf-8")
    (root / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    for pattern in ("etc/ssh/ssh_host_*", "var/cache/apt/archives/*.deb", "var/lib/apt/lists/*_*", "var/log/*.log", "var/cache/apt/*.bin"):
        for path in root.glob(pattern):
            path.unlink()
    # Root may be entered by key alone; "*" is a password no input matches, while "!" would make sshd refuse the key as well.
    run(["chroot", str(root), "usermod", "--password", "*", "root"], step="base filesystem: root account")


def _has_unit(root: Path, unit: str) -> bool:
    name = re.sub(r"@[^.]*\.", "@.", unit)
    return any((root / place / name).exists() for place in ("lib/systemd/system", "etc/systemd/system"))


# Part of the packages' digest: raise it when the way they are laid out changes.
PACKAGES_RECIPE = "1"


def ensure_packages(say: Progress = progress) -> Path:
    """The Debian packages that the base is made of, as a repository apt reads from a directory: for a site's own hosts, over an air gap.

    debootstrap checks the mirror's signature when it fetches them; on the far side the bundle's signature stands for it.
    """
    digest = digest_of(PACKAGES_RECIPE, SUITE, "\n".join(PACKAGES))

    def build(target: Path) -> None:
        say(f"fetching the packages of Debian {SUITE}: {len(PACKAGES)} and what they need")
        with tempfile.TemporaryDirectory(prefix="curtilage-packages-", dir=target.parent) as scratch:
            argv = ["debootstrap", "--download-only", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, scratch, mirror()]
            run(argv, step="debian packages", fix="a mirror that does not answer or a full disk are the usual reasons", timeout_seconds=900)
            for path in sorted((Path(scratch) / "var/cache/apt/archives").glob("*.deb")):
                path.rename(target / path.name.replace("%3a", "."))
        write_index(target)

    return ensure("packages", digest, build, say)


def write_index(directory: Path) -> None:
    """Write apt's ``Packages`` for the packages of a directory: what each says of itself, with its size and digest."""
    stanzas = []
    for path in sorted(directory.glob("*.deb")):
        control = run(["dpkg-deb", "--field", str(path)], step="debian packages").strip()
        stanzas.append(
            f"{control}\nFilename: ./{path.name}\nSize: {path.stat().st_size}\nSHA256: {file_digest(path).removeprefix('sha256:')}\n"
        )
    (directory / "Packages").write_text("\n".join(stanzas), encoding="utf-8")
