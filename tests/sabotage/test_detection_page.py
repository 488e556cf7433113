"""If this fails, docs/detection.md claims a verdict that our proof no longer gives, or leaves out a case of the corpus."""

from __future__ import annotations

import importlib.util
import os
import sys
from types import ModuleType

import pytest

from curtilage.paths import CHECKOUT

PAGE = CHECKOUT / "docs" / "detection.md"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_detection", CHECKOUT / "tools" / "bench_detection.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_detection"] = module
    spec.loader.exec_module(module)
    return module


def written() -> dict[tuple[str, str], str]:
    """Our column by platform and case."""
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith(("| aws | ", "| hosts | "))]
    return {(row[0].removeprefix("| "), row[1]): row[2] for row in rows}


def test_our_column_is_as_generated(bench: ModuleType) -> None:
    page = written()
    hosts_too = os.geteuid() == 0
    sample = [case for case in bench.cases() if case.name != bench.BASE][::7]
    for case in sample:
        if case.platform == "hosts" and not hosts_too:
            continue
        verdict, ids = bench.ours(case)
        assert page[case.platform, case.name] == f"{verdict.replace('_', '-')} {' '.join(f'`{name}`' for name in ids)}".strip()


def test_every_case_has_a_line_and_no_sabotage_passes(bench: ModuleType) -> None:
    page = written()
    cases = [case for case in bench.cases() if case.name != bench.BASE]
    assert {(case.platform, case.name) for case in cases} == set(page)
    for case in cases:
        assert page[case.platform, case.name].startswith("PASS") is not case.sabotage, case.name


def test_a_case_is_translated_with_its_references(bench: ModuleType) -> None:
    case = next(item for item in bench.cases() if item.name == "internet gateway and default route")
    text, lost = bench.translate(case.stack, prefix="c1_")
    assert not lost
    assert 'resource "aws_internet_gateway" "c1_igw"' in text
    assert "gateway_id = aws_internet_gateway.c1_igw.id" in text
    assert 'destination_cidr_block = "0.0.0.0/0"' in text
