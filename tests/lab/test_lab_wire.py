"""The lab's wire: if these fail, no probe's verdict means anything, because a dead path would look like a seal.

The operator's namespace is never sealed, so everything an open host could do is done from there, whatever state the hosts are in.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from curtilage.region import load_region
from lab import canary_log, network
from lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.root]

SEND = Path(__file__).with_name("send.py")
OUTSIDE = {"ip4": "203.0.113.9", "ip6": "2001:db8:f::9"}
HOSTS = [host.name for host in load_region("lab").hosts]


def send(lab: Lab, *words: str) -> tuple[str, str]:
    """Send one marked packet from the operator's namespace; returns its mark and what came back."""
    mark = str(uuid.uuid4())
    done = subprocess.run(lab.ops_argv([sys.executable, str(SEND), mark, *words]), capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, f"the positive control failed: {done.stderr}"
    return mark, json.loads(done.stdout)


@pytest.mark.parametrize("family", ["ip4", "ip6"])
@pytest.mark.parametrize("port", [80, 25, 65535])
def test_a_tcp_connection_to_any_port_completes_and_is_seen_with_its_real_destination(lab: Lab, family: str, port: int) -> None:
    mark, answer = send(lab, "tcp", OUTSIDE[family], str(port))
    assert mark in answer
    seen = canary_log.wait(mark)
    assert {(one["destination"], one["port"]) for one in seen} == {(OUTSIDE[family], port)}
    assert canary_log.read(mark, where="bridge"), "the bridge's canary must see the frame too"


@pytest.mark.parametrize(("family", "port"), [("ip4", 443), ("ip4", 853), ("ip6", 443), ("ip6", 8443)])
def test_a_tls_handshake_completes_and_what_it_carries_is_read(lab: Lab, family: str, port: int) -> None:
    mark, answer = send(lab, "tls", OUTSIDE[family], str(port))
    assert answer.startswith("TLSv1")
    assert [one["protocol"] for one in canary_log.wait(mark)] == ["tls-data"]


@pytest.mark.parametrize("family", ["ip4", "ip6"])
@pytest.mark.parametrize("port", [443, 4500])
def test_a_datagram_to_any_port_is_answered_and_seen(lab: Lab, family: str, port: int) -> None:
    mark, answer = send(lab, "udp", OUTSIDE[family], str(port))
    assert answer == mark
    assert {(one["destination"], one["port"]) for one in canary_log.wait(mark)} == {(OUTSIDE[family], port)}


@pytest.mark.parametrize("resolver", ["8.8.8.8", "2001:4860:4860::8888"])
@pytest.mark.parametrize("kind", ["1", "28", "16", "10"])
def test_a_query_to_a_foreign_resolver_is_answered_and_seen(lab: Lab, resolver: str, kind: str) -> None:
    mark, answers = send(lab, "dns", resolver, kind)
    assert answers == 1
    assert canary_log.wait(mark)


def test_a_query_over_tcp_is_answered(lab: Lab) -> None:
    mark, answers = send(lab, "dns-tcp", "9.9.9.9", "1")
    assert answers == 1
    assert canary_log.wait(mark)


@pytest.mark.parametrize("address", ["203.0.113.5", "169.254.169.254", "2001:db8:f::77"])
def test_an_echo_request_is_answered_and_its_pattern_read(lab: Lab, address: str) -> None:
    mark, status = send(lab, "ping", address)
    assert status == 0
    assert canary_log.wait(mark)


@pytest.mark.parametrize("family", ["ip4", "ip6"])
def test_a_packet_of_an_unknown_protocol_is_seen(lab: Lab, family: str) -> None:
    mark, _ = send(lab, "raw", OUTSIDE[family], "253")
    assert {one["protocol"] for one in canary_log.wait(mark)} == {"ip-253"}


def test_a_frame_of_an_unknown_type_is_seen_on_the_bridge(lab: Lab) -> None:
    mark, _ = send(lab, "frame", "88b5")
    assert [one["protocol"] for one in canary_log.wait(mark, where="bridge")] == ["0x88b5"]


def test_the_metadata_address_answers_when_nothing_stops_it(lab: Lab) -> None:
    mark, answer = send(lab, "tcp", "169.254.169.254", "80")
    assert mark in answer
    assert canary_log.wait(mark)


def test_an_address_outside_every_documentation_range_ends_at_the_canary_too(lab: Lab) -> None:
    mark, answer = send(lab, "tcp", "104.18.7.192", "80")
    assert mark in answer
    assert {one["destination"] for one in canary_log.wait(mark)} == {"104.18.7.192"}


def test_an_unmarked_connection_is_found_by_time_and_address(lab: Lab) -> None:
    before = time.time()
    send(lab, "tcp", "203.0.113.77", "8081")
    found = canary_log.since(before, where="internet", destination="203.0.113.77", port=8081, protocol="tcp-connected")
    assert [one["source"] for one in found] == ["192.0.2.5"]


def test_a_mark_nobody_sent_is_not_in_the_log(lab: Lab) -> None:
    assert canary_log.read(str(uuid.uuid4())) == []


def test_the_edge_and_the_operator_filter_nothing(lab: Lab) -> None:
    for namespace in ("curtilage-edge", "curtilage-ops"):
        ruleset = subprocess.run(["ip", "netns", "exec", namespace, "nft", "list", "ruleset"], capture_output=True, text=True, check=True)
        assert ruleset.stdout.strip() == "", f"{namespace} has rules: only the region's controls may stop a packet"


def test_the_root_namespace_has_no_link_address_or_route_of_the_lab(lab: Lab) -> None:
    """By exact address and by link: a machine's own network may well use a documentation range."""
    segment = lab.region.segment
    ours = {str(address) for end in network.legs(lab.region) for address in (end.ipv4.ip, end.ipv6 and end.ipv6.ip)}
    ours |= {str(segment.router_ipv4), str(segment.router_ipv6), "198.51.100.1", "198.51.100.254", "2001:db8:f::1", "169.254.169.254"}
    links = json.loads(_root("ip", "-json", "-details", "address"))
    assert not {one["ifname"] for one in links} & {"legal0", "host0", "wan0", "edge0"}
    assert not [one["ifname"] for one in links if one.get("link_netnsid") is not None and one.get("master") == "legal0"]
    assert not {address["local"] for one in links for address in one["addr_info"]} & ours
    named = subprocess.run(["ip", "-all", "netns", "list-id"], capture_output=True, text=True, check=False).stdout
    assert "curtilage-" not in named, "an end of a pair is in the root namespace"


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_has_its_addresses_and_one_uplink(lab: Lab, host: str) -> None:
    expected = lab.region.host(host)
    found = json.loads(lab.exec(host, ["ip", "-json", "address"]).stdout)
    assert [one["ifname"] for one in found if one["ifname"] != "lo"] == ["host0"]
    uplink = next(one for one in found if one["ifname"] == "host0")
    local = {address["local"] for address in uplink["addr_info"] if address["scope"] == "global"}
    assert local == {str(expected.ipv4), str(expected.ipv6)}
    assert not any(address.get("tentative") for address in uplink["addr_info"])


def test_every_namespace_of_the_region_is_there(lab: Lab) -> None:
    wanted = {network.EDGE, network.INTERNET, *(end.namespace for end in network.legs(lab.region))}
    assert wanted <= set(network.existing())


def _root(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
