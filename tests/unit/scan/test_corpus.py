"""Precision and recall of every rule on a labelled corpus that was written after the platform's documentation, decoys included."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from curtilage.scan.engine import scan

CORPUS = Path(__file__).parent / "corpus"
_EXPECT = re.compile(r"(?://|<!--)\s*expect\s+((?:SF\d{3}\??\s*)+)")
_EXPECT_FILE = re.compile(r"expect-file\s+(SF\d{3})")
LEAST = 0.95


def cases() -> list[tuple[str, dict[str, str]]]:
    found = []
    for path in sorted(CORPUS.glob("*.txt")):
        for block in re.split(r"^=== ", path.read_text(), flags=re.MULTILINE)[1:]:
            name, _, rest = block.partition("\n")
            files = {}
            for part in re.split(r"^--- ", rest, flags=re.MULTILINE)[1:]:
                file, _, text = part.partition("\n")
                files[file.strip()] = text
            found.append((f"{path.stem}/{name.strip()}", files))
    return found


CASES = cases()


def run(files: dict[str, str], root: Path) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]], list[str]]:
    """(found and expected), (found or expected) by outcome and rule, and what was wrong in words."""
    expected, allowed = set(), set()
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        for number, line in enumerate(text.splitlines(), 1):
            for group in _EXPECT.findall(line):
                for rule in group.split():
                    (allowed if rule.endswith("?") else expected).add((name, number, rule.rstrip("?")))
            expected |= {(name, 0, rule) for rule in _EXPECT_FILE.findall(line)}
    whole = {(name, rule) for name, number, rule in expected if number == 0}
    found = {
        (
            item.finding.place.path,
            0 if (item.finding.place.path, item.finding.rule) in whole else item.finding.place.line,
            item.finding.rule,
        )
        for item in scan(root).reported
    } - allowed
    tally: Counter[tuple[str, str]] = Counter()
    for _, _, rule in found & expected:
        tally["right", rule] += 1
    for _, _, rule in found - expected:
        tally["extra", rule] += 1
    for _, _, rule in expected - found:
        tally["missed", rule] += 1
    wrong = [f"extra {item}" for item in sorted(found - expected)] + [f"missed {item}" for item in sorted(expected - found)]
    return tally, Counter(), wrong


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> tuple[Counter[tuple[str, str]], dict[str, list[str]]]:
    total: Counter[tuple[str, str]] = Counter()
    wrong = {}
    for name, files in CASES:
        tally, _, words = run(files, tmp_path_factory.mktemp("case"))
        total += tally
        if words:
            wrong[name] = words
    return total, wrong


def test_the_corpus_has_at_least_150_cases_with_different_names() -> None:
    assert len(CASES) >= 150
    assert len({name for name, _ in CASES}) == len(CASES)


def test_precision_and_recall_are_at_least_as_promised_for_every_rule(
    outcome: tuple[Counter[tuple[str, str]], dict[str, list[str]]],
) -> None:
    total, wrong = outcome
    for rule in sorted({rule for _, rule in total}):
        right, extra, missed = (total[kind, rule] for kind in ("right", "extra", "missed"))
        assert right / max(1, right + extra) >= LEAST, (rule, "precision", wrong)
        assert right / max(1, right + missed) >= LEAST, (rule, "recall", wrong)
