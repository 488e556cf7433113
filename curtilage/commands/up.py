"""``curtilage up REGION``: preview → policies → proof → up → configure → ask → verify → evidence.

Each step is idempotent, so a run that was cut off goes on where it was by being started again: what is cached, running or unchanged costs
seconds. Nothing is applied before the policies and the proof have passed.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from curtilage import doctor
from curtilage.commands.ask import ask, ledger_state
from curtilage.commands.prepare import NOTHING_TO_PREPARE, Prepared, prepare_lab
from curtilage.commands.reach import Reach, reach
from curtilage.commands.screen import Outcome, show
from curtilage.commands.verify import run_verification
from curtilage.configure import ConfigureResult, configure
from curtilage.engine import Engine, Plan
from curtilage.errors import MachineError, StepError
from curtilage.evidence.inputs import BundleInputs, remember
from curtilage.evidence.keys import load_or_create
from curtilage.evidence.verify import verify_bundle
from curtilage.output import print_json, progress
from curtilage.paths import state_dir
from curtilage.probes.cells import region_cells
from curtilage.probes.verify import Verification
from curtilage.proof.regions import prove_host
from curtilage.proof.report import ProofResult
from curtilage.region import Region, load_region
from curtilage.steps import Steps
from curtilage.verdict import Verdict, worst

app = typer.Typer()

PROOF_ID = "proof/no-packet-leaves"
POLICY_ID = "policy/pack"
TOOLS = ("pulumi", "ansible-core", "pytest-testinfra", "z3-solver", "model-signing", "cryptography")


@app.command("up", epilog="Example: curtilage up lab --json")
def up(
    region: str = typer.Argument(help="Region name, as in stacks/Pulumi.<region>.yaml."),
    json_output: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Bring a region up and show that it holds. Started again, it goes on where it was."""
    outcome = bring_up(load_region(region))
    if json_output:
        print_json(outcome.document())
    else:
        show(outcome)
    raise typer.Exit(outcome.verdict.exit_code)


def bring_up(region: Region) -> Outcome:
    """Every step of a region's life up to its evidence.

    Raises:
        StepError: a step failed; what was done before it is said on stderr and kept in the run's journal.
    """
    with _alone(region):
        steps = Steps(state_dir() / "runs" / f"{region.name}.json")
        with steps.step("machine"):
            _ready_machine()
        with steps.step("prepare"):
            prepared = prepare_lab(progress) if region.lab else NOTHING_TO_PREPARE
        engine = Engine(region)
        with steps.step("plan and policies") as record:
            plan = _planned(engine)
            record |= {"digest": plan.digest, "changes": plan.changes}
        with steps.step("proof"):
            proofs = _proven(region, plan)
        if region.lab:
            with steps.step("boot, sealed"):
                _boot(region, plan, prepared)
        where = reach(region)
        with steps.step("up") as record:
            record["changes"] = engine.up()
        with steps.step("configure") as record:
            configured = _configured(region, engine, where, prepared)
            record |= {"changed": configured.changed, "hosts": list(configured.hosts_reached)}
        with steps.step("ask"):
            calls = _asked(region, where) if region.lab else []
        with steps.step("verify") as record:
            verification = run_verification(region.name)
            record["verdict"] = str(verification.verdict)
        with steps.step("evidence") as record:
            ledger = ledger_state(region, where)
            inputs = _evidence(region, plan, proofs, prepared, verification, ledger)
            bundle, bundle_verdict = _signed(inputs)
            record["bundle"] = str(bundle)
        return Outcome(
            region=region,
            verdict=worst([verification.verdict, bundle_verdict, *(result.verdict for result in proofs.values())]),
            plan=plan,
            proofs=proofs,
            configured=configured,
            calls=calls,
            verification=verification,
            ledger=ledger,
            bundle=bundle,
            bundle_verdict=bundle_verdict,
            models=prepared.models,
            steps=steps.done,
            seconds=steps.seconds,
        )


@contextmanager
def _alone(region: Region) -> Iterator[None]:
    """One run of a region at a time; a second one is told, not queued."""
    path = state_dir() / f"up-{region.name}.lock"
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StepError("up", f"another run of '{region.name}' is under way", fix="wait for it, or stop it first") from error
        yield


