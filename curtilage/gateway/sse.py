"""Server-sent events, as they come: split at event borders whatever the chunk borders are, with a cap on what is kept."""

from __future__ import annotations

from typing import NamedTuple

MAX_EVENT = 1 << 20  # an upstream that never ends an event must not fill the memory


class Event(NamedTuple):
    """One event: its name ('' for none) and its data."""

    name: str
    data: bytes


class Parser:
    """An incremental parser for one stream."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that this chunk completes. Raises ValueError when one grows beyond the cap."""
        buffer = self._rest + chunk
        if b"\r" in buffer:
            # A lone \r at the end may be half of a line end: keep it for the next chunk.
            tail = b"\r" if buffer.endswith(b"\r") else b""
            buffer = buffer[: len(buffer) - len(tail)].replace(b"\r\n", b"\n").replace(b"\r", b"\n") + tail
        *blocks, self._rest = buffer.split(b"\n\n")
        if len(self._rest) > MAX_EVENT:
            raise ValueError("an event larger than the cap")
        return [event for block in blocks if (event := _parse(block)) is not None]

    @property
    def has_rest(self) -> bool:
        """Whether the stream ended inside an event."""
        return bool(self._rest.strip())


def _parse(block: bytes) -> Event | None:
    name, data = "", []
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("ascii", "replace")
    return Event(name, b"\n".join(data)) if data else None


def encode(data: bytes, name: str = "") -> bytes:
    """One event on the wire."""
    return (b"event: " + name.encode() + b"\n" if name else b"") + b"data: " + data + b"\n\n"
