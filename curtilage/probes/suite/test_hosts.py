"""What is declared is what is loaded, on every host (breaks: 'model equals packets' if the kernel runs another ruleset)."""

from __future__ import annotations

from typing import Any


def test_firewall_chains_drop_by_default(machines: dict[str, Any], region_host: str) -> None:
    listed = machines[region_host].check_output("nft list ruleset")
    for hook in ("input", "forward", "output"):
        assert f"type filter hook {hook} priority filter; policy drop;" in listed, f"{hook} does not drop by default"
    assert "hook egress device" in listed, "no netdev egress chain"


def test_no_router_advertisement_is_accepted(machines: dict[str, Any], region_host: str) -> None:
    assert machines[region_host].check_output("sysctl -n net.ipv6.conf.all.accept_ra") == "0"


def test_host_does_not_forward(machines: dict[str, Any], region_host: str) -> None:
    assert machines[region_host].check_output("sysctl -n net.ipv4.ip_forward") == "0"


def test_resolver_is_the_gateway_alone(machines: dict[str, Any], region_host: str, region: Any) -> None:
    servers = {
        line.split()[1]
        for line in machines[region_host].file("/etc/resolv.conf").content_string.splitlines()
        if line.startswith("nameserver")
    }
    gateways = {str(address) for host in region.hosts_by_role("gateway") for address in (host.ipv4, host.ipv6)}
    assert servers, "no resolver configured"
    assert servers <= gateways, f"{servers - gateways} is not a gateway of this region"


def test_models_never_asked_for_a_foreign_name(machines: dict[str, Any], region: Any) -> None:
    """Hub and telemetry calls of vLLM at start would show as queries in the resolver's log (EG-47, EG-48)."""
    gateway = region.hosts_by_role("gateway")[0]
    log = machines[gateway.name].check_output("journalctl --no-pager -q -o cat -u unbound -n 20000")
    assert "exfil.example" in log, "positive control: the resolver's log must hold the probes' own queries"
    models = {str(address) for host in region.hosts_by_role("gpu") for address in (host.ipv4, host.ipv6)}
    foreign = [
        line for line in log.splitlines()
        if any(f" {address} " in line for address in models) and ".exfil.example" not in line
        and not any(name in line for name in (*region.gateway.intercept, ".internal."))
    ]  # fmt: skip
    assert not foreign, f"a model host asked for: {foreign[:3]}"
