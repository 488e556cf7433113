"""Declares derived objects as resources, one to one: what the goldens show is what the plan holds.

Resources are made from their type token, because the manifest is the reviewed text; the provider checks it against its own schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import pulumi

from curtilage.derive.kubernetes.manifests import logical_name
from curtilage.derive.kubernetes.names import Manifest

VERSION = version("pulumi-kubernetes")
DATA = frozenset({"PersistentVolumeClaim", "StatefulSet"})
"""Kinds whose removal loses ledgers, evidence or weights: they are protected."""


def token(item: Manifest) -> str:
    """``kubernetes:apps/v1:Deployment``; the core group is spelt out."""
    version = item["apiVersion"]
    return f"kubernetes:{version if '/' in version else f'core/{version}'}:{item['kind']}"


def declare(
    prefix: str,
    items: Iterable[Manifest],
    opts: pulumi.ResourceOptions,
    *,
    keep: bool,
    after: Iterable[pulumi.Resource] = (),
    namespaces: Mapping[str, pulumi.Resource] | None = None,
) -> list[pulumi.Resource]:
    """Each object as a child.

    Args:
        prefix: the component's name.
        items: the objects.
        opts: parent and provider.
        keep: protect what holds data; the lab is taken down whole.
        after: what must be there before.
        namespaces: the segment's, by name. Their policies stand until the namespace itself is gone: a policy that is deleted
            first leaves pods that are still ending without it, and admission rightly refuses to delete default-deny.
    """
    before = list(after)
    made: list[pulumi.Resource] = []
    for item in items:
        own = pulumi.ResourceOptions(depends_on=before, protect=keep and item["kind"] in DATA, version=VERSION)
        if item["kind"] == "NetworkPolicy" and namespaces is not None:
            own.deleted_with = namespaces[item["metadata"]["namespace"]]
        # STATE KEY: kind, namespace and name; an object that is renamed is replaced.
        made.append(_Object(token(item), f"{prefix}-{logical_name(item)}", item, pulumi.ResourceOptions.merge(opts, own)))
    return made


class _Object(pulumi.CustomResource):
    """One object of the API."""

    def __init__(self, kind: str, name: str, item: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        super().__init__(kind, name, dict(item), opts)
