"""Security groups: every form in which a plan can say that packets may leave.

A group is judged by itself: the rules of several groups on one interface add up, so an interface lets a packet out exactly when one of its
groups does. Which group stands on which interface therefore does not matter, and none can be attached later to open a way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import z3

from curtilage.proof.aws.model import ENDPOINT, VPC, Net, Vpc
from curtilage.proof.aws.network import cidrs, prefix_list
from curtilage.proof.aws.plan import UNKNOWN, Plan, Resource
from curtilage.proof.aws.predicates import Network, Term, any_of, in_any, number, protocol_number, service

GROUP, DEFAULT_GROUP = "aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
GROUP_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
EGRESS_RULE = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
CLUSTER = "aws:eks/cluster:Cluster"


@dataclass(frozen=True)
class GroupRule:
    """Packets that one outbound rule lets pass."""

    term: Term
    label: str


@dataclass(eq=False)
class Group:
    """A security group, outbound."""

    label: str
    vpc: Vpc
    rules: list[GroupRule] = field(default_factory=list)
    adopted: bool = True

    def term(self) -> Term:
        """The packets that may leave: any rule suffices."""
        return any_of(rule.term for rule in self.rules)


def build_groups(plan: Plan, net: Net) -> list[Group]:
    """Every group of the plan, the default groups that it does not adopt included."""
    groups: dict[str, Group] = {}
    adopted: set[int] = set()
    for item in plan.of(GROUP, DEFAULT_GROUP):
        vpc = net.vpc_of(plan.one(item, "vpcId", item.get("vpcId"), VPC))
        if vpc is None:
            plan.gap(item, "vpcId: not a VPC of the plan")
            continue
        group = Group(str(item), vpc)
        groups[item.urn] = group
        if item.type == DEFAULT_GROUP:
            adopted.add(id(vpc))
        inline = item.wanted("egress")
        if inline is None and not item.live and item.type == GROUP:
            inline = _left_in_place(plan, item)
        if not isinstance(inline, list | None):
            plan.gap(item, "egress is not known")
        for index, entry in enumerate(inline if isinstance(inline, list) else []):
            if isinstance(entry, dict):
                shown = dict(entry) | {"groups": entry.get("securityGroups"), "lists": entry.get("prefixListIds")}
                _rule(plan, net, group, item, "egress", shown, f"{item} egress {index + 1}")
            else:
                plan.gap(item, f"egress[{index}] is not known")
    for item in plan.of(GROUP_RULE, EGRESS_RULE):
        _standalone(plan, net, groups, item)
    found = list(groups.values())
    for vpc in net.vpcs:
        if id(vpc) not in adopted:
            label = f"default security group of {vpc.resource}, which the plan does not adopt"
            found.append(Group(label, vpc, [GroupRule(z3.BoolVal(True), f"{label}: allow all (AWS default)")], adopted=False))
    return found


def _left_in_place(plan: Plan, item: Resource) -> list[Any]:
    """Rules of a group that is there already and whose plan says nothing about egress: the provider leaves them as they are.

    What the plan's own rule resources say is not repeated, nor what those said that it deletes.
    """
    there = item.outputs.get("egress")
    if not isinstance(there, list):
        return []
    said = {_said(rule) for rule in (*plan.of(GROUP_RULE, EGRESS_RULE), *plan.leaving) if rule.type in (GROUP_RULE, EGRESS_RULE)}
    return [entry for entry in there if not (isinstance(entry, dict) and _ports(entry.get("protocol"), entry) in said)]


def _said(rule: Resource) -> tuple[Any, ...]:
    return _ports(rule.get("ipProtocol") or rule.get("protocol"), {key: rule.get(key) for key in ("fromPort", "toPort")})


def _ports(protocol: Any, entry: Mapping[str, Any]) -> tuple[Any, ...]:
    found = protocol_number(protocol)
    return (found,) if found == -1 else (found, number(entry.get("fromPort")), number(entry.get("toPort")))


def _standalone(plan: Plan, net: Net, groups: dict[str, Group], item: Resource) -> None:
    if item.type == GROUP_RULE:
        kind = item.get("type")
        if kind is UNKNOWN:
            plan.gap(item, "type is not known")
        if kind == "ingress":
            return
        entry = {
            "protocol": item.get("protocol"),
            "cidrBlocks": item.get("cidrBlocks"),
            "ipv6CidrBlocks": item.get("ipv6CidrBlocks"),
            "lists": item.get("prefixListIds"),
            "groups": item.get("sourceSecurityGroupId"),
            "self": item.get("self"),
        }
        names = {"groups": "sourceSecurityGroupId", "lists": "prefixListIds"}
    else:
        entry = {
            "protocol": item.get("ipProtocol"),
            "cidrBlocks": item.get("cidrIpv4"),
            "ipv6CidrBlocks": item.get("cidrIpv6"),
            "lists": item.get("prefixListId"),
            "groups": item.get("referencedSecurityGroupId"),
        }
        names = {"groups": "referencedSecurityGroupId", "lists": "prefixListId", "cidrBlocks": "cidrIpv4", "ipv6CidrBlocks": "cidrIpv6"}
        names["protocol"] = "ipProtocol"
    value = item.get("securityGroupId")
    owner = plan.one(item, "securityGroupId", value, GROUP, DEFAULT_GROUP)
    group = groups.get(owner.urn) if owner else None
    if group is None:
        cluster = plan.one(item, "securityGroupId", value, CLUSTER)
        vpc = net.vpc_of(plan.one(item, "securityGroupId", value, VPC))
        if cluster is None and vpc is None:
            plan.gap(item, "securityGroupId: not a security group of the plan")
            return
        home = vpc or (net.vpcs[0] if len(net.vpcs) == 1 else None)
        if home is None:
            plan.gap(item, "securityGroupId: which VPC the cluster's group stands in is not known")
            return
        group = groups.setdefault(f"{(cluster or item).urn} group", Group(f"group of {cluster or home.resource}", home))
    _rule(plan, net, group, item, None, entry | {"fromPort": item.get("fromPort"), "toPort": item.get("toPort")}, str(item), names)


def _rule(
    plan: Plan,
    net: Net,
    group: Group,
    item: Resource,
    prop: str | None,
    entry: Mapping[str, Any],
    label: str,
    names: Mapping[str, str] | None = None,
) -> None:
    names = names or {}

    def of(key: str) -> str:
        return prop or names.get(key, key)

    protocol = protocol_number(entry.get("protocol"))
    if entry.get("protocol") is UNKNOWN or protocol is None:
        plan.gap(item, f"{of('protocol')}: protocol is not known")
        protocol = -1
    low, high = number(entry.get("fromPort")), number(entry.get("toPort"))
    if entry.get("fromPort") is UNKNOWN or entry.get("toPort") is UNKNOWN:
        plan.gap(item, f"{prop or 'fromPort'}: the ports are not known")
        low = high = None
    networks: list[Network] = []
    for key in ("cidrBlocks", "ipv6CidrBlocks"):
        networks += cidrs(plan, item, of(key), entry.get(key))
    lists = entry.get("lists")
    for value in lists if isinstance(lists, list) else [lists]:
        entries, endpoints = prefix_list(plan, item, of("lists"), value)
        networks += entries
        for endpoint in endpoints:
            if endpoint.type != ENDPOINT or endpoint.get("vpcEndpointType", "Gateway") != "Gateway":
                plan.gap(item, f"{of('lists')}: the prefix list is of no gateway endpoint")
    referenced = entry.get("groups")
    for value in referenced if isinstance(referenced, list) else [referenced]:
        if value is None or value == "":
            continue
        several = plan.behind(item, of("groups"), GROUP, DEFAULT_GROUP, CLUSTER) if value is UNKNOWN else []
        target = plan.one(item, of("groups"), value, GROUP, DEFAULT_GROUP, CLUSTER)
        if target is None and not several:
            plan.gap(item, f"{of('groups')}: {value if isinstance(value, str) else 'a group that is not known'} is not a group of the plan")
    # Members of a referenced group stand in the plan's own VPCs, so they add no destination outside of them.
    if networks:
        where = ", ".join(map(str, networks))
        ports = f" ports {low}-{high}" if low is not None and high is not None and protocol in (6, 17) else ""
        shown = f"{label}: protocol {entry.get('protocol')}{ports} to {where}"
        group.rules.append(GroupRule(z3.And(in_any(networks), service(protocol, low, high)), shown))
