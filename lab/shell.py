"""Run a command, and turn its failure into a message that shows what it said.

Every command the lab runs on this machine goes through here: bounded in time, never through a shell, its last words kept.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from curtilage.errors import MachineError, StepError

EXCERPT_LINES = 25


def excerpt(text: str, lines: int = EXCERPT_LINES) -> str:
    """The last lines of a log, indented for an error message."""
    return "\n".join(f"    | {line}" for line in text.strip().splitlines()[-lines:]) or "    | (no output)"


def run(
    argv: Sequence[str],
    *,
    step: str,
    fix: str = "read the excerpt above; `curtilage doctor` names what this machine lacks",
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    timeout_seconds: float = 120,
) -> str:
    """Run `argv` to its end and return what it printed.

    The command gets a session of its own, so that an interrupt ends it with all its children instead of leaving a half-made chroot busy.

    Args:
        argv: the command.
        step: the step's name in the error message.
        fix: what the user should do when it fails.
        stdin: what the command reads.
        env: added to this process's environment.
        log: append the output to this file as well.
        timeout_seconds: the command is killed after this time.

    Raises:
        MachineError: the program is not installed.
        StepError: it failed or took too long; the message has its last lines.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **(env or {})},
            start_new_session=True,
            umask=0o022,  # what hosts share must be readable by their services, whatever the caller's umask
        )
    except FileNotFoundError as error:
        raise MachineError(f"{argv[0]} is not installed\n  fix:  curtilage doctor names the package") from error
    try:
        output, _ = process.communicate(stdin, timeout=timeout_seconds)
    except subprocess.TimeoutExpired as error:
        _end_group(process)
        raise StepError(step, f"`{argv[0]}` took longer than {timeout_seconds:.0f} s", fix=fix) from error
    except BaseException:
        _end_group(process)
        raise
    if log is not None:
        with log.open("a", encoding="utf-8") as handle:
            handle.write(output)
    if process.returncode != 0:
        raise StepError(step, f"`{' '.join(argv[:4])} ...` ended with {process.returncode}\n{excerpt(output)}", fix=fix)
    return output


def _end_group(process: subprocess.Popen[str]) -> None:
    """End a command and its children; killed, because debootstrap's children ignore a polite request."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
