"""Brings up a region that a platform converges by itself: a cluster's controllers do what Ansible does on hosts.

Probes from pods are another step; where they did not run, the answer is NOT_RUN and never PASS.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from curtilage.commands.enforcement import enforcement, said
from curtilage.commands.plan import Decision
from curtilage.engine import Engine
from curtilage.errors import ConfigError, NotRunError
from curtilage.kubeconfig import require_reachable
from curtilage.live.aws_client import open_account
from curtilage.live.kube_nodes import require_nodes
from curtilage.output import stdout
from curtilage.plugins import OFFICIAL
from curtilage.region import Platform, Region
from curtilage.verdict import Verdict, worst

REHEARSED = "CURTILAGE_AWS_RECORDED"
"""Set to 1, the stand-in for AWS keeps an update in the state alone, every made-up value marked."""


@dataclass(frozen=True, kw_only=True)
class PlatformOutcome:
    """What was applied, and what was not tested."""

    region: Region
    decision: Decision
    changes: dict[str, int]
    unchanged: bool
    packets: tuple[Verdict, str] | None = None

    @property
    def verdict(self) -> Verdict:
        """At best NOT_RUN: nothing attacked the region from inside. FAIL where the cluster's CNI was seen to ignore policies."""
        return worst([self.decision.verdict, Verdict.NOT_RUN, *([self.packets[0]] if self.packets else [])])

    def document(self) -> dict[str, Any]:
        """One JSON document."""
        return {
            "region": self.region.name,
            "verdict": str(self.verdict),
            "plan": self.decision.document(),
            "changes": self.changes,
            "second_preview_unchanged": self.unchanged,
            "verify": str(Verdict.NOT_RUN),
            **({"packets": {"verdict": str(self.packets[0]), "reason": self.packets[1]}} if self.packets else {}),
        }


def bring_up_platform(region: Region, decide: Callable[[Region, Engine], Decision], engine: Engine | None = None) -> PlatformOutcome:
    """Plan, policies, proof; apply; preview again.

    The plan is made of what providers read now. Where it says that nothing is to do, nothing is done and no program runs a second time:
    the region is what was judged, as far as a provider can see (:data:`curtilage.commands.drift.UNSEEN` says what it cannot).

    Args:
        region: the region.
        decide: judges a plan and stops what is not PASS.
        engine: the engine; made when None.

    Raises:
        ConfigError: images or weights have no digest, the context is in no kubeconfig, or the credentials are of another account.
        NotRunError: a region on AWS without the official plugins.
        StepError: nobody answers, the nodes are not those that the region names, the plan is not PASS, or applying it failed.
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
        require_nodes(region)
    runs = engine or Engine(region)
    if region.platform is Platform.AWS:
        _require_account(region, runs)
    decision = decide(region, runs)
    if decision.plan.nothing_to_do and decision.plan.refreshed and runs.outputs()["region"] == region.canonical():
        return PlatformOutcome(region=region, decision=decision, changes=decision.plan.changes, unchanged=True, packets=enforcement(region))
    changes = runs.up(decision.plan)
    return PlatformOutcome(region=region, decision=decision, changes=changes, unchanged=runs.no_changes(), packets=enforcement(region))


def _require_account(region: Region, engine: Engine) -> None:
    """Whose account would be changed, asked before anything is planned: the provider itself would refuse it only in the middle."""
    lacking = [item.name for item in engine.plugins if item.kind != OFFICIAL]
    if lacking and os.environ.get(REHEARSED) != "1":
        raise NotRunError(
            f"NOT-RUN: {region.name} is on AWS, and the stand-in for {', '.join(lacking)} that answers here creates nothing;"
            " nothing was changed"
            f"\n  fix:  pulumi plugin install resource {lacking[0]}; {REHEARSED}=1 rehearses an update in the state alone"
        )
    if not lacking:
        open_account(region)


def show(outcome: PlatformOutcome) -> None:
    """For a human."""
    for line in (
        f"region    {outcome.region.name} ({outcome.region.platform})",
        f"applied   {', '.join(f'{count} {name}' for name, count in sorted(outcome.changes.items())) or 'nothing'}",
        f"again     {'no change' if outcome.unchanged else 'a second preview proposes changes: run `curtilage plan`'}",
        "verify    NOT_RUN: nothing attacked the region from inside (docs/regions.md, the first time, by hand)",
        *(said(outcome.region, outcome.packets) if outcome.packets else ()),
        f"verdict   {outcome.verdict}",
    ):
        stdout.print(line, markup=False)
