"""Services of AWS that carry data by a path of their own, which no route of the VPC shows (EG-02, EG-07, EG-09, EG-13, EG-14, EG-18)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from curtilage.proof.aws.context import Context, block, blocks, is_false, is_true
from curtilage.proof.aws.dns import inside_own
from curtilage.proof.aws.identity import BUCKETS
from curtilage.proof.aws.model import PEERING, VPC
from curtilage.proof.aws.plan import UNKNOWN, Resource
from curtilage.proof.aws.predicates import network
from curtilage.proof.aws.sinks import (
    LOCKS,
    STREAM,
    acts,
    balancer_logs,
    firewall_logs,
    https,
    kept,
    listener,
    lock_lasts,
    log_bucket,
    notifies,
    query_log,
    replicas,
    sinks,
    stream,
    target,
)

ENDPOINT_SERVICE = "aws:ec2/vpcEndpointService:VpcEndpointService"
CARRIERS = frozenset(
    {
        "email-smtp", "email", "sms-voice", "pinpoint", "pinpoint-sms-voice-v2", "social-messaging", "transfer", "transfer-server",
        "datasync", "appflow", "codebuild", "codebuild-fips", "mailmanager", "mailmanager-smtp", "iotdata", "connect-campaigns",
        "bedrock-runtime", "bedrock-agent-runtime", "bedrock-mantle",
    }
)  # fmt: skip
"""Services whose purpose is to send to addresses that are no AWS resource, or to a vendor's models, which no endpoint policy can name."""
_PORT_DOCUMENTS = re.compile(r"portforward|startsshsession|\"sessionType\"\s*:\s*\"Port\"|localPortNumber|remoteHost", re.IGNORECASE)
_OPEN_PASS = re.compile(r"^\s*pass\s+\S+\s+\S+\s+\S+\s+->\s+(any|\$EXTERNAL_NET|!\$HOME_NET|0\.0\.0\.0/0)\b", re.MULTILINE)


def _bucket(context: Context, item: Resource) -> None:
    for prop in ("replicationConfiguration", "replicationConfigurations", "website", "websites", "objectLockConfiguration"):
        if item.get(prop) is UNKNOWN:
            context.plan.gap(item, f"{prop} is not known")
    for prop in ("replicationConfiguration", "replicationConfigurations"):
        for entry in blocks(item.get(prop)):
            _replication(context, item, entry.get("rules"))
    if item.get("website") or item.get("websites"):
        context.fail("EG-05", item, "it serves a website")
    _acl(context, item)


def _acl(context: Context, item: Resource) -> None:
    value = item.get("acl")
    if value is UNKNOWN:
        context.plan.gap(item, "acl is not known")
    elif isinstance(value, str) and value not in ("private", "log-delivery-write", "bucket-owner-full-control", "bucket-owner-read"):
        context.fail("EG-05", item, f"the list '{value}' lets others read")
    if item.get("accessControlPolicy") or item.get("grants"):
        context.plan.gap(item, "grants of an access list are not modelled; use policies")


def _block(context: Context, item: Resource) -> None:
    for prop in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"):
        context.must("EG-05", item, prop, item.get(prop, False), is_true, f"{prop} is off: the bucket can be opened to everyone")


def _replicates(context: Context, item: Resource) -> None:
    _replication(context, item, item.get("rules"))


def _replication(context: Context, item: Resource, rules: Any) -> None:
    if rules is UNKNOWN:
        context.plan.gap(item, "rules is not known")
    for rule in blocks(rules):
        goal = block(rule.get("destination"))
        value = goal.get("bucket")
        found = context.plan.one(item, "rules", value, *BUCKETS)
        if found is None and value is UNKNOWN and len(context.plan.behind(item, "rules", *BUCKETS)) > 1:
            context.plan.gap(item, "rules: which bucket is the destination is not known")
        elif found is None:
            context.fail("EG-03", item, f"it copies every object to {value if isinstance(value, str) else 'a bucket outside the plan'}")
        elif goal.get("account") or (context.home and region_of(context, found) not in (None, context.home)):
            context.fail("EG-03", item, f"it copies every object to {found}, in another account or region")


def _key(context: Context, item: Resource) -> None:
    context.must(
        "AWS-REGION", item, "multiRegion", item.get("multiRegion", False), is_false, "a multi-region key can be replicated elsewhere"
    )


