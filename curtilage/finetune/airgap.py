"""Run a training job in a network namespace that has no interface but loopback, or refuse.

An offline flag asks a library to behave; an empty namespace leaves it nothing to misbehave with. The child proves where it is before it
works: another namespace than its parent's, no interface but ``lo``, and that one down.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from curtilage.errors import MachineError, StepError
from curtilage.finetune import trace
from curtilage.paths import CHECKOUT
from curtilage.verdict import Verdict

# Nothing else of the caller's environment reaches the job: proxies, tokens and hub settings stay outside.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "CURTILAGE_CACHE", "CURTILAGE_STATE")
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    # The order in which threads merge counts must not change a vocabulary.
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONHASHSEED": "0",
    "CUDA_VISIBLE_DEVICES": "",
    # Waiting threads sleep: a job that shares its cores with others must not burn them while it waits.
    "OMP_WAIT_POLICY": "PASSIVE",
    # torch asks who it is; without an answer here the C library asks its name service, and the trace counts that.
    "USER": "curtilage",
    "LOGNAME": "curtilage",
}


def namespace_inode() -> int:
    """Which network namespace this process is in."""
    return Path("/proc/self/ns/net").stat().st_ino


def isolation_record(outside_namespace: int) -> dict[str, Any]:
    """What the job sees of a network.

    Raises:
        StepError: it is in its parent's namespace, or there is an interface besides loopback.
    """
    inside = namespace_inode()
    interfaces = sorted(name for _, name in socket.if_nameindex())
    if inside == outside_namespace:
        raise StepError("train", "the job runs in its caller's network namespace", fix="start it with curtilage finetune train")
    if interfaces != ["lo"]:
        raise StepError("train", f"the job sees the interfaces {', '.join(interfaces)}", fix="start it with curtilage finetune train")
    return {"namespace_differs": True, "interfaces": interfaces}


def unshare_command() -> list[str]:
    """The shortest ``unshare`` call that gives an empty network namespace here.

    Raises:
        MachineError: neither root nor user namespaces can make one.
    """
    tool = shutil.which("unshare")
    if tool is None:
        raise MachineError("unshare is not installed; training without a network namespace is refused\n  fix:  apt-get install util-linux")
    attempts = ([tool, "--net"], [tool, "--map-root-user", "--net"])
    for command in attempts:
        if subprocess.run([*command, "true"], capture_output=True, timeout=30, check=False).returncode == 0:
            return command
    raise MachineError(
        "this machine gives no network namespace; training without one is refused\n"
        "  fix:  run as root, or allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1"
    )


def run_isolated(
    module: str, job: dict[str, Any], *, say: Callable[[str], None], interpreter: Sequence[str] | None = None
) -> dict[str, Any]:
    """Run ``python -m module`` in an empty namespace with the job on its stdin; its progress goes through ``say``.

    Returns what its trace shows (curtilage.finetune.trace); NOT-RUN, with the reason, where nothing can be traced.

    Raises:
        MachineError: no such namespace can be made here.
        StepError: the job failed; carries the end of what it said.
    """
    unshare = unshare_command()
    with tempfile.TemporaryDirectory(prefix="curtilage-trace-") as scratch:
        blind = trace.control(unshare, Path(scratch) / "control")
        log = Path(scratch) / "job"
        traced = [] if blind else trace.command(log)
        pid = _run([*unshare, *traced, *(interpreter or (sys.executable,)), "-m", module], job, say)
        found = blind or trace.judge(log, pid)
    if found["verdict"] in {Verdict.FAIL, Verdict.INVALID}:
        raise StepError(
            "train",
            f"trace {found['verdict']}: {found.get('reason') or 'the job asked for ' + ', '.join(found['destinations'])}",
            fix="nothing it made is used; find out which library asked, and switch that off",
        )
    return found


def _run(command: list[str], job: dict[str, Any], say: Callable[[str], None]) -> int:
    """Run the job; returns its process id once it has ended well."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | OFFLINE
    environment["PYTHONPATH"] = str(CHECKOUT)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment, cwd=Path("/")
    ) as process:
        assert process.stdin is not None and process.stderr is not None  # noqa: S101, PT018 - both are pipes; for the type checker
        tail: list[str] = []
        try:
            # A child that died at once closes the pipe; its exit status and its last words tell more than the broken pipe.
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(job | {"outside_namespace": namespace_inode()}))
                process.stdin.close()
            for line in process.stderr:
                tail = [*tail[-29:], line.rstrip()]
                say(line.rstrip())
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise StepError("train", f"the job ended with {process.returncode}: " + " | ".join(tail[-3:]), fix="see the lines above")
    return process.pid
