"""Who may do what to whom: policies of endpoints, buckets, keys, roles and the like, each decided by SMT (EG-03 to EG-06, EG-18)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
import z3

from curtilage.proof.aws.context import Context
from curtilage.proof.aws.model import ENDPOINT
from curtilage.proof.aws.plan import UNKNOWN, Plan, Resource, known
from curtilage.proof.aws.policy import ANONYMOUS, FOREIGN, OWN, SERVICE_FOREIGN, Owner, PolicyError, Request
from curtilage.proof.aws.question import Question, Witness
from curtilage.verdict import Verdict

BUCKETS = ("aws:s3/bucketV2:BucketV2", "aws:s3/bucket:Bucket")
ENDPOINT_POLICY = "aws:ec2/vpcEndpointPolicy:VpcEndpointPolicy"

RESOURCE_POLICIES: dict[str, str] = {
    "aws:s3/bucketPolicy:BucketPolicy": "policy",
    "aws:s3/bucket:Bucket": "policy",
    "aws:s3/bucketV2:BucketV2": "policy",
    "aws:s3/accessPoint:AccessPoint": "policy",
    "aws:kms/key:Key": "policy",
    "aws:kms/keyPolicy:KeyPolicy": "policy",
    "aws:sqs/queue:Queue": "policy",
    "aws:sqs/queuePolicy:QueuePolicy": "policy",
    "aws:sns/topic:Topic": "policy",
    "aws:sns/topicPolicy:TopicPolicy": "policy",
    "aws:ecr/repositoryPolicy:RepositoryPolicy": "policy",
    "aws:ecr/registryPolicy:RegistryPolicy": "policy",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "policy",
    "aws:secretsmanager/secret:Secret": "policy",
    "aws:cloudwatch/eventBusPolicy:EventBusPolicy": "policy",
    "aws:cloudwatch/logDestinationPolicy:LogDestinationPolicy": "accessPolicy",
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy": "policyDocument",
    "aws:iam/role:Role": "assumeRolePolicy",
}
"""Types with a policy about who may use them, and the property it is in."""

IDENTITY_POLICIES: dict[str, str] = {
    "aws:iam/policy:Policy": "policy",
    "aws:iam/rolePolicy:RolePolicy": "policy",
    "aws:iam/userPolicy:UserPolicy": "policy",
    "aws:iam/groupPolicy:GroupPolicy": "policy",
}

OPENING = (
    "ec2:createinternetgateway", "ec2:attachinternetgateway", "ec2:createegressonlyinternetgateway", "ec2:createnatgateway",
    "ec2:createcarriergateway", "ec2:createroute", "ec2:replaceroute", "ec2:createvpcpeeringconnection", "ec2:acceptvpcpeeringconnection",
    "ec2:createtransitgatewayvpcattachment", "ec2:createvpnconnection", "ec2:attachvpngateway", "ec2:createvpcendpoint",
    "ec2:modifyvpcendpoint", "ec2:authorizesecuritygroupegress", "ec2:createnetworkaclentry", "ec2:replacenetworkaclentry",
    "ec2:associateaddress", "ec2:modifysnapshotattribute", "ec2:modifyimageattribute", "ec2:createinstanceconnectendpoint",
    "ec2:modifyinstancemetadataoptions", "ec2:deletevpcblockpublicaccessexclusion", "ec2:createtrafficmirrorsession",
    "ec2:createvpcblockpublicaccessexclusion", "ec2:modifyvpcblockpublicaccessoptions", "ec2-instance-connect:opentunnel",
    "ssm:startsession", "route53resolver:disassociatefirewallrulegroup", "route53resolver:updatefirewallconfig",
    "route53resolver:createresolverrule", "route53resolver:createresolverendpoint", "route53resolver:updatefirewallrule",
    "s3:putbucketpolicy", "s3:deletebucketpolicy", "s3:putreplicationconfiguration", "s3:putbucketacl", "s3:putobjectacl",
    "kms:putkeypolicy", "kms:replicatekey", "iam:createaccesskey", "iam:putrolepolicy", "iam:attachrolepolicy",
    "iam:updateassumerolepolicy", "iam:createuser", "lambda:createfunction", "lambda:addpermission", "codebuild:createproject",
    "events:createapidestination", "sns:subscribe", "ses:sendemail", "ses:sendrawemail", "eks:updateclusterconfig",
    "ecr:putreplicationconfiguration", "ecr:setrepositorypolicy", "ram:createresourceshare", "rds:modifydbsnapshotattribute",
    "cloudshell:createenvironment", "states:createstatemachine", "appstream:createfleet", "sagemaker:createnotebookinstance",
)  # fmt: skip
"""Each opens a way out, or is one; no role inside the segment needs it (EG-07 to EG-09, EG-18)."""

CARRYING = (
    "s3:putobject", "s3:replicateobject", "sqs:sendmessage", "sns:publish", "kinesis:putrecord", "firehose:putrecord", "dynamodb:putitem",
    "kinesis:putrecords", "firehose:putrecordbatch", "dynamodb:updateitem", "dynamodb:batchwriteitem", "codecommit:gitpush",
    "states:startexecution", "iot:publish", "es:eshttppost", "codeartifact:publishpackageversion", "elasticfilesystem:clientwrite",
    "lambda:invokefunction", "events:putevents", "sts:assumerole", "ecr:putimage", "secretsmanager:putsecretvalue", "execute-api:invoke",
)  # fmt: skip
"""Carries data to the resource it names; foreign, that is a way out. The endpoint's policy is the lock that decides it."""

