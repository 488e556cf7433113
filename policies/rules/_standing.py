"""How much each rule weighs, which requirements it serves, and how to mend what it refuses.

One table, so that a reviewer reads all of it at once; a rule that is not in it stops the pack, and a test holds it to the rules there are.

Requirements: ``SC-7(5)`` and the like are controls of NIST SP 800-53 Rev. 5, ``EG-nn`` the ways out as the proof's findings and
docs/threat-model.md number them. Those of GDPR and NIS2 are cited as in ``curtilage/evidence/mappings/``. They say what a rule serves; no
single rule fulfils one.
"""

from __future__ import annotations

from dataclasses import dataclass

from pulumi_policy import Severity

CRITICAL, HIGH, MEDIUM = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM
"""A packet, name or key gets out by this alone; a layer is gone and another still holds; what shows it afterwards is gone."""

GDPR_SECURITY, GDPR_TRANSFER, NIS2_NETWORK = "GDPR Art. 32(1)(b)", "GDPR Art. 44", "NIS2 Art. 21(2)(e)"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What stands behind a rule.

    Attributes:
        severity: what happens without it.
        frameworks: the requirements it serves, by id.
        fix: what to do about a violation, as an order.
    """

    severity: Severity
    frameworks: tuple[str, ...]
    fix: str

    def words(self, rule: str) -> str:
        """As the end of a message."""
        return f"Rule {rule}, {self.severity.value} ({', '.join(self.frameworks)}). Fix: {self.fix}."


def _of(severity: Severity, fix: str, *frameworks: str) -> Standing:
    return Standing(severity=severity, frameworks=frameworks, fix=fix)


STANDING: dict[str, Standing] = {
    # Any platform.
    "segment-private": _of(CRITICAL, "give the segment networks of RFC 1918 or RFC 4193", "SC-7", "EG-09", NIS2_NETWORK),
    "gpu-nodes": _of(MEDIUM, "name 2 to 4 GPU nodes with their cards in the stack file", "SC-7(21)"),
    "model-by-digest": _of(HIGH, "import the model and write its digests into the stack file", "SI-7", "SR-4", "NIS2 Art. 21(2)(d)"),
    "allowance-owned": _of(
        CRITICAL, "write owner, reason, one narrow destination and a date to come, or remove the allowance", "SC-7(5)", "AC-4", "EG-58"
    ),
    "firewall-default-drop": _of(
        CRITICAL, "derive the ruleset with curtilage/derive/firewall.py and edit nothing in it", "SC-7(5)", "SC-7(18)", "EG-36", "EG-37"
    ),
    "every-host-sealed": _of(CRITICAL, "declare one EgressFirewall a host of the region", "SC-7(5)", "SC-7(12)", "EG-38"),
    "known-type": _of(CRITICAL, "model the type in the proof, then list it in policies/rules/types.py; else remove it", "SC-7(5)", "EG-09"),
    "residency": _of(CRITICAL, "choose a site inside the jurisdiction, and name owner and cost centre", GDPR_TRANSFER, "AC-4"),
    # Clusters.
    "kubernetes-policy-shut": _of(
        CRITICAL, "state both policyTypes and name peers by the segment's labels alone", "SC-7(5)", "EG-23", NIS2_NETWORK
    ),
    "kubernetes-cluster-policy": _of(CRITICAL, "deny 0.0.0.0/0 and ::/0 in tier Admin", "SC-7(5)", "EG-23", "EG-25"),
    "kubernetes-admission-denies": _of(HIGH, "set failurePolicy Fail and validationActions Deny", "SC-7(18)", "EG-35"),
    "kubernetes-namespace-restricted": _of(
        HIGH, "label it pod-security.kubernetes.io/enforce: restricted and with its segment", "SC-7(21)", "EG-20", "EG-37"
    ),
    "every-namespace-shut": _of(CRITICAL, "declare default-deny with both directions in the namespace", "SC-7(5)", "EG-23"),
    "kubernetes-workload-sealed": _of(
        CRITICAL, "use curtilage/derive/kubernetes/pods.py for the template, image by digest", "SC-7(12)", "EG-20", "EG-28", "EG-37"
    ),
    "kubernetes-service-inside": _of(
        CRITICAL, "use type ClusterIP with a selector, without externalIPs, externalName and LoadBalancer", "SC-7", "EG-29"
    ),
    "kubernetes-role-opens-nothing": _of(
        HIGH, "name resources and verbs; leave policies, roles, exec and escalation to the cluster's administrators", "AC-6", "EG-31"
    ),
    "kubernetes-context-named": _of(HIGH, "write kubernetes.context into the stack file", "AC-3", "CM-14"),
    # AWS: the network.
    "aws-account-named": _of(HIGH, "set allowedAccountIds to the stack file's account and region to its site", "AC-3", GDPR_TRANSFER),
    "aws-endpoint-perimeter": _of(
        CRITICAL,
        "use curtilage/derive/aws/policies.py: PrincipalOrgID and ResourceOrgID in one statement",
        "AC-4",
        "EG-03",
        "EG-05",
        "EG-06",
    ),
    "aws-group-empty": _of(HIGH, "declare rules as SecurityGroupEgressRule and SecurityGroupIngressRule", "SC-7(5)", "EG-10"),
    "aws-rule-by-reference": _of(
        CRITICAL, "name a security group or a prefix list of AWS instead of an address", "SC-7(5)", "EG-10", "EG-15"
    ),
    "aws-list-narrow": _of(HIGH, "let out the VPC's own range, and TCP 443 for the gateway endpoint, alone", "SC-7(5)", "EG-15"),
    "aws-defaults-emptied": _of(HIGH, "adopt the default with empty rules", "SC-7(5)", "EG-11"),
    "aws-no-routes": _of(CRITICAL, "leave routes empty; endpoints bring their own", "SC-7", "EG-09"),
    "aws-subnet-private": _of(CRITICAL, "set mapPublicIpOnLaunch false and give no IPv6 range", "SC-7", "EG-09"),
    "aws-names-fail-closed": _of(CRITICAL, "set firewallFailOpen DISABLED", "SC-7(18)", "EG-01"),
    "aws-names-decided": _of(CRITICAL, "ALLOW own names first, BLOCK all last, of every query type", "SC-7(5)", "EG-01"),
    "aws-names-own": _of(CRITICAL, "list AWS's own names of the region and internal zones alone", "SC-7(10)(a), (b)", "EG-01", "EG-02"),
    "aws-public-access-blocked": _of(HIGH, "set internetGatewayBlockMode block-bidirectional", "SC-7(20)", "EG-09"),
    "aws-cluster-private": _of(
        CRITICAL, "endpointPublicAccess false, private true, all log types, authentication mode API without the creator", "SC-7", "EG-19"
    ),
    "aws-cni-strict": _of(
        CRITICAL, "configure vpc-cni with enableNetworkPolicy and NETWORK_POLICY_ENFORCING_MODE strict", "SC-7(5)", "EG-21", "EG-24"
    ),
    "aws-machine-sealed": _of(
        CRITICAL, "httpTokens required, hop limit 1, encrypted disks, own groups, no public address", "SC-7", "SC-28", "EG-16"
    ),
    "aws-gpu-nodes": _of(HIGH, "2 to 4 nodes by the launch template, without remoteAccess", "SC-7(21)", "EG-07"),
    "aws-balancer-internal": _of(CRITICAL, "set internal true", "SC-7", "EG-09"),
    "aws-listener-forwards": _of(HIGH, "use action forward alone", "AC-4", "EG-18"),
    "aws-link-accepted": _of(HIGH, "set acceptanceRequired true and name principals beside it", "AC-3", "SC-7(4)"),
    "aws-link-principal": _of(HIGH, "name one role or account of the CRM side, no wildcard", "AC-3", "SC-7(4)"),
    # AWS: data and records.
    "aws-bucket-locked": _of(HIGH, "objectLockEnabled true, forceDestroy false, no acl", "AU-9", GDPR_SECURITY),
    "aws-bucket-retention": _of(MEDIUM, "write a default retention", "AU-11"),
    "aws-bucket-closed": _of(CRITICAL, "set all four blocks true", "AC-3", "SC-7", GDPR_SECURITY),
    "aws-bucket-versions": _of(MEDIUM, "set status Enabled", "AU-9", "CP-9"),
    "aws-bucket-policy": _of(
        CRITICAL,
        "deny other organisations, other regions and requests without TLS, as derive/aws/policies.py does",
        "AC-4",
        "SC-8",
        "EG-03",
    ),
    "aws-key-stays": _of(HIGH, "multiRegion false, enableKeyRotation true, and a key policy of the plan", "SC-12", GDPR_TRANSFER),
    "aws-key-of-one-account": _of(CRITICAL, "name the region's own account and services alone in the key policy", "SC-12", "AC-3"),
    "aws-images-immutable": _of(HIGH, "imageTagMutability IMMUTABLE and scanOnPush true", "SI-7", "SR-4"),
    "aws-role-of-service": _of(CRITICAL, "trust one AWS service, with the account as a condition", "AC-3", "AC-6"),
    "aws-trail-on": _of(HIGH, "enableLogging and enableLogFileValidation true", "AU-10", "AU-12"),
    "aws-logs-kept": _of(MEDIUM, "set retentionInDays to what the jurisdiction says", "AU-11"),
    "aws-files-encrypted": _of(HIGH, "set encrypted true with the region's key", "SC-28", "GDPR Art. 32(1)(a)"),
    "aws-flows-logged": _of(MEDIUM, "set trafficType ALL", "AU-12", "SC-7(9)"),
    "aws-backup-here": _of(CRITICAL, "write a rule without copy actions", "CP-9", GDPR_TRANSFER),
    "aws-tagged": _of(MEDIUM, "use curtilage/derive/aws/names.py tags()", "CM-8", "AC-4"),
    "aws-role-narrow": _of(HIGH, "name actions and resources", "AC-6", "EG-18"),
    "aws-role-attached": _of(HIGH, "attach a listed policy, or write a narrow one of your own", "AC-6"),
    "every-vpc-complete": _of(CRITICAL, "declare what is named", "SC-7(5)", "EG-01", "EG-11"),
    "every-bucket-locked": _of(HIGH, "use components/aws/buckets.py", "AU-9"),
    "every-endpoint-of-one-organisation": _of(CRITICAL, "write the stack file's organisation into every policy", "AC-4", "EG-05"),
    "every-resource-of-one-region": _of(CRITICAL, "leave region out, or give the site of the stack file", GDPR_TRANSFER, "AC-4"),
}
