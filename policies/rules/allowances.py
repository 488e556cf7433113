"""Allowances are owned, reasoned, narrow and alive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from curtilage.allowance import Allowance
from policies.rules._rule import Rule


def _owned(props: Mapping[str, Any]) -> Iterator[str]:
    for item in props["allowances"]:
        try:
            allowance = Allowance.model_validate(item)
        except ValidationError as error:
            for finding in error.errors(include_url=False, include_input=False):
                told = " ".join([*(str(part) for part in finding["loc"]), finding["msg"]])
                yield f"Allowance {item.get('id', '?')!r} must have an owner, a reason, a narrow destination and a live date: {told}."
            continue
        if allowance.from_role.value != props["role"]:
            yield f"Allowance {allowance.id!r} is for role {allowance.from_role}, not for this {props['role']} host."


RULES = (
    Rule(
        name="allowance-owned",
        description="An allowance has an owner, a reason, a narrow destination and an expiry that has not passed.",
        resource_type="curtilage:hosts:EgressFirewall",
        check=_owned,
    ),
)
