"""What the checks of single resources share: the plan, where findings go, and how values that may be unknown are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from curtilage.proof.aws.model import VPC, Net
from curtilage.proof.aws.plan import UNKNOWN, Plan, Resource
from curtilage.proof.aws.policy import Owner
from curtilage.proof.report import Finding
from curtilage.verdict import Verdict


@dataclass
class Context:
    """One proof under way.

    Attributes:
        open: whether the region has allowances; without any, a gateway out has no reason to be there.
    """

    plan: Plan
    net: Net
    owner: Owner
    open: bool = False
    home: str | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def segment(self) -> str:
        """The segment of what stands in no VPC."""
        return self.net.vpcs[0].name if self.net.vpcs else "aws"

    def fail(
        self, id: str, item: Resource, reason: str, counterexample: dict[str, Any] | None = None, *, verdict: Verdict = Verdict.FAIL
    ) -> None:
        """One way out, or one lock that does not hold."""
        vpc = self.net.vpc_of(self.plan.one(item, "vpcId", item.get("vpcId"), VPC))
        found = Finding(id, vpc.name if vpc else self.segment, verdict, f"{item}: {reason}", counterexample, (f"{item} ({item.urn})",))
        if found not in self.findings:
            self.findings.append(found)

    def must(self, id: str, item: Resource, prop: str, value: Any, good: Callable[[Any], bool], reason: str) -> None:
        """A value that has to be right; one that is not known is a gap."""
        if value is UNKNOWN:
            self.plan.gap(item, f"{prop} is not known")
        elif not good(value):
            self.fail(id, item, reason)


def is_true(value: Any) -> bool:
    """As Pulumi writes booleans: also as text."""
    return value is True or str(value).lower() == "true"


def is_false(value: Any) -> bool:
    """Stated, and false."""
    return value is False or str(value).lower() == "false"


def block(value: Any) -> dict[str, Any]:
    """A nested block, which a provider may wrap in a list; an unknown one is empty and read as such by its fields."""
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, dict) else {}


def blocks(value: Any) -> list[dict[str, Any]]:
    """All nested blocks."""
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, dict)]
