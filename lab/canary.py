"""The internet of the lab: a process that answers whatever reaches it and writes down everything it saw.

Standard library only, two roles: ``internet`` listens (TCP with TLS where the client speaks it, UDP, DNS) and copies every frame of its
link; ``bridge`` copies every frame of the segment's bridge, whatever its type, so that a frame that leaves a host is seen even when the
router has no use for it. A record is one JSON line, flushed at once::

    {"time", "where", "family", "protocol", "source", "destination", "port", "uuids", "size"}

It answers because a leak must work to be seen as one: an open path completes a handshake, an echo, a resolution.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import select
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TextIO

from lab.canary_nft import DNS_PORT, NTP_PORT, TCP_PORT, UDP_PORT
from lab.dns import answer
from lab.frames import Seen, parse, uuids_in

SO_ORIGINAL_DST = 80  # linux/netfilter_ipv4.h; the same number in IPv6 (IP6T_SO_ORIGINAL_DST)
SO_RCVBUFFORCE = 33  # asm-generic/socket.h; Python has no name for it
PATIENCE_SECONDS = 20.0
BANNER_AFTER_SECONDS = 3.0
CONNECTIONS_AT_ONCE = 256
ALIKE_A_SECOND = 50
SNAP_BYTES = 65535
INFLIGHT = threading.BoundedSemaphore(CONNECTIONS_AT_ONCE)


class Log:
    """Appends one JSON line per reception; shared by threads."""

    def __init__(self, where: str, file: TextIO) -> None:
        self._where, self._file, self._lock = where, file, threading.Lock()
        self._second, self._alike = 0, collections.Counter[str]()

    def write(self, **record: Any) -> None:
        """Write one record and flush it: a probe reads the log right after its packet died or did not.

        Of records that differ in time alone, a few a second are enough: a flood must not fill the disk or make the sniffer fall behind.
        """
        now = time.time()
        body = json.dumps(record, separators=(",", ":"))
        line = json.dumps({"time": now, "where": self._where}, separators=(",", ":"))[:-1] + "," + body[1:]
        with self._lock:
            if int(now) != self._second:
                self._second = int(now)
                self._alike.clear()
            self._alike[body] += 1
            if self._alike[body] > ALIKE_A_SECOND:
                return
            self._file.write(line + "\n")
            self._file.flush()


def sniff(log: Log, link: str, keep: Callable[[Seen], bool]) -> None:
    """Copy every frame that enters through `link` until the process ends."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003)) as raw:
        # A burst (a model being answered inside the segment) must not push a probe's frame out of the queue.
        raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        raw.bind((link, 0))
        while True:
            frame, address = raw.recvfrom(SNAP_BYTES)
            if address[2] == socket.PACKET_OUTGOING:
                continue
            seen = parse(frame)
            if keep(seen):
                log.write(**seen.record())


def outside(networks: list[str]) -> Callable[[Seen], bool]:
    """What the bridge's sniffer keeps: all but the segment's own unmarked conversations (neighbour discovery, ssh, the allowed flows)."""
    ground = [ip_network(text) for text in networks]

    def keep(seen: Seen) -> bool:
        if seen.uuids:
            return True
        if seen.family in ("ip4", "ip6"):
            address = seen.address
            return not seen.housekeeping and not any(address.version == network.version and address in network for network in ground)
        return seen.protocol != "arp"

    return keep


def serve_tcp(log: Log, family: int, port: int, context: ssl.SSLContext) -> None:
    """Accept every connection on `port` and converse on a thread of its own."""
    with socket.create_server(("", port), family=family, backlog=1024) as listener:
        while True:
            connection, peer = listener.accept()
            INFLIGHT.acquire()
            threading.Thread(target=_conversation, args=(log, connection, peer, family, context), daemon=True).start()


def _original(connection: socket.socket, family: int) -> tuple[str, int]:
    """Where the client believes it is connected to."""
    if family == socket.AF_INET:
        data = connection.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16)
        return socket.inet_ntoa(data[4:8]), struct.unpack("!H", data[2:4])[0]
    data = connection.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
    return socket.inet_ntop(socket.AF_INET6, data[8:24]), struct.unpack("!H", data[2:4])[0]


