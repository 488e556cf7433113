"""Print the installed packages that none of the given lock files names, one a line; never pip or the project itself."""

from __future__ import annotations

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

KEPT = {"pip", "setuptools", "curtilage"}


def canonical(name: str) -> str:
    """The name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


locked = {canonical(name) for lock in sys.argv[1:] for name in re.findall(r"^([A-Za-z0-9._-]+)==", Path(lock).read_text(), re.MULTILINE)}
for name in sorted({canonical(distribution.metadata["Name"]) for distribution in distributions()} - locked - KEPT):
    print(name)  # noqa: T201 - the answer of a script
