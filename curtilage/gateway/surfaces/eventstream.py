"""Amazon's binary event stream: length-prefixed frames with two checksums.

Source: "Event Stream Encoding", Smithy's specification ``application/vnd.amazon.eventstream``. A frame is: total length, headers' length,
CRC-32 of these eight bytes, headers, payload, CRC-32 of everything before. Header values are strings here (type 7).
"""

from __future__ import annotations

import struct
import zlib

import orjson

from curtilage.gateway.reasons import Reason

CONTENT_TYPE = b"application/vnd.amazon.eventstream"
_STRING = 7


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One frame."""
    packed = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", _STRING, len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + packed + payload
    return body + struct.pack(">I", zlib.crc32(body))


def message(event: str, payload: bytes) -> bytes:
    """An event with a JSON payload."""
    return frame({":event-type": event, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception(reason: Reason, text: str, call: str) -> bytes:
    """An error in the middle of a stream; the SDKs raise on it."""
    said = orjson.dumps({"message": f"{text} ({reason}; call {call})"})
    return frame({":exception-type": "modelStreamErrorException", ":content-type": "application/json", ":message-type": "exception"}, said)
