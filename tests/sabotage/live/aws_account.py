"""An emulated account, built by the region's own program: Pulumi asks for each resource, and boto3 makes it in moto.

What moto lacks is kept in ``Recorded``, which answers the calls in its place with the shapes that the API documents. What rests on such an
answer shows that the audit reads and decides it, not that an emulator did it: ``LACKING`` names each call.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import boto3
import pulumi
from moto.backends import get_backend

from components.region import LegalRegion, LegalRegionArgs
from curtilage.region import Region

ACCOUNT = "111122223333"
LACKING: dict[tuple[str, str], str] = {
    ("ec2", "DescribeClientVpnEndpoints"): "ClientVpnEndpoints",
    ("ec2", "DescribeInstanceConnectEndpoints"): "InstanceConnectEndpoints",
    ("ec2", "DescribeVpcBlockPublicAccessOptions"): "VpcBlockPublicAccessOptions",
    ("ec2", "DescribeVpcBlockPublicAccessExclusions"): "VpcBlockPublicAccessExclusions",
    ("ec2", "GetInstanceMetadataDefaults"): "AccountLevel",
    ("route53resolver", "ListFirewallRuleGroups"): "FirewallRuleGroups",
    ("route53resolver", "ListFirewallRules"): "FirewallRules",
    ("route53resolver", "ListFirewallDomainLists"): "FirewallDomainLists",
    ("route53resolver", "ListFirewallDomains"): "Domains",
    ("route53resolver", "ListFirewallRuleGroupAssociations"): "FirewallRuleGroupAssociations",
    ("route53resolver", "ListFirewallConfigs"): "FirewallConfigs",
    # moto reads no condition of a key's policy, and so refuses what the policy refuses to others.
    ("kms", "DescribeKey"): "KeyMetadata",
    ("eks", "ListAddons"): "addons",
    ("eks", "DescribeAddon"): "addon",
    ("eks", "ListAccessEntries"): "accessEntries",
    ("eks", "DescribeAccessEntry"): "accessEntry",
    ("eks", "ListPodIdentityAssociations"): "associations",
    ("eks", "DescribePodIdentityAssociation"): "association",
    ("ecr", "DescribePullThroughCacheRules"): "pullThroughCacheRules",
    ("backup", "GetBackupVaultAccessPolicy"): "",
    ("efs", "DescribeReplicationConfigurations"): "Replications",
    ("lambda", "ListFunctionUrlConfigs"): "FunctionUrlConfigs",
    ("ssm", "DescribeActivations"): "ActivationList",
    ("ram", "ListPrincipals"): "principals",
    ("apigateway", "GetRestApis"): "items",
    ("apigatewayv2", "GetApis"): "Items",
    ("directconnect", "DescribeVirtualInterfaces"): "virtualInterfaces",
    ("glue", "ListJobs"): "JobNames",
}


class Recorded:
    """Answers the calls that moto lacks, from what the region's program asked for."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Any]] = {key: [] for key in LACKING.values()}
        self.domains: dict[str, list[str]] = {}
        self.options: dict[str, Any] | None = None
        self.defaults: dict[str, Any] = {}
        self.addons: dict[str, dict[str, Any]] = {}
        self.entries: dict[str, str] = {}
        self.multi_region: set[str] = set()
        self.refused: dict[str, str] = {}
        self.silent = False

    def __call__(self, model: Any, params: dict[str, Any], **_: Any) -> Any:
        service, name = model.service_model.service_name, model.name
        if code := self.refused.get(f"{service}:{name}"):
            return SimpleNamespace(status_code=403), {"Error": {"Code": code, "Message": "refused"}}
        key = LACKING.get((service, name))
        if key is None:
            return None
        if self.silent:
            return SimpleNamespace(status_code=501), {"Error": {"Code": "NotImplemented", "Message": "the emulator lacks it"}}
        given = self._given(params)
        if name == "GetBackupVaultAccessPolicy":
            return SimpleNamespace(status_code=404), {"Error": {"Code": "ResourceNotFoundException", "Message": "none"}}
        found: Any = self.lists[key]
        if name == "ListFirewallDomains":
            found = self.domains.get(given.get("FirewallDomainListId", ""), [])
        elif name == "ListFirewallRules":
            found = [rule for rule in found if rule["FirewallRuleGroupId"] == given.get("FirewallRuleGroupId")]
        elif name == "DescribeVpcBlockPublicAccessOptions":
            found = self.options
        elif name == "GetInstanceMetadataDefaults":
            found = self.defaults
        elif name == "DescribeKey":
            found = {"KeyManager": "CUSTOMER", "KeyState": "Enabled", "MultiRegion": given.get("KeyId") in self.multi_region}
        elif name == "ListAddons":
            found = list(self.addons)
        elif name == "DescribeAddon":
            found = self.addons[str(params["url_path"]).rsplit("/", 1)[-1]]
        elif name == "ListAccessEntries":
            found = list(self.entries)
        elif name == "DescribeAccessEntry":
            who = unquote(str(params["url_path"]).split("/access-entries/")[1])
            found = {"principalArn": who, "type": self.entries[who]}
        elif name == "DescribePodIdentityAssociation":
            found = next(item for item in self.lists["associations"] if item["associationId"] == str(params["url_path"]).rsplit("/", 1)[-1])
        return SimpleNamespace(status_code=200), {key: found}

    @staticmethod
    def _given(params: dict[str, Any]) -> dict[str, Any]:
        body = params.get("body")
        found = json.loads(body) if isinstance(body, (str, bytes)) and body[:1] in ("{", b"{") else {}
        return found if isinstance(found, dict) else {}


