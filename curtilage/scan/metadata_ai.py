"""The platform's own generative features: prompt templates, agents and bots, settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from curtilage.scan.model import Finding, Severity
from curtilage.scan.xmlread import Element

if TYPE_CHECKING:
    from curtilage.scan.metadata import Context

_MERGE = re.compile(r"\{!\s*\$?(?:Input|RecordSnapshot|Record)\s*:\s*([\w.]+)\s*\}|\{!\s*\$(?:Input|Record)\.([\w.]+)\s*\}")
_MODELS = "Salesforce Models API"
_PARTS = {"GenAiPlugin": "topic", "GenAiFunction": "action", "BotVersion": "version"}


def _prompt_template(root: Element, context: Context) -> Iterator[Finding]:
    models, fields = set(), set()
    content = next((item for item in root.walk() if item.tag == "content"), None)
    for item in root.walk():
        if item.tag in ("primaryModel", "model") and item.text.strip():
            models.add(item.text.strip())
        elif item.tag == "content":
            for first, second in _MERGE.findall(item.text):
                owner, _, name = (first or second).partition(".")
                if name and context.index.why_sensitive(owner, name):
                    fields.add(f"{owner}.{name}")
    shown = ", ".join(sorted(models)) or "the default model"
    severity = Severity.CRITICAL if fields else Severity.HIGH
    yield Finding(
        "SF043",
        context.place(content or root),
        f"prompt template {context.stem} sends record data to {shown}",
        severity,
        context.stem,
        tuple(sorted(models)),
        _MODELS,
        tuple(sorted(fields)),
    )


def _agent(root: Element, context: Context) -> Iterator[Finding]:
    part = _PARTS.get(root.tag)
    severity = Severity.LOW if part else Severity.HIGH
    yield Finding(
        "SF044",
        context.place(root),
        f"{part or 'agent'} {context.stem} ({root.tag})",
        severity,
        f"{root.tag}:{context.stem}",
        vendor=_MODELS,
    )


def _settings(root: Element, context: Context) -> Iterator[Finding]:
    for item in root.children:
        if item.text.strip() == "true" and item.tag.lower().startswith("enable"):
            yield Finding(
                "SF047", context.place(item), f"{root.tag}.{item.tag} is on", Severity.LOW, f"{root.tag}.{item.tag}", vendor=_MODELS
            )


AI_READERS = {
    "GenAiPromptTemplate": _prompt_template,
    "GenAiPlanner": _agent,
    "GenAiPlannerBundle": _agent,
    "GenAiPlugin": _agent,
    "GenAiFunction": _agent,
    "Bot": _agent,
    "BotVersion": _agent,
    "AIApplication": _agent,
    "AIApplicationConfig": _agent,
    "EinsteinGptSettings": _settings,
    "EinsteinCopilotSettings": _settings,
    "EinsteinAgentSettings": _settings,
    "AgentPlatformSettings": _settings,
    "AIReplyRecommendationsSettings": _settings,
    "AutomatedContactsSettings": _settings,
    "ConversationalIntelligenceSettings": _settings,
}
