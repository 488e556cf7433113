"""A sabotaged ruleset that passes is a release blocker; a harmless change that does not makes people stop reading."""

from __future__ import annotations

import os

import pytest

from curtilage.derive.firewall import render_ruleset
from curtilage.errors import ConfigError
from curtilage.proof.regions import prove_host
from curtilage.region import load_region
from curtilage.review.judge import judge
from curtilage.review.plans import planned_of
from curtilage.verdict import Verdict
from tests.sabotage.hosts.mutations import BENIGN, HOST, PLANS, SABOTAGE
from tests.sabotage.review.conftest import hosts_plan

LAB = load_region("lab")
TEXT = render_ruleset(LAB, LAB.host(HOST))

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="NOT-RUN: rulesets are read back from the kernel, which needs root")


def test_the_corpus_is_large_enough() -> None:
    assert len(SABOTAGE) + len(PLANS) >= 50
    assert len(BENIGN) >= 10


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_sabotaged_ruleset_never_passes(name: str) -> None:
    text = SABOTAGE[name](TEXT)
    assert text != TEXT
    try:
        result = prove_host(LAB, LAB.host(HOST), text)
    except ConfigError:
        return  # the kernel refuses it, so it cannot be loaded either
    assert result.verdict in (Verdict.FAIL, Verdict.NOT_PROVEN)
    for finding in result.findings:
        assert finding.reason
        assert finding.verdict is not Verdict.FAIL or (finding.counterexample and finding.path)


@pytest.mark.parametrize("name", BENIGN)
def test_a_harmless_change_of_a_ruleset_still_passes(name: str) -> None:
    result = prove_host(LAB, LAB.host(HOST), BENIGN[name](TEXT))
    assert result.verdict is Verdict.PASS, [finding.reason for finding in result.findings]


@pytest.mark.parametrize("name", PLANS)
def test_a_sabotaged_plan_around_the_rulesets_never_passes(name: str) -> None:
    plan = hosts_plan()
    PLANS[name](plan)
    planned = planned_of(plan)
    assert judge({}, {"lab": planned}).verdict in (Verdict.FAIL, Verdict.NOT_PROVEN)
