"""Whether a packet can reach a way out, and how far each lock holds by itself.

Sources are every subnet with every security group of its VPC. Three locks stand in a packet's way: routes, access lists, groups. A packet
that passes all three is a leak with its path. A lock that by itself would let a foreign packet pass is a finding too: the seal then hangs
on the others, and the next change opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import networkx as nx
import z3

from curtilage.allowance import Allowance
from curtilage.proof.aws.groups import Group
from curtilage.proof.aws.model import (
    EIGW,
    ENDPOINT,
    ENI,
    IGW,
    INSTANCE,
    NAT,
    PEERING,
    SUBNET,
    TGW,
    VGW,
    VPC,
    Acl,
    Net,
    Route,
    Subnet,
    Table,
    Vpc,
)
from curtilage.proof.aws.plan import Plan, Resource
from curtilage.proof.aws.predicates import NUMBERS, PORT, PROTOCOL, Packet, Term, admits, any_of, find, in_any, inside
from curtilage.proof.report import Finding
from curtilage.verdict import Verdict

FIREWALL = "aws:networkfirewall/firewall:Firewall"
LONGEST_PATH = 6

_KINDS = {
    "gatewayId": "a gateway outside the plan",
    "egressOnlyGatewayId": "an egress-only internet gateway",
    "natGatewayId": "a NAT gateway",
    "networkInterfaceId": "a network interface",
    "instanceId": "an instance",
    "transitGatewayId": "a transit gateway",
    "vpcEndpointId": "an endpoint of a service",
    "vpcPeeringConnectionId": "a peering connection",
    "carrierGatewayId": "a carrier gateway",
    "localGatewayId": "a local gateway",
    "coreNetworkArn": "a core network",
    "odbNetworkArn": "a database network",
}
_BY_TYPE = {IGW: "an internet gateway", EIGW: "an egress-only internet gateway", VGW: "a VPN gateway"}


@dataclass(frozen=True)
class Zone:
    """Subnets for which the same table and access list hold."""

    vpc: Vpc
    table: Table
    acl: Acl
    subnets: tuple[Subnet, ...]


@dataclass(frozen=True)
class Sink:
    """Where packets leave what the plan shows."""

    label: str
    kind: str
    own_allowed: bool = False
    proven: bool = True


def allowed_term(allowances: Iterable[Allowance]) -> Term:
    """The packets that an allowance covers."""
    return any_of(allowance_term(item) for item in allowances)


def allowance_term(item: Allowance) -> Term:
    """The packets of one allowance."""
    return z3.And(inside(item.destination), NUMBERS[item.protocol] == PROTOCOL, any_of(port == PORT for port in item.ports))


class Reach:
    """The decision about packets of one plan."""

    def __init__(self, plan: Plan, net: Net, groups: list[Group], allowances: tuple[Allowance, ...]) -> None:
        self.plan, self.net, self.groups, self.allowances = plan, net, groups, allowances
        self.allowed = allowed_term(allowances)
        self.own = in_any(net.own)
        self.findings: list[Finding] = []
        self.used: set[str] = set()
        self.zones = self._zones()
        self.graph = self._graph()
        self.sinks_reached: set[str] = set()

    def decide(self) -> list[Finding]:
        """Every finding about packets."""
        for zone in self.zones.values():
            self._paths(zone)
        for group in self.groups:
            self._group(group)
        seen: set[int] = set()
        for zone in self.zones.values():
            if id(zone.acl) not in seen:
                seen.add(id(zone.acl))
                self._acl(zone)
        for vpc in self.net.vpcs:
            if id(vpc.default_acl) not in seen and vpc.default_acl.label.startswith("default network ACL of"):
                self._finding(
                    "EG-11",
                    vpc,
                    f"{vpc.default_acl.label}: it lets everything pass, and holds for every subnet added later; adopt it without rules",
                )
        return self.findings

    # The graph.

    def _zones(self) -> dict[tuple[int, int, int], Zone]:
        found: dict[tuple[int, int, int], list[Subnet]] = {}
        for subnet in self.net.subnets:
            found.setdefault((id(subnet.vpc), id(subnet.table), id(subnet.acl)), []).append(subnet)
        return {key: Zone(items[0].vpc, items[0].table, items[0].acl, tuple(items)) for key, items in found.items()}

    def _zone_of(self, resource: Resource, prop: str) -> Zone | None:
        place = self.plan.one(resource, prop, resource.get(prop), SUBNET)
        for zone in self.zones.values():
            if any(subnet.resource is place for subnet in zone.subnets):
                return zone
        return None

    def _graph(self) -> Any:
        graph = nx.DiGraph()
        for zone in self.zones.values():
            graph.add_node(zone)
            for route, term in zone.table.conditions(zone.vpc.networks):
                goal = self._goal(route)
                if goal is None:
                    continue
                if not graph.has_edge(zone, goal):
                    graph.add_edge(zone, goal, routes=[])
                graph.edges[zone, goal]["routes"].append((term, route.label))
        return graph

    def _goal(self, route: Route) -> Zone | Sink | None:
        item, key = route.resource, route.target
        label = str(item) if item else f"{_KINDS.get(key, key)} {route.literal or '(not known)'}"
        if item is None and route.literal and route.literal.startswith("igw-"):
            return Sink(label, "an internet gateway")
        if item is not None and item.type in (NAT, ENI, INSTANCE):
            # What forwards is in a subnet again: packets go on by that subnet's routes. What it filters itself is not counted.
            return self._zone_of(item, "subnetId") or Sink(label, _KINDS[key])
        if item is not None and item.type == ENDPOINT:
            kind = item.get("vpcEndpointType", "Gateway")
            if kind == "Gateway":
                return None
            return Sink(label, "an endpoint of a service")
        if item is not None and item.type == PEERING:
            sides = [self.net.vpc_of(self.plan.one(item, prop, item.get(prop), VPC)) for prop in ("vpcId", "peerVpcId")]
            return None if all(sides) else Sink(label, "a peering connection to a network outside the plan")
        if item is not None and item.type == TGW:
            return Sink(label, "a transit gateway", own_allowed=True)
        if key == "vpcEndpointId" and item is None:
            zone = self._firewall_zone(route)
            return zone or Sink(label, _KINDS[key], proven=False)
        proven = not (item is None and key in ("networkInterfaceId", "instanceId"))
        return Sink(label, _BY_TYPE.get(item.type, _KINDS[key]) if item else _KINDS[key], proven=proven)

    def _firewall_zone(self, route: Route) -> Zone | None:
        for item in self.plan.of(FIREWALL):
            for entry in item.get("subnetMappings") or []:
                place = self.plan.one(item, "subnetMappings", entry.get("subnetId") if isinstance(entry, dict) else None, SUBNET)
                for zone in self.zones.values():
                    if route.literal is None and any(subnet.resource is place for subnet in zone.subnets):
                        return zone
        return None

    # The claims.

    def _paths(self, zone: Zone) -> None:
        sinks = [node for node in nx.descendants(self.graph, zone) if isinstance(node, Sink)]
        groups = [group for group in self.groups if group.vpc is zone.vpc]
        for sink in sorted(sinks, key=lambda item: item.label):
            leak = z3.Not(z3.Or(self.allowed, self.own)) if sink.own_allowed else z3.Not(self.allowed)
            for path in nx.all_simple_paths(self.graph, zone, sink, cutoff=LONGEST_PATH):
                hops = [(self.graph.edges[a, b]["routes"], a.acl) for a, b in pairwise(path)]
                routes = [any_of(term for term, _ in found) for found, _ in hops]
                acls = [acl.term() for _, acl in hops]
                self._use(routes, acls, groups)
                packet = find(leak, *routes, *acls, any_of(group.term() for group in groups))
                through = packet is not None
                packet = packet or find(leak, *routes)
                if packet is None:
                    continue
                self.sinks_reached.add(sink.label)
                self._leak(zone, sink, packet, hops, groups, through=through)
                break

    def _leak(self, zone: Zone, sink: Sink, packet: Packet, hops: list[Any], groups: list[Group], *, through: bool) -> None:
        source = zone.subnets[0]
        steps = [f"{source.resource} of {zone.vpc.resource} ({source.resource.urn})"]
        held = []
        group = next((item for item in groups if admits(packet, item.term())), None)
        if group is not None:
            steps.append(next(rule.label for rule in group.rules if admits(packet, rule.term)))
        else:
            held.append("no security group lets it pass")
        for number, (routes, acl) in enumerate(hops):
            rule = first_rule(acl, packet)
            if rule is not None and rule.allow:
                steps.append(rule.label)
            else:
                held.append(f"{acl.label} does not let it pass")
            if number or routes:
                steps.append(next(label for term, label in routes if admits(packet, term)))
        steps.append(f"{sink.label}: {sink.kind}")
        many = f" (and {len(zone.subnets) - 1} more subnets)" if len(zone.subnets) > 1 else ""
        said = "leaves" if through else "is routed out"
        closed = "" if through else f"; today it is held: {' and '.join(held) or 'another lock closes'}"
        self.findings.append(
            Finding(
                id="EG-09",
                segment=zone.vpc.name,
                verdict=Verdict.FAIL if sink.proven else Verdict.NOT_PROVEN,
                reason=f"{packet.protocol} from {source.resource}{many} {said} by {sink.kind}{closed}",
                counterexample=packet.document(source.source),
                path=tuple(steps),
            )
        )

    def _group(self, group: Group) -> None:
        if not group.adopted:
            self._finding(
                "EG-11", group.vpc, f"{group.label}: whatever is launched without groups may send anywhere; adopt it without rules"
            )
            return
        packet = find(group.term(), z3.Not(z3.Or(self.own, self.allowed)))
        if packet is None:
            return
        rule = next(item for item in group.rules if admits(packet, item.term))
        subnet = group.vpc.subnets[0] if group.vpc.subnets else None
        self._finding(
            "EG-11" if group.label.startswith("DefaultSecurityGroup") else "EG-10",
            group.vpc,
            f"{group.label} lets packets to foreign addresses pass; then only routes and access lists hold them",
            packet.document(subnet.source if subnet else "any address of the VPC"),
            (rule.label,),
        )

    def _acl(self, zone: Zone) -> None:
        foreign = z3.Not(z3.Or(self.own, self.allowed))
        if zone.table.gateway_endpoints or self._has_gateway_endpoint(zone):
            # An access list cannot name a prefix list; what uses a gateway endpoint needs HTTPS to the service's public addresses.
            foreign = z3.And(foreign, z3.Not(z3.And(NUMBERS["tcp"] == PROTOCOL, PORT == 443)))
        packet = find(zone.acl.term(), foreign)
        if packet is None:
            return
        rule = first_rule(zone.acl, packet)
        self._finding(
            "EG-11",
            zone.vpc,
            f"{zone.acl.label} of {zone.subnets[0].resource} lets packets to foreign addresses pass; then only routes and groups hold them",
            packet.document(zone.subnets[0].source),
            (rule.label,) if rule else (),
        )

    def _has_gateway_endpoint(self, zone: Zone) -> bool:
        for item in self.plan.of(ENDPOINT):
            here = self.net.vpc_of(self.plan.one(item, "vpcId", item.get("vpcId"), VPC)) is zone.vpc
            if here and item.get("vpcEndpointType", "Gateway") == "Gateway":
                return True
        return False

    def _use(self, routes: list[Term], acls: list[Term], groups: list[Group]) -> None:
        for item in self.allowances:
            if (
                item.id not in self.used
                and find(allowance_term(item), *routes, *acls, any_of(group.term() for group in groups)) is not None
            ):
                self.used.add(item.id)

    def _finding(self, id: str, vpc: Vpc, reason: str, counterexample: dict[str, Any] | None = None, path: tuple[str, ...] = ()) -> None:
        found = Finding(id, vpc.name, Verdict.FAIL, reason, counterexample, path)
        if found not in self.findings:
            self.findings.append(found)


def first_rule(acl: Acl, packet: Packet) -> Any:
    """The rule of an access list that decides a packet; None is the implicit no."""
    matches: Callable[[Term], bool] = lambda term: admits(packet, term)  # noqa: E731 — one line says it
    return next((rule for rule in sorted(acl.rules, key=lambda item: item.number) if matches(rule.term)), None)
