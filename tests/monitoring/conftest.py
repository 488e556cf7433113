"""Prometheus' own tools, from the hosts' base file system: what judges the rules here is what evaluates them on the evidence host."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lab.base import ensure_base


@pytest.fixture(scope="session")
def base() -> Path:
    """The hosts' base file system; made now where it is not in the cache."""
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        pytest.skip("making the hosts' base file system, which has promtool and the exporters, needs root and debootstrap")
    return ensure_base()


@pytest.fixture(scope="session")
def promtool(base: Path) -> Path:
    """Debian's promtool."""
    return base / "usr/bin/promtool"
