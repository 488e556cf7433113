"""Decides egress of an AWS plan without an account: from `pulumi preview --json` or `pulumi stack export`, by SMT, with counterexamples."""

from curtilage.proof.aws.plan import Plan, parse_plan, read_plan
from curtilage.proof.aws.prove import PlanProof, prove_plan, text

__all__ = ["Plan", "PlanProof", "parse_plan", "prove_plan", "read_plan", "text"]
