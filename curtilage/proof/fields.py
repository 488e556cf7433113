"""The fields of a packet that rules may ask about: their widths, and when a packet has them.

Names are ours. ``protocol`` is what the kernel takes the packet for (``skb->protocol``); ``wire`` is the EtherType in the frame. They
differ only for frames of packet sockets, which may claim anything, and that difference is a way out (see ``derive/firewall.py``).
``parsed`` is whether the kernel found a header of the protocol it takes the packet for: at a link's own hooks it looks at the version,
and a frame that claims another family than it carries, or a broken one, has no transport protocol for any rule
(``nft_set_pktinfo_ipv4_validate``, ``nft_set_pktinfo_ipv6_validate`` of the kernel).
"""

from __future__ import annotations

from curtilage.proof.formula import FALSE, TRUE, All, Either, Formula, Not, equals, one_of

ETHERTYPE = {"ip": 0x0800, "arp": 0x0806, "ip6": 0x86DD}
L4 = {
    "icmp": 1,
    "igmp": 2,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": 58,
    "comp": 108,
    "sctp": 132,
    "udplite": 136,
}
WITH_PORTS = (6, 17, 33, 132, 136)
CT_INVALID, CT_ESTABLISHED, CT_RELATED, CT_NEW, CT_UNTRACKED = 1, 2, 4, 8, 64
CT_STATES = {"invalid": CT_INVALID, "established": CT_ESTABLISHED, "related": CT_RELATED, "new": CT_NEW, "untracked": CT_UNTRACKED}
UNTRACKED_ICMPV6 = (130, 131, 132, 133, 134, 135, 136, 143)
"""ICMPv6 types that connection tracking leaves alone: nf_conntrack_proto_icmpv6.c, ``noct_valid_new``."""
NEW_ICMP, NEW_ICMPV6 = (8, 13, 15, 17), (128, 139)
"""Types that can open a 'connection': the kernel's ``valid_new`` tables; any other unsolicited ICMP is invalid."""

WIDTHS: dict[str, int] = {
    "protocol": 16,
    "wire": 16,
    "parsed": 1,
    "ip.saddr": 32,
    "ip.daddr": 32,
    "ip6.saddr": 128,
    "ip6.daddr": 128,
    "l4proto": 8,
    "ip6.nexthdr": 8,
    "sport": 16,
    "dport": 16,
    "tcp.flags": 8,
    "icmp.type": 8,
    "icmp.code": 8,
    "icmpv6.type": 8,
    "icmpv6.code": 8,
    "fragment": 1,
    "ct.state": 8,
    "ct.direction": 1,
    "iif": 16,
    "oif": 16,
    "ip.frag-off": 16,
    "ip.dscp": 6,
    "ip.ecn": 2,
    "ip.hdrlength": 4,
    "ip.id": 16,
    "ip.length": 16,
    "ip.ttl": 8,
    "ip.checksum": 16,
    "ip6.dscp": 6,
    "ip6.ecn": 2,
    "ip6.flowlabel": 20,
    "ip6.length": 16,
    "ip6.hoplimit": 8,
    "tcp.sequence": 32,
    "tcp.ackseq": 32,
    "tcp.doff": 4,
    "tcp.window": 16,
    "tcp.checksum": 16,
    "tcp.urgptr": 16,
    "udp.length": 16,
    "udp.checksum": 16,
    "ether.saddr": 48,
    "ether.daddr": 48,
    "meta.mark": 32,
    "meta.skuid": 32,
    "meta.skgid": 32,
    "meta.priority": 32,
    "meta.length": 32,
    "meta.cgroup": 32,
    "meta.day": 8,
    "meta.hour": 32,
}

IS_IP, IS_IP6 = equals("protocol", ETHERTYPE["ip"]), equals("protocol", ETHERTYPE["ip6"])
IS_PARSED = All((Either((IS_IP, IS_IP6)), equals("parsed", 1)))
"""The kernel knows the transport protocol; without it loads of that protocol, and of its header, break and the rule does not match."""
FIRST_FRAGMENT = equals("fragment", 0)
"""A later fragment has no transport header, so the kernel's transport loads break and the rule does not match."""
TRACKED = Not(Either((one_of("ct.state", (0, CT_INVALID, CT_UNTRACKED)),)))


def transport(*protocols: int) -> Formula:
    """The packet has a transport header of one of some protocols."""
    return All((IS_PARSED, one_of("l4proto", protocols), FIRST_FRAGMENT))


def payload(protocol: str, name: str) -> tuple[str, Formula] | None:
    """The field a payload expression reads, and when a packet has it; None where the model has no such field."""
    if protocol == "ip":
        if name == "protocol":
            return "l4proto", IS_IP
        return (f"ip.{name}", IS_IP) if f"ip.{name}" in WIDTHS else None
    if protocol == "ip6":
        return (f"ip6.{name}", IS_IP6) if f"ip6.{name}" in WIDTHS else None
    if protocol == "th" and name in ("sport", "dport"):
        return name, transport(*WITH_PORTS)
    if protocol in ("tcp", "udp", "sctp", "dccp", "udplite") and name in ("sport", "dport"):
        return name, transport(L4[protocol])
    if protocol in ("tcp", "udp") and f"{protocol}.{name}" in WIDTHS:
        return f"{protocol}.{name}", transport(L4[protocol])
    if protocol in ("icmp", "icmpv6") and name in ("type", "code"):
        family = IS_IP if protocol == "icmp" else IS_IP6
        return f"{protocol}.{name}", All((family, transport(L4[protocol])))
    return None


def link(name: str, hook: str) -> tuple[str, Formula] | None:
    """A field of the link header. Locally made packets have none yet at inet hooks: there the load breaks."""
    if hook in ("output", "postrouting"):
        return ("wire", FALSE)
    return ("wire", TRUE) if name == "type" else ((f"ether.{name}", TRUE) if f"ether.{name}" in WIDTHS else None)
