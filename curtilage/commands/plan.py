"""``curtilage plan REGION``: preview, policies, proof. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer

from curtilage.engine import Engine, Plan
from curtilage.output import print_json, progress, stdout
from curtilage.region import Platform, Region, load_region
from curtilage.verdict import Verdict, worst

app = typer.Typer()


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The plan of a region and what was decided about it.

    Attributes:
        region: the region.
        plan: the engine's preview with the policies' violations.
        proof: verdict of the proof on the planned rulesets; NOT_RUN where no proof ran.
        findings: what the proof found.
    """

    region: Region
    plan: Plan
    proof: Verdict
    findings: tuple[dict[str, Any], ...]

    @property
    def policies(self) -> Verdict:
        """FAIL when a policy stops the plan."""
        return Verdict.FAIL if self.plan.stopped else Verdict.PASS

    @property
    def verdict(self) -> Verdict:
        """The worse of policies and proof: only PASS may be applied."""
        return worst([self.policies, self.proof])

    def document(self) -> dict[str, Any]:
        """The decision as one JSON document."""
        return {
            "region": self.region.name,
            "verdict": str(self.verdict),
            "plan_digest": self.plan.digest,
            "changes": self.plan.changes,
            "policies": {
                "verdict": str(self.policies),
                "violations": [
                    {"policy": item.policy, "level": item.level, "urn": item.urn, "message": item.message} for item in self.plan.violations
                ],
            },
            "proof": {"verdict": str(self.proof), "findings": list(self.findings)},
            "allowances": [item.model_dump(mode="json") for item in self.region.allowances],
            "not_deployable": [model.name for model in self.region.unimported_models()] + list(self.region.missing_images),
            "providers": self.plan.providers,
        }


@app.command("plan")
def plan(
    region: str = typer.Argument(help="Region name, as in stacks/Pulumi.<region>.yaml."),
    json_output: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Preview a region and decide whether it may be applied: the engine's plan, the policies, the proof. Changes nothing.

    Example: curtilage plan lab --json
    """
    decision = decide(load_region(region))
    if json_output:
        print_json(decision.document())
    else:
        show(decision)
    raise typer.Exit(decision.verdict.exit_code)


def decide(region: Region, engine: Engine | None = None, *, refresh: bool = False) -> Decision:
    """Preview a region and judge the plan. ``curtilage up`` calls this too, so that both judge alike; it also lets providers look first."""
    progress(f"plan: previewing {region.name} with the policy pack")
    found = (engine or Engine(region)).preview(refresh=refresh)
    proof, findings = prove(region, found)
    return Decision(region=region, plan=found, proof=proof, findings=findings)


def show(decision: Decision) -> None:
    """The plan for a human."""
    region, found = decision.region, decision.plan
    lines = [
        f"region    {region.name} ({region.jurisdiction}, {region.platform}, site {region.site})",
        f"plan      {found.digest}",
        f"changes   {', '.join(f'{count} {name}' for name, count in sorted(found.changes.items())) or 'none'}",
        f"outside   {len(region.allowances)} allowances" + ("" if region.allowances else ": no destination outside the segments"),
        *(
            f"          {item.id}: {item.from_role} -> {item.destination} {item.protocol} {','.join(map(str, item.ports))}"
            f" until {item.expires} ({item.owner}: {item.reason})"
            for item in region.allowances
        ),
        f"policies  {decision.policies}",
        *(f"          {item.policy}: {item.message}" for item in found.violations),
        f"proof     {decision.proof}",
        *(f"          {finding.get('id', '')}: {finding.get('reason', '')}" for finding in decision.findings),
        *(f"provider  {name}: {kind}" for name, kind in sorted(found.providers.items())),
        *(f"image     {key}: not imported, so `curtilage up` will refuse this region" for key in region.missing_images),
        *(f"models    {model.name}: not imported, so `curtilage up` will refuse this region" for model in region.unimported_models()),
        f"verdict   {decision.verdict}",
    ]
    for line in lines:
        stdout.print(line, markup=False)


def prove(region: Region, plan: Plan) -> tuple[Verdict, tuple[dict[str, Any], ...]]:
    """Decide the planned rulesets, as the plan holds them: not those the region would derive, which a changed program could differ from."""
    from curtilage.proof.regions import prove_host  # z3 takes a second to load, which `--help` need not wait for

    if region.platform is not Platform.HOSTS:
        return _prove_platform(region, plan)
    planned = plan.rulesets()
    verdicts: list[Verdict] = []
    findings: list[dict[str, Any]] = []
    for host in region.hosts:
        if host.name not in planned:
            verdicts.append(Verdict.NOT_PROVEN)
            findings.append({"host": host.name, "id": "no-ruleset", "reason": f"the plan holds no ruleset for {host.name}"})
            continue
        result = prove_host(region, host, planned[host.name])
        verdicts.append(result.verdict)
        findings += [{"host": host.name, **finding.document()} for finding in result.findings]
    return worst(verdicts), tuple(findings)


def _prove_platform(region: Region, plan: Plan) -> tuple[Verdict, tuple[dict[str, Any], ...]]:
    """Decide what the plan holds of a cluster and of AWS; a part that the platform has and the plan lacks is not proven."""
    from curtilage.proof.aws import parse_plan  # z3 takes a second to load, which `--help` need not wait for
    from curtilage.proof.plans import prove_whole

    whole = prove_whole(parse_plan(plan.document), region)
    wanted = {Platform.KUBERNETES: {"kubernetes"}, Platform.AWS: {"aws", "kubernetes"}}[region.platform]
    findings = [finding for proof in whole.proofs.values() for finding in (item.document() for item in proof.findings)]
    verdicts = [proof.verdict for proof in whole.proofs.values()]
    for name in sorted(wanted - set(whole.proofs)):
        verdicts.append(Verdict.NOT_PROVEN)
        findings.append({"id": "no-objects", "reason": f"the plan holds nothing of {name}, so nothing of it was decided"})
    return worst(verdicts), tuple(findings)
