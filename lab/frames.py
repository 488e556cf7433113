"""What the sniffers make of a frame: who, to whom, which protocol, and which probe's UUID it carries."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

_UUID = re.compile(rb"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 41: "ip6-in-ip", 47: "gre", 50: "esp", 58: "icmpv6", 132: "sctp"}
_EXTENSIONS = {0, 43, 60, 135}
_FRAGMENT = 44
_ICMPV6_HOUSEKEEPING = {130, 131, 132, 133, 134, 135, 136, 143}


def uuids_in(data: bytes) -> list[str]:
    """Every UUID in a payload, with or without dashes and in either case, in its usual spelling."""
    return sorted({_spelling(match.group()) for match in _UUID.finditer(data)})


def _spelling(raw: bytes) -> str:
    text = raw.decode().replace("-", "").lower()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _pattern(body: bytes) -> list[str]:
    """The UUID that ``ping -p`` carries: its 16 octets repeated after an 8-octet header and a 16-octet time stamp."""
    octets = body[24:40]
    if len(octets) < 16 or octets != body[40:56] or octets[6] >> 4 != 4 or octets[8] >> 6 != 2:
        return []
    return [_spelling(octets.hex().encode())]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One received frame."""

    family: str  # "ip4", "ip6", or "link" for a frame that is neither
    protocol: str
    source: str
    destination: str
    port: int | None
    uuids: list[str]
    size: int
    flags: str = ""
    housekeeping: bool = False  # neighbour discovery and group membership: a link's own noise

    @property
    def address(self) -> IPv4Address | IPv6Address:
        """The destination; only for the two IP families."""
        return IPv4Address(self.destination) if self.family == "ip4" else IPv6Address(self.destination)

    def record(self) -> dict[str, Any]:
        """The log's fields."""
        fields = ("family", "protocol", "source", "destination", "port", "uuids", "size")
        return {name: getattr(self, name) for name in fields} | ({"flags": self.flags} if self.flags else {})


def parse(frame: bytes) -> Seen:
    """Read an Ethernet frame; what cannot be read is reported as a frame of its type, never dropped."""
    if len(frame) < 14:
        return _link(frame, "runt")
    kind = int.from_bytes(frame[12:14], "big")
    body = frame[14:]
    if kind == 0x0800 and len(body) >= 20 and body[0] >> 4 == 4:
        return _ip4(body)
    if kind == 0x86DD and len(body) >= 40 and body[0] >> 4 == 6:
        return _ip6(body)
    return _link(frame, "arp" if kind == 0x0806 else f"0x{kind:04x}")


def _link(frame: bytes, protocol: str) -> Seen:
    return Seen(
        family="link",
        protocol=protocol,
        source=frame[6:12].hex(":"),
        destination=frame[:6].hex(":"),
        port=None,
        uuids=uuids_in(frame),
        size=len(frame),
    )


def _ip4(packet: bytes) -> Seen:
    number, source, destination = packet[9], IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
    fragment = struct.unpack("!H", packet[6:8])[0] & 0x1FFF
    body = packet[(packet[0] & 0xF) * 4 :]
    return _transport("ip4", number, str(source), str(destination), body, len(packet), fragment > 0)


def _ip6(packet: bytes) -> Seen:
    number, source, destination, body = packet[6], IPv6Address(packet[8:24]), IPv6Address(packet[24:40]), packet[40:]
    fragmented = False
    for _ in range(8):  # more extension headers than any real packet has
        if number in _EXTENSIONS and len(body) >= 8:
            number, body = body[0], body[(body[1] + 1) * 8 :]
        elif number == _FRAGMENT and len(body) >= 8:
            fragmented = fragmented or struct.unpack("!H", body[2:4])[0] & 0xFFF8 != 0
            number, body = body[0], body[8:]
        else:
            break
    return _transport("ip6", number, str(source), str(destination), body, len(packet), fragmented)


def _transport(family: str, number: int, source: str, destination: str, body: bytes, size: int, later_fragment: bool) -> Seen:
    protocol = _PROTOCOLS.get(number, f"ip-{number}")
    port, flags = None, ""
    if later_fragment:
        flags = "fragment"
    elif protocol in ("tcp", "udp", "sctp") and len(body) >= 4:
        port = int.from_bytes(body[2:4], "big")
        if protocol == "tcp" and len(body) >= 14:
            flags = "".join(name for bit, name in enumerate("FSRPAU") if body[13] >> bit & 1)
    housekeeping = protocol == "igmp" or (protocol == "icmpv6" and body[:1] != b"" and body[0] in _ICMPV6_HOUSEKEEPING)
    return Seen(
        family=family,
        protocol=protocol,
        source=source,
        destination=destination,
        port=port,
        uuids=uuids_in(body) + (_pattern(body) if protocol in ("icmp", "icmpv6") else []),
        size=size,
        flags=flags,
        housekeeping=housekeeping,
    )
