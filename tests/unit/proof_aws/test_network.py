"""If these fail, the model of a VPC is not AWS's: a packet that leaves is not seen, or a lock that holds is not counted."""

from __future__ import annotations

from typing import Any

import pytest

from curtilage.proof.aws import parse_plan, prove_plan
from curtilage.proof.aws.groups import build_groups
from curtilage.proof.aws.network import build
from curtilage.proof.aws.plan import Plan
from curtilage.proof.aws.predicates import Packet, admits
from tests.sabotage.aws.plans import UNKNOWN, Ref, Stack, sealed_region

HTTPS = Packet("ipv4", "tcp", "203.0.113.10", 443)
HTTPS6 = Packet("ipv6", "tcp", "2001:db8:f::10", 443)
PING = Packet("ipv4", "icmp", "203.0.113.10", None)


def network(**more: Any) -> Stack:
    """A VPC with one subnet and nothing else."""
    s = Stack()
    s.add("pulumi:pulumi:Stack", "stack").custom = False
    s.add("aws:ec2/vpc:Vpc", "vpc", cidrBlock="10.0.0.0/16", **more)
    s.add("aws:ec2/subnet:Subnet", "subnet", vpcId=Ref("vpc"), cidrBlock="10.0.0.0/24")
    return s


def planned(s: Stack) -> Plan:
    return parse_plan(s.preview())


def table_of(s: Stack) -> str:
    return build(planned(s)).subnets[0].table.label


def acl_lets(s: Stack, packet: Packet) -> bool:
    return admits(packet, build(planned(s)).subnets[0].acl.term())


def group_lets(s: Stack, packet: Packet, name: str = "group") -> bool:
    plan = planned(s)
    group = next(item for item in build_groups(plan, build(plan)) if item.label.endswith(f"'{name}'"))
    return admits(packet, group.term())


# Which route table holds.


def test_a_subnet_without_an_association_has_the_main_table() -> None:
    s = network()
    assert table_of(s).startswith("main route table")
    s.add("aws:ec2/routeTable:RouteTable", "table", vpcId=Ref("vpc"))
    assert table_of(s).startswith("main route table"), "a table that nothing associates holds for nobody"
    s.add("aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation", "main", vpcId=Ref("vpc"), routeTableId=Ref("table"))
    assert table_of(s) == "RouteTable 'table'"


def test_an_explicit_association_beats_the_main_table() -> None:
    s = network()
    for name in ("main-table", "own-table"):
        s.add("aws:ec2/routeTable:RouteTable", name, vpcId=Ref("vpc"))
    s.add("aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation", "main", vpcId=Ref("vpc"), routeTableId=Ref("main-table"))
    s.add("aws:ec2/routeTableAssociation:RouteTableAssociation", "own", subnetId=Ref("subnet"), routeTableId=Ref("own-table"))
    assert table_of(s) == "RouteTable 'own-table'"


def test_the_default_table_that_a_plan_adopts_is_the_main_one() -> None:
    s = network()
    s.add("aws:ec2/defaultRouteTable:DefaultRouteTable", "default", defaultRouteTableId=Ref("vpc", "defaultRouteTableId"))
    assert table_of(s) == "DefaultRouteTable 'default'"


def test_two_tables_for_one_subnet_are_not_decided() -> None:
    s = network()
    for name in ("a", "b"):
        s.add("aws:ec2/routeTable:RouteTable", name, vpcId=Ref("vpc"))
        s.add("aws:ec2/routeTableAssociation:RouteTableAssociation", f"{name}-here", subnetId=Ref("subnet"), routeTableId=Ref(name))
    plan = planned(s)
    build(plan)
    assert any("a second route table" in gap.what for gap in plan.gaps)


