"""If these fail, a PASS of the proof may not mean that a packet dies: the model and the kernel disagree about a ruleset.

Rulesets and packets are drawn from a grammar; each packet is decided by the model and sent through the same ruleset in namespaces. The
example that fails is shrunk by hypothesis and printed.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from curtilage.errors import ConfigError
from curtilage.proof.decide import Model
from curtilage.proof.packet import Packet
from curtilage.proof.wire import HOST, INSIDE, NEAR, UPLINK, Wire

V4 = ("203.0.113.5", "203.0.113.77", "198.51.100.9", "203.0.113.128")
V6 = ("2001:db8:f::5", "2001:db8:f::77", "2001:db8:e::9", "2001:db8:f:1::1")
NETS4 = ("203.0.113.0/24", "203.0.113.64/26", "203.0.113.5", "198.51.100.0-198.51.100.20", "192.0.2.0/24")
NETS6 = ("2001:db8:f::/48", "2001:db8:f::/64", "2001:db8:f::77", "2001:db8:e::-2001:db8:e::ff", "2001:db8:1::/64")
STATES = ("new", "established,related", "invalid", "!= new", "{ new, established }", "untracked", "! new")
PORTS = (22, 53, 443, 8000, 8080)
PORT_TERMS = ("22", "53", "443", "8000-8080", "1024-65535")


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    """One set of namespaces for the module; rulesets are replaced in it."""
    with Wire() as opened:
        yield opened


def some_of(values: tuple[str, ...]) -> st.SearchStrategy[str]:
    """One value plain, or several as an anonymous set; overlapping intervals are not drawn, since nft refuses them."""
    single = st.sampled_from(values)
    return st.one_of(single, st.lists(single, min_size=1, max_size=1).map(lambda items: "{ " + ", ".join(items) + " }"))


SIGN = st.sampled_from(["", "!= "])


@st.composite
def conditions(draw: st.DrawFn, family: str, hook: str) -> str:
    """A match that every hook of the family accepts."""
    v4, v6 = family in ("inet", "ip", "netdev"), family in ("inet", "ip6", "netdev")
    sign = draw(SIGN)
    choices = [
        f"{draw(st.sampled_from(['tcp', 'udp']))} {draw(st.sampled_from(['dport', 'sport']))} {sign}{draw(some_of(PORT_TERMS))}",
        f"meta l4proto {sign}{draw(st.sampled_from(['tcp', 'udp', 'icmp', 'icmpv6', '{ tcp, udp }', '{ icmp, icmpv6 }']))}",
        f"meta l4proto {{ tcp, udp }} th dport {sign}{draw(some_of(PORT_TERMS))}",
        f"tcp dport {draw(st.sampled_from(['<', '>', '<=', '>=']))} {draw(st.sampled_from(PORTS))}",
        f"tcp flags {draw(st.sampled_from(['syn', '! syn', 'syn / syn,ack', '!= syn', '{ syn, ack }', '& (syn | ack) == ack']))}",
        "udp dport { 53, 443, 8000-8080 }",
        "tcp dport != { 22, 443 }",
    ]
    if v4:
        choices += [
            f"ip {draw(st.sampled_from(['daddr', 'saddr']))} {sign}{draw(some_of(NETS4))}",
            f"ip protocol {sign}{draw(st.sampled_from(['tcp', 'udp', 'icmp']))}",
            "ip daddr . tcp dport { 203.0.113.0/26 . 443, 203.0.113.77 . 8000-8080 }",
            f"ip daddr & 0.0.0.255 {draw(st.sampled_from(['==', '!=']))} 0.0.0.5",
            f"icmp type {sign}{draw(st.sampled_from(['echo-request', 'echo-reply', '{ echo-request, timestamp-request }']))}",
            f"ip ttl {draw(st.sampled_from(['64', '!= 64', '< 64', '> 3']))}",
        ]
    if v6:
        choices += [
            f"ip6 {draw(st.sampled_from(['daddr', 'saddr']))} {sign}{draw(some_of(NETS6))}",
            f"ip6 nexthdr {sign}{draw(st.sampled_from(['tcp', 'udp', 'ipv6-icmp']))}",
            "ip6 daddr . udp dport { 2001:db8:f::/64 . 53, 2001:db8:f:1::1 . 1-65535 }",
            f"icmpv6 type {sign}{draw(st.sampled_from(['echo-request', 'echo-reply', '{ echo-request, nd-neighbor-solicit }']))}",
            f"ip6 hoplimit {draw(st.sampled_from(['64', '!= 64', '255']))}",
        ]
    if family == "inet":
        choices += [f"meta nfproto {draw(st.sampled_from(['ipv4', 'ipv6', '!= ipv6']))}"]
    if family != "netdev":
        choices += [
            f"ct state {draw(st.sampled_from(STATES))}",
            f"ct direction {draw(st.sampled_from(['original', 'reply']))}",
        ]
    else:
        choices += [
            f"meta protocol {sign}{draw(st.sampled_from(['ip', 'ip6', 'arp', '{ ip, arp }']))}",
            f"ether type {draw(st.sampled_from(['ip', 'ip6', 'arp']))}",
            f"ether type ip ip daddr {draw(some_of(NETS4))}",
            f"ether type ip6 ip6 daddr {draw(some_of(NETS6))}",
            f"@ll,96,16 {sign}{draw(st.sampled_from(['0x0800', '0x86dd', '0x0806']))}",
        ]
    if hook in ("output", "postrouting", "forward", "egress"):
        choices.append(f"oifname {sign}{draw(st.sampled_from([UPLINK, 'lo', 'host*', 'other0']))}")
    if hook in ("input", "prerouting", "forward", "output"):
        choices.append(f"iifname {sign}{draw(st.sampled_from([INSIDE, 'lo', 'inside*']))}")
    return draw(st.sampled_from(choices))


@st.composite
def rules(draw: st.DrawFn, family: str, hook: str, chains: tuple[str, ...]) -> str:
    """Zero to three matches and a verdict."""
    matches = draw(st.lists(conditions(family, hook), max_size=3))
    verdicts = ["accept", "accept", "drop", "drop", "return", "counter", "continue", 'log prefix "p" accept', "counter drop"]
    verdicts += [f"{kind} {name}" for name in chains for kind in ("jump", "goto")]
    if hook in ("output", "input", "forward") and family in ("inet", "ip", "ip6"):
        verdicts.append("reject")
    target = draw(st.sampled_from(chains)) if chains else None
    ending = f", 8000-8080 : jump {target}" if target else ""
    verdicts.append(f"tcp dport vmap {{ 22 : accept, 443 : drop, 53 : continue{ending} }}")
    if family in ("inet", "ip", "ip6"):
        verdicts.append("ct state vmap { new : accept, invalid : drop, established : accept }")
    if family == "inet":
        verdicts.append("meta nfproto vmap { ipv4 : accept, ipv6 : return }")
        verdicts.append("udp dport vmap @ports")
        verdicts.append("ip daddr @nets accept")
        verdicts.append("ip6 daddr . meta l4proto @pairs drop")
    return " ".join([*matches, draw(st.sampled_from(verdicts))])


NAMED = """
\tset nets {
\t\ttype ipv4_addr
\t\tflags interval
\t\telements = { 203.0.113.0/25, 198.51.100.9 }
\t}
\tset pairs {
\t\ttype ipv6_addr . inet_proto
\t\telements = { 2001:db8:f::5 . tcp, 2001:db8:f::77 . udp, 2001:db8:f::77 . ipv6-icmp }
\t}
\tmap ports {
\t\ttype inet_service : verdict
\t\tflags interval
\t\telements = { 53 : accept, 400-500 : drop }
\t}
"""


@st.composite
def rulesets(draw: st.DrawFn) -> str:
    """One to three tables, each with base chains at various hooks and priorities and chains to jump to."""
    text: list[str] = []
    for number in range(draw(st.integers(1, 3))):
        family = draw(st.sampled_from(["inet", "inet", "ip", "ip6", "netdev"]))
        hooks = ["egress"] if family == "netdev" else ["output", "input", "forward", "prerouting", "postrouting"]
        text.append(f"table {family} t{number} {{{NAMED if family == 'inet' else ''}")
        hook = draw(st.sampled_from(hooks))
        helpers: list[str] = []
        for name in ("second", "first")[: draw(st.integers(0, 2))]:
            body = draw(st.lists(rules(family, hook, tuple(helpers)), max_size=3))
            text += [f"\tchain {name} {{", *(f"\t\t{rule}" for rule in body), "\t}"]
            helpers.append(name)
        for base in range(draw(st.integers(1, 2))):
            priority, policy = draw(st.sampled_from([-150, 0, 10])), draw(st.sampled_from(["accept", "drop"]))
            device = f' device "{UPLINK}"' if family == "netdev" else ""
            body = draw(st.lists(rules(family, hook, tuple(helpers)), max_size=4))
            text += [f"\tchain base{base} {{", f"\t\ttype filter hook {hook}{device} priority {priority}; policy {policy};"]
            text += [*(f"\t\t{rule}" for rule in body), "\t}"]
        text.append("}")
    return "\n".join(text) + "\n"


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    """A packet at one of the four hooks. The source port is set later, so that each packet is a connection of its own."""
    hook = draw(st.sampled_from(["output", "forward", "input", "egress"]))
    version = draw(st.sampled_from([4, 6]))
    protocol = draw(st.sampled_from(["tcp", "udp", "icmp"]))
    source = HOST[version] if hook in ("output", "egress") else NEAR[version]
    destination = HOST[version] if hook == "input" else draw(st.sampled_from(V4 if version == 4 else V6))
    icmp = (8, 0) if version == 4 else (128, 129)
    claimed = draw(st.sampled_from([None, None, "ipv4", "ipv6", "arp"])) if hook == "egress" else None
    return Packet.model_validate(
        {
            "hook": hook,
            "source": "2001:db8:0:0:cb00:7105::" if version == 6 and claimed == "ipv4" and draw(st.booleans()) else source,
            "destination": destination,
            "protocol": protocol,
            "dport": draw(st.sampled_from(PORTS)),
            "icmp_type": draw(st.sampled_from(icmp)) if protocol == "icmp" else None,
            "claimed": claimed,
            "iif": INSIDE if hook in ("forward", "input") else None,
            "oif": None if hook == "input" else UPLINK,
        }
    )


def compare(wire: Wire, ruleset: str, some: list[Packet]) -> int:
    """Decide and send; returns how many packets the model decided."""
    some = [packet.model_copy(update={"sport": 40000 + number}) for number, packet in enumerate(some)]
    try:
        model = Model.of(ruleset)
    except ConfigError as refused:
        # Two matches that exclude one another in one rule: nft says so and loads nothing, so there is nothing to compare.
        assume("conflicting" not in str(refused))
        raise
    answers = [model.evaluate(packet) for packet in some]
    wire.apply(ruleset)
    passed = wire.send(some)
    decided = 0
    for packet, (verdict, trace, reasons), through in zip(some, answers, passed, strict=True):
        if verdict == "not_proven":
            note(f"not decided: {reasons}")
            continue
        decided += 1
        steps = "\n".join(map(str, trace))
        assert (verdict == "allow") == through, (
            f"model {verdict}, kernel {'passed' if through else 'dropped'}\n{packet!r}\n{ruleset}\n{steps}"
        )
    return decided


counted = {"decided": 0, "all": 0}


@settings(max_examples=70, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=False)
@given(ruleset=rulesets(), some=st.lists(packets(), min_size=8, max_size=16))
def test_the_kernel_does_to_every_packet_what_the_model_says(wire: Wire, ruleset: str, some: list[Packet]) -> None:
    decided = compare(wire, ruleset, some)
    counted["all"] += len(some)
    counted["decided"] += decided


def test_the_comparison_decided_hundreds_of_packets() -> None:
    if not counted["all"]:
        pytest.skip("NOT-RUN: the comparison did not run in this session")
    assert counted["decided"] >= 500, counted
    assert counted["decided"] >= 0.9 * counted["all"], f"the model leaves too much undecided: {counted}"


@pytest.mark.parametrize("hook", ["prerouting", "forward", "postrouting", "egress"])
@pytest.mark.parametrize("match", ["64", "63", "!= 64", "< 64", "<= 64", "> 63", "{ 1, 63 }"])
def test_a_router_takes_one_off_the_hop_count_before_its_forward_hook(wire: Wire, hook: str, match: str) -> None:
    table = "netdev t" if hook == "egress" else "inet t"
    where = f'egress device "{UPLINK}"' if hook == "egress" else hook
    rules = "\n".join(f"\t\t{field} {match} drop" for field in ("ip ttl", "ip6 hoplimit"))
    ruleset = f"table {table} {{\n\tchain c {{\n\t\ttype filter hook {where} priority 0; policy accept;\n{rules}\n\t}}\n}}\n"
    given = [{"hook": "forward", "source": NEAR[4], "destination": V4[0]}, {"hook": "forward", "source": NEAR[6], "destination": V6[0]}]
    some = [Packet.model_validate(item | {"protocol": "udp", "dport": 443, "iif": INSIDE, "oif": UPLINK}) for item in given]
    assert compare(wire, ruleset, some) == len(some)


def test_a_packet_whose_time_is_up_is_not_forwarded(wire: Wire) -> None:
    ruleset = "table inet t {\n\tchain c {\n\t\ttype filter hook forward priority 0; policy accept;\n\t}\n}\n"
    some = [
        Packet.model_validate(
            {"hook": "forward", "source": NEAR[4], "destination": V4[0], "protocol": "udp", "dport": 443, "iif": INSIDE, "oif": UPLINK,
             "fields": {"ip.ttl": hops}}
        )
        for hops in (1, 2)
    ]  # fmt: skip
    assert compare(wire, ruleset, some) == 2


def refusing(match: str) -> str:
    """A list of refusals at the link's own hook."""
    chain = f'type filter hook egress device "{UPLINK}" priority 0; policy accept;'
    return f"table netdev t {{\n\tchain c {{\n\t\t{chain}\n\t\t{match} drop\n\t}}\n}}\n"


