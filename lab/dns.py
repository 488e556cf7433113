"""The canary's name server: every name exists, so that a query that got out would be answered and the leak would work.

A handful of lines on purpose: the canary imports the standard library alone, and this answers one question per message.
"""

from __future__ import annotations

import ipaddress
import struct

from lab.network_names import CANARY4, CANARY6

_A, _TXT, _NULL, _AAAA, _OPT = 1, 16, 10, 28, 41


def answer(query: bytes) -> bytes:
    """The response to a query message.

    Raises:
        ValueError: the message has no whole question.
    """
    if len(query) < 17:
        raise ValueError("shorter than a query")
    end = 12
    while query[end] != 0:
        end += query[end] + 1
        if end >= len(query) - 4:
            raise ValueError("the question is cut off")
    question = query[12 : end + 5]
    kind = struct.unpack("!H", question[-4:-2])[0]
    data = _data(kind)
    header = query[:2] + struct.pack("!HHHHH", 0x8580, 1, 1 if data is not None else 0, 0, 0)
    record = b"" if data is None else b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1, len(data)) + data
    return header + question + record


def _data(kind: int) -> bytes | None:
    if kind == _A:
        return ipaddress.IPv4Address(CANARY4).packed
    if kind == _AAAA:
        return ipaddress.IPv6Address(CANARY6).packed
    if kind == _TXT:
        return b"\x06canary"
    if kind == _NULL:
        return b"canary"
    return None
