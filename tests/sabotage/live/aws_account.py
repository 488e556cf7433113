"""An emulated account, built by the region's own program: Pulumi asks for each resource, and boto3 makes it in moto.

What moto lacks is kept in ``Recorded``, which answers the calls in its place with the shapes that the API documents. What rests on such an
answer shows that the audit reads and decides it, not that an emulator did it: ``LACKING`` names each call.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import boto3
import pulumi
from moto.backends import get_backend

from components.region import LegalRegion, LegalRegionArgs
from curtilage.region import Region
from lab.providers.aws_emulator import MAKERS, Emulator, upper

ACCOUNT = "111122223333"
LACKING: dict[tuple[str, str], str] = {
    ("ec2", "DescribeClientVpnEndpoints"): "ClientVpnEndpoints",
    ("ec2", "DescribeInstanceConnectEndpoints"): "InstanceConnectEndpoints",
    ("ec2", "DescribeVpcBlockPublicAccessOptions"): "VpcBlockPublicAccessOptions",
    ("ec2", "DescribeVpcBlockPublicAccessExclusions"): "VpcBlockPublicAccessExclusions",
    ("ec2", "GetInstanceMetadataDefaults"): "AccountLevel",
    ("route53resolver", "ListFirewallRuleGroups"): "FirewallRuleGroups",
    ("route53resolver", "ListFirewallRules"): "FirewallRules",
    ("route53resolver", "ListFirewallDomainLists"): "FirewallDomainLists",
    ("route53resolver", "ListFirewallDomains"): "Domains",
    ("route53resolver", "ListFirewallRuleGroupAssociations"): "FirewallRuleGroupAssociations",
    ("route53resolver", "ListFirewallConfigs"): "FirewallConfigs",
    # moto reads no condition of a key's policy, and so refuses what the policy refuses to others.
    ("kms", "DescribeKey"): "KeyMetadata",
    ("eks", "ListAddons"): "addons",
    ("eks", "DescribeAddon"): "addon",
    ("eks", "ListAccessEntries"): "accessEntries",
    ("eks", "DescribeAccessEntry"): "accessEntry",
    ("eks", "ListPodIdentityAssociations"): "associations",
    ("eks", "DescribePodIdentityAssociation"): "association",
    ("ecr", "DescribePullThroughCacheRules"): "pullThroughCacheRules",
    ("backup", "GetBackupVaultAccessPolicy"): "",
    ("efs", "DescribeReplicationConfigurations"): "Replications",
    ("lambda", "ListFunctionUrlConfigs"): "FunctionUrlConfigs",
    ("ssm", "DescribeActivations"): "ActivationList",
    ("ram", "ListPrincipals"): "principals",
    ("apigateway", "GetRestApis"): "items",
    ("apigatewayv2", "GetApis"): "Items",
    ("directconnect", "DescribeVirtualInterfaces"): "virtualInterfaces",
    ("glue", "ListJobs"): "JobNames",
}


class Recorded:
    """Answers the calls that moto lacks, from what the region's program asked for."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Any]] = {key: [] for key in LACKING.values()}
        self.domains: dict[str, list[str]] = {}
        self.options: dict[str, Any] | None = None
        self.defaults: dict[str, Any] = {}
        self.addons: dict[str, dict[str, Any]] = {}
        self.entries: dict[str, str] = {}
        self.multi_region: set[str] = set()
        self.refused: dict[str, str] = {}
        self.silent = False

    def __call__(self, model: Any, params: dict[str, Any], **_: Any) -> Any:
        service, name = model.service_model.service_name, model.name
        if code := self.refused.get(f"{service}:{name}"):
            return SimpleNamespace(status_code=403), {"Error": {"Code": code, "Message": "refused"}}
        key = LACKING.get((service, name))
        if key is None:
            return None
        if self.silent:
            return SimpleNamespace(status_code=501), {"Error": {"Code": "NotImplemented", "Message": "the emulator lacks it"}}
        given = self._given(params)
        if name == "GetBackupVaultAccessPolicy":
            return SimpleNamespace(status_code=404), {"Error": {"Code": "ResourceNotFoundException", "Message": "none"}}
        found: Any = self.lists[key]
        if name == "ListFirewallDomains":
            found = self.domains.get(given.get("FirewallDomainListId", ""), [])
        elif name == "ListFirewallRules":
            found = [rule for rule in found if rule["FirewallRuleGroupId"] == given.get("FirewallRuleGroupId")]
        elif name == "DescribeVpcBlockPublicAccessOptions":
            found = self.options
        elif name == "GetInstanceMetadataDefaults":
            found = self.defaults
        elif name == "DescribeKey":
            found = {"KeyManager": "CUSTOMER", "KeyState": "Enabled", "MultiRegion": given.get("KeyId") in self.multi_region}
        elif name == "ListAddons":
            found = list(self.addons)
        elif name == "DescribeAddon":
            found = self.addons[str(params["url_path"]).rsplit("/", 1)[-1]]
        elif name == "ListAccessEntries":
            found = list(self.entries)
        elif name == "DescribeAccessEntry":
            who = unquote(str(params["url_path"]).split("/access-entries/")[1])
            found = {"principalArn": who, "type": self.entries[who]}
        elif name == "DescribePodIdentityAssociation":
            found = next(item for item in self.lists["associations"] if item["associationId"] == str(params["url_path"]).rsplit("/", 1)[-1])
        return SimpleNamespace(status_code=200), {key: found}

    def note(self, type_: str, i: Mapping[str, Any], id: str) -> bool:
        """Keep a resource that moto lacks for the calls that read it; whether it is one of those.

        Args:
            type_: the resource's type.
            i: its inputs.
            id: its id.
        """
        kind = type_.rpartition(":")[2]
        if kind == "ResolverFirewallDomainList":
            self.lists["FirewallDomainLists"].append({"Id": id, "Arn": id})
            self.domains[id] = list(i["domains"])
        elif kind == "ResolverFirewallRuleGroup":
            self.lists["FirewallRuleGroups"].append({"Id": id, "Arn": id, "ShareStatus": "NOT_SHARED"})
        elif kind == "ResolverFirewallRule":
            rule = upper(i, "firewallRuleGroupId", "firewallDomainListId", "action")
            self.lists["FirewallRules"].append(rule | {"Priority": int(i["priority"])})
        elif kind == "ResolverFirewallRuleGroupAssociation":
            found = upper(i, "vpcId", "firewallRuleGroupId") | {"Id": id, "Priority": int(i["priority"]), "Status": "COMPLETE"}
            self.lists["FirewallRuleGroupAssociations"].append(found)
        elif kind == "ResolverFirewallConfig":
            self.lists["FirewallConfigs"].append({"Id": id, "ResourceId": i["resourceId"], "FirewallFailOpen": i["firewallFailOpen"]})
        elif kind == "VpcBlockPublicAccessOptions":
            self.options = {"InternetGatewayBlockMode": i["internetGatewayBlockMode"], "State": "update-complete"}
        elif kind == "InstanceMetadataDefaults":
            self.defaults = {"HttpTokens": i["httpTokens"]}
        elif kind == "Addon":
            self.addons[i["addonName"]] = {"addonName": i["addonName"], "configurationValues": i.get("configurationValues")}
        elif kind == "AccessEntry":
            self.entries[i["principalArn"]] = i["type"]
        elif kind == "PodIdentityAssociation":
            self.lists["associations"].append({"associationId": id, "clusterName": i["clusterName"], "roleArn": i["roleArn"]})
        else:
            return False
        return True

    @staticmethod
    def _given(params: dict[str, Any]) -> dict[str, Any]:
        body = params.get("body")
        found = json.loads(body) if isinstance(body, (str, bytes)) and body[:1] in ("{", b"{") else {}
        return found if isinstance(found, dict) else {}


