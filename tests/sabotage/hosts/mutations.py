"""The corpus for hosts: each entry breaks, or harmlessly changes, one thing of a host's planned ruleset, or of the plan around it.

``SABOTAGE`` maps a name to a change of the gateway host's text; ``BENIGN`` to one after which nothing can leave either. ``PLANS`` break the
plan around the rulesets: what is missing, or said of another host.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

HOST = "gw-1"
Change = Callable[[str], str]

OUT_END = '\t\tmeta nfproto ipv4 counter name "output_drop_ip4"\n\t\tmeta nfproto ipv6 counter name "output_drop_ip6"\n\t\tcounter name "output_drop" drop\n\t}\n}'  # noqa: E501 -- the text as it is
OUT = 'ct state invalid goto output_refused comment "of no connection"'
IN = 'ct state invalid goto input_refused comment "of no connection"'
FORWARD = 'ct state invalid goto forward_refused comment "of no connection"'
NETDEV_END = '\t\tcounter name "netdev_drop" drop'
NETDEV4 = "@ll,96,16 0x0800 ip daddr 192.0.2.0/24 accept"
NETDEV6 = "@ll,96,16 0x86dd ip6 daddr 2001:db8:1::/64 accept"


def swap(old: str, new: str, *, count: int = 1) -> Change:
    """Replace a text that must be there."""

    def change(text: str) -> str:
        assert old in text, f"the change must hit: {old}"
        return text.replace(old, new, count)

    return change


def after(anchor: str, *rules: str) -> Change:
    """Put rules behind one that must be there."""
    return swap(anchor, "\n\t\t".join((anchor, *rules)))


def end(*rules: str) -> Change:
    """Put rules before the final drops of the output chain."""
    return swap(OUT_END, "".join(f"\t\t{rule}\n" for rule in rules) + OUT_END)


def netdev(*rules: str) -> Change:
    """Put rules before the final drop of the egress chain."""
    return swap(NETDEV_END, "".join(f"\t\t{rule}\n" for rule in rules) + NETDEV_END)


def both(*changes: Change) -> Change:
    """One after the other."""

    def change(text: str) -> str:
        for item in changes:
            text = item(text)
        return text

    return change


WIDE4 = swap(NETDEV4, "@ll,96,16 0x0800 accept")
WIDE6 = swap(NETDEV6, "@ll,96,16 0x86dd accept")
WIDE = both(WIDE4, WIDE6)


def without_table(name: str) -> Change:
    """Take a table out, from its declaration to its closing brace."""

    def change(text: str) -> str:
        begin = text.index(f"table {name}\n")
        finish = text.index("\n}\n", text.index(f"table {name} {{")) + 3
        return text[:begin] + text[finish:]

    return change


SABOTAGE: dict[str, Change] = {
    # The inet chains.
    "output policy accept without the final drop": both(
        swap("hook output priority filter; policy drop;", "hook output priority filter; policy accept;"),
        swap(OUT_END, "\t}\n}"),
    ),
    "output accepts everything": after(OUT, "accept"),
    "output accepts everything on the uplink": after(OUT, 'oifname "host0" accept'),
    "output accepts established connections of any kind": both(
        after(IN, "ct state new accept"), after(OUT, "ct state established accept"), WIDE
    ),
    "output accepts HTTPS to anywhere": both(end("tcp dport 443 accept"), WIDE),
    "output accepts names of any resolver": both(end("udp dport 53 accept"), WIDE),
    "output accepts time of any server": both(end("udp dport 123 accept"), WIDE),
    "output accepts QUIC": both(end("udp dport 443 accept"), WIDE),
    "output accepts ICMP": both(end("meta l4proto icmp accept"), WIDE4),
    "output accepts ICMPv6 of every kind": both(end("meta l4proto icmpv6 accept"), WIDE6),
    "output accepts SCTP": both(end("meta l4proto sctp accept"), WIDE),
    "output accepts GRE": both(end("meta l4proto gre accept"), WIDE),
    "output accepts one foreign address": both(end("ip daddr 203.0.113.7 accept"), WIDE4),
    "output accepts the metadata service": both(end("ip daddr 169.254.169.254 tcp dport 80 accept"), WIDE4),
    "output accepts a foreign prefix by a set": both(end("ip daddr { 192.0.2.0/24, 198.51.100.0/24 } accept"), WIDE4),
    "output accepts a range that reaches past the segment": both(end("ip daddr 192.0.2.0-192.0.3.255 accept"), WIDE4),
    "output accepts every port of a negated set": both(end("tcp dport != { 22, 25 } accept"), WIDE),
    "output accepts a source nobody checks": both(end("ip saddr 192.0.2.21 accept"), WIDE4),
    "output accepts IPv6 alone": both(end("meta nfproto ipv6 accept"), WIDE6),
    "output jumps to a chain that accepts": both(
        swap("\tchain output {", "\tchain helper {\n\t\ttcp dport 8443 accept\n\t}\n\n\tchain output {"), end("jump helper"), WIDE
    ),
    "output accepts by a verdict map": both(end("tcp dport vmap { 80 : accept, 8080 : drop }"), WIDE),
    "output accepts by a user": both(end("meta skuid 0 accept"), WIDE),
    "output accepts by a mark": both(end("meta mark 0x1 accept"), WIDE),
    "output accepts at a rate": both(end("limit rate 1/minute accept"), WIDE),
    "output accepts what a set learns": both(
        swap("\tcounter forward_drop { }", "\tset learned {\n\t\ttype ipv4_addr\n\t\tflags dynamic\n\t}\n\tcounter forward_drop { }"),
        end("ip daddr @learned accept"),
        WIDE4,
    ),
    "output table of one family": swap("table inet curtilage", "table ip curtilage", count=3),
    "output chain on another hook": swap("type filter hook output priority filter", "type filter hook prerouting priority filter"),
    "forward accepts": after(FORWARD, "accept"),
    "forward accepts the segment's machines": both(after(FORWARD, "ip saddr 192.0.2.0/24 accept"), WIDE4),
    "forward accepts established and new from inside": both(after(FORWARD, "ct state new,established accept"), WIDE),
    "forward chain taken out": both(
        swap("type filter hook forward priority filter; policy drop;", "type filter hook forward priority filter; policy accept;"),
        swap('\t\tcounter name "forward_drop" drop\n\t}\n\n\tchain output_refused', "\t}\n\n\tchain output_refused"),
        swap(FORWARD, "meta length > 0 counter"),
    ),
    # What comes in, and so can be answered.
    "input accepts anyone's HTTPS": after(IN, "tcp dport 443 accept"),
    "input accepts anyone's ssh": after(IN, "tcp dport 22 ct state new accept"),
    "input policy accept": both(
        swap("hook input priority filter; policy drop;", "hook input priority filter; policy accept;"),
        swap('\t\tcounter name "input_drop" drop\n\t}\n\n\tchain forward_refused', "\t}\n\n\tchain forward_refused"),
    ),
    # Frames.
    "egress chain taken out": without_table("netdev curtilage_raw"),
    "egress policy accept without the final drop": both(
        swap('device "host0" priority filter; policy drop;', 'device "host0" priority filter; policy accept;'), swap(NETDEV_END + "\n", "")
    ),
    "egress of another link": swap('device "host0"', 'device "host1"'),
    "egress trusts the claimed protocol": both(
        swap("@ll,96,16 0x0800 ip daddr", "ip daddr"), swap("@ll,96,16 0x86dd ip6 daddr 2001", "ip6 daddr 2001")
    ),
    "egress accepts every IPv4": WIDE4,
    "egress accepts every IPv6": WIDE6,
    "egress accepts an odd EtherType": netdev("@ll,96,16 0x88b5 accept"),
    "egress accepts discovery with every ICMPv6 type": swap(
        "ip6 daddr { fe80::/10, ff02::1:ff00:0/104 } icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255",
        "icmpv6 type { nd-neighbor-solicit, echo-request }",
    ),
    "egress accepts multicast": netdev("@ll,96,16 0x0800 ip daddr 224.0.0.0/4 accept"),
    "egress accepts a wider segment": swap("0x0800 ip daddr 192.0.2.0/24", "0x0800 ip daddr 192.0.0.0/16"),
    # Rewriting, and what runs before.
    "a nat table sends the segment's packets elsewhere": lambda text: (
        text + "table ip nat {\n\tchain output {\n\t\ttype nat hook output priority -100; policy accept;\n"
        "\t\tip daddr 192.0.2.41 dnat to 203.0.113.9\n\t}\n}\n"
    ),
    "an earlier chain rewrites the destination": lambda text: (
        text + "table ip early {\n\tchain output {\n\t\ttype route hook output priority mangle; policy accept;\n"
        "\t\tip daddr 192.0.2.41 ip daddr set 203.0.113.9\n\t}\n}\n"
    ),
    "an empty file": lambda _: "",
    "a flush behind the rules": lambda text: text + "flush ruleset\n",
}

BENIGN: dict[str, Change] = {
    "nothing changes": lambda text: text,
    "rules in another order": lambda text: _reordered(text),
    "a set where an address stood": swap("ip daddr 192.0.2.41 udp dport 123", "ip daddr { 192.0.2.41 } udp dport 123"),
    "a comment more": after(OUT, 'counter comment "counted"'),
    "a drop more in front": swap('oifname "lo" accept comment "loopback"', 'ip daddr 203.0.113.0/24 drop\n\t\toifname "lo" accept'),
    "a reject instead of silence": end("ip daddr 203.0.113.0/24 tcp dport 443 reject with tcp reset"),
    "one flow less": swap('accept comment "flow:checkpoints"', 'counter comment "flow:checkpoints"'),
    "a narrower port": swap("udp dport 123 ct direction original", "udp sport 1024-65535 udp dport 123 ct direction original"),
    "an earlier table that accepts": lambda text: (
        text + "table inet early {\n\tchain output {\n\t\ttype filter hook output priority -300; policy accept;\n\t\taccept\n\t}\n}\n"
    ),
    "a log before the drop": end('ip daddr 203.0.113.0/24 log prefix "out "'),
    "a chain nobody jumps to": swap("\tchain output {", "\tchain idle {\n\t\taccept\n\t}\n\n\tchain output {"),
    "counters without names": end("meta nfproto ipv4 counter"),
}


def _reordered(text: str) -> str:
    lines = text.splitlines(keepends=True)
    places = [
        n
        for n, line in enumerate(lines)
        if 'comment "flow:' in line and "daddr" in line and n > text[: text.index("chain output {")].count("\n")
    ]
    for a, b in zip(places, sorted(places, key=lambda n: lines[n], reverse=True), strict=True):
        if a < b:
            lines[a], lines[b] = lines[b], lines[a]
    return "".join(lines)


def _firewalls(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for step in plan["steps"] if step["newState"]["type"].endswith(":EgressFirewall")]


def _lose(plan: dict[str, Any]) -> None:
    plan["steps"].remove(_firewalls(plan)[0])


def _empty(plan: dict[str, Any]) -> None:
    _firewalls(plan)[0]["newState"]["inputs"]["ruleset"] = ""


def _unknown(plan: dict[str, Any]) -> None:
    _firewalls(plan)[0]["newState"]["inputs"]["ruleset"] = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def _secret(plan: dict[str, Any]) -> None:
    _firewalls(plan)[0]["newState"]["inputs"]["ruleset"] = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"}


def _swapped(plan: dict[str, Any]) -> None:
    first, second = _firewalls(plan)[:2]
    first["newState"]["inputs"]["host"] = second["newState"]["inputs"]["host"]


def _expired(plan: dict[str, Any]) -> None:
    inputs = _firewalls(plan)[0]["newState"]["inputs"]
    inputs["allowances"] = [
        {"id": "old", "owner": "Legal", "reason": "was needed for a migration once", "from_role": inputs["role"], "protocol": "tcp",
         "destination": "203.0.113.7/32", "ports": [443], "expires": "2020-01-01"}
    ]  # fmt: skip


def _public(plan: dict[str, Any]) -> None:
    segment = next(step for step in plan["steps"] if step["newState"]["type"].endswith(":LegalSegment"))
    segment["newState"]["inputs"]["networks"].append("8.8.8.0/24")


def _tunnel(plan: dict[str, Any]) -> None:
    urn = "urn:pulumi:lab::curtilage::curtilage:hosts:Tunnel::tunnel"
    plan["steps"].append({"op": "create", "urn": urn, "newState": {"urn": urn, "type": "curtilage:hosts:Tunnel", "inputs": {}}})


PLANS: dict[str, Callable[[dict[str, Any]], None]] = {
    "a host without a firewall": _lose,
    "a firewall without rules": _empty,
    "a ruleset that is not known": _unknown,
    "a ruleset that is a secret": _secret,
    "two firewalls for one host": _swapped,
    "an allowance that has expired": _expired,
    "a public network called a segment": _public,
    "a resource of a type nobody knows": _tunnel,
}
