"""Read what the canaries received.

A probe marks its packet with a UUID, sends it, and asks here whether it arrived. Not every packet can carry a mark (a TCP handshake
cannot), so `since` gives everything received after a moment, to be matched by source, destination and port.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

from curtilage.paths import lab_dir


def of_hosts() -> Path:
    """Where the canaries of the hosts' lab write: ``internet.jsonl`` and ``bridge.jsonl``."""
    return lab_dir() / "canary"


def records(where: str | None = None, *, holding: str = "", directory: Path | None = None) -> Iterator[dict[str, Any]]:
    """Every record whose line holds a text, oldest first within each canary; a line still being written is left for the next reader.

    Args:
        where: one canary alone.
        holding: the text.
        directory: another lab's logs than the hosts'.
    """
    for file in sorted((directory or of_hosts()).glob("*.jsonl")):
        if where is not None and file.stem != where:
            continue
        with file.open(encoding="utf-8") as handle:
            for line in handle:
                if holding in line and line.endswith("\n"):
                    yield json.loads(line)


def read(uuid: str, *, where: str | None = None) -> list[dict[str, Any]]:
    """The records that carry a UUID.

    Args:
        uuid: with or without dashes, in either case.
        where: ``internet`` (it left the region) or ``bridge`` (it left the host); both when not given.
    """
    mark = str(UUID(uuid))
    return [record for record in records(where, holding=mark) if mark in record["uuids"]]


def since(moment: float, *, where: str | None = None, **fields: Any) -> list[dict[str, Any]]:
    """The records received after a moment (seconds since 1970) whose fields are as given.

    Example: ``since(before, where="internet", source="192.0.2.11", destination="203.0.113.9", port=443)``
    """
    return [
        record for record in records(where) if record["time"] >= moment and all(record.get(name) == value for name, value in fields.items())
    ]


def wait(uuid: str, *, where: str = "internet", patience_seconds: float = 2.0) -> list[dict[str, Any]]:
    """Wait until a UUID is seen, for a positive control; an empty list when it was not seen in time."""
    deadline = time.monotonic() + patience_seconds
    while True:
        found = read(uuid, where=where)
        if found or time.monotonic() >= deadline:
            return found
        time.sleep(0.05)