MANAGED_FINE = {
    "AmazonEKSClusterPolicy", "AmazonEKSVPCResourceController", "AmazonEKSServicePolicy", "AmazonEKSWorkerNodePolicy",
    "AmazonEKSWorkerNodeMinimalPolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly", "AmazonEC2ContainerRegistryPullOnly",
    "CloudWatchAgentServerPolicy", "AmazonEBSCSIDriverPolicy", "AmazonEBSCSIDriverPolicyV2",
}  # fmt: skip
"""AWS managed policies whose data actions end inside the account; what they create is bounded by the network's locks."""
MANAGED_OPEN = {
    "AdministratorAccess", "PowerUserAccess", "AmazonSSMManagedInstanceCore", "AmazonEC2RoleforSSM", "AmazonSSMFullAccess",
    "AmazonS3FullAccess",
    "AmazonEC2FullAccess", "AmazonVPCFullAccess", "IAMFullAccess", "AmazonSESFullAccess", "AmazonSNSFullAccess", "AmazonSQSFullAccess",
    "AWSLambda_FullAccess", "AmazonRoute53FullAccess", "AmazonRoute53ResolverFullAccess", "EC2InstanceConnect", "AmazonSSMAutomationRole",
    "AmazonSSMManagedEC2InstanceDefaultPolicy", "AWSCodeBuildAdminAccess", "AmazonEventBridgeFullAccess", "AWSCloudShellFullAccess",
}  # fmt: skip

EKS_REGISTRY = "602401143452"
"""AWS's registry of EKS add-ons (EKS User Guide, "Amazon container image registries for Amazon EKS add-ons")."""
FETCHING = ("ecr:batchchecklayeravailability", "ecr:batchgetimage", "ecr:getdownloadurlforlayer")

