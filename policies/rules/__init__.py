"""Every rule of the pack."""

from __future__ import annotations

from policies.rules import allowances, firewall, images, nodes, residency, segments, types
from policies.rules._rule import Rule

RULES: tuple[Rule, ...] = (
    *segments.RULES,
    *nodes.RULES,
    *images.RULES,
    *allowances.RULES,
    *firewall.RULES,
    *types.RULES,
    *residency.RULES,
)
