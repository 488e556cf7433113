"""What a training job asked of a network, from the kernel's point of view: every process of it is traced, and the trace is judged.

The namespace leaves a job nothing to reach; the trace shows that it did not try. strace stops the job at the few calls that name a
destination (with a seccomp filter, so that everything else runs at full speed). A trace that cannot see proves nothing, so each run has a
control: a process in the same kind of namespace tries to connect, and the very same judgement must find it. Otherwise: INVALID.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from curtilage.verdict import Verdict

CALLS = ("connect", "sendto", "sendmsg", "sendmmsg", "bind")
_PATIENCE_SECONDS = 15.0
_LINE = re.compile(r"^(?P<pid>\d+) +(?P<call>[a-z]+)\((?P<rest>.*)$")
_FAMILY = re.compile(r"sa_family=(AF_[A-Z0-9_]+)")
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
_PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
_HERE = ("AF_UNIX", "AF_LOCAL", "AF_NETLINK", "AF_UNSPEC")
# How the C library asks for a name before, or instead of, a packet.
_NAME_SERVICES = ("/nscd/socket", "/systemd/resolve/", "/run/avahi-daemon/")
_CONTROL = "import socket; s = socket.socket(); s.setblocking(False); s.connect_ex(('192.0.2.1', 9))"


def command(log: Path) -> list[str]:
    """The words before a job's own that have it traced; empty where strace is not installed.

    The tracer detaches itself, so that the job stays its caller's own child and ends with it.
    """
    tool = shutil.which("strace")
    if tool is None:
        return []
    return [tool, "-D", "-f", "-q", "--seccomp-bpf", "-s", "0", "-e", "signal=none", "-e", f"trace={','.join(CALLS)}", "-o", str(log)]


def judge(log: Path, pid: int) -> dict[str, Any]:
    """The trace of a job that has ended, as part of its record.

    Args:
        log: what the tracer wrote.
        pid: the job's first process.
    """
    text = _whole(log, pid)
    if text is None:
        return {"verdict": str(Verdict.INVALID), "reason": "the trace ends before the job did"}
    calls: Counter[str] = Counter()
    outside: set[str] = set()
    loopback = 0
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None or match["call"] not in CALLS:
            continue
        calls[match["call"]] += 1
        named = _destination(match["call"], match["rest"])
        if named == "loopback":
            loopback += 1
        elif named:
            outside.add(named)
    return {
        "verdict": str(Verdict.FAIL if outside else Verdict.PASS),
        "method": "strace of every process of the job: " + ", ".join(CALLS),
        "calls": dict(sorted(calls.items())),
        "to_loopback": loopback,
        "destinations": sorted(outside)[:20],
    }


def control(unshare: list[str], log: Path) -> dict[str, Any] | None:
    """None when a process that does try to connect is seen; else the verdict that stands in for a trace, with its reason."""
    words = command(log)
    if not words:
        return {"verdict": str(Verdict.NOT_RUN), "reason": "strace is not installed"}
    with subprocess.Popen(
        [*unshare, *words, sys.executable, "-S", "-c", _CONTROL], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        said = process.communicate(timeout=60)[1].strip()
    if process.returncode != 0:
        why = said.splitlines()[-1][:200] if said else f"it ended with {process.returncode}"
        return {"verdict": str(Verdict.NOT_RUN), "reason": f"strace cannot trace here: {why}"}
    seen = judge(log, process.pid)
    if seen["verdict"] != Verdict.FAIL or seen["destinations"] != ["192.0.2.1 port 9"]:
        return {"verdict": str(Verdict.INVALID), "reason": "a process that tried to connect was not seen"}
    return None


def _destination(call: str, rest: str) -> str:
    """What a call names outside this machine, ``loopback``, or nothing."""
    family = _FAMILY.search(rest)
    if family is None:
        return ""
    if any(service in rest for service in _NAME_SERVICES):
        # Looked for and not there: nobody was asked. What answers outside the namespace would be a way out.
        return "" if "ENOENT" in rest else "a name service"
    if family[1] in _HERE:
        return ""
    address, port = _ADDRESS.search(rest), _PORT.search(rest)
    host = (address[1] or address[2]) if address else family[1]
    number = port[1] if port else "?"
    host = host.removeprefix("::ffff:")
    if host.startswith("127.") or host == "::1" or (call == "bind" and host in ("0.0.0.0", "::")):  # noqa: S104 - read, not bound
        return "loopback" if number != "53" else f"{host} port 53"
    return f"{host} port {number}"


def _whole(log: Path, pid: int) -> str | None:
    """The trace once the tracer has seen the job's first process end; None when that never came."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    ended = re.compile(rf"^{pid} +\+\+\+ (exited|killed)", re.MULTILINE)
    while time.monotonic() < deadline:
        if log.is_file() and ended.search(text := log.read_text(encoding="utf-8", errors="replace")):
            return text
        time.sleep(0.05)
    return None
