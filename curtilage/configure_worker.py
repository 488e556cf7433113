"""The part of ``configure`` that runs where the hosts can be reached: one ansible-runner call, told as JSON lines on stdout.

``configure`` starts it as ``<run prefix> python -m curtilage.configure_worker <private directory>``, for the lab inside the operator's
network namespace. It is a process of its own because a namespace belongs to a process, and because Ansible's output must not reach the
user's stdout.

Only what a person needs leaves it: which task runs, what changed, what failed. Module arguments and results stay in the private directory,
which the caller removes.
"""

from __future__ import annotations

import sys
from collections import deque
from pathlib import Path
from typing import Any, ClassVar

import ansible_runner
import orjson

MESSAGE_CHARACTERS = 4000
NOT_RUN_TASK = "Report what was not run"


def say(record: dict[str, Any]) -> None:
    """One JSON line for the caller."""
    sys.stdout.buffer.write(orjson.dumps(record) + b"\n")
    sys.stdout.buffer.flush()


def failure(data: dict[str, Any]) -> str:
    """What a failed task says, cut to a length a terminal can hold; a task with no_log says only that it failed."""
    result = data.get("res") or {}
    if result.get("_ansible_no_log") or "censored" in result:
        return "the task failed; its output is hidden because it handles secrets"
    texts = [str(result[key]) for key in ("msg", "stderr", "module_stderr", "module_stdout", "difference") if result.get(key)]
    items = result.get("results")
    texts.extend(failure({"res": item}) for item in items or () if isinstance(item, dict) and item.get("failed"))
    return "\n".join(dict.fromkeys(texts))[:MESSAGE_CHARACTERS] or "the task failed and said nothing"


class Seen:
    """What the events told that is needed at the end."""

    stats: ClassVar[dict[str, Any]] = {}
    tail: ClassVar[deque[str]] = deque(maxlen=30)


def on_event(event: dict[str, Any]) -> bool:
    """Translate one runner event; False keeps the event out of the artifacts."""
    kind, data = event.get("event"), event.get("event_data") or {}
    host, task = data.get("host"), data.get("task")
    role = data.get("role")
    if kind == "playbook_on_play_start":
        say({"play": data.get("name")})
    elif kind == "playbook_on_stats":
        Seen.stats = {key: data.get(key) or {} for key in ("ok", "changed", "dark", "failures", "processed")}
    elif kind in ("verbose", "error"):
        # Ansible's own words outside any task: a syntax error, an unreadable file.
        Seen.tail.extend(str(event.get("stdout", "")).splitlines())
    elif kind == "runner_on_ok":
        result = data.get("res") or {}
        if task == NOT_RUN_TASK:
            say({"not_run": str(result.get("stdout", "")).splitlines(), "host": host})
        if result.get("changed"):
            say({"changed": task, "role": role, "host": host})
    elif kind == "runner_on_failed" and not data.get("ignore_errors"):
        say({"failed": task, "role": role, "host": host, "message": failure(data)})
    elif kind == "runner_on_unreachable":
        say({"unreachable": host, "task": task, "message": failure(data)})
    return False


def main() -> int:
    """Run the playbook of the private directory; the exit code is Ansible's."""
    private = Path(sys.argv[1])
    request = orjson.loads((private / "request.json").read_bytes())
    runner = ansible_runner.run(
        private_data_dir=str(private),
        project_dir=request["project"],
        playbook="playbooks/site.yml",
        inventory=str(private / "inventory.json"),
        cmdline=" ".join(request["arguments"]) or None,
        extravars=request["extravars"],
        envvars=request["environment"],
        event_handler=on_event,
        quiet=True,
        suppress_env_files=True,
        settings={"idle_timeout": request["idle_timeout_seconds"], "suppress_output_file": True, "suppress_ansible_output": True},
    )
    say({"stats": Seen.stats, "rc": runner.rc, "status": runner.status, "tail": list(Seen.tail) if runner.rc else []})
    return 0 if runner.rc == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
