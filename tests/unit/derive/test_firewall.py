"""If these fail, the text a host loads is not what docs/architecture.md promises to the proof and to the probes."""

from __future__ import annotations

import re

import pytest

from curtilage.derive.firewall import UPLINK, counters, render_ruleset
from curtilage.derive.flows import flows
from curtilage.region import Region

HOSTS = ("gpu-1", "gpu-2", "gw-1", "crm-1", "evidence-1")


def chain(text: str, name: str) -> list[str]:
    """The lines of a chain."""
    found = re.search(rf"\tchain {name} {{\n(.*?)\n\t}}", text, re.DOTALL)
    assert found, f"chain {name} is missing"
    return [line.strip() for line in found[1].splitlines()]


@pytest.mark.parametrize("name", HOSTS)
def test_the_same_region_gives_the_same_text(lab: Region, name: str) -> None:
    again = Region.model_validate(lab.document())
    assert render_ruleset(lab, lab.host(name)) == render_ruleset(again, again.host(name))


@pytest.mark.parametrize("name", HOSTS)
def test_every_base_chain_drops_by_policy_and_ends_in_a_counted_drop(lab: Region, name: str) -> None:
    text = render_ruleset(lab, lab.host(name))
    for hook in ("input", "forward", "output"):
        lines = chain(text, hook)
        assert lines[0] == f"type filter hook {hook} priority filter; policy drop;"
        assert lines[-1] == f'counter name "{hook}_drop" drop'
        for counter in counters(hook):
            assert f"\tcounter {counter} {{ }}" in text
            assert any(f'counter name "{counter}"' in line for line in lines)
    egress = chain(text, "egress")
    assert egress[0] == f'type filter hook egress device "{UPLINK}" priority filter; policy drop;'
    assert egress[-1] == 'counter name "netdev_drop" drop'


@pytest.mark.parametrize("name", HOSTS)
def test_both_tables_are_replaced_in_one_transaction(lab: Region, name: str) -> None:
    text = render_ruleset(lab, lab.host(name))
    for table in ("inet curtilage", "netdev curtilage_raw"):
        assert f"table {table}\ndelete table {table}\ntable {table} {{" in text
    assert "flush ruleset" not in text


@pytest.mark.parametrize("name", HOSTS)
def test_no_rule_accepts_established_packets_of_just_anyone(lab: Region, name: str) -> None:
    for line in render_ruleset(lab, lab.host(name)).splitlines():
        if "ct state established" in line:
            assert " saddr " in line, line
            assert " daddr " in line, line
            assert "ct direction " in line, line


@pytest.mark.parametrize("name", HOSTS)
def test_an_accepting_rule_names_its_flow(lab: Region, name: str) -> None:
    text = render_ruleset(lab, lab.host(name))
    accepting = [line for line in text.splitlines() if " accept" in line]
    assert accepting
    assert all(' comment "' in line for line in accepting)


def test_a_sealed_region_names_no_address_outside_its_segment(lab: Region) -> None:
    for host in lab.hosts:
        text = render_ruleset(lab, host)
        assert all(address.startswith("192.0.2.") for address in re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", text))


def test_an_allowance_appears_on_its_role_alone_and_by_its_name(lab_with_allowance: Region) -> None:
    texts = {host.name: render_ruleset(lab_with_allowance, host) for host in lab_with_allowance.hosts}
    assert {name for name, text in texts.items() if "allowance:timestamps" in text} == {"evidence-1"}
    assert texts["evidence-1"].count('comment "allowance:timestamps"') == 3


def test_a_segment_without_ipv6_gets_no_ipv6_rule(lab: Region) -> None:
    document = lab.document()
    document["segments"]["legal"] |= {"ipv6": "none", "router_ipv6": "none"}
    for machine in (*document["hosts"], *document["operators"]):
        machine["ipv6"] = "none"
    region = Region.model_validate(document)
    text = render_ruleset(region, region.host("gw-1"))
    assert not re.search(r"\bip6 [sd]addr", text)
    assert "icmpv6" not in text
    assert 'meta nfproto ipv6 counter name "output_drop_ip6"' in text


def test_the_flows_are_those_of_the_architecture(lab: Region) -> None:
    found = {(flow.client, flow.server, flow.protocol, flow.port) for flow in flows(lab)}
    hosts = [host.name for host in lab.hosts]
    expected = {("crm-1", "gw-1", "tcp", 443), ("gw-1", "evidence-1", "tcp", 8443)}
    expected |= {("gw-1", gpu, "tcp", 8000) for gpu in ("gpu-1", "gpu-2")}
    expected |= {(name, "gw-1", protocol, 53) for name in hosts if name != "gw-1" for protocol in ("tcp", "udp")}
    expected |= {("evidence-1", name, "tcp", 9100) for name in hosts if name != "evidence-1"}
    expected |= {(name, "evidence-1", "udp", 123) for name in hosts if name != "evidence-1"}
    expected |= {("ops", name, "tcp", 22) for name in hosts}
    assert found == expected
