"""What the ledger says about a call: who, when, which matter, model and sizes, what classes were removed; commitments, never text.

A commitment is a digest under a key of the matter and the call: whoever has the text and the matter's secret can show that it was this
text; nobody can guess short texts from the ledger; and when the matter's secret is deleted, nothing can be shown any more.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from curtilage.audit.records import commitment
from curtilage.gateway.access import Access
from curtilage.gateway.identity import Caller
from curtilage.matters.model import Matter


def timestamp() -> str:
    """Now, in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def classes(counts: Counter[str]) -> dict[str, int]:
    """Counts by class, as the ledger spells keys."""
    return {type_.lower(): count for type_, count in sorted(counts.items())}


@dataclass(slots=True)
class CallState:
    """What is known about one call so far."""

    id: str
    started: float = field(default_factory=time.perf_counter)
    surface: str = ""
    host: str = ""
    path: str = ""
    client: str = ""
    caller: Caller | None = None
    matter: Matter | None = None
    access: Access = field(default_factory=Access)
    readers: tuple[str, ...] = ()
    model_requested: str = ""
    model: str = ""
    model_version: str = ""  # the manifest digest of what the chosen host serves, as the host itself says
    stream: bool = False
    bytes_received: int = 0
    bytes_forwarded: int = 0
    bytes_returned: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    removed_from_answer: Counter[str] = field(default_factory=Counter)
    dropped_parameters: int = 0
    residency_basis: str = ""
    commitments: dict[str, str] = field(default_factory=dict)
    attempts: list[str] = field(default_factory=list)
    model_seconds: float = 0.0
    upstream_status: int = 0
    on_record: bool = False  # its intent is durable

    def commit(self, name: str, content: bytes) -> None:
        """Commit to a content under a name."""
        assert self.matter is not None  # noqa: S101 - commitments are made after access was decided
        self.commitments[name] = commitment(self.matter.derive("commitment"), self.id, name, content)

    def common(self) -> dict[str, Any]:
        """Who and where."""
        return {
            "call": self.id,
            "at": timestamp(),
            "surface": self.surface,
            "host": self.host,
            "path": self.path,
            "client": self.client,
            "identity": self.caller.identity.id if self.caller else None,
            "key": self.caller.key_id if self.caller else None,
            "matter": self.matter.id if self.matter else None,
        }

    def intent(self, region: str) -> dict[str, Any]:
        """The record that is durable before anything is forwarded."""
        return self.common() | {
            "region": region,
            "jurisdiction": self.matter.jurisdiction if self.matter else None,
            "residency": self.residency_basis,
            "model_requested": self.model_requested,
            "model": self.model,
            "model_version": self.model_version or None,
            "upstream": self.attempts[-1] if self.attempts else None,
            "stream": self.stream,
            "bytes_received": self.bytes_received,
            "bytes_forwarded": self.bytes_forwarded,
            "removed": classes(self.removed),
            "dropped_parameters": self.dropped_parameters,
            "personal_data": self.matter.personal_data.value if self.matter else None,
            "purpose": self.access.purpose or None,
            "direction": (self.matter.direction or None) if self.matter else None,
            "break_glass": self.access.grant.id if self.access.grant else None,
            "readers": list(self.readers[:64]),
            "readers_count": len(self.readers),
            "commitments": dict(self.commitments),
        }

    def refused(self, reason: str, status: int) -> dict[str, Any]:
        """The record of a call that was refused before anything was forwarded."""
        return self.common() | {"result": "refused", "reason": reason, "status": status, "bytes_received": self.bytes_received}

    def outcome(self, result: str, status: int, reason: str | None = None, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The record of how the call ended."""
        return {
            "at": timestamp(),
            "result": result,
            "reason": reason,
            "status": status,
            "model_version": self.model_version or None,  # another host than the intended one may have answered
            "upstream": self.attempts[-1] if self.attempts else None,
            "attempts": len(self.attempts),
            "bytes_returned": self.bytes_returned,
            "removed_from_answer": classes(self.removed_from_answer),
            "commitments": {name: value for name, value in self.commitments.items() if name == "returned"},
            "milliseconds": round((time.perf_counter() - self.started) * 1000),
            **(extra or {}),
        }
