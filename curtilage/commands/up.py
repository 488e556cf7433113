"""``curtilage up REGION``: preview → policies → proof → up → configure → ask → verify → evidence.

Each step is idempotent, so a run that was cut off goes on where it was by being started again: what is cached, running or unchanged costs
seconds. Nothing is applied before the policies and the proof have passed.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import typer

from curtilage import doctor
from curtilage.audit.note import VerifierKey
from curtilage.commands.ask import ask, ledger_entries, ledger_state
from curtilage.commands.dossier import collect, platform_inputs
from curtilage.commands.plan import Decision, decide
from curtilage.commands.prepare import NOTHING_TO_PREPARE, Prepared, prepare_lab
from curtilage.commands.reach import Reach, reach
from curtilage.commands.screen import Outcome, show
from curtilage.commands.up_platform import bring_up_platform
from curtilage.commands.up_platform import show as show_platform
from curtilage.commands.verify import run_verification
from curtilage.configure import ConfigureResult, configure
from curtilage.engine import Engine, Plan
from curtilage.errors import ConfigError, MachineError, StepError
from curtilage.evidence.commands import standalone_verifier
from curtilage.evidence.dossier import Dossier
from curtilage.evidence.flowmap import flow_map
from curtilage.evidence.inputs import BundleInputs, remember
from curtilage.evidence.keys import key_path, load_or_create
from curtilage.evidence.site import write_report
from curtilage.evidence.verify import BundleResult, verify_bundle
from curtilage.output import print_json, progress, stdout
from curtilage.paths import state_dir
from curtilage.probes.cells import region_cells
from curtilage.probes.verify import Verification
from curtilage.region import Platform, Region, load_region
from curtilage.steps import Steps
from curtilage.verdict import Verdict, worst

app = typer.Typer()

PROOF_ID = "proof/no-packet-leaves"
POLICY_ID = "policy/pack"
FLOWS_ID = "flows/observed"
TOOLS = ("pulumi", "ansible-core", "pytest-testinfra", "z3-solver", "model-signing", "cryptography")


@app.command("up", epilog="Example: curtilage up lab --json")
def up(
    region: str = typer.Argument(help="Region name, as in stacks/Pulumi.<region>.yaml."),
    plan_digest: str | None = typer.Option(
        None, "--plan-digest", metavar="sha256:HEX", help="Apply only the plan that was reviewed; any other is refused."
    ),
    json_output: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Bring a region up and show that it holds. Started again, it goes on where it was."""
    if plan_digest is not None and not re.fullmatch(r"sha256:[0-9a-f]{64}", plan_digest):
        raise ConfigError(
            f"--plan-digest {plan_digest}",
            rule="a plan is named by sha256: and 64 hexadecimal digits",
            fix="copy it whole from the review or from `curtilage plan`",
        )
    found = load_region(region)
    if found.platform is not Platform.HOSTS:
        _up_platform(found, plan_digest, json_output=json_output)
    outcome = bring_up(found, reviewed=plan_digest)
    if json_output:
        print_json(outcome.document())
    else:
        show(outcome)
    raise typer.Exit(outcome.verdict.exit_code)


def _up_platform(region: Region, reviewed: str | None, *, json_output: bool) -> NoReturn:
    """A region whose platform converges it: no host of ours is configured, and nothing is claimed about packets."""

    def judged(one: Region, engine: Engine) -> Decision:
        decision = _decided(one, engine)
        _fresh(decision.plan, reviewed, one)
        return decision

    with _alone(region):
        applied = bring_up_platform(region, judged)
        bundle, _, checked = _signed(platform_inputs(applied))
        report = write_report(bundle, checked, bundle.parent.parent / "report.html")
    if json_output:
        print_json(applied.document() | {"bundle": {"path": str(bundle), "verdict": str(checked.verdict)}, "report": str(report)})
    else:
        show_platform(applied)
        stdout.print(f"report    {report}", markup=False)
    raise typer.Exit(applied.verdict.exit_code)


def bring_up(region: Region, *, reviewed: str | None = None) -> Outcome:
    """Every step of a region's life up to its evidence.

    Args:
        region: the region.
        reviewed: the digest of the plan that was reviewed; another plan is refused.

    Raises:
        StepError: a step failed; what was done before it is said on stderr and kept in the run's journal.
    """
    with _alone(region):
        began = datetime.now(UTC)
        steps = Steps(state_dir() / "runs" / f"{region.name}.json")
        with steps.step("machine"):
            _ready_machine()
        with steps.step("prepare"):
            prepared = prepare_lab(progress, region.name) if region.lab else NOTHING_TO_PREPARE
        engine = Engine(region)
        with steps.step("plan, policies, proof") as record:
            decision = _decided(region, engine)
            _fresh(decision.plan, reviewed, region)
            plan = decision.plan
            record |= {"digest": plan.digest, "changes": plan.changes}
        if region.lab:
            with steps.step("boot, sealed"):
                _boot(region, plan, prepared)
        where = reach(region)
        with steps.step("up") as record:
            record["changes"] = engine.up(plan)
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
            entries = ledger_entries(region, where, calls) if calls else {}
            dossier = collect(region, plan=plan, prepared=prepared, not_run=configured.not_run, where=where, since=began)
            inputs = _evidence(region, decision, prepared, verification, ledger, dossier)
            bundle, public_key, checked = _signed(inputs)
            report = write_report(bundle, checked, bundle.parent.parent / "report.html")
            record |= {"bundle": str(bundle), "report": str(report)}
        return Outcome(
            region=region,
            verdict=worst([verification.verdict, checked.verdict, decision.verdict]),
            decision=decision,
            configured=configured,
            calls=calls,
            entries=entries,
            verification=verification,
            ledger=ledger,
            bundle=bundle,
            public_key=public_key,
            bundle_verdict=checked.verdict,
            report=report,
            models=prepared.models,
            steps=steps.done,
            seconds=steps.seconds,
        )


