"""Reads the network of an account: VPCs, what routes, filters and gates packets, endpoints and interfaces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curtilage.live.aws_client import Account
from curtilage.proof.aws.plan import UNKNOWN

_ENDED = frozenset({"deleted", "delete-complete", "failed", "rejected", "expired", "terminated"})
"""What is being deleted is still there."""
_TARGETS = {
    "EgressOnlyInternetGatewayId": "egressOnlyGatewayId",
    "NatGatewayId": "natGatewayId",
    "TransitGatewayId": "transitGatewayId",
    "VpcPeeringConnectionId": "vpcPeeringConnectionId",
    "CarrierGatewayId": "carrierGatewayId",
    "LocalGatewayId": "localGatewayId",
    "CoreNetworkArn": "coreNetworkArn",
    "OdbNetworkArn": "odbNetworkArn",
}
_DESTINATIONS = {
    "DestinationCidrBlock": "cidrBlock",
    "DestinationIpv6CidrBlock": "ipv6CidrBlock",
    "DestinationPrefixListId": "destinationPrefixListId",
}


def read_network(account: Account) -> None:
    """Everything that a packet meets."""
    lists = account.items("ec2", "describe_managed_prefix_lists")
    _vpcs(account)
    _subnets(account)
    _tables(account)
    _acls(account)
    _groups(account)
    _prefix_lists(account, lists)
    _gateways(account)
    _endpoints(account, lists)
    _interfaces(account)
    _records(account)


def tags(item: dict[str, Any]) -> dict[str, str]:
    """As Pulumi writes them."""
    return {str(tag.get("Key")): str(tag.get("Value")) for tag in item.get("Tags") or []}


def _vpcs(account: Account) -> None:
    tables = account.items("ec2", "describe_route_tables")
    lists = account.items("ec2", "describe_network_acls")
    for item in account.items("ec2", "describe_vpcs"):
        vpc = item["VpcId"]
        main = [t["RouteTableId"] for t in tables if t["VpcId"] == vpc and any(a.get("Main") for a in t.get("Associations") or [])]
        default = [acl["NetworkAclId"] for acl in lists if acl["VpcId"] == vpc and acl.get("IsDefault")]
        support = account.one("ec2", "describe_vpc_attribute", VpcId=vpc, Attribute="enableDnsSupport")
        account.add(
            "aws:ec2/vpc:Vpc",
            vpc,
            arn=f"arn:aws:ec2:{account.site}:{account.account}:vpc/{vpc}",
            cidrBlock=item.get("CidrBlock"),
            enableDnsSupport=UNKNOWN if support is UNKNOWN else (support or {}).get("EnableDnsSupport", {}).get("Value", UNKNOWN),
            mainRouteTableId=main[0] if main else None,
            defaultRouteTableId=main[0] if main else None,
            defaultNetworkAclId=default[0] if default else None,
            tags=tags(item),
        )
        for entry in item.get("CidrBlockAssociationSet") or []:
            if entry.get("CidrBlock") != item.get("CidrBlock") and _state(entry, "CidrBlockState") not in ("disassociated", "failed"):
                kind = "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation"
                account.add(kind, entry["AssociationId"], vpcId=vpc, cidrBlock=entry.get("CidrBlock"))
        for entry in item.get("Ipv6CidrBlockAssociationSet") or []:
            if _state(entry, "Ipv6CidrBlockState") not in ("disassociated", "failed"):
                kind = "aws:ec2/vpcIpv6CidrBlockAssociation:VpcIpv6CidrBlockAssociation"
                account.add(kind, entry["AssociationId"], vpcId=vpc, ipv6CidrBlock=entry.get("Ipv6CidrBlock"))
    for item in account.items("ec2", "describe_dhcp_options"):
        found = {
            entry["Key"]: [value.get("Value") for value in entry.get("Values") or []] for entry in item.get("DhcpConfigurations") or []
        }
        account.add(
            "aws:ec2/vpcDhcpOptions:VpcDhcpOptions",
            item["DhcpOptionsId"],
            domainNameServers=found.get("domain-name-servers"),
            ntpServers=found.get("ntp-servers"),
            netbiosNameServers=found.get("netbios-name-servers"),
        )


def _state(entry: dict[str, Any], key: str) -> str:
    return str((entry.get(key) or {}).get("State", ""))


def _subnets(account: Account) -> None:
    for item in account.items("ec2", "describe_subnets"):
        six = [entry["Ipv6CidrBlock"] for entry in item.get("Ipv6CidrBlockAssociationSet") or [] if entry.get("Ipv6CidrBlock")]
        account.add(
            "aws:ec2/subnet:Subnet",
            item["SubnetId"],
            arn=item.get("SubnetArn"),
            vpcId=item["VpcId"],
            cidrBlock=item.get("CidrBlock"),
            ipv6CidrBlock=six[0] if six else None,
            mapPublicIpOnLaunch=item.get("MapPublicIpOnLaunch"),
        )


def _tables(account: Account) -> None:
    for item in account.items("ec2", "describe_route_tables"):
        table = item["RouteTableId"]
        account.add(
            "aws:ec2/routeTable:RouteTable",
            table,
            vpcId=item["VpcId"],
            routes=[found for route in item.get("Routes") or [] if (found := _route(route))],
            propagatingVgws=[entry.get("GatewayId") for entry in item.get("PropagatingVgws") or []],
        )
        for entry in item.get("Associations") or []:
            if _state(entry, "AssociationState") in ("disassociated", "failed"):
                continue
            given = {"routeTableId": table}
            if entry.get("Main"):
                kind = "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation"
                account.add(kind, str(entry.get("RouteTableAssociationId") or f"main-{table}"), vpcId=item["VpcId"], **given)
            elif entry.get("SubnetId"):
                kind = "aws:ec2/routeTableAssociation:RouteTableAssociation"
                account.add(kind, entry["RouteTableAssociationId"], subnetId=entry["SubnetId"], **given)


def _route(route: dict[str, Any]) -> dict[str, Any] | None:
    """A route as a table holds it; local ones are the model's own."""
    gateway = route.get("GatewayId")
    if gateway == "local":
        return None
    found = {name: route[key] for key, name in (_DESTINATIONS | _TARGETS).items() if route.get(key)}
    if gateway:
        # A gateway endpoint's route has a prefix list; the same kind of id with a network is an inspection endpoint.
        inspecting = str(gateway).startswith("vpce-") and not route.get("DestinationPrefixListId")
        found["vpcEndpointId" if inspecting else "gatewayId"] = gateway
    if route.get("NetworkInterfaceId"):
        found["networkInterfaceId"] = route["NetworkInterfaceId"]
    elif route.get("InstanceId"):
        found["instanceId"] = route["InstanceId"]
    return found


