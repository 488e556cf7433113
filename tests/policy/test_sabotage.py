"""If this fails, a changed program could bring up an open host although the policy pack is given.

The real engine previews a copy of the checkout whose program was sabotaged; the pack of that copy must stop it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from curtilage.engine import Engine
from curtilage.engine_build import engine_path
from curtilage.errors import StepError
from curtilage.paths import CHECKOUT
from curtilage.region import load_region
from tests.checkouts import copy_checkout

pytestmark = pytest.mark.skipif(engine_path() is None, reason="no Pulumi engine here: `python -m curtilage.engine_build` makes one")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copy_checkout(tmp_path)


def sabotage(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text, "the sabotage must hit"
    file.write_text(text.replace(old, new))


def engine_of(checkout: Path, tmp_path: Path) -> Engine:
    return Engine(load_region("lab"), checkout=checkout, state=tmp_path / "state")


def test_two_checkouts_give_the_same_plan_digest_before_and_after_up(checkout: Path, tmp_path: Path) -> None:
    elsewhere = engine_of(checkout, tmp_path)
    here = Engine(load_region("lab"), state=tmp_path / "other-state")
    planned = here.preview()
    assert not planned.violations
    assert elsewhere.preview().digest == planned.digest
    here.up()
    assert here.no_changes()
    after = here.preview()
    assert set(after.changes) == {"same"}
    assert after.digest == planned.digest
    assert set(here.outputs()) == {"region", "inventory"}
    here.destroy()
    assert (CHECKOUT / "stacks" / "Pulumi.lab.yaml").exists(), "taking a stack down keeps its file"
    with pytest.raises(StepError, match="not up"):
        here.outputs()


def test_a_program_that_opens_a_host_is_stopped_in_preview_and_up(checkout: Path, tmp_path: Path) -> None:
    sabotage(
        checkout / "components" / "hosts" / "egress_firewall.py",
        "ruleset = render_ruleset(region, host)",
        'ruleset = render_ruleset(region, host).replace("policy drop", "policy accept")',
    )
    engine = engine_of(checkout, tmp_path)
    plan = engine.preview()
    assert plan.stopped
    assert {violation.policy for violation in plan.violations} == {"firewall-default-drop"}
    with pytest.raises(StepError, match="firewall-default-drop"):
        engine.up()


def test_a_program_that_forgets_a_host_is_stopped(checkout: Path, tmp_path: Path) -> None:
    sabotage(checkout / "components" / "region.py", "for host in region.hosts:\n", "for host in region.hosts[1:]:\n")
    plan = engine_of(checkout, tmp_path).preview()
    assert plan.stopped
    assert any("Host gpu-1 must have exactly one firewall" in violation.message for violation in plan.violations)


def test_a_program_that_adds_an_unknown_resource_is_stopped(checkout: Path, tmp_path: Path) -> None:
    with (checkout / "__main__.py").open("a") as program:
        program.write('pulumi.ComponentResource("curtilage:hosts:Tunnel", "tunnel", {})\n')
    plan = engine_of(checkout, tmp_path).preview()
    assert plan.stopped
    assert {violation.policy for violation in plan.violations} == {"known-type"}


def test_a_program_that_breaks_is_a_failed_step_not_a_plan(checkout: Path, tmp_path: Path) -> None:
    with (checkout / "__main__.py").open("a") as program:
        program.write('raise RuntimeError("sabotaged")\n')
    with pytest.raises(StepError, match="sabotaged"):
        engine_of(checkout, tmp_path).preview()


def test_what_changed_after_the_plan_was_decided_is_not_applied(checkout: Path, tmp_path: Path) -> None:
    engine = engine_of(checkout, tmp_path)
    plan = engine.preview()
    assert plan.saved is not None
    assert plan.saved.exists()
    # Still a program that the policies let pass: only the plan tells it from the one that was decided.
    sabotage(checkout / "stacks" / "Pulumi.lab.yaml", "owner: ", "owner: Someone else than ")
    with pytest.raises(StepError, match="violates plan"):
        engine.up(plan)
    assert not engine.no_changes(), "the decided plan is still to be applied"
    sabotage(checkout / "stacks" / "Pulumi.lab.yaml", "owner: Someone else than ", "owner: ")
    with pytest.raises(StepError, match="was written after this plan was made"):
        engine.up(plan)
    assert engine.up(engine.preview())["create"] > 0
    again = engine.preview()
    assert again.digest == plan.digest
    assert set(engine.up(again)) == {"same"}


def test_a_plan_is_not_applied_on_a_state_that_changed_since(tmp_path: Path) -> None:
    first, second = (Engine(load_region("lab"), state=tmp_path / "state") for _ in range(2))
    plan = first.preview()
    second.up()
    with pytest.raises(StepError, match=r"was written after this plan was made.*nothing was changed"):
        first.up(plan)
    after = first.preview()
    # A run that changes nothing writes the state too: whoever planned before it looks again.
    second.up()
    with pytest.raises(StepError, match="was written after this plan was made"):
        first.up(after)
