"""The lab region as docs/architecture.md states it, built in code so that a change of stacks/ cannot hide a change of the derivation."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

from curtilage.region import Region


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without root or nftables there are no packets to send, and the report says so."""
    if os.geteuid() == 0 and shutil.which("nft"):
        return
    for item in items:
        if "tests/packets" in str(item.path):
            item.add_marker(pytest.mark.skip(reason="NOT-RUN: packets need root and nftables for network namespaces"))


def _document(allowances: list[dict[str, Any]]) -> dict[str, Any]:
    hosts = (
        ("gpu-1", "gpu", 11),
        ("gpu-2", "gpu", 12),
        ("gpu-3", "gpu", 13),
        ("gw-1", "gateway", 21),
        ("crm-1", "crm", 31),
        ("evidence-1", "evidence", 41),
    )
    return {
        "name": "lab",
        "jurisdiction": "DE",
        "platform": "hosts",
        "site": "lab",
        "owner": "legal platform",
        "cost_centre": "none",
        "segments": {
            "legal": {"ipv4": "192.0.2.0/24", "ipv6": "2001:db8:1::/64", "router_ipv4": "192.0.2.1", "router_ipv6": "2001:db8:1::1"}
        },
        "hosts": [
            {
                "name": name,
                "role": role,
                "segment": "legal",
                "ipv4": f"192.0.2.{last}",
                "ipv6": f"2001:db8:1::{last}",
                "card": "cpu" if role == "gpu" else None,
                "serves": "vectors" if name == "gpu-3" else None,
            }
            for name, role, last in hosts
        ],
        "operators": [{"name": "ops", "ipv4": "192.0.2.5", "ipv6": "2001:db8:1::5"}],
        "gateway": {"intercept": ["api.openai.com", "api.anthropic.com"]},
        "models": [
            {"name": name, "task": task, "manifest": "model_images/tiny", "image": None, "weights": None}
            for name, task in (("tiny", "generate"), ("vectors", "embed"))
        ],
        "allowances": allowances,
    }


@pytest.fixture(scope="session")
def lab() -> Region:
    """The lab region without allowances."""
    return Region.model_validate(_document([]))


@pytest.fixture(scope="session")
def lab_with_allowances() -> Region:
    """The lab region whose evidence host may reach one time-stamping service."""
    allowance = {
        "id": "timestamps",
        "destination": "198.51.100.7/32",
        "protocol": "tcp",
        "ports": [443],
        "from_role": "evidence",
        "owner": "security office",
        "reason": "qualified timestamps of checkpoints",
        "expires": "2199-12-31",
    }
    return Region.model_validate(_document([allowance]))
