"""The VPC resolver: a way out that no route, access list or group closes (EG-01, EG-02).

A name that the resolver looks up carries its labels to whoever serves the zone. Names fall into finitely many classes under the suffixes
that the lists name: each listed name, a name below it, and any other. Deciding one of each class decides all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from curtilage.proof.aws.model import VPC, Net, Vpc
from curtilage.proof.aws.plan import UNKNOWN, Plan, Resource
from curtilage.proof.aws.predicates import number
from curtilage.proof.report import Finding
from curtilage.verdict import Verdict

RULES, GROUP = "aws:route53/resolverFirewallRule:ResolverFirewallRule", "aws:route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup"
ASSOCIATION = "aws:route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation"
DOMAINS = "aws:route53/resolverFirewallDomainList:ResolverFirewallDomainList"
CONFIG = "aws:route53/resolverFirewallConfig:ResolverFirewallConfig"
FORWARD, ZONE = "aws:route53/resolverRule:ResolverRule", "aws:route53/zone:Zone"
ZONE_ASSOCIATION = "aws:route53/zoneAssociation:ZoneAssociation"
RULE_ASSOCIATION = "aws:route53/resolverRuleAssociation:ResolverRuleAssociation"
DHCP_ASSOCIATION = "aws:ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation"
AUTODEFINED = "rslvr-autodefined-rr-internet-resolver"
DHCP = "aws:ec2/vpcDhcpOptions:VpcDhcpOptions"
DEFAULT_DHCP = "aws:ec2/defaultVpcDhcpOptions:DefaultVpcDhcpOptions"

AWS_SUFFIXES = ("amazonaws.com", "api.aws", "aws.internal", "compute.internal", "internal")
"""AWS serves these zones itself and delegates none to customers, so a label below them reaches AWS alone."""
CANARY = "curtilage-canary.example"
LABEL = "x7f3q"


@dataclass(frozen=True)
class Rule:
    """One rule of the resolver's firewall."""

    domains: tuple[str, ...]
    action: str
    every_type: bool
    label: str

    def matches(self, name: str) -> bool:
        return any(covers(pattern, name) for pattern in self.domains)


def covers(pattern: str, name: str) -> bool:
    """Whether a domain of a list covers a name: ``*`` all, ``*.d`` those below, ``d`` itself alone."""
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    if pattern == "*":
        return True
    if pattern.startswith("*."):
        return name.endswith(pattern[1:]) and name != pattern[2:]
    if pattern.startswith("*"):
        return name.endswith(pattern[1:])
    return name == pattern


def classes(domains: Iterable[str]) -> list[str]:
    """One name of each class that the domains tell apart."""
    found = [f"{LABEL}.{CANARY}"]
    for domain in sorted(set(domains)):
        bare = domain.lower().rstrip(".").removeprefix("*").removeprefix(".")
        if bare:
            found += [bare, f"{LABEL}.{bare}"]
    return found


def first(rules: list[Rule], name: str, *, odd_type: bool) -> Rule | None:
    """The rule that decides a name; a query of an odd type passes rules that look at some types alone."""
    return next((rule for rule in rules if (rule.every_type or not odd_type) and rule.matches(name)), None)


def decide_dns(plan: Plan, net: Net) -> list[Finding]:
    """Every finding about names."""
    findings: list[Finding] = []
    for vpc in net.vpcs:
        support = vpc.resource.get("enableDnsSupport", True)
        if support is UNKNOWN:
            plan.gap(vpc.resource, "enableDnsSupport is not known")
        if support is False or str(support).lower() == "false":
            continue
        findings += _firewall(plan, net, vpc, (*_zones(plan, net, vpc), *AWS_SUFFIXES))
        for item in plan.of(CONFIG):
            mode = item.get("firewallFailOpen", "DISABLED")
            target = net.vpc_of(plan.one(item, "resourceId", item.get("resourceId"), VPC))
            if target is None:
                plan.gap(item, "resourceId: not a VPC of the plan")
            elif target is vpc and mode != "DISABLED":
                verdict = Verdict.FAIL if mode == "ENABLED" else Verdict.NOT_PROVEN
                shown = mode if isinstance(mode, str) else "not known"
                findings.append(
                    _leak(
                        vpc,
                        f"{item} sets firewallFailOpen {shown}: while the firewall is unreachable every name resolves",
                        (str(item),),
                        verdict=verdict,
                    )
                )
    findings += _forwarding(plan, net)
    return findings


