"""A region on AWS as a whole: what must be there, and what must be the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulumi_policy.proxy import UnknownValueError

from policies.rules._rule import Resource, Rule, known

_ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
_ORGANISATION = re.compile(r'"aws:(?:Principal|Resource)OrgID":\s*\[?"([^"]+)"')
NEEDED = {
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "AWS makes one that lets everything out",
    "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl": "AWS makes one that lets everything through",
    "aws:ec2/defaultRouteTable:DefaultRouteTable": "subnets that name no table use it",
    "aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions": "a gateway added by hand would work",
    "aws:ec2/flowLog:FlowLog": "nobody would see a packet that left",
    "aws:route53/resolverFirewallConfig:ResolverFirewallConfig": "it fails open by default",
    "aws:route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation": "every name would resolve (EG-01)",
}
"""What a VPC is open without, and why."""


def _complete(resources: list[Resource]) -> Iterator[str]:
    types = {item.type for item in resources}
    if "aws:ec2/vpc:Vpc" in types:
        for kind in sorted(set(NEEDED) - types):
            yield f"The VPC must have a {kind.rsplit(':')[-1]}: {NEEDED[kind]}."
    if "aws:eks/cluster:Cluster" in types:
        addons = {known(item.raw["addonName"]) for item in resources if item.type == "aws:eks/addon:Addon"}
        if "vpc-cni" not in addons:
            yield "The cluster must have the add-on vpc-cni: without it EKS installs one that enforces no network policy (EG-24)."


def _locked(resources: list[Resource]) -> Iterator[str]:
    buckets = sum(item.type.startswith(("aws:s3/bucket:", "aws:s3/bucketV2:")) for item in resources)
    locks = sum(item.type.startswith("aws:s3/bucketObjectLockConfiguration") for item in resources)
    if locks < buckets:
        yield f"Each of the {buckets} buckets must have its object lock configuration; {locks} have one."


def _one_organisation(resources: list[Resource]) -> Iterator[str]:
    texts = [known(item.raw["policy"]) for item in resources if item.type == _ENDPOINT and "policy" in set(item.raw.keys())]
    found = sorted({name for text in texts for name in _ORGANISATION.findall(text or "")})
    if len(found) > 1:
        yield f"All endpoints must name one organisation, not {', '.join(found)}."


def _one_region(resources: list[Resource]) -> Iterator[str]:
    sites = {known(item.raw["region"]) for item in resources if item.type == "pulumi:providers:aws"}
    if len(sites) > 1:
        yield f"Every provider must be of one AWS region, not {', '.join(sorted(sites))}."
    for item in resources:
        if item.type.startswith("aws:") and "region" in set(item.raw.keys()):
            try:
                where = known(item.raw["region"])
            except UnknownValueError:
                # The provider fills it in from its own region; one that another resource gives is the proof's to decide.
                continue
            if where not in (None, *sites):
                yield f"{item.name} must be in {', '.join(sorted(sites))}, not in {where}."


RULES = (
    Rule(name="every-vpc-complete", description="A VPC has what it is open without.", stack_check=_complete),
    Rule(name="every-bucket-locked", description="Each bucket has its lock.", stack_check=_locked),
    Rule(name="every-endpoint-of-one-organisation", description="All endpoints name the same organisation.", stack_check=_one_organisation),
    Rule(name="every-resource-of-one-region", description="No resource is put into another AWS region.", stack_check=_one_region),
)
