"""Flows: actions that call out, run prompts, or run Apex that calls out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from curtilage.scan.model import Finding, Severity
from curtilage.scan.vendors import suspected
from curtilage.scan.xmlread import Element

if TYPE_CHECKING:
    from curtilage.scan.metadata import Context

_AI_ACTIONS = re.compile(
    r"generateprompt\w*|executeprompt\w*|.*prompttemplate.*|.*copilot.*|.*einstein.*|.*aiagent.*|.*agentforce.*|.*generativeai.*|.*genai.*|.*llm.*|"
    r"generateai\w*|invokeagent\w*|aiaccelerator\w*|.*summar(?:y|ize)ai.*",
    re.IGNORECASE,
)
_OUTSIDE_ACTIONS = re.compile(
    r"externalservice|slack\w*|externalconnector\w*|mulesoft\w*|outboundmessage|httpcallout|sendnotificationexternal", re.IGNORECASE
)


def read_flow(root: Element, context: Context) -> Iterator[Finding]:
    """The findings of one flow; actions that run Apex wait until Apex has been read."""
    status = root.get("status", "Active").lower()
    active = status not in ("draft", "obsolete", "invaliddraft")
    for action in root.walk():
        if action.tag != "actionCalls":
            continue
        kind, name = action.get("actionType"), action.get("actionName")
        place, symbol = context.place(action), f"{context.stem}.{action.get('name')}"
        idle = "" if active else f" (the flow is {status})"
        if kind.lower() == "apex":
            context.flows.append((symbol, name, place, active))
        elif _AI_ACTIONS.fullmatch(kind):
            yield Finding(
                "SF031",
                place,
                f"runs {kind} {name}{idle}",
                Severity.HIGH if active else Severity.LOW,
                symbol,
                vendor="Salesforce Models API",
            )
        elif _OUTSIDE_ACTIONS.fullmatch(kind):
            service = name.partition(".")[0]
            vendor = suspected(service, name)
            severity = (Severity.HIGH if vendor else Severity.MEDIUM) if active else Severity.LOW
            yield Finding("SF030", place, f"calls {kind} {name}{idle}", severity, symbol, (f"{kind}:{name}",), vendor)
