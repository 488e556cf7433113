"""What a resource refers to must be in the plan: a group, subnet, role or launch template of another stack is judged by nobody here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curtilage.proof.aws.context import Context, blocks
from curtilage.proof.aws.groups import CLUSTER, DEFAULT_GROUP, GROUP
from curtilage.proof.aws.model import INSTANCE, SUBNET, VPC
from curtilage.proof.aws.plan import UNKNOWN, Resource

ROLE, PROFILE = "aws:iam/role:Role", "aws:iam/instanceProfile:InstanceProfile"
TEMPLATE, NODES = "aws:ec2/launchTemplate:LaunchTemplate", "aws:eks/nodeGroup:NodeGroup"
LAMBDA, ENI = "aws:lambda/function:Function", "aws:ec2/networkInterface:NetworkInterface"

GROUPS = ("securityGroups", "securityGroupIds", "vpcSecurityGroupIds", "securityGroupId")
SUBNETS = ("subnetId", "subnetIds", "subnets", "vpcZoneIdentifiers")
NESTED = ("vpcConfig", "networkInterfaces", "vpcOptions", "networkConfiguration", "subnetMappings")
_OWN_RULES = {
    # Their groups and subnets are read by the network itself, which notes what it does not find.
    "aws:ec2/securityGroupRule:SecurityGroupRule", "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "aws:ec2/networkAcl:NetworkAcl",
    "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl", "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ec2/networkAclAssociation:NetworkAclAssociation", "aws:ec2/vpcSecurityGroupRulesExclusive:VpcSecurityGroupRulesExclusive",
}  # fmt: skip
ROLES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (INSTANCE, "iamInstanceProfile", (PROFILE,)),
    (PROFILE, "role", (ROLE,)),
    (LAMBDA, "role", (ROLE,)),
    (NODES, "nodeRoleArn", (ROLE,)),
    (CLUSTER, "roleArn", (ROLE,)),
    ("aws:eks/podIdentityAssociation:PodIdentityAssociation", "roleArn", (ROLE,)),
)


def decide_references(context: Context) -> None:
    """A gap for every reference out of the plan."""
    plan = context.plan
    for item in plan.resources.values():
        if not item.type.startswith("aws:") or item.type in _OWN_RULES:
            continue
        for prop, key, value in _named(item):
            kinds = (SUBNET,) if key in SUBNETS else (GROUP, DEFAULT_GROUP, CLUSTER, VPC)
            _must_be_here(context, item, prop, key, value, kinds)
    for kind, prop, targets in ROLES:
        for item in plan.of(kind):
            _must_be_here(context, item, prop, prop, item.get(prop), targets)
    for item in plan.of(TEMPLATE):
        for entry in blocks(item.get("iamInstanceProfile")):
            _must_be_here(context, item, "iamInstanceProfile", "name", entry.get("arn") or entry.get("name"), (PROFILE,))
    for item in plan.of("aws:autoscaling/group:Group"):
        _scaling(context, item)
    for item in plan.of("aws:eks/podIdentityAssociation:PodIdentityAssociation"):
        if item.get("targetRoleArn"):
            _must_be_here(context, item, "targetRoleArn", "targetRoleArn", item.get("targetRoleArn"), (ROLE,))


def _named(item: Resource) -> Iterator[tuple[str, str, Any]]:
    """Groups and subnets that a resource names: the top-level property, the key, the value."""
    for key in (*GROUPS, *SUBNETS):
        if item.get(key):
            yield key, key, item.get(key)
    for prop in NESTED:
        for entry in blocks(item.get(prop)):
            for key in (*GROUPS, *SUBNETS):
                if entry.get(key):
                    yield prop, key, entry.get(key)


def _scaling(context: Context, item: Resource) -> None:
    if item.get("launchConfiguration"):
        context.plan.gap(item, "launchConfiguration is not modelled; use a launch template")
    found = list(blocks(item.get("launchTemplate")))
    for policy in blocks(item.get("mixedInstancesPolicy")):
        for template in blocks(policy.get("launchTemplate")):
            found += blocks(template.get("launchTemplateSpecification"))
            found += [
                spec for override in blocks(template.get("overrides")) for spec in blocks(override.get("launchTemplateSpecification"))
            ]
    prop = "launchTemplate" if item.get("launchTemplate") else "mixedInstancesPolicy"
    if not found and not item.get("launchConfiguration"):
        context.plan.gap(item, "launchTemplate is not known")
    for entry in found:
        value = entry.get("id") or entry.get("launchTemplateId") or entry.get("name") or entry.get("launchTemplateName")
        _must_be_here(context, item, prop, "launchTemplate", value, (TEMPLATE,))


def _must_be_here(context: Context, item: Resource, prop: str, key: str, value: Any, kinds: tuple[str, ...]) -> None:
    plan = context.plan
    for entry in value if isinstance(value, list) else [value]:
        if entry is None or entry == "":
            continue
        if entry is UNKNOWN:
            if not plan.behind(item, prop, *kinds):
                plan.gap(item, f"{key} is not known")
        elif plan.one(item, prop, entry, *kinds) is None:
            plan.gap(item, f"{key}: {entry if isinstance(entry, str) else 'a value'} is not in the plan")
