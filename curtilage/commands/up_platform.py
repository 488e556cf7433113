"""Brings up a region that a platform converges by itself: a cluster's controllers do what Ansible does on hosts.

Probes from pods are another step; where they did not run, the answer is NOT_RUN and never PASS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from curtilage.commands.plan import Decision
from curtilage.engine import Engine
from curtilage.errors import ConfigError
from curtilage.kubeconfig import require_reachable
from curtilage.output import stdout
from curtilage.region import Platform, Region
from curtilage.verdict import Verdict, worst


@dataclass(frozen=True, kw_only=True)
class PlatformOutcome:
    """What was applied, and what was not tested."""

    region: Region
    decision: Decision
    changes: dict[str, int]
    unchanged: bool

    @property
    def verdict(self) -> Verdict:
        """At best NOT_RUN: nothing attacked the region from inside."""
        return worst([self.decision.verdict, Verdict.NOT_RUN])

    def document(self) -> dict[str, Any]:
        """One JSON document."""
        return {
            "region": self.region.name,
            "verdict": str(self.verdict),
            "plan": self.decision.document(),
            "changes": self.changes,
            "second_preview_unchanged": self.unchanged,
            "verify": str(Verdict.NOT_RUN),
        }


def bring_up_platform(region: Region, decide: Callable[[Region, Engine], Decision], engine: Engine | None = None) -> PlatformOutcome:
    """Plan, policies, proof; apply; preview again.

    Args:
        region: the region.
        decide: judges a plan and stops what is not PASS.
        engine: the engine; made when None.

    Raises:
        ConfigError: images or weights have no digest, or the context is in no kubeconfig.
        StepError: nobody answers, the plan is not PASS, or applying it failed.
    """
    lacking = [model.name for model in region.unimported_models()] + list(region.missing_images)
    if lacking:
        raise ConfigError(
            f"without digests: {', '.join(lacking)}",
            rule="only imported, signed models and images are brought up",
            fix="import each and write its digest into the stack file",
            file=f"stacks/Pulumi.{region.name}.yaml",
            key="models",
        )
    if region.platform is Platform.KUBERNETES:
        require_reachable(region)
    runs = engine or Engine(region)
    decision = decide(region, runs)
    changes = runs.up(decision.plan)
    return PlatformOutcome(region=region, decision=decision, changes=changes, unchanged=runs.no_changes())


def show(outcome: PlatformOutcome) -> None:
    """For a human."""
    for line in (
        f"region    {outcome.region.name} ({outcome.region.platform})",
        f"applied   {', '.join(f'{count} {name}' for name, count in sorted(outcome.changes.items())) or 'nothing'}",
        f"again     {'no change' if outcome.unchanged else 'a second preview proposes changes: run `curtilage plan`'}",
        "verify    NOT_RUN: nothing attacked the region from inside (docs/regions.md, the first time, by hand)",
        f"verdict   {outcome.verdict}",
    ):
        stdout.print(line, markup=False)
