"""Sends real packets through a real ruleset, to compare what the kernel does with what the model says.

Three network namespaces: ``near`` - ``host`` - ``far``. The ruleset runs in ``host``, which routes. Each packet is sent where its hook says
(by the host, through it, to it, or as a frame of a packet socket on it) and watched for behind the hook. Addresses are documentation
ranges; nothing outside the three namespaces takes part, and they are deleted with the object.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import select
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Self, TypeVar

from curtilage.errors import MachineError
from curtilage.proof.fields import L4, WITH_PORTS
from curtilage.proof.packet import FAMILY, Packet

T = TypeVar("T")

UPLINK, INSIDE = "host0", "inside0"
HOST = {4: "192.0.2.21", 6: "2001:db8:1::21"}
NEAR = {4: "198.51.100.2", 6: "2001:db8:e::2"}
HOST_MAC, FAR_MAC, NEAR_MAC, INSIDE_MAC = (f"02:00:00:00:00:{last:02x}" for last in (0x21, 0x01, 0x02, 0x22))
MARKER = b"curtilage-"
WAIT_SECONDS = 0.03
_CLONE_NEWNET = 0x40000000
_ETH_P_ALL = 3
_count = itertools.count()

_SETUP = """
ip -n {host} link set lo up
ip -n {near} link set lo up
ip -n {host} link add {uplink} type veth peer name far0 netns {far}
ip -n {host} link add {inside} type veth peer name near0 netns {near}
ip -n {host} link set {uplink} address {host_mac}
ip -n {far} link set far0 address {far_mac}
ip -n {host} link set {inside} address {inside_mac}
ip -n {near} link set near0 address {near_mac}
ip netns exec {host} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.icmp_ratelimit=0
for link in {uplink} {inside}; do
  ip netns exec {host} sysctl -qw net.ipv4.conf.$link.rp_filter=0 net.ipv6.conf.$link.accept_dad=0
done
ip -n {host} addr add {v4}/24 dev {uplink}
ip -n {host} addr add {v6}/64 dev {uplink} nodad
ip -n {host} link set {uplink} up
ip -n {host} link set {inside} up
ip -n {far} link set far0 up
ip -n {near} link set near0 up
ip -n {host} neigh replace 192.0.2.1 lladdr {far_mac} dev {uplink} nud permanent
ip -n {host} neigh replace 2001:db8:1::1 lladdr {far_mac} dev {uplink} nud permanent
ip -n {host} route add default via 192.0.2.1 dev {uplink}
ip -n {host} -6 route add default via 2001:db8:1::1 dev {uplink}
# What a reject answers goes back where the packet came from: it quotes the marker, and is not the packet.
ip -n {host} route add {near_v4} dev {inside}
ip -n {host} -6 route add {near_v6} dev {inside}
ip -n {host} neigh replace {near_v4} lladdr {near_mac} dev {inside} nud permanent
ip -n {host} neigh replace {near_v6} lladdr {near_mac} dev {inside} nud permanent
"""


def inside(namespace: str, work: Callable[[], T]) -> T:
    """Run something, such as opening sockets, in a namespace. A thread of its own enters it, so the caller stays where it is."""
    libc = ctypes.CDLL(None, use_errno=True)
    result: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            with Path("/run/netns", namespace).open("rb") as handle:
                if libc.setns(handle.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {namespace}")
            result.append(work())
        except BaseException as exc:  # noqa: BLE001 - handed to the caller, whose thread it is
            failure.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


@dataclass
class Wire:
    """The three namespaces and the sockets in them; a context manager.

    Args:
        addresses: the host's own, by IP version.
        peers: machines on the uplink's network; the far end answers for all of them.
        name: prefix of the namespaces.
    """

    addresses: dict[int, str] = field(default_factory=lambda: dict(HOST))
    peers: tuple[str, ...] = ()
    name: str = field(default_factory=lambda: f"ct-proof-{os.getpid()}-{next(_count)}")
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _marks: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise MachineError("packets need network namespaces\n  fix:  run as root")
        try:
            self._open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _open(self) -> None:
        names = {role: f"{self.name}-{role}" for role in ("near", "host", "far")}
        for role, name in names.items():
            _run(["ip", "netns", "add", name])
            self._stack.callback(_run, ["ip", "netns", "delete", name])
            quiet = [f"net.ipv6.conf.{scope}.{key}" for scope in ("all", "default") for key in ("accept_ra=0", "router_solicitations=0")]
            _run(
                [
                    "ip",
                    "netns",
                    "exec",
                    name,
                    "sysctl",
                    "-qw",
                    *quiet,
                    *([] if role == "host" else ["net.ipv6.conf.default.disable_ipv6=1"]),
                ]
            )
        script = _SETUP.format(
            **names,
            uplink=UPLINK,
            inside=INSIDE,
            host_mac=HOST_MAC,
            far_mac=FAR_MAC,
            near_mac=NEAR_MAC,
            inside_mac=INSIDE_MAC,
            v4=self.addresses[4],
            v6=self.addresses[6],
            near_v4=NEAR[4],
            near_v6=NEAR[6],
        )
        _run(["sh", "-ec", script])
        for peer in self.peers:
            _run(["ip", "-n", names["host"], "neigh", "replace", peer, "lladdr", FAR_MAC, "dev", UPLINK, "nud", "permanent"])
        self.namespace = names["host"]
        self._frames = self._keep(inside(names["host"], lambda: _packet_socket(UPLINK, receive=False)))
        self._raw = {
            version: self._keep(inside(names["host"], lambda kind=kind: socket.socket(kind, socket.SOCK_RAW, socket.IPPROTO_RAW)))  # type: ignore[misc]
            for version, kind in ((4, socket.AF_INET), (6, socket.AF_INET6))
        }
        self._far = self._keep(inside(names["far"], lambda: _packet_socket("far0", receive=True)))
        self._near = self._keep(inside(names["near"], lambda: _packet_socket("near0", receive=False)))
        # Raw sockets see a packet after the input hook: what they receive was let in.
        self._let_in = [
            self._keep(inside(names["host"], lambda kind=kind, number=number: socket.socket(kind, socket.SOCK_RAW, number)))  # type: ignore[misc]
            for kind, numbers in ((socket.AF_INET, (1, 6, 17)), (socket.AF_INET6, (58, 6, 17)))
            for number in numbers
        ]
        for receiver in self._let_in:
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def _keep(self, opened: socket.socket) -> socket.socket:
        return self._stack.enter_context(opened)

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def listen(self, ports: Sequence[int]) -> None:
        """Have the host's kernel answer on TCP ports, as a service would."""
        for port in ports:
            listener = self._keep(inside(self.namespace, lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM)))
            listener.bind(("::", port))
            listener.listen(8)

    def apply(self, ruleset: str) -> None:
        """Replace the host's ruleset, and forget its connections by giving every packet a port of its own."""
        _run(["ip", "netns", "exec", self.namespace, "nft", "-f", "-"], stdin="flush ruleset\n" + ruleset)

    def send(self, packets: Sequence[Packet]) -> list[bool]:
        """Send packets one after another; for each, whether it came out behind its hook."""
        for receiver in (self._far, *self._let_in):
            _drain(receiver)
        marks = [MARKER + str(next(self._marks)).encode() + b"." for _ in packets]
        for packet, mark in zip(packets, marks, strict=True):
            with contextlib.suppress(PermissionError, BlockingIOError, OSError):
                self._send(packet, mark)
        seen = {True: self._collect([self._far]), False: self._collect(self._let_in)}
        return [mark in seen[packet.hook != "input"] for packet, mark in zip(packets, marks, strict=True)]

    def _send(self, packet: Packet, mark: bytes) -> None:
        body = datagram(packet, mark)
        frame = struct.pack("!6s6sH", _mac(FAR_MAC), _mac(HOST_MAC), packet.ethertype) + body
        if packet.hook == "output":
            self._raw[4 if packet.ethertype == FAMILY["ipv4"] else 6].sendto(body, (str(packet.destination), 0))
        elif packet.hook == "egress":
            claimed = packet.values([UPLINK], UPLINK)["protocol"]
            self._frames.sendto(frame, (UPLINK, claimed))
        else:
            self._near.send(struct.pack("!6s6sH", _mac(INSIDE_MAC), _mac(NEAR_MAC), packet.ethertype) + body)

    def _collect(self, receivers: Sequence[socket.socket]) -> set[bytes]:
        found: set[bytes] = set()
        deadline = time.monotonic() + WAIT_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            ready = select.select(receivers, [], [], left)[0]
            for receiver in ready:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        data = receiver.recv(4096)
                        start = data.find(MARKER)
                        if start >= 0:
                            found.add(data[start : data.index(b".", start) + 1])
        return found


