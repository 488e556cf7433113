"""Tests here look at the running lab of this checkout; they neither start nor stop it, and a machine without one is told how to get one."""

from __future__ import annotations

import pytest

from curtilage.paths import CHECKOUT
from curtilage.region import load_region
from lab import lock
from lab.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Lab:
    """The running lab of this checkout."""
    running = Lab(load_region("lab"))
    owner = lock.owner()
    if owner is None:
        pytest.fail("no lab runs on this machine; start it with `curtilage lab start`, or `make up`", pytrace=False)
    if owner.checkout != str(CHECKOUT):
        pytest.fail(f"the lab of this machine belongs to {owner.checkout}; run its tests there", pytrace=False)
    broken = running.broken()
    if owner.state != "running" or broken:
        pytest.fail(f"the lab is {owner.state} and lacks {broken}; run `curtilage lab start`", pytrace=False)
    return running
