"""Kubernetes objects of a Pulumi plan: ``pulumi preview --json`` or ``pulumi stack export``."""

from __future__ import annotations

from typing import Any

from curtilage.errors import ConfigError
from curtilage.proof.aws.plan import UNKNOWN, Plan, Resource
from curtilage.proof.kubernetes.objects import Manifest, Manifests, make_object
from curtilage.region import Region

PROJECT = "curtilage"
PREFIX = "kubernetes:"
NAMESPACE = "kubernetes:core/v1:Namespace"
OPAQUE = ("kubernetes:helm.sh/", "kubernetes:kustomize")
_PLUMBING = frozenset({"__inputs", "__initialApiVersion", "__fieldManager", "status", "id"})


def is_kubernetes(plan: Plan) -> bool:
    """Whether the plan holds objects of a cluster."""
    return any(item.type.startswith(PREFIX) for item in plan.resources.values())


def check_plan(plan: Plan, region: Region | None) -> None:
    """A plan is judged by the allowances of its own region.

    Raises:
        ConfigError: it is another stack's, or the region has no cluster.
    """
    if region is None:
        return
    if region.kubernetes is None:
        raise ConfigError(
            f"region {region.name} is on {region.platform}",
            rule="objects of a cluster are judged by the allowances of a region that has one",
            fix="name the region the plan is of, or none",
        )
    if (plan.stack, plan.project) != (region.name, PROJECT):
        raise ConfigError(
            f"the plan is of stack '{plan.stack}' of project '{plan.project}'",
            rule=f"with --region {region.name} it is of stack '{region.name}' of project '{PROJECT}'",
            fix="name the plan's own region",
        )


def from_plan(plan: Plan) -> Manifests:
    """The objects that will be there; what the plan itself leaves open comes along."""
    found: list[Manifest] = []
    gaps = [(gap.resource, gap.what) for gap in plan.gaps]
    for item in plan.resources.values():
        if not item.type.startswith(PREFIX):
            continue
        if not item.custom:
            continue
        if item.type.startswith(OPAQUE):
            gaps.append((str(item), f"{item.type} makes objects that the plan does not show"))
            continue
        try:
            found.append(make_object(_document(plan, item), item.urn))
        except ConfigError as error:
            gaps.append((str(item), error.given))
    return Manifests(tuple(found), plan.digest, tuple(gaps))


def _document(plan: Plan, item: Resource) -> dict[str, Any]:
    group, _, kind = item.type.removeprefix(PREFIX).rpartition(":")
    version = group.removeprefix("core/") if group.startswith("core/") else group
    keys = (set(item.inputs) | set(item.outputs)) - _PLUMBING
    document = {key: item.get(key) for key in keys} if item.live else {key: item.inputs[key] for key in item.inputs if key not in _PLUMBING}
    document = {"apiVersion": version, "kind": kind, **{key: value for key, value in document.items() if value is not None}}
    if not isinstance(document["apiVersion"], str) or not isinstance(document["kind"], str):
        document |= {"apiVersion": version, "kind": kind}
    meta = document.get("metadata")
    meta = dict(meta) if isinstance(meta, dict) else {"name": UNKNOWN, "namespace": UNKNOWN}
    meta.setdefault(
        "name", item.outputs.get("metadata", {}).get("name", UNKNOWN) if isinstance(item.outputs.get("metadata"), dict) else UNKNOWN
    )
    if meta.get("namespace") is UNKNOWN:
        # A program that says `namespace=ns.metadata.name` depends on exactly that namespace.
        behind = plan.behind(item, "metadata", NAMESPACE)
        names = {name for one in behind if isinstance(name := _name(one), str)}
        if len(names) == 1 and len(behind) == 1:
            meta["namespace"] = names.pop()
    document["metadata"] = meta
    return document


def _name(item: Resource) -> Any:
    meta = item.get("metadata")
    return meta.get("name") if isinstance(meta, dict) else None
