"""If this fails, a plan that breaks the seal could pass the policy pack.

Each rule has one compliant builder and one mutation a violation, matched by message; the last test holds that no rule lacks its pair.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pulumi_policy import PolicyResource, ResourceValidationArgs, StackValidationArgs
from pulumi_policy.proxy import unknown_checking_proxy

from components.hosts.egress_firewall import firewall_inputs
from curtilage.canonical import digest_of
from curtilage.paths import CHECKOUT
from curtilage.region import load_region
from policies.rules import RULES
from policies.rules._rule import Rule
from policies.rules._standing import STANDING

MAPPINGS = CHECKOUT / "curtilage" / "evidence" / "mappings"
FURTHER_CONTROLS = {"AC-3", "AC-6", "AU-9", "AU-11", "AU-12", "CM-8", "CP-9", "SC-8", "SC-12", "SC-28"}
"""Controls of NIST SP 800-53 Rev. 5 that rules serve and that the evidence's mapping, of the boundary alone, does not hold."""
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # the SDK's sentinel for an unknown string
LAB = load_region("lab")
ALLOWANCE = {
    "id": "time-authority",
    "destination": "198.51.100.7/32",
    "protocol": "udp",
    "ports": [123],
    "from_role": "gpu",
    "owner": "Security",
    "reason": "signed time for checkpoints",
    "expires": "2999-01-31",
}


def segment() -> dict[str, Any]:
    return {"networks": ["10.20.0.0/24", "fd20::/64"], "routers": ["10.20.0.1"], "lab": False}


def pool() -> dict[str, Any]:
    return {"nodes": [{"name": "gpu-1", "card": "L40S"}, {"name": "gpu-2", "card": "L40S"}], "lab": False}


def model() -> dict[str, Any]:
    return {"model": "m", "image": "models/m@sha256:" + "a" * 64, "weights": "sha256:" + "b" * 64, "lab": False}


def firewall() -> dict[str, Any]:
    return firewall_inputs(LAB, LAB.host("gpu-1")) | {"allowances": [dict(ALLOWANCE)]}


def region() -> dict[str, Any]:
    return {"jurisdiction": "DE", "platform": "hosts", "site": "DE", "owner": "Group Legal", "costCentre": "legal", "hosts": ["gpu-1"]}


BUILDERS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "segment-private": ("curtilage:hosts:LegalSegment", segment),
    "gpu-nodes": ("curtilage:hosts:GpuNodePool", pool),
    "model-by-digest": ("curtilage:hosts:ModelImage", model),
    "allowance-owned": ("curtilage:hosts:EgressFirewall", firewall),
    "firewall-default-drop": ("curtilage:hosts:EgressFirewall", firewall),
    "known-type": ("curtilage:index:LegalRegion", region),
    "residency": ("curtilage:index:LegalRegion", region),
}


@dataclass(frozen=True)
class Mutation:
    rule: str
    name: str
    change: Callable[[dict[str, Any]], object]
    message: str
    type: str | None = None


def ruleset(old: str, new: str) -> Callable[[dict[str, Any]], object]:
    def change(props: dict[str, Any]) -> None:
        assert old in props["ruleset"], "the mutation must hit"
        props["ruleset"] = props["ruleset"].replace(old, new, 1)
        props["rulesetDigest"] = digest_of(props["ruleset"])

    return change


def hook(family_hook: str) -> Callable[[dict[str, Any]], object]:
    def change(props: dict[str, Any]) -> None:
        lines = props["ruleset"].splitlines(keepends=True)
        index = next(i for i, line in enumerate(lines) if f"hook {family_hook} " in line)
        lines[index] = lines[index].replace("policy drop", "policy accept")
        props["ruleset"] = "".join(lines)
        props["rulesetDigest"] = digest_of(props["ruleset"])

    return change


