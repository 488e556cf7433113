"""The seal of a cluster: network policies, the admin-tier deny, admission. Invariant: it stands before any workload."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.kubernetes.objects import declare
from curtilage.derive.kubernetes.manifests import EGRESS_FIREWALL, manifests
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class EgressFirewallArgs:
    """The region, and what must stand before."""

    region: Region
    namespaces: Mapping[str, pulumi.Resource]
    after: tuple[pulumi.Resource, ...] = ()


class EgressFirewall(pulumi.ComponentResource):
    """Default deny both ways, and what keeps it."""

    objects: pulumi.Output[list[str]]
    """Kind, namespace and name of each object."""

    def __init__(self, name: str, args: EgressFirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        items = manifests(args.region)[EGRESS_FIREWALL]
        named = [f"{item['kind']} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}" for item in items]
        super().__init__("curtilage:kubernetes:EgressFirewall", name, {"region": args.region.name, "objects": named}, opts)
        child = pulumi.ResourceOptions(parent=self)
        self.made = declare(name, items, child, keep=not args.region.lab, after=args.after, namespaces=args.namespaces)
        self.objects = pulumi.Output.from_input(named)
        self.register_outputs({"objects": self.objects})
