"""A second checkout: what the engine needs of this one, copied, so that a test may change it."""

from __future__ import annotations

import shutil
from pathlib import Path

from curtilage.paths import CHECKOUT

_PARTS = ("curtilage", "components", "policies", "stacks", "model_images", "lab")


def copy_checkout(folder: Path) -> Path:
    """Copy the program and what it reads; returns the copy.

    Args:
        folder: where the directory ``checkout`` is made; it must not have one.
    """
    copy = folder / "checkout"
    copy.mkdir()
    for part in _PARTS:
        shutil.copytree(CHECKOUT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(CHECKOUT / name, copy)
    return copy
