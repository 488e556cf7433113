"""The last screen of ``curtilage up``: what was sealed, what was asked and answered, what was attacked, where the evidence lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from curtilage.commands.plan import Decision
from curtilage.commands.verify import summary
from curtilage.configure import ConfigureResult
from curtilage.output import stdout
from curtilage.probes.table import not_passed, probe_table, verdict_counts
from curtilage.probes.verify import Verification
from curtilage.region import Region
from curtilage.verdict import Verdict

ANSWER_WIDTH = 72


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything a run of ``up`` has to tell."""

    region: Region
    verdict: Verdict
    decision: Decision
    configured: ConfigureResult
    calls: list[dict[str, Any]]
    entries: dict[str, dict[str, Any]]
    verification: Verification
    ledger: dict[str, Any]
    bundle: Path
    public_key: Path
    bundle_verdict: Verdict
    report: Path
    models: dict[str, str]
    steps: list[dict[str, Any]]
    seconds: float

    def document(self) -> dict[str, Any]:
        """The ``--json`` document."""
        return {
            "region": self.region.name,
            "verdict": str(self.verdict),
            "plan_digest": self.decision.plan.digest,
            "policies": str(self.decision.policies),
            "proof": str(self.decision.proof),
            "configure": {"changed": self.configured.changed, "not_run": self.configured.not_run},
            "calls": self.calls,
            "ledger_entries": self.entries,
            "verification": summary(self.verification),
            "ledger": self.ledger["verified"],
            "bundle": {"path": str(self.bundle), "verdict": str(self.bundle_verdict)},
            "report": str(self.report),
            "models": self.models,
            "steps": self.steps,
            "seconds": self.seconds,
        }


def show(outcome: Outcome) -> None:
    """Print the last screen."""
    region = outcome.region
    stdout.print()
    stdout.rule(f"[bold]{escape(region.name)}[/]: {_coloured(outcome.verdict)} in {outcome.seconds:.0f} s", align="left")
    _sealed(outcome)
    if outcome.calls:
        _calls(outcome.calls)
    stdout.print(probe_table(outcome.verification.cells))
    for line in not_passed(outcome.verification.cells)[:20]:
        stdout.print(line, markup=False)
    _evidence(outcome)
    _entries(outcome.entries)
    stdout.print(_seconds(outcome.steps))
    _next(region, outcome)
    stdout.print(f"[bold]Report[/]    {escape(str(_shown(outcome.report)))}   [dim]open it in a browser[/]")


def _coloured(verdict: Verdict) -> str:
    colour = {Verdict.PASS: "green", Verdict.FAIL: "bold red"}.get(verdict, "yellow")
    return f"[{colour}]{verdict}[/]"


def _sealed(outcome: Outcome) -> None:
    region = outcome.region
    networks = ", ".join(str(network) for segment in region.segments.values() for network in segment.networks)
    allowed = f"{len(region.allowances)} allowance(s)" if region.allowances else "no allowance: nothing may leave"
    stdout.print(f"[bold]Sealed[/]    {len(region.hosts)} hosts on {networks}; {allowed}")
    decision = outcome.decision
    stdout.print(f"[bold]Policies[/]  {decision.policies}: the pack judged the plan {decision.plan.digest[:19]}…")
    stdout.print(f"[bold]Proof[/]     {decision.proof}: no packet of {len(region.hosts)} hosts can reach anything outside the segment")
    for name, digest in outcome.models.items():
        made = "made here from synthetic documents, signed, verified on each host at start"
        stdout.print(f"[bold]Model[/]     {name} {digest[:19]}…, {made}")
    configured = outcome.configured
    stdout.print(
        f"[bold]Configure[/] {len(configured.hosts_reached)} of {len(configured.hosts_expected)} hosts, {configured.changed} changed"
    )
    for hosts, reason in sorted(_not_run(configured).items()):
        stdout.print(f"[bold]NOT-RUN[/]   {escape(reason)} ({escape(hosts)})")


