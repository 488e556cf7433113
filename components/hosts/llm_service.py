"""The service callers see: vendor names answered by the gateways from the region's own vLLM replicas.

Invariant: every upstream is a gpu host of the region; there is no field for another.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from curtilage.allowance import Role
from curtilage.derive.flows import INFERENCE_PORT
from curtilage.region import Region


@dataclass(frozen=True, kw_only=True)
class LlmServiceArgs:
    """The region whose hosts answer."""

    region: Region


class LlmService(pulumi.ComponentResource):
    """Gateways in front, replicas behind."""

    upstreams: pulumi.Output[list[str]]
    """The vLLM replicas, as host:port."""

    def __init__(self, name: str, args: LlmServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        upstreams = [f"{host.ipv4}:{INFERENCE_PORT}" for host in args.region.hosts_by_role(Role.GPU)]
        props = {
            "gateways": [host.name for host in args.region.hosts_by_role(Role.GATEWAY)],
            "upstreams": upstreams,
            "intercept": sorted(args.region.gateway.intercept),
            "models": [model.name for model in args.region.models],
        }
        super().__init__("curtilage:hosts:LlmService", name, props, opts)
        self.upstreams = pulumi.Output.from_input(upstreams)
        self.register_outputs({"upstreams": self.upstreams})
