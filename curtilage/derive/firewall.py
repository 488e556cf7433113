"""The nftables ruleset of a host: the very text that is planned, proved, loaded and evidenced.

Shape (names are the contract of docs/architecture.md):

* ``table inet curtilage`` drops on input, forward and output. A rule accepts one flow in one direction: the client's packets by
  connection direction ``original``, the server's by ``reply``. There is no blanket ``established`` rule, so a connection that outlives a
  change of the ruleset dies with the flow it used, and a reply can only go to a peer that a flow names.
* ``table netdev curtilage_raw`` drops on the uplink's egress: it alone sees frames of packet sockets, which pass no inet hook.

Three reasons the text looks as it does:

* The file replaces its tables in one transaction (declare, delete, define): there is no moment without a ruleset, and a first load works.
* The egress chain reads the EtherType from the frame (``@ll,96,16``). ``ip daddr`` alone would trust the protocol a packet socket *claims*:
  an IPv6 frame sent with ``sll_protocol`` IPv4 is then read at the IPv4 offset, which lies in its source address, and leaves.
* ICMPv6 is accepted for neighbour discovery alone, with hop limit 255, so not one router away. Listener reports (MLD) are not: a switch
  that does not snoop needs none. ICMP errors are dropped as well: they would carry text between hosts that no flow joins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from curtilage.allowance import Allowance
from curtilage.derive.flows import INFERENCE_PORT, Flow, address, flows, machine
from curtilage.region import Host, Region

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UPLINK = "host0"
"""The one link of a host that leaves it."""

TABLE = "curtilage"
RAW_TABLE = "curtilage_raw"
SOLICITED_NODES = IPv6Network("ff02::1:ff00:0/104")
LINK_LOCAL = IPv6Network("fe80::/10")
VERSIONS = (4, 6)

_FAMILY = {4: "ip", 6: "ip6"}
_ETHERTYPE = {4: "0x0800", 6: "0x86dd"}
_DISCOVERY = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255"


def counters(chain: str) -> tuple[str, ...]:
    """The named counters of a chain of ``table inet curtilage``, as probes read them."""
    named = [f"{chain}_drop", f"{chain}_drop_ip4", f"{chain}_drop_ip6"]
    return tuple([*named, "input_drop_vllm"] if chain == "input" else named)


def render_ruleset(region: Region, host: Host) -> str:
    """The complete /etc/nftables.conf of a host.

    Args:
        region: the region the host is part of.
        host: one of its hosts.

    Returns:
        The text, the same for the same region; rules one a line, sorted within their purpose, each naming its flow.
    """
    every = flows(region)
    client = [flow for flow in every if flow.client == host.name]
    server = [flow for flow in every if flow.server == host.name]
    allowances = sorted(
        (item for item in region.allowances if item.from_role == host.role),
        key=lambda item: item.id,
    )
    names = [name for chain in ("forward", "input", "output") for name in counters(chain)]
    lines = [
        "#!/usr/sbin/nft -f",
        f"# Host {host.name} ({host.role}) of region {region.name}. Derived; do not edit.",
        "",
        f"table inet {TABLE}",
        f"delete table inet {TABLE}",
        f"table inet {TABLE} {{",
        *(f"\tcounter {name} {{ }}" for name in sorted(names)),
        "",
        *_chain("input", _input_rules(region, host, client, server, allowances)),
        "",
        *_chain("forward", []),
        "",
        *_chain("output", _output_rules(region, host, client, server, allowances)),
        "}",
        "",
        f"table netdev {RAW_TABLE}",
        f"delete table netdev {RAW_TABLE}",
        f"table netdev {RAW_TABLE} {{",
        "\tcounter netdev_drop { }",
        "",
        "\tchain egress {",
        f'\t\ttype filter hook egress device "{UPLINK}" priority filter; policy drop;',
        *(f"\t\t{rule}" for rule in _raw_rules(region, host, allowances)),
        '\t\tcounter name "netdev_drop" drop',
        "\t}",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _chain(name: str, rules: Iterable[str]) -> list[str]:
    """A base chain whose policy drops, reached only through the counted drop at its end.

    A packet that connection tracking calls invalid is refused before any rule of a flow, and counted like every other refusal.
    """
    refusal = [f'meta nfproto ipv{version} counter name "{name}_drop_ip{version}"' for version in VERSIONS]
    if name == "input":
        refusal.insert(0, f'tcp dport {INFERENCE_PORT} counter name "input_drop_vllm"')
    refusal.append(f'counter name "{name}_drop" drop')
    accepted = list(rules)
    return [
        f"\tchain {name}_refused {{",
        *(f"\t\t{rule}" for rule in refusal),
        "\t}",
        "",
        f"\tchain {name} {{",
        f"\t\ttype filter hook {name} priority filter; policy drop;",
        *(f"\t\t{rule}" for rule in accepted[:1]),
        f'\t\tct state invalid goto {name}_refused comment "of no connection"',
        *(f"\t\t{rule}" for rule in accepted[1:]),
        *(f"\t\t{rule}" for rule in refusal),
        "\t}",
    ]


def _output_rules(
    region: Region,
    host: Host,
    client: Sequence[Flow],
    server: Sequence[Flow],
    allowances: Sequence[Allowance],
) -> list[str]:
    rules = ['oifname "lo" accept comment "loopback"']
    for version in VERSIONS:
        own, family = address(host, version), _FAMILY[version]
        if own is None:
            continue
        for flow, peers in _grouped(region, client, version, "server"):
            match = f"{family} saddr {own} {family} daddr {_set(peers)} {flow.protocol} dport {flow.port}"
            rules.append(f'{match} ct direction original ct state established,new accept comment "flow:{flow.name}"')
        for flow, peers in _grouped(region, server, version, "client"):
            match = f"{family} saddr {own} {family} daddr {_set(peers)} {flow.protocol} sport {flow.port}"
            rules.append(f'{match} ct direction reply ct state established accept comment "reply:{flow.name}"')
        for item in _of_version(allowances, version):
            match = f"{family} saddr {own} {family} daddr {_text(item.destination)} {item.protocol} dport {_set(sorted(item.ports))}"
            rules.append(f'{match} ct direction original ct state established,new accept comment "allowance:{item.id}"')
    segment = region.segment_of(host)
    if segment.ipv6 is not None:
        scope = _set([segment.ipv6, LINK_LOCAL, SOLICITED_NODES])
        rules.append(f'ip6 daddr {scope} {_DISCOVERY} accept comment "neighbour discovery"')
    return rules


def _input_rules(
    region: Region,
    host: Host,
    client: Sequence[Flow],
    server: Sequence[Flow],
    allowances: Sequence[Allowance],
) -> list[str]:
    rules = ['iifname "lo" accept comment "loopback"']
    for version in VERSIONS:
        own, family = address(host, version), _FAMILY[version]
        if own is None:
            continue
        for flow, peers in _grouped(region, server, version, "client"):
            match = f"{family} saddr {_set(peers)} {family} daddr {own} {flow.protocol} dport {flow.port}"
            rules.append(f'{match} ct direction original ct state established,new accept comment "flow:{flow.name}"')
        for flow, peers in _grouped(region, client, version, "server"):
            match = f"{family} saddr {_set(peers)} {family} daddr {own} {flow.protocol} sport {flow.port}"
            rules.append(f'{match} ct direction reply ct state established accept comment "reply:{flow.name}"')
        for item in _of_version(allowances, version):
            match = f"{family} saddr {_text(item.destination)} {family} daddr {own} {item.protocol} sport {_set(sorted(item.ports))}"
            rules.append(f'{match} ct direction reply ct state established accept comment "allowance:{item.id}"')
    segment = region.segment_of(host)
    if segment.ipv6 is not None:
        # The unspecified source is a neighbour checking that its address is free.
        scope = _set([IPv6Network("::/128"), segment.ipv6, LINK_LOCAL])
        rules.append(f'ip6 saddr {scope} {_DISCOVERY} accept comment "neighbour discovery"')
    return rules


def _raw_rules(region: Region, host: Host, allowances: Sequence[Allowance]) -> list[str]:
    rules = ['@ll,96,16 0x0806 accept comment "address resolution"']
    for version in VERSIONS:
        if address(host, version) is None:
            continue
        frame, family = f"@ll,96,16 {_ETHERTYPE[version]}", _FAMILY[version]
        networks = [network for segment in region.segments.values() for network in segment.networks if network.version == version]
        rules.append(f'{frame} {family} daddr {_set(networks)} accept comment "segments"')
        if version == 6:
            rules.append(f'{frame} ip6 daddr {_set([LINK_LOCAL, SOLICITED_NODES])} {_DISCOVERY} accept comment "neighbour discovery"')
        for item in _of_version(allowances, version):
            match = f"{frame} {family} daddr {_text(item.destination)} {item.protocol} dport {_set(sorted(item.ports))}"
            rules.append(f'{match} accept comment "allowance:{item.id}"')
    return rules


def _grouped(region: Region, some: Sequence[Flow], version: int, peer: str) -> list[tuple[Flow, list[Address]]]:
    """Flows of one service as one rule: a representative flow and the sorted addresses of the peers at the other end."""
    groups: dict[tuple[str, str, int], list[Flow]] = defaultdict(list)
    for flow in some:
        groups[flow.name, flow.protocol, flow.port].append(flow)
    result: list[tuple[Flow, list[Address]]] = []
    for key in sorted(groups):
        found = [address(machine(region, getattr(flow, peer)), version) for flow in groups[key]]
        peers = [item for item in found if item is not None]
        if peers:
            result.append((groups[key][0], peers))
    return result


def _of_version(allowances: Sequence[Allowance], version: int) -> list[Allowance]:
    return [item for item in allowances if item.destination.version == version]


def _set(items: Sequence[Address] | Sequence[Network] | Sequence[int]) -> str:
    """One value plain, several as an anonymous set in ascending order."""
    ordered = sorted(set(items))
    text = [_text(item) for item in ordered]
    return text[0] if len(text) == 1 else "{ " + ", ".join(text) + " }"


def _text(item: object) -> str:
    single = isinstance(item, IPv4Network | IPv6Network) and item.prefixlen == item.max_prefixlen
    return str(item).split("/", 1)[0] if single else str(item)
