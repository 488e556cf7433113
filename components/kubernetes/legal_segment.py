"""The segment's namespaces, quotas, priorities and roles. Invariant: every namespace enforces Pod Security restricted."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes.objects import declare
from curtilage.derive.kubernetes.manifests import LEGAL_SEGMENT, manifests
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class LegalSegmentArgs:
    """The region, and what must stand before."""

    region: Region
    after: tuple[pulumi.Resource, ...] = ()


class LegalSegment(pulumi.ComponentResource):
    """Namespaces and who may do what in them."""

    objects: pulumi.Output[list[str]]
    """Kind, namespace and name of each object."""

    def __init__(self, name: str, args: LegalSegmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        items = manifests(args.region)[LEGAL_SEGMENT]
        named = [f"{item['kind']} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}" for item in items]
        super().__init__("curtilage:kubernetes:LegalSegment", name, {"region": args.region.name, "objects": named}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.made = declare(name, items, child, keep=not args.region.lab, after=args.after)
        self.namespaces = {
            item["metadata"]["name"]: made for item, made in zip(items, self.made, strict=True) if item["kind"] == "Namespace"
        }
        self.objects = pulumi.Output.from_input(named)
        self.register_outputs({"objects": self.objects})
