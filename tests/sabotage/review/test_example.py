"""If this fails, docs/review.md shows a comment that nobody gets any more."""

from __future__ import annotations

import os

import pytest

from tests.sabotage.review.example import BEGIN, END, PAGE, example


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT-RUN: rulesets are read back from the kernel, which needs root")
def test_the_example_is_as_generated() -> None:
    page = PAGE.read_text()
    assert page[page.index(BEGIN) + len(BEGIN) : page.index(END)] == example()
