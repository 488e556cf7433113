"""``curtilage plan REGION``: preview, policies, proof. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer

from curtilage.engine import Engine, Plan
from curtilage.output import print_json, progress, stdout
from curtilage.region import Region, load_region
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
            "not_deployable": [model.name for model in self.region.unimported_models()],
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


def decide(region: Region, engine: Engine | None = None) -> Decision:
    """Preview a region and judge the plan. ``curtilage up`` calls this too, so that both judge alike."""
    progress(f"plan: previewing {region.name} with the policy pack")
    found = (engine or Engine(region)).preview()
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
        *(f"models    {model.name}: not imported, so `curtilage up` will refuse this region" for model in region.unimported_models()),
        f"verdict   {decision.verdict}",
    ]
    for line in lines:
        stdout.print(line, markup=False)


def prove(region: Region, plan: Plan) -> tuple[Verdict, tuple[dict[str, Any], ...]]:
    """Decide the planned rulesets, as the plan holds them: not those the region would derive, which a changed program could differ from."""
    from curtilage.proof.regions import prove_host  # z3 takes a second to load, which `--help` need not wait for

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
