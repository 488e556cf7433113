"""Where checkpoints and evidence are kept. Invariant: a namespace of its own, so that a gateway cannot rewrite its past."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.kubernetes.objects import declare
from curtilage.derive.kubernetes.manifests import EVIDENCE_STORE, manifests
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class EvidenceStoreArgs:
    """The region, and what must stand before."""

    region: Region
    after: tuple[pulumi.Resource, ...] = ()


class EvidenceStore(pulumi.ComponentResource):
    """The store, and what is watched."""

    objects: pulumi.Output[list[str]]
    """Kind, namespace and name of each object."""

    def __init__(self, name: str, args: EvidenceStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        items = manifests(args.region)[EVIDENCE_STORE]
        named = [f"{item['kind']} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}" for item in items]
        super().__init__("curtilage:kubernetes:EvidenceStore", name, {"region": args.region.name, "objects": named}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.made = declare(name, items, child, keep=not args.region.lab, after=args.after)
        self.objects = pulumi.Output.from_input(named)
        self.register_outputs({"objects": self.objects})
