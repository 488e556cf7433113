"""What a person reads of a decision about manifests."""

from __future__ import annotations

from curtilage.proof.kubernetes.prove import ManifestProof


def text(proof: ManifestProof) -> str:
    """A human's report."""
    lines = [f"{proof.subject}: {proof.verdict}"]
    for finding in proof.findings:
        lines.append(f"  {finding.verdict} {finding.id} [{finding.segment}]: {finding.reason}")
        shown = finding.counterexample
        if shown:
            port = f" port {shown['port']}" if shown.get("port") is not None else ""
            lines.append(f"    packet: {shown['family']} {shown['protocol']} {shown['source']} -> {shown['destination']}{port}")
        lines += [f"    {number}. {step}" for number, step in enumerate(finding.path, start=1)]
    for name, used in sorted(proof.allowances.items()):
        lines.append(f"  allowance {name}: {'in use' if used else 'unused: no packet can take it; remove it'}")
    for title, items in (("modelled", proof.modelled), ("assumed", proof.assumptions), ("out of scope", proof.out_of_scope)):
        lines += [f"  {title}: {item}" for item in items]
    return "\n".join(lines)
