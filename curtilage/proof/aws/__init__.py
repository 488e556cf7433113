"""Decides egress of an AWS plan without an account: from `pulumi preview --json` or `pulumi stack export`, by SMT, with counterexamples."""

from curtilage.proof.aws.plan import Plan, parse_plan, read_plan
from curtilage.proof.aws.prove import prove_plan

__all__ = ["Plan", "parse_plan", "prove_plan", "read_plan"]
