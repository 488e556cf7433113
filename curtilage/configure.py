"""Converge a region's hosts: the roles in ``ansible/``, run through ansible-runner, and judged by which hosts were really reached.

Ansible calls a run that matched no host a success. Here the hosts reached must be the hosts of the region, all of them, or the step
failed.

Where secrets go: certificates and keys stay files under ``state_dir()``; the inventory and the extra variables name their paths, the
roles copy them with ``no_log``. A run's private directory (0700) holds the inventory and whatever ansible-runner writes, and is removed
when the run ends, also by an error or an interrupt; one that a killed run left is removed by the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import orjson

from curtilage.allowance import Role
from curtilage.configure_run import Change, Failure, Run, private_directory, run_worker
from curtilage.derive.monitoring import dashboard, rule_file
from curtilage.derive.pki import Pki, PkiNames, ensure_pki
from curtilage.derive.resolver import zone
from curtilage.derive.serving import TASK_FLAGS
from curtilage.errors import ConfigError, StepError
from curtilage.evidence import keys  # where a purpose's key is kept is decided there alone
from curtilage.models import rollout
from curtilage.models.advisories import read_advisories
from curtilage.output import progress as show_progress
from curtilage.paths import CHECKOUT
from curtilage.region import Host, Region
from curtilage.vendor_models import Task, stands_for
from curtilage.vendors import dialect_of

PROJECT = CHECKOUT / "ansible"
# A model's start is the longest silence of a run; a task without a word for this long is a hang.
IDLE_SECONDS = 600
SSH_OPTIONS = ("ControlMaster=auto", "ControlPersist=30s", "ServerAliveInterval=15", "ServerAliveCountMax=4")


@dataclass(frozen=True, kw_only=True)
class ConfigureResult:
    """What a run did."""

    hosts_expected: tuple[str, ...]
    hosts_reached: tuple[str, ...]
    changed: int
    changes: tuple[Change, ...]
    failed: tuple[Failure, ...]
    not_run: Mapping[str, tuple[str, ...]]
    """Controls that this kind of host cannot exercise, with the reason, by host."""
    seconds: float
    check: bool = False

    def document(self) -> dict[str, Any]:
        """As plain JSON types."""
        return asdict(self)


def configure(
    region: Region,
    inventory: Mapping[str, Any],
    *,
    run_prefix: Sequence[str] = (),
    ssh_config: Path | None = None,
    progress: Callable[[str], None] = show_progress,
    models: Mapping[str, str] | None = None,
    check: bool = False,
    tags: Sequence[str] = (),
) -> ConfigureResult:
    """Converge every host of a region.

    Args:
        region: the region.
        inventory: the stack's output of that name (``curtilage.derive.inventory``), in Ansible's YAML form.
        run_prefix: argv prefix that enters the operator's network; empty on a real operator machine.
        ssh_config: reaches every host by its name; None leaves it to ssh's defaults and the inventory's addresses.
        progress: one line of progress at a time.
        models: digest by model name, for models whose digest the region does not state (the lab builds its own).
        check: change nothing, tell what would change.
        tags: roles to run; all of them by default.

    Raises:
        StepError: a task failed, a host was not reached, or the inventory is not the region's.
    """
    began = time.monotonic()
    expected = _expected_hosts(region, inventory)
    variables = _variables(region, models)
    with private_directory(region.name) as private:
        _write_request(private, region, inventory, ssh_config, variables, check, tags)
        run = run_worker(private, run_prefix, progress)
    result = ConfigureResult(
        hosts_expected=expected,
        hosts_reached=tuple(sorted(set(run.stats.get("processed", {})) - set(run.stats.get("dark", {})))),
        # From the statistics, since a task with no_log shows in no event what it changed.
        changed=sum(run.stats.get("changed", {}).values()),
        changes=tuple(run.changes),
        failed=tuple(run.failures),
        not_run=run.not_run,
        seconds=round(time.monotonic() - began, 1),
        check=check,
    )
    _judge(result, run)
    return result


def pki_names(region: Region) -> PkiNames:
    """What the region's certificates say."""
    return PkiNames(
        region=region.name,
        intercepted=tuple(sorted(region.gateway.intercept)),
        zone=zone(region),
        gateways={host.name: _addresses(host) for host in region.hosts_by_role(Role.GATEWAY)},
        stores={host.name: _addresses(host) for host in region.hosts_by_role(Role.EVIDENCE)},
    )