def datagram(packet: Packet, payload: bytes) -> bytes:
    """The IP packet, with right lengths and checksums; other families are the bare payload."""
    if packet.ethertype not in (FAMILY["ipv4"], FAMILY["ipv6"]):
        return payload.ljust(46, b"\0")
    version = 4 if packet.ethertype == FAMILY["ipv4"] else 6
    if packet.destination is None:
        raise ValueError("an IP packet has a destination")
    destination, source = packet.destination, packet.source or (IPv4Address(HOST[4]) if version == 4 else IPv6Address(HOST[6]))
    values, protocol = packet.values([], ""), packet.protocol_number or 0
    segment = _segment(values, protocol, payload)
    pseudo = (
        source.packed
        + destination.packed
        + (struct.pack("!BBH", 0, protocol, len(segment)) if version == 4 else struct.pack("!IHBB", len(segment), 0, 0, protocol))
    )
    offset = {6: 16, 17: 6, 1: 2, 58: 2}.get(protocol)
    if offset is not None:
        total = checksum((b"" if protocol == L4["icmp"] else pseudo) + segment)
        segment = segment[:offset] + struct.pack("!H", total or 0xFFFF) + segment[offset + 2 :]
    if version == 6:
        return struct.pack("!IHBB", 6 << 28, len(segment), protocol, values["ip6.hoplimit"]) + source.packed + destination.packed + segment
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 0, 0, values["ip.ttl"], protocol, 0) + source.packed + destination.packed
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + segment


def checksum(data: bytes) -> int:
    """RFC 1071."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _segment(values: dict[str, int], protocol: int, payload: bytes) -> bytes:
    sport, dport = values.get("sport", 0), values.get("dport", 0)
    if protocol == L4["tcp"]:
        return struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 5 << 4, values["tcp.flags"], 1024, 0, 0) + payload
    if protocol in (L4["icmp"], L4["icmpv6"]):
        kind = "icmp" if protocol == L4["icmp"] else "icmpv6"
        # The identifier is what connection tracking tells echo requests apart by.
        return struct.pack("!BBHHH", values[f"{kind}.type"], values[f"{kind}.code"], 0, sport, 1) + payload
    if protocol in WITH_PORTS:
        return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    return payload


def _packet_socket(link: str, *, receive: bool) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL) if receive else 0)
    opened.bind((link, _ETH_P_ALL if receive else 0))
    opened.setblocking(False)
    if receive:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    return opened


def _drain(receiver: socket.socket) -> None:
    receiver.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            receiver.recv(4096)


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _run(command: Sequence[str], stdin: str | None = None) -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        raise MachineError(f"{' '.join(command[:6])}: {done.stderr.strip()}")
    return done.stdout
