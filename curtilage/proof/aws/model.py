"""The parts of a network: VPCs, subnets with the table and the access list that hold for each, routes and where they end.

Implicit parts are modelled as AWS makes them: the main table, the default access list that lets everything pass, local routes. What a plan
does not say is noted as a gap of the plan and never taken as absent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import z3

from curtilage.proof.aws.plan import Resource
from curtilage.proof.aws.predicates import Network, Term, in_any

VPC, SUBNET, TABLE = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:ec2/routeTable:RouteTable"
DEFAULT_TABLE, ROUTE = "aws:ec2/defaultRouteTable:DefaultRouteTable", "aws:ec2/route:Route"
TABLE_ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
MAIN_ASSOCIATION = "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation"
ACL, DEFAULT_ACL = "aws:ec2/networkAcl:NetworkAcl", "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl"
ACL_RULE, ACL_ASSOCIATION = "aws:ec2/networkAclRule:NetworkAclRule", "aws:ec2/networkAclAssociation:NetworkAclAssociation"
CIDR4 = "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation"
CIDR6 = "aws:ec2/vpcIpv6CidrBlockAssociation:VpcIpv6CidrBlockAssociation"
IGW, EIGW = "aws:ec2/internetGateway:InternetGateway", "aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway"
NAT, VGW, PEERING = "aws:ec2/natGateway:NatGateway", "aws:ec2/vpnGateway:VpnGateway", "aws:ec2/vpcPeeringConnection:VpcPeeringConnection"
TGW, CARRIER = "aws:ec2transitgateway/transitGateway:TransitGateway", "aws:ec2/carrierGateway:CarrierGateway"
ENDPOINT, ENI, INSTANCE = "aws:ec2/vpcEndpoint:VpcEndpoint", "aws:ec2/networkInterface:NetworkInterface", "aws:ec2/instance:Instance"
PREFIX_LIST = "aws:ec2/managedPrefixList:ManagedPrefixList"
PREFIX_ENTRY = "aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry"
PROPAGATION = "aws:ec2/vpnGatewayRoutePropagation:VpnGatewayRoutePropagation"

TARGETS: dict[str, tuple[str, ...]] = {
    "gatewayId": (IGW, VGW, ENDPOINT),
    "egressOnlyGatewayId": (EIGW,),
    "natGatewayId": (NAT,),
    "networkInterfaceId": (ENI, INSTANCE),
    "instanceId": (INSTANCE,),
    "transitGatewayId": (TGW,),
    "vpcEndpointId": (ENDPOINT,),
    "vpcPeeringConnectionId": (PEERING,),
    "carrierGatewayId": (CARRIER,),
    "localGatewayId": (),
    "coreNetworkArn": (),
    "odbNetworkArn": (),
}
DESTINATIONS = ("cidrBlock", "destinationCidrBlock", "ipv6CidrBlock", "destinationIpv6CidrBlock")
DEFAULT_RULE = 32767


@dataclass(eq=False)
class Vpc:
    """A VPC. Every VPC of a plan counts as a legal segment: none can be left out by saying so in the plan."""

    resource: Resource
    networks: tuple[Network, ...]
    default_acl: Acl
    main: Table
    subnets: list[Subnet] = field(default_factory=list)

    @property
    def name(self) -> str:
        tags = self.resource.get("tags")
        named = tags.get("curtilage:segment") if isinstance(tags, dict) else None
        return named if isinstance(named, str) else self.resource.name


@dataclass(eq=False)
class Route:
    """Packets to some networks go to one target."""

    networks: tuple[Network, ...]
    target: str  # a key of TARGETS, or "local"
    resource: Resource | None
    literal: str | None
    label: str
    propagated: bool = False


@dataclass(eq=False)
class Table:
    """A route table: longest prefix first."""

    label: str
    routes: list[Route] = field(default_factory=list)
    gateway_endpoints: list[Resource] = field(default_factory=list)

    def conditions(self, local: tuple[Network, ...]) -> Iterator[tuple[Route, Term]]:
        """Which packets each route takes; two routes of one length may both, which is wider than AWS allows."""
        entries = [(prefix, route) for route in self.routes for prefix in route.networks]
        for prefix, route in entries:
            longer = [p for p, _ in entries if p.version == prefix.version and p.prefixlen > prefix.prefixlen and p.subnet_of(prefix)]  # type: ignore[arg-type]
            home = [p for p in local if p.version == prefix.version and (route.propagated or p.prefixlen >= prefix.prefixlen)]
            yield route, z3.And(in_any((prefix,)), z3.Not(in_any([*longer, *home])))


@dataclass(frozen=True)
class AclRule:
    """One numbered rule of an access list, outbound."""

    number: int
    allow: bool
    term: Term
    label: str


@dataclass(eq=False)
class Acl:
    """A network access list: the first rule that matches decides, and none means no."""

    label: str
    rules: list[AclRule] = field(default_factory=list)

    def term(self) -> Term:
        """The packets that may leave."""
        found: Term = z3.BoolVal(False)
        for rule in sorted(self.rules, key=lambda item: item.number, reverse=True):
            found = z3.If(rule.term, z3.BoolVal(rule.allow), found)
        return found


@dataclass(eq=False)
class Subnet:
    """A subnet with what holds for it."""

    resource: Resource
    vpc: Vpc
    table: Table
    acl: Acl
    networks: tuple[Network, ...]

    @property
    def source(self) -> str:
        """An address in it, for witnesses: the fifth, as AWS keeps the first four."""
        for item in self.networks:
            if item.version == 4:
                return str(item.network_address + min(10, item.num_addresses - 2))
        return f"any address of {self.resource.name}"


@dataclass
class Net:
    """All of it."""

    vpcs: list[Vpc]
    tables: dict[str, Table]
    acls: dict[str, Acl]

    @property
    def own(self) -> tuple[Network, ...]:
        """Every network of the plan's VPCs."""
        return tuple(item for vpc in self.vpcs for item in vpc.networks)

    @property
    def subnets(self) -> list[Subnet]:
        """Every subnet."""
        return [subnet for vpc in self.vpcs for subnet in vpc.subnets]

    def vpc_of(self, resource: Resource | None) -> Vpc | None:
        """The VPC a resource is."""
        return next((item for item in self.vpcs if item.resource is resource), None)
