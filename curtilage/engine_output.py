"""Reads what the Pulumi CLI prints and logs: documents, events, and the policies' refusals among them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curtilage.errors import StepError

TAKEN_OVER = ("kubectl", "before-first-apply")
"""Managers whose fields an update of the Kubernetes provider takes over; a preview takes nothing over and calls them a conflict."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A policy's refusal of one resource."""

    policy: str
    level: str
    urn: str
    message: str


def document_of(text: str, what: str) -> dict[str, Any]:
    """The JSON object in the CLI's standard output (a policy run may print lines around it)."""
    start, end = text.find("{"), text.rfind("}")
    try:
        found = json.loads(text[start : end + 1])
    except json.JSONDecodeError as error:
        raise StepError(
            f"pulumi {what}", f"no JSON document: {text.strip()[-300:]!r}", fix="run it again with an engine that works"
        ) from error
    if not isinstance(found, dict):
        raise StepError(f"pulumi {what}", "the document is not an object", fix="run it again with an engine that works")
    return found


def events_of(log: Path) -> list[dict[str, Any]]:
    """The events of a log that the CLI wrote, none where it wrote none."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [json.loads(line) for line in lines if line.strip()]


def violations_of(events: list[dict[str, Any]]) -> Iterator[Violation]:
    """What policies refused, each once, in the order of the events."""
    seen: set[Violation] = set()
    for event in events:
        found = event.get("policyEvent")
        if not found:
            continue
        violation = Violation(
            policy=found.get("policyName", ""),
            level=found.get("enforcementLevel", ""),
            urn=found.get("resourceUrn", ""),
            message=" ".join(found.get("message", "").split()),
        )
        if violation not in seen:
            seen.add(violation)
            yield violation


def only_taken_over(text: str) -> bool:
    """Whether what stopped a preview is a conflict with edits by hand alone, which the update itself takes over."""
    managers = re.findall(r'conflicts? with \\?"([^"\\]+)\\?"', text)
    return bool(managers) and all(name.startswith(TAKEN_OVER) for name in managers)
