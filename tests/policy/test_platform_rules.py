"""If this fails, a plan of a cluster or of an AWS account that breaks the seal could pass the policy pack.

Each rule has one compliant builder and one mutation a violation, matched by message; the last test holds that no rule lacks its pair.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pulumi_policy import ResourceValidationArgs
from pulumi_policy.proxy import unknown_checking_proxy

from curtilage.derive.aws.names import domains, tags
from curtilage.derive.aws.policies import backup_policy, bucket_policy, endpoint_policy, key_policy, trust
from curtilage.derive.kubernetes.manifests import manifests
from curtilage.region import load_region
from policies.rules import RULES
from policies.rules._rule import Rule

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # the SDK's sentinel for an unknown string
AWS, CLUSTER = load_region("de-frankfurt"), load_region("fr-paris")
Props = dict[str, Any]


def derived(kind: str, name: str) -> Callable[[], Props]:
    """An object as it is derived, so that the compliant case is the real one."""
    items = [item for part in manifests(CLUSTER).values() for item in part if item["kind"] == kind and item["metadata"]["name"] == name]
    return lambda: copy.deepcopy(items[0])


def props(**inputs: Any) -> Callable[[], Props]:
    return lambda: copy.deepcopy(inputs)


BUILDERS: dict[str, tuple[str, Callable[[], Props]]] = {
    "kubernetes-policy-shut": ("kubernetes:networking.k8s.io/v1:NetworkPolicy", derived("NetworkPolicy", "gateway")),
    "kubernetes-cluster-policy": (
        "kubernetes:policy.networking.k8s.io/v1alpha2:ClusterNetworkPolicy",
        derived("ClusterNetworkPolicy", "legal-seal"),
    ),
    "kubernetes-admission-denies": (
        "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicyBinding",
        derived("ValidatingAdmissionPolicyBinding", "legal-images-approved"),
    ),
    "kubernetes-namespace-restricted": ("kubernetes:core/v1:Namespace", derived("Namespace", "legal-models")),
    "kubernetes-workload-sealed": ("kubernetes:apps/v1:Deployment", derived("Deployment", "vllm-mistral-7b-instruct")),
    "kubernetes-service-inside": ("kubernetes:core/v1:Service", derived("Service", "gateway")),
    "kubernetes-role-opens-nothing": ("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", derived("ClusterRole", "legal-operator")),
    "kubernetes-context-named": ("pulumi:providers:kubernetes", props(context="fr-paris-legal", deleteUnreachable="false")),
    "aws-account-named": ("pulumi:providers:aws", props(allowedAccountIds='["111122223333"]', region="eu-central-1")),
    "aws-endpoint-perimeter": (
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        props(serviceName="com.amazonaws.eu-central-1.s3", policy=endpoint_policy(AWS, "s3")),
    ),
    "aws-group-empty": ("aws:ec2/securityGroup:SecurityGroup", props(egress=[], ingress=[])),
    "aws-rule-by-reference": (
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        props(referencedSecurityGroupId=UNKNOWN, cidrIpv4=None, cidrIpv6=None),
    ),
    "aws-list-narrow": (
        "aws:ec2/networkAcl:NetworkAcl",
        props(egress=[{"ruleNo": 1, "action": "allow", "protocol": "tcp", "cidrBlock": "0.0.0.0/0", "fromPort": 443, "toPort": 443}]),
    ),
    "aws-defaults-emptied": ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", props(vpcId=UNKNOWN, egress=[], ingress=[], routes=[])),
    "aws-no-routes": ("aws:ec2/routeTable:RouteTable", props(routes=[])),
    "aws-subnet-private": (
        "aws:ec2/subnet:Subnet",
        props(mapPublicIpOnLaunch=False, ipv6CidrBlock=None, assignIpv6AddressOnCreation=False),
    ),
    "aws-names-fail-closed": ("aws:route53/resolverFirewallConfig:ResolverFirewallConfig", props(firewallFailOpen="DISABLED")),
    "aws-names-decided": ("aws:route53/resolverFirewallRule:ResolverFirewallRule", props(action="BLOCK", qType=None)),
    "aws-names-own": ("aws:route53/resolverFirewallDomainList:ResolverFirewallDomainList", props(domains=domains(AWS))),
    "aws-public-access-blocked": (
        "aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions",
        props(internetGatewayBlockMode="block-bidirectional"),
    ),
    "aws-cluster-private": (
        "aws:eks/cluster:Cluster",
        props(
            accessConfig={"bootstrapClusterCreatorAdminPermissions": False},
            enabledClusterLogTypes=["api", "audit", "authenticator", "controllerManager", "scheduler"],
            vpcConfig={"endpointPublicAccess": False, "endpointPrivateAccess": True, "subnetIds": UNKNOWN},
        ),
    ),
    "aws-cni-strict": (
        "aws:eks/addon:Addon",
        props(
            addonName="vpc-cni",
            configurationValues=json.dumps({"enableNetworkPolicy": "true", "env": {"NETWORK_POLICY_ENFORCING_MODE": "strict"}}),
        ),
    ),
    "aws-machine-sealed": (
        "aws:ec2/launchTemplate:LaunchTemplate",
        props(
            metadataOptions={"httpTokens": "required", "httpPutResponseHopLimit": 1},
            blockDeviceMappings=[{"ebs": {"encrypted": "true", "kmsKeyId": UNKNOWN}}],
            networkInterfaces=[],
            vpcSecurityGroupIds=[UNKNOWN],
        ),
    ),
    "aws-gpu-nodes": (
        "aws:eks/nodeGroup:NodeGroup",
        props(
            labels={"curtilage.dev/pool": "gpu"},
            scalingConfig={"minSize": 2, "maxSize": 4, "desiredSize": 2},
            remoteAccess=None,
            launchTemplate={"id": UNKNOWN, "version": UNKNOWN},
        ),
    ),
    "aws-balancer-internal": ("aws:lb/loadBalancer:LoadBalancer", props(internal=True)),
    "aws-listener-forwards": ("aws:lb/listener:Listener", props(defaultActions=[{"type": "forward", "targetGroupArn": UNKNOWN}])),
    "aws-link-accepted": ("aws:ec2/vpcEndpointService:VpcEndpointService", props(acceptanceRequired=True, allowedPrincipals=[])),
    "aws-link-principal": (
        "aws:ec2/vpcEndpointServiceAllowedPrinciple:VpcEndpointServiceAllowedPrinciple",
        props(principalArn="arn:aws:iam::444455556666:root"),
    ),
    "aws-bucket-locked": ("aws:s3/bucket:Bucket", props(objectLockEnabled=True, forceDestroy=False, acl=None)),
    "aws-bucket-retention": (
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        props(rule={"defaultRetention": {"mode": "COMPLIANCE", "days": 365}}),
    ),
    "aws-bucket-closed": (
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        props(blockPublicAcls=True, blockPublicPolicy=True, ignorePublicAcls=True, restrictPublicBuckets=True),
    ),
    "aws-bucket-versions": ("aws:s3/bucketVersioning:BucketVersioning", props(versioningConfiguration={"status": "Enabled"})),
    "aws-bucket-policy": ("aws:s3/bucketPolicy:BucketPolicy", props(policy=bucket_policy(AWS, "logs"))),
    "aws-key-stays": ("aws:kms/key:Key", props(multiRegion=False, enableKeyRotation=True, policy=key_policy(AWS, "logs"))),
    "aws-key-of-one-account": ("aws:kms/key:Key", props(policy=key_policy(AWS, "disks"))),
    "aws-role-narrow": ("aws:iam/rolePolicy:RolePolicy", props(policy=backup_policy(AWS))),
    "aws-role-attached": (
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        props(policyArn="arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"),
    ),
    "aws-images-immutable": (
        "aws:ecr/repository:Repository",
        props(imageTagMutability="IMMUTABLE", imageScanningConfiguration={"scanOnPush": True}),
    ),
    "aws-role-of-service": ("aws:iam/role:Role", props(assumeRolePolicy=trust(AWS, "ec2.amazonaws.com"))),
    "aws-trail-on": ("aws:cloudtrail/trail:Trail", props(enableLogFileValidation=True, enableLogging=True)),
    "aws-logs-kept": ("aws:cloudwatch/logGroup:LogGroup", props(retentionInDays=365)),
    "aws-files-encrypted": ("aws:efs/fileSystem:FileSystem", props(encrypted=True)),
    "aws-flows-logged": ("aws:ec2/flowLog:FlowLog", props(trafficType="ALL")),
    "aws-backup-here": ("aws:backup/plan:Plan", props(rules=[{"ruleName": "daily", "targetVaultName": "v"}])),
    "aws-tagged": ("aws:ec2/vpc:Vpc", props(tags=tags(AWS, "vpc"))),
}


@dataclass(frozen=True)
class Mutation:
    rule: str
    name: str
    change: Callable[[Props], object]
    message: str
    type: str | None = None


def m(rule: str, name: str, change: Callable[[Props], object], message: str, type: str | None = None) -> Mutation:
    return Mutation(rule, name, change, message, type)


def pod(p: Props) -> Props:
    found: Props = p["spec"]["template"]["spec"]
    return found


def first(p: Props) -> Props:
    found: Props = pod(p)["containers"][0]
    return found


def statement(p: Props, field: str, **changes: Any) -> None:
    document = json.loads(p[field])
    document["Statement"][0].update(changes)
    p[field] = json.dumps(document)


ANYWHERE = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 443}]}
VAP = "kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy"
MUTATIONS = [
    m("kubernetes-policy-shut", "everywhere", lambda p: p["spec"]["egress"].append(ANYWHERE), "to one destination"),
    m("kubernetes-policy-shut", "everyone", lambda p: p["spec"]["egress"].append({}), "An egress rule must name"),
    m("kubernetes-policy-shut", "every port", lambda p: p["spec"]["egress"][0].pop("ports"), "An egress rule must name"),
    m("kubernetes-policy-shut", "port without number", lambda p: p["spec"]["egress"][0].update(ports=[{"protocol": "TCP"}]), "which ports"),
    m("kubernetes-policy-shut", "all namespaces",
      lambda p: p["spec"]["egress"][0].update(to=[{"namespaceSelector": {}}]), "of the segment"),
    m("kubernetes-policy-shut", "one direction", lambda p: p["spec"].update(policyTypes=["Ingress"]), "state both directions"),
    m("kubernetes-policy-shut", "public callers", lambda p: p["spec"]["ingress"][0].update({"from": [{"ipBlock": {"cidr": "8.8.8.0/24"}}]}),
      "from a private network"),
    m("kubernetes-policy-shut", "any caller", lambda p: p["spec"]["ingress"][0].pop("from"), "who may come in"),
    m("kubernetes-cluster-policy", "baseline", lambda p: p["spec"].update(tier="Baseline"), "tier Admin"),
    m("kubernetes-cluster-policy", "accept", lambda p: p["spec"]["egress"][0].update(action="Accept"), "Pass or Deny"),
    m("kubernetes-cluster-policy", "one family", lambda p: p["spec"]["egress"].pop(), "deny egress to ::/0"),
    m("kubernetes-admission-denies", "warn", lambda p: p["spec"].update(validationActions=["Warn"]), "must have validationActions [Deny]"),
    m("kubernetes-admission-denies", "no parameters", lambda p: p["spec"]["paramRef"].update(parameterNotFoundAction="Allow"), "must deny"),
    m("kubernetes-admission-denies", "ignore", lambda p: p["spec"].update(failurePolicy="Ignore"), "failurePolicy Fail", VAP),
    m("kubernetes-admission-denies", "nothing", lambda p: p["spec"].pop("validations", None), "must validate something", VAP),
    m("kubernetes-namespace-restricted", "label", lambda p: p["metadata"]["labels"].pop("curtilage.dev/segment"), "must carry"),
    m("kubernetes-namespace-restricted", "baseline",
      lambda p: p["metadata"]["labels"].update({"pod-security.kubernetes.io/enforce": "baseline"}),
      "Pod Security restricted"),
    m("kubernetes-workload-sealed", "host network", lambda p: pod(p).update(hostNetwork=True), "must not set hostNetwork"),
    m("kubernetes-workload-sealed", "token", lambda p: pod(p).pop("automountServiceAccountToken"), "must not mount a token"),
    m("kubernetes-workload-sealed", "host path",
      lambda p: pod(p)["volumes"].append({"name": "h", "hostPath": {"path": "/"}}), "the host's /"),
    m("kubernetes-workload-sealed", "names", lambda p: pod(p).update(dnsPolicy="ClusterFirst"), "dnsPolicy None"),
    m("kubernetes-workload-sealed", "privileged", lambda p: first(p)["securityContext"].update(privileged=True), "must be unprivileged"),
    m("kubernetes-workload-sealed", "raw", lambda p: first(p)["securityContext"]["capabilities"].update(add=["NET_RAW"]), "drop ALL"),
    m("kubernetes-workload-sealed", "root", lambda p: first(p)["securityContext"].update(readOnlyRootFilesystem=False), "read-only root"),
    m("kubernetes-workload-sealed", "tag", lambda p: first(p).update(image="vllm:latest"), "named by digest"),
    m("kubernetes-workload-sealed", "init tag", lambda p: pod(p)["initContainers"][0].update(image="x:1"), "named by digest"),
    m("kubernetes-workload-sealed", "host port", lambda p: first(p)["ports"][0].update(hostPort=80), "must not use a host port"),
    m("kubernetes-workload-sealed", "nfs",
      lambda p: pod(p)["volumes"].append({"name": "n", "nfs": {"server": "192.0.2.1"}}), "mount no nfs"),
    m("kubernetes-workload-sealed", "claim of devices", lambda p: pod(p).update(resourceClaims=[{"name": "nic"}]), "resourceClaims"),
    m("kubernetes-workload-sealed", "second network", lambda p: p["spec"]["template"]["metadata"].update(
        annotations={"k8s.v1.cni.cncf.io/networks": "macvlan"}), "ask for a network by annotation"),
    m("kubernetes-workload-sealed", "rdma",
      lambda p: first(p)["resources"]["limits"].update({"rdma/hca": "1"}), "must not ask for rdma/hca"),
    m("kubernetes-policy-shut", "misspelt selector", lambda p: p["spec"].update(podSelector={"matchLabel": {}}), "not matchLabel"),
    m("kubernetes-workload-sealed", "surge", lambda p: p["spec"]["strategy"]["rollingUpdate"].update(maxSurge=1), "maxSurge 0"),
    m("kubernetes-service-inside", "balancer", lambda p: p["spec"].update(type="LoadBalancer"), "must be a ClusterIP, not LoadBalancer"),
    m("kubernetes-service-inside", "node port", lambda p: p["spec"].update(type="NodePort"), "must be a ClusterIP, not NodePort"),
    m("kubernetes-service-inside", "external", lambda p: p["spec"].update(externalIPs=["192.0.2.1"]), "name nothing outside"),
    m("kubernetes-service-inside", "selector", lambda p: p["spec"].pop("selector"), "must select pods"),
    m("kubernetes-role-opens-nothing", "all",
      lambda p: p["rules"].append({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}), "asterisk"),
    m("kubernetes-role-opens-nothing", "exec",
      lambda p: p["rules"].append({"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}),
      "must not grant pods/exec"),
    m("kubernetes-role-opens-nothing", "open", lambda p: p["rules"].append(
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["create"]}), "must not write networkpolicies"),
    m("kubernetes-role-opens-nothing", "bind", lambda p: p["rules"].append({"apiGroups": ["x"], "resources": ["y"], "verbs": ["bind"]}),
      "must not bind"),
    m("kubernetes-role-opens-nothing", "every part of pods",
      lambda p: p["rules"].append({"apiGroups": [""], "resources": ["pods/*"], "verbs": ["create"]}), "asterisk"),
    m("kubernetes-role-opens-nothing", "rewrite",
      lambda p: p["rules"].append({"apiGroups": ["admissionregistration.k8s.io"], "resources": ["mutatingwebhookconfigurations"],
                                   "verbs": ["create"]}), "must not write mutatingwebhookconfigurations"),
    m("kubernetes-role-opens-nothing", "approve",
      lambda p: p["rules"].append({"apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests/approval"],
                                   "verbs": ["update"]}), "must not write certificatesigningrequests/approval"),
    m("kubernetes-role-opens-nothing", "debug",
      lambda p: p["rules"].append({"apiGroups": [""], "resources": ["pods/ephemeralcontainers"], "verbs": ["patch"]}),
      "must not grant pods/ephemeralcontainers"),
    m("kubernetes-role-opens-nothing", "aggregated", lambda p: p.update(aggregationRule={"clusterRoleSelectors": [{}]}), "whatever others"),
    m("kubernetes-role-opens-nothing", "administrator", lambda p: p.update(roleRef={"kind": "ClusterRole", "name": "cluster-admin"}),
      "a role of the region", "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding"),
    m("kubernetes-workload-sealed", "projected token", lambda p: pod(p)["volumes"].append(
        {"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}), "a projected one"),
    m("kubernetes-workload-sealed", "probe of a host",
      lambda p: first(p)["readinessProbe"].update(httpGet={"host": "203.0.113.9", "port": 80}), "no host in a probe"),
    m("kubernetes-admission-denies", "but some", lambda p: p["spec"].update(matchConditions=[{"name": "x", "expression": "false"}]),
      "every object of its kinds", VAP),
    m("kubernetes-admission-denies", "but labelled", lambda p: p["spec"].setdefault("matchResources", {}).update(
        objectSelector={"matchLabels": {"a": "b"}}), "every object of its namespaces"),
    m("kubernetes-context-named", "default", lambda p: p.pop("context"), "must name its context"),
    m("kubernetes-context-named", "unreachable", lambda p: p.update(deleteUnreachable="true"), "for an empty one"),
    m("aws-account-named", "any account", lambda p: p.pop("allowedAccountIds"), "exactly one account"),
    m("aws-account-named", "two", lambda p: p.update(allowedAccountIds='["1", "2"]'), "exactly one account"),
    m("aws-account-named", "region", lambda p: p.update(region=""), "name its region"),
    m("aws-endpoint-perimeter", "none", lambda p: p.pop("policy"), "must have a policy"),
    m("aws-endpoint-perimeter", "no resource", lambda p: statement(p, "policy", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
      "organisation of principal and of resource"),
    m("aws-endpoint-perimeter", "open", lambda p: statement(p, "policy", Condition={}), "organisation of principal and of resource"),
    m("aws-endpoint-perimeter", "sessions", lambda p: p.update(serviceName="com.amazonaws.eu-central-1.ssmmessages"), "sessions tunnel"),
    m("aws-group-empty", "inline", lambda p: p["egress"].append({"protocol": "-1", "cidrBlocks": ["0.0.0.0/0"]}), "no rules inside"),
    m("aws-rule-by-reference", "world", lambda p: p.update(cidrIpv4="0.0.0.0/0"), "not 0.0.0.0/0"),
    m("aws-rule-by-reference", "world by IPv6", lambda p: p.update(cidrIpv6="::/0"), "not ::/0"),
    m("aws-list-narrow", "all", lambda p: p["egress"][0].update(protocol="-1"), "no more than TCP 443"),
    m("aws-list-narrow", "IPv6", lambda p: p["egress"][0].update(ipv6CidrBlock="::/0", cidrBlock=None), "nothing out by IPv6"),
    m("aws-defaults-emptied", "rule", lambda p: p["egress"].append({}), "egress holds entries"),
    m("aws-defaults-emptied", "route", lambda p: p["routes"].append({}), "routes holds entries",
      "aws:ec2/defaultRouteTable:DefaultRouteTable"),
    m("aws-no-routes", "route", lambda p: p["routes"].append({"cidrBlock": "0.0.0.0/0"}), "no route but the local ones"),
    m("aws-subnet-private", "public", lambda p: p.update(mapPublicIpOnLaunch=True), "no public addresses"),
    m("aws-subnet-private", "IPv6", lambda p: p.update(ipv6CidrBlock="2001:db8::/64"), "no IPv6"),
    m("aws-names-fail-closed", "open", lambda p: p.update(firewallFailOpen="ENABLED"), "closed while it cannot be reached"),
    m("aws-names-decided", "alert", lambda p: p.update(action="ALERT"), "ALERT resolves the name"),
    m("aws-names-decided", "one type", lambda p: p.update(qType="A"), "every type of query"),
    m("aws-public-access-blocked", "one way", lambda p: p.update(internetGatewayBlockMode="block-ingress"), "both directions"),
    m("aws-cluster-private", "public", lambda p: p["vpcConfig"].update(endpointPublicAccess=True), "inside the VPC alone"),
    m("aws-cluster-private", "creator", lambda p: p.update(accessConfig={}), "stay its administrator"),
    m("aws-cluster-private", "logs", lambda p: p["enabledClusterLogTypes"].pop(), "log all that it can"),
    m("aws-cni-strict", "ignored", lambda p: p.update(configurationValues="{}"), "must enforce network policies"),
    m("aws-cni-strict", "standard", lambda p: p.update(configurationValues='{"enableNetworkPolicy": "true"}'), "start pods closed"),
    m("aws-machine-sealed", "v1", lambda p: p["metadataOptions"].update(httpTokens="optional"), "metadata tokens"),
    m("aws-machine-sealed", "hops", lambda p: p["metadataOptions"].update(httpPutResponseHopLimit=2), "hop limit 1"),
    m("aws-machine-sealed", "clear", lambda p: p.update(blockDeviceMappings=[]), "disks must be encrypted"),
    m("aws-machine-sealed", "public", lambda p: p.update(networkInterfaces=[{"associatePublicIpAddress": "true"}]), "no public address"),
    m("aws-gpu-nodes", "one", lambda p: p["scalingConfig"].update(minSize=1), "2 to 4 GPU nodes"),
    m("aws-gpu-nodes", "five", lambda p: p["scalingConfig"].update(maxSize=5), "2 to 4 GPU nodes"),
    m("aws-gpu-nodes", "ssh", lambda p: p.update(remoteAccess={"ec2SshKey": "k"}), "no remote access"),
    m("aws-gpu-nodes", "no template", lambda p: p.pop("launchTemplate"), "start from a launch template"),
    m("aws-gpu-nodes", "template of nothing", lambda p: p.update(launchTemplate=None), "start from a launch template"),
    m("aws-machine-sealed", "groups", lambda p: p.pop("vpcSecurityGroupIds"), "must name its groups"),
    m("aws-rule-by-reference", "another account",
      lambda p: p.update(referencedSecurityGroupId="999999999999/sg-1"), "a group of this account"),
    m("aws-names-own", "foreign", lambda p: p["domains"].append("*.example.com."), "not *.example.com."),
    m("aws-names-own", "ends like AWS's", lambda p: p["domains"].append("evilamazonaws.com."), "not evilamazonaws.com."),
    m("aws-listener-forwards", "oidc", lambda p: p["defaultActions"].append({"type": "authenticate-oidc"}), "must forward"),
    m("aws-endpoint-perimeter", "another's images", lambda p: statement(p, "policy", Condition={}, Action="ecr:BatchGetImage",
      Resource="arn:aws:ecr:eu-central-1:999988887777:repository/*"), "organisation of principal and of resource"),
    m("aws-balancer-internal", "facing", lambda p: p.update(internal=False), "must be internal"),
    m("aws-link-accepted", "anyone", lambda p: p.update(acceptanceRequired=False), "accepted by a person"),
    m("aws-link-accepted", "inline", lambda p: p.update(allowedPrincipals=["*"]), "named one by one"),
    m("aws-link-principal", "anyone", lambda p: p.update(principalArn="*"), "name who may connect"),
    m("aws-bucket-locked", "lock", lambda p: p.update(objectLockEnabled=False), "object lock"),
    m("aws-bucket-locked", "destroy", lambda p: p.update(forceDestroy=True), "must not be destroyed"),
    m("aws-bucket-locked", "list", lambda p: p.update(acl="public-read"), "no access list"),
    m("aws-bucket-retention", "none", lambda p: p.update(rule={}), "default retention"),
    m("aws-bucket-closed", "open", lambda p: p.update(restrictPublicBuckets=False), "restrictPublicBuckets"),
    m("aws-bucket-versions", "off", lambda p: p.update(versioningConfiguration={"status": "Suspended"}), "keep versions"),
    m("aws-bucket-policy", "no deny", lambda p: statement(p, "policy", Effect="Allow"), "must deny by aws:PrincipalOrgID"),
    m("aws-bucket-policy", "anyone", lambda p: statement(p, "policy", Effect="Allow"), "allow nobody in general"),
    m("aws-key-stays", "replicas", lambda p: p.update(multiRegion=True), "stay in its region"),
    m("aws-key-stays", "rotation", lambda p: p.update(enableKeyRotation=False), "must rotate"),
    m("aws-key-stays", "anyone", lambda p: statement(p, "policy", Principal="*"), "allow nobody in general"),
    m("aws-images-immutable", "mutable", lambda p: p.update(imageTagMutability="MUTABLE"), "must be immutable"),
    m("aws-images-immutable", "unscanned", lambda p: p.update(imageScanningConfiguration=None), "scan on push"),
    m("aws-role-of-service", "account", lambda p: statement(p, "assumeRolePolicy", Principal={"AWS": "*"}), "by a service alone"),
    m("aws-key-of-one-account", "another",
      lambda p: statement(p, "policy", Principal={"AWS": ["111122223333", "999999999999"]}), "one account"),
    m("aws-key-of-one-account", "nobody", lambda p: p.update(policy='{"Statement": []}'), "one account, not none"),
    m("aws-role-narrow", "everything", lambda p: statement(p, "policy", Action="*"), "must name its actions, not *"),
    m("aws-role-narrow", "a service", lambda p: statement(p, "policy", Action="s3:*"), "must name its actions, not s3:*"),
    m("aws-role-narrow", "all but", lambda p: statement(p, "policy", NotAction=["iam:*"]), "must name what it allows"),
    m("aws-role-narrow", "anywhere",
      lambda p: statement(p, "policy", Action=["ec2:DescribeVolumes", "s3:PutObject"]), "on what it allows s3:PutObject"),
    m("aws-role-narrow", "reads anywhere", lambda p: statement(p, "policy", Action="s3:GetObject"), "on what it allows s3:GetObject"),
    m("aws-role-attached", "administrator", lambda p: p.update(policyArn="arn:aws:iam::aws:policy/AdministratorAccess"), "must not have"),
    m("aws-role-attached", "another's",
      lambda p: p.update(policyArn="arn:aws:iam::111122223333:policy/AmazonEKSClusterPolicy"), "must not have"),
    m("aws-trail-on", "validation", lambda p: p.update(enableLogFileValidation=False), "with validation"),
    m("aws-logs-kept", "for ever or never", lambda p: p.update(retentionInDays=0), "how long it keeps"),
    m("aws-files-encrypted", "clear", lambda p: p.update(encrypted=False), "must be encrypted"),
    m("aws-flows-logged", "rejects alone", lambda p: p.update(trafficType="REJECT"), "all traffic"),
    m("aws-backup-here", "copied", lambda p: p["rules"][0].update(copyActions=[{"destinationVaultArn": "a"}]), "not be copied"),
    m("aws-tagged", "owner", lambda p: p["tags"].pop("curtilage:owner"), "tag curtilage:owner"),
]  # fmt: skip


def named(name: str) -> Rule:
    return next(rule for rule in RULES if rule.name == name)


def judge(rule: Rule, resource_type: str, inputs: Props) -> list[str]:
    found: list[str] = []
    args = ResourceValidationArgs(resource_type, unknown_checking_proxy(inputs), "urn:probe", "probe", None, None)
    rule.validate(args, lambda message, urn=None: found.append(message))
    return found


@pytest.mark.parametrize("name", BUILDERS)
def test_a_compliant_resource_passes(name: str) -> None:
    resource_type, build = BUILDERS[name]
    assert judge(named(name), resource_type, build()) == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda item: f"{item.rule}: {item.name}")
def test_one_mutation_is_refused_by_its_message(mutation: Mutation) -> None:
    resource_type, build = BUILDERS[mutation.rule]
    inputs = build()
    mutation.change(inputs)
    found = judge(named(mutation.rule), mutation.type or resource_type, inputs)
    assert any(mutation.message in sentence for sentence in found), found


@pytest.mark.parametrize("name", BUILDERS)
def test_an_unknown_value_of_what_is_judged_is_refused_not_skipped(name: str) -> None:
    resource_type, build = BUILDERS[name]
    rule = named(name)
    for field in {field.split(".")[0] for field in rule.fields or () if not field.startswith("?")}:
        if field in build():
            found = judge(rule, resource_type, build() | {field: UNKNOWN})
            assert any("cannot be judged" in sentence for sentence in found), field


@pytest.mark.parametrize("region", ["de-frankfurt", "fr-paris", "nl-amsterdam"])
def test_every_derived_object_passes_every_rule(region: str) -> None:
    for items in manifests(load_region(region)).values():
        for item in items:
            version = item["apiVersion"]
            kind = f"kubernetes:{version if '/' in version else f'core/{version}'}:{item['kind']}"
            for rule in RULES:
                if rule.check is not None:
                    assert judge(rule, kind, item) == [], (rule.name, kind, item["metadata"]["name"])


def test_every_rule_of_a_platform_has_its_compliant_builder_and_its_mutations() -> None:
    rules = {rule.name for rule in RULES if rule.name.startswith(("aws-", "kubernetes-"))}
    assert rules == set(BUILDERS) == {mutation.rule for mutation in MUTATIONS}
    assert all(named(name).fields for name in rules), "a platform's rule says which inputs it judges"
