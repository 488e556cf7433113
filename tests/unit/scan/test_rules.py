"""Every rule by its own two examples, and its documentation by what the rules say now."""

from __future__ import annotations

from pathlib import Path

import pytest

from curtilage.scan import rules
from curtilage.scan.engine import scan
from curtilage.scan.rule import Example

CHECKOUT = Path(__file__).resolve().parents[3]


def found(root: Path, example: Example) -> set[str]:
    for path, content in example:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    return {item.finding.rule for item in scan(root).reported}


@pytest.mark.parametrize("rule", rules.RULES.values(), ids=lambda rule: rule.name)
def test_the_bad_example_of_a_rule_gives_its_finding(rule: rules.Rule, tmp_path: Path) -> None:
    assert rule.id in found(tmp_path, rule.bad)


@pytest.mark.parametrize("rule", rules.RULES.values(), ids=lambda rule: rule.name)
def test_the_good_example_of_a_rule_does_not(rule: rules.Rule, tmp_path: Path) -> None:
    assert rule.id not in found(tmp_path, rule.good)


def test_the_rules_page_is_what_the_rules_say() -> None:
    assert (CHECKOUT / "docs" / "scanner-rules.md").read_text() == rules.markdown()
