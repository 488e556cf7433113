"""What the tests of training need of the machine; a reason where it lacks."""

from __future__ import annotations

from importlib.util import find_spec

from curtilage.errors import MachineError
from curtilage.finetune import airgap


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