def test_the_longest_prefix_decides_and_local_routes_come_first() -> None:
    s = network()
    s.add("aws:ec2/internetGateway:InternetGateway", "igw", vpcId=Ref("vpc"))
    routes = [{"cidrBlock": "0.0.0.0/0", "gatewayId": Ref("igw")}, {"cidrBlock": "203.0.113.0/24", "gatewayId": "local"}]
    s.add("aws:ec2/routeTable:RouteTable", "table", vpcId=Ref("vpc"), routes=routes)
    table = next(iter(build(planned(s)).tables.values()))
    conditions = [term for _, term in table.conditions(build(planned(s)).vpcs[0].networks)]
    assert admits(HTTPS, conditions[0]), "a route to local of another network takes nothing away"
    assert not admits(Packet("ipv4", "tcp", "10.0.9.9", 443), conditions[0])


# Security groups.


@pytest.mark.parametrize(
    ("rule", "packet", "passes"),
    [
        ({"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}, HTTPS, True),
        ({"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}, HTTPS6, False),
        ({"protocol": "-1", "fromPort": 0, "toPort": 0, "ipv6CidrBlocks": ["::/0"]}, HTTPS6, True),
        ({"protocol": "all", "cidrBlocks": ["0.0.0.0/0"]}, PING, True),
        ({"protocol": "TCP", "fromPort": 443, "toPort": 443, "cidrBlocks": ["0.0.0.0/0"]}, HTTPS, True),
        ({"protocol": "6", "fromPort": 400, "toPort": 500, "cidrBlocks": ["203.0.113.0/24"]}, HTTPS, True),
        ({"protocol": "tcp", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}, HTTPS, False),
        ({"protocol": "tcp", "fromPort": 0, "toPort": 65535, "cidrBlocks": ["0.0.0.0/0"]}, HTTPS, True),
        ({"protocol": "tcp", "fromPort": 80, "toPort": 80, "cidrBlocks": ["0.0.0.0/0"]}, HTTPS, False),
        ({"protocol": "udp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["0.0.0.0/0"]}, HTTPS, False),
        ({"protocol": "icmp", "fromPort": -1, "toPort": -1, "cidrBlocks": ["0.0.0.0/0"]}, PING, True),
        ({"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["203.0.113.77/24"]}, HTTPS, True),
    ],
)
def test_inline_rules_mean_what_ec2_says(rule: dict[str, Any], packet: Packet, passes: bool) -> None:
    s = network()
    s.add("aws:ec2/securityGroup:SecurityGroup", "group", vpcId=Ref("vpc"), egress=[rule])
    assert group_lets(s, packet) is passes


def test_a_new_group_without_egress_lets_nothing_out() -> None:
    # AWS gives a new group an open egress rule, and the provider removes it.
    s = network()
    s.add("aws:ec2/securityGroup:SecurityGroup", "group", vpcId=Ref("vpc"))
    assert not group_lets(s, HTTPS)


OPEN = {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}


def test_egress_that_a_program_no_longer_mentions_stays_where_it_is() -> None:
    s = network()
    s.add("aws:ec2/securityGroup:SecurityGroup", "group", vpcId=Ref("vpc"))
    document = s.preview()
    step = next(item for item in document["steps"] if item["urn"].endswith("::group"))
    step["op"] = "update"
    step["newState"]["outputs"] = {"egress": [OPEN]}
    plan = parse_plan(document)
    group = next(item for item in build_groups(plan, build(plan)) if item.label.endswith("'group'"))
    assert admits(HTTPS, group.term())


def test_egress_that_a_deleted_rule_resource_had_said_goes_with_it() -> None:
    s = network()
    s.add("aws:ec2/securityGroup:SecurityGroup", "group", vpcId=Ref("vpc"))
    document = s.preview()
    step = next(item for item in document["steps"] if item["urn"].endswith("::group"))
    step["newState"]["outputs"] = {"egress": [OPEN]}
    kind = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    urn = f"urn:pulumi:de-frankfurt::curtilage::{kind}::rule"
    old = {"urn": urn, "type": kind, "inputs": {"securityGroupId": "sg-1", "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"}}
    document["steps"].append({"op": "delete", "urn": urn, "oldState": old, "newState": None})
    plan = parse_plan(document)
    group = next(item for item in build_groups(plan, build(plan)) if item.label.endswith("'group'"))
    assert not admits(HTTPS, group.term())


def test_a_group_that_is_only_read_is_judged_by_what_the_account_says() -> None:
    s = network()
    s.add("aws:ec2/securityGroup:SecurityGroup", "group", vpcId=Ref("vpc"))
    document = s.preview()
    step = next(item for item in document["steps"] if item["urn"].endswith("::group"))
    step["op"] = "read"
    step["newState"] |= {"external": True, "inputs": {}, "outputs": {"vpcId": "vpc-0", "egress": [OPEN]}}
    proof = prove_plan(parse_plan(document))
    assert proof.verdict != "PASS"
    step["newState"]["outputs"] = {}
    assert any("is read from the account" in gap.what for gap in parse_plan(document).gaps)


def test_every_separate_form_of_a_rule_is_read() -> None:
    forms = [
        ("aws:ec2/securityGroupRule:SecurityGroupRule",
         {"type": "egress", "protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["0.0.0.0/0"]}),
        ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
         {"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "cidrIpv4": "0.0.0.0/0"}),
    ]  # fmt: skip
    for kind, inputs in forms:
        s = network()
        s.add("aws:ec2/securityGroup:SecurityGroup", "group", vpcId=Ref("vpc"))
        s.add(kind, "rule", securityGroupId=Ref("group"), **inputs)
        assert group_lets(s, HTTPS), kind


def test_an_inbound_rule_lets_nothing_out() -> None:
    s = network()
    s.add("aws:ec2/securityGroup:SecurityGroup", "group", vpcId=Ref("vpc"))
    s.add("aws:ec2/securityGroupRule:SecurityGroupRule", "rule", type="ingress", securityGroupId=Ref("group"), protocol="-1", fromPort=0,
          toPort=0, cidrBlocks=["0.0.0.0/0"])  # fmt: skip
    assert not group_lets(s, HTTPS)


def test_a_prefix_list_is_its_entries_and_those_added_apart() -> None:
    s = network()
    s.add("aws:ec2/securityGroup:SecurityGroup", "group", vpcId=Ref("vpc"))
    s.add("aws:ec2/managedPrefixList:ManagedPrefixList", "list", entries=[{"cidr": "10.0.0.0/16"}], addressFamily="IPv4")
    s.add("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "rule", securityGroupId=Ref("group"), ipProtocol="-1",
          prefixListId=Ref("list"))  # fmt: skip
    assert not group_lets(s, HTTPS)
    s.add("aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry", "more", prefixListId=Ref("list"), cidr="203.0.113.0/24")
    assert group_lets(s, HTTPS)


# Access lists.


def acl(*rules: dict[str, Any]) -> Stack:
    s = network()
    s.add("aws:ec2/networkAcl:NetworkAcl", "acl", vpcId=Ref("vpc"), subnetIds=[Ref("subnet")], egress=list(rules))
    return s


def rule(number: int, action: str, **more: Any) -> dict[str, Any]:
    return {"ruleNo": number, "action": action, "protocol": "-1", "cidrBlock": "0.0.0.0/0", "fromPort": 0, "toPort": 0} | more


def test_the_lowest_number_decides_whatever_the_order_in_the_program() -> None:
    assert acl_lets(acl(rule(200, "deny"), rule(100, "allow")), HTTPS)
    assert not acl_lets(acl(rule(100, "allow"), rule(99, "deny")), HTTPS)


def test_what_no_rule_matches_is_denied_and_families_are_apart() -> None:
    assert not acl_lets(acl(), HTTPS)
    assert not acl_lets(acl(rule(100, "allow")), HTTPS6)
    assert acl_lets(acl(rule(100, "allow", cidrBlock=None, ipv6CidrBlock="::/0")), HTTPS6)


def test_the_default_list_that_a_plan_does_not_adopt_lets_everything_pass() -> None:
    assert acl_lets(network(), HTTPS6)
    s = network()
    s.add("aws:ec2/defaultNetworkAcl:DefaultNetworkAcl", "default", defaultNetworkAclId=Ref("vpc", "defaultNetworkAclId"))
    assert not acl_lets(s, HTTPS)


def test_a_deny_of_one_port_leaves_the_others() -> None:
    s = acl(rule(10, "deny", protocol="tcp", fromPort=443, toPort=443), rule(100, "allow"))
    assert not acl_lets(s, HTTPS)
    assert acl_lets(s, Packet("ipv4", "tcp", "203.0.113.10", 80))
    assert acl_lets(s, Packet("ipv4", "udp", "203.0.113.10", 443))


def test_separate_rules_are_inbound_unless_they_say_egress() -> None:
    kind = "aws:ec2/networkAclRule:NetworkAclRule"
    common = {"ruleNumber": 100, "protocol": "-1", "ruleAction": "allow", "cidrBlock": "0.0.0.0/0"}
    for given, passes in ((None, False), (False, False), (True, True), ("true", True)):
        s = acl()
        s.add(kind, "rule", networkAclId=Ref("acl"), **common, **({} if given is None else {"egress": given}))
        assert acl_lets(s, HTTPS) is passes


# What the plan leaves open.


@pytest.mark.parametrize(
    ("name", "prop", "value"),
    [
        ("vpc", "cidrBlock", UNKNOWN),
        ("nodes", "egress", UNKNOWN),
        ("nodes", "egress", [UNKNOWN]),
        ("nodes", "egress", "everything"),
        ("acl", "egress", UNKNOWN),
        ("acl-v6", "egress", UNKNOWN),
        ("acl-v6", "ruleAction", "maybe"),
        ("table", "routes", UNKNOWN),
        ("table", "routes", [{"gatewayId": UNKNOWN}]),
        ("nodes-vpc", "cidrBlocks", ["10.40.0.0/16", UNKNOWN]),
        ("nodes-vpc", "protocol", "carrier-pigeon"),
        ("nodes-s3", "prefixListId", "pl-0123456789abcdef0"),
        ("subnet-2-table", "routeTableId", "rtb-0123456789abcdef0"),
        ("dns-block", "action", UNKNOWN),
        ("all-names", "domains", UNKNOWN),
        ("dns-vpc", "priority", UNKNOWN),
        ("s3", "policy", UNKNOWN),
        ("s3", "policy", {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "c"}),
        ("cluster", "vpcConfig", UNKNOWN),
        ("gpu", "launchTemplate", UNKNOWN),
        ("zone", "vpcs", UNKNOWN),
        ("logs-block", "blockPublicPolicy", UNKNOWN),
        ("node-role", "inlinePolicies", UNKNOWN),
        ("aws", "region", UNKNOWN),
        ("trail", "s3BucketName", UNKNOWN),
    ],
)
def test_a_value_that_is_not_known_never_passes(name: str, prop: str, value: Any) -> None:
    s = sealed_region()
    s[name][prop] = value
    assert prove_plan(planned(s)).verdict != "PASS"


def test_a_finding_names_the_line_of_the_program_to_change() -> None:
    s = sealed_region()
    s.add("aws:ec2/internetGateway:InternetGateway", "igw", vpcId=Ref("vpc"))
    document = s.preview()
    document["steps"][-1]["newState"]["sourcePosition"] = "project:///components/aws/legal_segment.py#41"
    finding = next(item for item in prove_plan(parse_plan(document)).findings if "igw" in item.reason)
    assert finding.path[-1] == "change components/aws/legal_segment.py:41, which declares InternetGateway 'igw'"