def ensure_secrets(region: Region) -> Pki:
    """Make or renew what the hosts are given as files: certificates, and the key that signs each gateway's ledger."""
    for host in region.hosts_by_role(Role.GATEWAY):
        keys.load_or_create(f"ledger-{host.name}")
    return ensure_pki(pki_names(region))


def _addresses(host: Host) -> tuple[Any, ...]:
    return tuple(ip_address(str(address)) for address in (host.ipv4, host.ipv6) if address is not None)


def _expected_hosts(region: Region, inventory: Mapping[str, Any]) -> tuple[str, ...]:
    """The region's hosts; an inventory that is not about exactly these is refused before anything is touched."""
    expected = {host.name for host in region.hosts}
    listed = set(inventory.get("all", {}).get("hosts", {}))
    grouped = {name for group in inventory.get("all", {}).get("children", {}).values() for name in group.get("hosts") or {}}
    for found, where in ((listed, "the inventory"), (grouped, "the inventory's role groups")):
        if found != expected:
            missing, foreign = sorted(expected - found), sorted(found - expected)
            raise StepError(
                "configure",
                f"{where} {'lacks ' + ', '.join(missing) if missing else ''}{' and ' if missing and foreign else ''}"
                f"{'names hosts the region has not: ' + ', '.join(foreign) if foreign else ''}; nothing was changed",
                fix=f"bring the stack up to date: curtilage up {region.name}",
            )
    return tuple(sorted(expected))


def _variables(region: Region, models: Mapping[str, str] | None) -> dict[str, Any]:
    """Extra variables: paths and names, never a secret."""
    served = []
    for model in region.models:
        digest = (models or {}).get(model.name) or model.weights
        if digest is None:
            raise ConfigError(
                f"model '{model.name}' has no digest",
                rule="only a model that was built or imported, and signed, is served",
                fix=f"curtilage model build {model.name} (at site lab), or import it and write its digest",
                key="models",
            )
        # A directory's name: the digest without its algorithm, since a colon does not survive every tool on the way.
        served.append({"name": model.name, "digest": digest.removeprefix("sha256:"), "args": list(TASK_FLAGS[model.task])})
    public = keys.key_path("model-signing").with_suffix(".pub")
    if not public.is_file():
        raise ConfigError(
            f"{public} is not there", rule="hosts check a model's signature with this key", fix="build or import a model first", file=public
        )
    pki = ensure_secrets(region)
    return {
        "curtilage_pki_dir": str(pki.directory),
        "curtilage_keys_dir": str(public.parent),
        "curtilage_model_public_key": str(public),
        "curtilage_models_served": served,
        **_rollout_variables(region),
        "curtilage_model_names": stands_for(region.tasks),
        "curtilage_model_tasks": {name: task.value for name, task in region.tasks.items() if task is not Task.GENERATE},
        "curtilage_dialects": {name: dialect_of(name) for name in sorted(region.gateway.intercept)},
    }


