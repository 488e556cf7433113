"""What identities of a region on AWS may do: what is named, on what is named, and no more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from policies.rules._rule import Rule

ATTACHED = frozenset(
    {
        "AmazonEC2ContainerRegistryPullOnly",
        "AmazonEKSClusterPolicy",
        "AmazonEKSWorkerNodePolicy",
        "AmazonEKS_CNI_Policy",
        "service-role/AmazonEBSCSIDriverPolicy",
    }
)
"""AWS's own policies that a private cluster works with; each was read for what it lets out."""
_MANAGED = re.compile(r"arn:aws[a-z-]*:iam::aws:policy/(.+)")
_LOOKS = re.compile(r"[a-z0-9-]+:(Describe|List)[A-Za-z]*\*?|tag:GetResources")


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _narrow(props: Mapping[str, Any]) -> Iterator[str]:
    statements = json.loads(props["policy"])["Statement"]
    for item in statements if isinstance(statements, list) else [statements]:
        if item["Effect"] != "Allow":
            continue
        if "NotAction" in item or "NotResource" in item:
            yield "A role's policy must name what it allows; all but something is everything that is added later too."
        actions = _listed(item.get("Action"))
        for action in actions:
            if action == "*" or action.endswith(":*"):
                yield f"A role's policy must name its actions, not {action}."
        if any(where == "*" for where in _listed(item.get("Resource"))):
            for action in actions:
                if not _LOOKS.fullmatch(action):
                    yield f"A role's policy must say on what it allows {action}; on * it reaches other accounts' resources too."


def _attached(props: Mapping[str, Any]) -> Iterator[str]:
    found = _MANAGED.fullmatch(props["policyArn"])
    if found is None or found[1] not in ATTACHED:
        yield f"A role must not have {props['policyArn']} attached; {', '.join(sorted(ATTACHED))} were read for what they let out."


RULES = (
    Rule(
        name="aws-role-narrow", description="A role's policy names actions and resources.",
        resource_type="aws:iam/rolePolicy:RolePolicy", fields=("policy",), check=_narrow,
    ),
    Rule(
        name="aws-role-attached", description="Attached policies are those that were read.",
        resource_type="aws:iam/rolePolicyAttachment:RolePolicyAttachment", fields=("policyArn",), check=_attached,
    ),
)  # fmt: skip
