"""Gateway and model pods. Invariant: every upstream is a service address of the region; there is no field for another."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes.objects import declare
from curtilage.derive.kubernetes.manifests import LLM_SERVICE, manifests
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class LlmServiceArgs:
    """The region, and what must stand before."""

    region: Region
    after: tuple[pulumi.Resource, ...] = ()


class LlmService(pulumi.ComponentResource):
    """Gateways in front, replicas behind."""

    objects: pulumi.Output[list[str]]
    """Kind, namespace and name of each object."""

    def __init__(self, name: str, args: LlmServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        items = manifests(args.region)[LLM_SERVICE]
        named = [f"{item['kind']} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}" for item in items]
        super().__init__("curtilage:kubernetes:LlmService", name, {"region": args.region.name, "objects": named}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.made = declare(name, items, child, keep=not args.region.lab, after=args.after)
        self.objects = pulumi.Output.from_input(named)
        self.register_outputs({"objects": self.objects})
