"""Reads who may do what in an account: roles, users, groups, keys, and the policies of buckets, registries, queues and the like."""

from __future__ import annotations

from typing import Any

import orjson

from curtilage.live.aws_client import Account
from curtilage.proof.aws.plan import UNKNOWN

SERVICE_PATH = "/aws-service-role/"


def text(value: Any) -> Any:
    """A policy as a plan holds it: JSON."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() if isinstance(value, dict) else value


def read_identity(account: Account) -> tuple[str, ...]:
    """Every principal of the account; gives the roles whose own rights are not judged, and why."""
    trusted: list[str] = []
    administrators = set(account.region.aws.administrators) if account.region.aws else set()
    for page in account.items("iam", "get_account_authorization_details"):
        for item in page.get("Policies") or []:
            # AWS's own are named by the roles that have them.
            if str(item.get("Arn", "")).startswith("arn:aws:iam::aws:"):
                continue
            default = [entry.get("Document") for entry in item.get("PolicyVersionList") or [] if entry.get("IsDefaultVersion")]
            account.add("aws:iam/policy:Policy", item["Arn"], arn=item["Arn"], policy=text(default[0]) if default else UNKNOWN)
        for item in page.get("RoleDetailList") or []:
            _role(account, item, administrators, trusted)
        for item in page.get("UserDetailList") or []:
            name = item["UserName"]
            account.add("aws:iam/user:User", name, arn=item.get("Arn"))
            for key in account.items("iam", "list_access_keys", UserName=name):
                account.add("aws:iam/accessKey:AccessKey", f"{name}-key-{key.get('Status', '')}")
            _rights(account, "user", name, item, "UserPolicyList")
        for item in page.get("GroupDetailList") or []:
            _rights(account, "group", item["GroupName"], item, "GroupPolicyList")
    return tuple(trusted)


def _role(account: Account, item: dict[str, Any], administrators: set[str], trusted: list[str]) -> None:
    name, arn = item["RoleName"], item.get("Arn")
    own = str(item.get("Path", "/")).startswith(SERVICE_PATH)
    account.add(
        "aws:iam/role:Role", name, name=name, arn=arn, assumeRolePolicy=None if own else text(item.get("AssumeRolePolicyDocument", UNKNOWN))
    )
    for entry in item.get("InstanceProfileList") or []:
        found = entry["InstanceProfileName"]
        account.add("aws:iam/instanceProfile:InstanceProfile", found, name=found, arn=entry.get("Arn"), role=name)
    if own:
        trusted.append(f"role {name} is AWS's own service's: only it can assume it")
    elif arn in administrators:
        trusted.append(f"role {arn} administers the region, as its file says: what it may do is the organisation's policy")
    else:
        _rights(account, "role", name, item, "RolePolicyList")


def _rights(account: Account, who: str, name: str, item: dict[str, Any], inline: str) -> None:
    kind = who.title()
    for entry in item.get(inline) or []:
        made = f"aws:iam/{who}Policy:{kind}Policy"
        account.add(made, f"{name}:{entry.get('PolicyName')}", policy=text(entry.get("PolicyDocument", UNKNOWN)))
    for entry in item.get("AttachedManagedPolicies") or []:
        made = f"aws:iam/{who}PolicyAttachment:{kind}PolicyAttachment"
        account.add(made, f"{name}-{entry.get('PolicyName')}", policyArn=entry.get("PolicyArn", UNKNOWN))


def read_keys(account: Account) -> None:
    """Every key that the account makes; AWS's own keys are used by AWS's services alone."""
    for item in account.items("kms", "list_keys"):
        name = item["KeyId"]
        found = account.one("kms", "describe_key", KeyId=name)
        meta = found if isinstance(found, dict) else {}
        if meta.get("KeyManager") == "AWS" or meta.get("KeyState") == "PendingDeletion":
            continue
        policy = account.one("kms", "get_key_policy", KeyId=name, PolicyName="default")
        account.add(
            "aws:kms/key:Key",
            name,
            arn=item.get("KeyArn") or meta.get("Arn"),
            policy=UNKNOWN if policy is None else policy,
            multiRegion=meta.get("MultiRegion", UNKNOWN),
        )
        for grant in account.items("kms", "list_grants", KeyId=name):
            account.add("aws:kms/grant:Grant", grant["GrantId"], keyId=name, granteePrincipal=grant.get("GranteePrincipal", UNKNOWN))


def read_policies(account: Account) -> None:
    """Policies of registries, logs, topics, queues, functions, buses and secrets."""
    _registries(account)
    _logs(account)
    for item in account.items("sns", "list_topics"):
        arn = item["TopicArn"]
        found = account.one("sns", "get_topic_attributes", TopicArn=arn)
        account.add("aws:sns/topic:Topic", arn, arn=arn, policy=found.get("Policy") if isinstance(found, dict) else UNKNOWN)
    for item in account.items("sns", "list_subscriptions"):
        kind = "aws:sns/topicSubscription:TopicSubscription"
        account.add(kind, item["SubscriptionArn"], protocol=item.get("Protocol"), endpoint=item.get("Endpoint"))
    for url in account.items("sqs", "list_queues"):
        found = account.one("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
        known = found if isinstance(found, dict) else {"Policy": UNKNOWN}
        account.add("aws:sqs/queue:Queue", url, arn=known.get("QueueArn"), policy=known.get("Policy"))
    for item in account.items("events", "list_event_buses"):
        account.add("aws:cloudwatch/eventBus:EventBus", item["Name"], name=item["Name"], arn=item.get("Arn"))
        if item.get("Policy"):
            account.add("aws:cloudwatch/eventBusPolicy:EventBusPolicy", item["Name"], policy=item["Policy"])
        for rule in account.items("events", "list_rules", EventBusName=item["Name"]):
            if rule.get("ManagedBy"):
                continue  # a service of AWS's made it for itself, and nobody else may change it
            for goal in account.items("events", "list_targets_by_rule", Rule=rule["Name"], EventBusName=item["Name"]):
                kind = "aws:cloudwatch/eventTarget:EventTarget"
                account.add(kind, f"{rule['Name']}-{goal.get('Id')}", arn=goal.get("Arn"), httpTarget=goal.get("HttpParameters"))
    for item in account.items("secretsmanager", "list_secrets"):
        arn = item["ARN"]
        copies = [{"region": entry.get("Region")} for entry in item.get("ReplicationStatus") or []]
        policy = account.one("secretsmanager", "get_resource_policy", SecretId=arn)
        account.add("aws:secretsmanager/secret:Secret", arn, arn=arn, replicas=copies or None, policy=policy)


def _registries(account: Account) -> None:
    for item in account.items("ecr", "describe_repositories"):
        name = item["repositoryName"]
        account.add("aws:ecr/repository:Repository", name, name=name, arn=item.get("repositoryArn"))
        policy = account.one("ecr", "get_repository_policy", repositoryName=name)
        if policy is not None:
            account.add("aws:ecr/repositoryPolicy:RepositoryPolicy", name, policy=policy)
    policy = account.one("ecr", "get_registry_policy")
    if policy is not None and policy is not UNKNOWN:
        account.add("aws:ecr/registryPolicy:RegistryPolicy", "registry", policy=policy)
    copies = account.one("ecr", "describe_registry")
    rules = copies.get("rules") if isinstance(copies, dict) else None
    if rules:
        goals = [{"destinations": rule.get("destinations")} for rule in rules]
        kind = "aws:ecr/replicationConfiguration:ReplicationConfiguration"
        account.add(kind, "registry", replicationConfiguration={"rules": goals})
    for item in account.items("ecr", "describe_pull_through_cache_rules"):
        account.add("aws:ecr/pullThroughCacheRule:PullThroughCacheRule", str(item.get("ecrRepositoryPrefix")))


def _logs(account: Account) -> None:
    for item in account.items("logs", "describe_log_groups"):
        name = item["logGroupName"]
        account.add("aws:cloudwatch/logGroup:LogGroup", name, name=name, arn=str(item.get("arn", "")).removesuffix(":*"))
        for entry in account.items("logs", "describe_subscription_filters", logGroupName=name):
            kind = "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter"
            account.add(kind, f"{name}-{entry.get('filterName')}", destinationArn=entry.get("destinationArn", UNKNOWN))
    for item in account.items("logs", "describe_resource_policies"):
        kind = "aws:cloudwatch/logResourcePolicy:LogResourcePolicy"
        account.add(kind, str(item.get("policyName")), policyDocument=item.get("policyDocument", UNKNOWN))
    for item in account.items("logs", "describe_destinations"):
        kind = "aws:cloudwatch/logDestinationPolicy:LogDestinationPolicy"
        account.add(kind, str(item.get("destinationName")), accessPolicy=item.get("accessPolicy"))
