"""What the tests of training need of the machine; a reason where it lacks."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from pathlib import Path

from curtilage.errors import MachineError
from curtilage.finetune import airgap, trace
from curtilage.verdict import Verdict


def lacks(*packages: str) -> str:
    """Why a test that trains without a network cannot run here; nothing where it can."""
    absent = [package for package in packages if find_spec(package) is None]
    if absent:
        return f"NOT-RUN: {' and '.join(absent)} not installed"
    try:
        airgap.unshare_command()
    except MachineError as error:
        return f"NOT-RUN: {str(error).splitlines()[0]}"
    return ""


def lacks_trace() -> str:
    """Why a job without a network cannot be traced here; nothing where it can. A trace that sees nothing is no reason: tests must fail."""
    reason = lacks()
    if reason:
        return reason
    with tempfile.TemporaryDirectory() as scratch:
        blind = trace.control(airgap.unshare_command(), Path(scratch) / "control")
    return f"NOT-RUN: {blind['reason']}" if blind is not None and blind["verdict"] == Verdict.NOT_RUN else ""
