"""If this fails, the report's observed flows are not what the kernel has on its books, or a sealed host's hold more than allowed."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime

import pytest

from curtilage.derive.firewall import render_ruleset
from curtilage.derive.flows import address, flows, machine
from curtilage.evidence import observed as seen
from curtilage.evidence.dossier import Observed, dossier_of
from curtilage.evidence.flowmap import FlowMap, flow_map
from curtilage.proof.packet import Packet
from curtilage.proof.wire import Wire
from curtilage.region import Region
from curtilage.verdict import Verdict

pytestmark = pytest.mark.root
OWN = "gw-1"


def attempts(lab: Region) -> tuple[list[Packet], list[Packet]]:
    """Packets of every flow that the gateway begins, and packets to the outside and past the rules."""
    own, number = lab.host(OWN), 42000
    good, bad = [], []
    for flow in flows(lab):
        if flow.client == OWN:
            number += 1
            to = address(machine(lab, flow.server), 4)
            good.append(Packet.model_validate(
                {"hook": "output", "protocol": flow.protocol, "source": own.ipv4, "destination": to, "sport": number, "dport": flow.port}
            ))  # fmt: skip
    for to, protocol, port in (("198.51.100.10", "tcp", 443), ("198.51.100.10", "udp", 53), ("192.0.2.31", "tcp", 8000)):
        number += 1
        bad.append(Packet.model_validate(
            {"hook": "output", "protocol": protocol, "source": own.ipv4, "destination": to, "sport": number, "dport": port}
        ))  # fmt: skip
    return good, bad


def books(lab: Region, namespace: str) -> FlowMap:
    """What the kernel of the host has on its books, laid over what the region allows."""
    read = ["ip", "netns", "exec", namespace]
    table = subprocess.run([*read, "cat", "/proc/net/nf_conntrack"], capture_output=True, text=True, check=True).stdout
    found, unread = seen.connections(OWN, table)
    assert unread == []
    listing = subprocess.run([*read, "nft", "-j", "list", "counters"], capture_output=True, text=True, check=True).stdout
    told = Observed(at=datetime.now(UTC), counters={OWN: seen.counters(listing)}, connections=tuple(found))
    return flow_map(dossier_of(lab, observed=told))


def test_a_sealed_hosts_books_hold_its_flows_and_no_other_and_an_open_hosts_books_tell(lab: Region) -> None:
    own = lab.host(OWN)
    others = [machine(lab, other.name) for other in (*lab.hosts, *lab.operators) if other.name != OWN]
    peers = tuple(str(address(other, version)) for other in others for version in (4, 6))
    good, bad = attempts(lab)
    with Wire(addresses={4: str(own.ipv4), 6: str(own.ipv6)}, peers=peers) as wire:
        wire.apply(render_ruleset(lab, own))
        wire.send([*good, *bad])
        sealed = books(lab, wire.namespace)
        # The positive control: tracked, but nothing dropped.
        wire.apply("table inet t {\n chain o {\n type filter hook output priority 0\n ct state new accept\n }\n}\n")
        wire.send([*good, *bad])
        opened = books(lab, wire.namespace)
    assert sealed.findings == ()
    assert sealed.verdict is Verdict.PASS
    rows = {(row.name, row.client, row.server): row.seen for row in sealed.rows}
    for flow in ("inference", "checkpoints", "time"):
        assert any(name == flow and client == "gateway" and count for (name, client, _), count in rows.items()), flow
    assert sealed.dropped["gateway"]["output"] >= len(bad)
    assert opened.verdict is Verdict.FAIL
    assert len(opened.findings) == len(bad)
