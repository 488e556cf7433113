"""Where the region's checkpoints and evidence are kept. Invariant: on hosts of its own, so that a gateway cannot rewrite its past."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from curtilage.allowance import Role
from curtilage.region import Region

CHECKPOINT_PORT = 8443


@dataclass(frozen=True, kw_only=True)
class EvidenceStoreArgs:
    """The region whose evidence is kept."""

    region: Region


class EvidenceStore(pulumi.ComponentResource):
    """The evidence hosts and how long they keep."""

    endpoints: pulumi.Output[list[str]]
    """Where checkpoints are sent, as host:port."""

    def __init__(self, name: str, args: EvidenceStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        hosts = args.region.hosts_by_role(Role.EVIDENCE)
        endpoints = [f"{host.ipv4}:{CHECKPOINT_PORT}" for host in hosts]
        props = {
            "hosts": [host.name for host in hosts],
            "endpoints": endpoints,
            "retentionDays": args.region.effective_retention_days() or "undecided",
        }
        super().__init__("curtilage:hosts:EvidenceStore", name, props, opts)
        self.endpoints = pulumi.Output.from_input(endpoints)
        self.register_outputs({"endpoints": self.endpoints})
