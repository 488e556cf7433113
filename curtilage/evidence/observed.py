"""Reading what machines say they saw: connection tables, named counters, the resolver's log, the ledger's rows.

Pure: text in, values out. What does not parse is not guessed: an unreadable line of a connection table is reported, because a
conversation nobody could read is one nobody has ruled out.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from curtilage.evidence.dossier import Asked, Connection

_REPLY = re.compile(
    r"(?P<client>[0-9a-fA-F:.]+) (?P<name>\S+)\. (?P<type>[A-Z0-9]+) (?P<class>[A-Z0-9]+) (?P<rcode>[A-Z]+) [0-9.]+ [01] [0-9]+$"
)
_TUPLE = re.compile(r"\bsrc=(\S+) dst=(\S+)(?: sport=(\d+) dport=(\d+))?")


def connections(host: str, table: str) -> tuple[list[Connection], list[str]]:
    """A host's ``/proc/net/nf_conntrack``: who spoke to whom, in the direction of the first packet; and what could not be read."""
    found: Counter[tuple[str, str, str, int]] = Counter()
    unread: list[str] = []
    for line in table.splitlines():
        words = line.split()
        if not words:
            continue
        match = _TUPLE.search(line)
        if len(words) < 4 or match is None:
            unread.append(f"{host}: a line of the connection table: {line[:120]}")
            continue
        source, destination = ip_address(match[1]), ip_address(match[2])
        if source.is_loopback and destination.is_loopback:
            continue
        if source == destination:
            continue
        found[words[2], str(source), str(destination), int(match[4] or 0)] += 1
    return [
        Connection(host=host, protocol=protocol, source=source, destination=destination, port=port, count=count)
        for (protocol, source, destination, port), count in sorted(found.items())
    ], unread


def counters(listing: str) -> dict[str, int]:
    """Packets by named counter, of ``nft -j list counters``."""
    found: dict[str, int] = {}
    for item in json.loads(listing)["nftables"]:
        if "counter" in item:
            found[str(item["counter"]["name"])] = int(item["counter"]["packets"])
    return found


def names(log: str) -> list[Asked]:
    """The resolver's replies by client: counts by answer, and each name that was answered; refused names are noise of probes."""
    counts: dict[str, Counter[str]] = {}
    answered: dict[str, set[str]] = {}
    for line in log.splitlines():
        match = _REPLY.search(line)
        if match is None:
            continue
        counts.setdefault(match["client"], Counter())[match["rcode"]] += 1
        if match["rcode"] == "NOERROR":
            answered.setdefault(match["client"], set()).add(match["name"].lower())
    return [
        Asked(client=client, answered=tuple(sorted(answered.get(client, ()))), counts=dict(sorted(found.items())))
        for client, found in sorted(counts.items())
    ]


def calls(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The ledger's calls by client, model host and how they ended: counts, never content."""
    found: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        if row.get("kind") in ("intent", "refused"):
            found[str(row.get("client") or ""), str(row.get("upstream") or ""), str(row.get("result") or "open")] += 1
    return [
        {"client": client, "count": count, "result": result, "upstream": upstream}
        for (client, upstream, result), count in sorted(found.items())
    ]
