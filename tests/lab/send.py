"""Sends one marked packet and prints what came back as JSON; run inside the operator's namespace by the tests beside it."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import subprocess
import sys
from typing import Any

PATIENCE = 8.0


def family_of(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp(mark: str, address: str, port: str) -> str:
    with socket.create_connection((address, int(port)), PATIENCE) as stream:
        stream.sendall(f"mark {mark}".encode())
        return stream.recv(4096).decode()


def tls(mark: str, address: str, port: str) -> str:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((address, int(port)), PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname="vendor.example") as stream,
    ):
        stream.sendall(f"mark {mark}".encode())
        stream.recv(4096)
        return str(stream.version())


def udp(mark: str, address: str, port: str) -> str:
    return datagram(mark.encode(), address, int(port)).decode()


def datagram(data: bytes, address: str, port: int) -> bytes:
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as wire:
        wire.settimeout(PATIENCE)
        wire.sendto(data, (address, port))
        return wire.recv(4096)


def query(mark: str, kind: str) -> bytes:
    name = b"".join(bytes([len(label)]) + label for label in (mark.encode(), b"leak", b"example"))
    return struct.pack("!HHHHHH", 0x1234, 0x0100, 1, 0, 0, 0) + name + b"\0" + struct.pack("!HH", int(kind), 1)


def answers(response: bytes) -> int:
    return int(struct.unpack("!H", response[6:8])[0])


def dns(mark: str, address: str, kind: str) -> int:
    return answers(datagram(query(mark, kind), address, 53))


def dns_tcp(mark: str, address: str, kind: str) -> int:
    message = query(mark, kind)
    with socket.create_connection((address, 53), PATIENCE) as stream:
        stream.sendall(struct.pack("!H", len(message)) + message)
        return answers(stream.recv(4096)[2:])


def ping(mark: str, address: str) -> int:
    return subprocess.run(["ping", "-c", "1", "-W", "3", "-p", mark.replace("-", ""), address], capture_output=True, check=False).returncode


def raw(mark: str, address: str, protocol: str) -> None:
    with socket.socket(family_of(address), socket.SOCK_RAW, int(protocol)) as wire:
        wire.sendto(mark.encode(), (address, 0))


def frame(mark: str, kind: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("host0", 0))
        wire.send(b"\xff" * 6 + b"\x02" * 6 + bytes.fromhex(kind) + mark.encode())


def main() -> None:
    mark, verb, *words = sys.argv[1:]
    verbs: dict[str, Any] = {
        "tcp": tcp, "tls": tls, "udp": udp, "dns": dns, "dns-tcp": dns_tcp, "ping": ping, "raw": raw, "frame": frame
    }  # fmt: skip
    print(json.dumps(verbs[verb](mark, *words)))


if __name__ == "__main__":
    main()