def _grant(context: Context, item: Resource) -> None:
    value = item.get("granteePrincipal")
    if context.plan.one(item, "granteePrincipal", value, "aws:iam/role:Role") is None:
        context.plan.gap(item, "granteePrincipal: not a role of the plan")


def _function(context: Context, item: Resource) -> None:
    config = item.get("vpcConfig")
    if config is UNKNOWN:
        context.plan.gap(item, "vpcConfig is not known")
    elif not block(config).get("subnetIds"):
        context.fail("EG-18", item, "it runs outside the VPC, with AWS's own path to the internet", https())


def _permission(context: Context, item: Resource) -> None:
    principal = item.get("principal")
    if not isinstance(principal, str):
        context.plan.gap(item, "principal is not known")
    elif not principal.endswith(".amazonaws.com") and not any(account in principal for account in context.owner.accounts):
        context.fail("EG-18", item, f"it lets {principal} call a function")
    if item.get("functionUrlAuthType"):
        context.fail("EG-18", item, "it is for a public address of a function")


def _subscription(context: Context, item: Resource) -> None:
    protocol = item.get("protocol")
    if protocol in ("sqs", "lambda"):
        kept("endpoint", "EG-18")(context, item)
    elif isinstance(protocol, str):
        context.fail("EG-18", item, f"messages leave by {protocol}, AWS's own path", https() | {"protocol": protocol})
    else:
        context.plan.gap(item, "protocol is not known")


def _event_target(context: Context, item: Resource) -> None:
    if item.get("httpTarget"):
        context.fail("EG-18", item, "it calls an HTTP address", https())
    behind = context.plan.behind(item, "arn", "aws:cloudwatch/eventApiDestination:EventApiDestination")
    arn = item.get("arn")
    if behind or (isinstance(arn, str) and ":api-destination/" in arn):
        context.fail("EG-18", item, "EventBridge calls an HTTP address from AWS's own network", https())
        return
    kept("arn", "EG-18")(context, item)


def _event_permission(context: Context, item: Resource) -> None:
    principal = item.get("principal")
    if principal is UNKNOWN or (principal not in context.owner.accounts and not isinstance(principal, str)):
        context.plan.gap(item, "principal is not known")
    elif principal not in context.owner.accounts:
        context.fail("EG-18", item, f"it lets {principal} use the event bus")


def _document(context: Context, item: Resource) -> None:
    content = item.get("content")
    if content is UNKNOWN:
        context.plan.gap(item, "content is not known")
    elif item.get("documentType") == "Session" or _PORT_DOCUMENTS.search(str(content)):
        context.fail("EG-07", item, "a session document: it tunnels in and out without any rule of a group")
    elif item.get("documentType") == "Automation":
        context.plan.gap(item, "an automation runs outside the VPC with a role; it is not modelled")
    if item.get("permissions"):
        context.fail("EG-18", item, "it is shared with other accounts")


def _codebuild(context: Context, item: Resource) -> None:
    if not block(item.get("vpcConfig")).get("subnets"):
        context.fail("EG-18", item, "it builds outside the VPC, with AWS's own path to the internet", https())


def _ecr_replication(context: Context, item: Resource) -> None:
    for rule in blocks(block(item.get("replicationConfiguration")).get("rules")):
        for goal in blocks(rule.get("destinations")):
            context.fail("AWS-REGION", item, f"it copies images to {goal.get('region')} of registry {goal.get('registryId')}")
    if item.get("replicationConfiguration") is UNKNOWN:
        context.plan.gap(item, "replicationConfiguration is not known")


def _share(context: Context, item: Resource) -> None:
    value = item.get("allowExternalPrincipals", False)
    context.must("EG-18", item, "allowExternalPrincipals", value, is_false, "it may be shared outside the organisation")


def _shared_with(context: Context, item: Resource) -> None:
    value = item.get("principal")
    if not isinstance(value, str):
        context.plan.gap(item, "principal is not known")
    elif value not in context.owner.accounts and not (context.owner.organisation and f"/{context.owner.organisation}" in value):
        context.fail("EG-18", item, f"it shares resources with {value}")