def _not_run(configured: ConfigureResult) -> dict[str, str]:
    """Reasons by host, one line each; several hosts with the same reasons are one line."""
    by_reason: dict[str, list[str]] = {}
    for host, reasons in configured.not_run.items():
        for reason in reasons:
            by_reason.setdefault(reason, []).append(host)
    return {", ".join(sorted(hosts)): reason for reason, hosts in by_reason.items()}


def _calls(calls: list[dict[str, Any]]) -> None:
    """One line a call; a terminal of 80 columns shows the start of each answer."""
    stdout.print("[bold]Asked[/]     by unmodified vendor SDKs on the CRM's own server:")
    for call in calls:
        answer = " ".join((call["text"] or call["code"] or "").split())
        named = f"{call['sdk']} {call['version']} {call['call']}"
        shown = answer if len(answer) <= ANSWER_WIDTH else answer[: ANSWER_WIDTH - 1] + "…"
        stdout.print(f"  {named:<34} {call['outcome']}, {call['seconds']:.1f} s: {escape(shown)}")


def _entries(entries: dict[str, dict[str, Any]]) -> None:
    """One call of each kind as the ledger has it."""
    if not entries:
        return
    stdout.print("[bold]On record[/] three of these calls, as the gateway's ledger has them:")
    for kind in ("allowed", "redacted", "refused"):
        row = entries.get(kind)
        if row is None:
            stdout.print(f"  {kind:<9} none")
            continue
        removed = ", ".join(f"{count} {name}" for name, count in sorted((row.get("removed") or {}).items()))
        said = {
            "allowed": f"{row.get('model')} answered on {row['matter']}; nothing had to be removed",
            "redacted": f"{row.get('model')} answered on {row['matter']}; removed before it: {removed}",
            "refused": f"{row.get('reason')} for {row.get('path')}",
        }[kind]
        stdout.print(f"  {kind:<9} record {row['index']} {row['time'][:19]} {row['identity'] or 'nobody asked for'}: {said}", markup=False)


def _evidence(outcome: Outcome) -> None:
    counts = verdict_counts(outcome.verification.cells)
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count or verdict in ("PASS", "FAIL", "INVALID"))
    verified = outcome.ledger["verified"]
    host_tests = outcome.verification.host_tests
    held = sum(found == "passed" for found in host_tests.values())
    stdout.print(f"[bold]Attacks[/]   {said}; host tests {held} of {len(host_tests)} passed")
    for name, found in host_tests.items():
        if found == "failed":
            stdout.print(f"[bold red]Failed[/]    {name}", highlight=False, markup=True)
    stdout.print(f"[bold]Ledger[/]    {verified['verdict']}: {verified.get('size', verified.get('records'))} records; {_origin(outcome)}")
    stdout.print(f"[bold]Evidence[/]  {outcome.bundle_verdict}: {escape(str(_shown(outcome.bundle)))}")


def _shown(path: Path) -> Path:
    """A path as a user would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _origin(outcome: Outcome) -> str:
    origin, size, root, *_ = outcome.ledger["checkpoint"].splitlines()
    return escape(f"checkpoint {origin} at {size}, root {root[:16]}…")


def _seconds(steps: list[dict[str, Any]]) -> str:
    return "[bold]Seconds[/]   " + " · ".join(f"{step['step']} {step.get('seconds', 0):.0f}" for step in steps)


def _next(region: Region, outcome: Outcome) -> None:
    name = region.name
    stdout.print("[bold]Next[/]      (with .venv/bin on PATH)")
    for command, what in (
        (f"curtilage verify {name}", "attack it again"),
        (f"curtilage evidence verify {_shown(outcome.bundle)} --key {_shown(outcome.public_key)}", "check it offline, anywhere"),
        (f"curtilage plan {name}", "what would change"),
        ("make down" if region.lab else f"curtilage down {name}", "take it down"),
    ):
        stdout.print(f"  {escape(command)}   [dim]{what}[/]")
