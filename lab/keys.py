"""The lab's ssh: one host key per host and one operator's key, made at each start, known to each other beforehand.

Nothing is trusted on first use: the operator's ``known_hosts`` is written before a host boots, and a host accepts the operator's key from
the operator's addresses alone.
"""

from __future__ import annotations

from pathlib import Path

from curtilage.region import Region
from lab.shell import run

CONFIG = """\
# The lab's operator. Use from the ops namespace: ip netns exec curtilage-ops ssh -F <this file> HOST
Host *
    User root
    IdentityFile {directory}/operator
    IdentitiesOnly yes
    UserKnownHostsFile {directory}/known_hosts
    GlobalKnownHostsFile /dev/null
    StrictHostKeyChecking yes
    HashKnownHosts no
    UpdateHostKeys no
    BatchMode yes
    ConnectTimeout 5
    ServerAliveInterval 10
    ServerAliveCountMax 3
    LogLevel ERROR
"""


def make(directory: Path, region: Region) -> None:
    """Make every key, the operator's ``known_hosts`` and ``config`` in `directory` (0700)."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _generate(directory / "operator", "operator@lab")
    known, config = [], [CONFIG.format(directory=directory)]
    for host in region.hosts:
        _generate(directory / f"host_{host.name}", host.name)
        public = " ".join((directory / f"host_{host.name}.pub").read_text(encoding="ascii").split()[:2])
        names = ",".join(str(name) for name in (host.name, host.ipv4, host.ipv6) if name is not None)
        known.append(f"{names} {public}\n")
        config.append(f"Host {host.name}\n    HostName {host.ipv4}\n    HostKeyAlias {host.name}\n")
    (directory / "known_hosts").write_text("".join(known), encoding="ascii")
    (directory / "config").write_text("".join(config), encoding="ascii")


def authorized_key(directory: Path, region: Region) -> str:
    """The operator's line for ``authorized_keys``: good from the operators' addresses alone."""
    origins = [str(address) for person in region.operators for address in (person.ipv4, person.ipv6) if address is not None]
    public = (directory / "operator.pub").read_text(encoding="ascii").strip()
    return f'from="{",".join(origins)}",no-agent-forwarding,no-port-forwarding,no-X11-forwarding {public}\n'


def _generate(path: Path, comment: str) -> None:
    path.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)], step="lab keys")