def _ready_machine() -> None:
    """What the machine lacks is installed where a package does it, and named where it does not; before anything else changes."""
    lacking = [finding for finding in doctor.examine(doctor.look()) if not finding.ok]
    packages = tuple(sorted({package for finding in lacking for package in finding.packages}))
    if packages:
        progress(f"  installing {', '.join(packages)}")
        doctor.install(packages)
        lacking = [finding for finding in doctor.examine(doctor.look()) if not finding.ok]
    if lacking:
        lines = [f"{finding.check}: {finding.found}; needs {finding.need}\n    fix: {finding.fix}" for finding in lacking]
        raise MachineError("this machine cannot run the region yet; nothing was changed\n  " + "\n  ".join(lines))


def _planned(engine: Engine) -> Plan:
    plan = engine.preview()
    if plan.stopped:
        lines = [f"{violation.policy}: {violation.message} ({violation.urn})" for violation in plan.violations]
        raise StepError("policies", "; ".join(lines), fix="change the region's file, then run the same command again")
    return plan


def _proven(region: Region, plan: Plan) -> dict[str, ProofResult]:
    """Decide the rulesets of the plan itself, host by host; anything but PASS stops here."""
    rulesets = plan.rulesets()
    missing = sorted({host.name for host in region.hosts} - set(rulesets))
    if missing:
        raise StepError("proof", f"the plan holds no ruleset for {', '.join(missing)}", fix="every host has an EgressFirewall")
    proofs = {host.name: prove_host(region, host, rulesets[host.name]) for host in region.hosts}
    refused = [
        f"{name}: {result.verdict}: {finding.reason} {finding.counterexample or ''}"
        for name, result in proofs.items()
        for finding in result.findings
        if result.verdict is not Verdict.PASS
    ]
    if worst(result.verdict for result in proofs.values()) is not Verdict.PASS:
        raise StepError("proof", "; ".join(refused) or "not proven", fix="`curtilage prove --help` decides one ruleset at a time")
    return proofs


def _boot(region: Region, plan: Plan, prepared: Prepared) -> None:
    from lab.lab import Lab  # the lab is a checkout's, not a wheel's

    Lab(region).start(progress, rulesets=plan.rulesets(), models=prepared.store)


def _configured(region: Region, engine: Engine, where: Reach, prepared: Prepared) -> ConfigureResult:
    return configure(
        region,
        engine.outputs()["inventory"],
        run_prefix=where.prefix,
        ssh_config=where.ssh_config,
        models=prepared.models,
    )


def _asked(region: Region, where: Reach) -> list[dict[str, Any]]:
    calls = ask(region, where)
    failed = [f"{call['sdk']} {call['call']}: {call['outcome']} {call['code'] or ''}" for call in calls if call["outcome"] == "failed"]
    if failed or not any(call["outcome"] == "answered" for call in calls):
        reason = "; ".join(failed) or "no call was answered"
        raise StepError("ask", reason, fix="read the gateway's journal: curtilage lab exec gw-1 -- journalctl -u curtilage-gateway")
    return calls


def _evidence(
    region: Region,
    plan: Plan,
    proofs: dict[str, ProofResult],
    prepared: Prepared,
    verification: Verification,
    ledger: dict[str, Any],
) -> BundleInputs:
    """What was seen, as a bundle's inputs. What is required comes from the region, never from the results."""
    tests = {f"host/{name}": Verdict.PASS if outcome == "passed" else Verdict.FAIL for name, outcome in verification.host_tests.items()}
    single = tests | {PROOF_ID: worst(result.verdict for result in proofs.values()), POLICY_ID: Verdict.PASS}
    return BundleInputs(
        region=region.name,
        plan_digest=plan.digest,
        collected=datetime.now(UTC),
        required=[cell.id for cell in region_cells(region)] + sorted(single),
        rulesets=plan.rulesets(),
        images=prepared.images,
        models=prepared.models,
        probe_results=verification.cells + [{"id": name, "verdict": str(verdict)} for name, verdict in sorted(single.items())],
        audit_checkpoint=ledger["checkpoint"],
        audit_key=ledger["key"],
        tools={name: importlib.metadata.version(name) for name in TOOLS},
    )


def _signed(inputs: BundleInputs) -> tuple[Path, Verdict]:
    """Sign the bundle, and check it with the verifier that an auditor would use."""
    remember(inputs)
    signer = load_or_create("evidence")
    bundle = inputs.build(signer)
    return bundle, verify_bundle(bundle, key=signer.verifier, plan_digest=inputs.plan_digest).verdict
