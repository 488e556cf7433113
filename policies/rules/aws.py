"""The network of a region on AWS: no way out, rules by reference, endpoints with the organisation's perimeter, private machines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from curtilage.derive.aws.names import ADDON_REGISTRY
from policies.rules._rule import Rule

_ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
_OWN_NAMES = re.compile(r"\*\.?|(\*\.|[a-z0-9-]+\.)*(amazonaws\.com|amazonaws\.eu|internal)\.?")
_PUBLIC_READS = re.compile(
    rf"arn:aws[a-z-]*:(s3:::prod-[a-z0-9-]+-starport-layer-bucket/\*|ecr:[a-z0-9-]+:{ADDON_REGISTRY}:repository/eks/\*)"
)
_READS = {"s3:GetObject", "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
_TUNNELS = (".ssmmessages", ".ec2messages", ".ssm")


def _account(props: Mapping[str, Any]) -> Iterator[str]:
    found = props.get("allowedAccountIds")
    found = json.loads(found) if isinstance(found, str) else found
    if not found or len(found) != 1:
        yield "The provider must allow exactly one account: credentials of another stop before the first change."
    if not props.get("region"):
        yield "The provider must name its region."


def _endpoint(props: Mapping[str, Any]) -> Iterator[str]:
    name = props["serviceName"]
    if name.endswith(_TUNNELS):
        yield f"The endpoint {name} must not be there: sessions tunnel through it in both directions."
    text = props.get("policy")
    if not text:
        yield f"The endpoint {name} must have a policy; without one it lets anyone's credentials reach anyone's resources."
        return
    for statement in json.loads(text)["Statement"]:
        if statement["Effect"] != "Allow":
            continue
        test = (statement.get("Condition") or {}).get("StringEquals") or {}
        both = test.get("aws:PrincipalOrgID") and test.get("aws:ResourceOrgID")
        actions = statement.get("Action")
        where = statement.get("Resource")
        reads = set(actions if isinstance(actions, list) else [actions]) <= _READS and all(
            isinstance(item, str) and _PUBLIC_READS.fullmatch(item) for item in (where if isinstance(where, list) else [where])
        )
        if not both and not reads:
            yield f"Statement {statement.get('Sid')} of {name} must ask for the organisation of principal and of resource."


def _group(props: Mapping[str, Any]) -> Iterator[str]:
    if props.get("egress") or props.get("ingress"):
        yield "A group must have no rules inside; rules are resources of their own, each with its reference."


def _rule(props: Mapping[str, Any]) -> Iterator[str]:
    for field in ("cidrIpv4", "cidrIpv6"):
        if props.get(field):
            network = ip_network(props[field])
            if not network.is_private or network.prefixlen < 8:
                yield f"A group's rule must name a group or a prefix list, not {network}."
    if "/" in str(props.get("~referencedSecurityGroupId") or ""):
        yield f"A group's rule must name a group of this account, not {props['~referencedSecurityGroupId']}."


def _list(props: Mapping[str, Any]) -> Iterator[str]:
    for entry in props.get("egress") or []:
        network = entry.get("cidrBlock") or entry.get("ipv6CidrBlock") or "0.0.0.0/0"
        wide = ip_network(network).prefixlen == 0
        https = str(entry.get("protocol")) in ("tcp", "6") and entry.get("fromPort") == entry.get("toPort") == 443
        if entry.get("action") == "allow" and wide and not https:
            yield "The access list must let out no more than TCP 443 beyond the VPC, for the S3 gateway endpoint."
        if entry.get("action") == "allow" and wide and entry.get("ipv6CidrBlock"):
            yield "The access list must let nothing out by IPv6."


def _emptied(props: Mapping[str, Any]) -> Iterator[str]:
    for field in ("egress", "ingress", "routes"):
        if props.get(field):
            yield f"What AWS makes by itself must be emptied: {field} holds entries."


def _no_routes(props: Mapping[str, Any]) -> Iterator[str]:
    if props.get("routes"):
        yield "A route table must hold no route but the local ones."


def _subnet(props: Mapping[str, Any]) -> Iterator[str]:
    if props.get("mapPublicIpOnLaunch") not in (None, False):
        yield "A subnet must give no public addresses."
    if props.get("ipv6CidrBlock") or props.get("assignIpv6AddressOnCreation"):
        yield "A subnet must have no IPv6: policies of the cluster cover one family."


def _names_closed(props: Mapping[str, Any]) -> Iterator[str]:
    if props.get("firewallFailOpen") != "DISABLED":
        yield "The DNS firewall must be closed while it cannot be reached; set firewallFailOpen DISABLED."


def _names(props: Mapping[str, Any]) -> Iterator[str]:
    if props.get("action") == "ALERT":
        yield "A rule of the DNS firewall must block or allow; ALERT resolves the name."
    if props.get("qType"):
        yield "A rule of the DNS firewall must cover every type of query."


def _own_names(props: Mapping[str, Any]) -> Iterator[str]:
    for name in props.get("domains") or []:
        if not _OWN_NAMES.fullmatch(str(name)):
            yield f"The DNS firewall must list AWS's own names, internal ones or *, not {name}: whoever owns a name reads its labels."


def _public_block(props: Mapping[str, Any]) -> Iterator[str]:
    if props.get("internetGatewayBlockMode") != "block-bidirectional":
        yield "Public access must be blocked in both directions."


def _cluster(props: Mapping[str, Any]) -> Iterator[str]:
    config = props["vpcConfig"]
    if config.get("endpointPublicAccess") is not False or config.get("endpointPrivateAccess") is not True:
        yield "The cluster's API must answer inside the VPC alone."
    if (props.get("accessConfig") or {}).get("bootstrapClusterCreatorAdminPermissions") is not False:
        yield "Whoever creates the cluster must not stay its administrator."
    if set(props.get("enabledClusterLogTypes") or []) != {"api", "audit", "authenticator", "controllerManager", "scheduler"}:
        yield "The cluster must log all that it can."


def _addon(props: Mapping[str, Any]) -> Iterator[str]:
    if props["addonName"] != "vpc-cni":
        return
    values = json.loads(props.get("configurationValues") or "{}")
    if str(values.get("enableNetworkPolicy")).lower() != "true":
        yield "The CNI must enforce network policies; set enableNetworkPolicy."
    if (values.get("env") or {}).get("NETWORK_POLICY_ENFORCING_MODE") != "strict":
        yield "The CNI must start pods closed; set NETWORK_POLICY_ENFORCING_MODE strict."


def _machine(props: Mapping[str, Any]) -> Iterator[str]:
    options = props.get("metadataOptions") or {}
    if options.get("httpTokens") != "required" or options.get("httpPutResponseHopLimit") != 1:
        yield "A machine must ask for metadata tokens with hop limit 1."
    for device in props.get("blockDeviceMappings") or [{}]:
        if str((device.get("ebs") or {}).get("encrypted")).lower() != "true":
            yield "A machine's disks must be encrypted."
    for interface in props.get("networkInterfaces") or []:
        if str(interface.get("associatePublicIpAddress", "false")).lower() != "false":
            yield "A machine must have no public address."
    if not props.get("?vpcSecurityGroupIds"):
        yield "A machine must name its groups; without them it stands in the cluster's own, which is open to anywhere."


def _node_group(props: Mapping[str, Any]) -> Iterator[str]:
    scaling = props["scalingConfig"]
    if (props.get("labels") or {}).get("curtilage.dev/pool") == "gpu" and not 2 <= scaling["minSize"] <= scaling["maxSize"] <= 4:
        yield "A region must have 2 to 4 GPU nodes."
    if props.get("remoteAccess"):
        yield "Machines must have no remote access of EKS's making."
    if not props.get("?launchTemplate"):
        yield "Machines must start from a launch template; without one, groups, disks and metadata are EKS's defaults."


def _balancer(props: Mapping[str, Any]) -> Iterator[str]:
    if props.get("internal") is not True:
        yield "A balancer must be internal."


def _listener(props: Mapping[str, Any]) -> Iterator[str]:
    for action in props["defaultActions"]:
        if action.get("type") != "forward":
            yield f"A listener must forward, not {action.get('type')}: an identity provider is asked across the internet."


def _link(props: Mapping[str, Any]) -> Iterator[str]:
    if props.get("acceptanceRequired") is not True:
        yield "Connections of the endpoint service must be accepted by a person."
    if props.get("allowedPrincipals"):
        yield "Principals of the endpoint service must be named one by one, as resources."


def _principal(props: Mapping[str, Any]) -> Iterator[str]:
    if "*" in props["principalArn"]:
        yield "The endpoint service must name who may connect."


def _of(name: str, description: str, kind: str | tuple[str, ...], fields: tuple[str, ...], check: Any) -> Rule:
    return Rule(name=name, description=description, resource_type=kind, fields=fields, check=check)


RULES = (
    _of("aws-account-named", "The provider allows one account.", "pulumi:providers:aws", ("allowedAccountIds", "region"), _account),
    _of("aws-endpoint-perimeter", "An endpoint serves own principals on own resources.", _ENDPOINT,
        ("serviceName", "policy"), _endpoint),
    _of("aws-group-empty", "A group holds no rules inside.", "aws:ec2/securityGroup:SecurityGroup", ("egress", "ingress"), _group),
    _of("aws-rule-by-reference", "A group's rule names a group or a prefix list.",
        ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"),
        ("cidrIpv4", "cidrIpv6", "~referencedSecurityGroupId"), _rule),
    _of("aws-list-narrow", "The access list lets out TCP 443 at most.", "aws:ec2/networkAcl:NetworkAcl", ("egress",), _list),
    _of("aws-defaults-emptied", "Default group, list and table are empty.",
        ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl",
         "aws:ec2/defaultRouteTable:DefaultRouteTable"), ("egress", "ingress", "routes"), _emptied),
    _of("aws-no-routes", "A route table holds local routes alone.", "aws:ec2/routeTable:RouteTable", ("routes",), _no_routes),
    _of("aws-subnet-private", "A subnet gives no public addresses.", "aws:ec2/subnet:Subnet",
        ("mapPublicIpOnLaunch", "ipv6CidrBlock", "assignIpv6AddressOnCreation"), _subnet),
    _of("aws-names-fail-closed", "The DNS firewall fails closed.", "aws:route53/resolverFirewallConfig:ResolverFirewallConfig",
        ("firewallFailOpen",), _names_closed),
    _of("aws-names-decided", "A rule of the DNS firewall decides.", "aws:route53/resolverFirewallRule:ResolverFirewallRule",
        ("action", "qType"), _names),
    _of("aws-names-own", "Names that resolve are AWS's own or internal.",
        "aws:route53/resolverFirewallDomainList:ResolverFirewallDomainList", ("domains",), _own_names),
    _of("aws-public-access-blocked", "Public access is blocked both ways.",
        "aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions", ("internetGatewayBlockMode",), _public_block),
    _of("aws-cluster-private", "The cluster is private, logged, and nobody's by birth.", "aws:eks/cluster:Cluster",
        ("accessConfig", "enabledClusterLogTypes", "vpcConfig.endpointPublicAccess", "vpcConfig.endpointPrivateAccess"), _cluster),
    _of("aws-cni-strict", "The CNI enforces from a pod's first packet.", "aws:eks/addon:Addon",
        ("addonName", "configurationValues"), _addon),
    _of("aws-machine-sealed", "Machines: metadata tokens, encrypted disks, no public address.", "aws:ec2/launchTemplate:LaunchTemplate",
        ("metadataOptions", "blockDeviceMappings.ebs.encrypted", "networkInterfaces.associatePublicIpAddress",
         "?vpcSecurityGroupIds"), _machine),
    _of("aws-gpu-nodes", "Two to four GPU nodes, no remote access.", "aws:eks/nodeGroup:NodeGroup",
        ("labels", "scalingConfig", "remoteAccess", "?launchTemplate"), _node_group),
    _of("aws-balancer-internal", "A balancer is internal.", "aws:lb/loadBalancer:LoadBalancer", ("internal",), _balancer),
    _of("aws-listener-forwards", "A listener forwards and asks nobody.", "aws:lb/listener:Listener", ("defaultActions.type",), _listener),
    _of("aws-link-accepted", "Connections of the CRM side are accepted by a person.", "aws:ec2/vpcEndpointService:VpcEndpointService",
        ("acceptanceRequired", "allowedPrincipals"), _link),
    _of("aws-link-principal", "Who may connect is named.",
        "aws:ec2/vpcEndpointServiceAllowedPrinciple:VpcEndpointServiceAllowedPrinciple", ("principalArn",), _principal),
)  # fmt: skip
