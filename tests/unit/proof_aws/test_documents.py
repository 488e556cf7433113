"""If these fail, a plan that is malformed, another project's, too large or full of secrets is judged, or told, as if it were not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curtilage.errors import ConfigError
from curtilage.proof.aws import parse_plan, prove_plan, read_plan
from curtilage.proof.aws.plan import SIZE_LIMIT_MIB
from curtilage.proof.report import text
from tests.sabotage.aws.plans import Stack, sealed_region

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": '"hunter2-in-clear"'}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "not an object"),
        ({}, "neither 'steps'"),
        ({"steps": {}}, "'steps' is not a list"),
        ({"deployment": []}, "'deployment' not an object"),
        ({"steps": [{"op": "create", "newState": {}}]}, "without a URN"),
        ({"steps": [{"op": "create", "newState": {"urn": "urn:pulumi:a::b::t:t:T::n", "type": "t:t:U"}}]}, "type and URN disagree"),
        ({"steps": [{"op": "create", "newState": {"urn": "urn:pulumi:a::b::t:t:T::n", "type": "t:t:T", "inputs": []}}]}, None),
        ({"steps": [{"op": "create", "newState": {"urn": "urn:pulumi:a::b::t:t:T::n", "type": "t:t:T", "inputs": [1]}}]}, "'inputs'"),
        ({"deployment": {"resources": 3}}, "'resources' is not a list"),
    ],
)
def test_malformed_plans_are_refused_with_the_place(document: Any, message: str | None) -> None:
    if message is None:
        parse_plan(document)
        return
    with pytest.raises(ConfigError, match=message):
        parse_plan(document)


def test_two_stacks_in_one_document_are_refused() -> None:
    document = sealed_region().preview()
    document["steps"][3]["newState"]["urn"] = document["steps"][3]["newState"]["urn"].replace("de-frankfurt", "fr-paris")
    with pytest.raises(ConfigError, match="2 stacks"):
        parse_plan(document)


def test_a_plan_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    with file.open("wb") as stream:
        stream.truncate((SIZE_LIMIT_MIB + 100) << 20)
    with pytest.raises(ConfigError, match=f"{SIZE_LIMIT_MIB + 100} MiB"):
        read_plan(file)


def test_a_message_about_broken_json_shows_none_of_it(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text('{"steps": [ hunter2')
    with pytest.raises(ConfigError) as caught:
        read_plan(file)
    assert "hunter2" not in str(caught.value)
    assert "line 1" in str(caught.value)


@pytest.mark.parametrize("value", [SECRET, "[secret]", [SECRET], {"nested": SECRET}])
def test_secrets_are_neither_decided_nor_printed(value: Any) -> None:
    for name, prop in (("s3", "policy"), ("nodes-vpc", "cidrBlocks"), ("cluster", "vpcConfig"), ("own-names", "domains")):
        s = sealed_region()
        s[name][prop] = value
        proof = prove_plan(parse_plan(s.preview()))
        assert proof.verdict != "PASS", (name, prop)
        assert "hunter2" not in json.dumps(proof.document())
        assert "hunter2" not in text(proof)


@pytest.mark.parametrize(
    "kind", ["aws:quantum/tunnel:Tunnel", "aws-native:ec2:InternetGateway", "command:local:Command", "pulumi-nodejs:dynamic:Resource"]
)
def test_an_unknown_type_is_not_proven_by_name(kind: str) -> None:
    s = sealed_region()
    s.add(kind, "thing")
    proof = prove_plan(parse_plan(s.preview()))
    assert proof.verdict == "NOT_PROVEN"
    assert any(kind in finding.reason for finding in proof.findings)


def test_what_a_preview_does_not_list_is_not_proven() -> None:
    document = sealed_region().preview()
    document["changeSummary"]["same"] = 4
    assert prove_plan(parse_plan(document)).verdict == "NOT_PROVEN"


def test_a_plan_without_a_vpc_is_not_proven() -> None:
    s = Stack()
    s.add("aws:s3/bucketV2:BucketV2", "alone", bucket="alone")
    assert prove_plan(parse_plan(s.preview())).verdict == "NOT_PROVEN"
    assert prove_plan(parse_plan({"steps": []})).verdict == "NOT_PROVEN"


def test_what_is_retained_or_pending_is_still_there() -> None:
    document = sealed_region().preview()
    kind = "aws:ec2/internetGateway:InternetGateway"
    urn = f"urn:pulumi:de-frankfurt::curtilage::{kind}::igw"
    old = {"urn": urn, "type": kind, "inputs": {}, "retainOnDelete": True}
    document["steps"].append({"op": "delete", "urn": urn, "oldState": old, "newState": None})
    assert prove_plan(parse_plan(document)).verdict == "FAIL"
    old["retainOnDelete"] = False
    assert prove_plan(parse_plan(document)).verdict == "PASS"
    state = sealed_region().state()
    state["deployment"]["pending_operations"] = [{}]
    assert prove_plan(parse_plan(state)).verdict == "NOT_PROVEN"