def _endpoint(context: Context, item: Resource) -> None:
    service, kind = item.get("serviceName"), item.get("vpcEndpointType", "Gateway")
    if kind in ("Resource", "ServiceNetwork") or item.get("serviceNetworkArn") or item.get("resourceConfigurationArn"):
        context.fail("EG-09", item, "VPC Lattice reaches services and resources of other networks past every route")
        return
    if kind is UNKNOWN:
        context.plan.gap(item, "vpcEndpointType is not known")
    own = context.plan.one(item, "serviceName", service, ENDPOINT_SERVICE)
    if kind == "GatewayLoadBalancer":
        context.fail("EG-09", item, "it hands packets to a balancer that the plan does not show")
    elif service is UNKNOWN or service is None:
        if own is None:
            context.plan.gap(item, "serviceName is not known")
    elif ".vpce." in f".{service}":
        if own is None:
            context.fail(
                "EG-09", item, f"PrivateLink to {service}, a service of another account: packets to it leave the plan's networks", https()
            )
    elif not re.match(r"^(com\.amazonaws|aws\.api|cn\.com\.amazonaws|com\.amazonaws\.global|aws\.sagemaker)\b", str(service)):
        context.plan.gap(item, f"serviceName {service} is not a service of AWS that is known")
    elif context.home and f".{context.home}." not in f"{service}." and not str(service).startswith("com.amazonaws.global"):
        context.fail("AWS-REGION", item, f"{service} is not in {context.home}")
    if item.get("serviceRegion") and context.home and item.get("serviceRegion") != context.home:
        context.fail("AWS-REGION", item, f"its service is in {item.get('serviceRegion')}")
    short = str(service).removesuffix("-fips").rsplit(".", 1)[-1]
    if short in CARRIERS:
        context.fail("EG-06", item, f"{short} hands what it is given to places outside, whoever asks: a policy cannot bind it", https())
    if short in ("ssmmessages", "ec2messages"):
        context.fail("EG-07", item, "sessions tunnel through it in both directions, past every rule of a group", https())
    if item.get("vpcId") is not None and context.net.vpc_of(context.plan.one(item, "vpcId", item.get("vpcId"), VPC)) is None:
        context.plan.gap(item, "vpcId: not a VPC of the plan")


def _provider(context: Context, item: Resource) -> None:
    for principal in item.get("allowedPrincipals") or []:
        if principal is UNKNOWN:
            context.plan.gap(item, "allowedPrincipals is not known")
        elif principal == "*":
            context.fail("EG-18", item, "anyone may ask to connect")
    for place in item.get("supportedRegions") or []:
        if place is UNKNOWN:
            context.plan.gap(item, "supportedRegions is not known")
        elif place != context.home:
            context.fail("AWS-REGION", item, f"it answers callers in {place}, another region")


def _admits(context: Context, item: Resource) -> None:
    """A principal of another account that may administer the cluster."""
    value = item.get("principalArn")
    if isinstance(value, str) and not any(f"::{account}:" in value for account in context.owner.accounts):
        context.fail("EG-18", item, f"{value}, of another account, may enter the cluster")
    elif value is UNKNOWN and not context.plan.behind(item, "principalArn", "aws:iam/role:Role"):
        context.plan.gap(item, "principalArn is not known")


def _notices(context: Context, item: Resource) -> None:
    """A trail's notices carry the names of its objects."""
    if item.get("snsTopicName") is not None:
        sinks(context, item, "snsTopicName", [item.get("snsTopicName")])


def _provided_to(context: Context, item: Resource) -> None:
    context.must("EG-18", item, "principalArn", item.get("principalArn"), lambda value: value != "*", "anyone may ask to connect")


def _peering(context: Context, item: Resource) -> None:
    sides = [context.net.vpc_of(context.plan.one(item, prop, item.get(prop), VPC)) for prop in ("vpcId", "peerVpcId")]
    if all(sides) or context.open:
        return
    context.fail("EG-09", item, "it joins the VPC to a network outside the plan")


def _accepter(context: Context, item: Resource) -> None:
    if context.plan.one(item, "vpcPeeringConnectionId", item.get("vpcPeeringConnectionId"), PEERING) is None and not context.open:
        context.fail("EG-09", item, "it accepts a peering that the plan does not show")


def _public_access(context: Context, item: Resource) -> None:
    value = item.get("internetGatewayBlockMode")
    context.must(
        "EG-09", item, "internetGatewayBlockMode", value, lambda v: v == "block-bidirectional", "it does not block both directions"
    )