def _conversation(log: Log, connection: socket.socket, peer: tuple[Any, ...], family: int, context: ssl.SSLContext) -> None:
    destination, port = "", 0
    with contextlib.suppress(OSError, ssl.SSLError), connection:
        try:
            connection.settimeout(PATIENCE_SECONDS)
            destination, port = _original(connection, family)
            named = "ip4" if family == socket.AF_INET else "ip6"
            base = {"family": named, "source": peer[0], "destination": destination, "port": port}
            log.write(**base, protocol="tcp-connected", uuids=[], size=0)
            first, _, _ = select.select([connection], [], [], BANNER_AFTER_SECONDS)
            if not first:
                connection.sendall(b"220 canary\r\n")
            head = connection.recv(1, socket.MSG_PEEK)
            stream = connection
            if head == b"\x16":
                stream = context.wrap_socket(connection, server_side=True)
                log.write(**base, protocol="tls-handshake", uuids=[], size=0)
            data = stream.recv(SNAP_BYTES)
            protocol = "tls" if stream is not connection else "tcp"
            log.write(**base, protocol=f"{protocol}-data", uuids=uuids_in(data), size=len(data))
            stream.sendall(_reply(data, port))
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_WR)
        finally:
            INFLIGHT.release()


def _reply(data: bytes, port: int) -> bytes:
    if port in (53, 853):
        try:
            message = answer(data[2:])
        except ValueError:
            return data
        return struct.pack("!H", len(message)) + message
    if data.split(b" ", 1)[0] in (b"GET", b"POST", b"PUT", b"HEAD", b"CONNECT", b"OPTIONS", b"DELETE", b"PATCH"):
        return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nConnection: close\r\n\r\ncanary"
    return data


def serve_udp(family: int, port: int, reply: Callable[[bytes], bytes]) -> None:
    """Answer every datagram; the sniffer has already written it down with the destination it really named."""
    with socket.socket(family, socket.SOCK_DGRAM) as listener:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(("", port))
        while True:
            data, peer = listener.recvfrom(SNAP_BYTES)
            with contextlib.suppress(OSError, ValueError):
                listener.sendto(reply(data), peer)


def _time_reply(data: bytes) -> bytes:
    """A 48-byte NTP server answer of stratum 1 that repeats the client's transmit time, so that a client accepts it."""
    now = struct.pack("!II", int(time.time()) + 2208988800, 0)
    return struct.pack("!BBBb", 0x24, 1, 0, -20) + bytes(8) + b"LOCL" + now + data[40:48].ljust(8, b"\0") + now + now


def main() -> None:
    """Entry point: ``python -m lab.canary internet|bridge --link L --log FILE ...``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("where", choices=["internet", "bridge"])
    parser.add_argument("--link", required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--ready", type=Path, required=True, help="written when everything listens")
    parser.add_argument("--segment", action="append", default=[], help="a network of the segment (bridge)")
    parser.add_argument("--certificate", type=Path)
    given = parser.parse_args()
    with given.log.open("a", encoding="utf-8") as file:
        log = Log(given.where, file)
        work: list[Callable[[], None]] = []
        if given.where == "internet":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(given.certificate)
            context.set_alpn_protocols(["http/1.1", "dot"])
            for family in (socket.AF_INET, socket.AF_INET6):
                work += [
                    lambda family=family: serve_tcp(log, family, TCP_PORT, context),  # type: ignore[misc]
                    lambda family=family: serve_udp(family, UDP_PORT, lambda data: data),  # type: ignore[misc]
                    lambda family=family: serve_udp(family, DNS_PORT, answer),  # type: ignore[misc]
                    lambda family=family: serve_udp(family, NTP_PORT, _time_reply),  # type: ignore[misc]
                ]
            work.append(lambda: sniff(log, given.link, lambda seen: not seen.housekeeping and seen.protocol != "arp"))
        else:
            work.append(lambda: sniff(log, given.link, outside(given.segment)))
        threads = [threading.Thread(target=_or_die, args=(task,), daemon=True) for task in work]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        given.ready.write_text(str(os.getpid()), encoding="utf-8")
        for thread in threads:
            thread.join()


def _or_die(task: Callable[[], None]) -> None:
    """A canary with one deaf ear is worse than none: any failure ends the process, which probes report as INVALID."""
    try:
        task()
    except BaseException as error:  # noqa: BLE001 - nothing is swallowed: the process ends
        sys.stderr.write(f"canary: {error!r}\n")
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    main()