class Builder(pulumi.runtime.Mocks):
    """Makes what the program asks for."""

    def __init__(self, session: Any, region: str, recorded: Recorded) -> None:
        self.emulator, self.recorded = Emulator(session, region), recorded
        self.made: list[str] = []

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        raise AssertionError(f"a region calls no function, but asked for {args.token}")

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        inputs = dict(args.inputs)
        id, outputs = self.emulator.make(args.typ, inputs, args.name) or (f"rec-{args.name}", {"arn": f"rec-{args.name}"})
        if args.typ == "aws:eks/cluster:Cluster":
            outputs |= {"endpoint": "https://cluster.invalid", "certificateAuthority": {"data": ""}}
        if args.typ in MAKERS or self.recorded.note(args.typ, inputs, id):
            self.made.append(args.typ)
        return id, inputs | outputs


def session_of(region: Region, recorded: Recorded) -> Any:
    """A session whose calls go to moto, or, where moto lacks them, to what was recorded."""
    session = boto3.Session(region_name=region.site, aws_access_key_id="test", aws_secret_access_key="test")
    session.events.register("before-call", recorded)
    made: dict[str, Any] = {}
    make = session.client
    # A client takes longer to make than most calls take; an audit and a builder make the same ones.
    session.client = lambda service, **more: made[service] if service in made else made.setdefault(service, make(service, **more))
    return session


def empty(region: Region, session: Any) -> None:
    """The account without the default VPC, which the operator removes from an account first (docs/regions.md)."""
    ec2 = session.client("ec2")
    for vpc in ec2.describe_vpcs()["Vpcs"]:
        mine = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
        for subnet in ec2.describe_subnets(Filters=mine)["Subnets"]:
            ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        ec2.delete_vpc(VpcId=vpc["VpcId"])
    # AWS takes a VPC's default list with it; moto leaves it behind, and no call of its API takes it away.
    get_backend("ec2")[ACCOUNT][region.site].network_acls.clear()


def build(region: Region, session: Any, recorded: Recorded) -> Builder:
    """The region in the account, by the region's program and no engine."""
    empty(region, session)
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    builder = Builder(session, region.site, recorded)
    pulumi.runtime.set_mocks(builder, project="curtilage", stack=region.name, preview=True)

    @pulumi.runtime.test
    def program() -> pulumi.Output[Any]:
        return LegalRegion(region.name, LegalRegionArgs(region=region)).document

    try:
        program()
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    return builder
