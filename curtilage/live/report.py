"""What a live audit says: the proof of what stands there, what is missing or otherwise than derived, and what could not be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from curtilage.proof.report import Finding
from curtilage.verdict import Verdict, worst

UNREAD, MISSING, DRIFT, RIGHTS = "LIVE-UNREAD", "LIVE-MISSING", "LIVE-DRIFT", "EG-31"


@dataclass(frozen=True)
class LiveAudit:
    """One platform of one region, as it was found.

    Attributes:
        subject: what was read: a cluster by its context, an account by its number.
        findings: the proof's, and those of the comparison with what the region derives.
        proof: the proof's own document; None where nothing could be read.
        read: how many objects of each kind were read.
        assumptions: what the verdict rests on beside the proof's.
        not_run: what nobody tested here, by name; it keeps no audit from PASS but is always said.
        seconds: how long it took.
    """

    subject: str
    findings: tuple[Finding, ...]
    proof: dict[str, Any] | None
    read: dict[str, int]
    assumptions: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings; PASS only where something was proved."""
        if self.proof is None:
            return worst([*(item.verdict for item in self.findings), Verdict.NOT_PROVEN])
        return worst([*(item.verdict for item in self.findings), Verdict.PASS])

    def document(self) -> dict[str, Any]:
        """One JSON document."""
        return {
            "subject": self.subject,
            "verdict": str(self.verdict),
            "findings": [item.document() for item in self.findings],
            "read": dict(sorted(self.read.items())),
            "assumptions": list(self.assumptions),
            "not_run": list(self.not_run),
            "proof": self.proof,
            "seconds": round(self.seconds, 3),
        }

    def text(self) -> str:
        """For a human."""
        lines = [f"{self.subject}: {self.verdict}"]
        for finding in self.findings:
            lines.append(f"  {finding.verdict} {finding.id} [{finding.segment}]: {finding.reason}")
            shown = finding.counterexample
            if shown and "destination" in shown:
                port = f" port {shown['port']}" if shown.get("port") is not None else ""
                lines.append(f"    packet: {shown['family']} {shown['protocol']} {shown['source']} -> {shown['destination']}{port}")
            elif shown:
                lines.append(f"    request: {', '.join(f'{key} {value}' for key, value in shown.items())}")
            lines += [f"    {number}. {step}" for number, step in enumerate(finding.path, start=1)]
        lines.append(f"  read: {sum(self.read.values())} objects of {len(self.read)} kinds")
        for title, items in (("assumed", self.assumptions), ("NOT-RUN", self.not_run)):
            lines += [f"  {title}: {item}" for item in items]
        return "\n".join(lines)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Without repetitions, failures with a packet first: that is what a reader has to see."""
    kept: list[Finding] = []
    for item in findings:
        if item not in kept:
            kept.append(item)
    return tuple(sorted(kept, key=lambda item: (item.verdict != Verdict.FAIL, item.counterexample is None, item.segment, item.id)))