@pytest.mark.parametrize("claimed", ["ipv4", "ipv6", "arp"])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    "match", ["tcp dport 22", "tcp dport != 23", "meta l4proto tcp", "meta l4proto != udp", "th dport 22", "tcp flags syn"]
)
def test_a_frame_that_claims_another_family_has_no_transport_protocol_for_a_rule(
    wire: Wire, match: str, version: int, claimed: str
) -> None:
    match = f"meta l4proto {{ tcp, udp }} {match}" if match.startswith("th") else match
    ruleset = refusing(match)
    packet = {"hook": "egress", "source": HOST[version], "destination": (V4 if version == 4 else V6)[0], "protocol": "tcp", "dport": 22}
    assert compare(wire, ruleset, [Packet.model_validate(packet | {"claimed": claimed, "oif": UPLINK})]) == 1


def test_a_rule_about_ports_does_not_stop_a_frame_that_claims_another_family() -> None:
    """What the comparison above means for a verdict: such a list of refusals is no seal."""
    ruleset = refusing("meta l4proto 0-255")
    model = Model.of(ruleset)
    honest = {"hook": "egress", "source": HOST[4], "destination": V4[0], "protocol": "tcp", "dport": 22, "oif": UPLINK}
    assert model.evaluate(Packet.model_validate(honest))[0] == "deny"
    assert model.evaluate(Packet.model_validate(honest | {"claimed": "ipv6"}))[0] == "allow"
    assert model.evaluate(Packet.model_validate(honest | {"fields": {"parsed": 0}}))[0] == "allow", "a broken header is not seen either"