class Builder(pulumi.runtime.Mocks):
    """Makes what the program asks for."""

    def __init__(self, session: Any, recorded: Recorded) -> None:
        self.session, self.recorded = session, recorded
        self.made: list[str] = []

    def client(self, service: str) -> Any:
        return self.session.client(service)

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
        raise AssertionError(f"a region calls no function, but asked for {args.token}")

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        make = MAKERS.get(args.typ)
        inputs = dict(args.inputs)
        if make is None:
            return args.name, inputs
        self.made.append(args.typ)
        id, outputs = make(self, inputs, args.name)
        return id, inputs | outputs


Maker = Callable[[Builder, dict[str, Any], str], tuple[str, dict[str, Any]]]


def _vpc(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    ec2 = b.client("ec2")
    vpc = ec2.create_vpc(CidrBlock=i["cidrBlock"])["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": key, "Value": value} for key, value in i["tags"].items()])
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    return vpc, {
        "defaultRouteTableId": ec2.describe_route_tables(Filters=mine)["RouteTables"][0]["RouteTableId"],
        "defaultNetworkAclId": ec2.describe_network_acls(Filters=mine)["NetworkAcls"][0]["NetworkAclId"],
        "defaultSecurityGroupId": ec2.describe_security_groups(Filters=mine)["SecurityGroups"][0]["GroupId"],
    }


def _subnet(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    ec2 = b.client("ec2")
    given = {"VpcId": i["vpcId"], "CidrBlock": i["cidrBlock"], "AvailabilityZone": i["availabilityZone"]}
    subnet = ec2.create_subnet(**given)["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": bool(i["mapPublicIpOnLaunch"])})
    return subnet, {}


def _emptied(ec2: Any, group: str) -> None:
    found = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    if found["IpPermissionsEgress"]:
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=found["IpPermissionsEgress"])
    if found["IpPermissions"]:
        ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=found["IpPermissions"])


def _default_group(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    ec2 = b.client("ec2")
    (group,) = ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [i["vpcId"]]}, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"]
    _emptied(ec2, group["GroupId"])
    return group["GroupId"], {}


