"""If this fails, the plan does not hold what the region derives: a host without a seal, a child without its parent, a missing output."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest
from pulumi_aws import s3

from components.hosts.model_image import refuse_unimported
from components.kubernetes.objects import token
from components.region import LegalRegion, LegalRegionArgs
from curtilage.derive.aws.names import PURPOSES, endpoints
from curtilage.derive.firewall import render_ruleset
from curtilage.derive.kubernetes.manifests import manifests
from curtilage.errors import ConfigError
from curtilage.proof.aws.types import FORBIDDEN, GATEWAYS
from curtilage.region import Region, load_region
from lab.providers.schema import Schema

REFERRING = ("aws:s3/bucketPolicy:BucketPolicy",)
IMAGE = "registry.legal.internal/vllm@sha256:" + "a" * 64

_INVENTED: dict[str, dict[str, Any]] = {
    "aws:eks/cluster:Cluster": {"endpoint": "https://cluster.invalid", "certificateAuthority": {"data": ""}},
    "aws:eks/nodeGroup:NodeGroup": {"resources": [{"autoscalingGroups": [{"name": "group"}]}]},
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 1},
}


class Recorder(pulumi.runtime.Mocks):
    """Answers with what was asked for, and with the few outputs that a program reads further; a region calls no function."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.given: list[tuple[str, str, dict[str, Any]]] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        self.asked.append(args.typ)
        self.given.append((args.typ, args.name, dict(args.inputs)))
        return args.name, dict(args.inputs) | _INVENTED.get(args.typ, {})

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


def test_a_region_on_kubernetes_declares_every_derived_object_once(recorder: Recorder) -> None:
    region = load_region("fr-paris")
    declare(region)
    derived = Counter(token(item) for items in manifests(region).values() for item in items)
    assert Counter(kind for kind in recorder.asked if kind.startswith("kubernetes:")) == derived
    assert recorder.asked.count("pulumi:providers:kubernetes") == 1


def test_a_region_on_aws_reuses_the_objects_and_holds_no_way_out(recorder: Recorder) -> None:
    region = load_region("de-frankfurt")
    declare(region)
    asked = Counter(recorder.asked)
    derived = Counter(token(item) for items in manifests(region).values() for item in items)
    assert derived <= asked
    assert not {kind for kind in asked if kind in GATEWAYS or kind in FORBIDDEN}
    assert asked["aws:ec2/subnet:Subnet"] == 3
    assert asked["aws:kms/key:Key"] == len(PURPOSES)
    assert asked["aws:ec2/vpcEndpoint:VpcEndpoint"] == len(endpoints(region)) + 1
    assert asked["aws:eks/nodeGroup:NodeGroup"] == 2


def test_every_aws_resource_states_its_name_and_whose_it_is(recorder: Recorder) -> None:
    declare(load_region("de-frankfurt"))
    schema = Schema("pulumi_aws")
    made = [(kind, name, inputs) for kind, name, inputs in recorder.given if schema.knows(kind)]
    assert len(made) > 100
    for kind, name, inputs in made:
        known = schema.type(kind).inputs
        stated = {"name", "bucket", "nodeGroupName", "creationToken"} & set(known)
        # A name that the provider makes up differs in every checkout. Those of REFERRING only refer to something by that word.
        if stated and kind not in REFERRING:
            assert stated & set(inputs), f"{kind} {name} lets the provider choose its name"
        if "tags" in known:
            assert inputs["tags"]["curtilage:jurisdiction"] == "DE", name


@pytest.mark.parametrize("name", ["fr-paris", "de-frankfurt"])
def test_no_region_declares_what_its_sdk_calls_deprecated(name: str, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda message, *_: said.append(message))
    declare(load_region(name))
    assert said == []

    @pulumi.runtime.test
    def old() -> pulumi.Output[Any]:
        return s3.BucketV2("old").urn

    old()
    assert any("BucketV2 is deprecated" in message for message in said), "the SDK no longer says so here: this test sees nothing"


@pytest.mark.parametrize("name", ["fr-paris", "de-frankfurt"])
def test_images_without_digests_stop_an_update_before_anything_is_registered(name: str, recorder: Recorder) -> None:
    region = load_region(name)
    imported = tuple(model.model_copy(update={"image": IMAGE, "weights": "sha256:" + "b" * 64}) for model in region.models)
    pulumi.runtime.set_mocks(recorder, project="curtilage", stack="probe", preview=False)
    with pytest.raises(ConfigError, match="no digest for weights and image"):
        LegalRegion("probe", LegalRegionArgs(region=region))
    with pytest.raises(ConfigError, match=r"no digest for kubernetes\.curtilage_image"):
        LegalRegion("probe", LegalRegionArgs(region=region.model_copy(update={"models": imported})))
    assert recorder.asked == []
