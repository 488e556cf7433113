"""The rules, as data: what each finds, how bad it is, what to do, and two examples that the tests scan.

``bad`` must give the rule's finding, ``good`` must not; each is a project of (path, content) pairs.
``docs/scanner-rules.md`` is made of this.
"""

from __future__ import annotations

from collections.abc import Iterator

from curtilage.scan.rule import Rule
from curtilage.scan.rules_apex import APEX_RULES
from curtilage.scan.rules_metadata import METADATA_RULES
from curtilage.scan.rules_web import WEB_RULES

RULES: dict[str, Rule] = {rule.id: rule for rule in (*METADATA_RULES, *APEX_RULES, *WEB_RULES)}


def markdown() -> str:
    """``docs/scanner-rules.md``."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "# Scanner rules\n"
    yield "<!-- Made by `curtilage scan --rules-markdown`; change curtilage/scan/rules_*.py instead. -->\n"
    yield "The severity is the usual one. An endpoint of an AI service raises it; where the scanner cannot tell, the finding says so.\n"
    yield "| id | name | severity | finds |"
    yield "|---|---|---|---|"
    for rule in RULES.values():
        yield f"| [{rule.id}](#{rule.id.lower()}-{rule.name}) | {rule.name} | {rule.severity.label} | {rule.title} |"
    for rule in RULES.values():
        yield f"\n## {rule.id} {rule.name}\n"
        yield f"{rule.title}. Usual severity: {rule.severity.label}. Looks at: {rule.source}.\n"
        yield f"{rule.text}\n"
        yield f"What to do: {rule.fix}\n"
        for heading, example in (("Found", rule.bad), ("Not found", rule.good)):
            yield f"{heading}:\n"
            for path, content in example:
                yield f"```text\n# {path}\n{content.rstrip()}\n```"
            yield ""
