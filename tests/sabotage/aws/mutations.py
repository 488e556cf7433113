"""The corpus: each function breaks, or harmlessly changes, one thing of the sealed region.

``SABOTAGE`` maps a name to the change and the ids of which at least one must be among the findings; ``NEWER`` holds those that are younger
than the run of scanners in docs/detection.md; ``BENIGN`` maps a name to a change after which nothing can leave either.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.sabotage.aws.plans import ACCOUNT, ORG, OWN_ONLY, REGION, UNKNOWN, Ref, Stack, document, trust

Change = Callable[[Stack], object]
SABOTAGE: dict[str, tuple[Change, frozenset[str]]] = {}
NEWER: dict[str, tuple[Change, frozenset[str]]] = {}
BENIGN: dict[str, Change] = {}

NOT_KNOWN = frozenset({"AWS-UNKNOWN"})


def breaks(*ids: str, corpus: dict[str, tuple[Change, frozenset[str]]] = SABOTAGE) -> Callable[[Change], Change]:
    def register(change: Change) -> Change:
        corpus[change.__name__.replace("_", " ")] = (change, frozenset(ids))
        return change

    return register


def harmless(change: Change) -> Change:
    BENIGN[change.__name__.replace("_", " ")] = change
    return change


def everyone(action: object = "*", resource: object = "*", **more: object) -> dict[str, object]:
    return {"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource, **more}


def given(operator: str, **keys: object) -> dict[str, object]:
    return {"Condition": {operator: {f"aws:{key}": value for key, value in keys.items()}}}


# Gateways and routes.


@breaks("EG-09")
def internet_gateway_and_default_route(s: Stack) -> None:
    s.add("aws:ec2/internetGateway:InternetGateway", "igw", vpcId=Ref("vpc"))
    s.add("aws:ec2/route:Route", "out", routeTableId=Ref("table"), destinationCidrBlock="0.0.0.0/0", gatewayId=Ref("igw"))


@breaks("EG-09")
def internet_gateway_without_a_route(s: Stack) -> None:
    s.add("aws:ec2/internetGateway:InternetGateway", "igw", vpcId=Ref("vpc"))


@breaks("EG-09")
def inline_route_to_an_internet_gateway(s: Stack) -> None:
    s.add("aws:ec2/internetGateway:InternetGateway", "igw", vpcId=Ref("vpc"))
    s["table"]["routes"] = [{"cidrBlock": "0.0.0.0/0", "gatewayId": Ref("igw")}]


@breaks("EG-09")
def route_to_a_gateway_of_another_stack(s: Stack) -> None:
    s.add(
        "aws:ec2/route:Route", "out", routeTableId=Ref("table"), destinationCidrBlock="198.51.100.0/24", gatewayId="igw-0123456789abcdef0"
    )


@breaks("EG-09")
def two_halves_of_the_internet(s: Stack) -> None:
    s.add("aws:ec2/internetGateway:InternetGateway", "igw", vpcId=Ref("vpc"))
    for number, half in enumerate(("0.0.0.0/1", "128.0.0.0/1")):
        s.add("aws:ec2/route:Route", f"out-{number}", routeTableId=Ref("table"), destinationCidrBlock=half, gatewayId=Ref("igw"))


@breaks("EG-09")
def egress_only_gateway_for_ipv6(s: Stack) -> None:
    s.add("aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway", "eigw", vpcId=Ref("vpc"))
    s.add("aws:ec2/route:Route", "out", routeTableId=Ref("table"), destinationIpv6CidrBlock="::/0", egressOnlyGatewayId=Ref("eigw"))


@breaks("EG-09")
def nat_gateway_in_a_shared_subnet(s: Stack) -> None:
    s.add("aws:ec2/internetGateway:InternetGateway", "igw", vpcId=Ref("vpc"))
    s.add("aws:ec2/routeTable:RouteTable", "shared-table", vpcId=Ref("vpc"), routes=[{"cidrBlock": "0.0.0.0/0", "gatewayId": Ref("igw")}])
    s["subnet-2-table"]["routeTableId"] = Ref("shared-table")
    s.add("aws:ec2/natGateway:NatGateway", "nat", subnetId=Ref("subnet-2"))
    s.add("aws:ec2/route:Route", "out", routeTableId=Ref("table"), destinationCidrBlock="0.0.0.0/0", natGatewayId=Ref("nat"))


@breaks("EG-09")
def transit_gateway_default_route(s: Stack) -> None:
    s.add(
        "aws:ec2/route:Route", "out", routeTableId=Ref("table"), destinationCidrBlock="0.0.0.0/0", transitGatewayId="tgw-0123456789abcdef0"
    )


@breaks("EG-09")
def transit_gateway_attachment(s: Stack) -> None:
    s.add("aws:ec2transitgateway/vpcAttachment:VpcAttachment", "hub", vpcId=Ref("vpc"), transitGatewayId="tgw-0123456789abcdef0",
          subnetIds=[Ref("subnet-0")])  # fmt: skip


@breaks("EG-09")
def peering_with_an_internet_vpc(s: Stack) -> None:
    s.add("aws:ec2/vpcPeeringConnection:VpcPeeringConnection", "peer", vpcId=Ref("vpc"), peerVpcId="vpc-0123456789abcdef0")
    s.add("aws:ec2/route:Route", "out", routeTableId=Ref("table"), destinationCidrBlock="10.99.0.0/16", vpcPeeringConnectionId=Ref("peer"))


@breaks("EG-09")
def peering_without_a_route(s: Stack) -> None:
    s.add("aws:ec2/vpcPeeringConnection:VpcPeeringConnection", "peer", vpcId=Ref("vpc"), peerVpcId="vpc-0123456789abcdef0")


@breaks("EG-09")
def vpn_gateway_that_propagates(s: Stack) -> None:
    s.add("aws:ec2/vpnGateway:VpnGateway", "vgw", vpcId=Ref("vpc"))
    s["table"]["propagatingVgws"] = [Ref("vgw")]


@breaks("EG-09")
def carrier_gateway(s: Stack) -> None:
    s.add("aws:ec2/carrierGateway:CarrierGateway", "carrier", vpcId=Ref("vpc"))


@breaks("EG-09", "AWS-UNKNOWN")
def route_to_an_interface_outside_the_plan(s: Stack) -> None:
    s.add(
        "aws:ec2/route:Route",
        "out",
        routeTableId=Ref("table"),
        destinationCidrBlock="0.0.0.0/0",
        networkInterfaceId="eni-0123456789abcdef0",
    )


@breaks("EG-09")
def second_vpc_with_a_way_out(s: Stack) -> None:
    s.add("aws:ec2/vpc:Vpc", "other", cidrBlock="10.50.0.0/16")
    s.add("aws:ec2/subnet:Subnet", "other-subnet", vpcId=Ref("other"), cidrBlock="10.50.0.0/24")
    s.add("aws:ec2/internetGateway:InternetGateway", "igw", vpcId=Ref("other"))
    s.add("aws:ec2/routeTable:RouteTable", "other-table", vpcId=Ref("other"), routes=[{"cidrBlock": "0.0.0.0/0", "gatewayId": Ref("igw")}])
    s.add("aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation", "other-main", vpcId=Ref("other"), routeTableId=Ref("other-table"))


@breaks("EG-09")
def main_table_replaced_by_one_with_a_way_out(s: Stack) -> None:
    # Only the implicitly associated subnet is concerned.
    s.add("aws:ec2/internetGateway:InternetGateway", "igw", vpcId=Ref("vpc"))
    s.add("aws:ec2/routeTable:RouteTable", "open", vpcId=Ref("vpc"), routes=[{"cidrBlock": "0.0.0.0/0", "gatewayId": Ref("igw")}])
    s["main"]["routeTableId"] = Ref("open")


@breaks("EG-09")
def lattice_endpoint(s: Stack) -> None:
    s.add("aws:ec2/vpcEndpoint:VpcEndpoint", "lattice", vpcId=Ref("vpc"), vpcEndpointType="ServiceNetwork",
          serviceNetworkArn="arn:aws:vpc-lattice:eu-central-1:999999999999:servicenetwork/sn-1")  # fmt: skip


@breaks("AWS-TYPE")
def lattice_association(s: Stack) -> None:
    s.add("aws:vpclattice/serviceNetworkVpcAssociation:ServiceNetworkVpcAssociation", "lattice", vpcIdentifier=Ref("vpc"))


@breaks("EG-09")
def privatelink_to_a_foreign_service(s: Stack) -> None:
    s.add("aws:ec2/vpcEndpoint:VpcEndpoint", "foreign", vpcId=Ref("vpc"), vpcEndpointType="Interface", policy=s["endpoint-sts"]["policy"],
          serviceName=f"com.amazonaws.vpce.{REGION}.vpce-svc-0123456789abcdef0")  # fmt: skip


@breaks("EG-09")
def block_of_public_access_exempts_the_vpc(s: Stack) -> None:
    s.add("aws:ec2/vpcBlockPublicAccessExclusion:VpcBlockPublicAccessExclusion", "exempt", vpcId=Ref("vpc"),
          internetGatewayExclusionMode="allow-bidirectional")  # fmt: skip


@breaks("EG-09")
def block_of_public_access_one_way(s: Stack) -> None:
    s["bpa"]["internetGatewayBlockMode"] = "block-ingress"


# Groups and access lists.


@breaks("EG-10")
def group_https_to_the_world(s: Stack) -> None:
    s["nodes"]["egress"] = [{"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["0.0.0.0/0"]}]


@breaks("EG-10")
def group_everything_over_ipv6(s: Stack) -> None:
    s["gateway"]["egress"].append({"protocol": "-1", "fromPort": 0, "toPort": 0, "ipv6CidrBlocks": ["::/0"]})


@breaks("EG-10")
def group_rule_to_one_foreign_address(s: Stack) -> None:
    s["nodes-vpc"]["cidrBlocks"] = ["10.40.0.0/16", "203.0.113.7/32"]


@breaks("EG-10")
def egress_rule_udp_to_the_world(s: Stack) -> None:
    s.add("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "dns-out", securityGroupId=Ref("gateway"), ipProtocol="udp",
          fromPort=53, toPort=53, cidrIpv4="0.0.0.0/0")  # fmt: skip


@breaks("EG-10")
def own_network_widened_by_a_bit(s: Stack) -> None:
    s["nodes-vpc"]["cidrBlocks"] = ["10.40.0.0/15"]


@breaks("EG-10")
def prefix_list_that_holds_the_world(s: Stack) -> None:
    s.add("aws:ec2/managedPrefixList:ManagedPrefixList", "partners", maxEntries=2, addressFamily="IPv4",
          entries=[{"cidr": "10.40.0.0/16"}, {"cidr": "0.0.0.0/0"}])  # fmt: skip
    s["nodes-s3"]["prefixListId"] = Ref("partners")


@breaks("EG-10")
def prefix_list_entry_added_apart(s: Stack) -> None:
    s.add("aws:ec2/managedPrefixList:ManagedPrefixList", "partners", maxEntries=2, addressFamily="IPv4")
    s.add("aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry", "partner", prefixListId=Ref("partners"), cidr="198.51.100.0/24")
    s["nodes-s3"]["prefixListId"] = Ref("partners")


@breaks("AWS-UNKNOWN")
def prefix_list_of_another_stack(s: Stack) -> None:
    s["nodes-s3"]["prefixListId"] = "pl-0123456789abcdef0"


@breaks("AWS-UNKNOWN")
def group_of_another_account(s: Stack) -> None:
    s["nodes-endpoints"]["referencedSecurityGroupId"] = "999999999999/sg-0123456789abcdef0"


@breaks("EG-11")
def default_group_not_adopted(s: Stack) -> None:
    s.remove("default-group")


@breaks("EG-11")
def default_group_adopted_with_egress(s: Stack) -> None:
    s["default-group"]["egress"] = [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}]


@breaks("EG-11")
def default_access_list_not_adopted(s: Stack) -> None:
    s.remove("default-acl")


@breaks("EG-11")
def access_list_allows_all(s: Stack) -> None:
    s["acl"]["egress"].insert(0, {"ruleNo": 90, "action": "allow", "protocol": "-1", "cidrBlock": "0.0.0.0/0", "fromPort": 0, "toPort": 0})


@breaks("EG-11")
def access_list_allows_ipv6_before_it_denies(s: Stack) -> None:
    s.add("aws:ec2/networkAclRule:NetworkAclRule", "early", networkAclId=Ref("acl"), ruleNumber=115, egress=True, protocol="17",
          ruleAction="allow", ipv6CidrBlock="2000::/3", fromPort=443, toPort=443)  # fmt: skip


@breaks("AWS-UNKNOWN")
def access_list_whose_rules_tie(s: Stack) -> None:
    s.add("aws:ec2/networkAclRule:NetworkAclRule", "tie", networkAclId=Ref("acl"), ruleNumber=100, egress=True, protocol="-1",
          ruleAction="deny", cidrBlock="0.0.0.0/0")  # fmt: skip


@breaks("EG-09")
def subnet_gives_public_addresses(s: Stack) -> None:
    s["subnet-1"]["mapPublicIpOnLaunch"] = True


@breaks("EG-09")
def machine_with_a_public_address(s: Stack) -> None:
    s["machine"]["networkInterfaces"] = [{"associatePublicIpAddress": "true", "securityGroups": [Ref("nodes")]}]


@breaks("EG-09")
def elastic_address(s: Stack) -> None:
    s.add("aws:ec2/eip:Eip", "address", domain="vpc")


@breaks("EG-09")
def balancer_that_faces_the_internet(s: Stack) -> None:
    s.add("aws:lb/loadBalancer:LoadBalancer", "front", loadBalancerType="network", internal=False, subnets=[Ref("subnet-0")])


@breaks("EG-09")
def traffic_mirror(s: Stack) -> None:
    s.add("aws:ec2/trafficMirrorSession:TrafficMirrorSession", "mirror", sessionNumber=1)


@breaks("EG-09")
def instance_in_the_default_vpc(s: Stack) -> None:
    s.add("aws:ec2/instance:Instance", "stray", instanceType="t3.micro", metadataOptions={"httpEndpoint": "disabled"})


# Names.


@breaks("EG-01")
def dns_firewall_absent(s: Stack) -> None:
    s.remove("dns-vpc")


@breaks("EG-01")
def dns_firewall_only_alerts(s: Stack) -> None:
    s["dns-block"]["action"] = "ALERT"


@breaks("EG-01")
def dns_firewall_fails_open(s: Stack) -> None:
    s["dns-closed"]["firewallFailOpen"] = "ENABLED"


@breaks("EG-01")
def dns_alert_before_block(s: Stack) -> None:
    s.add("aws:route53/resolverFirewallRule:ResolverFirewallRule", "watch", firewallRuleGroupId=Ref("dns"),
          firewallDomainListId=Ref("all-names"), action="ALERT", priority=150)  # fmt: skip


@breaks("EG-01")
def dns_allow_of_a_foreign_name(s: Stack) -> None:
    s["own-names"]["domains"].append("*.evil.example.")


@breaks("EG-01")
def dns_block_lists_some_names_only(s: Stack) -> None:
    s["all-names"]["domains"] = ["*.example.com."]


@breaks("EG-01")
def dns_block_of_one_record_type(s: Stack) -> None:
    s["dns-block"]["qType"] = "TXT"


@breaks("EG-01")
def dns_group_allows_all_at_an_earlier_priority(s: Stack) -> None:
    s.add("aws:route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup", "early")
    s.add("aws:route53/resolverFirewallRule:ResolverFirewallRule", "early-allow", firewallRuleGroupId=Ref("early"),
          firewallDomainListId=Ref("all-names"), action="ALLOW", priority=1)  # fmt: skip
    s.add("aws:route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation", "early-vpc", vpcId=Ref("vpc"),
          firewallRuleGroupId=Ref("early"), priority=100)  # fmt: skip


@breaks("EG-02")
def resolver_rule_to_a_foreign_server(s: Stack) -> None:
    s.add(
        "aws:route53/resolverRule:ResolverRule",
        "forward",
        domainName="partner.example",
        ruleType="FORWARD",
        targetIps=[{"ip": "203.0.113.53"}],
    )


@breaks("EG-02")
def dhcp_gives_a_foreign_resolver(s: Stack) -> None:
    s.add("aws:ec2/vpcDhcpOptions:VpcDhcpOptions", "dhcp", domainNameServers=["198.51.100.53"])


@breaks("EG-15")
def dhcp_gives_public_time(s: Stack) -> None:
    s.add("aws:ec2/vpcDhcpOptions:VpcDhcpOptions", "dhcp", domainNameServers=["AmazonProvidedDNS"], ntpServers=["198.51.100.123"])


@breaks("EG-01")
def public_zone(s: Stack) -> None:
    del s["zone"]["vpcs"]


# Policies.


@breaks("EG-03")
def bucket_endpoint_with_the_default_policy(s: Stack) -> None:
    del s["s3"]["policy"]


@breaks("EG-06")
def interface_endpoint_with_the_default_policy(s: Stack) -> None:
    del s["endpoint-logs"]["policy"]


@breaks("EG-03")
def bucket_endpoint_with_a_wildcard_name(s: Stack) -> None:
    condition = given("StringEquals", PrincipalOrgID=ORG)
    s["s3"]["policy"] = document(everyone("s3:*", "arn:aws:s3:::curtilage-*", **condition))


@breaks("EG-06")
def endpoint_without_principal_org(s: Stack) -> None:
    s["endpoint-sts"]["policy"] = document(everyone(**given("StringEquals", ResourceOrgID=ORG)))


@breaks("EG-06")
def endpoint_without_resource_org(s: Stack) -> None:
    s["endpoint-sts"]["policy"] = document(everyone(**given("StringEquals", PrincipalOrgID=ORG)))


@breaks("EG-06")
def endpoint_with_if_exists(s: Stack) -> None:
    s["endpoint-logs"]["policy"] = document(everyone(**given("StringEqualsIfExists", PrincipalOrgID=ORG, ResourceOrgID=ORG)))


@breaks("EG-06")
def endpoint_with_for_all_values(s: Stack) -> None:
    s["endpoint-logs"]["policy"] = document(everyone(**given("ForAllValues:StringEquals", PrincipalOrgID=ORG, ResourceOrgID=ORG)))


@breaks("EG-06")
def endpoint_conditions_split_over_two_statements(s: Stack) -> None:
    parts = (given("StringEquals", PrincipalOrgID=ORG), given("StringEquals", ResourceOrgID=ORG))
    s["endpoint-logs"]["policy"] = document(*(everyone(**part) for part in parts))


@breaks("EG-06")
def endpoint_with_not_action_left_open(s: Stack) -> None:
    open_rest = {"Effect": "Allow", "Principal": "*", "NotAction": "logs:Delete*", "Resource": "*"}
    s["endpoint-logs"]["policy"] = document(everyone(Condition=OWN_ONLY), open_rest)


@breaks("EG-06")
def endpoint_whose_deny_forgets_the_anonymous(s: Stack) -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", **given("StringNotEqualsIfExists", PrincipalOrgID=ORG)}
    null = {"Null": {"aws:PrincipalOrgID": "false"}, "StringNotEquals": {"aws:PrincipalOrgID": ORG}}
    s["endpoint-logs"]["policy"] = document(everyone(), deny | {"Condition": null})


@breaks("EG-06")
def endpoint_of_another_organisation(s: Stack) -> None:
    s["endpoint-kms"]["policy"] = document(everyone(**given("StringEquals", PrincipalOrgID="o-someoneelse", ResourceOrgID="o-someoneelse")))


@breaks("EG-06")
def endpoint_with_a_like_pattern(s: Stack) -> None:
    s["endpoint-kms"]["policy"] = document(everyone(**given("StringLike", PrincipalOrgID="o-*", ResourceOrgID="o-*")))


@breaks("EG-06", "AWS-UNKNOWN")
def endpoint_with_an_operator_nobody_knows(s: Stack) -> None:
    s["endpoint-kms"]["policy"] = document(everyone(**given("StringResembles", PrincipalOrgID=ORG)))


@breaks("AWS-UNKNOWN")
def endpoint_policy_not_known(s: Stack) -> None:
    s["endpoint-kms"]["policy"] = UNKNOWN


@breaks("AWS-UNKNOWN")
def endpoint_policy_is_no_policy(s: Stack) -> None:
    s["endpoint-kms"]["policy"] = "{not json"


@breaks("EG-05")
def bucket_policy_for_everyone(s: Stack) -> None:
    s["logs-policy"]["policy"] = document(everyone("s3:GetObject", "arn:aws:s3:::curtilage-legal-logs/*"))


@breaks("EG-05")
def bucket_policy_with_not_principal(s: Stack) -> None:
    allow = {"Effect": "Allow", "NotPrincipal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "s3:GetObject", "Resource": "*"}
    s["logs-policy"]["policy"] = document(allow)


@breaks("EG-05")
def bucket_policy_for_a_content_network(s: Stack) -> None:
    cdn = {"Effect": "Allow", "Principal": {"Service": "cloudfront.amazonaws.com"}, "Action": "s3:GetObject", "Resource": "*"}
    s["logs-policy"]["policy"] = document(cdn)


@breaks("EG-05")
def key_policy_for_another_account(s: Stack) -> None:
    grant = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999999999999:root"}, "Action": "kms:Decrypt", "Resource": "*"}
    s["key"]["policy"] = document(json.loads(s["key"]["policy"])["Statement"][0], grant)


@breaks("EG-18")
def role_that_another_account_may_assume(s: Stack) -> None:
    entry = {"Effect": "Allow", "Principal": {"AWS": "999999999999"}, "Action": "sts:AssumeRole"}
    s["node-role"]["assumeRolePolicy"] = document(json.loads(trust("ec2.amazonaws.com"))["Statement"][0], entry)


@breaks("EG-18")
def role_that_may_do_everything(s: Stack) -> None:
    s["node-logs"]["policy"] = document({"Effect": "Allow", "Action": "*", "Resource": "*"})


@breaks("EG-18")
def role_that_may_do_all_but(s: Stack) -> None:
    s["node-logs"]["policy"] = document({"Effect": "Allow", "NotAction": ["iam:*", "s3:*"], "Resource": "*"})


@breaks("EG-18")
def role_that_writes_to_any_bucket(s: Stack) -> None:
    s["node-logs"]["policy"] = document({"Effect": "Allow", "Action": "s3:Put*", "Resource": "*"})


@breaks("EG-18")
def administrator_attached(s: Stack) -> None:
    s["cluster-role-eks"]["policyArn"] = "arn:aws:iam::aws:policy/AdministratorAccess"


@breaks("EG-07")
def sessions_policy_attached(s: Stack) -> None:
    s["cluster-role-eks"]["policyArn"] = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"


@breaks("AWS-UNKNOWN")
def policy_of_another_stack_attached(s: Stack) -> None:
    s["cluster-role-eks"]["policyArn"] = f"arn:aws:iam::{ACCOUNT}:policy/elsewhere"


# Services with a path of their own.


@breaks("EG-07")
def session_endpoint(s: Stack) -> None:
    s.add("aws:ec2/vpcEndpoint:VpcEndpoint", "sessions", vpcId=Ref("vpc"), vpcEndpointType="Interface", policy=s["endpoint-sts"]["policy"],
          serviceName=f"com.amazonaws.{REGION}.ssmmessages")  # fmt: skip


@breaks("EG-07")
def session_document_that_forwards_ports(s: Stack) -> None:
    content = json.dumps({"schemaVersion": "1.0", "sessionType": "Port", "properties": {"portNumber": "443"}})
    s.add("aws:ssm/document:Document", "tunnel", documentType="Session", content=content)


@breaks("EG-08")
def instance_connect_endpoint(s: Stack) -> None:
    s.add("aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint", "connect", subnetId=Ref("subnet-0"))


@breaks("EG-13")
def firewall_without_a_stateful_default(s: Stack) -> None:
    s.add("aws:networkfirewall/firewallPolicy:FirewallPolicy", "policy", firewallPolicy={
        "statelessDefaultActions": ["aws:forward_to_sfe"], "statelessFragmentDefaultActions": ["aws:forward_to_sfe"],
        "statefulEngineOptions": {"ruleOrder": "STRICT_ORDER"}})  # fmt: skip


@breaks("EG-13")
def firewall_in_action_order(s: Stack) -> None:
    s.add("aws:networkfirewall/firewallPolicy:FirewallPolicy", "policy", firewallPolicy={
        "statelessDefaultActions": ["aws:forward_to_sfe"], "statelessFragmentDefaultActions": ["aws:forward_to_sfe"]})  # fmt: skip


@breaks("EG-13")
def firewall_rule_that_passes_everything(s: Stack) -> None:
    rule = "pass tcp any any -> any any (sid:1;)"
    s.add(
        "aws:networkfirewall/ruleGroup:RuleGroup", "rules", type="STATEFUL", capacity=10, ruleGroup={"rulesSource": {"rulesString": rule}}
    )


@breaks("EG-14")
def firewall_by_names_alone(s: Stack) -> None:
    names = {"generatedRulesType": "ALLOWLIST", "targetTypes": ["TLS_SNI"], "targets": [".example.com"]}
    s.add(
        "aws:networkfirewall/ruleGroup:RuleGroup",
        "rules",
        type="STATEFUL",
        capacity=10,
        ruleGroup={"rulesSource": {"rulesSourceList": names}},
    )


@breaks("EG-16")
def metadata_version_one(s: Stack) -> None:
    s["machine"]["metadataOptions"]["httpTokens"] = "optional"


@breaks("EG-16")
def metadata_hop_limit_two(s: Stack) -> None:
    s["machine"]["metadataOptions"]["httpPutResponseHopLimit"] = 2


@breaks("EG-16", "EG-10")
def nodes_without_a_launch_template(s: Stack) -> None:
    del s["gpu"]["launchTemplate"]


@breaks("EG-10")
def nodes_in_the_clusters_own_group(s: Stack) -> None:
    del s["machine"]["vpcSecurityGroupIds"]


@breaks("EG-19")
def public_cluster_endpoint(s: Stack) -> None:
    s["cluster"]["vpcConfig"]["endpointPublicAccess"] = True


@breaks("EG-19")
def cluster_endpoint_left_to_its_default(s: Stack) -> None:
    del s["cluster"]["vpcConfig"]["endpointPublicAccess"]


@breaks("EG-24")
def network_policies_not_enforced(s: Stack) -> None:
    s["cni"]["configurationValues"] = json.dumps({"env": {"NETWORK_POLICY_ENFORCING_MODE": "strict"}})


@breaks("EG-21")
def pods_start_open(s: Stack) -> None:
    s["cni"]["configurationValues"] = json.dumps({"enableNetworkPolicy": "true"})


@breaks("EG-24")
def no_network_plugin(s: Stack) -> None:
    s.remove("cni")


@breaks("EG-18")
def function_outside_the_vpc(s: Stack) -> None:
    s.add("aws:lambda/function:Function", "function", role=Ref("node-role", "arn"), runtime="python3.12")


@breaks("EG-18")
def event_destination(s: Stack) -> None:
    s.add("aws:cloudwatch/eventApiDestination:EventApiDestination", "hook", httpMethod="POST", invocationEndpoint="https://hook.example")


@breaks("EG-18")
def event_target_of_another_account(s: Stack) -> None:
    s.add("aws:cloudwatch/eventTarget:EventTarget", "target", rule="r", arn="arn:aws:events:eu-central-1:999999999999:event-bus/default")


@breaks("EG-18")
def mail_subscription(s: Stack) -> None:
    s.add("aws:sns/topicSubscription:TopicSubscription", "mail", protocol="email", endpoint="someone@example.com", topic="t")


@breaks("EG-18")
def mail_identity(s: Stack) -> None:
    s.add("aws:ses/domainIdentity:DomainIdentity", "mail", domain="example.com")


@breaks("EG-03")
def replication_to_a_foreign_bucket(s: Stack) -> None:
    s.add("aws:s3/bucketReplicationConfig:BucketReplicationConfig", "copy", bucket=Ref("logs"), role=Ref("node-role", "arn"),
          rules=[{"status": "Enabled", "destination": {"bucket": "arn:aws:s3:::somewhere-else"}}])  # fmt: skip


@breaks("AWS-REGION")
def multi_region_key(s: Stack) -> None:
    s["key"]["multiRegion"] = True


@breaks("AWS-REGION")
def bucket_in_another_region(s: Stack) -> None:
    s["logs"]["region"] = "us-east-1"


@breaks("AWS-REGION")
def images_replicated(s: Stack) -> None:
    rule = {"destinations": [{"region": "us-east-1", "registryId": ACCOUNT}]}
    s.add("aws:ecr/replicationConfiguration:ReplicationConfiguration", "copies", replicationConfiguration={"rules": [rule]})


@breaks("AWS-LOGS")
def log_bucket_without_lock(s: Stack) -> None:
    s.remove("logs-lock")


@breaks("EG-18", "AWS-LOGS")
def flow_log_to_a_foreign_bucket(s: Stack) -> None:
    s["flows"]["logDestination"] = "arn:aws:s3:::collector-of-someone-else"


@breaks("EG-18")
def log_subscription_of_another_account(s: Stack) -> None:
    s.add("aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter", "stream", logGroup=Ref("cluster-log", "name"), filterPattern="",
          destinationArn="arn:aws:logs:eu-central-1:999999999999:destination:x")  # fmt: skip


@breaks("EG-18")
def shared_snapshot(s: Stack) -> None:
    s.add("aws:ec2/snapshotCreateVolumePermission:SnapshotCreateVolumePermission", "share", snapshotId="snap-1", accountId="999999999999")


@breaks("EG-18")
def shared_image(s: Stack) -> None:
    s.add("aws:ec2/amiLaunchPermission:AmiLaunchPermission", "share", imageId="ami-1", group="all")


@breaks("EG-18")
def build_outside_the_vpc(s: Stack) -> None:
    s.add("aws:codebuild/project:Project", "build", serviceRole=Ref("node-role", "arn"))


@breaks("EG-05")
def public_access_block_off(s: Stack) -> None:
    s["logs-block"]["blockPublicPolicy"] = False


@breaks("EG-18")
def resource_share_outside(s: Stack) -> None:
    s.add("aws:ram/resourceShare:ResourceShare", "share", allowExternalPrincipals=True)


# What is not known.


@breaks("AWS-TYPE")
def type_that_nobody_knows(s: Stack) -> None:
    s.add("aws:quantumlink/tunnel:Tunnel", "tunnel", target="203.0.113.1")


@breaks("AWS-TYPE")
def type_of_another_provider(s: Stack) -> None:
    s.add("cloudflare:index/tunnel:Tunnel", "tunnel")


@breaks("AWS-TYPE")
def command_on_the_operators_machine(s: Stack) -> None:
    s.add("command:local:Command", "run", create="true")


@breaks("AWS-UNKNOWN")
def subnet_whose_vpc_is_not_known(s: Stack) -> None:
    s["subnet-1"]["vpcId"] = UNKNOWN


@breaks("AWS-UNKNOWN")
def group_rule_whose_network_is_not_known(s: Stack) -> None:
    s["nodes-vpc"]["cidrBlocks"] = [UNKNOWN]


@breaks("AWS-UNKNOWN")
def route_whose_destination_is_not_known(s: Stack) -> None:
    s.add("aws:ec2/route:Route", "out", routeTableId=Ref("table"), destinationCidrBlock=UNKNOWN, natGatewayId=UNKNOWN)


@breaks("AWS-UNKNOWN")
def balancer_made_by_the_cluster(s: Stack) -> None:
    s.add("kubernetes:core/v1:Service", "front", spec={"type": "LoadBalancer"})


# Harmless.


# References out of the plan, and sinks that no route shows.

FOREIGN_TOPIC = f"arn:aws:sns:{REGION}:999999999999:outside"


@breaks("AWS-UNKNOWN")
def resolver_rule_shared_by_another_account(s: Stack) -> None:
    s.add("aws:route53/resolverRuleAssociation:ResolverRuleAssociation", "shared", vpcId=Ref("vpc"),
          resolverRuleId="rslvr-rr-0123456789abcdef0")  # fmt: skip


@breaks("AWS-UNKNOWN")
def name_servers_of_options_outside_the_plan(s: Stack) -> None:
    s.add(
        "aws:ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation", "options", vpcId=Ref("vpc"), dhcpOptionsId="dopt-0123456789abcdef0"
    )


@breaks("AWS-UNKNOWN")
def query_log_of_another_account(s: Stack) -> None:
    s.add("aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation", "log", resourceId=Ref("vpc"),
          resolverQueryLogConfigId="rqlc-0123456789abcdef0")  # fmt: skip


@breaks("EG-18")
def bucket_notices_to_a_foreign_topic(s: Stack) -> None:
    s.add("aws:s3/bucketNotification:BucketNotification", "notices", bucket=Ref("logs"),
          topics=[{"topicArn": FOREIGN_TOPIC, "events": ["s3:ObjectCreated:*"]}])  # fmt: skip


@breaks("EG-18")
def alarm_to_a_foreign_topic(s: Stack) -> None:
    s.add("aws:cloudwatch/metricAlarm:MetricAlarm", "alarm", comparisonOperator="GreaterThanThreshold", alarmActions=[FOREIGN_TOPIC])


@breaks("EG-18")
def balancer_logs_to_a_foreign_bucket(s: Stack) -> None:
    s.add("aws:lb/loadBalancer:LoadBalancer", "inner", internal=True, accessLogs={"bucket": "foreign-bucket", "enabled": True})


@breaks("EG-09")
def balancer_target_outside(s: Stack) -> None:
    s.add("aws:lb/targetGroupAttachment:TargetGroupAttachment", "target", targetGroupArn="arn:x", targetId="172.31.0.9", port=443)


@breaks("EG-18")
def balancer_that_asks_an_identity_provider(s: Stack) -> None:
    oidc = {"issuer": "https://login.example", "clientId": "a", "clientSecret": "not-shown-anywhere"}
    s.add("aws:lb/listener:Listener", "listener", port=443, defaultActions=[{"type": "authenticate-oidc", "authenticateOidc": oidc}])


@breaks("EG-18")
def records_streamed_to_an_http_address(s: Stack) -> None:
    s.add("aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream", "stream", destination="http_endpoint",
          httpEndpointConfiguration={"url": "https://collect.example"})  # fmt: skip


@breaks("EG-06")
def mail_endpoint(s: Stack) -> None:
    own = s["endpoint-sts"]["policy"]
    s.add("aws:ec2/vpcEndpoint:VpcEndpoint", "mail", vpcId=Ref("vpc"), serviceName=f"com.amazonaws.{REGION}.email-smtp",
          vpcEndpointType="Interface", policy=own)  # fmt: skip


@breaks("EG-06", corpus=NEWER)
def endpoint_of_a_vendors_models(s: Stack) -> None:
    s.add("aws:ec2/vpcEndpoint:VpcEndpoint", "models", vpcId=Ref("vpc"), serviceName=f"com.amazonaws.{REGION}.bedrock-runtime",
          vpcEndpointType="Interface", policy=document(everyone(Condition=OWN_ONLY)))  # fmt: skip


@breaks("AWS-REGION", corpus=NEWER)
def privatelink_service_for_another_region(s: Stack) -> None:
    s.add("aws:ec2/vpcEndpointService:VpcEndpointService", "crm", acceptanceRequired=True, networkLoadBalancerArns=[],
          allowedPrincipals=[f"arn:aws:iam::{ACCOUNT}:root"], supportedRegions=["us-east-1"])  # fmt: skip


@breaks("EG-18", corpus=NEWER)
def cluster_entered_from_another_account(s: Stack) -> None:
    s.add("aws:eks/accessEntry:AccessEntry", "theirs", clusterName=Ref("cluster", "name"),
          principalArn="arn:aws:iam::999900001111:role/x")  # fmt: skip


@breaks("EG-18", corpus=NEWER)
def trail_that_tells_another_account(s: Stack) -> None:
    s["trail"]["snsTopicName"] = f"arn:aws:sns:{REGION}:999900001111:x"


@breaks("AWS-REGION")
def secret_copied_to_another_region(s: Stack) -> None:
    s.add("aws:secretsmanager/secret:Secret", "secret", replicas=[{"region": "us-east-1"}])


@breaks("EG-18")
def role_for_a_public_code_host(s: Stack) -> None:
    host = "token.actions.githubusercontent.com"
    s["node-role"]["assumeRolePolicy"] = document(
        {"Effect": "Allow", "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"},
         "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringLike": {f"{host}:sub": "repo:legal/*"}}}
    )  # fmt: skip


@breaks("AWS-UNKNOWN")
def interface_with_a_group_of_another_stack(s: Stack) -> None:
    s.add("aws:ec2/networkInterface:NetworkInterface", "interface", subnetId=Ref("subnet-0"), securityGroups=["sg-0123456789abcdef0"])


@breaks("AWS-UNKNOWN")
def machine_in_a_subnet_of_another_stack(s: Stack) -> None:
    s["gpu"]["subnetIds"] = ["subnet-0123456789abcdef0"]


@breaks("AWS-UNKNOWN")
def scaling_group_with_a_template_of_another_stack(s: Stack) -> None:
    s.add("aws:autoscaling/group:Group", "fleet", vpcZoneIdentifiers=[Ref("subnet-0")], launchTemplate={"id": "lt-0123456789abcdef0"})


@breaks("AWS-UNKNOWN")
def role_of_another_stack_for_pods(s: Stack) -> None:
    s.add("aws:eks/podIdentityAssociation:PodIdentityAssociation", "pods", clusterName=Ref("cluster", "name"), namespace="legal",
          serviceAccount="vllm", roleArn=f"arn:aws:iam::{ACCOUNT}:role/everything")  # fmt: skip


@breaks("AWS-UNKNOWN", "EG-10")
def group_rule_to_an_address_that_is_not_known(s: Stack) -> None:
    # It depends on the VPC as well, which must not make the address an own one.
    s.add("aws:ec2/instance:Instance", "relay", subnetId=Ref("subnet-0"), vpcSecurityGroupIds=[Ref("nodes")],
          metadataOptions={"httpEndpoint": "disabled"})  # fmt: skip
    s["nodes-vpc"]["cidrBlocks"] = [Ref("vpc", "cidrBlock"), Ref("relay", "publicIp")]


@breaks("EG-01")
def names_below_a_zone_of_another_vpc(s: Stack) -> None:
    s.add("aws:ec2/vpc:Vpc", "other", cidrBlock="10.50.0.0/16", enableDnsSupport=False)
    s.add("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "other-group", vpcId=Ref("other"))
    s.add("aws:ec2/defaultNetworkAcl:DefaultNetworkAcl", "other-acl", defaultNetworkAclId=Ref("other", "defaultNetworkAclId"))
    s.add("aws:route53/zone:Zone", "elsewhere", name="legal.example", vpcs=[{"vpcId": Ref("other")}])
    s["own-names"]["domains"].append("*.legal.example.")


@harmless
def nothing_changes(s: Stack) -> None:
    pass


@harmless
def another_subnet(s: Stack) -> None:
    s.add("aws:ec2/subnet:Subnet", "subnet-9", vpcId=Ref("vpc"), cidrBlock="10.40.9.0/24")


@harmless
def another_group_without_rules(s: Stack) -> None:
    s.add("aws:ec2/securityGroup:SecurityGroup", "idle", vpcId=Ref("vpc"))


@harmless
def group_rule_inside_the_vpc(s: Stack) -> None:
    s["nodes-vpc"]["cidrBlocks"] = ["10.40.3.0/24", "10.40.7.16/28"]


@harmless
def access_list_rules_renumbered(s: Stack) -> None:
    for rule in s["acl"]["egress"]:
        rule["ruleNo"] += 5


@harmless
def access_list_denies_more(s: Stack) -> None:
    s["acl"]["egress"].insert(
        0, {"ruleNo": 10, "action": "deny", "protocol": "udp", "cidrBlock": "0.0.0.0/0", "fromPort": 0, "toPort": 65535}
    )


@harmless
def labels_change(s: Stack) -> None:
    s["vpc"]["tags"] = {"curtilage:segment": "legal", "owner": "legal"}


@harmless
def names_in_another_order(s: Stack) -> None:
    s["own-names"]["domains"].reverse()


@harmless
def one_more_own_name(s: Stack) -> None:
    s["own-names"]["domains"].append("gateway.legal.internal.")


@harmless
def endpoint_with_allow_all_and_two_denies(s: Stack) -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    s["endpoint-logs"]["policy"] = document(
        everyone(),
        deny | given("StringNotEquals", PrincipalOrgID=ORG),
        deny | given("StringNotEquals", ResourceOrgID=ORG),
    )


@harmless
def endpoint_narrowed_to_one_bucket(s: Stack) -> None:
    arns = ["arn:aws:s3:::curtilage-legal-logs", "arn:aws:s3:::curtilage-legal-logs/*"]
    s["s3"]["policy"] = document(everyone(["s3:GetObject", "s3:PutObject"], arns, **given("StringEquals", PrincipalOrgID=ORG)))


@harmless
def endpoint_policy_with_a_policy_variable(s: Stack) -> None:
    own = {"StringEquals": {"aws:PrincipalOrgID": ORG, "aws:ResourceOrgID": "${aws:PrincipalOrgID}"}}
    s["endpoint-sts"]["policy"] = document(everyone(Condition=own))


@harmless
def endpoint_for_all_values_with_a_null_test(s: Stack) -> None:
    safe = {
        "ForAllValues:StringEquals": {"aws:PrincipalOrgID": ORG, "aws:ResourceOrgID": ORG},
        "Null": {"aws:PrincipalOrgID": "false", "aws:ResourceOrgID": "false"},
    }
    s["endpoint-sts"]["policy"] = document(everyone(Condition=safe))


@harmless
def peering_between_two_sealed_vpcs(s: Stack) -> None:
    s.add("aws:ec2/vpc:Vpc", "twin", cidrBlock="10.41.0.0/16", enableDnsSupport=False)
    s.add("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", "twin-group", vpcId=Ref("twin"))
    s.add("aws:ec2/defaultNetworkAcl:DefaultNetworkAcl", "twin-acl", defaultNetworkAclId=Ref("twin", "defaultNetworkAclId"))
    s.add("aws:ec2/subnet:Subnet", "twin-subnet", vpcId=Ref("twin"), cidrBlock="10.41.0.0/24")
    s.add("aws:ec2/vpcPeeringConnection:VpcPeeringConnection", "peer", vpcId=Ref("vpc"), peerVpcId=Ref("twin"), autoAccept=True)
    s.add(
        "aws:ec2/route:Route", "to-twin", routeTableId=Ref("table"), destinationCidrBlock="10.41.0.0/16", vpcPeeringConnectionId=Ref("peer")
    )


@harmless
def resolver_switched_off(s: Stack) -> None:
    s["vpc"]["enableDnsSupport"] = False
    s.remove("dns-vpc")


@harmless
def function_inside_the_vpc(s: Stack) -> None:
    s.add("aws:lambda/function:Function", "function", role=Ref("node-role", "arn"), runtime="python3.12",
          vpcConfig={"subnetIds": [Ref("subnet-0")], "securityGroupIds": [Ref("nodes")]})  # fmt: skip


@harmless
def metadata_switched_off(s: Stack) -> None:
    s["machine"]["metadataOptions"] = {"httpEndpoint": "disabled"}


@harmless
def another_node_group(s: Stack) -> None:
    s.add("aws:eks/nodeGroup:NodeGroup", "cpu", clusterName=Ref("cluster", "name"), nodeRoleArn=Ref("node-role", "arn"),
          subnetIds=[Ref("subnet-1")], launchTemplate={"id": Ref("machine"), "version": "$Latest"})  # fmt: skip


@harmless
def kubernetes_objects_beside(s: Stack) -> None:
    s.add("kubernetes:core/v1:Namespace", "legal-ns", metadata={"name": "legal"})
    s.add("kubernetes:core/v1:Service", "gateway-service", spec={"type": "ClusterIP"})


@harmless
def secondary_network(s: Stack) -> None:
    s.add("aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation", "more", vpcId=Ref("vpc"), cidrBlock="10.60.0.0/16")
    s["nodes-vpc"]["cidrBlocks"] = ["10.40.0.0/16", "10.60.0.0/16"]


@harmless
def internal_balancer(s: Stack) -> None:
    s.add("aws:lb/loadBalancer:LoadBalancer", "inner", loadBalancerType="network", internal=True, subnets=[Ref("subnet-0")])


@harmless
def pods_with_a_role_of_the_plan(s: Stack) -> None:
    s.add("aws:eks/podIdentityAssociation:PodIdentityAssociation", "pods", clusterName=Ref("cluster", "name"), namespace="legal",
          serviceAccount="vllm", roleArn=Ref("node-role", "arn"))  # fmt: skip


@harmless
def scaling_group_of_the_plans_own_template(s: Stack) -> None:
    s.add("aws:autoscaling/group:Group", "fleet", vpcZoneIdentifiers=[Ref("subnet-0"), Ref("subnet-1")],
          launchTemplate={"id": Ref("machine"), "version": "$Latest"})  # fmt: skip


@harmless
def alarm_to_an_own_topic(s: Stack) -> None:
    s.add("aws:sns/topic:Topic", "alarms")
    s.add("aws:cloudwatch/metricAlarm:MetricAlarm", "alarm", comparisonOperator="GreaterThanThreshold", alarmActions=[Ref("alarms", "arn")])


@harmless
def names_below_an_own_zone(s: Stack) -> None:
    s.add("aws:route53/zone:Zone", "intercepted", name="api.openai.example", vpcs=[{"vpcId": Ref("vpc")}])
    s["own-names"]["domains"].append("*.api.openai.example.")


@harmless
def role_for_pods_by_the_clusters_own_identity(s: Stack) -> None:
    host = f"oidc.eks.{REGION}.amazonaws.com/id/0123456789ABCDEF"
    s.add("aws:iam/role:Role", "pod-role", assumeRolePolicy=document(
        {"Effect": "Allow", "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"},
         "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {f"{host}:sub": "system:serviceaccount:legal:vllm"}}}
    ))  # fmt: skip


# Recovery points, and the registry of EKS's add-ons.


def _backed_up(s: Stack, **rule: object) -> None:
    s.add("aws:backup/vault:Vault", "vault", name="de-frankfurt")
    s.add("aws:backup/plan:Plan", "backups", name="daily", rules=[{"ruleName": "daily", "targetVaultName": "de-frankfurt", **rule}])


@harmless
def recovery_points_in_the_own_vault(s: Stack) -> None:
    _backed_up(s)


@breaks("EG-18")
def recovery_points_copied_to_another_account(s: Stack) -> None:
    _backed_up(s, copyActions=[{"destinationVaultArn": "arn:aws:backup:eu-central-1:999988887777:backup-vault:away"}])


@breaks("EG-18")
def recovery_points_copied_to_another_region(s: Stack) -> None:
    _backed_up(s, copyActions=[{"destinationVaultArn": f"arn:aws:backup:us-east-1:{ACCOUNT}:backup-vault:away"}])


def _add_ons(action: object, account: str = "602401143452") -> str:
    registry = f"arn:aws:ecr:{REGION}:{account}:repository/eks/*"
    return document(
        {**everyone(), "Condition": OWN_ONLY},
        {**everyone(action, registry), **given("StringEquals", PrincipalOrgID=ORG)},
    )


@harmless
def an_endpoint_through_which_add_ons_are_read(s: Stack) -> None:
    s["endpoint-ecr.dkr"]["policy"] = _add_ons(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"])


# The solver may run out of time on a machine that is busy: not proven is an answer too.
@breaks("EG-06", "AWS-UNKNOWN")
def an_endpoint_through_which_images_are_pushed_to_the_add_ons_registry(s: Stack) -> None:
    s["endpoint-ecr.dkr"]["policy"] = _add_ons(["ecr:PutImage", "ecr:InitiateLayerUpload"])


@breaks("EG-06", "AWS-UNKNOWN")
def an_endpoint_through_which_another_accounts_images_are_read(s: Stack) -> None:
    s["endpoint-ecr.dkr"]["policy"] = _add_ons("ecr:BatchGetImage", "999988887777")
