"""Decides egress of Kubernetes manifests without a cluster: NetworkPolicy v1 and ClusterNetworkPolicy, by SMT, with counterexamples."""

from curtilage.proof.kubernetes.plans import from_plan
from curtilage.proof.kubernetes.prove import Scope, prove_manifests
from curtilage.proof.kubernetes.read import read_manifests

__all__ = ["Scope", "from_plan", "prove_manifests", "read_manifests"]
