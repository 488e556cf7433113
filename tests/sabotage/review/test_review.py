"""If these fail, a reviewer approves an opening that the comment did not show, or learns a secret from it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from curtilage.cli import build_app
from curtilage.engine import plan_digest
from curtilage.errors import ConfigError
from curtilage.review.judge import judge
from curtilage.review.markdown import render
from curtilage.review.model import RegionReview, Severity
from curtilage.review.plans import planned_of, read_plans
from curtilage.verdict import Verdict
from tests.sabotage.aws.mutations import everyone
from tests.sabotage.aws.plans import ORG, Ref, document, sealed_region
from tests.sabotage.review.conftest import firewall, hosts_plan, rewrite, step

Write = Callable[[str, Any], Path]
END = 'counter name "output_drop" drop\n\t}\n}'
root = pytest.mark.skipif(os.geteuid() != 0, reason="NOT-RUN: rulesets are read back from the kernel, which needs root")


def review(old: dict[str, Any] | None, new: dict[str, Any] | None) -> RegionReview:
    sides = [{planned_of(item).region: planned_of(item)} if item else {} for item in (old, new)]
    return judge(sides[0], sides[1]).regions[0]


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(build_app("review"), ["review", *arguments])
    if isinstance(result.exception, Exception):
        raise result.exception
    return result.exit_code, result.stdout


# Hosts.


@root
def test_a_rule_that_lets_packets_out_is_told_as_destination_port_and_packet() -> None:
    new = hosts_plan()
    rewrite(new, "crm-1", END, "ip daddr 203.0.113.0/24 tcp dport { 443, 8443 } accept\n\t\t" + END)
    rewrite(new, "crm-1", "0x0800 ip daddr 192.0.2.0/24", "0x0800 ip daddr { 192.0.2.0/24, 203.0.113.0/24 }")
    found = review(hosts_plan(), new)
    sent = next(flow for flow in found.delta.added if flow.where == "crm-1, sent by the host")
    assert (sent.destination, sent.protocol, sent.ports) == ("203.0.113.0/24", "tcp", "443, 8443")
    assert sent.witness["destination"].startswith("203.0.113.")
    assert not sent.inside
    assert found.proof.verdict is Verdict.FAIL
    assert found.severity is Severity.RED


@root
def test_a_rule_that_changes_its_words_and_not_its_packets_is_no_egress_delta() -> None:
    new = hosts_plan()
    rewrite(new, "crm-1", "ip daddr 192.0.2.41 udp dport 123", "ip daddr 192.0.2.41 udp dport { 123-123 }")
    found = review(hosts_plan(), new)
    assert found.status == "changed"
    assert not found.delta.widens
    assert not found.delta.removed
    assert found.verdict is Verdict.PASS
    assert [(item.operation, item.properties) for item in found.changes] == [("update", ("ruleset", "rulesetDigest"))]
    assert found.severity is Severity.YELLOW


@root
def test_a_flow_inside_the_segment_is_told_but_is_no_egress() -> None:
    new = hosts_plan()
    refused = 'ct state invalid goto output_refused comment "of no connection"'
    rewrite(new, "crm-1", refused, f"{refused}\n\t\tip daddr 192.0.2.11 tcp dport 8000 accept")
    found = review(hosts_plan(), new)
    assert [(flow.destination, flow.ports, flow.inside) for flow in found.delta.added] == [("192.0.2.11", "8000", True)]
    assert not found.delta.widens


@root
def test_a_policy_that_turns_to_accept_is_a_removed_deny() -> None:
    new = hosts_plan()
    rewrite(new, "gpu-1", "hook forward priority filter; policy drop;", "hook forward priority filter; policy accept;")
    found = review(hosts_plan(), new)
    assert any("policy drop on forward" in item for item in found.delta.denies_removed)
    assert found.policies.verdict is Verdict.FAIL


@root
def test_closing_a_hole_is_told_as_removed() -> None:
    old = hosts_plan()
    rewrite(old, "crm-1", END, "ip6 daddr 2001:db8:f::/48 accept\n\t\t" + END)
    rewrite(old, "crm-1", "0x86dd ip6 daddr 2001:db8:1::/64 accept", "0x86dd ip6 daddr ::/0 accept")
    found = review(old, hosts_plan())
    assert not found.delta.widens
    assert any(flow.destination == "2001:db8:f::/48" for flow in found.delta.removed)
    assert found.verdict is Verdict.PASS


@root
def test_a_network_newly_called_a_segment_is_a_destination() -> None:
    new = hosts_plan()
    for item in new["steps"]:
        if item["newState"]["type"].endswith("LegalSegment"):
            item["newState"]["inputs"]["networks"].append("198.51.100.0/24")
    rewrite(new, "crm-1", END, "ip daddr 198.51.100.0/24 accept\n\t\t" + END)
    rewrite(new, "crm-1", "0x0800 ip daddr 192.0.2.0/24", "0x0800 ip daddr { 192.0.2.0/24, 198.51.100.0/24 }")
    found = review(hosts_plan(), new)
    assert found.proof.verdict is Verdict.PASS, "the plan calls it its own"
    assert any(flow.destination == "198.51.100.0/24" and not flow.inside for flow in found.delta.added)
    assert found.severity is Severity.RED


@root
def test_a_rule_the_model_cannot_decide_is_not_passed() -> None:
    new = hosts_plan()
    rewrite(new, "crm-1", END, "ip daddr 203.0.113.7 limit rate 1/second accept\n\t\t" + END)
    rewrite(new, "crm-1", "0x0800 ip daddr 192.0.2.0/24", "0x0800 ip daddr { 192.0.2.0/24, 203.0.113.7 }")
    found = review(hosts_plan(), new)
    assert found.delta.undecided or any(not flow.certain for flow in found.delta.added)
    assert found.verdict is not Verdict.PASS


@root
def test_a_host_without_a_ruleset_and_a_ruleset_that_does_not_load_do_not_pass() -> None:
    missing, broken = hosts_plan(), hosts_plan()
    firewall(missing, "gw-1")["ruleset"] = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "x"}
    rewrite(broken, "gw-1", "table inet curtilage {", "table inet curtilage {\n\tnot nftables")
    assert review(hosts_plan(), missing).proof.verdict is Verdict.NOT_PROVEN
    assert review(hosts_plan(), broken).proof.verdict is Verdict.FAIL


# AWS.


def test_an_aws_plan_that_opens_is_told_by_packet_name_and_principal() -> None:
    stack = sealed_region()
    stack.add("aws:ec2/internetGateway:InternetGateway", "igw", vpcId=Ref("vpc"))
    stack.add("aws:ec2/route:Route", "out", routeTableId=Ref("table"), destinationCidrBlock="198.51.100.0/24", gatewayId=Ref("igw"))
    stack["nodes"]["egress"] = [{"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["0.0.0.0/0"]}]
    stack["s3"]["policy"] = document(everyone())
    stack["dns-block"]["action"] = "ALERT"
    stack.remove("bpa")
    found = review(sealed_region().preview(), stack.preview())
    leaving = [flow for flow in found.delta.added if flow.leaves]
    assert [(flow.destination, flow.protocol, flow.ports) for flow in leaving] == [("198.51.100.0/24", "tcp", "443")]
    assert any(flow.where == "SecurityGroup 'nodes' alone" for flow in found.delta.added)
    assert any("canary" in name for name in found.delta.names_added)
    assert [access.resource for access in found.delta.principals] == ["VpcEndpoint 's3'"]
    assert found.delta.principals[0].foreign
    assert "VpcBlockPublicAccessOptions 'bpa' is there" in found.delta.denies_removed
    assert [item.name for item in found.changes if item.operation == "delete"] == ["bpa"]
    assert found.verdict is Verdict.FAIL


def test_a_removed_deny_statement_is_told() -> None:
    before, after = sealed_region(), sealed_region()
    deny = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    condition = {"Condition": {"StringNotEquals": {"aws:PrincipalOrgID": ORG, "aws:ResourceOrgID": ORG}}}
    before["endpoint-sts"]["policy"] = document(everyone(), deny | condition)
    after["endpoint-sts"]["policy"] = document(everyone())
    found = review(before.preview(), after.preview())
    assert any("endpoint-sts" in item and "denies" in item for item in found.delta.denies_removed)
    assert [access.resource for access in found.delta.principals] == ["VpcEndpoint 'endpoint-sts'"]


def test_a_harmless_aws_change_passes_without_an_egress_delta() -> None:
    stack = sealed_region()
    stack["vpc"]["tags"] = {"curtilage:segment": "legal", "owner": "legal"}
    found = review(sealed_region().preview(), stack.preview())
    assert found.delta.empty
    assert found.verdict is Verdict.PASS
    assert found.policies.verdict is None, "there is no region of ours in it for the pack to judge"


def test_an_unresolved_value_is_told_as_not_decided() -> None:
    stack = sealed_region()
    stack["nodes-vpc"]["cidrBlocks"] = ["04da6b54-80e4-46f7-96ec-b56ff0331ba9"]
    found = review(sealed_region().preview(), stack.preview())
    assert found.delta.undecided
    assert found.verdict is Verdict.NOT_PROVEN
    assert found.severity is Severity.RED


# Resources.


@pytest.mark.parametrize(
    ("steps", "operation"),
    [
        ([{"op": "create-replacement"}, {"op": "replace"}, {"op": "delete-replaced"}], "replace"),
        ([{"op": "replace"}], "replace"),
        ([{"op": "delete"}], "delete"),
    ],
)
def test_replace_and_delete_are_red_whatever_else_happens(steps: list[dict[str, str]], operation: str) -> None:
    old, new = sealed_region().preview(), sealed_region().preview()
    chosen = next(item for item in new["steps"] if item["urn"].endswith("::key"))
    new["steps"].remove(chosen)
    for extra in steps:
        new["steps"].append({"op": extra["op"], "urn": chosen["urn"], "oldState": chosen["newState"], "newState": chosen["newState"]})
    if operation == "delete":
        new["steps"][-1]["newState"] = None
    found = review(old, new)
    assert [(item.operation, item.severity, item.name) for item in found.changes if item.severity is Severity.RED] == [
        (operation, Severity.RED, "key")
    ]


def test_a_region_that_goes_is_red_and_a_new_one_is_proved() -> None:
    plan = sealed_region().preview()
    gone, there = review(plan, None), review(None, plan)
    assert (gone.status, gone.severity, gone.verdict) == ("removed", Severity.RED, Verdict.PASS)
    assert there.status == "new"
    assert there.proof.verdict is Verdict.PASS


def test_a_plan_without_a_platform_that_is_known_is_not_proven() -> None:
    plan = {"steps": [step("curtilage:other:Thing", "thing", {})]}
    assert review(None, plan).proof.verdict is Verdict.NOT_PROVEN


def test_kubernetes_objects_are_never_passed_silently() -> None:
    urn = "urn:pulumi:paris::curtilage::kubernetes:networking.k8s.io/v1:NetworkPolicy::open"
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}
    inputs = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "open", "namespace": "a"}, "spec": spec}
    state = {"urn": urn, "type": "kubernetes:networking.k8s.io/v1:NetworkPolicy", "custom": True, "inputs": inputs}
    found = review(None, {"steps": [{"op": "create", "urn": urn, "newState": state}]})
    assert found.verdict in (Verdict.FAIL, Verdict.NOT_PROVEN)


# Digest, determinism, form.


def test_the_digest_shown_is_the_one_that_up_compares() -> None:
    plan = sealed_region().preview()
    found = review(None, plan)
    assert found.digests == (None, plan_digest(plan))
    assert plan_digest(plan) in render(judge({}, {"x": planned_of(plan)}))


def test_a_preview_and_the_state_it_leads_to_have_one_digest() -> None:
    plan = hosts_plan()
    state = {"version": 3, "deployment": {"resources": [item["newState"] | {"outputs": {"a": 1}} for item in plan["steps"]]}}
    assert planned_of(plan).digest == planned_of(state).digest


def test_the_same_plans_give_the_same_bytes(write: Write) -> None:
    stack = sealed_region()
    stack["s3"]["policy"] = document(everyone())
    old, new = write("old.json", sealed_region().preview()), write("new.json", stack.preview())
    first = run("--old", str(old), "--new", str(new))
    assert run("--old", str(old), "--new", str(new)) == first
    assert first[0] == 1


def test_json_is_one_document_with_the_same_verdict(write: Write) -> None:
    old = write("old.json", sealed_region().preview())
    code, text = run("--old", str(old), "--new", str(old), "--json")
    found = json.loads(text)
    assert (code, found["verdict"], found["severity"]) == (0, "PASS", "green")
    assert found["regions"][0]["status"] == "unchanged"
    assert set(found["regions"][0]) >= {"region", "egress", "policies", "proof", "plan_digest", "changes"}


def test_a_directory_holds_a_plan_a_region(write: Write) -> None:
    file = write("plans/a.json", sealed_region().preview())
    assert list(read_plans(file.parent)) == ["de-frankfurt"]
    write("plans/b.json", sealed_region().preview())
    with pytest.raises(ConfigError, match="a second plan of region 'de-frankfurt'"):
        read_plans(file.parent)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON at line 1"),
        ("[]", "not an object"),
        ("{}", "neither 'steps'"),
        ('{"steps": []}', "no resource in it"),
        ('{"steps": 7}', "'steps' is not a list"),
        ('{"steps": [{"op": "create"}]}', "without newState"),
        ('{"steps": [7]}', "without an operation"),
    ],
)
def test_what_is_no_plan_is_refused_with_a_reason(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_plans(file)


def test_a_missing_side_a_missing_file_and_an_empty_directory_are_errors(tmp_path: Path) -> None:
    for arguments in ((), ("--old", str(tmp_path / "no")), ("--old", str(tmp_path), "--new", str(tmp_path))):
        with pytest.raises(ConfigError):
            run(*arguments)


def cluster_plan(egress: list[dict[str, Any]]) -> dict[str, Any]:
    """A sealed namespace with one policy and one pod."""
    labels = {"app": "vllm"}
    given = {
        "kubernetes:core/v1:Namespace::ns": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "legal"}},
        "kubernetes:networking.k8s.io/v1:NetworkPolicy::policy": {
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "policy", "namespace": "legal"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": egress},
        },
        "kubernetes:apps/v1:Deployment::vllm": {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "vllm", "namespace": "legal"},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels},
                     "spec": {"containers": [{"name": "vllm", "image": "registry.legal.internal/vllm@sha256:" + "0" * 64}]}}},
        },
    }  # fmt: skip
    steps = []
    for name, inputs in given.items():
        urn = f"urn:pulumi:paris::other::{name}"
        state = {"urn": urn, "type": name.rsplit("::", 1)[0], "custom": True, "inputs": inputs}
        steps.append({"op": "create", "urn": urn, "newState": state})
    return {"steps": steps, "changeSummary": {"create": len(steps)}}


def test_a_network_policy_that_opens_is_told_by_its_packet() -> None:
    found = review(cluster_plan([]), cluster_plan([{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]}]))
    assert any(flow.where == "pods of legal" and flow.destination.startswith("203.0.113.") for flow in found.delta.added)
    assert found.proof.verdict is Verdict.FAIL
    assert found.severity is Severity.RED
