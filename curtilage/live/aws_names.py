"""Reads what resolves names in an account: the DNS Firewall, resolver rules and endpoints, query logs, hosted zones."""

from __future__ import annotations

from curtilage.live.aws_client import Account
from curtilage.proof.aws.plan import UNKNOWN

_R = "aws:route53/resolver"


def read_names(account: Account) -> None:
    """Everything that a query meets."""
    _firewall(account)
    for item in account.items("route53resolver", "list_resolver_rules"):
        targets = [{"ip": entry.get("Ip"), "ipv6": entry.get("Ipv6")} for entry in item.get("TargetIps") or []]
        name = item["Id"]
        if name.startswith("rslvr-autodefined-rr"):
            continue  # the VPC resolver's own rule
        kind = f"{_R}Rule:ResolverRule"
        account.add(kind, name, arn=item.get("Arn"), ruleType=item.get("RuleType"), domainName=item.get("DomainName"), targetIps=targets)
    for item in account.items("route53resolver", "list_resolver_rule_associations"):
        if str(item.get("ResolverRuleId", "")).startswith("rslvr-autodefined-rr"):
            continue
        kind = f"{_R}RuleAssociation:ResolverRuleAssociation"
        account.add(kind, item["Id"], resolverRuleId=item.get("ResolverRuleId"), vpcId=item.get("VPCId"))
    for item in account.items("route53resolver", "list_resolver_endpoints"):
        addresses = account.items("route53resolver", "list_resolver_endpoint_ip_addresses", ResolverEndpointId=item["Id"])
        account.add(
            f"{_R}Endpoint:ResolverEndpoint",
            item["Id"],
            direction=item.get("Direction"),
            ipAddresses=[{"ip": entry.get("Ip") or entry.get("Ipv6")} for entry in addresses],
        )
    for item in account.items("route53resolver", "list_resolver_query_log_configs"):
        account.add(
            f"{_R}QueryLogConfig:ResolverQueryLogConfig", item["Id"], arn=item.get("Arn"), destinationArn=item.get("DestinationArn")
        )
    for item in account.items("route53resolver", "list_resolver_query_log_config_associations"):
        account.add(
            f"{_R}QueryLogConfigAssociation:ResolverQueryLogConfigAssociation",
            item["Id"],
            resolverQueryLogConfigId=item.get("ResolverQueryLogConfigId"),
            resourceId=item.get("ResourceId"),
        )
    for item in account.items("route53", "list_hosted_zones"):
        name = str(item["Id"]).rsplit("/", 1)[-1]
        vpcs = account.items("route53", "get_hosted_zone", Id=name)
        account.add("aws:route53/zone:Zone", name, name=item.get("Name"), vpcs=[{"vpcId": entry.get("VPCId")} for entry in vpcs])


def _firewall(account: Account) -> None:
    for item in account.items("route53resolver", "list_firewall_domain_lists"):
        if item.get("ManagedOwnerName"):
            continue  # AWS's own list, which nobody may read; a rule by it counts as blocking nothing
        domains = account.items("route53resolver", "list_firewall_domains", FirewallDomainListId=item["Id"])
        account.add(f"{_R}FirewallDomainList:ResolverFirewallDomainList", item["Id"], arn=item.get("Arn"), domains=domains)
    for item in account.items("route53resolver", "list_firewall_rule_groups"):
        group = item["Id"]
        account.add(f"{_R}FirewallRuleGroup:ResolverFirewallRuleGroup", group, arn=item.get("Arn"), shareStatus=item.get("ShareStatus"))
        for rule in account.items("route53resolver", "list_firewall_rules", FirewallRuleGroupId=group):
            account.add(
                f"{_R}FirewallRule:ResolverFirewallRule",
                f"{group}:{rule.get('Priority')}",
                firewallRuleGroupId=group,
                firewallDomainListId=rule.get("FirewallDomainListId"),
                dnsThreatProtection=rule.get("DnsThreatProtection"),
                action=rule.get("Action", UNKNOWN),
                priority=rule.get("Priority"),
                qType=rule.get("Qtype"),
            )
    for item in account.items("route53resolver", "list_firewall_rule_group_associations"):
        if item.get("Status") == "DELETING":
            continue
        account.add(
            f"{_R}FirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation",
            item["Id"],
            vpcId=item.get("VpcId"),
            firewallRuleGroupId=item.get("FirewallRuleGroupId"),
            priority=item.get("Priority"),
        )
    for item in account.items("route53resolver", "list_firewall_configs"):
        account.add(
            f"{_R}FirewallConfig:ResolverFirewallConfig",
            item["Id"],
            resourceId=item.get("ResourceId"),
            firewallFailOpen=item.get("FirewallFailOpen", UNKNOWN),
        )
