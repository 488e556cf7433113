"""What a proof says: verdict, findings with a packet and its path, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from curtilage.verdict import Verdict


@dataclass(frozen=True)
class Finding:
    """One way out, or one thing that keeps the model from saying that there is none."""

    id: str
    segment: str
    verdict: Verdict
    reason: str
    counterexample: dict[str, Any] | None = None
    path: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """The JSON of the contract."""
        return {
            "id": self.id,
            "segment": self.segment,
            "verdict": self.verdict,
            "counterexample": self.counterexample,
            "path": list(self.path),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class ProofResult:
    """The decision about one ruleset."""

    subject: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    modelled: tuple[str, ...]
    assumptions: tuple[str, ...]
    out_of_scope: tuple[str, ...]
    allowances: dict[str, bool] = field(default_factory=dict)
    ruleset_digest: str = ""
    seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        """The JSON of the contract, with what the verdict rests on."""
        return {
            "subject": self.subject,
            "verdict": self.verdict,
            "findings": [finding.document() for finding in self.findings],
            "allowances": [{"id": name, "used": used} for name, used in sorted(self.allowances.items())],
            "modelled": list(self.modelled),
            "assumptions": list(self.assumptions),
            "out_of_scope": list(self.out_of_scope),
            "ruleset_digest": self.ruleset_digest,
            "seconds": round(self.seconds, 3),
        }


OUT_OF_SCOPE = (
    "AF_XDP transmission: it passes no nftables hook; it needs CAP_NET_RAW with CAP_BPF or CAP_SYS_ADMIN, which no service has (EG-59)",
    "a process with CAP_NET_ADMIN: it can replace the ruleset; drift is what probes and the live digest watch",
    "other programs on the path (tc, XDP, eBPF, iptables-legacy): a ruleset does not show them",
    "links other than those listed; management controllers, serial lines, radios, USB (EG-46)",
    "address resolution and frames inside the segment (EG-44)",
    "what a permitted peer inside the segment does with what it receives: each host is proved by itself",
)


def text(result: ProofResult) -> str:
    """A human's report."""
    lines = [f"{result.subject}: {result.verdict}"]
    for finding in result.findings:
        lines.append(f"  {finding.verdict} {finding.id}: {finding.reason}")
        if finding.counterexample:
            shown = finding.counterexample
            port = f" port {shown['port']}" if shown.get("port") is not None else ""
            lines.append(f"    packet: {shown['family']} {shown['protocol']} {shown['source']} -> {shown['destination']}{port}")
        lines += [f"    {number}. {step}" for number, step in enumerate(finding.path, start=1)]
    for name, used in sorted(result.allowances.items()):
        lines.append(f"  allowance {name}: {'in use' if used else 'unused: no packet can take it; remove it'}")
    for title, items in (("modelled", result.modelled), ("assumed", result.assumptions), ("out of scope", result.out_of_scope)):
        lines += [f"  {title}: {item}" for item in items]
    return "\n".join(lines)
