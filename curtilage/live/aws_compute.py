"""Reads what runs in an account: clusters, node groups, machines, launch templates, balancers, functions."""

from __future__ import annotations

from typing import Any

from curtilage.live.aws_client import Account
from curtilage.proof.aws.plan import UNKNOWN


def read_compute(account: Account) -> None:
    """Everything that runs."""
    pinned = _clusters(account)
    _templates(account, pinned)
    for group in account.items("ec2", "describe_instances"):
        for item in group.get("Instances") or []:
            if (item.get("State") or {}).get("Name") not in ("terminated", "shutting-down"):
                _instance(account, item)
    for item in account.items("autoscaling", "describe_auto_scaling_groups"):
        _scaling(account, item)
    _balancers(account)
    for item in account.items("lambda", "list_functions"):
        name, inside = item["FunctionName"], item.get("VpcConfig") or {}
        config = {"subnetIds": inside.get("SubnetIds"), "securityGroupIds": inside.get("SecurityGroupIds")}
        account.add("aws:lambda/function:Function", name, name=name, arn=item.get("FunctionArn"), role=item.get("Role"), vpcConfig=config)
        if account.one("lambda", "get_policy", FunctionName=name) is not None:
            account.gap(f"lambda:get_policy of {name}", "the function has a policy of its own, which is not modelled")
        for url in account.items("lambda", "list_function_url_configs", FunctionName=name):
            account.add("aws:lambda/functionUrl:FunctionUrl", str(url.get("FunctionUrl", name)))
    defaults = account.one("ec2", "get_instance_metadata_defaults")
    if isinstance(defaults, dict):
        kind = "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults"
        account.add(kind, account.site, httpTokens=defaults.get("HttpTokens"))


def _clusters(account: Account) -> dict[str, str]:
    """Clusters; gives the version of each launch template that a node group runs."""
    pinned: dict[str, str] = {}
    for name in account.items("eks", "list_clusters"):
        found = account.one("eks", "describe_cluster", name=name)
        item = found if isinstance(found, dict) else {}
        given = item.get("resourcesVpcConfig")
        config: Any = UNKNOWN
        if isinstance(given, dict):
            config = {
                "subnetIds": given.get("subnetIds") or [],
                "securityGroupIds": given.get("securityGroupIds") or [],
                "endpointPublicAccess": given.get("endpointPublicAccess", True),
                "endpointPrivateAccess": given.get("endpointPrivateAccess"),
            }
        account.add(
            "aws:eks/cluster:Cluster",
            name,
            name=name,
            arn=item.get("arn"),
            roleArn=item.get("roleArn", UNKNOWN),
            vpcConfig=config,
            computeConfig={"enabled": (item.get("computeConfig") or {}).get("enabled")} if item.get("computeConfig") else None,
            remoteNetworkConfig=item.get("remoteNetworkConfig") or None,
        )
        for addon in account.items("eks", "list_addons", clusterName=name):
            one = account.one("eks", "describe_addon", clusterName=name, addonName=addon)
            values = one.get("configurationValues") if isinstance(one, dict) else UNKNOWN
            account.add("aws:eks/addon:Addon", f"{name}:{addon}", clusterName=name, addonName=addon, configurationValues=values)
        for principal in account.items("eks", "list_access_entries", clusterName=name):
            one = account.one("eks", "describe_access_entry", clusterName=name, principalArn=principal)
            kind = one.get("type", UNKNOWN) if isinstance(one, dict) else UNKNOWN
            account.add("aws:eks/accessEntry:AccessEntry", f"{name}:{principal}", clusterName=name, principalArn=principal, type=kind)
        for profile in account.items("eks", "list_fargate_profiles", clusterName=name):
            account.add("aws:eks/fargateProfile:FargateProfile", f"{name}:{profile}", clusterName=name)
        for item in account.items("eks", "list_pod_identity_associations", clusterName=name):
            one = account.one("eks", "describe_pod_identity_association", clusterName=name, associationId=item["associationId"])
            known = one if isinstance(one, dict) else {"roleArn": UNKNOWN}
            account.add(
                "aws:eks/podIdentityAssociation:PodIdentityAssociation",
                item["associationId"],
                clusterName=name,
                roleArn=known.get("roleArn", UNKNOWN),
                targetRoleArn=known.get("targetRoleArn"),
            )
        for group in account.items("eks", "list_nodegroups", clusterName=name):
            _nodes(account, name, group, pinned)
    return pinned


def _nodes(account: Account, cluster: str, group: str, pinned: dict[str, str]) -> None:
    one = account.one("eks", "describe_nodegroup", clusterName=cluster, nodegroupName=group)
    item = one if isinstance(one, dict) else {}
    template = item.get("launchTemplate")
    if isinstance(template, dict) and template.get("id"):
        pinned[template["id"]] = str(template.get("version", ""))
    account.add(
        "aws:eks/nodeGroup:NodeGroup",
        f"{cluster}:{group}",
        clusterName=cluster,
        nodeRoleArn=item.get("nodeRole", UNKNOWN),
        subnetIds=item.get("subnets", UNKNOWN),
        launchTemplate=template if isinstance(one, dict) else UNKNOWN,
    )


