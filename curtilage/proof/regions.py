"""Proves a region: renders every host's ruleset, the very text that will be loaded, and decides each."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from curtilage.derive.firewall import UPLINK, render_ruleset
from curtilage.proof.allowed import Allowed, Opening
from curtilage.proof.decide import prove
from curtilage.proof.report import Finding, ProofResult
from curtilage.region import Host, Region
from curtilage.verdict import Verdict, worst


@dataclass(frozen=True)
class RegionProof:
    """The decision about a region: one result a host."""

    region: str
    verdict: Verdict
    hosts: dict[str, ProofResult]
    unused_allowances: tuple[str, ...]
    seconds: float

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every host's findings."""
        return tuple(finding for result in self.hosts.values() for finding in result.findings)

    def document(self) -> dict[str, Any]:
        """The JSON of the contract."""
        return {
            "region": self.region,
            "verdict": self.verdict,
            "findings": [{"host": name, **item.document()} for name, result in self.hosts.items() for item in result.findings],
            "unused_allowances": list(self.unused_allowances),
            "hosts": [result.document() for result in self.hosts.values()],
            "seconds": round(self.seconds, 3),
        }


def allowed_of(region: Region, host: Host | None = None) -> Allowed:
    """Where packets of a host may go; without a host, where packets of any may."""
    segment = host.segment if host else "legal"
    machines = [host] if host else []
    return Allowed(
        segment=segment,
        networks=tuple(network for item in region.segments.values() for network in item.networks),
        openings=tuple(
            Opening(item.id, item.destination, item.protocol, item.ports)
            for item in region.allowances
            if host is None or item.from_role == host.role
        ),
        sources=tuple(str(address) for item in machines for address in (item.ipv4, item.ipv6) if address is not None),
    )


def prove_host(region: Region, host: Host, ruleset: str | None = None) -> ProofResult:
    """Decide one host; ``ruleset`` is what it runs, by default what the region derives."""
    text = render_ruleset(region, host) if ruleset is None else ruleset
    return prove(text, allowed_of(region, host), subject=f"{region.name}/{host.name}", uplinks=(UPLINK,), layered=True)


def prove_region(region: Region) -> RegionProof:
    """Decide every host of a region.

    A path out that remains is an allowance, which the host's result names; an allowance that no host can use is reported, because it is a
    hole waiting for a rule.
    """
    started = time.monotonic()
    hosts = {host.name: prove_host(region, host) for host in region.hosts}
    used = {name for result in hosts.values() for name, usable in result.allowances.items() if usable}
    return RegionProof(
        region=region.name,
        verdict=worst(result.verdict for result in hosts.values()),
        hosts=hosts,
        unused_allowances=tuple(sorted({item.id for item in region.allowances} - used)),
        seconds=time.monotonic() - started,
    )