def _acls(account: Account) -> None:
    for item in account.items("ec2", "describe_network_acls"):
        default = bool(item.get("IsDefault"))
        kind = "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl" if default else "aws:ec2/networkAcl:NetworkAcl"
        account.add(
            kind,
            item["NetworkAclId"],
            vpcId=item["VpcId"],
            defaultNetworkAclId=item["NetworkAclId"] if default else None,
            subnetIds=[entry["SubnetId"] for entry in item.get("Associations") or []],
            egress=[_acl_rule(entry) for entry in item.get("Entries") or [] if entry.get("Egress") and not _last(entry)],
        )


def _last(entry: dict[str, Any]) -> bool:
    """AWS's own last rule, which denies; it cannot be changed."""
    return entry.get("RuleNumber") in (32767, 32768) and entry.get("RuleAction") == "deny"


def _acl_rule(entry: dict[str, Any]) -> dict[str, Any]:
    ports, types = entry.get("PortRange") or {}, entry.get("IcmpTypeCode") or {}
    return {
        "ruleNo": entry.get("RuleNumber"),
        "action": entry.get("RuleAction"),
        "protocol": entry.get("Protocol"),
        "cidrBlock": entry.get("CidrBlock"),
        "ipv6CidrBlock": entry.get("Ipv6CidrBlock"),
        "fromPort": ports.get("From", 0),
        "toPort": ports.get("To", 0),
        "icmpType": types.get("Type"),
    }


