"""Cilium's drop records: which packet of whom its datapath dropped, and why.

``cilium-dbg monitor --type drop --json`` writes one JSON object a packet; the record has the packet's own addresses and ports, so it is
matched by them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROTOCOLS = {"tcp": "tcp", "udp": "udp", "icmpv4": "icmp", "icmpv6": "icmp"}


@dataclass(frozen=True, kw_only=True)
class Drop:
    """One dropped packet."""

    source: str
    destination: str
    protocol: str
    port: int | None
    reason: str


def read(log: Path, *, skip: int = 0) -> list[Drop]:
    """Every record of a log that is a packet's; a line still being written is left for the next reader."""
    return [drop for line in _lines(log, skip) if (drop := parse(line)) is not None]


def lines(log: Path) -> int:
    """How many lines there are now; `read` can skip them."""
    return sum(1 for _ in _lines(log, 0))


def parse(line: str) -> Drop | None:
    """A record, or None for anything else the monitor prints."""
    try:
        found: dict[str, Any] = json.loads(line)
        summary = found.get("summary") or {}
        l3, l4 = summary["l3"], summary.get("l4") or {}
        port = l4.get("dst")
        return Drop(
            source=str(l3["src"]),
            destination=str(l3["dst"]),
            protocol=next((name for key, name in _PROTOCOLS.items() if key in summary), ""),
            port=int(port) if port else None,
            reason=str(found.get("reason", "")),
        )
    except (ValueError, KeyError, TypeError):
        return None


def _lines(log: Path, skip: int) -> Iterator[str]:
    if not log.exists():
        return
    with log.open(encoding="utf-8", errors="replace") as handle:
        for number, line in enumerate(handle):
            if number >= skip and line.endswith("\n"):
                yield line