def _rollout_variables(region: Region) -> dict[str, Any]:
    """What `curtilage model promote|adapter` decided: a model's last host carries its canary, its others the matters' adapters."""
    state = rollout.load(region.name)
    canaries: dict[str, dict[str, str]] = {}
    adapters: dict[str, list[dict[str, str]]] = {}
    for model in region.models:
        hosts = [host.name for host in region.hosts_by_role(Role.GPU) if region.served_by(host) is model]
        pointer = state.models.get(model.name)
        if pointer is not None and pointer.canary is not None:
            if len(hosts) < 2:
                raise ConfigError(
                    f"{region.name} has one host of {model.name}", rule="a canary is a host of its own", fix="roll the canary back"
                )
            canaries[hosts.pop()] = {model.name: pointer.canary.version.removeprefix("sha256:")}
        own = [{"name": item.served, "digest": item.version.removeprefix("sha256:")} for item in state.adapters if item.model == model.name]
        adapters |= dict.fromkeys(hosts, own) if own else {}
    return {"curtilage_serving": rollout.serving_document(state), "curtilage_canaries": canaries, "curtilage_adapters": adapters}


def _rules(region: Region) -> str:
    """Prometheus' rules, with what was carried over about the packages that the hosts run."""
    known = read_advisories()
    return rule_file(region, known.concerns, known.newest_seconds)


def _write_request(
    private: Path,
    region: Region,
    inventory: Mapping[str, Any],
    ssh_config: Path | None,
    variables: dict[str, Any],
    check: bool,
    tags: Sequence[str],
) -> None:
    document = deepcopy(dict(inventory))
    if ssh_config is not None:
        # ssh's own configuration says how a host is reached by its name and which key it must show; an address here would bypass it.
        for host in document["all"]["hosts"].values():
            host.pop("ansible_host", None)
    (private / "inventory.json").write_bytes(orjson.dumps(document))
    # As files, because their own braces would be taken for Ansible's.
    files = {"curtilage_rules_file": private / "rules.yml", "curtilage_dashboard_file": private / "dashboard.json"}
    files["curtilage_rules_file"].write_text(_rules(region), encoding="utf-8")
    files["curtilage_dashboard_file"].write_text(dashboard(region), encoding="utf-8")
    variables = variables | {name: str(path) for name, path in files.items()}
    ssh = [f"-F {ssh_config}"] if ssh_config is not None else []
    ssh += [f"-o {option}" for option in SSH_OPTIONS]
    environment = {
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
        "ANSIBLE_HOME": str(private / "home"),
        "ANSIBLE_LOCAL_TEMP": str(private / "tmp"),
        # ansible-runner switches host key checking off unless the environment says otherwise; ansible.cfg alone would lose.
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(private / "cp"),
        "ANSIBLE_SSH_ARGS": " ".join(ssh),
    }
    request = {
        "project": str(PROJECT),
        "extravars": variables,
        "environment": environment,
        "arguments": [*(["--check"] if check else []), *(["--tags", ",".join(tags)] if tags else [])],
        "idle_timeout_seconds": IDLE_SECONDS,
        "region": region.name,
    }
    (private / "request.json").write_bytes(orjson.dumps(request))


def _judge(result: ConfigureResult, run: Run) -> None:
    """Raise unless every host of the region was reached and nothing failed."""
    again = "correct the cause, then run the same command again: what was applied stays and is not applied twice"
    if result.failed and run.rc != 0:
        shown = [f"{item.host}: {item.role + ': ' if item.role else ''}{item.task}\n{_indent(item.message)}" for item in result.failed[:3]]
        more = f"\n  and {len(result.failed) - 3} more" if len(result.failed) > 3 else ""
        raise StepError("configure", f"{len(result.failed)} task(s) failed\n  " + "\n  ".join(shown) + more, fix=again)
    if not run.ended or run.rc != 0:
        raise StepError("configure", f"Ansible ended with {run.rc}\n{_indent(chr(10).join(run.tail) or 'it said nothing')}", fix=again)
    if result.hosts_reached != result.hosts_expected:
        missing = sorted(set(result.hosts_expected) - set(result.hosts_reached))
        raise StepError(
            "configure",
            f"reached {len(result.hosts_reached)} of {len(result.hosts_expected)} hosts; not reached: {', '.join(missing)}",
            fix="see why the host does not answer, then run the same command again",
        )


def _indent(text: str) -> str:
    return "\n".join(f"    | {line}" for line in text.strip().splitlines()[-30:])
