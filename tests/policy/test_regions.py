"""If this fails, a region of the repository does not preview, is not proved, or gives another plan in another checkout.

The real engine runs every stack with no cloud account: provider plugins are the official ones where they are installed, else the stand-ins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curtilage.commands.plan import Decision, decide
from curtilage.engine import Engine
from curtilage.engine_build import engine_path
from curtilage.errors import ConfigError, StepError
from curtilage.paths import CHECKOUT
from curtilage.region import Platform, Region, load_region
from curtilage.verdict import Verdict
from tests.checkouts import copy_checkout

STACKS = sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in (CHECKOUT / "stacks").glob("Pulumi.*.yaml"))
PROVIDERS = {Platform.HOSTS: set(), Platform.KUBERNETES: {"kubernetes"}, Platform.AWS: {"aws", "kubernetes"}}

pytestmark = pytest.mark.skipif(engine_path() is None, reason="no Pulumi engine here: `python -m curtilage.engine_build` makes one")


@pytest.fixture(scope="module")
def decisions() -> dict[str, Decision]:
    """Decisions made so far, so that one preview serves several tests."""
    return {}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


def decided(name: str, decisions: dict[str, Decision], state: Path) -> Decision:
    if name not in decisions:
        region = load_region(name)
        decisions[name] = decide(region, Engine(region, state=state))
    return decisions[name]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return copy_checkout(tmp_path)


@pytest.mark.parametrize("name", STACKS)
def test_every_region_previews_passes_the_policies_and_is_proved(name: str, decisions: dict[str, Decision], state: Path) -> None:
    decision = decided(name, decisions, state)
    assert decision.plan.violations == ()
    assert decision.findings == ()
    assert decision.verdict is Verdict.PASS
    document = decision.document()
    assert set(document["providers"]) == PROVIDERS[decision.region.platform]
    assert bool(document["not_deployable"]) is not decision.region.lab, "only the lab's have digests; elsewhere nothing is invented"


@pytest.mark.parametrize("name", STACKS)
def test_two_checkouts_give_the_same_plan_digest(
    name: str, checkout: Path, tmp_path: Path, decisions: dict[str, Decision], state: Path
) -> None:
    here = decided(name, decisions, state).plan if name in decisions else Engine(load_region(name), state=state).preview(judged=False)
    there = Engine(load_region(name), checkout=checkout, state=tmp_path / "state").preview(judged=False)
    assert there.digest == here.digest


def test_a_program_that_opens_a_cluster_is_stopped_by_a_policy(checkout: Path, tmp_path: Path) -> None:
    # The program runs with the checkout's own code first, so the sabotage is in its declaration.
    file = checkout / "components" / "kubernetes" / "objects.py"
    text = file.read_text()
    assert "dict(item)" in text
    opened = "{**item, 'spec': {**item['spec'], 'egress': [{}]}} if item['kind'] == 'NetworkPolicy' else dict(item)"
    file.write_text(text.replace("dict(item)", opened))
    plan = Engine(load_region("nl-amsterdam"), checkout=checkout, state=tmp_path / "state").preview()
    assert plan.stopped
    assert {violation.policy for violation in plan.violations} == {"kubernetes-policy-shut", "every-namespace-shut"}


def test_an_input_that_the_provider_does_not_know_fails_the_preview(checkout: Path, tmp_path: Path) -> None:
    program = "import pulumi, pulumi_aws\npulumi.CustomResource('aws:ec2/vpc:Vpc', 'v', {'cidrBlock': '10.0.0.0/16', 'cidr': 1})\n"
    (checkout / "__main__.py").write_text(program)
    if Engine(load_region("de-frankfurt"), state=tmp_path / "s").plugins[0].kind != "stand-in":
        pytest.skip("the official plugin is installed; its own check is not ours to test")
    with pytest.raises(StepError, match="unknown input"):
        Engine(load_region("de-frankfurt"), checkout=checkout, state=tmp_path / "state").preview(judged=False)


def imported(name: str) -> Region:
    """A region whose digests are there, as after an import."""
    region, digest = load_region(name), "sha256:" + "a" * 64
    models = tuple(model.model_copy(update={"image": f"vllm@{digest}", "weights": digest}) for model in region.models)
    changes: dict[str, Any] = {"models": models}
    if region.kubernetes is not None:
        changes["kubernetes"] = region.kubernetes.model_copy(update={"curtilage_image": f"curtilage@{digest}"})
    return region.model_copy(update=changes)


def test_up_is_refused_without_digests_and_without_the_cluster_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"kubernetes\.curtilage_image"):
        Engine(load_region("fr-paris"), state=tmp_path / "state").up()
    config = tmp_path / "config"
    config.write_text("current-context: other\ncontexts:\n- {name: other, context: {cluster: c}}\nclusters: []\n")
    monkeypatch.setenv("KUBECONFIG", str(config))
    with pytest.raises(ConfigError, match=r"context 'fr-paris-legal' is in no kubeconfig \(other\)"):
        Engine(imported("fr-paris"), state=tmp_path / "state").up()
    config.write_text(
        "contexts:\n- {name: fr-paris-legal, context: {cluster: c}}\nclusters:\n- {name: c, cluster: {server: 'https://127.0.0.1:1'}}\n"
    )
    with pytest.raises(StepError, match=r"nobody answers at https://127\.0\.0\.1:1.*nothing was changed"):
        Engine(imported("fr-paris"), state=tmp_path / "state").up()
