"""If these fail, an account that was opened through its API is called sealed, or what could not be read is passed over in silence.

The account is emulated by moto and built by the region's own program. What moto lacks is answered from what the program asked for
(``aws_account.LACKING``): those cells show what the audit reads and decides, and stand as NOT-RUN against an account.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import orjson
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from curtilage.commands.verify import app
from curtilage.errors import ConfigError
from curtilage.live.aws import decide_account, read_account
from curtilage.live.aws_calls import CALLS, iam_policy
from curtilage.live.aws_client import open_account
from curtilage.live.report import LiveAudit
from curtilage.paths import CHECKOUT
from curtilage.region import load_region
from curtilage.verdict import Verdict
from tests.sabotage.live.aws_account import ACCOUNT, LACKING, Builder, Recorded, build, session_of

REGION = load_region("de-frankfurt")
FOREIGN = "444455556666"


@dataclass
class Emulated:
    """The account under test."""

    session: Any
    recorded: Recorded
    builder: Builder
    changed: int = 0

    def audit(self) -> LiveAudit:
        return decide_account(REGION, read_account(REGION, self.session, ACCOUNT))

    def client(self, service: str) -> Any:
        return self.session.client(service)

    @property
    def vpc(self) -> str:
        return str(self.client("ec2").describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.40.0.0/16"]}])["Vpcs"][0]["VpcId"])

    def subnet(self) -> str:
        return str(self.client("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])["Subnets"][0]["SubnetId"])

    def table(self) -> str:
        found = self.client("ec2").describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [self.subnet()]}])
        return str(found["RouteTables"][0]["RouteTableId"])

    def group(self, name: str) -> str:
        found = self.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": [f"{REGION.name}-{name}"]}])
        return str(found["SecurityGroups"][0]["GroupId"])

    def bucket(self, purpose: str) -> str:
        return next(item["Name"] for item in self.client("s3").list_buckets()["Buckets"] if purpose in item["Name"])


@pytest.fixture(scope="module")
def account() -> Iterator[Emulated]:
    with mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
        recorded = Recorded()
        session = session_of(REGION, recorded)
        yield Emulated(session, recorded, build(REGION, session, recorded))


@pytest.fixture(scope="module")
def sealed(account: Emulated) -> LiveAudit:
    assert account.changed == 0, "it is audited before anything is opened"
    return account.audit()


def test_a_sealed_account_passes_with_every_resource_of_the_region_read(sealed: LiveAudit, account: Emulated) -> None:
    assert sealed.verdict is Verdict.PASS, sealed.text()
    made = {kind: account.builder.made.count(kind) for kind in set(account.builder.made)}
    proof = sealed.proof or {}
    lines = " ".join(proof["modelled"])
    for kind in ("aws:ec2/subnet:Subnet", "aws:ec2/vpcEndpoint:VpcEndpoint", "aws:kms/key:Key", "aws:s3/bucketPolicy:BucketPolicy"):
        assert f"{made[kind]} x {kind}" in lines
    assert sealed.not_run, "what nobody tested is said beside PASS"


def test_what_the_emulator_lacks_is_not_run_by_name_and_never_pass(sealed: LiveAudit, account: Emulated) -> None:
    account.recorded.silent = True
    try:
        found = account.audit()
    finally:
        account.recorded.silent = False
    assert found.verdict is not Verdict.PASS
    unread = {item.path[0].split(" of ")[0] for item in found.findings if item.id == "LIVE-UNREAD"}
    wanted = {f"{service}:{operation.lower()}" for service, operation in LACKING}
    said = {item.replace("_", "") for item in unread}
    # One call is made for each item of a list, and there is none where the list itself could not be read.
    inner = {"eks:describeaddon", "eks:describeaccessentry", "eks:describepodidentityassociation", "route53resolver:listfirewallrules"}
    inner |= {"route53resolver:listfirewalldomains", "lambda:listfunctionurlconfigs"}
    assert said == wanted - inner
    print("NOT-RUN against an emulator:", ", ".join(sorted(wanted)))


REFUSED = (
    ("ec2:DescribeRouteTables", "UnauthorizedOperation", "ec2:DescribeRouteTables"),
    ("kms:GetKeyPolicy", "AccessDeniedException", "kms:GetKeyPolicy"),
    ("s3:GetBucketPolicy", "AccessDenied", "s3:GetBucketPolicy"),
    ("iam:GetAccountAuthorizationDetails", "AccessDenied", "iam:GetAccountAuthorizationDetails"),
    ("route53resolver:ListFirewallConfigs", "AccessDeniedException", "route53resolver:ListFirewallConfigs"),
    ("eks:DescribeCluster", "AccessDeniedException", "eks:DescribeCluster"),
    ("backup:ListBackupPlans", "InternalFailure", "backup:list_backup_plans"),
)


def test_each_call_that_is_refused_is_not_proven_by_name_and_names_the_right_it_needs(sealed: LiveAudit, account: Emulated) -> None:
    account.recorded.refused = {name: code for name, code, _ in REFUSED}
    account.recorded.lists["principals"].append("no object")
    try:
        found = account.audit()
    finally:
        account.recorded.refused = {}
        account.recorded.lists["principals"].clear()
    assert found.verdict is not Verdict.PASS
    reasons = [item.reason for item in found.findings if item.id == "LIVE-UNREAD" and item.verdict is Verdict.NOT_PROVEN]
    for _, _, said in REFUSED:
        assert any(said in reason for reason in reasons), f"{said}: {found.text()}"
    assert any("an answer has a form that is not known" in reason for reason in reasons), "an answer of another form is no empty one"


Apply = Callable[[Emulated], str]


@dataclass(frozen=True)
class Sabotage:
    """A change through the API; ``apply`` gives what the finding has to name, ``says`` what it has to say, ``shows`` its counterexample."""

    name: str
    apply: Apply
    id: str
    says: str = ""
    shows: tuple[str, str] | None = None


def _gateway(a: Emulated) -> str:
    ec2 = a.client("ec2")
    made = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=made, VpcId=a.vpc)
    ec2.create_route(RouteTableId=a.table(), DestinationCidrBlock="0.0.0.0/0", GatewayId=made)
    world = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_egress(GroupId=a.group("nodes"), IpPermissions=[world])
    return str(made)


def _nat(a: Emulated) -> str:
    return str(a.client("ec2").create_nat_gateway(SubnetId=a.subnet(), ConnectivityType="private")["NatGateway"]["NatGatewayId"])


def _peering(a: Emulated) -> str:
    # The other side stands in another region: moto makes a peering only where it sees both, and the audit sees one.
    abroad = boto3.client("ec2", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
    vpc = abroad.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    made = a.client("ec2").create_vpc_peering_connection(VpcId=a.vpc, PeerVpcId=vpc, PeerRegion="eu-west-1")
    return str(made["VpcPeeringConnection"]["VpcPeeringConnectionId"])


def _vpn(a: Emulated) -> str:
    made = a.client("ec2").create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    a.client("ec2").attach_vpn_gateway(VpcId=a.vpc, VpnGatewayId=made)
    return str(made)


def _endpoint_policy(a: Emulated) -> str:
    ec2 = a.client("ec2")
    found = next(item for item in ec2.describe_vpc_endpoints()["VpcEndpoints"] if item["ServiceName"].endswith(".s3"))["VpcEndpointId"]
    ec2.modify_vpc_endpoint(VpcEndpointId=found, PolicyDocument=_policy("*", "*", "*"))
    return str(found)


def _endpoint(a: Emulated) -> str:
    given = {"VpcId": a.vpc, "ServiceName": f"com.amazonaws.{REGION.site}.ssmmessages", "VpcEndpointType": "Interface"}
    return str(a.client("ec2").create_vpc_endpoint(**given, SubnetIds=[a.subnet()])["VpcEndpoint"]["VpcEndpointId"])


def _policy(principal: Any, action: str, resource: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Sid": "Extra", "Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}],
        }
    )


def _more(text: str, principal: Any, action: str, resource: str) -> str:
    """A policy with one statement more."""
    found = json.loads(text)
    found["Statement"] += json.loads(_policy(principal, action, resource))["Statement"]
    return json.dumps(found)


def _bucket_policy(a: Emulated) -> str:
    # Its own policy denies everyone else, so the one that replaces it is what opens the bucket.
    name = a.bucket("evidence")
    a.client("s3").put_bucket_policy(
        Bucket=name, Policy=_policy({"AWS": f"arn:aws:iam::{FOREIGN}:root"}, "s3:GetObject", f"arn:aws:s3:::{name}/*")
    )
    return name


def _key_policy(a: Emulated) -> str:
    kms = a.client("kms")
    key = sorted(item["KeyId"] for item in kms.list_keys()["Keys"])[0]
    # The whole policy is replaced: the region's denies, which would hold against the statement alone, go with it.
    own = json.loads(_policy({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "kms:*", "*"))
    more = _more(json.dumps(own), {"AWS": f"arn:aws:iam::{FOREIGN}:root"}, "kms:Decrypt", "*")
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=more)
    return str(key)


def _registry(a: Emulated) -> str:
    name = a.client("ecr").describe_repositories()["repositories"][0]["repositoryName"]
    text = json.loads(_policy({"AWS": f"arn:aws:iam::{FOREIGN}:root"}, "ecr:BatchGetImage", "*"))
    del text["Statement"][0]["Resource"]
    a.client("ecr").set_repository_policy(repositoryName=name, policyText=json.dumps(text))
    return str(name)


def _trust(a: Emulated) -> str:
    text = json.loads(_policy({"AWS": f"arn:aws:iam::{FOREIGN}:root"}, "sts:AssumeRole", "*"))
    del text["Statement"][0]["Resource"]
    a.client("iam").create_role(RoleName="visitor", AssumeRolePolicyDocument=json.dumps(text))
    return "visitor"


def _rights(a: Emulated) -> str:
    text = json.loads(_policy("*", "ec2:CreateRoute", "*"))
    del text["Statement"][0]["Principal"]
    a.client("iam").put_role_policy(RoleName=f"{REGION.name}-nodes", PolicyName="routes", PolicyDocument=json.dumps(text))
    return "routes"


def _managed(a: Emulated) -> str:
    a.client("iam").attach_role_policy(RoleName=f"{REGION.name}-nodes", PolicyArn="arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore")
    return "AmazonSSMManagedInstanceCore"


def _user(a: Emulated) -> str:
    a.client("iam").create_user(UserName="robot")
    a.client("iam").create_access_key(UserName="robot")
    return "robot"


def _public_cluster(a: Emulated) -> str:
    given = {"endpointPublicAccess": True, "publicAccessCidrs": ["0.0.0.0/0"]}
    a.client("eks").update_cluster_config(name=REGION.name, resourcesVpcConfig=given)
    return REGION.name


def _second_cluster(a: Emulated) -> str:
    role = a.client("iam").get_role(RoleName=f"{REGION.name}-cluster")["Role"]["Arn"]
    config = {"subnetIds": [a.subnet()], "endpointPublicAccess": True, "endpointPrivateAccess": False}
    a.client("eks").create_cluster(name="sandbox", roleArn=role, resourcesVpcConfig=config)
    return "sandbox"


def _template(a: Emulated) -> str:
    ec2 = a.client("ec2")
    found = ec2.describe_launch_templates()["LaunchTemplates"][0]["LaunchTemplateId"]
    data = {"MetadataOptions": {"HttpTokens": "optional", "HttpPutResponseHopLimit": 2}, "SecurityGroupIds": [a.group("nodes")]}
    ec2.create_launch_template_version(LaunchTemplateId=found, LaunchTemplateData=data)
    return f"{found} version 2"


def _zone(a: Emulated) -> str:
    made = a.client("route53").create_hosted_zone(Name="legal.example.", CallerReference="x")["HostedZone"]["Id"]
    return str(made).rsplit("/", 1)[-1]


def _mail(a: Emulated) -> str:
    topic = a.client("sns").create_topic(Name="notes")["TopicArn"]
    a.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="someone@example.com")
    return "messages leave by email"


def _open_bucket(a: Emulated) -> str:
    name = a.bucket("models")
    a.client("s3").delete_public_access_block(Bucket=name)
    return name


def _copy_bucket(a: Emulated) -> str:
    name = a.bucket("logs")
    rule = {"Status": "Enabled", "Prefix": "", "Destination": {"Bucket": "arn:aws:s3:::elsewhere-bucket", "Account": FOREIGN}}
    abroad = boto3.client("s3", region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
    abroad.create_bucket(Bucket="elsewhere-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    abroad.put_bucket_versioning(Bucket="elsewhere-bucket", VersioningConfiguration={"Status": "Enabled"})
    role = f"arn:aws:iam::{ACCOUNT}:role/copies"
    a.client("s3").put_bucket_replication(Bucket=name, ReplicationConfiguration={"Role": role, "Rules": [rule]})
    return name


def _resolver(a: Emulated) -> str:
    groups = [a.group("nodes")]
    addresses = [{"SubnetId": item["SubnetId"]} for item in a.client("ec2").describe_subnets()["Subnets"][:2]]
    made = a.client("route53resolver").create_resolver_endpoint(
        CreatorRequestId="e", SecurityGroupIds=groups, Direction="OUTBOUND", IpAddresses=addresses, Name="out"
    )["ResolverEndpoint"]["Id"]
    rule = a.client("route53resolver").create_resolver_rule(
        CreatorRequestId="r",
        RuleType="FORWARD",
        DomainName="example.com",
        TargetIps=[{"Ip": "203.0.113.53", "Port": 53}],
        ResolverEndpointId=made,
        Name="out",
    )
    return str(rule["ResolverRule"]["Id"])


def _fail_open(a: Emulated) -> str:
    a.recorded.lists["FirewallConfigs"][0]["FirewallFailOpen"] = "ENABLED"
    return str(a.recorded.lists["FirewallConfigs"][0]["Id"])


def _no_block(a: Emulated) -> str:
    rules = a.recorded.lists["FirewallRules"]
    rules[:] = [rule for rule in rules if rule["Action"] != "BLOCK"]
    return "no rule matches it"


def _public_access(a: Emulated) -> str:
    assert a.recorded.options is not None
    a.recorded.options["InternetGatewayBlockMode"] = "off"
    return "VpcBlockPublicAccessOptions"


def _loose_pods(a: Emulated) -> str:
    a.recorded.addons["vpc-cni"]["configurationValues"] = json.dumps({"enableNetworkPolicy": "true"})
    return "vpc-cni"


def _many_regions(a: Emulated) -> str:
    key = sorted(item["KeyId"] for item in a.client("kms").list_keys()["Keys"])[1]
    a.recorded.multi_region.add(key)
    return str(key)


def _connect(a: Emulated) -> str:
    a.recorded.lists["InstanceConnectEndpoints"].append({"InstanceConnectEndpointId": "eice-0abc", "State": "create-complete"})
    return "eice-0abc"


def _entry(a: Emulated) -> str:
    who = f"arn:aws:iam::{ACCOUNT}:role/visitor"
    a.recorded.entries[who] = "STANDARD"
    return who


def _no_flows(a: Emulated) -> str:
    found = [item["FlowLogId"] for item in a.client("ec2").describe_flow_logs()["FlowLogs"]]
    a.client("ec2").delete_flow_logs(FlowLogIds=found)
    return a.vpc


def _no_trail(a: Emulated) -> str:
    a.client("cloudtrail").stop_logging(Name=REGION.name)
    return "is stopped"


def _outside_service(a: Emulated) -> None:
    a.client("athena").create_work_group(Name="away", Tags=[{"Key": "team", "Value": "x"}])


SABOTAGE = (
    Sabotage("a NAT gateway", _nat, "EG-09", "a NAT gateway"),
    Sabotage("a peering with a network elsewhere", _peering, "EG-09", "joins the VPC to a network outside"),
    Sabotage("a VPN gateway", _vpn, "EG-09", "a VPN gateway"),
    Sabotage("an endpoint's policy opened", _endpoint_policy, "EG-03", shows=("principal", "")),
    Sabotage("an endpoint for sessions", _endpoint, "EG-07"),
    Sabotage("a bucket's policy for another account", _bucket_policy, "EG-05", FOREIGN, ("principal", FOREIGN)),
    Sabotage("a key's policy with another account in it", _key_policy, "EG-05", FOREIGN, ("principal", FOREIGN)),
    Sabotage("images given to another account", _registry, "EG-05", FOREIGN, ("principal", FOREIGN)),
    Sabotage("a role that another account may assume", _trust, "EG-18", FOREIGN, ("principal", FOREIGN)),
    Sabotage("nodes that may make routes", _rights, "EG-18", "ec2:createroute"),
    Sabotage("nodes that take sessions", _managed, "EG-07"),
    Sabotage("a user with a key", _user, "EG-18", "keys work from anywhere"),
    Sabotage("a cluster with a public address", _public_cluster, "EG-19", "on the internet"),
    Sabotage("a second cluster, in public", _second_cluster, "EG-19", "on the internet"),
    Sabotage("a launch template that answers IMDSv1", _template, "EG-16", "IMDSv1"),
    Sabotage("a public zone", _zone, "EG-01", "a public zone"),
    Sabotage("mail from a topic", _mail, "EG-18"),
    Sabotage("a bucket that may be opened", _open_bucket, "EG-05", "blockPublicPolicy is off"),
    Sabotage("a bucket copied to another region and account", _copy_bucket, "EG-03", "copies every object"),
    Sabotage("names forwarded to a resolver outside", _resolver, "EG-02", "203.0.113.53", ("destination", "203.0.113.53")),
    Sabotage("a DNS firewall that fails open (recorded)", _fail_open, "EG-01", "firewallFailOpen ENABLED", ("protocol", "dns")),
    Sabotage("the last rule of the DNS firewall deleted (recorded)", _no_block, "EG-01", shows=("protocol", "dns")),
    Sabotage("public access to the network no longer blocked (recorded)", _public_access, "EG-09", "does not block both"),
    Sabotage("pods that start open (recorded)", _loose_pods, "EG-21", "not strict"),
    Sabotage("a key for many regions (recorded)", _many_regions, "AWS-REGION", "multi-region"),
    Sabotage("an instance connect endpoint (recorded)", _connect, "EG-08"),
    Sabotage("someone more who may enter the cluster (recorded)", _entry, "EG-31", "may enter the cluster"),
    Sabotage("flow logs deleted", _no_flows, "LIVE-MISSING", "no flow log"),
    Sabotage("the trail stopped", _no_trail, "LIVE-MISSING"),
)


@pytest.fixture(scope="module")
def gated(account: Emulated, sealed: LiveAudit) -> tuple[str, LiveAudit]:
    account.changed += 1
    return _gateway(account), account.audit()


def test_a_route_to_an_internet_gateway_and_a_group_for_the_world_show_the_packet_that_leaves(gated: tuple[str, LiveAudit]) -> None:
    name, found = gated
    assert found.verdict is Verdict.FAIL
    leaving = [item for item in found.findings if " leaves by " in item.reason]
    assert leaving, found.text()
    packet = leaving[0].counterexample or {}
    assert (packet["family"], packet["protocol"], packet["port"]) == ("ipv4", "tcp", 443)
    assert packet["source"].startswith("10.40.")
    assert not packet["destination"].startswith("10.40.")
    assert name in " ".join(leaving[0].path)


@pytest.fixture(scope="module")
def opened(account: Emulated, gated: tuple[str, LiveAudit]) -> tuple[dict[str, str], LiveAudit]:
    """All of it at once: the sealed account had no finding at all, so each is told by what it names."""
    names: dict[str, str] = {}
    for item in SABOTAGE:
        try:
            names[item.name] = item.apply(account)
        except NotImplementedError as error:
            names[item.name] = f"NOT-RUN: {error}"
    _outside_service(account)
    return names, account.audit()


@pytest.mark.parametrize("sabotage", SABOTAGE, ids=lambda item: item.name)
def test_each_opening_made_through_the_api_is_found(sabotage: Sabotage, opened: tuple[dict[str, str], LiveAudit]) -> None:
    names, found = opened
    name = names[sabotage.name]
    if name.startswith("NOT-RUN"):
        pytest.skip(f"the emulator cannot be told to: {name}")
    hits = [
        item
        for item in found.findings
        if item.id == sabotage.id and item.verdict is Verdict.FAIL and name in f"{item.reason} {item.path}" and sabotage.says in item.reason
    ]
    if sabotage.shows:
        key, value = sabotage.shows
        hits = [item for item in hits if item.counterexample and value in str(item.counterexample.get(key, ""))]
    assert hits, f"{name}\n{found.text()[:6000]}"


def test_a_tagged_resource_of_a_service_that_nobody_reads_is_named(opened: tuple[dict[str, str], LiveAudit]) -> None:
    unread = [item.reason for item in opened[1].findings if item.id == "LIVE-UNREAD"]
    assert any("workgroup/away: service athena is not read" in item for item in unread), unread


def test_credentials_of_another_account_are_refused_before_anything_is_read(account: Emulated, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def listen(model: Any, **_: Any) -> None:
        asked.append(model.name)

    account.session.events.register("before-call", listen)
    monkeypatch.setattr(boto3, "Session", lambda **_: account.session)
    elsewhere = REGION.model_copy(update={"aws": REGION.aws.model_copy(update={"account": FOREIGN}) if REGION.aws else None})
    with pytest.raises(ConfigError, match=f"of account {ACCOUNT}; the region is in {FOREIGN}"):
        open_account(elsewhere)
    with pytest.raises(ConfigError, match="nothing was read"):
        open_account(REGION, account=FOREIGN)
    assert open_account(elsewhere, account=ACCOUNT)[1] == ACCOUNT
    assert set(asked) <= {"GetCallerIdentity"}
    account.session.events.unregister("before-call", listen)


def test_the_command_gives_one_document_and_never_passes_a_cluster_it_did_not_read(
    opened: tuple[dict[str, str], LiveAudit], sealed: LiveAudit, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The audit itself was just made; the command joins it with what it did not read.
    monkeypatch.setattr("curtilage.commands.verify.audit_account", lambda region, **_: opened[1])
    result = CliRunner().invoke(app, [REGION.name, "--json"])
    assert result.exit_code == 1
    document = orjson.loads(result.stdout)
    assert document["verdict"] == "FAIL"
    assert "--context" in document["not_run"]["kubernetes"]
    monkeypatch.setattr("curtilage.commands.verify.audit_account", lambda region, **_: sealed)
    assert CliRunner().invoke(app, [REGION.name]).exit_code == 3, "an account that passes is not a cluster that was read"
    policy = CliRunner().invoke(app, [REGION.name, "--iam-policy"])
    assert orjson.loads(policy.stdout) == iam_policy()
    assert CliRunner().invoke(app, ["fr-paris", "--iam-policy"]).exit_code != 0


def test_the_policy_of_the_documentation_is_that_of_the_calls_and_only_reads() -> None:
    page = (CHECKOUT / "docs" / "live-audit.md").read_text()
    shown = page.split("<!-- iam-policy -->")[1].split("```json")[1].split("```")[0]
    assert json.loads(shown) == iam_policy()
    actions = iam_policy()["Statement"][0]["Action"]
    reading = ("Get", "List", "Describe", "GET")
    assert all(action.split(":")[1].startswith(reading) for action in actions)
    assert not [action for action in actions if action in ("s3:GetObject", "secretsmanager:GetSecretValue", "ssm:GetParameter")]
    assert len(CALLS) > 100
