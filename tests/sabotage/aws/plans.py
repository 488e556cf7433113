"""Builds plans as the engine prints them: a compliant sealed region, as a preview (ids not known) or as an exported state (all known)."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
ACCOUNT, ORG, REGION = "111122223333", "o-curtilage01", "eu-central-1"
STACK, PROJECT = "de-frankfurt", "curtilage"

OWN_ONLY = {"StringEquals": {"aws:PrincipalOrgID": ORG, "aws:ResourceOrgID": ORG}}
PERIMETER = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Sid": "OwnOnly", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": OWN_ONLY}],
    }
)


@dataclass(frozen=True)
class Ref:
    """A property of another resource that is known only when it is there."""

    name: str
    attribute: str = "id"


@dataclass
class Item:
    name: str
    type: str
    inputs: dict[str, Any]
    outputs: dict[str, Any] = field(default_factory=dict)
    op: str = "create"
    custom: bool = True


class Stack:
    """Resources by name; a test changes one thing and asks for the document."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}

    def add(self, kind: str, name: str, /, **inputs: Any) -> Item:
        assert name not in self.items, name
        self.items[name] = Item(name, kind, inputs)
        return self.items[name]

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self.items[name].inputs

    def remove(self, *names: str) -> None:
        for name in names:
            del self.items[name]

    def copy(self) -> Stack:
        return copy.deepcopy(self)

    def urn(self, name: str) -> str:
        return f"urn:pulumi:{STACK}::{PROJECT}::{self.items[name].type}::{name}"

    def id(self, name: str, attribute: str = "id") -> str:
        item = self.items[name]
        short = item.type.rsplit(":", 1)[-1]
        if item.type.startswith("aws:s3/bucket") and isinstance(item.inputs.get("bucket"), str):
            return f"arn:aws:s3:::{item.inputs['bucket']}" if attribute == "arn" else item.inputs["bucket"]
        if attribute == "arn":
            return f"arn:aws:{item.type.split(':')[1].split('/')[0]}:{REGION}:{ACCOUNT}:{short.lower()}/{name}"
        return {"VpcEndpoint": f"vpce-{name}"}.get(short, f"{short.lower()}-{name}") if attribute == "id" else f"{attribute}-{name}"

    def _refs(self, value: Any) -> Iterator[str]:
        if isinstance(value, Ref):
            yield value.name
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from self._refs(item)

    def _plain(self, value: Any, known: bool) -> Any:
        if isinstance(value, Ref):
            return self.id(value.name, value.attribute) if known else UNKNOWN
        if isinstance(value, dict):
            return {key: self._plain(item, known) for key, item in value.items()}
        if isinstance(value, list):
            return [self._plain(item, known) for item in value]
        return value

    def _state(self, item: Item, *, known: bool) -> dict[str, Any]:
        depends = {prop: sorted({self.urn(name) for name in self._refs(value)}) for prop, value in item.inputs.items()}
        inputs = self._plain(item.inputs, known) | {"__defaults": []}
        state: dict[str, Any] = {
            "urn": self.urn(item.name),
            "type": item.type,
            "custom": item.custom,
            "inputs": inputs,
            "propertyDependencies": {prop: urns for prop, urns in depends.items() if urns},
        }
        if item.type.startswith("aws:"):
            state["provider"] = f"urn:pulumi:{STACK}::{PROJECT}::pulumi:providers:aws::aws::{UNKNOWN}"
        if known:
            state["id"] = self.id(item.name)
            state["outputs"] = self._plain(item.inputs, True) | {"arn": self.id(item.name, "arn")} | item.outputs
            if item.type.endswith(":VpcEndpoint"):
                state["outputs"].setdefault("prefixListId", self.id(item.name, "prefixListId"))
            if item.type.endswith(":Vpc"):
                for attribute in ("defaultNetworkAclId", "mainRouteTableId", "defaultRouteTableId", "defaultSecurityGroupId"):
                    state["outputs"].setdefault(attribute, self.id(item.name, attribute))
        return state

    def preview(self) -> dict[str, Any]:
        steps = [{"op": item.op, "urn": self.urn(name), "newState": self._state(item, known=False)} for name, item in self.items.items()]
        return {"steps": steps, "changeSummary": {"create": len(steps)}}

    def state(self) -> dict[str, Any]:
        return {"version": 3, "deployment": {"resources": [self._state(item, known=True) for item in self.items.values()]}}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service: str) -> str:
    return document({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"})


def sealed_region(subnets: int = 3) -> Stack:
    """A region as the design describes it: no gateway, endpoints with the organisation's perimeter, DNS Firewall, private EKS."""
    s = Stack()
    s.add("pulumi:pulumi:Stack", "curtilage-de-frankfurt").custom = False
    s.add("pulumi:providers:aws", "aws", region=REGION, allowedAccountIds=json.dumps([ACCOUNT]))
    s.add("curtilage:aws:LegalSegment", "legal").custom = False
    s.add(
        "aws:ec2/vpc:Vpc", "vpc", cidrBlock="10.40.0.0/16", assignGeneratedIpv6CidrBlock=True, enableDnsSupport=True,
        enableDnsHostnames=True, tags={"curtilage:segment": "legal"},
    )  # fmt: skip
    s.add("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "default-group", vpcId=Ref("vpc"))
    s.add("aws:ec2/defaultNetworkAcl:DefaultNetworkAcl", "default-acl", defaultNetworkAclId=Ref("vpc", "defaultNetworkAclId"))
    s.add("aws:ec2/routeTable:RouteTable", "table", vpcId=Ref("vpc"))
    s.add("aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation", "main", vpcId=Ref("vpc"), routeTableId=Ref("table"))
    names = [f"subnet-{number}" for number in range(subnets)]
    for number, name in enumerate(names):
        s.add("aws:ec2/subnet:Subnet", name, vpcId=Ref("vpc"), cidrBlock=f"10.40.{number}.0/24", mapPublicIpOnLaunch=False)
        if number:
            # The first is implicitly associated with the main table.
            s.add("aws:ec2/routeTableAssociation:RouteTableAssociation", f"{name}-table", subnetId=Ref(name), routeTableId=Ref("table"))
    s.add(
        "aws:ec2/networkAcl:NetworkAcl", "acl", vpcId=Ref("vpc"), subnetIds=[Ref(name) for name in names],
        egress=[
            {"ruleNo": 100, "action": "allow", "protocol": "-1", "cidrBlock": "10.40.0.0/16", "fromPort": 0, "toPort": 0},
            {"ruleNo": 110, "action": "allow", "protocol": "tcp", "cidrBlock": "0.0.0.0/0", "fromPort": 443, "toPort": 443},
        ],
        ingress=[{"ruleNo": 100, "action": "allow", "protocol": "-1", "cidrBlock": "10.40.0.0/16", "fromPort": 0, "toPort": 0}],
    )  # fmt: skip
    s.add("aws:ec2/networkAclRule:NetworkAclRule", "acl-v6", networkAclId=Ref("acl"), ruleNumber=120, egress=True, protocol="-1",
          ruleAction="deny", ipv6CidrBlock="::/0")  # fmt: skip
    _groups(s)
    _endpoints(s, names)
    _names(s)
    _data(s)
    _cluster(s, names)
    return s


def _groups(s: Stack) -> None:
    s.add("aws:ec2/securityGroup:SecurityGroup", "nodes", vpcId=Ref("vpc"), egress=[])
    s.add("aws:ec2/securityGroup:SecurityGroup", "gateway", vpcId=Ref("vpc"),
          egress=[{"protocol": "tcp", "fromPort": 8000, "toPort": 8000, "securityGroups": [Ref("nodes")], "self": False}])  # fmt: skip
    s.add("aws:ec2/securityGroup:SecurityGroup", "endpoints", vpcId=Ref("vpc"))
    s.add("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "nodes-endpoints", securityGroupId=Ref("nodes"), ipProtocol="tcp",
          fromPort=443, toPort=443, referencedSecurityGroupId=Ref("endpoints"))  # fmt: skip
    s.add("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "nodes-s3", securityGroupId=Ref("nodes"), ipProtocol="tcp",
          fromPort=443, toPort=443, prefixListId=Ref("s3", "prefixListId"))  # fmt: skip
    s.add("aws:ec2/securityGroupRule:SecurityGroupRule", "nodes-self", type="egress", securityGroupId=Ref("nodes"), protocol="-1",
          fromPort=0, toPort=0, self=True)  # fmt: skip
    s.add("aws:ec2/securityGroupRule:SecurityGroupRule", "nodes-vpc", type="egress", securityGroupId=Ref("nodes"), protocol="tcp",
          fromPort=10250, toPort=10250, cidrBlocks=["10.40.0.0/16"])  # fmt: skip


def _endpoints(s: Stack, names: list[str]) -> None:
    layers = {
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::prod-{REGION}-starport-layer-bucket/*",
    }  # fmt: skip
    own = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": OWN_ONLY}
    s.add("aws:ec2/vpcEndpoint:VpcEndpoint", "s3", vpcId=Ref("vpc"), serviceName=f"com.amazonaws.{REGION}.s3", vpcEndpointType="Gateway",
          routeTableIds=[Ref("table")], policy=document(own, layers))  # fmt: skip
    for service in ("ecr.api", "ecr.dkr", "sts", "logs", "eks", "ec2", "kms"):
        s.add("aws:ec2/vpcEndpoint:VpcEndpoint", f"endpoint-{service}", vpcId=Ref("vpc"), serviceName=f"com.amazonaws.{REGION}.{service}",
              vpcEndpointType="Interface", subnetIds=[Ref(name) for name in names], securityGroupIds=[Ref("endpoints")],
              privateDnsEnabled=True, policy=PERIMETER)  # fmt: skip


def _names(s: Stack) -> None:
    s.add("aws:route53/zone:Zone", "zone", name="legal.internal", vpcs=[{"vpcId": Ref("vpc")}])
    s.add("aws:route53/resolverFirewallDomainList:ResolverFirewallDomainList", "own-names",
          domains=["legal.internal.", "*.legal.internal.", f"*.{REGION}.amazonaws.com."])  # fmt: skip
    s.add("aws:route53/resolverFirewallDomainList:ResolverFirewallDomainList", "all-names", domains=["*"])
    s.add("aws:route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup", "dns")
    s.add("aws:route53/resolverFirewallRule:ResolverFirewallRule", "dns-allow", firewallRuleGroupId=Ref("dns"),
          firewallDomainListId=Ref("own-names"), action="ALLOW", priority=100)  # fmt: skip
    s.add("aws:route53/resolverFirewallRule:ResolverFirewallRule", "dns-block", firewallRuleGroupId=Ref("dns"),
          firewallDomainListId=Ref("all-names"), action="BLOCK", blockResponse="NXDOMAIN", priority=200)  # fmt: skip
    s.add("aws:route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation", "dns-vpc", vpcId=Ref("vpc"),
          firewallRuleGroupId=Ref("dns"), priority=101, mutationProtection="ENABLED")  # fmt: skip
    s.add("aws:route53/resolverFirewallConfig:ResolverFirewallConfig", "dns-closed", resourceId=Ref("vpc"), firewallFailOpen="DISABLED")
    s.add("aws:route53/resolverQueryLogConfig:ResolverQueryLogConfig", "dns-log", destinationArn=Ref("logs", "arn"))
    s.add("aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions", "bpa", internetGatewayBlockMode="block-bidirectional")


def _data(s: Stack) -> None:
    s.add("aws:s3/bucketV2:BucketV2", "logs", bucket="curtilage-legal-logs", objectLockEnabled=True)
    s.add("aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2", "logs-lock", bucket=Ref("logs"),
          rule={"defaultRetention": {"mode": "COMPLIANCE", "days": 365}})  # fmt: skip
    s.add("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "logs-block", bucket=Ref("logs"), blockPublicAcls=True,
          blockPublicPolicy=True, ignorePublicAcls=True, restrictPublicBuckets=True)  # fmt: skip
    arns = ["arn:aws:s3:::curtilage-legal-logs", "arn:aws:s3:::curtilage-legal-logs/*"]
    foreign = {"StringNotEquals": {"aws:PrincipalOrgID": ORG}, "Bool": {"aws:PrincipalIsAWSService": "false"}}
    s.add("aws:s3/bucketPolicy:BucketPolicy", "logs-policy", bucket=Ref("logs"), policy=document(
        {"Effect": "Allow", "Principal": {"Service": "delivery.logs.amazonaws.com"}, "Action": "s3:PutObject", "Resource": arns[1],
         "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": arns, "Condition": foreign},
    ))  # fmt: skip
    s.add(
        "aws:ec2/flowLog:FlowLog", "flows", vpcId=Ref("vpc"), trafficType="ALL", logDestinationType="s3", logDestination=Ref("logs", "arn")
    )
    s.add("aws:cloudtrail/trail:Trail", "trail", s3BucketName=Ref("logs"), isMultiRegionTrail=True)
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}
    s.add("aws:kms/key:Key", "key", enableKeyRotation=True, policy=document(root))
    s.add("aws:ecr/repository:Repository", "images", imageTagMutability="IMMUTABLE")
    s.add("aws:cloudwatch/logGroup:LogGroup", "cluster-log", name="/aws/eks/legal/cluster", retentionInDays=365)


def _cluster(s: Stack, names: list[str]) -> None:
    s.add("aws:iam/role:Role", "cluster-role", assumeRolePolicy=trust("eks.amazonaws.com"))
    s.add("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "cluster-role-eks", role=Ref("cluster-role", "name"),
          policyArn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy")  # fmt: skip
    s.add("aws:iam/role:Role", "node-role", assumeRolePolicy=trust("ec2.amazonaws.com"))
    for policy in ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"):
        s.add("aws:iam/rolePolicyAttachment:RolePolicyAttachment", f"node-role-{policy}", role=Ref("node-role", "name"),
              policyArn=f"arn:aws:iam::aws:policy/{policy}")  # fmt: skip
    logs = ["logs:CreateLogStream", "logs:PutLogEvents"]
    s.add("aws:iam/rolePolicy:RolePolicy", "node-logs", role=Ref("node-role", "name"), policy=document(
        {"Effect": "Allow", "Action": logs, "Resource": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/legal/*"},
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::curtilage-legal-logs/*"},
    ))  # fmt: skip
    s.add("aws:eks/cluster:Cluster", "cluster", roleArn=Ref("cluster-role", "arn"), vpcConfig={
        "subnetIds": [Ref(name) for name in names], "securityGroupIds": [Ref("nodes")], "endpointPrivateAccess": True,
        "endpointPublicAccess": False})  # fmt: skip
    s.add("aws:eks/addon:Addon", "cni", clusterName=Ref("cluster", "name"), addonName="vpc-cni",
          configurationValues=json.dumps({"enableNetworkPolicy": "true", "env": {"NETWORK_POLICY_ENFORCING_MODE": "strict"}}))  # fmt: skip
    s.add("aws:ec2/launchTemplate:LaunchTemplate", "machine", vpcSecurityGroupIds=[Ref("nodes")],
          metadataOptions={"httpTokens": "required", "httpPutResponseHopLimit": 1, "httpEndpoint": "enabled"})  # fmt: skip
    s.add("aws:eks/nodeGroup:NodeGroup", "gpu", clusterName=Ref("cluster", "name"), nodeRoleArn=Ref("node-role", "arn"),
          subnetIds=[Ref(name) for name in names], launchTemplate={"id": Ref("machine"), "version": "$Latest"},
          scalingConfig={"minSize": 2, "maxSize": 4, "desiredSize": 2})  # fmt: skip
