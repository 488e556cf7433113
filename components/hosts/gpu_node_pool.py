"""The region's GPU nodes. Invariant: two to four; owned by whoever racks them, so this declares what must be there and creates nothing."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from curtilage.region import Host


@dataclass(frozen=True, kw_only=True)
class GpuNodePoolArgs:
    """The gpu hosts, and whether the site is the lab (where alone a card may be ``cpu``)."""

    hosts: tuple[Host, ...]
    lab: bool


class GpuNodePool(pulumi.ComponentResource):
    """The machines that hold models."""

    node_names: pulumi.Output[list[str]]
    """Names of the nodes, in the file's order."""

    def __init__(self, name: str, args: GpuNodePoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {"nodes": [host.model_dump(mode="json") for host in args.hosts], "lab": args.lab}
        super().__init__("curtilage:hosts:GpuNodePool", name, props, opts)
        self.node_names = pulumi.Output.from_input([host.name for host in args.hosts])
        self.register_outputs({"nodeNames": self.node_names})
