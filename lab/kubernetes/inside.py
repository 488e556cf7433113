"""The node's first process: makes the node's own view of the machine, starts its programs, and reaps what they leave.

Run by ``lab.kubernetes.node`` as process 1 of new mount, process, host name and IPC namespaces, inside the node's network namespace;
killing it ends every process of the node and takes every mount with it. Standard library alone. Its one argument is a JSON file::

    {"directory", "hostname", "sysctls": {path: value}, "resolv": text, "programs": [{"name", "argv", "env", "await": path or null}]}

A program that ends takes the node with it: a node without its runtime or its CNI must not go on looking like one.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 60.0
STEP_SECONDS = 0.05


def mount(*arguments: str) -> None:
    """Mount, or end with what mount said."""
    subprocess.run(["mount", *arguments], check=True)


def see(directory: Path, sysctls: dict[str, str], resolver: str) -> None:
    """The node's own mounts: nothing it writes reaches the machine's /sys, /run, /var, resolver or global switches."""
    mount("--make-rprivate", "/")
    keep = directory / "cgroup"
    keep.mkdir()
    mount("--rbind", "/sys/fs/cgroup", str(keep))
    # A fresh sysfs shows the links of this network namespace; the old one shows the machine's.
    mount("-t", "sysfs", "sysfs", "/sys")
    mount("--rbind", str(keep), "/sys/fs/cgroup")
    mount("-t", "bpf", "bpf", "/sys/fs/bpf")
    mount("-t", "tmpfs", "-o", "mode=0755", "node", "/run")
    # Programs keep things under fixed names in /var (libcni's results, links to logs): they land in memory, the node's own directory stays.
    for name in ("own", "upper", "work"):
        Path("/run/node", name).mkdir(parents=True)
    mount("--bind", str(directory), "/run/node/own")
    mount("-t", "overlay", "-o", "lowerdir=/var,upperdir=/run/node/upper,workdir=/run/node/work", "node", "/var")
    mount("--bind", "/run/node/own", str(directory))
    own = directory / "resolv.conf"
    own.write_text(resolver, encoding="ascii")
    mount("--bind", str(own), str(Path("/etc/resolv.conf").resolve()))
    switches = directory / "sysctl"
    switches.mkdir()
    for name, value in sysctls.items():
        real = Path("/proc/sys") / name
        if real.exists():
            file = switches / name.replace("/", ".")
            file.write_text(value + "\n", encoding="ascii")
            mount("--bind", str(file), str(real))


def start(program: dict[str, Any], directory: Path) -> int:
    """Start a program, its output in a log of its own, and wait for the file that shows that it listens."""
    with (directory / f"{program['name']}.log").open("ab") as log:
        process = subprocess.Popen(
            program["argv"], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd="/", env={**os.environ, **program["env"]}
        )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while program["await"] and not Path(program["await"]).exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"{program['name']} is not ready: {program['await']} is not there")
        time.sleep(STEP_SECONDS)
    return process.pid


def main() -> None:
    """Mount, start, reap; ends when a program ends."""
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    directory = Path(given["directory"])
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    socket.sethostname(given["hostname"])
    see(directory, given["sysctls"], given["resolv"])
    running = {start(program, directory): program["name"] for program in given["programs"]}
    Path("/run/node-started").touch()
    while True:
        pid, status = os.wait()
        if pid in running:
            raise SystemExit(f"{running[pid]} ended with status {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
