"""A host's egress firewall: the very nftables text that is planned, proved, loaded and evidenced, and the resolver where the host is one.

Invariant: the text is ``render_ruleset``'s, unchanged. Ansible owns loading it; this component owns what it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from curtilage.allowance import Role
from curtilage.canonical import digest_of
from curtilage.derive.firewall import render_ruleset
from curtilage.derive.resolver import render_unbound
from curtilage.region import Host, Region


@dataclass(frozen=True, kw_only=True)
class EgressFirewallArgs:
    """The host to seal, and its region."""

    region: Region
    host: Host


def firewall_inputs(region: Region, host: Host) -> dict[str, Any]:
    """What the plan says of a host's firewall; plain data, so that it is tested without an engine."""
    ruleset = render_ruleset(region, host)
    return {
        "host": host.name,
        "role": host.role.value,
        "segment": host.segment,
        "ruleset": ruleset,
        "rulesetDigest": digest_of(ruleset),
        "resolver": render_unbound(region, host) if host.role is Role.GATEWAY else "",
        "allowances": [item.model_dump(mode="json") for item in region.allowances if item.from_role is host.role],
    }


class EgressFirewall(pulumi.ComponentResource):
    """The seal of one host."""

    ruleset: pulumi.Output[str]
    """The complete /etc/nftables.conf."""
    ruleset_digest: pulumi.Output[str]
    """Digest of the ruleset, which the evidence repeats."""
    resolver: pulumi.Output[str]
    """The complete unbound.conf on a gateway, else empty."""

    def __init__(self, name: str, args: EgressFirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = firewall_inputs(args.region, args.host)
        super().__init__("curtilage:hosts:EgressFirewall", name, props, opts)
        self.ruleset = pulumi.Output.from_input(props["ruleset"])
        self.ruleset_digest = pulumi.Output.from_input(props["rulesetDigest"])
        self.resolver = pulumi.Output.from_input(props["resolver"])
        # Rules about the whole stack see a component's outputs alone, so the host's name is one.
        self.register_outputs(
            {"host": args.host.name, "ruleset": self.ruleset, "rulesetDigest": self.ruleset_digest, "resolver": self.resolver}
        )