def _zones(plan: Plan, net: Net, vpc: Vpc) -> Iterator[str]:
    """The private zones that answer in a VPC: names below them are looked up nowhere else."""
    for item in plan.of(ZONE):
        entries = item.get("vpcs")
        given = [entry.get("vpcId") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        here = any(net.vpc_of(plan.one(item, "vpcs", value, VPC)) is vpc for value in given)
        here |= vpc.resource in plan.behind(item, "vpcs", VPC)
        joined = (extra for extra in plan.of(ZONE_ASSOCIATION) if plan.one(extra, "zoneId", extra.get("zoneId"), ZONE) is item)
        here |= any(net.vpc_of(plan.one(extra, "vpcId", extra.get("vpcId"), VPC)) is vpc for extra in joined)
        name = item.get("name")
        # A private zone of the root or of a whole top-level domain would make every name an own one.
        if here and isinstance(name, str) and "." in name.strip("."):
            yield name.rstrip(".").lower()


def _firewall(plan: Plan, net: Net, vpc: Vpc, own: tuple[str, ...]) -> list[Finding]:
    rules, complete = _rules(plan, net, vpc)
    if not rules and complete:
        reason = f"{vpc.resource} has the VPC resolver and no DNS Firewall that ends in BLOCK *: every name resolves, and its labels leave"
        return [_leak(vpc, reason, (f"{vpc.resource}: enableDnsSupport", "VPC resolver"))]
    for name in classes(domain for rule in rules for domain in rule.domains):
        for odd in (False, True):
            rule = first(rules, name, odd_type=odd)
            if rule is not None and (rule.action == "BLOCK" or (rule.action == "ALLOW" and _is_own(name, own))):
                continue
            if rule is None and not complete:
                break
            query = "a query of another type" if odd else "a query"
            why = "no rule matches it" if rule is None else f"{rule.label} answers {rule.action}"
            path = (f"{vpc.resource}: enableDnsSupport", rule.label if rule else "no rule of the DNS Firewall", "VPC resolver")
            return [_leak(vpc, f"{query} for {name} from {vpc.resource} is resolved: {why}", path, name)]
    return []


def resolver_rules(plan: Plan, net: Net, vpc: Vpc) -> list[Rule] | None:
    """The firewall's rules of a VPC in order; None where the VPC has no resolver at all."""
    support = vpc.resource.get("enableDnsSupport", True)
    return None if support is False or str(support).lower() == "false" else _rules(plan, net, vpc)[0]


def resolves(rules: list[Rule] | None, name: str) -> bool:
    """Whether a query of some type for a name is looked up."""
    if rules is None:
        return False
    found = (first(rules, name, odd_type=odd) for odd in (False, True))
    return any(rule is None or rule.action != "BLOCK" for rule in found)


def _is_own(name: str, own: tuple[str, ...]) -> bool:
    return any(name == suffix or name.endswith("." + suffix) for suffix in own)


def _rules(plan: Plan, net: Net, vpc: Vpc) -> tuple[list[Rule], bool]:
    found: list[tuple[int, int, Rule]] = []
    complete = True
    seen: set[int] = set()
    for item in plan.of(ASSOCIATION):
        target = net.vpc_of(plan.one(item, "vpcId", item.get("vpcId"), VPC))
        if target is None:
            plan.gap(item, "vpcId: not a VPC of the plan")
            complete = False
        if target is not vpc:
            continue
        group = plan.one(item, "firewallRuleGroupId", item.get("firewallRuleGroupId"), GROUP)
        place = number(item.get("priority"))
        if group is None or place is None:
            plan.gap(item, "firewallRuleGroupId or priority: not of the plan or not known")
            complete = False
            continue
        if place in seen:
            plan.gap(item, f"two rule groups of {vpc.resource} with priority {place}: their order is not defined")
        seen.add(place)
        inner: set[int] = set()
        for rule in plan.of(RULES):
            owner = plan.one(rule, "firewallRuleGroupId", rule.get("firewallRuleGroupId"), GROUP)
            if owner is None:
                plan.gap(rule, "firewallRuleGroupId: not a rule group of the plan")
                complete = False
            if owner is not group:
                continue
            at = number(rule.get("priority"))
            built = _rule(plan, rule)
            if at is None or built is None:
                plan.gap(rule, "priority, action or domains are not known")
                complete = False
                continue
            if at in inner:
                plan.gap(rule, f"two rules of {group} with priority {at}: their order is not defined")
            inner.add(at)
            found.append((place, at, built))
    return [rule for _, _, rule in sorted(found, key=lambda item: item[:2])], complete


def _rule(plan: Plan, item: Resource) -> Rule | None:
    action = item.get("action")
    if not isinstance(action, str):
        return None
    kind = item.get("qType", item.get("qtype"))
    domains: tuple[str, ...] = ()
    lists = plan.one(item, "firewallDomainListId", item.get("firewallDomainListId"), DOMAINS)
    if lists is None:
        if item.get("dnsThreatProtection") or action == "BLOCK":
            domains = ()  # a list that AWS keeps blocks something; what is not known to be blocked counts as not blocked
        else:
            return None
    else:
        listed = lists.get("domains")
        if not isinstance(listed, list):
            return None
        domains = tuple(domain for domain in listed if isinstance(domain, str))
        if len(domains) != len(listed) and action != "BLOCK":
            return None
    return Rule(
        domains,
        action.upper(),
        kind is None,
        f"{item} (priority {item.get('priority')}, {action} {', '.join(domains[:4]) or 'a list not in the plan'})",
    )


def _forwarding(plan: Plan, net: Net) -> list[Finding]:
    findings = []
    for item in plan.of(FORWARD):
        targets = item.get("targetIps")
        if item.get("ruleType") == "FORWARD" and targets is None:
            plan.gap(item, "targetIps is not known")
        if targets is UNKNOWN or item.get("ruleType") not in ("FORWARD", "SYSTEM", "RECURSIVE"):
            plan.gap(item, "ruleType or targetIps is not known")
        for target in targets if isinstance(targets, list) else []:
            address = (target.get("ip") or target.get("ipv6")) if isinstance(target, dict) else UNKNOWN
            if address is UNKNOWN or address is None:
                plan.gap(item, "targetIps holds an address that is not known")
            elif not inside_own(net, address):
                segment = net.vpcs[0].name if net.vpcs else "aws"
                name = f"{LABEL}.{str(item.get('domainName')).rstrip('.') or CANARY}"
                findings.append(
                    Finding(
                        "EG-02",
                        segment,
                        Verdict.FAIL,
                        f"{item} forwards names to {address}, outside the plan's networks",
                        _query(name) | {"destination": str(address)},
                        ("VPC resolver", str(item), str(address)),
                    )
                )
    for item in plan.of(RULE_ASSOCIATION):
        rule = item.get("resolverRuleId")
        if rule != AUTODEFINED and plan.one(item, "resolverRuleId", rule, FORWARD) is None:
            plan.gap(item, "resolverRuleId: a rule that is not in the plan (one that is shared forwards names to where its owner says)")
    for item in plan.of(DHCP_ASSOCIATION):
        options = item.get("dhcpOptionsId")
        if plan.one(item, "dhcpOptionsId", options, DHCP, DEFAULT_DHCP) is None:
            plan.gap(item, "dhcpOptionsId: options that are not in the plan")
    for item in plan.of(DHCP):
        for prop in ("domainNameServers", "ntpServers", "netbiosNameServers"):
            for address in item.get(prop) or []:
                if address in ("AmazonProvidedDNS", "169.254.169.123", "169.254.169.253", "fd00:ec2::123", "fd00:ec2::253"):
                    continue
                if address is UNKNOWN or not isinstance(address, str):
                    plan.gap(item, f"{prop} is not known")
                elif not inside_own(net, address):
                    segment = net.vpcs[0].name if net.vpcs else "aws"
                    reason = f"{item} gives hosts {prop} {address}, outside the plan's networks"
                    findings.append(
                        Finding("EG-15" if prop == "ntpServers" else "EG-02", segment, Verdict.FAIL, reason, None, (str(item),))
                    )
    return findings


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def inside_own(net: Net, address: Any) -> bool:
    """Whether an address is the plan's own."""
    try:
        found = ip_address(str(address))
    except ValueError:
        return False
    return any(found.version == item.version and found in item for item in net.own)


def _query(name: str) -> dict[str, Any]:
    return {"family": "ipv4", "protocol": "dns", "source": "any host", "destination": "169.254.169.253", "port": 53, "name": name}


def _leak(vpc: Vpc, reason: str, path: tuple[str, ...], name: str = f"{LABEL}.{CANARY}", *, verdict: Verdict = Verdict.FAIL) -> Finding:
    source = vpc.subnets[0].source if vpc.subnets else "any host"
    return Finding("EG-01", vpc.name, verdict, reason, _query(name) | {"source": source}, path)
