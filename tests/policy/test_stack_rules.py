"""If this fails, a plan in which something is missing, or in which two things disagree, could pass the policy pack."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from pulumi_policy import PolicyResource, StackValidationArgs
from pulumi_policy.proxy import unknown_checking_proxy

from curtilage.derive.aws.policies import endpoint_policy
from curtilage.derive.kubernetes.manifests import manifests
from curtilage.region import load_region
from policies.rules import RULES
from policies.rules.aws_stack import NEEDED

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
AWS, CLUSTER = load_region("de-frankfurt"), load_region("fr-paris")
BUCKET, LOCK = "aws:s3/bucket:Bucket", "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
ENDPOINT, ADDON, SPACE = "aws:ec2/vpcEndpoint:VpcEndpoint", "aws:eks/addon:Addon", "kubernetes:core/v1:Namespace"
OTHER = '{"Statement": {"Condition": {"StringEquals": {"aws:ResourceOrgID": "o-other0000"}}}}'
MORE = {"metadata": {"name": "more", "labels": {"curtilage.dev/segment": "legal"}}}
Plan = list[tuple[str, dict[str, Any]]]


def account() -> Plan:
    return [
        ("pulumi:providers:aws", {"region": "eu-central-1"}),
        ("aws:ec2/vpc:Vpc", {"region": "eu-central-1"}),
        *((kind, {}) for kind in NEEDED),
        ("aws:eks/cluster:Cluster", {"region": UNKNOWN}),
        (ADDON, {"addonName": "vpc-cni"}),
        (BUCKET, {"region": None}),
        (LOCK, {"bucket": UNKNOWN}),
        (ENDPOINT, {"vpcId": UNKNOWN, "policy": endpoint_policy(AWS, "s3")}),
        (ENDPOINT, {"vpcId": UNKNOWN, "policy": endpoint_policy(AWS, "kms")}),
    ]


def cluster() -> Plan:
    listed = [item for part in manifests(CLUSTER).values() for item in part]
    return [(f"kubernetes:{version if '/' in version else f'core/{version}'}:{item['kind']}", copy.deepcopy(item))
            for item in listed for version in (item["apiVersion"],)]  # fmt: skip


def judge(name: str, plan: Plan) -> list[str]:
    found: list[str] = []
    rule = next(rule for rule in RULES if rule.name == name)
    resources = [PolicyResource(kind, unknown_checking_proxy(inputs), "urn:x", "x", None, None, None, [], {}) for kind, inputs in plan]
    rule.validate_stack(StackValidationArgs(resources), lambda message, urn=None: found.append(message))
    return found


def without(kind: str) -> Callable[[Plan], Plan]:
    return lambda plan: [item for item in plan if item[0] != kind]


def shut(change: Callable[[dict[str, Any]], object]) -> Callable[[Plan], Plan]:
    """Every policy that selects all pods of a namespace, changed."""

    def apply(plan: Plan) -> Plan:
        hit = [item for kind, item in plan if kind.endswith(":NetworkPolicy") and not item["spec"].get("podSelector")]
        hit += [item for kind, item in plan if kind.endswith(":ResourceQuota")]
        assert hit
        for item in hit:
            change(item)
        return plan

    return apply


def widen(item: dict[str, Any]) -> None:
    item["spec"].update({"egress": [{}], "scopes": ["BestEffort"]})


BASES: dict[str, Callable[[], Plan]] = {
    "every-vpc-complete": account,
    "every-bucket-locked": account,
    "every-endpoint-of-one-organisation": account,
    "every-resource-of-one-region": account,
    "every-namespace-shut": cluster,
}
MUTATIONS: list[tuple[str, str, Callable[[Plan], Plan], str]] = [
    *(("every-vpc-complete", kind, without(kind), "The VPC must have a") for kind in NEEDED),
    ("every-vpc-complete", "no plugin", without(ADDON), "the add-on vpc-cni"),
    ("every-vpc-complete", "another add-on", lambda p: [*without(ADDON)(p), (ADDON, {"addonName": "coredns"})], "the add-on vpc-cni"),
    ("every-vpc-complete", "unknown add-on", lambda p: [*p, (ADDON, {"addonName": UNKNOWN})], "cannot be judged"),
    ("every-bucket-locked", "no lock", without(LOCK), "1 buckets must have its object lock configuration; 0 have one"),
    ("every-bucket-locked", "one more bucket", lambda p: [*p, (BUCKET, {})], "2 buckets must have"),
    ("every-endpoint-of-one-organisation", "another", lambda p: [*p, (ENDPOINT, {"policy": OTHER})], "o-other"),
    ("every-endpoint-of-one-organisation", "unknown", lambda p: [*p, (ENDPOINT, {"policy": UNKNOWN})], "cannot be judged"),
    ("every-resource-of-one-region", "abroad",
     lambda p: [*p, (BUCKET, {"region": "us-east-1"})], "must be in eu-central-1, not in us-east-1"),
    ("every-resource-of-one-region", "two providers",
     lambda p: [*p, ("pulumi:providers:aws", {"region": "us-east-1"})], "of one AWS region, not eu-central-1, us-east-1"),
    ("every-resource-of-one-region", "no provider's region", lambda p: [*p, ("pulumi:providers:aws", {"region": UNKNOWN})], "cannot be"),
    ("every-namespace-shut", "one more", lambda p: [*p, (SPACE, MORE)],
     "Namespace more must have a policy that denies"),
    ("every-namespace-shut", "opened", shut(widen), "must have a policy that denies"),
    ("every-namespace-shut", "one way", shut(lambda item: item["spec"].update(policyTypes=["Egress"], scopes=["BestEffort"])), "must have"),
    ("every-namespace-shut", "elsewhere", shut(lambda item: item["metadata"].update(namespace="elsewhere")), "must have a policy"),
    ("every-namespace-shut", "some pods",
     shut(lambda i: i["spec"].update(podSelector={"matchLabels": {"a": "b"}}, scopes=["x"])), "must have"),
    ("every-namespace-shut", "unknown", shut(lambda item: item.update(spec=UNKNOWN)), "cannot be judged"),
]  # fmt: skip


@pytest.mark.parametrize("name", BASES)
def test_a_complete_plan_passes(name: str) -> None:
    assert judge(name, BASES[name]()) == []


@pytest.mark.parametrize(("name", "mutation", "change", "message"), MUTATIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_one_mutation_is_refused_by_its_message(name: str, mutation: str, change: Callable[[Plan], Plan], message: str) -> None:
    found = judge(name, change(BASES[name]()))
    assert any(message in sentence for sentence in found), (mutation, found)


def test_objects_of_a_cluster_that_is_not_there_yet_are_left_to_the_proof() -> None:
    assert judge("every-namespace-shut", [(kind, {}) for kind, _ in cluster()]) == []


def test_one_object_that_is_known_makes_all_of_them_judged() -> None:
    (found,) = judge("every-namespace-shut", [*cluster(), (SPACE, {})])
    assert found.startswith("the stack: cannot be judged, because KeyError: 'metadata'.")


def test_every_stack_rule_has_its_plan_and_its_mutations() -> None:
    # The rule about hosts has its pair beside the other rules about hosts.
    rules = {rule.name for rule in RULES if rule.stack_check} - {"every-host-sealed"}
    assert rules == set(BASES) == {name for name, *_ in MUTATIONS}
