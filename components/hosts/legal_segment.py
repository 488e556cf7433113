"""A legal segment: the only network its hosts reach.

Invariant: its networks are the file's, both families stated. It declares no route: a route out does not exist to be declared.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from curtilage.region import Segment


@dataclass(frozen=True, kw_only=True)
class LegalSegmentArgs:
    """One segment of a region, and whether the site is the lab (where alone documentation ranges are allowed)."""

    segment: Segment
    lab: bool


class LegalSegment(pulumi.ComponentResource):
    """A segment's networks and routers."""

    networks: pulumi.Output[list[str]]
    """The segment's networks, IPv4 first."""

    def __init__(self, name: str, args: LegalSegmentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        networks = [str(network) for network in args.segment.networks]
        props = {
            "networks": networks,
            "routers": [str(router) for router in (args.segment.router_ipv4, args.segment.router_ipv6) if router is not None],
            "lab": args.lab,
        }
        super().__init__("curtilage:hosts:LegalSegment", name, props, opts)
        self.networks = pulumi.Output.from_input(networks)
        self.register_outputs({"networks": self.networks})