def allowance(**changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda props: props["allowances"][0].update(changes)


MUTATIONS = [
    Mutation("segment-private", "public", lambda p: p.update(networks=["8.8.8.0/24"]), "8.8.8.0/24 must be private"),
    Mutation("segment-private", "public ipv6", lambda p: p["networks"].append("2a00:1450::/32"), "2a00:1450::/32 must be private"),
    Mutation("segment-private", "documentation", lambda p: p.update(networks=["192.0.2.0/24"]), "documentation ranges are the lab's alone"),
    Mutation("segment-private", "none", lambda p: p.update(networks=[]), "must name its networks"),
    Mutation("gpu-nodes", "one", lambda p: p["nodes"].pop(), "2 to 4 GPU nodes, not 1"),
    Mutation("gpu-nodes", "five", lambda p: p.update(nodes=p["nodes"][:1] * 5), "2 to 4 GPU nodes, not 5"),
    Mutation("gpu-nodes", "no card", lambda p: p["nodes"][0].update(card=None), "gpu-1 must name its card"),
    Mutation("gpu-nodes", "cpu", lambda p: p["nodes"][0].update(card="cpu"), "card cpu, which is the lab's alone"),
    Mutation("model-by-digest", "tag", lambda p: p.update(image="models/m:latest"), "must be named by digest"),
    Mutation("model-by-digest", "lab word", lambda p: p.update(weights="lab-built"), "must be a sha256 digest"),
    Mutation("allowance-owned", "no owner", lambda p: p["allowances"][0].pop("owner"), "must have an owner"),
    Mutation("allowance-owned", "no reason", allowance(reason=""), "reason"),
    Mutation("allowance-owned", "expired", allowance(expires="2020-01-01"), "expired on 2020-01-01"),
    Mutation("allowance-owned", "everything", allowance(destination="0.0.0.0/0"), "never allowed"),
    Mutation("allowance-owned", "other role", allowance(from_role="crm"), "is for role crm, not for this gpu host"),
    Mutation("firewall-default-drop", "input", hook("input"), "inet input must have policy drop"),
    Mutation("firewall-default-drop", "forward", hook("forward"), "inet forward must have policy drop"),
    Mutation("firewall-default-drop", "output", hook("output"), "inet output must have policy drop"),
    Mutation("firewall-default-drop", "netdev", hook("egress"), "netdev egress must have policy drop"),
    Mutation("firewall-default-drop", "empty", lambda p: p.update(ruleset=""), "must have a base chain with policy drop on inet output"),
    Mutation(
        "firewall-default-drop", "one family", ruleset("table inet curtilage {", "table ip curtilage {"), "policy drop on inet output"
    ),
    Mutation(
        "firewall-default-drop", "in a comment", ruleset("table inet", '# "policy drop"\nflush ruleset\ntable inet'), "'flush ruleset'"
    ),
    Mutation("firewall-default-drop", "digest", lambda p: p.update(rulesetDigest="sha256:0"), "digest must be that of its text"),
    Mutation("known-type", "dynamic", lambda p: None, "random:index:RandomId must be one", type="random:index:RandomId"),
    Mutation("known-type", "hole", lambda p: None, "curtilage:hosts:Tunnel must be one", type="curtilage:hosts:Tunnel"),
    Mutation("residency", "abroad", lambda p: p.update(site="US"), "must lie inside DE"),
    Mutation("residency", "cloud abroad", lambda p: p.update(platform="aws", site="us-east-1"), "must lie inside DE"),
    Mutation("residency", "cloud in a lab", lambda p: p.update(platform="aws", site="lab"), "must lie inside DE"),
    Mutation("residency", "ownerless", lambda p: p.update(owner=" "), "must have owner"),
]


def named(name: str) -> Rule:
    return next(rule for rule in RULES if rule.name == name)


def judge(rule: Rule, resource_type: str, props: dict[str, Any]) -> list[str]:
    found: list[str] = []
    args = ResourceValidationArgs(resource_type, unknown_checking_proxy(props), "urn:probe", "probe", None, None)
    rule.validate(args, lambda message, urn=None: found.append(message))
    return found


@pytest.mark.parametrize("name", BUILDERS)
def test_a_compliant_resource_passes(name: str) -> None:
    resource_type, build = BUILDERS[name]
    assert judge(named(name), resource_type, build()) == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda item: f"{item.rule}: {item.name}")
def test_one_mutation_is_refused_by_its_message(mutation: Mutation) -> None:
    resource_type, build = BUILDERS[mutation.rule]
    props = build()
    mutation.change(props)
    found = judge(named(mutation.rule), mutation.type or resource_type, props)
    assert any(mutation.message in sentence for sentence in found), found


@pytest.mark.parametrize("name", sorted(set(BUILDERS) - {"known-type"}))
def test_an_unknown_value_is_refused_not_skipped(name: str) -> None:
    resource_type, build = BUILDERS[name]
    for key in build():
        found = judge(named(name), resource_type, build() | {key: UNKNOWN})
        assert any("not known before the update" in sentence for sentence in found), key


@pytest.mark.parametrize("name", sorted(set(BUILDERS) - {"known-type"}))
def test_a_resource_without_its_properties_is_refused(name: str) -> None:
    found = judge(named(name), BUILDERS[name][0], {})
    assert any("cannot be judged" in sentence for sentence in found)


