"""If this fails, a sabotage that one resource shows would reach the proof alone; the pack, which reviewers read, would be silent.

The corpora are those of the proof. A change counts as stopped where the pack says something new, or refuses what was changed for its type.
What no single resource and no absence shows is listed with the reason, and the list is exact: a rule that learns one must strike it.
"""

from __future__ import annotations

from typing import Any

import pytest
from pulumi_policy import PolicyResource, ResourceValidationArgs, StackValidationArgs
from pulumi_policy.proxy import unknown_checking_proxy

from policies.rules import RULES
from policies.rules.types import KNOWN
from tests.sabotage.aws import mutations as aws
from tests.sabotage.aws.plans import Stack
from tests.sabotage.aws.plans import sealed_region as account
from tests.sabotage.kubernetes import mutations as kubernetes
from tests.sabotage.kubernetes.cluster import Region
from tests.sabotage.kubernetes.cluster import sealed_region as cluster

Found = set[tuple[str, str]]
Item = tuple[str, str, dict[str, Any]]
LITERAL = "an id from elsewhere looks like an own one after the first update; the proof follows it"
BY_PROOF = {
    "prefix list of another stack": LITERAL,
    "dns group allows all at an earlier priority": "three resources together; the proof walks the rules in their order",
    "flow log to a foreign bucket": LITERAL,
    "subnet whose vpc is not known": LITERAL,
    "query log of another account": LITERAL,
    "machine in a subnet of another stack": LITERAL,
    "role of another stack for pods": LITERAL,
    "allow by a second peer": "an address as narrow as an allowance; the proof compares it with the allowances of the region",
}


def judge(items: list[Item]) -> Found:
    """What every rule says of these resources, and of all of them together."""
    found: Found = set()
    for rule in RULES:
        say = lambda message, urn=None, rule=rule: found.add((rule.name, message))  # noqa: E731
        for kind, name, inputs in items:
            rule.validate(ResourceValidationArgs(kind, unknown_checking_proxy(inputs), "urn:probe", name, None, None), say)
        resources = [
            PolicyResource(kind, unknown_checking_proxy(inputs), "urn:probe", name, None, None, None, [], {})
            for kind, name, inputs in items
        ]
        rule.validate_stack(StackValidationArgs(resources), say)
    return found


def of_account(stack: Stack) -> list[Item]:
    states = [step["newState"] for step in stack.preview()["steps"]]
    return [(state["type"], state["urn"].rsplit("::")[-1], state["inputs"]) for state in states]


def of_cluster(region: Region) -> list[Item]:
    items = []
    for key, document in region.items.items():
        version = str(document.get("apiVersion"))
        items.append((f"kubernetes:{version if '/' in version else f'core/{version}'}:{document.get('kind')}", key, document))
    return items


def refused(before: list[Item], after: list[Item]) -> bool:
    """Whether what was added or changed is of a type that the pack refuses wherever it stands, or holds rules inside a group."""
    touched = [item for item in after if item not in before]
    return any(kind not in KNOWN or (kind.endswith(":SecurityGroup") and inputs.get("egress")) for kind, _, inputs in touched)


@pytest.fixture(scope="module")
def sealed() -> dict[str, tuple[list[Item], Found]]:
    """The unbroken regions, and what the pack says of them: they are built to be proved, not to be tagged and named."""
    return {
        "aws": (of_account(account()), judge(of_account(account()))),
        "kubernetes": (of_cluster(cluster()), judge(of_cluster(cluster()))),
    }


def is_stopped(platform: str, name: str, sealed: dict[str, tuple[list[Item], Found]]) -> bool:
    before, said = sealed[platform]
    if platform == "aws":
        stack = account()
        aws.SABOTAGE[name][0](stack)
        after = of_account(stack)
    else:
        region = cluster()
        kubernetes.SABOTAGE[name][0](region)
        after = of_cluster(region)
    return bool(judge(after) - said) or refused(before, after)


@pytest.mark.parametrize("name", aws.SABOTAGE)
def test_the_pack_stops_what_breaks_an_account(name: str, sealed: dict[str, tuple[list[Item], Found]]) -> None:
    assert is_stopped("aws", name, sealed) is (name not in BY_PROOF)


@pytest.mark.parametrize("name", kubernetes.SABOTAGE)
def test_the_pack_stops_what_breaks_a_cluster(name: str, sealed: dict[str, tuple[list[Item], Found]]) -> None:
    assert is_stopped("kubernetes", name, sealed) is (name not in BY_PROOF)


def test_what_is_left_to_the_proof_is_in_the_corpora() -> None:
    assert set(BY_PROOF) <= {*aws.SABOTAGE, *kubernetes.SABOTAGE}
