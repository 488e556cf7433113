"""Starts, kills and stops labs inside the box of box.sh and reports, as JSON, what was left; run by test_lab_cycle.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from curtilage.errors import StepError
from curtilage.region import load_region
from lab import cgroups, hosts, network
from lab.lab import Lab

CURTILAGE = [sys.executable, "-m", "curtilage.cli", "lab"]


def ours() -> list[str]:
    """Processes of this box (its groups are this namespace's root), other than this one and its parents."""
    found = set()
    for hierarchy in cgroups.hierarchies():
        for file in hierarchy.rglob("cgroup.procs"):
            found |= {int(pid) for pid in file.read_text().split()}
    mine, up = set(), os.getpid()
    while up > 1:
        mine.add(up)
        up = int(Path(f"/proc/{up}/stat").read_text().rpartition(")")[2].split()[1])
    names = []
    for pid in sorted(found - mine - {0}):
        try:
            names.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:80] or f"[{pid}]")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return names


def left() -> dict[str, Any]:
    """Everything a lab could leave behind."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return {
        "namespaces": sorted(path.name for path in Path("/run/netns").iterdir()),
        "mounts": [point for point in mounts if point.startswith(("/var/lib/curtilage/", "/run/curtilage/", "/run/netns/"))],
        "files": sorted(str(path) for place in ("/var/lib/curtilage", "/run/curtilage") for path in Path(place).rglob("*")),
        "groups": [str(path) for path in cgroups.existing()],
        "processes": ours(),
        "links": sorted(one["ifname"] for one in json.loads(subprocess.check_output(["ip", "-json", "link"]))),
    }


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CURTILAGE, *words], capture_output=True, text=True, check=False, timeout=200)


def start_until(said: str) -> subprocess.Popen[str]:
    """A start that has just said something."""
    # A suite that runs in the background inherits an ignored SIGINT and would hand it on; a user's terminal does not.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen([*CURTILAGE, "start"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if said in line:
            return process
    raise AssertionError(f"the start ended before it said {said!r}")


def cycle() -> dict[str, Any]:
    before = left()
    started = command("start", "--json")
    again = command("start")
    stopped = command("stop", "--json")
    return {
        "before": before,
        "started": json.loads(started.stdout),
        "again": again.stderr,
        "stopped": json.loads(stopped.stdout),
        "after": left(),
        "twice": command("stop").returncode,
    }


def interrupted(said: str, name: str, then: str) -> dict[str, Any]:
    before = left()
    process = start_until(said)
    time.sleep(0.2)
    process.send_signal(getattr(signal, name))
    code = process.wait(60)
    second = command(then)
    if then == "start":
        status = json.loads(command("status", "--json").stdout)
        command("stop")
        return {"before": before, "code": code, "second": second.returncode, "state": status["state"], "after": left()}
    return {"before": before, "code": code, "second": second.returncode, "after": left()}


def contended() -> dict[str, Any]:
    process = start_until("wiring")
    second = command("start")
    process.wait(100)
    command("stop")
    return {"pid": process.pid, "code": second.returncode, "said": second.stderr}


def unbootable() -> dict[str, Any]:
    lab = Lab(load_region("lab"))
    hosts.SUPERVISOR = "echo the init program is missing; exit 1"
    try:
        lab.start(lambda said: None)
        said = ""
    except StepError as error:
        said = str(error)
    lab.stop(lambda text: None)
    return {"said": said, "after": left()}


def sealed() -> dict[str, Any]:
    lab = Lab(load_region("lab"))
    ruleset = "flush ruleset\ntable inet boot {\n chain output { type filter hook output priority 0; policy drop; "
    ruleset += "ct state established accept; }\n}\n"
    lab.start(lambda text: None, rulesets={"crm-1": ruleset})
    try:
        report = {
            "rules": lab.exec("crm-1", ["nft", "list", "ruleset"]).stdout,
            "others": lab.exec("gw-1", ["nft", "list", "ruleset"]).stdout,
            "ping": lab.exec("crm-1", ["ping", "-c1", "-W1", "192.0.2.1"]).returncode,
            "control": lab.exec("gw-1", ["ping", "-c1", "-W1", "192.0.2.1"]).returncode,
        }
        lab.reboot("crm-1")
        report["after_reboot"] = lab.exec("crm-1", ["nft", "list", "ruleset"]).stdout
        return report
    finally:
        lab.stop(lambda text: None)


def main() -> None:
    scenarios: dict[str, Any] = {
        "cycle": cycle, "interrupted": interrupted, "contended": contended, "unbootable": unbootable, "sealed": sealed
    }  # fmt: skip
    assert network.existing() == [], "the box is not empty"
    print(json.dumps(scenarios[sys.argv[1]](*sys.argv[2:])))


if __name__ == "__main__":
    main()
