"""What moto emulates of a region's resources: each is made there through boto3 from the inputs that the engine gives.

For the stand-in provider (a moto server on this machine) and for tests that build an account without an engine. moto is an emulator: what
it accepts is no promise of what AWS accepts. What it lacks has no maker here, and stays recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_address
from threading import Lock
from typing import Any
from urllib.parse import urlsplit


def on_this_machine(address: str) -> bool:
    """Whether an emulator's address is one of this machine and can lead nowhere else."""
    parts = urlsplit(address)
    try:
        return parts.scheme == "http" and ip_address(parts.hostname or "").is_loopback and bool(parts.port) and not parts.username
    except ValueError:
        return False


def session_at(address: str, region: str) -> Any:
    """A boto3 session whose every client reaches that address and no other; credentials are made up, as the emulator asks for some."""
    import boto3
    from botocore.config import Config

    session = boto3.Session(region_name=region, aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106 - the emulator checks none
    config = Config(inject_host_prefix=False, proxies={}, s3={"addressing_style": "path"}, retries={"max_attempts": 0})
    given, make = {"endpoint_url": address, "config": config}, session.client

    def here(request: Any, **_: Any) -> None:
        # S3 Control puts the account's number before the host's name, whatever the settings say.
        request.url = address + urlsplit(request.url)._replace(scheme="", netloc="").geturl()

    session.events.register("before-send.s3-control", here)
    session.client = lambda service, **more: make(service, **(more | given))
    return session


Maker = Callable[["Emulator", dict[str, Any], str], tuple[str, dict[str, Any]]]


class Emulator:
    """An emulated account in one AWS region.

    Args:
        session: a boto3 session whose clients reach the emulator.
        region: the AWS region.
    """

    def __init__(self, session: Any, region: str) -> None:
        self.region = region
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = Lock()

    @property
    def account(self) -> str:
        """The account's number, as the emulator says it."""
        return str(self.client("sts").get_caller_identity()["Account"])

    def client(self, service: str) -> Any:
        """A client of a service."""
        if service not in self._clients:
            self._clients[service] = self._session.client(service)
        return self._clients[service]

    def make(self, kind: str, inputs: dict[str, Any], name: str) -> tuple[str, dict[str, Any]] | None:
        """Make one resource; its id and the outputs that the emulator decides, or None where it emulates no such type.

        Raises botocore's errors where the emulator refuses.
        """
        maker = MAKERS.get(kind)
        if maker is None:
            return None
        with self._lock:  # the engine asks for many at once, and neither moto nor a session is made for that
            return maker(self, inputs, name)


def _vpc(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
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


def _subnet(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
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


def _default_group(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    ec2 = b.client("ec2")
    (group,) = ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [i["vpcId"]]}, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"]
    _emptied(ec2, group["GroupId"])
    return group["GroupId"], {}


def _group(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    ec2 = b.client("ec2")
    group = ec2.create_security_group(GroupName=i["name"], Description=i["description"], VpcId=i["vpcId"])["GroupId"]
    _emptied(ec2, group)
    return group, {}


def _rule(b: Emulator, i: dict[str, Any], name: str, side: str) -> tuple[str, dict[str, Any]]:
    rule: dict[str, Any] = {"IpProtocol": i["ipProtocol"]}
    if i.get("fromPort") is not None:
        rule |= {"FromPort": int(i["fromPort"]), "ToPort": int(i["toPort"])}
    if i.get("referencedSecurityGroupId"):
        rule["UserIdGroupPairs"] = [{"GroupId": i["referencedSecurityGroupId"]}]
    if i.get("prefixListId"):
        rule["PrefixListIds"] = [{"PrefixListId": i["prefixListId"]}]
    getattr(b.client("ec2"), f"authorize_security_group_{side}")(GroupId=i["securityGroupId"], IpPermissions=[rule])
    return name, {}


def _default_acl(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    for egress in (True, False):
        b.client("ec2").delete_network_acl_entry(NetworkAclId=i["defaultNetworkAclId"], RuleNumber=100, Egress=egress)
    return i["defaultNetworkAclId"], {}


def _acl(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
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


def _endpoint(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
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


def _bucket(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    where = {"LocationConstraint": b.region}
    b.client("s3").create_bucket(
        Bucket=i["bucket"], ObjectLockEnabledForBucket=bool(i.get("objectLockEnabled")), CreateBucketConfiguration=where
    )
    return i["bucket"], {"arn": f"arn:aws:s3:::{i['bucket']}"}


def _lock(b: Emulator, i: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    kept = i["rule"]["defaultRetention"]
    rule = {"DefaultRetention": {"Mode": kept["mode"], "Days": int(kept["days"])}}
    b.client("s3").put_object_lock_configuration(Bucket=i["bucket"], ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule})
    return name, {}


def upper(i: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Some inputs under the names that the API has for them."""
    return {key[0].upper() + key[1:]: i[key] for key in keys}


_PUBLIC = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")


def _done(b: Emulator, answer: Any, id: str, **outputs: Any) -> tuple[str, dict[str, Any]]:
    return id, outputs


def _key(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    found = b.client("kms").create_key(Policy=i["policy"], Description=i["description"], MultiRegion=bool(i["multiRegion"]))["KeyMetadata"]
    return found["KeyId"], {"arn": found["Arn"], "keyId": found["KeyId"]}


def _role(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    found = b.client("iam").create_role(RoleName=i["name"], AssumeRolePolicyDocument=i["assumeRolePolicy"])["Role"]
    return i["name"], {"arn": found["Arn"]}


def _cluster(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    config = i["vpcConfig"]
    given = {
        "subnetIds": config["subnetIds"],
        "securityGroupIds": config["securityGroupIds"],
        "endpointPublicAccess": config["endpointPublicAccess"],
        "endpointPrivateAccess": config["endpointPrivateAccess"],
    }
    found = b.client("eks").create_cluster(name=i["name"], roleArn=i["roleArn"], resourcesVpcConfig=given)["cluster"]
    return i["name"], {"arn": found["arn"]}


def _nodes(b: Emulator, i: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    template = i["launchTemplate"]
    b.client("eks").create_nodegroup(
        clusterName=i["clusterName"],
        nodegroupName=i["nodeGroupName"],
        nodeRole=i["nodeRoleArn"],
        subnets=i["subnetIds"],
        launchTemplate={"id": template["id"], "version": template["version"]},
    )
    return name, {"resources": [{"autoscalingGroups": [{"name": f"eks-{i['nodeGroupName']}"}]}]}


def _template(b: Emulator, i: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
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


def _balancer(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    found = b.client("elbv2").create_load_balancer(
        Name=i["name"],
        Subnets=i["subnets"],
        SecurityGroups=i["securityGroups"],
        Scheme="internal" if i["internal"] else "internet-facing",
        Type="network",
    )["LoadBalancers"][0]
    return found["LoadBalancerArn"], {"arn": found["LoadBalancerArn"]}


def _targets(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    found = b.client("elbv2").create_target_group(
        Name=i["name"], Protocol="TCP", Port=int(i["port"]), VpcId=i["vpcId"], TargetType="instance"
    )
    arn = found["TargetGroups"][0]["TargetGroupArn"]
    return arn, {"arn": arn}


def _listener(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    actions = [{"Type": "forward", "TargetGroupArn": i["defaultActions"][0]["targetGroupArn"]}]
    found = b.client("elbv2").create_listener(
        LoadBalancerArn=i["loadBalancerArn"], Protocol="TCP", Port=int(i["port"]), DefaultActions=actions
    )
    return found["Listeners"][0]["ListenerArn"], {}


def _service(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    found = b.client("ec2").create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=i["networkLoadBalancerArns"])
    return found["ServiceConfiguration"]["ServiceId"], {"serviceName": found["ServiceConfiguration"]["ServiceName"]}


def _principal(b: Emulator, i: dict[str, Any], name: str) -> tuple[str, dict[str, Any]]:
    b.client("ec2").modify_vpc_endpoint_service_permissions(ServiceId=i["vpcEndpointServiceId"], AddAllowedPrincipals=[i["principalArn"]])
    return name, {}


def _plan(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    rules = [{"RuleName": rule["ruleName"], "TargetBackupVaultName": rule["targetVaultName"]} for rule in i["rules"]]
    found = b.client("backup").create_backup_plan(BackupPlan={"BackupPlanName": i["name"], "Rules": rules})
    return found["BackupPlanId"], {}


def _trail(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    b.client("cloudtrail").create_trail(Name=i["name"], S3BucketName=i["s3BucketName"], IsMultiRegionTrail=True)
    b.client("cloudtrail").start_logging(Name=i["name"])
    return i["name"], {}


def _files(b: Emulator, i: dict[str, Any], _: str) -> tuple[str, dict[str, Any]]:
    found = b.client("efs").create_file_system(CreationToken=i["creationToken"], Encrypted=True)
    return found["FileSystemId"], {"arn": found["FileSystemArn"]}


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
    "aws:kms/key:Key": _key,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:s3/bucketVersioning:BucketVersioning": lambda b, i, n: _done(
        b, b.client("s3").put_bucket_versioning(Bucket=i["bucket"], VersioningConfiguration={"Status": "Enabled"}), n
    ),
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration": _lock,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": lambda b, i, n: _done(
        b, b.client("s3").put_public_access_block(Bucket=i["bucket"], PublicAccessBlockConfiguration=upper(i, *_PUBLIC)), n
    ),
    "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock": lambda b, i, n: _done(
        b, b.client("s3control").put_public_access_block(AccountId=b.account, PublicAccessBlockConfiguration=upper(i, *_PUBLIC)), n
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
