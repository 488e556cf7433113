"""If these fail, a policy or a DNS rule is read otherwise than AWS reads it."""

from __future__ import annotations

from typing import Any

import pytest

from curtilage.proof.aws.dns import Rule, classes, covers, first, resolves
from curtilage.proof.aws.policy import FOREIGN, Owner, PolicyError
from curtilage.proof.aws.question import Question
from tests.sabotage.aws.plans import ACCOUNT, ORG, document

OWNER = Owner(ORG, (ACCOUNT,), ("own-bucket",))
EVIL = "999999999999"


def foreigner_may(*statements: dict[str, Any], asked: bool = True) -> bool:
    """Whether some foreign principal may do something."""
    question = Question(document(*statements), OWNER, names_principals=asked)
    return question.find(question.request.kind == FOREIGN) is not None


def allow(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject", "Resource": "*"} | more


def when(operator: str, **keys: Any) -> dict[str, Any]:
    return {"Condition": {operator: {key.replace("_", ":"): value for key, value in keys.items()}}}


@pytest.mark.parametrize(
    ("statements", "open_"),
    [
        ([allow()], True),
        ([allow(Principal={"AWS": "*"})], True),
        ([allow(Principal={"AWS": [f"arn:aws:iam::{EVIL}:root"]})], True),
        ([allow(Principal={"AWS": EVIL})], True),
        ([allow(Principal={"AWS": ACCOUNT})], False),
        ([allow(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/x"})], False),
        ([allow(Principal={"CanonicalUser": "79a59d"})], True),
        ([allow(Principal={"Federated": "accounts.google.com"})], True),
        ([allow(Principal={"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"})], True),
        ([allow(Principal={"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/A"})], False),
        ([{k: v for k, v in allow().items() if k != "Principal"} | {"NotPrincipal": {"AWS": ACCOUNT}}], True),
        ([allow(**when("StringEquals", aws_PrincipalOrgID=ORG))], False),
        ([allow(**when("StringEquals", AWS_principalorgid=ORG))], False),
        ([allow(**when("StringEquals", aws_PrincipalOrgID="o-someoneelse"))], True),
        ([allow(**when("StringEquals", aws_PrincipalOrgID=[ORG, "o-someoneelse"]))], True),
        ([allow(**when("StringEqualsIfExists", aws_PrincipalOrgID=ORG))], True),
        ([allow(**when("ForAllValues:StringEquals", aws_PrincipalOrgID=ORG))], True),
        ([allow(**when("ForAnyValue:StringLike", aws_PrincipalOrgPaths=f"{ORG}/*"))], False),
        ([allow(**when("StringLike", aws_PrincipalOrgID="o-*"))], True),
        ([allow(**when("StringNotEquals", aws_PrincipalOrgID=ORG))], True),
        ([allow(**when("Null", aws_PrincipalOrgID="false"))], True),
        ([allow(**when("Bool", aws_SecureTransport="true"))], True),
        ([allow(**when("StringEquals", aws_PrincipalAccount=ACCOUNT))], False),
        ([allow(**when("ArnLike", aws_PrincipalArn=f"arn:aws:iam::{ACCOUNT}:role/*"))], False),
        ([allow(**when("ArnLike", aws_PrincipalArn="arn:aws:iam::*:role/legal"))], True),
        ([allow(), allow(Effect="Deny", Action="*", **when("StringNotEquals", aws_PrincipalOrgID=ORG))], False),
        ([allow(), allow(Effect="Deny", Action="*", **when("StringNotEqualsIfExists", aws_PrincipalOrgID=ORG))], False),
        ([allow(), allow(Effect="Deny", Action="s3:GetObject", **when("StringNotEquals", aws_PrincipalOrgID=ORG))], True),
        ([allow(), allow(Effect="Deny", Action="s3:*", Resource="arn:aws:s3:::own-bucket/*")], True),
        ([allow(), {k: v for k, v in allow(Effect="Deny").items() if k != "Action"} | {"NotAction": "s3:PutObject"}], True),
        ([allow(), allow(Effect="Deny", Action="*")], False),
        ([allow(Action="S3:putobject"), allow(Effect="Deny", Action="s3:PUTOBJECT")], False),
        ([{"Effect": "Allow", "Action": "*", "Resource": "*"}], False),
    ],
)
def test_a_policy_lets_a_foreigner_in_or_not(statements: list[dict[str, Any]], open_: bool) -> None:
    assert foreigner_may(*statements) is open_


def test_a_condition_that_is_not_modelled_makes_the_answer_uncertain() -> None:
    question = Question(document(allow(**when("IpAddress", aws_SourceIp="10.0.0.0/8"))), OWNER, names_principals=True)
    witness = question.find(question.request.kind == FOREIGN)
    assert witness is not None
    assert not witness.certain


def test_a_unique_id_is_neither_own_nor_passed() -> None:
    question = Question(document(allow(Principal={"AWS": "AROAEXAMPLEID"})), OWNER, names_principals=True)
    witness = question.find(question.request.kind == FOREIGN)
    assert witness is not None
    assert not witness.certain


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"Statement": [{"Effect": "Maybe"}]}', '{"Statement": [{"Effect": "Allow", "Extra": 1}]}']
)
def test_what_is_no_policy_is_said_to_be_none(text: str) -> None:
    with pytest.raises(PolicyError):
        Question(text, OWNER, names_principals=True)


# Names.


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [
        ("*", "a.example", True),
        ("legal.internal.", "legal.internal", True),
        ("legal.internal", "x.legal.internal", False),
        ("*.legal.internal", "x.legal.internal", True),
        ("*.legal.internal", "legal.internal", False),
        ("*.legal.internal", "evillegal.internal", False),
        ("*legal.internal", "evillegal.internal", True),
        ("LEGAL.internal", "legal.INTERNAL", True),
    ],
)
def test_domains_cover_names_as_the_dns_firewall_says(pattern: str, name: str, covered: bool) -> None:
    assert covers(pattern, name) is covered


def test_the_first_rule_by_priority_decides_and_a_type_bound_rule_skips_other_types() -> None:
    block, some = Rule(("*",), "BLOCK", True, "all"), Rule(("*",), "BLOCK", False, "A records alone")
    assert first([some], "x.example", odd_type=True) is None
    assert first([some], "x.example", odd_type=False) is some
    assert resolves([some], "x.example"), "a TXT query passes a rule for A records"
    assert not resolves([block], "x.example")
    assert resolves([Rule(("*.example",), "ALERT", True, "alert"), block], "x.example")
    assert not resolves(None, "x.example"), "no resolver looks nothing up"
    assert resolves([], "x.example")


def test_one_name_of_each_class_is_asked() -> None:
    assert set(classes(["*.a.example", "*"])) >= {"a.example", "x7f3q.a.example", "x7f3q.curtilage-canary.example"}
