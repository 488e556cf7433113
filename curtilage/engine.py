"""Runs the Pulumi engine on one region: preview, up, outputs, destroy; and names what a plan leads to by one digest.

State is a file backend in the state directory, unless the operator exports ``PULUMI_BACKEND_URL``. The engine works on a copy of the stack
file: it writes an encryption salt into the file it is given, and a preview must not change a checkout. Neither configuration nor state
holds a secret, so the passphrase is empty unless the operator sets one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from curtilage.canonical import digest_of
from curtilage.engine_build import ensure_engine
from curtilage.engine_output import Violation, document_of, events_of, only_taken_over, violations_of
from curtilage.errors import ConfigError, MachineError, StepError
from curtilage.kubeconfig import require_reachable
from curtilage.paths import CHECKOUT, cache_dir, state_dir
from curtilage.plugins import MISSING, plugins
from curtilage.region import Platform, Region

PROJECT = "curtilage"
PACK = Path("policies") / "pulumi-analyzer-policy-python"
TIMEOUT_SECONDS = 300
NO_CHANGE_EXPECTED = "no changes were expected"

_KEPT_FROM_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "CURTILAGE_STATE", "CURTILAGE_CACHE", "CURTILAGE_OUT")
_OPERATORS_OWN = ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_ACCESS_TOKEN")

_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_CA_BUNDLE", "CURTILAGE_AWS_RECORDED",
    "CURTILAGE_AWS_EMULATOR",
)  # fmt: skip
_OF_PLATFORM: dict[Platform, tuple[str, ...]] = {
    Platform.HOSTS: (),
    Platform.KUBERNETES: ("KUBECONFIG",),
    Platform.AWS: _CREDENTIALS,
}
"""What else a platform's provider needs of the operator's; a region of another platform never sees it."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a preview says.

    Attributes:
        digest: names the state the plan leads to; the same for the same commit on every machine, before and after ``up``.
        changes: resources by operation (``create``, ``update``, ``same``, ...).
        violations: what the policy pack refused; any mandatory one stops the plan.
        document: the engine's own preview document.
        saved: the engine's own record of what it may do, to which ``up`` is held.
        providers: of each provider, whether its official plugin or a stand-in answered.
        refreshed: whether providers read what stands first; ``up`` then does so too.
        contested: whether someone's edit by hand kept the way there from being previewed: ``up`` takes it over, held by the policies and
            by the state alone.
        state: names the state that the plan was made on; ``up`` refuses it on another. Empty for a plan that is only compared.
    """

    digest: str
    changes: dict[str, int]
    violations: tuple[Violation, ...]
    document: dict[str, Any]
    saved: Path | None = None
    providers: dict[str, str] = field(default_factory=dict)
    refreshed: bool = False
    contested: bool = False
    state: str = ""

    @property
    def stopped(self) -> bool:
        """Whether a policy stops this plan."""
        return any(violation.level == "mandatory" for violation in self.violations)

    @property
    def nothing_to_do(self) -> bool:
        """Whether every resource is what it should be already, as far as the preview looked."""
        return not self.contested and bool(self.changes) and set(self.changes) <= {"same"}

    def rulesets(self) -> dict[str, str]:
        """The planned nftables text of each host: what the proof decides."""
        found = [step["inputs"] for step in goal(self.document)["resources"] if step["type"] == "curtilage:hosts:EgressFirewall"]
        return {inputs["host"]: inputs["ruleset"] for inputs in found}


class Engine:
    """The engine for one region.

    Args:
        region: the region; its name is the stack's.
        checkout: the program's directory.
        pulumi: directory of the CLI; found or built when None.
        state: where stack state and working copies lie.
    """

    def __init__(self, region: Region, *, checkout: Path = CHECKOUT, pulumi: Path | None = None, state: Path | None = None) -> None:
        self.region, self.checkout = region, checkout
        self.stack = region.name
        self._bin = pulumi or ensure_engine()
        self._state = (state or state_dir()) / "pulumi"
        self._work = self._state / "work" / region.name
        self.plugins = plugins(region.platform)

    # What other rooms call.

    def preview(self, *, judged: bool = True, refresh: bool = False) -> Plan:
        """The plan, with the policy pack.

        Args:
            judged: False leaves the pack out, where a plan is only compared.
            refresh: whether providers read what stands before the plan is made, so that drift is part of what is to do. Without it nothing
                that the plan leaves alone is looked at.

        Raises:
            StepError: the program or the engine failed for another reason than a policy.
        """
        self._prepare()
        saved = self._work / "plan.json"
        saved.unlink(missing_ok=True)
        state = self._state_digest() if judged else ""
        looked = ("--refresh",) if refresh else ()
        arguments = ("--json", "--show-sames", "--save-plan", str(saved), *looked, *self._on_stack())
        done, events = self._run_with_policies("preview", *arguments) if judged else (self._run("preview", *arguments), [])
        violations = tuple(violations_of(events))
        if done.returncode != 0 and not any(violation.level == "mandatory" for violation in violations):
            failed = self._failed("preview", done, events)
            if refresh and only_taken_over(str(failed)):
                # What the plan leads to is judged all the same; its record would forbid the repair, which it does not know of.
                return replace(self.preview(judged=judged), saved=None, refreshed=True, contested=True)
            raise failed
        document = document_of(done.stdout, "preview")
        return Plan(
            digest=plan_digest(document),
            changes=document.get("changeSummary") or {},
            violations=violations,
            document=document,
            saved=saved if saved.exists() else None,
            providers={item.name: item.kind for item in self.plugins},
            refreshed=refresh,
            state=state,
        )

    def up(self, plan: Plan | None = None) -> dict[str, int]:
        """Apply; the policy pack judges again. Returns resources by operation.

        The engine runs the program once more. Given the plan that was decided, it is held to it: a program, stack file or fact that changed
        since then stops the update instead of being applied.

        Raises:
            StepError: a policy or the engine stopped it; the message says so.
        """
        unimported = [model.name for model in self.region.unimported_models()] + list(self.region.missing_images)
        if unimported:
            raise ConfigError(
                f"without digests: {', '.join(unimported)}",
                rule="outside the lab only imported, signed models are brought up",
                fix="import each with `curtilage model import` and write its digests into the stack file",
                file=f"stacks/Pulumi.{self.stack}.yaml",
                key="models",
            )
        if self.region.platform is Platform.KUBERNETES:
            require_reachable(self.region)
        self._prepare()
        if plan is not None and plan.state and plan.state != self._state_digest():
            raise StepError(
                "pulumi up",
                f"the state of {self.stack} was written after this plan was made, so the plan is of another state; nothing was changed",
                fix=f"see who else runs, then `curtilage plan {self.stack}` and `curtilage up {self.stack}` again",
            )
        held: tuple[str, ...] = ("--plan", str(plan.saved)) if plan is not None and plan.saved is not None else ()
        if plan is not None and plan.refreshed:
            held = (*held, "--refresh")
        done, events = self._run_with_policies("up", "--yes", "--skip-preview", "--json", *held, *self._on_stack())
        if done.returncode != 0:
            raise self._failed("up", done, events)
        for event in events:
            if "summaryEvent" in event:
                return {str(name): int(count) for name, count in (event["summaryEvent"].get("resourceChanges") or {}).items()}
        return {}

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs: ``region`` and ``inventory``.

        Raises:
            StepError: the region is not up.
        """
        self._prepare()
        done = self._run("stack", "output", "--json", "--stack", self.stack, cwd=self._work)
        outputs = document_of(done.stdout, "outputs") if done.returncode == 0 else {}
        if not {"region", "inventory"} <= set(outputs):
            raise StepError("outputs", f"region {self.stack} is not up", fix=f"run `curtilage up {self.stack}`")
        return outputs

    def no_changes(self) -> bool:
        """Whether the stack's state is the checkout's: a preview that proposes nothing."""
        self._prepare()
        done = self._run("preview", "--expect-no-changes", "--suppress-outputs", *self._on_stack())
        if done.returncode == 0:
            return True
        if NO_CHANGE_EXPECTED in done.stdout + done.stderr:
            return False
        raise self._failed("preview", done, [])

    def refreshed(self) -> list[dict[str, Any]]:
        """The events of a refresh that only looks: what providers read now, beside what was applied. Changes nothing.

        Raises:
            StepError: the region is not up, or a provider could not read.
        """
        if self.region.platform is Platform.KUBERNETES:
            require_reachable(self.region)
        self._prepare()
        with tempfile.TemporaryDirectory(prefix="curtilage-events-") as directory:
            log = Path(directory) / "events.json"
            done = self._run("refresh", "--preview-only", "--event-log", str(log), *self._on_stack())
            events = events_of(log)
        if done.returncode != 0:
            raise self._failed("refresh", done, events)
        if not any("resourcePreEvent" in event for event in events):
            raise StepError("refresh", f"region {self.stack} is not up: its state holds nothing", fix=f"run `curtilage up {self.stack}`")
        return events

    def destroy(self) -> None:
        """Remove the stack's resources and the stack; nothing to remove is no error.

        ``destroy --remove`` would delete the stack file of the checkout with it, so the stack is removed by itself, keeping configuration.
        """
        self._prepare()
        done = self._run("destroy", "--yes", "--skip-preview", "--suppress-outputs", *self._on_stack())
        if done.returncode != 0:
            raise self._failed("destroy", done, [])
        done = self._run("stack", "rm", "--yes", "--preserve-config", "--stack", self.stack, cwd=self._work)
        if done.returncode != 0:
            raise self._failed("stack rm", done, [])

    def forget(self) -> None:
        """Drop the stack's state without touching what it describes: for a platform that is gone with everything on it."""
        self._prepare()
        done = self._run("stack", "rm", "--force", "--yes", "--preserve-config", "--stack", self.stack, cwd=self._work)
        if done.returncode != 0:
            raise self._failed("stack rm", done, [])

    def environment(self) -> dict[str, str]:
        """The whole environment of the engine: nothing else of the caller's reaches it or the program."""
        names = (*_KEPT_FROM_ENVIRONMENT, *_OF_PLATFORM[self.region.platform])
        kept = {name: os.environ[name] for name in names if name in os.environ}
        # Compiling the providers' SDKs takes 20 s, so what was compiled is kept, beside the checkout and the venv and not in them.
        return kept | self.exports() | {"PYTHONPYCACHEPREFIX": str(cache_dir() / "bytecode")}

    def exports(self) -> dict[str, str]:
        """What a shell needs so that plain ``pulumi`` runs this stack as we do."""
        backend = self._state / "backend"
        home = self._state / "home"
        for directory in (backend, home):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        rest = [part for part in os.environ.get("PATH", os.defpath).split(os.pathsep) if part]
        # A plugin on PATH goes before every installed one, so the choice is made here.
        chosen = dict.fromkeys(str(item.directory) for item in self.plugins if item.directory is not None)
        first = [str(Path(sys.executable).parent), str(self._bin), *chosen]
        exports = {
            "PATH": os.pathsep.join([*first, *(part for part in rest if part not in first)]),
            "PULUMI_HOME": str(home),
            "PULUMI_BACKEND_URL": backend.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        # The lab's state is the checkout's own, whatever backend the operator works with otherwise.
        own = {} if self.region.lab else {name: os.environ[name] for name in _OPERATORS_OWN if name in os.environ}
        if "PULUMI_CONFIG_PASSPHRASE_FILE" in own:
            del exports["PULUMI_CONFIG_PASSPHRASE"]
        return exports | own

    def ensure_stack(self) -> None:
        """Create the stack in the backend when it is not there, so that plain ``pulumi preview -s`` finds it."""
        self._prepare()

    # How.

    def _on_stack(self) -> tuple[str, ...]:
        return ("--stack", self.stack, "--config-file", str(self._work / f"Pulumi.{self.stack}.yaml"))

    def _prepare(self) -> None:
        """A working copy of the stack file, and the stack in the backend.

        The stack is made from the working copy's directory: there the engine may write its salt.
        """
        missing = [item.name for item in self.plugins if item.kind == MISSING]
        if missing:
            raise MachineError(f"no plugin for {', '.join(missing)}\n  fix:  pulumi plugin install resource {missing[0]}")
        self._work.mkdir(mode=0o700, parents=True, exist_ok=True)
        source = (self.checkout / "stacks" / f"Pulumi.{self.stack}.yaml").read_text(encoding="utf-8")
        copy = self._work / f"Pulumi.{self.stack}.yaml"
        if "\nencryptionsalt:" not in source and copy.exists():
            source += "".join(line for line in copy.read_text(encoding="utf-8").splitlines(True) if line.startswith("encryptionsalt:"))
        copy.write_text(source, encoding="utf-8")
        (self._work / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n", encoding="utf-8")
        done = self._run("stack", "select", "--create", "--stack", self.stack, cwd=self._work)
        if done.returncode != 0:
            raise self._failed("stack", done, [])

    def _state_digest(self) -> str:
        """Names the state as it was last written, without reading what it holds: any run that wrote it since gives another name."""
        done = self._run("stack", "export", "--stack", self.stack, cwd=self._work)
        if done.returncode != 0:
            raise self._failed("stack export", done, [])
        deployment = document_of(done.stdout, "stack export").get("deployment") or {}
        resources = [[item.get(key) for key in ("urn", "id", "modified")] for item in deployment.get("resources") or []]
        return digest_of({"written": (deployment.get("manifest") or {}).get("time") if resources else None, "resources": resources})

    def _run_with_policies(self, verb: str, *arguments: str) -> tuple[subprocess.CompletedProcess[str], list[dict[str, Any]]]:
        """Run with the pack and the event log, the only place where the engine names a violated policy."""
        with tempfile.TemporaryDirectory(prefix="curtilage-events-") as directory:
            log = Path(directory) / "events.json"
            done = self._run(verb, "--policy-pack", str(self._pack()), "--event-log", str(log), *arguments)
            return done, events_of(log)

    def _pack(self) -> Path:
        """An official CLI runs the pack's directory; the pinned build's older language host runs its executable."""
        executable = self.checkout / PACK
        return executable if self._bin.resolve().is_relative_to((cache_dir() / "engine").resolve()) else executable.parent

    def _run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [str(self._bin / "pulumi"), *arguments, "--non-interactive", "--color", "never"]
        # Without the first the CLI has no --event-log; without the second no `up --plan`.
        debug = {"PULUMI_DEBUG_COMMANDS": "1", "PULUMI_EXPERIMENTAL": "true"}
        try:
            return subprocess.run(
                command,
                cwd=cwd or self.checkout,
                env=self.environment() | debug,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise StepError(
                f"pulumi {arguments[0]}", f"no answer after {TIMEOUT_SECONDS} s", fix="run it again; if a lock is held, `pulumi cancel`"
            ) from error

    def _failed(self, verb: str, done: subprocess.CompletedProcess[str], events: list[dict[str, Any]]) -> StepError:
        refused = [f"policy {item.policy}: {item.message} ({item.urn})" for item in violations_of(events)]
        told = [
            event["diagnosticEvent"]["message"].strip() for event in events if event.get("diagnosticEvent", {}).get("severity") == "error"
        ]
        lines = refused or told or (done.stderr or done.stdout).strip().splitlines()[-15:]
        return StepError(
            f"pulumi {verb}",
            "\n  ".join(lines) or f"exit code {done.returncode}",
            fix=f"correct the cause and run `curtilage plan {self.stack}`",
        )


def goal(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a preview leads to: each resource with its type, parent and inputs, free of machine paths, times and what was there before."""
    resources = []
    for step in document.get("steps") or []:
        state = step.get("newState")
        if not state or step["op"].startswith("delete"):
            continue
        kept = {key: state[key] for key in ("urn", "type", "parent", "custom", "provider", "protect") if state.get(key)}
        resources.append(kept | {"inputs": state.get("inputs") or {}})
    return {"resources": sorted(resources, key=lambda item: str(item["urn"]))}


def plan_digest(document: Mapping[str, Any]) -> str:
    """``sha256:`` of :func:`goal`: equal for two checkouts of one commit, on any machine, before and after ``up``."""
    return digest_of(goal(document))
