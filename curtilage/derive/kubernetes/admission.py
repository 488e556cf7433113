"""Admission: what the API server refuses in the segment, whoever asks.

ValidatingAdmissionPolicies run inside the API server: no webhook that can be down, no image to fetch. ``failurePolicy: Fail`` and a missing
parameter both refuse. They judge pods rather than what makes them, because every way to a pod ends in a pod. Deny is the only action:
``Warn`` and ``Audit`` would let the object in. Corpus and ids: egress catalogue, EG-16, EG-20 to EG-31.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from curtilage.derive.kubernetes import admission_pods, admission_traffic
from curtilage.derive.kubernetes.names import ADMISSION, NOT_IMPORTED, SEALED, SEGMENT_LABEL, Manifest, image, metadata
from curtilage.region import Region

PARAMETERS = "approved-images"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """One policy.

    Attributes:
        resources: groups, resources and operations it is asked about.
        checks: CEL expression that must hold, and what a refused person is told.
        everywhere: not the segment's namespaces alone.
        parameters: it reads the list of approved images.
    """

    name: str
    resources: list[dict[str, Any]]
    checks: list[tuple[str, str]]
    variables: dict[str, str] = field(default_factory=dict)
    everywhere: bool = False
    parameters: bool = False


def approved_images(region: Region) -> list[str]:
    """Images that pods of the segment may run: by digest, from the stack file, and no other."""
    named = {image(region), *(model.image or NOT_IMPORTED for model in region.models)}
    return sorted(named - {NOT_IMPORTED})


def parameters(region: Region) -> Iterator[Manifest]:
    """The list as an object, so that a release changes the list and not the rule."""
    yield {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(region, PARAMETERS, ADMISSION),
        "data": {"images": "\n".join(approved_images(region))},
    }


def rules(region: Region) -> list[Rules]:
    """Every policy of the region."""
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["pods", "pods/ephemeralcontainers"]}
    found = [
        Rules(name="legal-pods-sealed", resources=[pods], checks=admission_pods.SEALED, variables=admission_pods.VARIABLES),
        Rules(name="legal-pods-offline", resources=[pods], checks=admission_pods.OFFLINE, variables=admission_pods.VARIABLES),
        Rules(
            name="legal-images-approved",
            resources=[pods],
            checks=admission_pods.IMAGES,
            variables={**admission_pods.VARIABLES, "approved": "params.data.images.split('\\n')"},
            parameters=True,
        ),
    ]
    found += [
        Rules(name=name, resources=resources, checks=checks, variables=variables, everywhere=everywhere)
        for name, resources, checks, variables, everywhere in admission_traffic.policies(region)
    ]
    return found


def policies(region: Region) -> Iterator[Manifest]:
    """Each policy."""
    for item in rules(region):
        spec: dict[str, Any] = {
            "failurePolicy": "Fail",
            "matchConstraints": {"matchPolicy": "Equivalent", "resourceRules": item.resources},
            "validations": [{"expression": expression, "message": message} for expression, message in item.checks],
        }
        if item.variables:
            spec["variables"] = [{"name": name, "expression": text} for name, text in item.variables.items()]
        if item.parameters:
            spec["paramKind"] = {"apiVersion": "v1", "kind": "ConfigMap"}
        yield {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": metadata(region, item.name),
            "spec": spec,
        }


def bindings(region: Region) -> Iterator[Manifest]:
    """Each policy, in force."""
    for item in rules(region):
        spec: dict[str, Any] = {"policyName": item.name, "validationActions": ["Deny"]}
        if not item.everywhere:
            # By name, which the API server itself writes: a label that someone takes off would end the rule.
            names = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [*SEALED, ADMISSION]}
            spec["matchResources"] = {"namespaceSelector": {"matchExpressions": [names]}}
        if item.parameters:
            spec["paramRef"] = {"name": PARAMETERS, "namespace": ADMISSION, "parameterNotFoundAction": "Deny"}
        yield {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": metadata(region, item.name),
            "spec": spec,
        }


__all__ = ["PARAMETERS", "SEGMENT_LABEL", "approved_images", "bindings", "parameters", "policies", "rules"]
