#!/usr/bin/python3
"""Run a service with the files it reads as they are now.

A handler restarts a service in the run that changed its files, and is forgotten when that run is cut off: the next one finds the files in
order and the service on the old ones. This module asks the host instead: a process older than a file it reads is stale. So a run can be cut
off anywhere, and the next one ends where it would have.
"""

from __future__ import annotations

import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: curtilage_service
short_description: A service that runs on the present state of its files
description: Enables and starts a unit, and restarts it when its process is older than a file it reads or than its unit file.
author: Curtilage
options:
  name:
    description: The unit.
    type: str
    required: true
  reads:
    description: Files the service reads when it starts, its unit file and drop-ins among them.
    type: list
    elements: path
    default: []
  ask:
    description: Only tell the state; change nothing.
    type: bool
    default: false
  wait:
    description: Whether to wait until the unit is active.
    type: bool
    default: true
  log_lines:
    description: How much of the unit's journal to show when it does not start.
    type: int
    default: 25
"""
EXAMPLES = r"""
- name: Serve
  curtilage_service:
    name: example.service
    reads: [/etc/example.conf, /etc/systemd/system/example.service]
"""
RETURN = r"""
before:
  description: C(active_state), C(enabled) and C(stale), the files newer than the process.
  returned: always
  type: dict
"""

PROPERTIES = (
    "ActiveState",
    "UnitFileState",
    "NeedDaemonReload",
    "ExecMainStartTimestampMonotonic",
    "ActiveEnterTimestampMonotonic",
    "LoadState",
)


def systemctl(module: AnsibleModule, *words: str) -> str:
    """Run systemctl; its refusal fails the module with the unit's last words."""
    code, out, err = module.run_command(["systemctl", *words])
    if code != 0:
        name, lines = module.params["name"], str(module.params["log_lines"])
        _, journal, _ = module.run_command(["journalctl", f"--unit={name}", f"--lines={lines}", "--no-pager", "--output=cat"])
        module.fail_json(msg=f"{name} did not start: {err.strip()}\nits last words:\n{journal.strip()}")
    return str(out)


def state(module: AnsibleModule) -> dict[str, str]:
    """The unit's properties now."""
    out = systemctl(module, "show", *(f"--property={name}" for name in PROPERTIES), module.params["name"])
    return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)


def stale(properties: dict[str, str], reads: list[str]) -> list[str]:
    """The files that changed after the process started."""
    # A timer has no process of its own: its state counts from when it became active.
    started = int(properties.get("ExecMainStartTimestampMonotonic") or 0) or int(properties.get("ActiveEnterTimestampMonotonic") or 0)
    if started == 0:
        return []
    # systemd counts from boot, files by the wall clock; both clocks are read here at the same moment.
    began = time.time() - (time.clock_gettime(time.CLOCK_MONOTONIC) - started / 1e6)
    return [name for name in reads if Path(name).exists() and Path(name).stat().st_mtime > began]


def main() -> None:
    """Ask, then act."""
    spec = {
        "name": {"type": "str", "required": True},
        "reads": {"type": "list", "elements": "path", "default": []},
        "ask": {"type": "bool", "default": False},
        "wait": {"type": "bool", "default": True},
        "log_lines": {"type": "int", "default": 25},
    }
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    name = module.params["name"]
    now = state(module)
    newer = stale(now, module.params["reads"])
    active, enabled = now["ActiveState"], now["UnitFileState"] == "enabled"
    before = {"active_state": active, "enabled": enabled, "stale": newer}
    # A start under way is left alone, unless it began with other files than there are now.
    start = active not in ("active", "activating") or bool(newer)
    if module.params["ask"]:
        module.exit_json(changed=False, before=before)
    if not module.check_mode:
        if now["NeedDaemonReload"] == "yes" or now["LoadState"] != "loaded":
            systemctl(module, "daemon-reload")
        if not enabled:
            systemctl(module, "--quiet", "enable", name)
        if start:
            # After several failed starts systemd refuses another until it is told that the cause was looked at.
            module.run_command(["systemctl", "reset-failed", name])
            systemctl(module, *([] if module.params["wait"] else ["--no-block"]), "restart", name)
    module.exit_json(changed=start or not enabled, before=before)


if __name__ == "__main__":
    main()
