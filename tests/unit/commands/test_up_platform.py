"""If this fails, a cluster is changed by a plan nobody judged, or a region that nothing attacked is called PASS."""

from __future__ import annotations

from typing import Any, cast

import pytest

from curtilage.commands import up_platform
from curtilage.commands.plan import Decision
from curtilage.engine import Engine, Plan
from curtilage.errors import ConfigError, StepError
from curtilage.region import Region, load_region
from curtilage.verdict import Verdict

DIGEST = "sha256:" + "a" * 64


class Recorder:
    """An engine that records what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def up(self, plan: Plan) -> dict[str, int]:
        self.asked.append(f"up {plan.digest}")
        return {"create": 3}

    def no_changes(self) -> bool:
        self.asked.append("preview")
        return True


def imported() -> Region:
    region = load_region("fr-paris")
    assert region.kubernetes is not None
    models = tuple(model.model_copy(update={"image": f"vllm@{DIGEST}", "weights": DIGEST}) for model in region.models)
    settings = region.kubernetes.model_copy(update={"curtilage_image": f"curtilage@{DIGEST}"})
    return region.model_copy(update={"models": models, "kubernetes": settings})


def judged(region: Region, engine: Engine) -> Decision:
    plan = Plan(digest=DIGEST, changes={}, violations=(), document={})
    return Decision(region=region, plan=plan, proof=Verdict.PASS, findings=())


def refused(region: Region, engine: Engine) -> Decision:
    raise StepError("plan", "not proven; nothing was applied", fix="look")


def test_what_was_judged_is_applied_and_nothing_is_claimed_about_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up_platform, "require_reachable", lambda region: "https://cluster.invalid")
    engine = Recorder()
    outcome = up_platform.bring_up_platform(imported(), judged, cast(Any, engine))
    assert engine.asked == [f"up {DIGEST}", "preview"]
    assert outcome.verdict is Verdict.NOT_RUN
    assert outcome.document()["verify"] == "NOT_RUN"
    assert outcome.verdict.exit_code == 3


def test_a_plan_that_is_refused_is_not_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up_platform, "require_reachable", lambda region: "https://cluster.invalid")
    engine = Recorder()
    with pytest.raises(StepError, match="nothing was applied"):
        up_platform.bring_up_platform(imported(), refused, cast(Any, engine))
    assert engine.asked == []


def test_missing_digests_stop_before_anything_is_planned() -> None:
    engine = Recorder()
    with pytest.raises(ConfigError, match=r"without digests: mistral-7b-instruct, kubernetes\.curtilage_image"):
        up_platform.bring_up_platform(load_region("fr-paris"), refused, cast(Any, engine))
    assert engine.asked == []
