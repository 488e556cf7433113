"""The form of a rule; the rules themselves are data in ``rules_*.py``."""

from __future__ import annotations

from dataclasses import dataclass

from curtilage.scan.model import Severity

Example = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Args:
        id: stable id.
        name: stable name.
        title: one line.
        severity: what it usually is; a finding may differ, e.g. when the endpoint is an AI service.
        text: what it finds and why it matters.
        fix: what to do.
        bad: a project that has it.
        good: a decoy that has not.
        source: the platform's own name for what is looked at.
    """

    id: str
    name: str
    title: str
    severity: Severity
    text: str
    fix: str
    bad: Example
    good: Example
    source: str


def meta(root: str, body: str) -> str:
    """A metadata file."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="http://soap.sforce.com/2006/04/metadata">\n{body}\n</{root}>\n'


def apex(name: str, body: str) -> tuple[str, str]:
    """A class file."""
    return f"classes/{name}.cls", f"public with sharing class {name} {{\n{body}\n}}\n"
