"""If these fail, the rulesets of the lab's hosts do not do on the wire what docs/architecture.md promises."""

from __future__ import annotations

import pytest

from curtilage.derive.firewall import render_ruleset
from curtilage.derive.flows import address, flows, machine
from curtilage.proof.packet import Packet
from curtilage.proof.wire import INSIDE, UPLINK, Wire
from curtilage.region import Region

HOSTS = ("gpu-1", "gpu-2", "gpu-3", "gw-1", "crm-1", "evidence-1")
OUTSIDE = {4: ("198.51.100.10", "203.0.113.9", "169.254.169.254", "192.0.3.1"), 6: ("2001:db8:f::10", "2001:db8:2::1", "2001:db8:f::53")}
FIRST_PORT = 41000


def wire_of(region: Region, name: str) -> Wire:
    """The namespaces with a host's own addresses; the far end answers for every other machine."""
    own = region.host(name)
    others = [machine(region, other.name) for other in (*region.hosts, *region.operators) if other.name != name]
    peers = tuple(str(address(other, version)) for other in others for version in (4, 6))
    return Wire(addresses={4: str(own.ipv4), 6: str(own.ipv6)}, peers=peers)


def _packet(**given: object) -> Packet:
    return Packet.model_validate(given)


@pytest.mark.parametrize("name", HOSTS)
def test_every_flow_of_a_host_passes_with_its_replies(lab: Region, name: str) -> None:
    own = lab.host(name)
    sent: list[Packet] = []
    for number, (flow, version) in enumerate((flow, version) for flow in flows(lab) for version in (4, 6)):
        port = FIRST_PORT + number
        if flow.client == name:
            to = address(machine(lab, flow.server), version)
            base = {"protocol": flow.protocol, "sport": port, "dport": flow.port}
            sent.append(_packet(hook="output", source=address(own, version), destination=to, **base))
        elif flow.server == name:
            peer = address(machine(lab, flow.client), version)
            base = {"protocol": flow.protocol, "sport": port, "dport": flow.port}
            back = {"protocol": flow.protocol, "sport": flow.port, "dport": port, "tcp_flags": ("syn", "ack")}
            sent.append(_packet(hook="input", source=peer, destination=address(own, version), iif=INSIDE, **base))
            sent.append(_packet(hook="output", source=address(own, version), destination=peer, direction="reply", **back))
    assert sent
    with wire_of(lab, name) as wire:
        wire.apply(render_ruleset(lab, own))
        wire.listen([22, 53, 443, 8000, 8443, 9100])
        died = [packet for packet, passed in zip(sent, wire.send(sent), strict=True) if not passed]
    assert not died, "flows that the region allows do not pass:\n" + "\n".join(map(repr, died))


@pytest.mark.parametrize("name", HOSTS)
def test_nothing_a_host_sends_forwards_or_frames_reaches_the_outside(lab: Region, name: str) -> None:
    own = lab.host(name)
    attempts: list[Packet] = []
    for version in (4, 6):
        for to in OUTSIDE[version]:
            for protocol, port in (("tcp", 443), ("tcp", 22), ("tcp", 853), ("udp", 53), ("udp", 123), ("udp", 443), ("icmp", None)):
                ports = {} if port is None else {"dport": port}
                own_address = address(own, version)
                attempts += [
                    _packet(hook=hook, protocol=protocol, source=own_address, destination=to, sport=FIRST_PORT + len(attempts), **ports)
                    for hook in ("output", "egress")
                ]
                guest = "198.51.100.2" if version == 4 else "2001:db8:e::2"
                attempts.append(_packet(hook="forward", protocol=protocol, source=guest, destination=to, iif=INSIDE, oif=UPLINK, **ports))
    # A frame that claims to be of another protocol than it is: its own addresses then stand where the rule reads others.
    for source in ("2001:db8:0:0:c000:215::", "2001:db8:c000:215::"):
        attempts.append(_packet(hook="egress", claimed="ipv4", protocol="udp", source=source, destination="2001:db8:f::10", dport=53))
    for claimed in ("arp", "ipv6", 0x88B5):
        attempts.append(_packet(hook="egress", claimed=claimed, protocol="udp", source="192.0.2.21", destination="198.51.100.10", dport=53))
    attempts += [_packet(hook="egress", family=0x88B5, claimed=claimed) for claimed in (None, "ipv4", "arp")]
    with wire_of(lab, name) as wire:
        control = wire.send(attempts)
        assert all(control), "the positive control: without a ruleset every attempt is heard"
        wire.apply(render_ruleset(lab, own))
        heard = [packet for packet, passed in zip(attempts, wire.send(attempts), strict=True) if passed]
    assert not heard, "the outside heard:\n" + "\n".join(map(repr, heard))


@pytest.mark.parametrize("name", ["gpu-1", "gpu-3"], ids=["that generates", "that embeds"])
def test_vllm_answers_the_gateway_alone(lab: Region, name: str) -> None:
    own = lab.host(name)
    others = ("gw-1", "gpu-2", "crm-1", "evidence-1", "ops")
    sent = {
        (other, version): _packet(
            hook="input", source=address(machine(lab, other), version), destination=address(own, version), dport=8000, iif=INSIDE
        )
        for other in others
        for version in (4, 6)
    }
    with wire_of(lab, name) as wire:
        wire.apply(render_ruleset(lab, own))
        passed = dict(zip(sent, wire.send(list(sent.values())), strict=True))
    assert passed == {(other, version): other == "gw-1" for other, version in sent}


def test_an_allowance_opens_its_destination_and_no_other(lab_with_allowances: Region) -> None:
    own = lab_with_allowances.host("evidence-1")
    attempts = {
        ("output", "198.51.100.7", 443): True,
        ("output", "198.51.100.7", 80): False,
        ("output", "198.51.100.8", 443): False,
        ("egress", "198.51.100.7", 443): True,
        ("egress", "198.51.100.7", 444): False,
    }
    sent = [_packet(hook=hook, source=own.ipv4, destination=to, dport=port) for hook, to, port in attempts]
    with wire_of(lab_with_allowances, "evidence-1") as wire:
        wire.apply(render_ruleset(lab_with_allowances, own))
        assert dict(zip(attempts, wire.send(sent), strict=True)) == attempts


def test_the_ruleset_loads_twice_and_stays_the_same(lab: Region) -> None:
    text = render_ruleset(lab, lab.host("gw-1"))
    with wire_of(lab, "gw-1") as wire:
        wire.apply(text)
        wire.apply(text + text)
        attempt = _packet(hook="output", source="192.0.2.21", destination="198.51.100.10", dport=443)
        assert wire.send([attempt]) == [False]
