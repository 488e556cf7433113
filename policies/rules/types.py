"""A region holds nothing that the rules do not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policies.rules._rule import Rule

KNOWN = frozenset(
    {
        "curtilage:index:LegalRegion",
        *(
            f"curtilage:hosts:{noun}"
            for noun in ("LegalSegment", "EgressFirewall", "GpuNodePool", "ModelImage", "LlmService", "EvidenceStore")
        ),
        "pulumi:pulumi:Stack",
    }
)


def _is_known(props: Mapping[str, Any]) -> Iterator[str]:
    if props["type"] not in KNOWN:
        yield f"The resource type {props['type']} must be one the seal is proved for; nobody has said whether this one opens it."


RULES = (Rule(name="known-type", description="Every resource is of a type the seal is proved for.", check=_is_known),)
