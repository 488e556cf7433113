"""Machines and clusters: metadata, public addresses, who enforces policies inside the cluster (EG-09, EG-16, EG-19, EG-21, EG-24)."""

from __future__ import annotations

from typing import Any

import orjson

from curtilage.proof.aws.context import Context, block, blocks, is_false, is_true
from curtilage.proof.aws.groups import CLUSTER
from curtilage.proof.aws.model import INSTANCE
from curtilage.proof.aws.plan import UNKNOWN, Resource
from curtilage.proof.aws.predicates import number

TEMPLATE, NODES = "aws:ec2/launchTemplate:LaunchTemplate", "aws:eks/nodeGroup:NodeGroup"
ADDON = "aws:eks/addon:Addon"


def decide_compute(context: Context) -> None:
    """Every finding about machines and clusters."""
    plan = context.plan
    for item in plan.of(INSTANCE, TEMPLATE):
        _metadata(context, item)
        _public(context, item, item.get("associatePublicIpAddress"))
        interfaces = item.get("networkInterfaces")
        if interfaces is UNKNOWN:
            plan.gap(item, "networkInterfaces is not known")
        for entry in blocks(interfaces):
            _public(context, item, entry.get("associatePublicIpAddress"))
            _public(context, item, entry.get("associateCarrierIpAddress"))
        if item.type == INSTANCE and not item.get("subnetId") and not interfaces and not item.get("launchTemplate"):
            context.fail("EG-09", item, "no subnet is named, so it stands in the account's default VPC, which has an internet gateway")
    for item in plan.of("aws:ec2/subnet:Subnet"):
        _public(context, item, item.get("mapPublicIpOnLaunch"))
    for item in plan.of("aws:rds/instance:Instance"):
        _public(context, item, item.get("publiclyAccessible"))
    for item in plan.of("aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults"):
        context.must(
            "EG-16", item, "httpTokens", item.get("httpTokens"), lambda v: v in (None, "required"), "it makes IMDSv1 the account's default"
        )
    for item in plan.of("aws:lb/loadBalancer:LoadBalancer"):
        context.must("EG-09", item, "internal", item.get("internal"), is_true, "it faces the internet: it is a relay with public addresses")
    for item in plan.of(CLUSTER):
        _cluster(context, item)
    for item in plan.of(NODES):
        _nodes(context, item)
    for item in plan.of("aws:eks/fargateProfile:FargateProfile"):
        context.fail("EG-10", item, "its pods get the cluster's own security group, which EKS makes with egress to everywhere")


def _public(context: Context, item: Resource, value: Any) -> None:
    if value is not None and value != "":
        context.must("EG-09", item, "associatePublicIpAddress", value, is_false, "it gives machines public addresses")


def _metadata(context: Context, item: Resource) -> None:
    given = item.get("metadataOptions")
    if given is UNKNOWN:
        context.plan.gap(item, "metadataOptions is not known")
        return
    options = block(given)
    if options.get("httpEndpoint") == "disabled":
        return
    reason = (
        "IMDSv1 answers: anything that can be made to fetch a URL gets the machine's credentials; set metadataOptions.httpTokens required"
    )
    context.must("EG-16", item, "metadataOptions.httpTokens", options.get("httpTokens"), lambda value: value == "required", reason)
    reason = "containers reach the metadata service; set metadataOptions.httpPutResponseHopLimit 1"
    context.must(
        "EG-16",
        item,
        "metadataOptions.httpPutResponseHopLimit",
        options.get("httpPutResponseHopLimit"),
        lambda value: number(value) == 1,
        reason,
    )


def _cluster(context: Context, item: Resource) -> None:
    given = item.get("vpcConfig")
    if given is UNKNOWN:
        context.plan.gap(item, "vpcConfig is not known")
    config = block(given)
    if given is not UNKNOWN:
        # Public is EKS's default.
        reason = "its API answers on the internet; set vpcConfig.endpointPublicAccess false"
        context.must("EG-19", item, "vpcConfig.endpointPublicAccess", config.get("endpointPublicAccess", True), is_false, reason)
    if is_true(block(item.get("computeConfig")).get("enabled")) or block(item.get("computeConfig")).get("enabled") is UNKNOWN:
        context.plan.gap(item, "computeConfig: machines of EKS Auto Mode are described by Kubernetes objects, not by the plan")
    for prop in ("remoteNetworkConfig", "outpostConfig"):
        if item.get(prop):
            context.plan.gap(item, f"{prop}: machines outside AWS are not modelled")
    _enforcement(context, item)


def _enforcement(context: Context, cluster: Resource) -> None:
    """Who enforces network policies, and from a pod's first moment on."""
    plan = context.plan
    for item in plan.of(ADDON):
        owner = plan.one(item, "clusterName", item.get("clusterName"), CLUSTER)
        if item.get("addonName") != "vpc-cni" or (owner is not None and owner is not cluster):
            continue
        if owner is None and len(plan.of(CLUSTER)) > 1:
            plan.gap(item, "clusterName: which cluster it is of is not known")
        text = item.get("configurationValues")
        if text is UNKNOWN:
            plan.gap(item, "configurationValues is not known")
            return
        try:
            values = orjson.loads(text) if isinstance(text, str) and text.strip() else text or {}
        except orjson.JSONDecodeError:
            plan.gap(item, "configurationValues is not JSON")
            return
        values = values if isinstance(values, dict) else {}
        if not is_true(values.get("enableNetworkPolicy")):
            context.fail("EG-24", item, "enableNetworkPolicy is not true: the API accepts network policies and nothing enforces them")
        env, agent = block(values.get("env")), block(values.get("nodeAgent"))
        mode = env.get("NETWORK_POLICY_ENFORCING_MODE") or block(agent.get("env")).get("NETWORK_POLICY_ENFORCING_MODE")
        if mode != "strict":
            context.fail("EG-21", item, "NETWORK_POLICY_ENFORCING_MODE is not strict: a pod sends freely until its policies are programmed")
        if is_true(env.get("ENABLE_V4_EGRESS")) or is_true(env.get("ENABLE_V6_EGRESS")):
            context.fail("EG-25", item, "a second address family leaves by an interface that policies do not cover")
        return
    context.fail("EG-24", cluster, "no add-on vpc-cni that enforces network policies is in the plan")


def _nodes(context: Context, item: Resource) -> None:
    plan = context.plan
    given = item.get("launchTemplate")
    if not given:
        context.fail("EG-16", item, "no launch template: EKS's own lets containers reach the metadata service (hop limit 2)")
        context.fail(
            "EG-10",
            item,
            "no launch template: its machines get the cluster's own security group, which EKS makes with egress to everywhere",
        )
        return
    value = given if given is UNKNOWN else block(given).get("id") or block(given).get("name")
    template = plan.one(item, "launchTemplate", value, TEMPLATE)
    if template is None:
        plan.gap(item, "launchTemplate: not a launch template of the plan")
        return
    version = UNKNOWN if given is UNKNOWN else block(given).get("version")
    if isinstance(version, str) and version.isdecimal():
        latest = template.outputs.get("latestVersion")
        if latest is not None and str(latest) != version:
            plan.gap(item, f"launchTemplate: version {version} is pinned, the plan shows {latest}")
    own = template.get("vpcSecurityGroupIds") or any(entry.get("securityGroups") for entry in blocks(template.get("networkInterfaces")))
    if not own:
        context.fail(
            "EG-10", item, f"{template} names no groups: its machines get the cluster's own, which EKS makes with egress to everywhere"
        )
