"""What a gateway says about itself to its operators: live calls, refusals, matters, ledger heads, health; no content and no key."""

from __future__ import annotations

import base64
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from cryptography import x509

from curtilage.errors import CurtilageError
from curtilage.gateway.app import Gateway
from curtilage.gateway.metrics import samples
from curtilage.matters.model import Snapshot

_MOST_LIVE = 200


def of_worker(gateway: Gateway, worker: int) -> dict[str, Any]:
    """One worker's part."""
    now = time.perf_counter()
    calls, refusals = Counter[str](), Counter[str]()
    for labels, value in samples(gateway.metrics.calls):
        calls[labels["result"]] += int(value)
    for labels, value in samples(gateway.metrics.refusals):
        if value:  # every reason has a series from the start, so that a first burst shows; a page lists what happened
            refusals[labels["reason"]] += int(value)
    live = [
        {
            "call": state.id,
            "surface": state.surface,
            "matter": state.matter.id if state.matter else "",
            "model": state.model,
            "stream": state.stream,
            "seconds": round(now - state.started, 1),
            "bytes_returned": state.bytes_returned,
        }
        for state in list(gateway.live.values())[:_MOST_LIVE]
    ]
    return {
        "worker": worker,
        "at": time.time(),
        "calls": calls,
        "refusals": refusals,
        "live": live,
        "live_count": len(gateway.live),
        "queued": gateway.upstreams.waiting,
        "config_error": gateway.config_error,
        "ledger": _head(gateway),
        "resident_bytes": int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE"),
        "upstreams": [
            {
                "url": host.url,
                "healthy": host.healthy,
                "draining": host.draining,
                "outstanding": host.outstanding,
                "models": {model: version[:19] for model, version in host.versions.items()},
            }
            for host in gateway.upstreams.hosts
        ],
    }


def _head(gateway: Gateway) -> dict[str, Any]:
    lines = gateway.ledger.checkpoint_note.decode("utf-8", "replace").split("\n")
    root = base64.b64decode(lines[2]).hex() if len(lines) > 2 else ""
    return {
        "name": lines[0] if lines else "",
        "records": gateway.ledger.size,
        "sealed": gateway.ledger.checkpoint_size,
        "open": gateway.ledger.open_calls,
        "root": root,
    }


def whole(gateway: Gateway, workers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the page shows: the workers' parts together, and what they share."""
    try:
        matters, directory_error = _matters(gateway.directory.snapshot()), ""
    except CurtilageError:
        matters, directory_error = [], "The matter directory does not answer; calls are refused."
    calls, refusals = Counter[str](), Counter[str]()
    upstreams: dict[str, dict[str, Any]] = {}
    for part in workers:
        calls.update(part["calls"])
        refusals.update(part["refusals"])
        for host in part["upstreams"]:
            known = upstreams.setdefault(host["url"], {**host, "outstanding": 0})
            known["outstanding"] += host["outstanding"]
            known["healthy"] = known["healthy"] and host["healthy"]
    certificate = x509.load_pem_x509_certificates(gateway.config.tls.certificate.read_bytes())[0]
    return {
        "region": gateway.config.region.name,
        "jurisdiction": gateway.config.region.jurisdiction,
        "at": time.time(),
        "certificate_ends": certificate.not_valid_after_utc.isoformat(),
        "config_error": next((part["config_error"] for part in workers if part["config_error"]), ""),
        "calls": calls,
        "refusals": refusals,
        "queued": sum(part["queued"] for part in workers),
        "live": sorted((call for part in workers for call in part["live"]), key=lambda call: -call["seconds"])[:_MOST_LIVE],
        "live_count": sum(part["live_count"] for part in workers),
        "upstreams": sorted(upstreams.values(), key=lambda host: host["url"]),
        "ledgers": [{"worker": part["worker"], "resident_bytes": part["resident_bytes"], **part["ledger"]} for part in workers],
        "directory_error": directory_error,
        "matters": matters,
    }


def _matters(directory: Snapshot) -> list[dict[str, Any]]:
    return [
        {
            "matter": matter.id,
            "jurisdiction": matter.jurisdiction,
            "confidentiality": matter.confidentiality.value,
            "open": matter.is_open and matter.shredded_at is None,
            "legal_hold": matter.legal_hold,
            "members": sum(matter.id in own for own in directory.memberships.values()),
            "walls": sum(behind == matter.id for _, behind in directory.walled_off),
        }
        for matter in sorted(directory.matters.values(), key=lambda matter: matter.id)
    ]


class Shared:
    """Where workers leave what they know for the one that shows it.

    Args:
        directory: theirs alone; None where there is one worker only.
        worker: whose.
    """

    def __init__(self, directory: Path | None, worker: int) -> None:
        self._directory, self.worker = directory, worker

    @property
    def several(self) -> bool:
        """Whether there are other workers."""
        return self._directory is not None

    @property
    def shows(self) -> bool:
        """Whether this worker is the one that shows and writes for all."""
        return self.worker == 0

    def publish(self, status: dict[str, Any], metrics: bytes) -> None:
        """Leave this worker's part."""
        if self._directory is not None:
            for name, content in ((f"{self.worker}.json", orjson.dumps(status)), (f"{self.worker}.prom", metrics)):
                temporary = self._directory / f".{name}"
                temporary.write_bytes(content)
                temporary.replace(self._directory / name)

    def statuses(self, own: dict[str, Any]) -> list[dict[str, Any]]:
        """Every worker's part, this one's fresh."""
        if self._directory is None:
            return [own]
        others = [path for path in sorted(self._directory.glob("[0-9]*.json")) if path.stem != str(self.worker)]
        return [own, *(orjson.loads(path.read_bytes()) for path in others)]

    def metrics(self, own: bytes) -> list[bytes]:
        """Every worker's metrics, this one's fresh."""
        if self._directory is None:
            return [own]
        return [own, *(path.read_bytes() for path in sorted(self._directory.glob("[0-9]*.prom")) if path.stem != str(self.worker))]
