"""If this fails, the plan does not hold what the region derives: a host without a seal, a child without its parent, a missing output."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

from components.hosts.model_image import refuse_unimported
from components.region import LegalRegion, LegalRegionArgs
from curtilage.derive.firewall import render_ruleset
from curtilage.errors import ConfigError
from curtilage.region import Region, load_region


class Recorder(pulumi.runtime.Mocks):
    """Answers nothing: a region on hosts has no custom resource and calls no function."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        self.asked.append(args.typ)
        return args.name, dict(args.inputs)

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        raise AssertionError(f"a region calls no function, but asked for {args.token}")


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="curtilage", stack="probe", preview=True)
    yield recorder
    pulumi.runtime.set_mocks(Recorder(), preview=True)
    loop.close()
    asyncio.set_event_loop(None)


def declare(region: Region) -> tuple[Any, Any]:
    """The region's outputs, once all registrations have landed: only then is an absence worth asserting."""
    seen: list[Any] = []

    @pulumi.runtime.test
    def program() -> pulumi.Output[Any]:
        built = LegalRegion(region.name, LegalRegionArgs(region=region))
        return pulumi.Output.all(built.document, built.inventory).apply(seen.extend)

    program()
    document, inventory = seen
    return document, inventory


@pytest.mark.parametrize("name", ["lab", "ch-zurich"])
def test_each_host_gets_one_firewall_and_each_model_one_image(name: str, recorder: Recorder) -> None:
    region = load_region(name)
    declare(region)
    kinds = {
        kind: recorder.asked.count(f"curtilage:hosts:{kind}") for kind in ("EgressFirewall", "ModelImage", "LegalSegment", "GpuNodePool")
    }
    assert kinds == {
        "EgressFirewall": len(region.hosts),
        "ModelImage": len(region.models),
        "LegalSegment": len(region.segments),
        "GpuNodePool": 1,
    }
    assert recorder.asked.count("curtilage:index:LegalRegion") == 1


def test_the_outputs_are_the_region_and_its_inventory(recorder: Recorder) -> None:
    region = load_region("lab")
    document, inventory = declare(region)
    assert document == region.canonical()
    assert inventory["all"]["hosts"]["gpu-1"]["curtilage_nftables"] == render_ruleset(region, region.host("gpu-1"))


def test_an_unimported_model_is_refused_outside_the_lab_and_built_in_it() -> None:
    model = load_region("ch-zurich").models[0]
    with pytest.raises(ConfigError, match="no digest for weights and image"):
        refuse_unimported(model, lab=False)
    refuse_unimported(model, lab=True)


def test_a_platform_without_components_is_refused_before_anything_is_registered(recorder: Recorder) -> None:
    region = load_region("lab").model_copy(update={"platform": "kubernetes"})
    with pytest.raises(ConfigError, match="platform 'kubernetes' has no components yet"):
        LegalRegion("probe", LegalRegionArgs(region=region))
    assert recorder.asked == []
