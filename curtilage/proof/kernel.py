"""Asks the kernel what a ruleset means: loads it in a network namespace of its own and reads it back.

The namespace belongs to one short process (``unshare``) and dies with it, so nothing is left behind even by a kill. Links a ruleset names
are made there first, because nftables resolves ``iif``, ``oif`` and ``device`` while it loads.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curtilage.errors import ConfigError, MachineError

TIMEOUT_SECONDS = 60
_LINK = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,14}$")
_NAMES_LINK = re.compile(r'\b(?:iif|oif|device)\s+(?:==\s*|!=\s*)?"?([A-Za-z0-9_][A-Za-z0-9_.:-]*)"?')
_NAMES_LINKS = re.compile(r"\b(?:iif|oif|devices)\s*(?:==\s*|!=\s*|=\s*)?\{([^}]*)\}")
_DEFINES = re.compile(r"^\s*define\s+\w+\s*=\s*(.+)$", re.MULTILINE)

# Positional: $1 directory, $2 ruleset. ``-n`` gives numbers for every name, so no table of names is needed here.
_SCRIPT = """
set -e
ip -batch "$1/links" 2>/dev/null || true
nft -f "$2" 2>"$1/refusal" || exit 9
nft -jn list ruleset >"$1/json"
nft -an list ruleset >"$1/text"
nft --debug=netlink list ruleset >"$1/code"
"""


OPTIONAL = frozenset(
    {
        "queue",
        "socket",
        "tproxy",
        "synproxy",
        "osf",
        "fib",
        "rt",
        "dup",
        "fwd",
        "flow",
        "numgen",
        "jhash",
        "symhash",
        "xfrm",
        "tunnel",
        "quota",
    }
    | {"masquerade", "redirect", "snat", "dnat", "limit", "ct", "log", "cgroupv2", "ipsec", "meter", "add", "update"}
)
"""Statements and expressions that a kernel may be built without."""


class KernelLacksError(ConfigError):
    """The ruleset may be right, but this kernel cannot hold it, so nobody can ask what it means here."""

    def __init__(self, statement: str, *, file: Path | str | None = None) -> None:
        self.statement = statement
        super().__init__(
            f"this kernel has no '{statement}'",
            rule="the kernel that decides can hold the ruleset",
            fix="prove it where it runs",
            file=file,
        )


def _lacking(refusal: str) -> str | None:
    """The statement this kernel has no module for: nft points at it, and says ENOENT or EOPNOTSUPP."""
    lines = refusal.splitlines()
    for number, line in enumerate(lines[:-2]):
        if "Could not process rule: No such file or directory" in line or "Could not process rule: Operation not supported" in line:
            pointer = lines[number + 2]
            at = lines[number + 1][pointer.find("^") :].split()
            if at and at[0] in OPTIONAL:
                return at[0]
    return None


@dataclass(frozen=True)
class Loaded:
    """A ruleset as the kernel holds it: its JSON objects, its listing with handles, and the expressions the rules were compiled to."""

    objects: tuple[dict[str, Any], ...]
    listing: str
    code: str


def links_named(text: str) -> tuple[str, ...]:
    """Every link a ruleset may need to exist when it is loaded."""
    found = set(_NAMES_LINK.findall(text))
    for group in [*_NAMES_LINKS.findall(text), *_DEFINES.findall(text)]:
        found |= set(re.findall(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*", group))
    return tuple(sorted(name for name in found if _LINK.match(name) and name != "lo" and not name.isdigit()))


def load(ruleset: str, *, file: Path | str | None = None) -> Loaded:
    """Load a ruleset in a scratch namespace and read it back.

    Args:
        ruleset: what ``nft -f`` reads.
        file: where it came from, for messages and for ``include`` beside it.

    Raises:
        ConfigError: the kernel or nft refuses it; the message is nft's own.
        MachineError: this machine has no nft, or may not make network namespaces.
    """
    for tool, package in (("nft", "nftables"), ("ip", "iproute2"), ("unshare", "util-linux")):
        if shutil.which(tool) is None:
            raise MachineError(f"'{tool}' is not installed\n  fix:  apt-get install {package}")
    namespace = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    with tempfile.TemporaryDirectory(prefix="ct-proof-") as name:
        directory = Path(name)
        (directory / "links").write_text("".join(f"link add {link} type bridge\n" for link in links_named(ruleset)))
        (directory / "ruleset").write_text(ruleset)
        command = [*namespace, "sh", "-c", _SCRIPT, "sh", name, str(directory / "ruleset")]
        try:
            done = subprocess.run(
                command,
                cwd=Path(file).resolve().parent if file else None,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise MachineError(
                f"nft took longer than {TIMEOUT_SECONDS} s to load the ruleset\n  fix:  give the machine room, or split it"
            ) from exc
        if done.returncode == 9:
            refusal = (directory / "refusal").read_text().replace(str(directory / "ruleset"), str(file or "ruleset")).strip()
            lacking = _lacking(refusal)
            if lacking is not None:
                raise KernelLacksError(lacking, file=file)
            circular = "Too many l" in refusal  # EMLINK "Too many links", ELOOP "Too many levels of symbolic links"
            raise ConfigError(
                f"the kernel refuses the ruleset:\n{refusal}",
                rule="jumps go in no circle, and at most 16 deep" if circular else "a ruleset loads as a whole or not at all",
                fix="correct it; `nft -c -f FILE` repeats the message",
                file=file,
            )
        if done.returncode != 0:
            said = done.stderr.strip() or f"exit status {done.returncode}"
            raise MachineError(
                f"cannot load a ruleset in a scratch network namespace: {said}\n  fix:  run as root, or allow user namespaces"
            )
        document = json.loads((directory / "json").read_text())
        return Loaded(tuple(document["nftables"]), (directory / "text").read_text(), (directory / "code").read_text())