def _backup(context: Context, item: Resource) -> None:
    """A recovery point is a copy of the data; copied on, it stands in another vault, region or account."""
    rules = item.get("rules")
    if rules is UNKNOWN:
        context.plan.gap(item, "rules is not known")
    for rule in blocks(rules):
        for action in blocks(rule.get("copyActions")):
            goal = action.get("destinationVaultArn")
            if context.plan.one(item, "rules", goal, "aws:backup/vault:Vault") is None:
                shown = goal if isinstance(goal, str) else "a vault outside the plan"
                context.fail("EG-18", item, f"it copies recovery points to {shown}")
        if rule.get("copyActions") is UNKNOWN:
            context.plan.gap(item, "rules: copyActions is not known")
        if context.plan.one(item, "rules", rule.get("targetVaultName"), "aws:backup/vault:Vault") is None:
            context.plan.gap(item, "rules: its vault is not of the plan")


def _zone(context: Context, item: Resource) -> None:
    given = item.get("vpcs")
    if given is not None and not (isinstance(given, list) and all(isinstance(entry, dict) for entry in given)):
        context.plan.gap(item, "vpcs is not known: whether the zone is private")
    elif not given:
        context.fail("EG-01", item, "a public zone: its records are published to the world")


def _zone_association(context: Context, item: Resource) -> None:
    if context.net.vpc_of(context.plan.one(item, "vpcId", item.get("vpcId"), VPC)) is None:
        context.fail("EG-01", item, "it shares a zone with a VPC outside the plan")


def _resolver_endpoint(context: Context, item: Resource) -> None:
    if item.get("direction") not in ("INBOUND", "OUTBOUND"):
        context.plan.gap(item, "direction is not known or not modelled")
    for entry in blocks(item.get("ipAddresses")):
        if isinstance(entry.get("ip"), str) and not inside_own(context.net, entry["ip"]):
            context.fail("EG-02", item, f"its address {entry['ip']} is outside the plan's networks")


def _firewall_policy(context: Context, item: Resource) -> None:
    policy = item.get("firewallPolicy")
    if policy is UNKNOWN:
        context.plan.gap(item, "firewallPolicy is not known")
        return
    found = block(policy)
    options = block(found.get("statefulEngineOptions"))
    if options.get("ruleOrder") != "STRICT_ORDER":
        context.fail("EG-13", item, "rules are not in strict order: what none matches passes, and a pass rule beats every drop")
    elif not {"aws:drop_strict", "aws:drop_established"} & set(found.get("statefulDefaultActions") or []):
        context.fail("EG-13", item, "no stateful default that drops: what no rule matches passes")
    for prop in ("statelessDefaultActions", "statelessFragmentDefaultActions"):
        if "aws:pass" in (found.get(prop) or []):
            context.fail("EG-13", item, f"{prop} passes packets before any stateful rule sees them")
    if options.get("streamExceptionPolicy") == "CONTINUE":
        context.fail("EG-13", item, "streams that broke off go on unseen (streamExceptionPolicy CONTINUE)")


def _rule_group(context: Context, item: Resource) -> None:
    group = block(item.get("ruleGroup"))
    source = block(group.get("rulesSource"))
    text = f"{item.get('rules') or ''}\n{source.get('rulesString') or ''}"
    if item.get("ruleGroup") is UNKNOWN or item.get("rules") is UNKNOWN or source.get("rulesString") is UNKNOWN:
        context.plan.gap(item, "its rules are not known")
    if _OPEN_PASS.search(text):
        context.fail("EG-13", item, "a pass rule to any destination")
    for rule in blocks(source.get("statefulRules")):
        if rule.get("action") == "PASS" and block(rule.get("header")).get("destination") in ("ANY", "0.0.0.0/0", "::/0"):
            context.fail("EG-13", item, "a pass rule to any destination")
    names = block(source.get("rulesSourceList"))
    if names and names.get("generatedRulesType") == "ALLOWLIST":
        context.fail("EG-14", item, "names that are allowed are matched by what the client says (SNI, Host), not by the address it reaches")


def _ingest(context: Context, item: Resource) -> None:
    for route in blocks(item.get("entries")):
        if network(route.get("cidr")) is None and route.get("cidr") is not UNKNOWN:
            context.plan.gap(item, "entries holds what is no network")


