"""A sabotaged plan that passes is a release blocker; a harmless change that does not makes people stop reading."""

from __future__ import annotations

import pytest

from curtilage.proof.aws import parse_plan, prove_plan
from curtilage.verdict import Verdict
from tests.sabotage.aws.mutations import BENIGN, NEWER, SABOTAGE
from tests.sabotage.aws.plans import Stack, sealed_region

BASE = sealed_region()
KINDS = ("preview", "state")


def documents(stack: Stack, kind: str) -> dict[str, object]:
    return stack.preview() if kind == "preview" else stack.state()


def test_the_corpus_is_large_enough() -> None:
    assert len(SABOTAGE) >= 100
    assert len(BENIGN) >= 20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*SABOTAGE, *NEWER])
def test_sabotage_never_passes(name: str, kind: str) -> None:
    change, ids = (SABOTAGE | NEWER)[name]
    stack = BASE.copy()
    change(stack)
    proof = prove_plan(parse_plan(documents(stack, kind)))
    assert proof.verdict in (Verdict.FAIL, Verdict.NOT_PROVEN), name
    assert ids & {finding.id for finding in proof.findings}, [finding.reason for finding in proof.findings]
    if not ids & {"AWS-UNKNOWN", "AWS-TYPE"}:
        assert proof.verdict is Verdict.FAIL, [finding.reason for finding in proof.findings]
    for finding in proof.findings:
        assert finding.reason
        assert finding.path or finding.id in ("EG-11", "AWS-EMPTY")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", BENIGN)
def test_a_harmless_change_still_passes(name: str, kind: str) -> None:
    stack = BASE.copy()
    BENIGN[name](stack)
    proof = prove_plan(parse_plan(documents(stack, kind)))
    assert proof.verdict is Verdict.PASS, [(finding.id, finding.reason) for finding in proof.findings]
    assert proof.modelled
    assert proof.out_of_scope
