"""The lab's wire: namespaces, the segment's bridge, an open edge and the way to the canaries.

Everything lives in namespaces whose names begin with ``curtilage-``. A pair of virtual links is created with both ends already in their
namespaces, so that not even for a moment the root namespace has a link, an address or a route of the lab. Addresses are static and IPv6
needs no router advertisement and no duplicate address detection: a probe must not fail because an address was still tentative.

The edge forwards everything, both families, and filters nothing: were it to stop a packet, a hole in the region's own controls would go
unseen. Behind it, the internet namespace is the destination of *every* address that is not the segment's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network
from pathlib import Path

from curtilage.region import Region
from lab.network_names import (
    BRIDGE,
    CANARY6,
    EDGE,
    EDGE_WAN,
    INTERNET,
    INTERNET_LINK,
    OPS,
    PREFIX,
    UPLINK,
    WAN_EDGE4,
    WAN_EDGE6,
    WAN_INTERNET4,
    WAN_INTERNET6,
)
from lab.shell import run

_QUIET_IPV6 = ("accept_ra=0", "accept_dad=0", "autoconf=0", "router_solicitations=0")


@dataclass(frozen=True, kw_only=True)
class Leg:
    """One namespace on the segment: a host's or the operator's."""

    namespace: str
    name: str
    ipv4: IPv4Interface
    ipv6: IPv6Interface | None


def namespace_of(host: str) -> str:
    """The namespace of a host."""
    return PREFIX + host


def legs(region: Region) -> tuple[Leg, ...]:
    """Every leg of the segment, hosts first; the operators share the ops namespace and its first operator's address."""
    segment = region.segment

    def leg(namespace: str, name: str, ipv4: object, ipv6: object | None) -> Leg:
        return Leg(
            namespace=namespace,
            name=name,
            ipv4=IPv4Interface(f"{ipv4}/{segment.ipv4.prefixlen}"),
            ipv6=IPv6Interface(f"{ipv6}/{segment.ipv6.prefixlen}") if ipv6 is not None and segment.ipv6 is not None else None,
        )

    hosts = tuple(leg(namespace_of(host.name), host.name, host.ipv4, host.ipv6) for host in region.hosts)
    operator = region.operators[0]
    return (*hosts, leg(OPS, "ops", operator.ipv4, operator.ipv6))


def existing() -> list[str]:
    """The lab's namespaces that are there now."""
    try:
        return sorted(path.name for path in Path("/run/netns").iterdir() if path.name.startswith(PREFIX))
    except FileNotFoundError:
        return []


def create(region: Region) -> None:
    """Make the whole wire. On failure what was made stays for `remove`, which removes whatever is there."""
    ends = legs(region)
    for namespace in (EDGE, INTERNET, *(end.namespace for end in ends)):
        add(namespace)
    _edge(region)
    for number, end in enumerate(ends):
        _attach(region, end, port=f"port{number}")
    segment = region.segment
    open_way_out(EDGE, INTERNET, behind=[segment.ipv4, *([segment.ipv6] if segment.ipv6 is not None else [])])


def add(namespace: str) -> None:
    """A network namespace whose links will have no IPv6 address but the ones given to them."""
    run(["ip", "netns", "add", namespace], step="lab network", fix="`curtilage lab stop` removes what an earlier lab left")
    sysctl(namespace, [f"net.ipv6.conf.{scope}.{key}" for scope in ("all", "default") for key in _QUIET_IPV6])


def remove() -> None:
    """Remove every namespace of the lab; its links go with it."""
    for namespace in existing():
        run(["ip", "netns", "delete", namespace], step="lab network")


def processes_inside(namespace: str) -> list[int]:
    """The processes whose network namespace this is: ours by definition, whoever started them."""
    return [int(pid) for pid in run(["ip", "netns", "pids", namespace], step="lab network").split()]


def _edge(region: Region) -> None:
    segment = region.segment
    lines = [
        "link set lo up",
        f"link add {BRIDGE} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
        f"address add {segment.router_ipv4}/{segment.ipv4.prefixlen} dev {BRIDGE}",
        f"link set {BRIDGE} promisc on up",
    ]
    if segment.ipv6 is not None and segment.router_ipv6 is not None:
        lines.append(f"address add {segment.router_ipv6}/{segment.ipv6.prefixlen} dev {BRIDGE} nodad")
    batch(EDGE, lines)


def _attach(region: Region, end: Leg, *, port: str) -> None:
    segment = region.segment
    batch(EDGE, [f"link add {port} type veth peer name {UPLINK} netns {end.namespace}", f"link set {port} master {BRIDGE} up"])
    lines = ["link set lo up", f"address add {end.ipv4} dev {UPLINK}"]
    if end.ipv6 is not None:
        lines.append(f"address add {end.ipv6} dev {UPLINK} nodad")
    lines += [f"link set {UPLINK} up", f"route add default via {segment.router_ipv4}"]
    if end.ipv6 is not None and segment.router_ipv6 is not None:
        lines.append(f"route add ::/0 via {segment.router_ipv6} dev {UPLINK}")
    batch(end.namespace, lines)


def open_way_out(edge: str, internet: str, *, behind: Sequence[IPv4Network | IPv6Network]) -> None:
    """A router that forwards everything, and behind it the namespace that every address outside leads to.

    The way back leads to the networks ``behind`` the router alone. A packet from any other source (a nested namespace, a forged address) is
    received and written down but not answered: with a default route back, the edge would return the answer to the canary, which would
    answer its own echo for ever.
    """
    sysctl(
        edge,
        ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0"],
    )
    batch(
        edge,
        [
            f"link add {EDGE_WAN} type veth peer name {INTERNET_LINK} netns {internet}",
            f"address add {WAN_EDGE4} peer {WAN_INTERNET4} dev {EDGE_WAN}",
            f"address add {WAN_EDGE6}/64 dev {EDGE_WAN} nodad",
            f"link set {EDGE_WAN} up",
            f"route add default via {WAN_INTERNET4}",
            f"route add ::/0 via {WAN_INTERNET6} dev {EDGE_WAN}",
        ],
    )
    sysctl(internet, ["net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0", "net.ipv4.icmp_ratelimit=0"])
    batch(
        internet,
        [
            "link set lo up",
            f"address add {WAN_INTERNET4} peer {WAN_EDGE4} dev {INTERNET_LINK}",
            f"address add {WAN_INTERNET6}/64 dev {INTERNET_LINK} nodad",
            f"address add {CANARY6}/128 dev {INTERNET_LINK} nodad",
            f"link set {INTERNET_LINK} up",
            *(f"route add {net} via {WAN_EDGE4 if net.version == 4 else WAN_EDGE6} dev {INTERNET_LINK}" for net in behind),
        ],
    )


def batch(namespace: str, lines: Iterable[str]) -> None:
    """Lines of ``ip -batch`` in a namespace."""
    run(["ip", "-netns", namespace, "-batch", "-"], step=f"lab network: {namespace}", stdin="\n".join(lines) + "\n")


def sysctl(namespace: str, settings: Iterable[str]) -> None:
    """Kernel settings of a namespace."""
    run(["ip", "netns", "exec", namespace, "sysctl", "-q", "-w", *settings], step=f"lab network: {namespace}")
