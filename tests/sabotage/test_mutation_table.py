"""If this fails, docs/mutations.md says of a control what the proof no longer says, or a control can go without anything turning red."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from types import ModuleType

import pytest

from curtilage.paths import CHECKOUT

PAGE = CHECKOUT / "docs" / "mutations.md"


@pytest.fixture(scope="module")
def table() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutation_table", CHECKOUT / "tools" / "mutation_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutation_table"] = module
    spec.loader.exec_module(module)
    return module


RED = re.compile(r"`([^`]+)`")
EVERY = {"hosts": 4, "gateway": 8}


@pytest.mark.parametrize("platform", ["hosts", "aws", "kubernetes", "gateway"])
def test_a_sample_of_the_table_is_as_generated(table: ModuleType, platform: str) -> None:
    if platform == "hosts" and os.geteuid() != 0:
        pytest.skip("NOT-RUN: rulesets are read back from the kernel, which needs root")
    written = PAGE.read_text().splitlines()
    found = list(table.removals((platform,), every=EVERY.get(platform, 1)))
    assert len(found) >= 4
    for item in found:
        assert item.red, item.control
        row = next(line for line in written if line.startswith(f"| {item.platform} | {item.control} |"))
        if platform == "gateway":
            # A test that fails beside those named (a machine too busy for its clock) makes no line of the page untrue.
            assert set(RED.findall(row)) <= set(item.red)
        else:
            assert row == table.row(item)


def test_every_control_has_a_line(table: ModuleType) -> None:
    written = PAGE.read_text()
    controls = [control.name for control in table.gateway_mutations.CONTROLS]
    for name in (*table.host_controls(), *table.aws_controls(), *table.kubernetes_controls(), *controls):
        assert f"| {name} |" in written


def test_every_control_of_the_gateway_is_in_the_source_as_it_is(table: ModuleType) -> None:
    missing = [item.name for item in table.gateway_mutations.CONTROLS if item.text not in (CHECKOUT / item.file).read_text()]
    assert missing == [], "change tools/gateway_mutations.py with the source"