@contextmanager
def _alone(region: Region) -> Iterator[None]:
    """One run of a region at a time, and one lab a machine; a second run is told, not queued."""
    path = state_dir() / f"up-{region.name}.lock"
    with ExitStack() as held:
        lock = held.enter_context(path.open("a"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StepError("up", f"another run of '{region.name}' is under way", fix="wait for it, or stop it first") from error
        if region.lab:
            from lab import lock as machine  # the lab is a checkout's, not a wheel's

            held.enter_context(machine.hold("up"))
            machine.refuse_other_checkout()
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


def _decided(region: Region, engine: Engine) -> Decision:
    """The plan, if policies and proof let it pass; anything but PASS stops here, before anything is applied."""
    # Hosts are looked at by Ansible; a platform's objects by their provider, so that what was changed by hand is part of what is to do.
    decision = decide(region, engine, refresh=region.platform is not Platform.HOSTS)
    if decision.verdict is not Verdict.PASS:
        refused = [f"{item.policy}: {item.message}" for item in decision.plan.violations]
        refused += [
            f"{item.get('host', '')} {item['id']}: {item['reason']} {item.get('counterexample') or ''}" for item in decision.findings
        ]
        reason = f"{decision.verdict}: {'; '.join(refused) or 'not proven'}; nothing was applied"
        raise StepError(
            "plan, policies, proof", reason, fix=f"change stacks/Pulumi.{region.name}.yaml; `curtilage plan {region.name}` tells more"
        )
    return decision


def _fresh(plan: Plan, reviewed: str | None, region: Region) -> None:
    """What is applied is what was reviewed."""
    if reviewed is not None and reviewed != plan.digest:
        raise StepError(
            "plan, policies, proof",
            f"the plan is {plan.digest}, the reviewed one {reviewed}; nothing was applied",
            fix=f"review this plan (`curtilage plan {region.name}`), or check out what was reviewed",
        )


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
    decision: Decision,
    prepared: Prepared,
    verification: Verification,
    ledger: dict[str, Any],
    dossier: Dossier,
) -> BundleInputs:
    """What was seen, as a bundle's inputs. What is required comes from the region, never from the results."""
    tests = {f"host/{name}": Verdict.PASS if outcome == "passed" else Verdict.FAIL for name, outcome in verification.host_tests.items()}
    single = tests | {PROOF_ID: decision.proof, POLICY_ID: decision.policies}
    flows = flow_map(dossier)
    # Not required: a host whose books cannot be read leaves it NOT_RUN, and the report says so. What was seen and is not allowed fails.
    seen = [{"id": FLOWS_ID, "verdict": str(flows.verdict), "reason": "; ".join(flows.findings[:5])[:500]}] if flows.conclusive else []
    return BundleInputs(
        region=region.name,
        plan_digest=decision.plan.digest,
        collected=datetime.now(UTC),
        required=[cell.id for cell in region_cells(region)] + sorted(single),
        rulesets=decision.plan.rulesets(),
        images=prepared.images,
        models=prepared.models,
        probe_results=verification.cells + [{"id": name, "verdict": str(verdict)} for name, verdict in sorted(single.items())] + seen,
        audit_checkpoint=ledger["checkpoint"],
        audit_key=ledger["key"],
        tools={name: importlib.metadata.version(name) for name in TOOLS},
        dossier=dossier,
    )


def _signed(inputs: BundleInputs) -> tuple[Path, Path, BundleResult]:
    """Sign the bundle, lay key and one-file verifier beside it, and check it with the verifier that an auditor would use."""
    remember(inputs)
    signer = load_or_create("evidence")
    bundle = inputs.build(signer)
    public = bundle.with_name("evidence.pub")
    public.write_bytes(key_path("evidence").with_suffix(".pub").read_bytes())
    bundle.with_name("verify_evidence.py").write_bytes(standalone_verifier())
    pinned = VerifierKey.load(public)
    return bundle, public, verify_bundle(bundle, key=pinned, plan_digest=inputs.plan_digest, region=inputs.region)