def region_of(context: Context, item: Resource) -> str | None:
    """The AWS region a resource stands in, by itself or by its provider."""
    value = item.get("region")
    if isinstance(value, str) and value:
        return value
    provider = context.plan.resources.get(item.provider.rsplit("::", 1)[0])
    found = provider.get("region") if provider else None
    return found if isinstance(found, str) else None


CHECKS: dict[str, tuple[Callable[[Context, Resource], None], ...]] = {
    "aws:s3/bucket:Bucket": (_bucket,),
    "aws:s3/bucketV2:BucketV2": (_bucket,),
    "aws:s3/bucketAcl:BucketAcl": (_acl,),
    "aws:s3/bucketAclV2:BucketAclV2": (_acl,),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": (_block,),
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": (_replicates,),
    "aws:s3/bucketLogging:BucketLogging": (log_bucket("targetBucket"),),
    "aws:s3/bucketLoggingV2:BucketLoggingV2": (log_bucket("targetBucket"),),
    LOCKS[0]: (lock_lasts,),
    LOCKS[1]: (lock_lasts,),
    "aws:kms/key:Key": (_key,),
    "aws:kms/grant:Grant": (_grant,),
    "aws:lambda/function:Function": (_function,),
    "aws:lambda/permission:Permission": (_permission,),
    "aws:sns/topicSubscription:TopicSubscription": (_subscription,),
    "aws:cloudwatch/eventTarget:EventTarget": (_event_target,),
    "aws:cloudwatch/eventPermission:EventPermission": (_event_permission,),
    "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter": (kept("destinationArn", "EG-18"),),
    "aws:cloudtrail/trail:Trail": (log_bucket("s3BucketName"), _notices),
    "aws:eks/accessEntry:AccessEntry": (_admits,),
    "aws:cfg/deliveryChannel:DeliveryChannel": (log_bucket("s3BucketName"),),
    "aws:ec2/flowLog:FlowLog": (log_bucket("logDestination"),),
    "aws:route53/resolverQueryLogConfig:ResolverQueryLogConfig": (log_bucket("destinationArn"),),
    "aws:ssm/document:Document": (_document,),
    "aws:codebuild/project:Project": (_codebuild,),
    "aws:ecr/replicationConfiguration:ReplicationConfiguration": (_ecr_replication,),
    "aws:ram/resourceShare:ResourceShare": (_share,),
    "aws:ram/principalAssociation:PrincipalAssociation": (_shared_with,),
    "aws:ec2/vpcEndpoint:VpcEndpoint": (_endpoint,),
    ENDPOINT_SERVICE: (_provider,),
    "aws:ec2/vpcEndpointServiceAllowedPrinciple:VpcEndpointServiceAllowedPrinciple": (_provided_to,),
    "aws:s3/bucketNotification:BucketNotification": (notifies,),
    "aws:cloudwatch/metricAlarm:MetricAlarm": (acts,),
    "aws:networkfirewall/loggingConfiguration:LoggingConfiguration": (firewall_logs,),
    "aws:lb/loadBalancer:LoadBalancer": (balancer_logs,),
    "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation": (query_log,),
    "aws:secretsmanager/secret:Secret": (replicas,),
    "aws:lb/targetGroupAttachment:TargetGroupAttachment": (target,),
    "aws:lb/listener:Listener": (listener,),
    "aws:lb/listenerRule:ListenerRule": (listener,),
    STREAM: (stream,),
    PEERING: (_peering,),
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter": (_accepter,),
    "aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions": (_public_access,),
    "aws:backup/plan:Plan": (_backup,),
    "aws:route53/zone:Zone": (_zone,),
    "aws:route53/zoneAssociation:ZoneAssociation": (_zone_association,),
    "aws:route53/resolverEndpoint:ResolverEndpoint": (_resolver_endpoint,),
    "aws:networkfirewall/firewallPolicy:FirewallPolicy": (_firewall_policy,),
    "aws:networkfirewall/ruleGroup:RuleGroup": (_rule_group,),
    "aws:ec2/managedPrefixList:ManagedPrefixList": (_ingest,),
}
"""What is asked of each resource of a type, beside what the network and the policies ask."""


def decide_services(context: Context) -> None:
    """Every finding about single resources."""
    for kind, checks in CHECKS.items():
        for item in context.plan.of(kind):
            for check in checks:
                check(context, item)
