"""If this fails, a cluster is changed by a plan nobody judged, or a region that nothing attacked is called PASS."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID

from curtilage.commands import up_platform
from curtilage.commands.plan import Decision
from curtilage.engine import Engine, Plan
from curtilage.errors import ConfigError, NotRunError, StepError
from curtilage.plugins import OFFICIAL, STANDIN, Plugin
from curtilage.region import Region, load_region
from curtilage.verdict import Verdict

DIGEST = "sha256:" + "a" * 64


class Recorder:
    """An engine that records what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.recorded = imported().canonical()
        self.plugins: tuple[Plugin, ...] = ()

    def up(self, plan: Plan) -> dict[str, int]:
        self.asked.append(f"up {plan.digest}")
        return {"create": 3}

    def outputs(self) -> dict[str, Any]:
        return {"region": self.recorded, "inventory": {}}

    def no_changes(self) -> bool:
        self.asked.append("preview")
        return True


def imported(name: str = "fr-paris") -> Region:
    region = load_region(name)
    assert region.kubernetes is not None
    models = tuple(model.model_copy(update={"image": f"vllm@{DIGEST}", "weights": DIGEST}) for model in region.models)
    settings = region.kubernetes.model_copy(update={"curtilage_image": f"curtilage@{DIGEST}"})
    changed: dict[str, Any] = {"models": models, "kubernetes": settings}
    if region.aws is not None:
        changed["aws"] = region.aws.model_copy(update={"device_plugin_image": f"plugin@{DIGEST}"})
    return region.model_copy(update=changed)


def there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that answers and has the nodes; those are asked for in tests/unit/live."""
    monkeypatch.setattr(up_platform, "require_reachable", lambda region: "https://cluster.invalid")
    monkeypatch.setattr(up_platform, "require_nodes", lambda region: None)


def judged(region: Region, engine: Engine) -> Decision:
    plan = Plan(digest=DIGEST, changes={}, violations=(), document={})
    return Decision(region=region, plan=plan, proof=Verdict.PASS, findings=())


def refused(region: Region, engine: Engine) -> Decision:
    raise StepError("plan", "not proven; nothing was applied", fix="look")


def test_what_was_judged_is_applied_and_nothing_is_claimed_about_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    there(monkeypatch)
    engine = Recorder()
    outcome = up_platform.bring_up_platform(imported(), judged, cast(Any, engine))
    assert engine.asked == [f"up {DIGEST}", "preview"]
    assert outcome.verdict is Verdict.NOT_RUN
    assert outcome.document()["verify"] == "NOT_RUN"
    assert outcome.verdict.exit_code == 3


def looked(changes: dict[str, int], *, refreshed: bool = True) -> Any:
    plan = Plan(digest=DIGEST, changes=changes, violations=(), document={}, refreshed=refreshed)
    return lambda region, engine: Decision(region=region, plan=plan, proof=Verdict.PASS, findings=())


@pytest.mark.parametrize(
    ("changes", "refreshed", "recorded", "applied"),
    [
        ({"same": 85}, True, True, False),
        ({"same": 84, "update": 1}, True, True, True),
        ({"same": 84, "delete": 1}, True, True, True),
        ({}, True, True, True),
        ({"same": 85}, False, True, True),
        ({"same": 85}, True, False, True),
    ],
    ids=["nothing to do", "drift", "one too many", "nothing known", "nobody looked", "another stack file"],
)
def test_nothing_is_applied_only_where_what_stands_was_looked_at_and_is_the_plan(
    changes: dict[str, int], refreshed: bool, recorded: bool, applied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    there(monkeypatch)
    engine = Recorder()
    if not recorded:
        engine.recorded = "{}"
    outcome = up_platform.bring_up_platform(imported(), looked(changes, refreshed=refreshed), cast(Any, engine))
    assert (engine.asked == [f"up {DIGEST}", "preview"]) is applied
    assert (engine.asked == []) is not applied
    assert outcome.unchanged
    assert outcome.verdict is Verdict.NOT_RUN


def test_a_plan_that_is_refused_is_not_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    there(monkeypatch)
    engine = Recorder()
    with pytest.raises(StepError, match="nothing was applied"):
        up_platform.bring_up_platform(imported(), refused, cast(Any, engine))
    assert engine.asked == []


def test_missing_digests_stop_before_anything_is_planned() -> None:
    engine = Recorder()
    with pytest.raises(ConfigError, match=r"without digests: mistral-7b-instruct, kubernetes\.curtilage_image"):
        up_platform.bring_up_platform(load_region("fr-paris"), refused, cast(Any, engine))
    assert engine.asked == []


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of an emulated account; nothing of the caller's own is looked at."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def on_aws(kind: str) -> Recorder:
    engine = Recorder()
    engine.plugins = tuple(Plugin(name, kind, None) for name in ("aws", "kubernetes"))
    return engine


@pytest.mark.usefixtures("credentials")
def test_credentials_of_another_account_stop_before_anything_is_planned() -> None:
    region, engine = imported("de-frankfurt"), on_aws(OFFICIAL)
    assert region.aws is not None
    elsewhere = region.model_copy(update={"aws": region.aws.model_copy(update={"account": "210987654321"})})
    with mock_aws(), pytest.raises(ConfigError, match=f"of account {DEFAULT_ACCOUNT_ID}; the region is in 210987654321") as refused:
        up_platform.bring_up_platform(elsewhere, refused_by_nobody, cast(Any, engine))
    assert "nothing was read or changed" in str(refused.value)
    assert engine.asked == []
    own = region.model_copy(update={"aws": region.aws.model_copy(update={"account": DEFAULT_ACCOUNT_ID})})
    engine.recorded = own.canonical()
    with mock_aws():
        up_platform.bring_up_platform(own, judged, cast(Any, engine))
    assert engine.asked == [f"up {DIGEST}", "preview"], "the same credentials are those of a region in that account"


def refused_by_nobody(region: Region, engine: Engine) -> Decision:
    pytest.fail("nothing is planned before the account is known")


def test_a_stand_in_stops_a_region_on_aws_before_anything_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(up_platform.REHEARSED, raising=False)
    engine = on_aws(STANDIN)
    with pytest.raises(NotRunError, match=r"stand-in for aws, kubernetes.*nothing was changed"):
        up_platform.bring_up_platform(imported("de-frankfurt"), refused_by_nobody, cast(Any, engine))
    assert engine.asked == []


def test_a_cluster_without_the_cards_stops_before_anything_is_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(region: Region) -> None:
        raise StepError("cluster", "1 ready nodes have labels; nothing was changed", fix="look")

    there(monkeypatch)
    monkeypatch.setattr(up_platform, "require_nodes", lacking)
    engine = Recorder()
    with pytest.raises(StepError, match="nothing was changed"):
        up_platform.bring_up_platform(imported(), refused_by_nobody, cast(Any, engine))
    assert engine.asked == []
