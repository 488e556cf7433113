"""Nothing gets out while something changes (breaks: a seal with a gap of a second, EG-39, EG-40, EG-41).

A watcher in the host's own namespace tries fresh datagrams and connections, both families, many times a second, through each transition;
the canary must have heard none of them. It has heard the same mark from the unsealed operator just before, so its silence means something.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import canary_log
from lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.root, pytest.mark.timeout(240)]

WATCH, SEND = Path(__file__).with_name("watch.py"), Path(__file__).with_name("send.py")
OUTSIDE4, OUTSIDE6 = "203.0.113.9", "2001:db8:f::9"
WATCHER_SECONDS = 120
RESEAL = "nft -f /etc/nftables.conf"


def said(lab: Lab, host: str, command: str) -> str:
    done = lab.exec(host, ["sh", "-ec", command])
    assert done.returncode == 0, f"{host}: {command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


@contextmanager
def watched(host: str, mark: str, *more: str) -> Iterator[dict[str, int]]:
    """Run the watcher on a host's network while the block runs; the counts are there when it ends."""
    counts: dict[str, int] = {}
    argv = ["ip", "netns", "exec", f"curtilage-{host}", sys.executable, str(WATCH), mark, OUTSIDE4, OUTSIDE6, str(WATCHER_SECONDS), *more]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as watcher:
        try:
            assert watcher.stdout is not None
            assert watcher.stdout.readline().strip() == "started"
            yield counts
            time.sleep(0.5)
            counts |= json.loads(watcher.communicate("stop", timeout=30)[0])
        finally:
            watcher.kill()


def control(lab: Lab) -> None:
    """The way is open to one who is not sealed, and the canary writes down what comes."""
    for family in (OUTSIDE4, OUTSIDE6):
        mark = str(uuid.uuid4())
        done = subprocess.run(lab.ops_argv([sys.executable, str(SEND), mark, "udp", family, "443"]), check=False, timeout=30)
        assert done.returncode == 0, "the positive control failed"
        assert canary_log.wait(mark)


def reload_ruleset(lab: Lab) -> None:
    for _ in range(20):
        said(lab, "crm-1", RESEAL)


def restart_firewall(lab: Lab) -> None:
    for _ in range(3):
        said(lab, "crm-1", "systemctl restart nftables.service")


def reboot(lab: Lab) -> None:
    lab.reboot("crm-1")


def gateway_down(lab: Lab) -> None:
    said(lab, "gw-1", "systemctl stop curtilage-gateway.service")
    try:
        time.sleep(2)
    finally:
        said(lab, "gw-1", "systemctl start curtilage-gateway.service")


def resolver_down(lab: Lab) -> None:
    said(lab, "gw-1", "systemctl stop unbound.service")
    try:
        time.sleep(2)
    finally:
        said(lab, "gw-1", "systemctl start unbound.service")


TRANSITIONS: dict[str, Callable[[Lab], None]] = {
    "the ruleset is loaded again, 20 times": reload_ruleset,
    "the firewall's service restarts": restart_firewall,
    "the host reboots": reboot,
    "the gateway is down": gateway_down,
    "the resolver is down": resolver_down,
}


@pytest.mark.parametrize("transition", TRANSITIONS.values(), ids=TRANSITIONS.keys())
def test_nothing_gets_out_while(lab: Lab, transition: Callable[[Lab], None]) -> None:
    control(lab)
    mark = str(uuid.uuid4())
    with watched("crm-1", mark) as counts:
        transition(lab)
    assert canary_log.read(mark) == []
    assert not [outcome for outcome in counts if outcome.endswith((" sent", " connected"))], counts
    assert {outcome.split()[0] for outcome in counts} == {"datagram4", "datagram6", "connection4", "connection6"}
    assert sum(counts.values()) >= 40, f"the watcher hardly tried: {counts}"


def test_a_connection_made_through_a_hole_dies_when_the_hole_is_closed(lab: Lab) -> None:
    control(lab)
    mark = str(uuid.uuid4())
    hole = "nft insert rule inet curtilage output accept && nft insert rule inet curtilage input accept"
    raw = "nft flush chain netdev curtilage_raw egress && nft 'add chain netdev curtilage_raw egress { policy accept; }'"
    said(lab, "crm-1", f"{hole} && {raw}")
    try:
        with watched("crm-1", mark, "long-lived") as counts:
            time.sleep(1)
            open_until = time.time()
            assert canary_log.wait(mark), "the hole must be heard before it is closed"
            said(lab, "crm-1", RESEAL)
            sealed = time.time()
            time.sleep(3)
    finally:
        said(lab, "crm-1", RESEAL)
    late = [one for one in canary_log.read(mark) if float(one["time"]) > sealed + 0.5]
    assert late == [], "an established connection went on after the seal"
    assert counts, open_until


def test_an_attackers_own_table_that_accepts_first_does_not_undo_the_drop(lab: Lab) -> None:
    control(lab)
    mark = str(uuid.uuid4())
    early = "nft 'table inet intruder { chain early { type filter hook output priority -300; policy accept; accept; }; }'"
    said(lab, "crm-1", early)
    try:
        with watched("crm-1", mark) as counts:
            time.sleep(1)
    finally:
        said(lab, "crm-1", "nft delete table inet intruder")
    assert canary_log.read(mark) == []
    assert not [outcome for outcome in counts if outcome.endswith((" sent", " connected"))], counts
