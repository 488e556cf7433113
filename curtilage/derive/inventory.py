"""The Ansible inventory of a region: what each host is told about itself and its peers, as one JSON document of the stack's outputs.

Roles read these names, so they are a contract. Nothing secret is here: keys are made and handed over outside of the plan.
"""

from __future__ import annotations

from typing import Any

from curtilage.allowance import Role
from curtilage.derive.firewall import render_ruleset
from curtilage.derive.flows import INFERENCE_PORT
from curtilage.derive.resolver import render_answers, render_unbound, zone
from curtilage.region import Host, Region


def inventory(region: Region) -> dict[str, Any]:
    """The inventory in Ansible's YAML form: ``all.vars``, ``all.hosts`` and one child group a role."""
    return {
        "all": {
            "vars": _shared(region),
            "hosts": {host.name: host_facts(region, host) for host in region.hosts},
            "children": {role.value: {"hosts": {host.name: {} for host in region.hosts_by_role(role)}} for role in Role},
        }
    }


def host_facts(region: Region, host: Host) -> dict[str, Any]:
    """What a host is told about itself."""
    return {
        "ansible_host": str(host.ipv4),
        "curtilage_role": host.role.value,
        "curtilage_segment": host.segment,
        "curtilage_ipv4": str(host.ipv4),
        "curtilage_ipv6": None if host.ipv6 is None else str(host.ipv6),
        "curtilage_addresses": _addresses(host),
        "curtilage_card": host.card,
        "curtilage_serves": region.served_by(host).name if host.role is Role.GPU else None,
        "curtilage_nftables": render_ruleset(region, host),
        "curtilage_rack": host.rack,
        "curtilage_unbound": render_unbound(region, host) if host.role is Role.GATEWAY else None,
        "curtilage_answers": render_answers(region, host) if host.role is Role.GATEWAY else None,
    }


def _shared(region: Region) -> dict[str, Any]:
    """What every host is told about the region."""
    return {
        "curtilage_region": region.name,
        "curtilage_jurisdiction": region.jurisdiction,
        "curtilage_site": region.site,
        "curtilage_lab": region.lab,
        "curtilage_zone": zone(region),
        "curtilage_retention_days": region.effective_retention_days(),
        "curtilage_intercept": sorted(region.gateway.intercept),
        "curtilage_segments": {name: segment.model_dump(mode="json") for name, segment in region.segments.items()},
        "curtilage_operators": [operator.model_dump(mode="json") for operator in region.operators],
        "curtilage_hosts": [
            {"name": host.name, "role": host.role.value, "addresses": _addresses(host), "ipv4": str(host.ipv4), "rack": host.rack}
            for host in region.hosts
        ],
        "curtilage_models": [model.model_dump(mode="json") for model in region.models],
        "curtilage_upstreams": [
            {"name": host.name, "url": f"http://{host.ipv4}:{INFERENCE_PORT}"} for host in region.hosts_by_role(Role.GPU)
        ],
        "curtilage_resolvers": _resolvers(region),
        "curtilage_time_servers": [address for host in region.hosts_by_role(Role.EVIDENCE) for address in _addresses(host)],
        "curtilage_allowances": [allowance.model_dump(mode="json") for allowance in region.allowances],
    }


def _resolvers(region: Region) -> list[str]:
    """Every gateway by IPv4, then by IPv6: libc asks the first three, and the second one asked shall be another machine."""
    gateways = region.hosts_by_role(Role.GATEWAY)
    return [str(item) for family in zip(*((host.ipv4, host.ipv6) for host in gateways), strict=True) for item in family if item is not None]


def _addresses(host: Host) -> list[str]:
    return [str(address) for address in (host.ipv4, host.ipv6) if address is not None]
