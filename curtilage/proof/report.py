"""What a proof says: verdict, findings with a packet and its path, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
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


class About(StrEnum):
    """What was decided; each names its digest in the JSON."""

    RULESET = "ruleset"
    PLAN = "plan"
    MANIFESTS = "manifests"


@dataclass(frozen=True, kw_only=True)
class ProofResult:
    """The decision about one ruleset, one plan or one set of manifests.

    Attributes:
        about: which of them.
        subject: how the report names it.
        allowances: by id, whether any packet can take it.
        digest: ``sha256:…`` of what was decided.
    """

    about: About
    subject: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    modelled: tuple[str, ...]
    assumptions: tuple[str, ...]
    out_of_scope: tuple[str, ...]
    allowances: dict[str, bool] = field(default_factory=dict)
    digest: str
    seconds: float

    @property
    def unused_allowances(self) -> tuple[str, ...]:
        """Those that no packet can take, in order."""
        return tuple(sorted(name for name, used in self.allowances.items() if not used))

    def document(self) -> dict[str, Any]:
        """The JSON of the contract, with what the verdict rests on."""
        return {
            "subject": self.subject,
            "verdict": self.verdict,
            "findings": [finding.document() for finding in self.findings],
            "allowances": [{"id": name, "used": used} for name, used in sorted(self.allowances.items())],
            # What one host cannot use another may: of rulesets only the whole region says what is unused.
            **({} if self.about is About.RULESET else {"unused_allowances": list(self.unused_allowances)}),
            "modelled": list(self.modelled),
            "assumptions": list(self.assumptions),
            "out_of_scope": list(self.out_of_scope),
            f"{self.about}_digest": self.digest,
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
        where = "" if result.about is About.RULESET else f" [{finding.segment}]"  # a ruleset is of one segment
        lines.append(f"  {finding.verdict} {finding.id}{where}: {finding.reason}")
        shown = finding.counterexample
        if shown:
            port = f" port {shown['port']}" if shown.get("port") is not None else ""
            lines.append(f"    packet: {shown['family']} {shown['protocol']} {shown['source']} -> {shown['destination']}{port}")
        lines += [f"    {number}. {step}" for number, step in enumerate(finding.path, start=1)]
    for name, used in sorted(result.allowances.items()):
        lines.append(f"  allowance {name}: {'in use' if used else 'unused: no packet can take it; remove it'}")
    for title, items in (("modelled", result.modelled), ("assumed", result.assumptions), ("out of scope", result.out_of_scope)):
        lines += [f"  {title}: {item}" for item in items]
    return "\n".join(lines)
