"""The GPU nodes that must be there. Invariant: two to four; the cluster's owner racks them, so this says what they are and makes none."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes.objects import declare
from curtilage.derive.kubernetes.manifests import GPU_NODE_POOL, manifests
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class GpuNodePoolArgs:
    """The region, and what must stand before."""

    region: Region
    after: tuple[pulumi.Resource, ...] = ()


class GpuNodePool(pulumi.ComponentResource):
    """What the nodes must already be."""

    objects: pulumi.Output[list[str]]
    """Kind, namespace and name of each object."""

    def __init__(self, name: str, args: GpuNodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        items = manifests(args.region)[GPU_NODE_POOL]
        named = [f"{item['kind']} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}" for item in items]
        super().__init__("curtilage:kubernetes:GpuNodePool", name, {"region": args.region.name, "objects": named}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.made = declare(name, items, child, keep=not args.region.lab, after=args.after)
        self.objects = pulumi.Output.from_input(named)
        self.register_outputs({"objects": self.objects})
