"""Every rule of the pack."""

from __future__ import annotations

from policies.rules import (
    allowances,
    aws,
    aws_data,
    aws_identity,
    aws_stack,
    firewall,
    images,
    kubernetes,
    nodes,
    residency,
    segments,
    types,
)
from policies.rules._rule import Rule

RULES: tuple[Rule, ...] = (
    *segments.RULES,
    *nodes.RULES,
    *images.RULES,
    *allowances.RULES,
    *firewall.RULES,
    *types.RULES,
    *residency.RULES,
    *kubernetes.RULES,
    *aws.RULES,
    *aws_data.RULES,
    *aws_identity.RULES,
    *aws_stack.RULES,
)