def stack(hosts: list[str], sealed: list[str]) -> list[str]:
    resources = [
        _resource("curtilage:index:LegalRegion", {"hosts": hosts, "platform": "hosts"}),
        *(_resource("curtilage:hosts:EgressFirewall", {"host": name}) for name in sealed),
    ]
    found: list[str] = []
    named("every-host-sealed").validate_stack(StackValidationArgs(resources), lambda message, urn=None: found.append(message))
    return found


def _resource(resource_type: str, props: dict[str, Any]) -> PolicyResource:
    return PolicyResource(resource_type, unknown_checking_proxy(props), "urn:probe", "probe", None, None, None, [], {})


def test_a_stack_where_each_host_is_sealed_once_passes() -> None:
    assert stack(["a", "b"], ["a", "b"]) == []


@pytest.mark.parametrize(
    ("hosts", "sealed", "message"),
    [
        (["a", "b"], ["a"], "Host b must have exactly one firewall, not 0"),
        (["a"], ["a", "a"], "Host a must have exactly one firewall, not 2"),
        (["a"], ["a", "z"], "Firewall of z must belong to a host"),
        ([], [], "must hold a region with hosts"),
    ],
)
def test_a_host_left_open_is_refused(hosts: list[str], sealed: list[str], message: str) -> None:
    assert any(message in sentence for sentence in stack(hosts, sealed))


def test_an_unknown_host_name_is_refused_for_the_stack() -> None:
    assert any("not known before the update" in sentence for sentence in stack(["a"], [UNKNOWN]))


def test_every_rule_has_its_compliant_builder_and_its_mutations() -> None:
    stack_rules = {rule.name for rule in RULES if rule.stack_check}
    assert "every-host-sealed" in stack_rules, "its pair is above; those of the platforms are in test_stack_rules.py"
    # Rules of clusters and of AWS have theirs in test_platform_rules.py, held by the same test there.
    here = {rule.name for rule in RULES if not rule.name.startswith(("aws-", "kubernetes-"))}
    assert here - stack_rules == set(BUILDERS) == {mutation.rule for mutation in MUTATIONS}


def test_every_rule_is_mandatory() -> None:
    assert {rule.policy().enforcement_level.value for rule in RULES} == {"mandatory"}


def test_every_rule_has_a_severity_what_it_serves_and_a_fix_and_nothing_else_has() -> None:
    assert set(STANDING) == {rule.name for rule in RULES}
    cited = {
        line.split("cite:")[1].strip().strip('"')
        for path in MAPPINGS.glob("*.yaml")
        for line in path.read_text().splitlines()
        if "cite:" in line
    }
    told = [*(CHECKOUT / "docs").glob("*.md"), *(CHECKOUT / "curtilage" / "proof").rglob("*.py")]
    ways_out = {number for path in told for number in re.findall(r"EG-[0-9]{2}", path.read_text(encoding="utf-8"))}
    for rule in RULES:
        assert rule.standing.frameworks, rule.name
        assert rule.standing.fix.strip(), rule.name
        for item in rule.standing.frameworks:
            law = item.removeprefix("GDPR ").removeprefix("NIS2 ")
            known = item in ways_out or item in cited or any(cite.startswith(law) for cite in cited if law != item)
            assert known or item in FURTHER_CONTROLS, (rule.name, item)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_message_says_resource_rule_severity_requirements_and_fix(rule: Rule) -> None:
    found: list[str] = []
    # A broken tree is a violation of every rule, so each of them speaks.
    kind = rule.resource_type if isinstance(rule.resource_type, str) else (rule.resource_type or ("x:y:Z",))[0]
    rule.validate(ResourceValidationArgs(kind, object(), "urn:probe", "probe", None, None), lambda message, urn=None: found.append(message))
    broken = PolicyResource(kind, object(), "urn:probe", "probe", None, None, None, [], {})
    if rule.stack_check is not None:
        rule.validate_stack(StackValidationArgs([broken, None]), lambda message, urn=None: found.append(message))
    standing = rule.standing
    assert found
    for message in found:
        assert message.startswith("the stack: " if rule.stack_check else "probe: ")
        assert f"Rule {rule.name}, {standing.severity.value} ({', '.join(standing.frameworks)}). Fix: {standing.fix}." in message


def test_a_rule_without_a_standing_stops_the_pack() -> None:
    with pytest.raises(KeyError):
        Rule(name="nobody-weighed-this", description="x", check=lambda props: iter(())).policy()
