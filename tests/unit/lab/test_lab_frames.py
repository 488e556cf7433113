"""What a sniffer makes of a frame: a mark that is missed here is a leak that is not seen."""

from __future__ import annotations

import struct
import uuid
from ipaddress import IPv4Address, IPv6Address

import pytest

from lab.canary import outside
from lab.frames import parse, uuids_in

MARK = "6f2b1c1e-89ab-4cde-8f01-23456789abcd"


def ethernet(kind: int, body: bytes) -> bytes:
    return b"\xff" * 6 + b"\x02" * 6 + kind.to_bytes(2, "big") + body


def ip4(protocol: int, body: bytes, *, destination: str = "203.0.113.9", fragment: int = 0, options: bytes = b"") -> bytes:
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, words * 4 + len(body), 0, fragment, 64, protocol, 0)
    return ethernet(0x0800, head + IPv4Address("192.0.2.11").packed + IPv4Address(destination).packed + options + body)


def ip6(following: int, body: bytes, *, destination: str = "2001:db8:f::9") -> bytes:
    head = struct.pack("!IHBB", 6 << 28, len(body), following, 64)
    return ethernet(0x86DD, head + IPv6Address("2001:db8:1::11").packed + IPv6Address(destination).packed + body)


def udp(payload: bytes, port: int = 443) -> bytes:
    return struct.pack("!HHHH", 40000, port, 8 + len(payload), 0) + payload


@pytest.mark.parametrize("spelling", [MARK, MARK.upper(), MARK.replace("-", "")])
def test_a_mark_is_found_in_every_spelling(spelling: str) -> None:
    assert uuids_in(f"xx{spelling}yy".encode() if "-" in spelling else f"x-{spelling}-y".encode()) == [MARK]


def test_two_marks_in_one_payload_are_both_found() -> None:
    other = str(uuid.uuid4())
    assert set(uuids_in(f"{MARK} {other}".encode())) == {MARK, other}


def test_text_without_a_mark_has_none() -> None:
    assert uuids_in(b"the court of appeal, 12345678-1234") == []


def test_a_datagram_is_read_with_its_real_destination() -> None:
    seen = parse(ip4(17, udp(MARK.encode(), 4500)))
    assert (seen.family, seen.protocol, seen.source, seen.destination, seen.port) == ("ip4", "udp", "192.0.2.11", "203.0.113.9", 4500)
    assert seen.uuids == [MARK]


def test_ipv4_options_do_not_hide_the_port() -> None:
    assert parse(ip4(17, udp(MARK.encode()), options=b"\x01" * 8)).port == 443


def test_ipv6_extension_headers_do_not_hide_the_datagram() -> None:
    hop_by_hop = bytes([60, 0]) + bytes(6)
    destination_options = bytes([17, 0]) + bytes(6)
    seen = parse(ip6(0, hop_by_hop + destination_options + udp(MARK.encode())))
    assert (seen.protocol, seen.port, seen.uuids) == ("udp", 443, [MARK])


def test_a_later_fragment_has_no_port_but_its_mark_is_read() -> None:
    seen = parse(ip4(17, MARK.encode(), fragment=185))
    assert (seen.port, seen.flags, seen.uuids) == (None, "fragment", [MARK])
    header = struct.pack("!BBHI", 17, 0, 185 << 3, 7)
    seen = parse(ip6(44, header + MARK.encode()))
    assert (seen.protocol, seen.port, seen.uuids) == ("udp", None, [MARK])


def test_an_unknown_protocol_is_named_by_its_number() -> None:
    assert parse(ip4(253, MARK.encode())).protocol == "ip-253"
    assert parse(ip6(253, MARK.encode())).protocol == "ip-253"


def test_an_unknown_frame_is_reported_not_dropped() -> None:
    seen = parse(ethernet(0x88B5, MARK.encode()))
    assert (seen.family, seen.protocol, seen.uuids) == ("link", "0x88b5", [MARK])


@pytest.mark.parametrize("length", range(60))
def test_a_cut_off_frame_is_never_an_error(length: int) -> None:
    for whole in (ip4(17, udp(MARK.encode())), ip6(0, bytes([44, 9]) + udp(MARK.encode())), ip4(1, bytes(60))):
        assert parse(whole[:length]).size > 0 or length == 0


def test_the_pattern_of_an_echo_request_is_read() -> None:
    octets = uuid.UUID(MARK).bytes
    seen = parse(ip4(1, b"\x08\0\0\0\0\0\0\0" + bytes(16) + octets * 3))
    assert seen.uuids == [MARK]
    assert parse(ip4(1, b"\x08\0\0\0\0\0\0\0" + bytes(16) + bytes(48))).uuids == []


def test_neighbour_discovery_is_housekeeping_and_an_echo_is_not() -> None:
    assert parse(ip6(58, bytes([135]) + bytes(23))).housekeeping
    assert not parse(ip6(58, bytes([128]) + bytes(23))).housekeeping


class TestWhatTheBridgeKeeps:
    keep = staticmethod(outside(["192.0.2.0/24", "2001:db8:1::/64"]))

    def test_traffic_that_leaves_the_segment_is_kept_marked_or_not(self) -> None:
        assert self.keep(parse(ip4(17, udp(b"x"))))
        assert self.keep(parse(ip6(17, udp(b"x"))))

    def test_unmarked_traffic_inside_the_segment_is_not(self) -> None:
        assert not self.keep(parse(ip4(17, udp(b"x"), destination="192.0.2.21")))
        assert not self.keep(parse(ip6(17, udp(b"x"), destination="2001:db8:1::21")))

    def test_a_mark_is_kept_wherever_it_goes(self) -> None:
        assert self.keep(parse(ip4(17, udp(MARK.encode()), destination="192.0.2.21")))

    def test_a_strange_frame_is_kept_and_arp_is_not(self) -> None:
        assert self.keep(parse(ethernet(0x88B5, b"x" * 50)))
        assert not self.keep(parse(ethernet(0x0806, b"x" * 50)))

    def test_neighbour_discovery_is_left_out(self) -> None:
        assert not self.keep(parse(ip6(58, bytes([135]) + bytes(23), destination="ff02::1:ff00:1")))