OPEN_POLICY = {"Statement": [{"Sid": "Default", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
"""What AWS gives an endpoint without a policy."""

_ORG = re.compile(r"\bo-[a-z0-9]{4,32}\b")
_ACCOUNT = re.compile(r"(?<![0-9])[0-9]{12}(?![0-9])")


def owner_of(plan: Plan, organisation: str | None = None) -> Owner:
    """Whose plan it is: accounts of what exists, of the provider and of the policies; the organisation that the policies name most."""
    orgs: Counter[str] = Counter()
    accounts: Counter[str] = Counter()
    for item in plan.resources.values():
        if item.type == "pulumi:providers:aws":
            allowed = item.get("allowedAccountIds")
            if isinstance(allowed, str):
                allowed = orjson.loads(allowed) if allowed.startswith("[") else [allowed]
            for account in allowed if isinstance(allowed, list) else []:
                accounts[str(account)] += 1000
        arn = item.outputs.get("arn")
        if isinstance(arn, str) and arn.count(":") >= 5 and _ACCOUNT.fullmatch(arn.split(":")[4]):
            accounts[arn.split(":")[4]] += 10
        for text in _documents(item):
            for found in set(_ORG.findall(text)):
                orgs[found] += 1
            for found in set(_ACCOUNT.findall(text)):
                accounts[found] += 1
    chosen = organisation or _most(plan, orgs, "organisation")
    account = _most(plan, accounts, "account")
    buckets = {str(item.get("bucket")) for item in plan.of(*BUCKETS) if isinstance(item.get("bucket"), str)}
    return Owner(chosen, (account,) if account else (), tuple(sorted(buckets)))


def _most(plan: Plan, counts: Counter[str], what: str) -> str | None:
    ranked = counts.most_common(2)
    if len(ranked) == 2 and ranked[0][1] == ranked[1][1]:
        plan.gap("the plan", f"which {what} is the own is not told: {ranked[0][0]} and {ranked[1][0]} are named equally often")
    return ranked[0][0] if ranked else None


def _documents(item: Resource) -> Iterator[str]:
    for prop in ("policy", "assumeRolePolicy", "accessPolicy", "policyDocument"):
        value = item.get(prop)
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict) and known(value):
            yield orjson.dumps(value).decode()


def decide_policies(context: Context) -> None:
    """Every finding about policies."""
    _endpoints(context)
    for kind, prop in RESOURCE_POLICIES.items():
        for item in context.plan.of(kind):
            value = item.get(prop)
            if value is None or value == "":
                continue  # own account alone, by default
            trust = kind == "aws:iam/role:Role"
            asked = "trust" if trust else "resource"
            _ask(context, item, prop, value, asked, "EG-18" if trust else "EG-05")
    for item, prop, value in _identities(context.plan):
        _ask(context, item, prop, value, "identity", "EG-18")
    _managed(context)


@dataclass(frozen=True)
class PolicyText:
    """A policy as a plan holds it.

    Attributes:
        asked: ``identity``, ``trust``, ``endpoint`` or ``resource``: what an absent Principal and an absent document mean.
    """

    item: Resource
    prop: str
    asked: str
    value: Any


def policies_of(plan: Plan) -> Iterator[PolicyText]:
    """Every policy of a plan, the open one that AWS gives an endpoint without one included."""
    apart = {plan.one(item, "vpcEndpointId", item.get("vpcEndpointId"), ENDPOINT) for item in plan.of(ENDPOINT_POLICY)}
    for item in plan.of(ENDPOINT):
        if item.get("policy"):
            yield PolicyText(item, "policy", "endpoint", item.get("policy"))
        elif item not in apart and item.get("vpcEndpointType", "Gateway") in ("Gateway", "Interface"):
            yield PolicyText(item, "policy", "endpoint", OPEN_POLICY)
    for item in plan.of(ENDPOINT_POLICY):
        yield PolicyText(item, "policy", "endpoint", item.get("policy"))
    for kind, prop in RESOURCE_POLICIES.items():
        for item in plan.of(kind):
            if item.get(prop) not in (None, ""):
                yield PolicyText(item, prop, "trust" if kind == "aws:iam/role:Role" else "resource", item.get(prop))
    for item, prop, value in _identities(plan):
        yield PolicyText(item, prop, "identity", value)


def _endpoints(context: Context) -> None:
    plan = context.plan
    apart: dict[str, list[Resource]] = {}
    for item in plan.of(ENDPOINT_POLICY):
        target = plan.one(item, "vpcEndpointId", item.get("vpcEndpointId"), ENDPOINT)
        if target is None:
            plan.gap(item, "vpcEndpointId: not an endpoint of the plan")
        else:
            apart.setdefault(target.urn, []).append(item)
    for item in plan.of(ENDPOINT):
        if item.get("vpcEndpointType", "Gateway") not in ("Gateway", "Interface"):
            continue
        gateway = item.get("vpcEndpointType", "Gateway") == "Gateway"
        number = "EG-03" if gateway or str(item.get("serviceName")).endswith(".s3") else "EG-06"
        policies = [(item, item.get("policy"))] if item.get("policy") else []
        policies += [(extra, extra.get("policy")) for extra in apart.get(item.urn, [])]
        if not policies:
            context.fail(
                number,
                item,
                "it has no policy, so AWS gives it the open one: anyone's credentials reach anyone's resources through it",
                Witness("a foreign principal", "*", "*", True, "default").document(),
            )
        for source, value in policies:
            _ask(context, source, "policy", value, "endpoint", number)


def _through_endpoint(request: Request) -> Iterable[Any]:
    layers = [
        z3.And(
            z3.PrefixOf(z3.StringVal("arn:aws:s3:::prod-"), request.resource),
            z3.Contains(request.resource, z3.StringVal("-starport-layer-bucket/")),
        )
    ]
    # ECR keeps image layers in buckets of AWS, and AWS keeps the add-ons of EKS in a registry of its own; reading one carries nothing out.
    fetch = z3.Or(
        z3.And(request.action == z3.StringVal("s3:getobject"), *layers),
        z3.And(
            z3.Or(*(request.action == z3.StringVal(item) for item in FETCHING)),
            z3.PrefixOf(z3.StringVal("arn:aws:ecr:"), request.resource),
            z3.Contains(request.resource, z3.StringVal(f":{EKS_REGISTRY}:repository/eks/")),
        ),
    )
    yield z3.Or(request.kind == FOREIGN, request.kind == ANONYMOUS, z3.And(request.kind == OWN, request.foreign_resource))
    yield z3.Not(fetch)


def _foreign_user(request: Request) -> Iterable[Any]:
    yield z3.Or(
        request.kind == FOREIGN,
        request.kind == ANONYMOUS,
        z3.And(request.kind == SERVICE_FOREIGN, _data(request)),
    )
    yield z3.Not(request.foreign_resource)


def _data(request: Request) -> Any:
    # A service for a foreign account is a leak where it reads what is kept here.
    reads = ("s3:getobject", "sqs:receivemessage", "secretsmanager:getsecretvalue", "ecr:batchgetimage", "sns:subscribe")
    return z3.Or(*(request.action == z3.StringVal(item) for item in reads))


def _own_role(request: Request) -> Iterable[Any]:
    opening = z3.Or(*(request.action == z3.StringVal(item) for item in OPENING))
    carrying = z3.Or(*(request.action == z3.StringVal(item) for item in CARRYING))
    yield request.kind == OWN
    yield z3.Or(z3.And(opening, z3.Not(request.foreign_resource)), z3.And(carrying, request.foreign_resource))


def _ask(context: Context, item: Resource, prop: str, value: Any, asked: str, number: str) -> None:
    if value is UNKNOWN or not known(value):
        context.plan.gap(item, f"{prop} is not known")
        return
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    answer = _decide(context.owner, text, asked)
    if isinstance(answer, str):
        context.plan.gap(item, f"{prop}: {answer}")
    elif answer is not None:
        reason = f"{answer.statement} of its {prop} lets {answer.principal} do {answer.action} on {answer.resource}"
        if not answer.certain:
            reason += "; whether a condition that is not modelled prevents it is open"
        context.fail(number, item, reason, answer.document(), verdict=Verdict.FAIL if answer.certain else Verdict.NOT_PROVEN)


_WANTED: dict[str, Callable[[Request], Iterable[Any]]] = {
    "endpoint": _through_endpoint,
    "resource": _foreign_user,
    "trust": _foreign_user,
    "identity": _own_role,
}


@lru_cache(maxsize=4096)
def _decide(owner: Owner, text: str, asked: str) -> Witness | str | None:
    """A request that a policy must not allow, or why that is open. Resources and regions share policies, and a question takes a while."""
    try:
        question = Question(text, owner, names_principals=asked != "identity")
        extra = [z3.PrefixOf(z3.StringVal("sts:assumerole"), question.request.action)] if asked == "trust" else []
        return question.find(*_WANTED[asked](question.request), *extra)
    except PolicyError as error:
        return f"no policy that is understood: {error}"
    except TimeoutError:
        return "the solver did not decide it in time"


def _identities(plan: Plan) -> Iterator[tuple[Resource, str, Any]]:
    for kind, prop in IDENTITY_POLICIES.items():
        for item in plan.of(kind):
            yield item, prop, item.get(prop)
    for item in plan.of("aws:iam/role:Role"):
        for entry in item.get("inlinePolicies") or []:
            if not isinstance(entry, dict):
                yield item, "inlinePolicies", UNKNOWN
            elif entry.get("policy"):
                yield item, "inlinePolicies", entry.get("policy")


def _managed(context: Context) -> None:
    plan = context.plan
    attached: list[tuple[Resource, str, Any]] = [
        (item, "policyArn", item.get("policyArn"))
        for item in plan.of(
            "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
            "aws:iam/policyAttachment:PolicyAttachment",
            "aws:iam/userPolicyAttachment:UserPolicyAttachment",
            "aws:iam/groupPolicyAttachment:GroupPolicyAttachment",
        )
    ]
    for item in plan.of("aws:iam/role:Role"):
        arns = item.get("managedPolicyArns")
        attached += [(item, "managedPolicyArns", arn) for arn in (arns if isinstance(arns, list) else [arns] if arns is UNKNOWN else [])]
    for item, prop, arn in attached:
        if plan.one(item, prop, arn, "aws:iam/policy:Policy") is not None:
            continue
        if not isinstance(arn, str):
            plan.gap(item, f"{prop} is not known")
            continue
        name = arn.rsplit("/", 1)[-1]
        if "::aws:policy/" in arn and name in MANAGED_FINE:
            continue
        if "::aws:policy/" in arn and name in MANAGED_OPEN:
            context.fail("EG-07" if "SSM" in name else "EG-18", item, f"{name} grants actions that open a way out")
        else:
            plan.gap(item, f"{prop}: policy {name} is not in the plan")