def _groups(account: Account) -> None:
    for item in account.items("ec2", "describe_security_groups"):
        default = item.get("GroupName") == "default"
        kind = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup" if default else "aws:ec2/securityGroup:SecurityGroup"
        rules = list(item.get("IpPermissionsEgress") or [])
        account.add(kind, item["GroupId"], vpcId=item.get("VpcId"), egress=[_group_rule(entry) for entry in rules])


def _group_rule(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "protocol": entry.get("IpProtocol"),
        "fromPort": entry.get("FromPort", 0 if entry.get("IpProtocol") == "-1" else None),
        "toPort": entry.get("ToPort", 0 if entry.get("IpProtocol") == "-1" else None),
        "cidrBlocks": [found.get("CidrIp") for found in entry.get("IpRanges") or []],
        "ipv6CidrBlocks": [found.get("CidrIpv6") for found in entry.get("Ipv6Ranges") or []],
        "securityGroups": [found.get("GroupId") for found in entry.get("UserIdGroupPairs") or []],
        "prefixListIds": [found.get("PrefixListId") for found in entry.get("PrefixListIds") or []],
    }


def _prefix_lists(account: Account, lists: list[dict[str, Any]]) -> None:
    for item in lists:
        if item.get("OwnerId") == "AWS":
            continue  # of a gateway endpoint, or of a service that only endpoints reach; one that a rule names is asked for below
        name = item["PrefixListId"]
        entries = account.items("ec2", "get_managed_prefix_list_entries", PrefixListId=name)
        account.add("aws:ec2/managedPrefixList:ManagedPrefixList", name, entries=[{"cidr": entry.get("Cidr")} for entry in entries])


def _gateways(account: Account) -> None:
    def alive(*path: str) -> Iterator[dict[str, Any]]:
        for item in account.items("ec2", path[0]):
            state = item.get("State") or item.get("Status")
            code = state.get("Code") if isinstance(state, dict) else state
            if str(code) not in _ENDED:
                yield item

    def attached(item: dict[str, Any], key: str = "Attachments") -> str | None:
        found = [entry.get("VpcId") for entry in item.get(key) or [] if entry.get("State") not in ("detached", "detaching")]
        return found[0] if found else None

    for item in alive("describe_internet_gateways"):
        account.add("aws:ec2/internetGateway:InternetGateway", item["InternetGatewayId"], vpcId=attached(item))
    for item in alive("describe_egress_only_internet_gateways"):
        kind = "aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway"
        account.add(kind, item["EgressOnlyInternetGatewayId"], vpcId=attached(item))
    for item in alive("describe_nat_gateways"):
        kind = "aws:ec2/natGateway:NatGateway"
        account.add(
            kind,
            item["NatGatewayId"],
            subnetId=item.get("SubnetId"),
            vpcId=item.get("VpcId"),
            connectivityType=item.get("ConnectivityType"),
        )
    for item in alive("describe_carrier_gateways"):
        account.add("aws:ec2/carrierGateway:CarrierGateway", item["CarrierGatewayId"], vpcId=item.get("VpcId"))
    for item in alive("describe_vpn_gateways"):
        account.add("aws:ec2/vpnGateway:VpnGateway", item["VpnGatewayId"], vpcId=attached(item, "VpcAttachments"))
    for item in alive("describe_transit_gateways"):
        account.add("aws:ec2transitgateway/transitGateway:TransitGateway", item["TransitGatewayId"])
    for item in alive("describe_transit_gateway_attachments"):
        vpc = item.get("ResourceId") if item.get("ResourceType") == "vpc" else None
        kind = "aws:ec2transitgateway/vpcAttachment:VpcAttachment"
        account.add(kind, item["TransitGatewayAttachmentId"], vpcId=vpc, transitGatewayId=item.get("TransitGatewayId"))
    for item in alive("describe_vpc_peering_connections"):
        sides = [(item.get(key) or {}).get("VpcId") for key in ("RequesterVpcInfo", "AccepterVpcInfo")]
        account.add("aws:ec2/vpcPeeringConnection:VpcPeeringConnection", item["VpcPeeringConnectionId"], vpcId=sides[0], peerVpcId=sides[1])
    for operation, key, kind in (
        ("describe_vpn_connections", "VpnConnectionId", "aws:ec2/vpnConnection:VpnConnection"),
        ("describe_customer_gateways", "CustomerGatewayId", "aws:ec2/customerGateway:CustomerGateway"),
        ("describe_client_vpn_endpoints", "ClientVpnEndpointId", "aws:ec2clientvpn/endpoint:Endpoint"),
        (
            "describe_instance_connect_endpoints",
            "InstanceConnectEndpointId",
            "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint",
        ),
        ("describe_traffic_mirror_sessions", "TrafficMirrorSessionId", "aws:ec2/trafficMirrorSession:TrafficMirrorSession"),
    ):
        for item in alive(operation):
            account.add(kind, item[key])
    for item in account.items("ec2", "describe_addresses"):
        account.add("aws:ec2/eip:Eip", str(item.get("AllocationId") or item.get("PublicIp")))