def _group(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    ec2 = b.client("ec2")
    group = ec2.create_security_group(GroupName=i["name"], Description=i["description"], VpcId=i["vpcId"])["GroupId"]
    _emptied(ec2, group)
    return group, {}


def _rule(b: Builder, i: dict[str, Any], name: str, side: str) -> tuple[str, dict[str, Any]]:
    rule: dict[str, Any] = {"IpProtocol": i["ipProtocol"]}
    if i.get("fromPort") is not None:
        rule |= {"FromPort": int(i["fromPort"]), "ToPort": int(i["toPort"])}
    if i.get("referencedSecurityGroupId"):
        rule["UserIdGroupPairs"] = [{"GroupId": i["referencedSecurityGroupId"]}]
    if i.get("prefixListId"):
        rule["PrefixListIds"] = [{"PrefixListId": i["prefixListId"]}]
    getattr(b.client("ec2"), f"authorize_security_group_{side}")(GroupId=i["securityGroupId"], IpPermissions=[rule])
    return name, {}


def _default_acl(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    for egress in (True, False):
        b.client("ec2").delete_network_acl_entry(NetworkAclId=i["defaultNetworkAclId"], RuleNumber=100, Egress=egress)
    return i["defaultNetworkAclId"], {}


def _acl(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    ec2 = b.client("ec2")
    acl = ec2.create_network_acl(VpcId=i["vpcId"])["NetworkAcl"]["NetworkAclId"]
    for side in ("egress", "ingress"):
        for rule in i[side]:
            ec2.create_network_acl_entry(
                NetworkAclId=acl,
                RuleNumber=int(rule["ruleNo"]),
                RuleAction=rule["action"],
                Egress=side == "egress",
                Protocol="6" if rule["protocol"] == "tcp" else rule["protocol"],
                CidrBlock=rule["cidrBlock"],
                PortRange={"From": int(rule["fromPort"]), "To": int(rule["toPort"])},
            )
    for subnet in i["subnetIds"]:
        (old,) = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["NetworkAcls"]
        (link,) = [item for item in old["Associations"] if item["SubnetId"] == subnet]
        ec2.replace_network_acl_association(AssociationId=link["NetworkAclAssociationId"], NetworkAclId=acl)
    return acl, {}


def _endpoint(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    ec2 = b.client("ec2")
    given = {
        "VpcEndpointType": i["vpcEndpointType"],
        "VpcId": i["vpcId"],
        "ServiceName": i["serviceName"],
        "PolicyDocument": i["policy"],
        "RouteTableIds": i.get("routeTableIds"),
        "SubnetIds": i.get("subnetIds"),
        "SecurityGroupIds": i.get("securityGroupIds"),
    }
    found = ec2.create_vpc_endpoint(**{key: value for key, value in given.items() if value is not None})["VpcEndpoint"]
    lists = {item["PrefixListName"]: item["PrefixListId"] for item in ec2.describe_managed_prefix_lists()["PrefixLists"]}
    return found["VpcEndpointId"], {"prefixListId": lists.get(i["serviceName"], "")}


def _bucket(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    where = {"LocationConstraint": b.session.region_name}
    b.client("s3").create_bucket(
        Bucket=i["bucket"], ObjectLockEnabledForBucket=bool(i.get("objectLockEnabled")), CreateBucketConfiguration=where
    )
    return i["bucket"], {"arn": f"arn:aws:s3:::{i['bucket']}"}


def _lock(b: Builder, i: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    kept = i["rule"]["defaultRetention"]
    rule = {"DefaultRetention": {"Mode": kept["mode"], "Days": int(kept["days"])}}
    b.client("s3").put_object_lock_configuration(Bucket=i["bucket"], ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule})
    return name, {}


def _upper(i: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key[0].upper() + key[1:]: i[key] for key in keys}


_PUBLIC = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def _done(b: Builder, answer: Any, id: str, **outputs: Any) -> tuple[str, dict[str, Any]]:
    return id, outputs


def _key(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    found = b.client("kms").create_key(Policy=i["policy"], Description=i["description"], MultiRegion=bool(i["multiRegion"]))["KeyMetadata"]
    return found["KeyId"], {"arn": found["Arn"], "keyId": found["KeyId"]}


def _role(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    found = b.client("iam").create_role(RoleName=i["name"], AssumeRolePolicyDocument=i["assumeRolePolicy"])["Role"]
    return i["name"], {"arn": found["Arn"]}


def _cluster(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    config = i["vpcConfig"]
    given = {
        "subnetIds": config["subnetIds"],
        "securityGroupIds": config["securityGroupIds"],
        "endpointPublicAccess": config["endpointPublicAccess"],
        "endpointPrivateAccess": config["endpointPrivateAccess"],
    }
    found = b.client("eks").create_cluster(name=i["name"], roleArn=i["roleArn"], resourcesVpcConfig=given)["cluster"]
    return i["name"], {"arn": found["arn"], "endpoint": "https://cluster.invalid", "certificateAuthority": {"data": ""}}


def _nodes(b: Builder, i: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    template = i["launchTemplate"]
    b.client("eks").create_nodegroup(
        clusterName=i["clusterName"],
        nodegroupName=i["nodeGroupName"],
        nodeRole=i["nodeRoleArn"],
        subnets=i["subnetIds"],
        launchTemplate={"id": template["id"], "version": template["version"]},
    )
    return name, {"resources": [{"autoscalingGroups": [{"name": f"eks-{i['nodeGroupName']}"}]}]}


def _template(b: Builder, i: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    options = i["metadataOptions"]
    data = {
        "SecurityGroupIds": i["vpcSecurityGroupIds"],
        "MetadataOptions": {
            "HttpTokens": options["httpTokens"],
            "HttpPutResponseHopLimit": int(options["httpPutResponseHopLimit"]),
            "HttpEndpoint": options["httpEndpoint"],
        },
    }
    found = b.client("ec2").create_launch_template(LaunchTemplateName=i.get("name") or name, LaunchTemplateData=data)["LaunchTemplate"]
    return found["LaunchTemplateId"], {"latestVersion": 1}


def _balancer(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    found = b.client("elbv2").create_load_balancer(
        Name=i["name"],
        Subnets=i["subnets"],
        SecurityGroups=i["securityGroups"],
        Scheme="internal" if i["internal"] else "internet-facing",
        Type="network",
    )["LoadBalancers"][0]
    return found["LoadBalancerArn"], {"arn": found["LoadBalancerArn"]}


def _targets(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    found = b.client("elbv2").create_target_group(
        Name=i["name"], Protocol="TCP", Port=int(i["port"]), VpcId=i["vpcId"], TargetType="instance"
    )
    arn = found["TargetGroups"][0]["TargetGroupArn"]
    return arn, {"arn": arn}


def _listener(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    actions = [{"Type": "forward", "TargetGroupArn": i["defaultActions"][0]["targetGroupArn"]}]
    found = b.client("elbv2").create_listener(
        LoadBalancerArn=i["loadBalancerArn"], Protocol="TCP", Port=int(i["port"]), DefaultActions=actions
    )
    return found["Listeners"][0]["ListenerArn"], {}


def _service(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    found = b.client("ec2").create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=i["networkLoadBalancerArns"])
    return found["ServiceConfiguration"]["ServiceId"], {"serviceName": found["ServiceConfiguration"]["ServiceName"]}


def _principal(b: Builder, i: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    b.client("ec2").modify_vpc_endpoint_service_permissions(ServiceId=i["vpcEndpointServiceId"], AddAllowedPrincipals=[i["principalArn"]])
    return name, {}


def _plan(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    rules = [{"RuleName": rule["ruleName"], "TargetBackupVaultName": rule["targetVaultName"]} for rule in i["rules"]]
    found = b.client("backup").create_backup_plan(BackupPlan={"BackupPlanName": i["name"], "Rules": rules})
    return found["BackupPlanId"], {}


def _trail(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    b.client("cloudtrail").create_trail(Name=i["name"], S3BucketName=i["s3BucketName"], IsMultiRegionTrail=True)
    b.client("cloudtrail").start_logging(Name=i["name"])
    return i["name"], {}


def _files(b: Builder, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    found = b.client("efs").create_file_system(CreationToken=i["creationToken"], Encrypted=True)
    return found["FileSystemId"], {"arn": found["FileSystemArn"]}


def _recorded(kind: str) -> Maker:
    """Kept by ``Recorded``: moto has none of these."""

    def make(b: Builder, i: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
        record = b.recorded
        id = f"rec-{name}"
        if kind == "domains":
            record.lists["FirewallDomainLists"].append({"Id": id, "Arn": id})
            record.domains[id] = list(i["domains"])
        elif kind == "group":
            record.lists["FirewallRuleGroups"].append({"Id": id, "Arn": id, "ShareStatus": "NOT_SHARED"})
        elif kind == "rule":
            rule = _upper(i, "firewallRuleGroupId", "firewallDomainListId", "action")
            record.lists["FirewallRules"].append(rule | {"Priority": int(i["priority"])})
        elif kind == "association":
            found = _upper(i, "vpcId", "firewallRuleGroupId") | {"Id": id, "Priority": int(i["priority"]), "Status": "COMPLETE"}
            record.lists["FirewallRuleGroupAssociations"].append(found)
        elif kind == "config":
            record.lists["FirewallConfigs"].append({"Id": id, "ResourceId": i["resourceId"], "FirewallFailOpen": i["firewallFailOpen"]})
        elif kind == "block":
            record.options = {"InternetGatewayBlockMode": i["internetGatewayBlockMode"], "State": "update-complete"}
        elif kind == "metadata":
            record.defaults = {"HttpTokens": i["httpTokens"]}
        elif kind == "addon":
            record.addons[i["addonName"]] = {"addonName": i["addonName"], "configurationValues": i.get("configurationValues")}
        elif kind == "entry":
            record.entries[i["principalArn"]] = i["type"]
        elif kind == "identity":
            record.lists["associations"].append({"associationId": id, "clusterName": i["clusterName"], "roleArn": i["roleArn"]})
        return id, {"arn": id}

    return make


MAKERS: dict[str, Maker] = {
    "aws:ec2/vpc:Vpc": _vpc,
    "aws:ec2/routeTable:RouteTable": lambda b, i, n: (
        b.client("ec2").create_route_table(VpcId=i["vpcId"])["RouteTable"]["RouteTableId"],
        {},
    ),
    "aws:ec2/subnet:Subnet": _subnet,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": lambda b, i, n: (
        b.client("ec2").associate_route_table(RouteTableId=i["routeTableId"], SubnetId=i["subnetId"])["AssociationId"],
        {},
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": _default_group,
    "aws:ec2/securityGroup:SecurityGroup": _group,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": lambda b, i, n: _rule(b, i, n, "egress"),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": lambda b, i, n: _rule(b, i, n, "ingress"),
    "aws:ec2/defaultNetworkAcl:DefaultNetworkAcl": _default_acl,
    "aws:ec2/networkAcl:NetworkAcl": _acl,
    "aws:ec2/vpcEndpoint:VpcEndpoint": _endpoint,
    "aws:ec2/vpcEndpointService:VpcEndpointService": _service,
    "aws:ec2/vpcEndpointServiceAllowedPrinciple:VpcEndpointServiceAllowedPrinciple": _principal,
    "aws:ec2/flowLog:FlowLog": lambda b, i, n: (
        b.client("ec2").create_flow_logs(
            ResourceIds=[i["vpcId"]], ResourceType="VPC", TrafficType="ALL", LogDestinationType="s3", LogDestination=i["logDestination"]
        )["FlowLogIds"][0],
        {},
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": _template,
    "aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions": _recorded("block"),
    "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults": _recorded("metadata"),
    "aws:kms/key:Key": _key,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:s3/bucketVersioning:BucketVersioning": lambda b, i, n: _done(
        b, b.client("s3").put_bucket_versioning(Bucket=i["bucket"], VersioningConfiguration={"Status": "Enabled"}), n
    ),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": _lock,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": lambda b, i, n: _done(
        b, b.client("s3").put_public_access_block(Bucket=i["bucket"], PublicAccessBlockConfiguration=_upper(i, *_PUBLIC)), n
    ),
    "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock": lambda b, i, n: _done(
        b, b.client("s3control").put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration=_upper(i, *_PUBLIC)), n
    ),
    "aws:s3/bucketPolicy:BucketPolicy": lambda b, i, n: _done(
        b, b.client("s3").put_bucket_policy(Bucket=i["bucket"], Policy=i["policy"]), n
    ),
    "aws:ecr/repository:Repository": lambda b, i, n: _done(
        b, b.client("ecr").create_repository(repositoryName=i["name"], imageTagMutability="IMMUTABLE"), i["name"]
    ),
    "aws:ecr/repositoryPolicy:RepositoryPolicy": lambda b, i, n: _done(
        b, b.client("ecr").set_repository_policy(repositoryName=i["repository"], policyText=i["policy"]), n
    ),
    "aws:route53/resolverFirewallDomainList:ResolverFirewallDomainList": _recorded("domains"),
    "aws:route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup": _recorded("group"),
    "aws:route53/resolverFirewallRule:ResolverFirewallRule": _recorded("rule"),
    "aws:route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation": _recorded("association"),
    "aws:route53/resolverFirewallConfig:ResolverFirewallConfig": _recorded("config"),
    "aws:route53/resolverQueryLogConfig:ResolverQueryLogConfig": lambda b, i, n: (
        b.client("route53resolver").create_resolver_query_log_config(
            Name=i["name"], DestinationArn=i["destinationArn"], CreatorRequestId=n
        )["ResolverQueryLogConfig"]["Id"],
        {},
    ),
    "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation": lambda b, i, n: (
        b.client("route53resolver").associate_resolver_query_log_config(
            ResolverQueryLogConfigId=i["resolverQueryLogConfigId"], ResourceId=i["resourceId"]
        )["ResolverQueryLogConfigAssociation"]["Id"],
        {},
    ),
    "aws:cloudtrail/trail:Trail": _trail,
    "aws:cloudwatch/logGroup:LogGroup": lambda b, i, n: _done(b, b.client("logs").create_log_group(logGroupName=i["name"]), i["name"]),
    "aws:iam/role:Role": _role,
    "aws:iam/rolePolicy:RolePolicy": lambda b, i, n: _done(
        b, b.client("iam").put_role_policy(RoleName=i["role"], PolicyName=i["name"], PolicyDocument=i["policy"]), n
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": lambda b, i, n: _done(
        b, b.client("iam").attach_role_policy(RoleName=i["role"], PolicyArn=i["policyArn"]), n
    ),
    "aws:backup/vault:Vault": lambda b, i, n: _done(b, b.client("backup").create_backup_vault(BackupVaultName=i["name"]), i["name"]),
    "aws:backup/plan:Plan": _plan,
    "aws:eks/cluster:Cluster": _cluster,
    "aws:eks/nodeGroup:NodeGroup": _nodes,
    "aws:eks/addon:Addon": _recorded("addon"),
    "aws:eks/accessEntry:AccessEntry": _recorded("entry"),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": _recorded("identity"),
    "aws:lb/loadBalancer:LoadBalancer": _balancer,
    "aws:lb/targetGroup:TargetGroup": _targets,
    "aws:lb/listener:Listener": _listener,
    "aws:efs/fileSystem:FileSystem": _files,
    "aws:efs/mountTarget:MountTarget": lambda b, i, n: (
        b.client("efs").create_mount_target(FileSystemId=i["fileSystemId"], SubnetId=i["subnetId"], SecurityGroups=i["securityGroups"])[
            "MountTargetId"
        ],
        {},
    ),
}


def session_of(region: Region, recorded: Recorded) -> Any:
    """A session whose calls go to moto, or, where moto lacks them, to what was recorded."""
    session = boto3.Session(region_name=region.site, aws_access_key_id="test", aws_secret_access_key="test")
    session.events.register("before-call", recorded)
    made: dict[str, Any] = {}
    make = session.client
    # A client takes longer to make than most calls take; an audit and a builder make the same ones.
    session.client = lambda service, **more: made[service] if service in made else made.setdefault(service, make(service, **more))
    return session


def build(region: Region, session: Any, recorded: Recorded) -> Builder:
    """The region in the account, without the default VPC, which the operator removes from an account first (docs/regions.md)."""
    ec2 = session.client("ec2")
    for vpc in ec2.describe_vpcs()["Vpcs"]:
        mine = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
        for subnet in ec2.describe_subnets(Filters=mine)["Subnets"]:
            ec2.delete_subnet(SubnetId=subnet["SubnetId"])
        ec2.delete_vpc(VpcId=vpc["VpcId"])
    # AWS takes a VPC's default list with it; moto leaves it behind, and no call of its API takes it away.
    get_backend("ec2")[ACCOUNT][region.site].network_acls.clear()
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    builder = Builder(session, recorded)
    pulumi.runtime.set_mocks(builder, project="curtilage", stack=region.name, preview=True)

    @pulumi.runtime.test
    def program() -> pulumi.Output[Any]:
        return LegalRegion(region.name, LegalRegionArgs(region=region)).document

    try:
        program()
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    return builder
