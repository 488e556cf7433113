"""Decides a whole plan: its AWS resources and its Kubernetes objects, each by its own model, one verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from curtilage.proof import aws, kubernetes
from curtilage.proof.kubernetes.plans import check_plan, is_kubernetes
from curtilage.proof.report import Finding, ProofResult, text
from curtilage.region import Region
from curtilage.verdict import Verdict, worst


@dataclass(frozen=True)
class WholeProof:
    """The decisions about one plan, by platform."""

    proofs: dict[str, ProofResult]

    @property
    def verdict(self) -> Verdict:
        """The worst of them."""
        return worst(proof.verdict for proof in self.proofs.values())

    @property
    def findings(self) -> tuple[tuple[str, Finding], ...]:
        """Every finding with the platform it is about."""
        return tuple((name, finding) for name, proof in self.proofs.items() for finding in proof.findings)

    def document(self) -> dict[str, Any]:
        """The JSON of the contract; where the plan is of two platforms, both decisions stand in it whole."""
        documents = {name: proof.document() for name, proof in self.proofs.items()}
        first = next(iter(documents.values()))
        if len(documents) == 1:
            return first
        findings = [{"platform": name, **finding.document()} for name, finding in self.findings]
        return {"subject": first["subject"], "verdict": self.verdict, "findings": findings, "proofs": documents}

    def text(self) -> str:
        """A human's report."""
        return "\n".join(text(proof) for proof in self.proofs.values())


def prove_whole(plan: aws.Plan, region: Region | None = None, namespaces: tuple[str, ...] = ()) -> WholeProof:
    """Decide whether anything can leave what a plan leads to.

    Args:
        plan: see :func:`curtilage.proof.aws.read_plan` and :func:`curtilage.proof.aws.parse_plan`.
        region: whose segments and allowances hold.
        namespaces: the legal segment's; default: the region's, or every namespace of the plan but the system's.

    Raises:
        ConfigError: the plan is another region's.
    """
    proofs: dict[str, ProofResult] = {}
    if is_kubernetes(plan):
        check_plan(plan, region)
        scope = kubernetes.Scope.of(region, namespaces) if region else kubernetes.Scope(namespaces=namespaces)
        subject = f"{plan.project}/{plan.stack} ({plan.kind})"
        proofs["kubernetes"] = kubernetes.prove_manifests(kubernetes.from_plan(plan), scope, subject=subject)
    if not proofs or any(item.type.startswith("aws:") for item in plan.resources.values()):
        proofs["aws"] = aws.prove_plan(plan, region=region)
    return WholeProof(proofs)
