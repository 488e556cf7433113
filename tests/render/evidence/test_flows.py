"""Observed flows over allowed ones: what nothing allows is a finding, what was not read is not a pass."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest

from curtilage.evidence import observed as seen
from curtilage.evidence.diagram import draw
from curtilage.evidence.dossier import Asked, Connection, Dossier, Observed
from curtilage.evidence.flowmap import flow_map
from curtilage.evidence.inputs import BundleInputs
from curtilage.verdict import Verdict

Run = Callable[..., BundleInputs]

TABLE = """ipv4     2 tcp      6 431999 ESTABLISHED src=192.0.2.21 dst=192.0.2.11 sport=40000 dport=8000 src=192.0.2.11 dst=192.0.2.21 sport=8000 dport=40000 [ASSURED] mark=0 zone=0 use=2
ipv4     2 tcp      6 100 TIME_WAIT src=192.0.2.21 dst=192.0.2.11 sport=40001 dport=8000 src=192.0.2.11 dst=192.0.2.21 sport=8000 dport=40001 mark=0 use=2
ipv6     10 udp      17 20 src=2001:0db8:0001:0000:0000:0000:0000:0031 dst=2001:0db8:0001:0000:0000:0000:0000:0021 sport=5353 dport=53 src=2001:db8:1::21 dst=2001:db8:1::31 sport=53 dport=5353 mark=0 use=2
ipv4     2 tcp      6 10 ESTABLISHED src=127.0.0.1 dst=127.0.0.1 sport=1 dport=2 src=127.0.0.1 dst=127.0.0.1 sport=2 dport=1 mark=0 use=2
ipv4     2 icmp     1 29 src=192.0.2.21 dst=198.51.100.7 type=8 code=0 id=7 src=198.51.100.7 dst=192.0.2.21 type=0 code=0 id=7 mark=0 use=2
"""  # noqa: E501 - the kernel's own lines

LOG = """[1795491752] unbound[18121:0] info: 192.0.2.31 api.openai.com. A IN
[1795491752] unbound[18121:0] info: api.openai.com. redirect 192.0.2.31@40926 api.openai.com. A IN
[1795491752] unbound[18121:0] info: 192.0.2.31 api.openai.com. A IN NOERROR 0.000000 1 48
[1795491752] unbound[18121:0] info: . always_refuse 192.0.2.31@34007 x.exfil.example. TXT IN
[1795491752] unbound[18121:0] info: 192.0.2.31 x.exfil.example. TXT IN REFUSED 0.000000 1 33
"""


def dossier(run: Run, **changes: Any) -> Dossier:
    inputs = run(**changes)
    assert inputs.dossier is not None
    return inputs.dossier


def test_a_connection_table_is_read_in_the_direction_of_the_first_packet() -> None:
    found, unread = seen.connections("gw-1", TABLE)
    assert unread == []
    assert [(item.protocol, item.source, item.destination, item.port, item.count) for item in found] == [
        ("icmp", "192.0.2.21", "198.51.100.7", 0, 1),
        ("tcp", "192.0.2.21", "192.0.2.11", 8000, 2),
        ("udp", "2001:db8:1::31", "2001:db8:1::21", 53, 1),
    ]


def test_a_line_nobody_can_read_is_told(run: Run) -> None:
    _, unread = seen.connections("gw-1", "something else entirely, in four words\n")
    assert len(unread) == 1
    found = flow_map(dossier(run, seen=Observed(at=run().collected, unread=tuple(unread))))
    assert found.verdict is Verdict.NOT_RUN


def test_counters_and_the_resolvers_log_are_read() -> None:
    listing = {"nftables": [{"metainfo": {}}, {"counter": {"family": "inet", "name": "output_drop", "packets": 7, "bytes": 1}}]}
    assert seen.counters(json.dumps(listing)) == {"output_drop": 7}
    assert seen.names(LOG) == [Asked(client="192.0.2.31", answered=("api.openai.com",), counts={"NOERROR": 1, "REFUSED": 1})]


def test_calls_are_counted_by_client_host_and_end() -> None:
    rows = [{"kind": "intent", "client": "192.0.2.31", "upstream": "http://192.0.2.11:8000", "result": "answered"}] * 2 + [
        {"kind": "event"}
    ]
    assert seen.calls(rows) == [{"client": "192.0.2.31", "count": 2, "result": "answered", "upstream": "http://192.0.2.11:8000"}]


def test_allowed_flows_that_were_seen_pass(run: Run) -> None:
    found = flow_map(dossier(run))
    assert (found.verdict, found.findings) == (Verdict.PASS, ())
    rows = {(row.name, row.client, row.server, row.protocol): row.seen for row in found.rows}
    assert rows["metrics", "evidence", "gateway", "tcp"] == 3
    assert rows["answers", "crm", "gateway", "tcp"] == 9
    assert rows["inference", "gateway", "gpu", "tcp"] == 9
    assert rows["names", "crm", "gateway", "udp"] == 16
    assert rows["names", "gpu", "gateway", "udp"] == 0
    assert found.dropped["gpu"] == {"output": 93, "forward": 6, "netdev": 15, "input": 0}


@pytest.mark.parametrize(
    ("source", "destination", "protocol", "port"),
    [
        ("192.0.2.31", "192.0.2.11", "tcp", 8000),  # the CRM, past the gateway
        ("192.0.2.21", "198.51.100.7", "tcp", 443),  # outside
        ("192.0.2.11", "192.0.2.21", "tcp", 8000),  # the wrong way round
        ("192.0.2.21", "192.0.2.11", "udp", 8000),  # the wrong protocol
        ("192.0.2.21", "198.51.100.7", "icmp", 0),
        ("192.0.2.99", "192.0.2.21", "tcp", 443),  # nobody of the region
    ],
)
def test_a_flow_that_nothing_allows_is_a_finding_and_is_drawn(source: str, destination: str, protocol: str, port: int, run: Run) -> None:
    extra = Connection(host="gw-1", protocol=protocol, source=source, destination=destination, port=port)
    told = dossier(run, seen=Observed(at=run().collected, connections=(extra,)))
    found = flow_map(told)
    assert found.verdict is Verdict.FAIL
    assert len(found.findings) == 1
    assert f"{source} → {destination}" in found.findings[0]
    assert "FINDING" in draw(told, found, plan_digest="sha256:" + "1" * 64)


def test_an_answered_foreign_name_is_a_finding(run: Run) -> None:
    for name, good in (
        ("v1.api.openai.com", True),
        ("gw-1.legal.lab.internal", True),
        ("notapi.openai.com", False),
        ("evil.example", False),
    ):
        asked = Asked(client="192.0.2.31", answered=(name,), counts={"NOERROR": 1})
        assert (flow_map(dossier(run, seen=Observed(at=run().collected, names=(asked,)))).verdict is Verdict.PASS) is good, name


def test_an_allowance_is_drawn_and_its_traffic_is_no_finding(run: Run) -> None:
    told = dossier(run, seen=Observed(
        at=run().collected,
        connections=(Connection(host="gw-1", protocol="tcp", source="192.0.2.21", destination="198.51.100.9", port=443),),
    ))  # fmt: skip
    assert flow_map(told).verdict is Verdict.FAIL
    allowance = {"id": "updates", "destination": "198.51.100.9/32", "protocol": "tcp", "ports": [443], "from_role": "gateway"}
    opened = told.model_copy(update={"region": told.region | {"allowances": [allowance]}})
    found = flow_map(opened)
    assert found.verdict is Verdict.PASS
    assert any(row.name == "allowance updates" and row.server == "outside" for row in found.rows)
    other = told.model_copy(update={"region": told.region | {"allowances": [allowance | {"from_role": "gpu"}]}})
    assert flow_map(other).verdict is Verdict.FAIL


def test_nothing_observed_is_not_a_pass(run: Run) -> None:
    told = dossier(run, seen=None)
    found = flow_map(told)
    assert found.verdict is Verdict.NOT_RUN
    assert {row.seen for row in found.rows} == {None}
    assert "not observed" in draw(told, found, plan_digest="sha256:" + "1" * 64)


def test_the_picture_is_xml_names_plan_and_data_and_draws_every_flow(run: Run) -> None:
    told = dossier(run)
    found = flow_map(told)
    text = draw(told, found, plan_digest="sha256:" + "1" * 64)
    root = ElementTree.fromstring(text)  # noqa: S314 - we wrote it
    assert root.attrib["role"] == "img"
    words = "".join(root.itertext())
    assert "plan sha256:" + "1" * 64 in words
    for row in found.rows:
        assert f"{row.name} · {row.protocol} {row.port}" in words
    for machine in told.machines:
        assert machine.name in words
    changed = flow_map(dossier(run, seen=None))
    assert changed.document() != found.document()
    assert draw(told, changed, plan_digest="sha256:" + "1" * 64) != text
