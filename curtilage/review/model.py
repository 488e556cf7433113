"""What a review says, before anyone renders it. Values of the plan's properties never enter it; facts about packets and principals do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from curtilage.proof.report import ProofResult
from curtilage.verdict import Verdict, worst


class Severity(StrEnum):
    """How carefully a change has to be read; worst first."""

    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"


def highest(found: list[Severity]) -> Severity:
    """The worst of them; none at all is green."""
    order = list(Severity)
    return min(found, key=order.index) if found else Severity.GREEN


@dataclass(frozen=True, kw_only=True)
class Change:
    """One resource that the plan changes: names of properties, never their values."""

    operation: str  # create, update, replace, delete
    type: str
    name: str
    urn: str
    properties: tuple[str, ...] = ()
    severity: Severity = Severity.GREEN

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "operation": self.operation,
            "type": self.type,
            "name": self.name,
            "urn": self.urn,
            "properties": list(self.properties),
            "severity": str(self.severity),
        }


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Packets that one side allows and the other does not, by destination, with a concrete one of them.

    Attributes:
        where: the host or VPC, and which lock: a packet that leaves, or one lock that alone would let it.
        leaves: whether it really leaves, rather than passing one of several locks.
        certain: whether both sides were decided.
        inside: whether it stays in the segments of both plans, and so is no egress.
    """

    where: str
    destination: str
    protocol: str
    ports: str
    witness: dict[str, Any]
    leaves: bool
    certain: bool = True
    inside: bool = False

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "where": self.where,
            "destination": self.destination,
            "protocol": self.protocol,
            "ports": self.ports,
            "witness": self.witness,
            "leaves": self.leaves,
            "inside": self.inside,
            "certain": self.certain,
        }


@dataclass(frozen=True, kw_only=True)
class Access:
    """A request that the new policy allows and the old one did not."""

    resource: str
    policy: str
    principal: str
    action: str
    target: str
    foreign: bool
    certain: bool

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "resource": self.resource,
            "policy": self.policy,
            "principal": self.principal,
            "action": self.action,
            "target": self.target,
            "foreign": self.foreign,
            "certain": self.certain,
        }


@dataclass(kw_only=True)
class Delta:
    """What becomes possible, what no longer is, and which locks went."""

    added: list[Flow] = field(default_factory=list)
    removed: list[Flow] = field(default_factory=list)
    names_added: list[str] = field(default_factory=list)
    names_removed: list[str] = field(default_factory=list)
    principals: list[Access] = field(default_factory=list)
    denies_removed: list[str] = field(default_factory=list)
    allowances_added: list[str] = field(default_factory=list)
    allowances_removed: list[str] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)

    @property
    def widens(self) -> bool:
        """Whether anything becomes possible that was not."""
        opened = any(not item.inside for item in self.added)
        return bool(opened or self.names_added or self.principals or self.denies_removed or self.allowances_added)

    @property
    def empty(self) -> bool:
        """Whether nothing at all about egress changes."""
        outside = any(not item.inside for item in self.removed)
        return not (self.widens or outside or self.names_removed or self.allowances_removed or self.undecided)

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "added": [item.document() for item in self.added],
            "removed": [item.document() for item in self.removed],
            "names_added": self.names_added,
            "names_removed": self.names_removed,
            "principals_added": [item.document() for item in self.principals],
            "denies_removed": self.denies_removed,
            "allowances_added": self.allowances_added,
            "allowances_removed": self.allowances_removed,
            "undecided": self.undecided,
        }


@dataclass(frozen=True, kw_only=True)
class Policies:
    """What the policy pack says of the new plan; ``verdict`` None where it holds no region that the pack judges."""

    verdict: Verdict | None
    violations: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What the proof says of the new plan."""

    verdict: Verdict
    findings: tuple[dict[str, Any], ...] = ()
    unused_allowances: tuple[str, ...] = ()

    @classmethod
    def of(cls, proof: ProofResult) -> Proof:
        """What a decision about the whole plan says."""
        findings = tuple(item.document() for item in proof.findings)
        return cls(verdict=proof.verdict, findings=findings, unused_allowances=proof.unused_allowances)


@dataclass(frozen=True, kw_only=True)
class RegionReview:
    """One region."""

    region: str
    status: str  # new, removed, changed, unchanged
    platform: str
    digests: tuple[str | None, str | None]
    changes: tuple[Change, ...]
    delta: Delta
    policies: Policies
    proof: Proof

    @property
    def verdict(self) -> Verdict:
        """The worse of policies and proof; a region that goes has neither."""
        if self.status == "removed":
            return Verdict.PASS
        return worst([self.proof.verdict, *([self.policies.verdict] if self.policies.verdict is not None else [])])

    @property
    def severity(self) -> Severity:
        """Red where something is replaced or deleted, opened, or not proved."""
        found = [item.severity for item in self.changes]
        if self.status == "removed" or self.delta.widens or self.delta.undecided or self.verdict is not Verdict.PASS:
            found.append(Severity.RED)
        return highest(found)

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "region": self.region,
            "status": self.status,
            "platform": self.platform,
            "severity": str(self.severity),
            "verdict": str(self.verdict),
            "plan_digest": {"old": self.digests[0], "new": self.digests[1]},
            "changes": [item.document() for item in self.changes],
            "egress": self.delta.document(),
            "policies": {
                "verdict": str(self.policies.verdict) if self.policies.verdict is not None else None,
                "violations": list(self.policies.violations),
            },
            "proof": {
                "verdict": str(self.proof.verdict),
                "findings": list(self.proof.findings),
                "unused_allowances": list(self.proof.unused_allowances),
            },
        }


@dataclass(frozen=True, kw_only=True)
class Review:
    """Every region of a pull request."""

    regions: tuple[RegionReview, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst region's."""
        return worst(item.verdict for item in self.regions)

    @property
    def severity(self) -> Severity:
        """The worst region's."""
        return highest([item.severity for item in self.regions])

    def document(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "verdict": str(self.verdict),
            "severity": str(self.severity),
            "regions": [item.document() for item in self.regions],
        }
