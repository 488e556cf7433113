"""The lab region as docs/architecture.md states it, built in code so that a change of stacks/ cannot hide a change of the derivation."""

from __future__ import annotations

from typing import Any

import pytest

from curtilage.region import Region


def lab_document() -> dict[str, Any]:
    """The lab's region, in plain types."""

    def host(name: str, role: str, last: int, card: str | None = None) -> dict[str, Any]:
        return {
            "name": name,
            "role": role,
            "segment": "legal",
            "ipv4": f"192.0.2.{last}",
            "ipv6": f"2001:db8:1::{last}",
            "card": card,
        }

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
            host("gpu-1", "gpu", 11, "cpu"),
            host("gpu-2", "gpu", 12, "cpu"),
            host("gw-1", "gateway", 21),
            host("crm-1", "crm", 31),
            host("evidence-1", "evidence", 41),
        ],
        "operators": [{"name": "ops", "ipv4": "192.0.2.5", "ipv6": "2001:db8:1::5"}],
        "gateway": {"intercept": ["api.openai.com", "api.anthropic.com"]},
        "models": [{"name": "tiny", "manifest": "model_images/tiny", "image": None, "weights": None}],
    }


@pytest.fixture
def lab() -> Region:
    """The lab region without allowances."""
    return Region.model_validate(lab_document())


@pytest.fixture
def lab_with_allowance() -> Region:
    """The lab region whose evidence host may reach one time-stamping service."""
    document = lab_document()
    document["allowances"] = [
        {
            "id": "timestamps",
            "destination": "198.51.100.7/32",
            "protocol": "tcp",
            "ports": [443],
            "from_role": "evidence",
            "owner": "security office",
            "reason": "qualified timestamps of checkpoints",
            "expires": "2199-12-31",
        }
    ]
    return Region.model_validate(document)