def _templates(account: Account, pinned: dict[str, str]) -> None:
    for item in account.items("ec2", "describe_launch_templates"):
        name = item["LaunchTemplateId"]
        chosen = pinned.get(name) or str(item.get("LatestVersionNumber", ""))
        for version in account.items("ec2", "describe_launch_template_versions", LaunchTemplateId=name):
            number = str(version.get("VersionNumber"))
            used = number == chosen
            data = version.get("LaunchTemplateData") or {}
            profile = data.get("IamInstanceProfile") or {}
            # Each version can be launched, so each is judged; references find the one that machines run.
            account.add(
                "aws:ec2/launchTemplate:LaunchTemplate",
                name if used else f"{name} version {number}",
                name=item.get("LaunchTemplateName") if used else None,
                latestVersion=number,
                metadataOptions=_metadata(data.get("MetadataOptions")),
                vpcSecurityGroupIds=data.get("SecurityGroupIds") or None,
                networkInterfaces=[_interface(entry) for entry in data.get("NetworkInterfaces") or []] or None,
                iamInstanceProfile=[{"arn": profile.get("Arn"), "name": profile.get("Name")}] if profile else None,
            )


def _interface(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "associatePublicIpAddress": entry.get("AssociatePublicIpAddress"),
        "associateCarrierIpAddress": entry.get("AssociateCarrierIpAddress"),
        "securityGroups": entry.get("Groups"),
        "subnetId": entry.get("SubnetId"),
    }


def _metadata(found: Any) -> dict[str, Any]:
    options = found if isinstance(found, dict) else {}
    return {
        "httpTokens": options.get("HttpTokens"),
        "httpPutResponseHopLimit": options.get("HttpPutResponseHopLimit"),
        "httpEndpoint": options.get("HttpEndpoint"),
    }


def _instance(account: Account, item: dict[str, Any]) -> None:
    profile = str((item.get("IamInstanceProfile") or {}).get("Arn", "")).rsplit("/", 1)[-1]
    account.add(
        "aws:ec2/instance:Instance",
        item["InstanceId"],
        subnetId=item.get("SubnetId"),
        vpcSecurityGroupIds=[entry["GroupId"] for entry in item.get("SecurityGroups") or []] or None,
        metadataOptions=_metadata(item.get("MetadataOptions")),
        associatePublicIpAddress=bool(item.get("PublicIpAddress")),
        iamInstanceProfile=profile or None,
    )


def _scaling(account: Account, item: dict[str, Any]) -> None:
    def spec(found: dict[str, Any]) -> dict[str, Any]:
        return {"id": found.get("LaunchTemplateId"), "name": found.get("LaunchTemplateName"), "version": found.get("Version")}

    mixed = (item.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    policy = {
        "launchTemplate": {
            "launchTemplateSpecification": spec(mixed.get("LaunchTemplateSpecification") or {}),
            "overrides": [
                {"launchTemplateSpecification": spec(entry["LaunchTemplateSpecification"])}
                for entry in mixed.get("Overrides") or []
                if entry.get("LaunchTemplateSpecification")
            ],
        }
    }
    account.add(
        "aws:autoscaling/group:Group",
        item["AutoScalingGroupName"],
        name=item["AutoScalingGroupName"],
        arn=item.get("AutoScalingGroupARN"),
        launchConfiguration=item.get("LaunchConfigurationName"),
        launchTemplate=spec(item["LaunchTemplate"]) if item.get("LaunchTemplate") else None,
        mixedInstancesPolicy=policy if mixed else None,
        vpcZoneIdentifiers=[part.strip() for part in str(item.get("VPCZoneIdentifier") or "").split(",") if part.strip()] or None,
    )


def _balancers(account: Account) -> None:
    for item in account.items("elbv2", "describe_load_balancers"):
        arn = item["LoadBalancerArn"]
        found = account.items("elbv2", "describe_load_balancer_attributes", LoadBalancerArn=arn)
        set_to = {entry.get("Key"): entry.get("Value") for entry in found}
        account.add(
            "aws:lb/loadBalancer:LoadBalancer",
            item["LoadBalancerName"],
            arn=arn,
            internal=item.get("Scheme") == "internal",
            subnets=[zone["SubnetId"] for zone in item.get("AvailabilityZones") or [] if zone.get("SubnetId")],
            securityGroups=item.get("SecurityGroups") or None,
            accessLogs={"enabled": set_to.get("access_logs.s3.enabled") == "true", "bucket": set_to.get("access_logs.s3.bucket")},
        )
        for listener in account.items("elbv2", "describe_listeners", LoadBalancerArn=arn):
            actions = [{"type": action.get("Type")} for action in listener.get("DefaultActions") or []]
            account.add("aws:lb/listener:Listener", listener["ListenerArn"], defaultActions=actions)
            if item.get("Type") == "application":
                for rule in account.items("elbv2", "describe_rules", ListenerArn=listener["ListenerArn"]):
                    kinds = [{"type": action.get("Type")} for action in rule.get("Actions") or []]
                    account.add("aws:lb/listenerRule:ListenerRule", str(rule.get("RuleArn")), actions=kinds)
    for item in account.items("elbv2", "describe_target_groups"):
        arn = item["TargetGroupArn"]
        account.add("aws:lb/targetGroup:TargetGroup", item["TargetGroupName"], arn=arn)
        for entry in account.items("elbv2", "describe_target_health", TargetGroupArn=arn):
            goal = entry.get("Target") or {}
            kind = "aws:lb/targetGroupAttachment:TargetGroupAttachment"
            account.add(kind, f"{item['TargetGroupName']}-{goal.get('Id')}-{goal.get('Port')}", targetId=goal.get("Id", UNKNOWN))