def _endpoints(account: Account, lists: list[dict[str, Any]]) -> None:
    owned = {item.get("PrefixListName"): item.get("PrefixListId") for item in lists}
    for item in account.items("ec2", "describe_vpc_endpoints"):
        if str(item.get("State", "")).lower() in _ENDED:
            continue
        gateway = item.get("VpcEndpointType") == "Gateway"
        account.add(
            "aws:ec2/vpcEndpoint:VpcEndpoint",
            item["VpcEndpointId"],
            vpcId=item.get("VpcId"),
            serviceName=item.get("ServiceName"),
            serviceRegion=item.get("ServiceRegion"),
            serviceNetworkArn=item.get("ServiceNetworkArn"),
            resourceConfigurationArn=item.get("ResourceConfigurationArn"),
            vpcEndpointType=item.get("VpcEndpointType"),
            policy=item.get("PolicyDocument"),
            subnetIds=item.get("SubnetIds") or None,
            securityGroupIds=[entry["GroupId"] for entry in item.get("Groups") or []] or None,
            routeTableIds=item.get("RouteTableIds") or None,
            prefixListId=owned.get(item.get("ServiceName")) if gateway else None,
        )
    for item in account.items("ec2", "describe_vpc_endpoint_service_configurations"):
        if str(item.get("ServiceState", "")).lower() in _ENDED:
            continue
        name = item["ServiceId"]
        account.add("aws:ec2/vpcEndpointService:VpcEndpointService", name, serviceName=item.get("ServiceName"))
        for entry in account.items("ec2", "describe_vpc_endpoint_service_permissions", ServiceId=name):
            kind = "aws:ec2/vpcEndpointServiceAllowedPrinciple:VpcEndpointServiceAllowedPrinciple"
            who = entry.get("Principal")
            account.add(kind, f"{name}-{who}", vpcEndpointServiceId=name, principalArn=who if who else UNKNOWN)


def _interfaces(account: Account) -> None:
    for item in account.items("ec2", "describe_network_interfaces"):
        account.add(
            "aws:ec2/networkInterface:NetworkInterface",
            item["NetworkInterfaceId"],
            vpcId=item.get("VpcId"),
            subnetId=item.get("SubnetId"),
            securityGroups=[entry["GroupId"] for entry in item.get("Groups") or []] or None,
        )
        public = (item.get("Association") or {}).get("PublicIp")
        if public:
            account.add("aws:ec2/eipAssociation:EipAssociation", f"{item['NetworkInterfaceId']}-{public}")


def _records(account: Account) -> None:
    """What watches and locks the network as a whole."""
    for item in account.items("ec2", "describe_flow_logs"):
        goal = item.get("LogDestination")
        if not goal and item.get("LogGroupName"):
            goal = f"arn:aws:logs:{account.site}:{account.account}:log-group:{item['LogGroupName']}"
        account.add("aws:ec2/flowLog:FlowLog", item["FlowLogId"], vpcId=item.get("ResourceId"), logDestination=goal)
    options = account.one("ec2", "describe_vpc_block_public_access_options")
    if isinstance(options, dict):
        account.add(
            "aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions",
            account.site,
            internetGatewayBlockMode=options.get("InternetGatewayBlockMode", UNKNOWN),
        )
    for item in account.items("ec2", "describe_vpc_block_public_access_exclusions"):
        if not str(item.get("State", "")).startswith("delete"):
            kind = "aws:ec2/vpcBlockPublicAccessExclusion:VpcBlockPublicAccessExclusion"
            account.add(kind, item["ExclusionId"])
