"""If this fails, a stand-in accepts inputs that the official provider would refuse, or refuses those it takes."""

from __future__ import annotations

from typing import Any

import pytest

from lab.providers.kube_objects import autoname, bare, differences, place, pruned, replaces, secret, shaped
from lab.providers.schema import SECRET, SIGNATURE, UNKNOWN, Schema, problems

AWS, KUBERNETES = Schema("pulumi_aws"), Schema("pulumi_kubernetes")
ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"


def found(kind: str, **inputs: Any) -> list[tuple[str, str]]:
    return problems(AWS.type(kind), inputs)


def test_right_inputs_are_taken_known_or_not() -> None:
    assert (
        found(ENDPOINT, vpcId=UNKNOWN, serviceName="com.amazonaws.eu-central-1.s3", routeTableIds=[UNKNOWN], privateDnsEnabled=True) == []
    )
    assert (
        found(
            "aws:ec2/networkAcl:NetworkAcl",
            vpcId="vpc-1",
            egress=[{"ruleNo": 1, "action": "deny", "protocol": "-1", "fromPort": 0, "toPort": 0}],
        )
        == []
    )
    assert found("aws:kms/key:Key", policy={SIGNATURE: SECRET, "value": "{}"}) == []


@pytest.mark.parametrize(
    ("inputs", "where", "why"),
    [
        ({"vpcId": "v", "serviceNme": "s"}, "serviceNme", "unknown input"),
        ({"serviceName": "s"}, "vpcId", "required input is missing"),
        ({"vpcId": "v", "routeTableIds": "rtb-1"}, "routeTableIds", "a list is wanted"),
        ({"vpcId": "v", "routeTableIds": [{"id": 1}]}, "routeTableIds[0]", "str is wanted"),
        ({"vpcId": "v", "tags": ["a"]}, "tags", "a map is wanted"),
        ({"vpcId": "v", "dnsOptions": {"dnsRecordIpTyp": "ipv4"}}, "dnsOptions.dnsRecordIpTyp", "unknown input"),
        ({"vpcId": "v", "privateDnsEnabled": 3}, "privateDnsEnabled", "bool is wanted"),
    ],
)
def test_wrong_inputs_are_refused_where_they_are(inputs: dict[str, Any], where: str, why: str) -> None:
    assert any(path == where and why in reason for path, reason in found(ENDPOINT, **inputs)), found(ENDPOINT, **inputs)


def test_a_type_that_the_sdk_lacks_is_not_known() -> None:
    assert not AWS.knows("aws:ec2/vpc:Tunnel")
    assert AWS.knows("aws:ec2/vpc:Vpc")
    assert "defaultNetworkAclId" in AWS.type("aws:ec2/vpc:Vpc").outputs


def test_a_kubernetes_object_loses_what_its_type_does_not_know_and_empty_lists() -> None:
    given = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "a"},
        "spec": {"podSelector": {}, "polcyTypes": ["Egress"], "egress": [], "policyTypes": ["Ingress"]},
    }
    kept, gone = pruned(KUBERNETES, POLICY, given)
    assert kept["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    assert gone == ["spec.polcyTypes"]


def test_quantities_are_canonical() -> None:
    given = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "a"}, "spec": {"hard": {"cpu": "2000m", "memory": "1Gi"}}}
    kept, _ = pruned(KUBERNETES, "kubernetes:core/v1:ResourceQuota", given)
    assert kept["spec"]["hard"] == {"cpu": "2", "memory": "1Gi"}


def test_a_secret_is_base64_and_secret_as_a_whole() -> None:
    inputs: dict[str, Any] = {"kind": "Secret", "stringData": {"key": "value"}}
    secret(inputs)
    assert inputs["data"] == {SIGNATURE: SECRET, "value": {"key": "dmFsdWU="}}
    assert bare(inputs)["data"] == {"key": "dmFsdWU="}
    assert "stringData" not in inputs


def test_a_name_is_made_once_and_kept() -> None:
    inputs: dict[str, Any] = {"metadata": {}}
    autoname(inputs, {}, "Web", b"\x01\x02\x03\x04\x05")
    assert inputs["metadata"]["name"] == "web-01020304"
    again: dict[str, Any] = {"metadata": {}}
    autoname(again, inputs, "Web", b"\xff\xff\xff\xff")
    assert again["metadata"]["name"] == "web-01020304"
    place(again, "", namespaced=True)
    assert again["metadata"]["namespace"] == "default"


def test_what_the_program_left_out_is_not_seen_in_the_live_object() -> None:
    program = {"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}
    live = {"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{}]}, "metadata": {"uid": "1"}}
    assert differences(shaped(live, program), program) == {}, "as the official plugin: an opened rule stays unseen"
    live["spec"]["policyTypes"] = ["Ingress"]
    assert differences(shaped(live, program), program) == {"spec.policyTypes": "update"}


@pytest.mark.parametrize(
    ("kind", "path", "replacing"),
    [
        ("NetworkPolicy", "spec.egress[0].to", False),
        ("NetworkPolicy", "metadata.name", True),
        ("Deployment", "spec.selector.matchLabels.app", True),
        ("Deployment", "spec.replicas", False),
        ("ConfigMap", "data.images", True),
        ("ClusterRoleBinding", "roleRef.name", True),
        ("ClusterRole", "rules[0].verbs", False),
    ],
)
def test_fields_that_replace_an_object(kind: str, path: str, replacing: bool) -> None:
    assert bool(replaces(kind, [path])) is replacing
