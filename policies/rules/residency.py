"""A region stands inside its jurisdiction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from curtilage.jurisdiction import load_jurisdiction
from curtilage.region import LAB
from policies.rules._rule import Rule


def _inside(props: Mapping[str, Any]) -> Iterator[str]:
    law = load_jurisdiction(props["jurisdiction"])
    site, platform = props["site"], props["platform"]
    inside = site in law.cloud_region_names("aws") if platform == "aws" else law.contains_country(site)
    if not inside and not (platform in ("hosts", "kubernetes") and site == LAB):
        yield f"The site {site} must lie inside {law.code}."
    for field in ("owner", "costCentre"):
        if not str(props[field]).strip():
            yield f"The region must have {field}."


RULES = (
    Rule(
        name="residency",
        description="A region's site lies inside its jurisdiction, and someone owns it.",
        resource_type="curtilage:index:LegalRegion",
        check=_inside,
    ),
)
