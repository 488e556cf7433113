"""One packet: the JSON a user gives, its fields, and its verdict.

A line of a packets file is an object; only ``destination`` (with ``protocol`` where it matters) is usual, the rest has defaults:

=============  =====================================================================================================================
``hook``       ``output`` (default: made by this host), ``forward``, ``input``, or ``egress`` (a raw frame of a packet socket)
``family``     ``ipv4``, ``ipv6``, ``arp`` or an EtherType number; default: that of the addresses
``protocol``   ``tcp`` (default), ``udp``, ``icmp``, ``icmpv6``, ``sctp``, ``dccp``, ``udplite``, ``gre``, ``esp``, ``igmp``, or a number
``source``     address; ``destination`` address
``sport``      source port, default 40000; ``dport`` (or ``port``) destination port
``iif``        name of the link it came by (forward, input); ``oif`` name of the link it leaves by; default: the uplink
``state``      ``new``, ``established``, ``related``, ``invalid``, ``untracked``; default: what connection tracking says of a first packet
``direction``  of the connection: ``original`` (default) or ``reply``
``icmp_type``, ``icmp_code``  numbers; default an echo request
``tcp_flags``  list of ``fin syn rst psh ack urg ecn cwr`` or a number; default ``["syn"]`` of a new packet, ``["ack"]`` of another
``fragment``   true for a fragment other than the first
``claimed``    for ``egress``: the protocol the packet socket claims (``ipv4``, ``ipv6``, ``arp`` or a number); default: the family
``fields``     overrides and further fields by our names (``curtilage.proof.fields.WIDTHS``), for example ``{"ip.ttl": 64}``
``id``         anything; it is ignored
=============  =====================================================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from curtilage.proof.fields import CT_STATES, ETHERTYPE, L4, NEW_ICMP, NEW_ICMPV6, UNTRACKED_ICMPV6, WIDTHS

Hook = Literal["output", "forward", "input", "egress"]
FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128}
FAMILY = {"ipv4": ETHERTYPE["ip"], "ipv6": ETHERTYPE["ip6"], "arp": ETHERTYPE["arp"], "ip": ETHERTYPE["ip"], "ip6": ETHERTYPE["ip6"]}
NEIGHBOURS = range(133, 138)
"""ICMPv6 types that are sent with hop limit 255 (RFC 4861)."""
PATHS: dict[str, tuple[str, ...]] = {
    "output": ("output", "postrouting", "egress"),
    "forward": ("ingress", "prerouting", "forward", "postrouting", "egress"),
    "input": ("ingress", "prerouting", "input"),
    "egress": ("egress",),
}
"""The hooks a packet passes, in order, by where it starts."""

Port = Annotated[int, Field(ge=0, le=65535)]
Byte = Annotated[int, Field(ge=0, le=255)]
EtherType = Annotated[int, Field(ge=0, le=65535)]


class Packet(BaseModel):
    """A packet as a user writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    id: Any = None
    hook: Hook = "output"
    family: Literal["ipv4", "ipv6", "arp"] | EtherType | None = None
    protocol: str | Byte | None = None
    source: IPv4Address | IPv6Address | None = Field(default=None, validation_alias=AliasChoices("source", "src", "saddr"))
    destination: IPv4Address | IPv6Address | None = Field(default=None, validation_alias=AliasChoices("destination", "dst", "daddr"))
    sport: Port = 40000
    dport: Port | None = Field(default=None, validation_alias=AliasChoices("dport", "port"))
    iif: str | None = None
    oif: str | None = None
    state: Literal["new", "established", "related", "invalid", "untracked"] | None = None
    direction: Literal["original", "reply"] = "original"
    icmp_type: Byte | None = None
    icmp_code: Byte = 0
    tcp_flags: tuple[Literal["fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"], ...] | Byte | None = None
    fragment: bool = False
    claimed: Literal["ipv4", "ipv6", "arp"] | EtherType | None = None
    fields: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_one_packet(self) -> Self:
        if self.protocol_number is None:
            raise ValueError(f"protocol '{self.protocol}' is none of {', '.join(sorted(L4))} and no number")
        versions = {address.version for address in (self.source, self.destination) if address is not None}
        if len(versions) > 1:
            raise ValueError("source and destination are of different families")
        if versions and self.ethertype in (FAMILY["ipv4"], FAMILY["ipv6"]) and FAMILY[f"ipv{versions.pop()}"] != self.ethertype:
            raise ValueError(f"the addresses are not of family {self.family}")
        if self.ethertype in (FAMILY["ipv4"], FAMILY["ipv6"]) and self.destination is None:
            raise ValueError("an IP packet has a destination")
        unknown = sorted(set(self.fields) - set(WIDTHS))
        if unknown:
            raise ValueError(f"unknown fields {', '.join(unknown)}; known are {', '.join(sorted(WIDTHS))}")
        return self

    @property
    def ethertype(self) -> int:
        """The EtherType on the wire."""
        if isinstance(self.family, int):
            return self.family
        if self.family is not None:
            return FAMILY[self.family]
        address = self.destination or self.source
        return FAMILY[f"ipv{address.version}"] if address is not None else FAMILY["ipv4"]

    @property
    def protocol_number(self) -> int | None:
        """The transport protocol's number; None for a name nobody knows."""
        if self.protocol is None:
            return L4["tcp"] if self.icmp_type is None else L4["icmpv6" if self.ethertype == FAMILY["ipv6"] else "icmp"]
        if isinstance(self.protocol, int):
            return self.protocol
        name = self.protocol.lower()
        if name == "icmp" and self.ethertype == FAMILY["ipv6"]:
            name = "icmpv6"
        return int(name) if name.isdigit() and int(name) < 256 else L4.get(name)

    def values(self, interfaces: Sequence[str], uplink: str) -> dict[str, int]:
        """The packet's fields. ``interfaces`` numbers links from 1; ``uplink`` is the link where the packet names none."""
        ethertype, protocol = self.ethertype, self.protocol_number or 0
        claimed = ethertype if self.claimed is None else self.claimed if isinstance(self.claimed, int) else FAMILY[self.claimed]
        found: dict[str, int] = {
            "wire": ethertype,
            "protocol": claimed,
            "parsed": int(claimed == ethertype),
            "fragment": int(self.fragment),
        }
        for link, known in (("iif", self.hook in ("forward", "input")), ("oif", self.hook in ("output", "forward", "egress"))):
            name = getattr(self, link) or (uplink if known else None)
            found[link] = 0 if name is None else interfaces.index(name) + 1 if name in interfaces else len(interfaces) + 1
        if ethertype in (FAMILY["ipv4"], FAMILY["ipv6"]):
            family = "ip" if ethertype == FAMILY["ipv4"] else "ip6"
            for side, address in (("saddr", self.source), ("daddr", self.destination)):
                if address is not None:
                    found[f"{family}.{side}"] = int(address)
            found["l4proto"] = protocol
            if family == "ip6":
                neighbours = protocol == L4["icmpv6"] and self.icmp_type in NEIGHBOURS
                found |= {"ip6.nexthdr": protocol, "ip6.hoplimit": 255 if neighbours else 64}
            else:
                found |= {"ip.frag-off": int(self.fragment), "ip.ttl": 64}
            found["meta.mark"] = 0
            found |= self._transport(protocol)
            found["ct.state"] = CT_STATES[self.state or self._first_state(protocol)]
            found["ct.direction"] = int(self.direction == "reply")
        return found | self.fields

    def _transport(self, protocol: int) -> dict[str, int]:
        if protocol in (L4["icmp"], L4["icmpv6"]):
            name, echo = ("icmp", 8) if protocol == L4["icmp"] else ("icmpv6", 128)
            return {f"{name}.type": echo if self.icmp_type is None else self.icmp_type, f"{name}.code": self.icmp_code}
        found = {"sport": self.sport}
        if self.dport is not None:
            found["dport"] = self.dport
        if protocol == L4["tcp"]:
            flags = self.tcp_flags
            if flags is None:
                found["tcp.flags"] = FLAGS["syn"] if self.state in (None, "new") else FLAGS["ack"]
            else:
                found["tcp.flags"] = flags if isinstance(flags, int) else sum(FLAGS[name] for name in set(flags))
        return found

    def _first_state(self, protocol: int) -> str:
        """What connection tracking says of a first packet; ICMP that cannot open a connection is invalid, or left untracked."""
        if protocol == L4["icmpv6"]:
            kind = 128 if self.icmp_type is None else self.icmp_type
            return "untracked" if kind in UNTRACKED_ICMPV6 else "new" if kind in NEW_ICMPV6 else "invalid"
        if protocol == L4["icmp"]:
            return "new" if self.icmp_type is None or self.icmp_type in NEW_ICMP else "invalid"
        return "new"
