"""The models' volume and what each model is. Invariant: outside the lab a model without digests is previewed and never brought up."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes.objects import declare
from curtilage.derive.kubernetes.manifests import MODEL_IMAGE, manifests
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class ModelImageArgs:
    """The region, and what must stand before."""

    region: Region
    after: tuple[pulumi.Resource, ...] = ()


class ModelImage(pulumi.ComponentResource):
    """Weights and their description."""

    objects: pulumi.Output[list[str]]
    """Kind, namespace and name of each object."""

    def __init__(self, name: str, args: ModelImageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        items = manifests(args.region)[MODEL_IMAGE]
        named = [f"{item['kind']} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}" for item in items]
        super().__init__("curtilage:kubernetes:ModelImage", name, {"region": args.region.name, "objects": named}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.made = declare(name, items, child, keep=not args.region.lab, after=args.after)
        self.objects = pulumi.Output.from_input(named)
        self.register_outputs({"objects": self.objects})
