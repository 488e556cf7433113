"""Builds the network of a plan: what holds for each subnet, implicit parts as AWS makes them (main table, default list, local routes).

What a plan does not say is noted as a gap of the plan and never taken as absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import z3

from curtilage.proof.aws.model import (
    ACL,
    ACL_ASSOCIATION,
    ACL_RULE,
    CIDR4,
    CIDR6,
    DEFAULT_ACL,
    DEFAULT_RULE,
    DEFAULT_TABLE,
    DESTINATIONS,
    ENDPOINT,
    ENI,
    INSTANCE,
    MAIN_ASSOCIATION,
    NAT,
    PREFIX_ENTRY,
    PREFIX_LIST,
    PROPAGATION,
    ROUTE,
    SUBNET,
    TABLE,
    TABLE_ASSOCIATION,
    TARGETS,
    VGW,
    VPC,
    Acl,
    AclRule,
    Net,
    Route,
    Subnet,
    Table,
    Vpc,
)
from curtilage.proof.aws.plan import UNKNOWN, Plan, Resource, known
from curtilage.proof.aws.predicates import EVERYTHING, Network, in_any, network, number, protocol_number, service


def cidrs(plan: Plan, resource: Resource, prop: str, value: Any) -> tuple[Network, ...]:
    """The networks a property names. One that is not known but is a VPC's or subnet's own adds none: own addresses are never a way out."""
    found: list[Network] = []
    for item in value if isinstance(value, list) else [value]:
        if item is None or item == "":
            continue
        parsed = network(item)
        if parsed is not None:
            found.append(parsed)
        elif item is UNKNOWN and _own_alone(plan, resource, prop):
            continue
        else:
            plan.gap(resource, f"{prop} {'is not known' if item is UNKNOWN else 'is no network'}")
    return tuple(found)


_OWN_ADDRESSES = {VPC, SUBNET, CIDR4, CIDR6}
_NO_ADDRESSES = {
    "aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "aws:eks/cluster:Cluster",
    TABLE, DEFAULT_TABLE, ACL, DEFAULT_ACL, PREFIX_LIST,
    *({kind for kinds in TARGETS.values() for kind in kinds} - {ENI, NAT, INSTANCE}),
}  # fmt: skip
"""A rule may depend on these beside a network, for a group or a target; none of them lends it an address that could be foreign."""


def _own_alone(plan: Plan, resource: Resource, prop: str) -> bool:
    """Whether a network that is not known can only be an own one: everything it depends on says so, not just something."""
    behind = [plan.resources.get(urn) for urn in resource.depends.get(prop, ())]
    kinds = {item.type if item is not None else "" for item in behind}
    return bool(kinds & _OWN_ADDRESSES) and kinds <= _OWN_ADDRESSES | _NO_ADDRESSES


def prefix_list(plan: Plan, resource: Resource, prop: str, value: Any) -> tuple[tuple[Network, ...], list[Resource]]:
    """The entries of a prefix list of the plan, or the gateway endpoint whose list it is."""
    if value is None or value == "":
        return (), []
    item = plan.one(resource, prop, value, PREFIX_LIST, ENDPOINT)
    if item is None:
        plan.gap(resource, f"{prop}: the entries of prefix list {value if isinstance(value, str) else '(not known)'} are not in the plan")
        return (), []
    if item.type == ENDPOINT:
        return (), [item]
    entries = item.get("entries")
    found: list[Network] = []
    for entry in entries if isinstance(entries, list) else []:
        found += cidrs(plan, item, "entries", entry.get("cidr") if isinstance(entry, dict) else UNKNOWN)
    if entries is UNKNOWN:
        plan.gap(item, "entries is not known")
    for extra in plan.of(PREFIX_ENTRY):
        if plan.one(extra, "prefixListId", extra.get("prefixListId"), PREFIX_LIST) in (item, None):
            found += cidrs(plan, extra, "cidr", extra.get("cidr"))
    return tuple(found), []


def build(plan: Plan) -> Net:
    """The network of a plan."""
    net = Net([], {}, {})
    for item in plan.of(VPC):
        main = Table(f"main route table of {item} (local routes alone)")
        acl = Acl(
            f"default network ACL of {item}, which the plan does not adopt",
            [AclRule(100, True, z3.BoolVal(True), "rule 100 allow all (AWS default)")],
        )
        blocks = [*cidrs(plan, item, "cidrBlock", item.get("cidrBlock")), *cidrs(plan, item, "ipv6CidrBlock", _told(item))]
        if item.get("cidrBlock") is None:
            plan.gap(item, "cidrBlock is chosen by an address pool when it is created")
        net.vpcs.append(Vpc(item, tuple(blocks), acl, main))
    for kind, prop in ((CIDR4, "cidrBlock"), (CIDR6, "ipv6CidrBlock")):
        for item in plan.of(kind):
            vpc = net.vpc_of(plan.one(item, "vpcId", item.get("vpcId"), VPC))
            if vpc is None:
                plan.gap(item, "vpcId: not a VPC of the plan")
                continue
            vpc.networks += cidrs(plan, item, prop, item.get(prop) if known(item.get(prop)) else None)
    _tables(plan, net)
    _acls(plan, net)
    _subnets(plan, net)
    return net


def _told(item: Resource) -> Any:
    value = item.get("ipv6CidrBlock")
    return value if known(value) else None


def _tables(plan: Plan, net: Net) -> None:
    for item in plan.of(TABLE, DEFAULT_TABLE):
        prop = "vpcId" if item.type == TABLE else "defaultRouteTableId"
        table = Table(str(item))
        net.tables[item.urn] = table
        vpc = net.vpc_of(plan.one(item, prop, item.get(prop), VPC))
        if vpc is None and item.type == DEFAULT_TABLE:
            vpc = next(
                (v for v in net.vpcs if known(item.get(prop)) and v.resource.outputs.get("defaultRouteTableId") == item.get(prop)), None
            )
        if vpc is None:
            plan.gap(item, f"{prop}: not a VPC of the plan")
        elif item.type == DEFAULT_TABLE:
            vpc.main = table
        inline = item.wanted("routes")
        if not isinstance(inline, list | None):
            plan.gap(item, "routes is not known")
        for index, entry in enumerate(inline if isinstance(inline, list) else []):
            if isinstance(entry, dict):
                _route(plan, table, item, "routes", entry, f"{item} route {index + 1}")
            else:
                plan.gap(item, f"routes[{index}] is not known")
        for gateway in item.get("propagatingVgws") or []:
            found = plan.one(item, "propagatingVgws", gateway, VGW)
            table.routes.append(Route(EVERYTHING, "gatewayId", found, _literal(gateway), f"{item} propagated routes", propagated=True))
    for item in plan.of(ROUTE, PROPAGATION):
        owner = _table_of(plan, net, item)
        if owner is None:
            continue
        if item.type == ROUTE:
            _route(plan, owner, item, None, {key: item.get(key) for key in (*DESTINATIONS, "destinationPrefixListId", *TARGETS)}, str(item))
        else:
            gateway = plan.one(item, "vpnGatewayId", item.get("vpnGatewayId"), VGW)
            owner.routes.append(Route(EVERYTHING, "gatewayId", gateway, None, str(item), propagated=True))
    main_of: dict[int, str] = {}
    for item in plan.of(MAIN_ASSOCIATION):
        vpc, owner = net.vpc_of(plan.one(item, "vpcId", item.get("vpcId"), VPC)), _table_of(plan, net, item)
        if vpc is None:
            plan.gap(item, "vpcId: not a VPC of the plan")
        elif owner is not None:
            if id(vpc) in main_of:
                plan.gap(item, f"a second main route table of {vpc.resource}: which holds is not defined")
            main_of[id(vpc)], vpc.main = item.urn, owner


def _table_of(plan: Plan, net: Net, item: Resource) -> Table | None:
    value = item.get("routeTableId")
    found = plan.one(item, "routeTableId", value, TABLE, DEFAULT_TABLE)
    if found is not None:
        return net.tables[found.urn]
    vpc = net.vpc_of(plan.one(item, "routeTableId", value, VPC))
    if vpc is None and isinstance(value, str):
        vpc = next(
            (v for v in net.vpcs if value in (v.resource.outputs.get("mainRouteTableId"), v.resource.outputs.get("defaultRouteTableId"))),
            None,
        )
    if vpc is not None:
        return vpc.main
    plan.gap(item, "routeTableId: not a route table of the plan")
    return None


def _route(plan: Plan, table: Table, item: Resource, prop: str | None, entry: Mapping[str, Any], label: str) -> None:
    networks: list[Network] = []
    endpoints: list[Resource] = []
    named = False
    for key in DESTINATIONS:
        if entry.get(key):
            named = True
            networks += cidrs(plan, item, prop or key, entry[key])
    if entry.get("destinationPrefixListId"):
        named = True
        entries, endpoints = prefix_list(plan, item, prop or "destinationPrefixListId", entry["destinationPrefixListId"])
        networks += entries
    if not named:
        plan.gap(item, f"{prop or 'destination'}: a route without a destination")
    table.gateway_endpoints += endpoints
    chosen = [key for key in TARGETS if entry.get(key)]
    if not chosen and not endpoints:
        plan.gap(item, f"{prop or 'target'}: a route without a target that is modelled")
    for key in chosen:
        value = entry[key]
        if value == "local" or (isinstance(value, str) and value.startswith("vpce-") and key == "gatewayId"):
            continue
        found = plan.one(item, prop or key, value, *TARGETS[key])
        if found is None and value is UNKNOWN:
            several = plan.behind(item, prop or key, *TARGETS[key])
            if not several:
                plan.gap(item, f"{key} is not known")
            found = several[0] if several else None
        where = ", ".join(map(str, networks)) or "a prefix list"
        table.routes.append(Route(tuple(networks), key, found, _literal(value), f"{label}: {where} -> {found or _literal(value) or key}"))


def _literal(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _acls(plan: Plan, net: Net) -> None:
    for item in plan.of(ACL, DEFAULT_ACL):
        acl = Acl(str(item))
        net.acls[item.urn] = acl
        inline = item.wanted("egress")
        if not isinstance(inline, list | None):
            plan.gap(item, "egress is not known")
        for entry in inline if isinstance(inline, list) else []:
            if not isinstance(entry, dict):
                plan.gap(item, "egress holds a rule that is not known")
                continue
            shown = dict(entry) | {"ruleNumber": entry.get("ruleNo"), "ruleAction": entry.get("action")}
            _acl_rule(plan, acl, item, "egress", shown)
        if item.type == DEFAULT_ACL:
            value = item.get("defaultNetworkAclId")
            vpc = net.vpc_of(plan.one(item, "defaultNetworkAclId", value, VPC) or plan.one(item, "vpcId", item.outputs.get("vpcId"), VPC))
            if vpc is None and isinstance(value, str):
                vpc = next((v for v in net.vpcs if v.resource.outputs.get("defaultNetworkAclId") == value), None)
            if vpc is None:
                plan.gap(item, "defaultNetworkAclId: not a VPC of the plan")
            else:
                vpc.default_acl = acl
    for item in plan.of(ACL_RULE):
        outbound = str(item.get("egress", False)).lower()
        if outbound not in ("true", "false"):
            plan.gap(item, "egress is not known")
        if outbound != "true":
            continue  # inbound by default; a rule that may be either counts as the one that does not help
        value = item.get("networkAclId")
        owner = plan.one(item, "networkAclId", value, ACL, DEFAULT_ACL)
        chosen = net.acls[owner.urn] if owner else None
        if chosen is None:
            vpc = net.vpc_of(plan.one(item, "networkAclId", value, VPC))
            chosen = vpc.default_acl if vpc else None
        if chosen is None:
            plan.gap(item, "networkAclId: not a network ACL of the plan")
            continue
        shown = {key: item.get(key) for key in ("ruleNumber", "ruleAction", "protocol", "cidrBlock", "ipv6CidrBlock", "fromPort", "toPort")}
        _acl_rule(plan, chosen, item, None, shown)


def _acl_rule(plan: Plan, acl: Acl, item: Resource, prop: str | None, entry: Mapping[str, Any]) -> None:
    place, protocol = number(entry.get("ruleNumber")), protocol_number(entry.get("protocol"))
    action = entry.get("ruleAction")
    for key in ("ruleNumber", "ruleAction", "protocol", "fromPort", "toPort"):
        if entry.get(key) is UNKNOWN:
            plan.gap(item, f"{prop or key}: {key} is not known")
            return
    if place is None or protocol is None or str(action).lower() not in ("allow", "deny"):
        plan.gap(item, f"{prop or 'rule'}: a rule that is not understood")
        return
    if any(rule.number == place for rule in acl.rules) and place != DEFAULT_RULE:
        plan.gap(item, f"{prop or 'ruleNumber'}: two outbound rules {place} of {acl.label}")
    allow = str(action).lower() == "allow"
    gaps = len(plan.gaps)
    networks = [
        *cidrs(plan, item, prop or "cidrBlock", entry.get("cidrBlock")),
        *cidrs(plan, item, prop or "ipv6CidrBlock", entry.get("ipv6CidrBlock")),
    ]
    if len(plan.gaps) > gaps and not allow:
        return
    low, high = number(entry.get("fromPort")), number(entry.get("toPort"))
    term = service(protocol, low, high)
    if not allow and protocol in (1, 58) and (low, high) != (-1, -1) and (low or high or entry.get("icmpType") not in (None, -1)):
        return  # some types only: to deny fewer than that is the safe reading
    where = ", ".join(map(str, networks)) or "own networks"
    shown = f"{acl.label} rule {place} {'allow' if allow else 'deny'} protocol {entry.get('protocol')} to {where}"
    acl.rules.append(AclRule(place, allow, z3.And(in_any(networks), term), shown))


def _subnets(plan: Plan, net: Net) -> None:
    by_urn: dict[str, Subnet] = {}
    for item in plan.of(SUBNET):
        vpc = net.vpc_of(plan.one(item, "vpcId", item.get("vpcId"), VPC))
        if vpc is None:
            plan.gap(item, "vpcId: not a VPC of the plan")
            continue
        networks = cidrs(plan, item, "cidrBlock", item.get("cidrBlock")) + cidrs(plan, item, "ipv6CidrBlock", _told(item))
        by_urn[item.urn] = Subnet(item, vpc, vpc.main, vpc.default_acl, networks)
        vpc.subnets.append(by_urn[item.urn])
    seen: dict[tuple[str, str], str] = {}

    def claim(kind: str, subnet: Resource, item: Resource) -> None:
        if seen.setdefault((kind, subnet.urn), item.urn) != item.urn:
            plan.gap(item, f"a second {kind} for {subnet}: which holds is not defined")

    for item in plan.of(TABLE_ASSOCIATION):
        if item.get("gatewayId"):
            continue  # what enters by a gateway; nothing leaves by it
        owner = _table_of(plan, net, item)
        where = plan.one(item, "subnetId", item.get("subnetId"), SUBNET)
        if where is None or where.urn not in by_urn:
            plan.gap(item, "subnetId: not a subnet of the plan")
        elif owner is not None:
            claim("route table", where, item)
            by_urn[where.urn].table = owner
    for item in plan.of(ACL, DEFAULT_ACL):
        found, complete = plan.many(item, "subnetIds", item.wanted("subnetIds"), SUBNET)
        if not complete:
            plan.gap(item, "subnetIds: not all are subnets of the plan")
        for where in found:
            if item.type == ACL:
                claim("network ACL", where, item)
            if where.urn in by_urn:
                by_urn[where.urn].acl = net.acls[item.urn]
    for item in plan.of(ACL_ASSOCIATION):
        where, chosen = (
            plan.one(item, "subnetId", item.get("subnetId"), SUBNET),
            plan.one(item, "networkAclId", item.get("networkAclId"), ACL),
        )
        if where is None or chosen is None or where.urn not in by_urn:
            plan.gap(item, "subnetId or networkAclId: not of the plan")
            continue
        claim("network ACL", where, item)
        by_urn[where.urn].acl = net.acls[chosen.urn]
