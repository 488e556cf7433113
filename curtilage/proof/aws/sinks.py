"""Where logs, notices, records and requests of a resource go: only to what the plan itself holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from curtilage.proof.aws.context import Context, block, blocks, is_false, is_true
from curtilage.proof.aws.dns import inside_own, is_address
from curtilage.proof.aws.identity import BUCKETS
from curtilage.proof.aws.plan import UNKNOWN, Resource

STREAM = "aws:kinesis/firehoseDeliveryStream:FirehoseDeliveryStream"
LOCKS = (
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
    "aws:s3/bucketObjectLockConfigurationV2:BucketObjectLockConfigurationV2",
)
KEPT = (
    "aws:cloudwatch/logGroup:LogGroup", "aws:sqs/queue:Queue", "aws:sns/topic:Topic", "aws:lambda/function:Function",
    "aws:kinesis/stream:Stream", "aws:cloudwatch/eventBus:EventBus", *BUCKETS,
)  # fmt: skip


def https() -> dict[str, Any]:
    """The packet that a service sends for whoever uses it."""
    return {"family": "ipv4", "protocol": "tcp", "source": "AWS's own network", "destination": "203.0.113.10", "port": 443}


def notifies(context: Context, item: Resource) -> None:
    """A bucket's notices carry the names of its objects."""
    for prop, key in (("topics", "topicArn"), ("queues", "queueArn"), ("lambdaFunctions", "lambdaFunctionArn")):
        sinks(context, item, prop, [entry.get(key) if isinstance(entry, dict) else UNKNOWN for entry in item.get(prop) or []])


def acts(context: Context, item: Resource) -> None:
    for prop in ("alarmActions", "okActions", "insufficientDataActions"):
        actions = item.get(prop) or []
        # arn:aws:automate:region:ec2:stop acts on a machine, and carries nothing.
        sinks(context, item, prop, [value for value in actions if not str(value).startswith(("arn:aws:automate:", "arn:aws:autoscaling:"))])


def sinks(context: Context, item: Resource, prop: str, values: list[Any]) -> None:
    for value in values:
        found = context.plan.one(item, prop, value, *KEPT)
        if found is not None or (value is UNKNOWN and context.plan.behind(item, prop, *KEPT)):
            continue
        if isinstance(value, str):
            context.fail("EG-18", item, f"{prop} {value} is not of this plan")
        else:
            context.plan.gap(item, f"{prop} is not known")


def firewall_logs(context: Context, item: Resource) -> None:
    for config in blocks(block(item.get("loggingConfiguration")).get("logDestinationConfigs")):
        given = config.get("logDestination")
        values = list(given.values()) if isinstance(given, dict) else [UNKNOWN]
        sinks(context, item, "loggingConfiguration", [value for value in values if value != ""])


def balancer_logs(context: Context, item: Resource) -> None:
    for prop in ("accessLogs", "connectionLogs"):
        for entry in blocks(item.get(prop)):
            if entry.get("bucket") and not is_false(entry.get("enabled", True)):
                sinks(context, item, prop, [entry.get("bucket")])


def query_log(context: Context, item: Resource) -> None:
    kind = "aws:route53/resolverQueryLogConfig:ResolverQueryLogConfig"
    if context.plan.one(item, "resolverQueryLogConfigId", item.get("resolverQueryLogConfigId"), kind) is None:
        context.plan.gap(item, "resolverQueryLogConfigId: a log that is not in the plan; it may be another account's")


def replicas(context: Context, item: Resource) -> None:
    for entry in item.get("replicas") or []:
        where = entry.get("region") if isinstance(entry, dict) else None
        context.fail("AWS-REGION", item, f"it keeps a copy in {where if isinstance(where, str) else 'another region'}")


def target(context: Context, item: Resource) -> None:
    value = item.get("targetId")
    if isinstance(value, str) and is_address(value) and not inside_own(context.net, value):
        context.fail("EG-09", item, f"the balancer hands on to {value}, outside the plan's networks", https() | {"destination": value})
    elif value is UNKNOWN and not item.depends.get("targetId"):
        context.plan.gap(item, "targetId is not known")


def listener(context: Context, item: Resource) -> None:
    for prop in ("defaultActions", "actions"):
        given = item.get(prop)
        if given is UNKNOWN:
            context.plan.gap(item, f"{prop} is not known")
        for entry in blocks(given):
            if entry.get("type") in ("authenticate-oidc", "authenticate-cognito"):
                context.fail("EG-18", item, "the balancer itself calls an identity provider outside the network", https())


def stream(context: Context, item: Resource) -> None:
    goal = item.get("destination")
    if goal in ("extended_s3", "s3"):
        for prop in ("extendedS3Configuration", "s3Configuration"):
            for entry in blocks(item.get(prop)):
                sinks(context, item, prop, [entry.get("bucketArn")])
    elif isinstance(goal, str):
        context.fail("EG-18", item, f"records leave to {goal} by AWS's own path", https())
    if not isinstance(goal, str):
        context.plan.gap(item, "destination is not known")


def kept(prop: str, number: str) -> Callable[[Context, Resource], None]:
    def check(context: Context, item: Resource) -> None:
        value = item.get(prop)
        if value is None or value == "":
            return
        if context.plan.one(item, prop, value.removesuffix(":*") if isinstance(value, str) else value, *KEPT) is not None:
            return
        if isinstance(value, str):
            context.fail(number, item, f"{prop} {value} is not of this plan")
        else:
            context.plan.gap(item, f"{prop} is not known")

    return check


def log_bucket(prop: str) -> Callable[[Context, Resource], None]:
    """A record that can be deleted proves nothing: what keeps logs in a bucket needs object lock."""

    def check(context: Context, item: Resource) -> None:
        kept(prop, "EG-18")(context, item)
        found = context.plan.one(item, prop, item.get(prop), *BUCKETS)
        if found is None:
            return
        locked = any(context.plan.one(lock, "bucket", lock.get("bucket"), *BUCKETS) is found for lock in context.plan.of(*LOCKS))
        inline = block(found.get("objectLockConfiguration")).get("objectLockEnabled") == "Enabled" and block(
            found.get("objectLockConfiguration")
        ).get("rule")
        if not (is_true(found.get("objectLockEnabled")) and locked) and not inline:
            context.fail(
                "AWS-LOGS",
                item,
                f"{found} keeps its records without object lock: they can be deleted; enable it and set a default retention",
            )

    return check


def lock_lasts(context: Context, item: Resource) -> None:
    rule = block(block(item.get("rule")).get("defaultRetention"))
    context.must("AWS-LOGS", item, "rule", rule.get("mode"), lambda v: v in ("COMPLIANCE", "GOVERNANCE"), "it sets no default retention")
