"""The configuration of the segment's only resolver: unbound on a gateway host.

It answers three kinds of names and refuses every other, so no question can carry a word out: it has no forwarder, no root hints it could
follow (``local-zone: "." always_refuse`` answers before recursion) and no trust anchor to fetch.

* the region's own zone, from the region's hosts;
* intercepted vendor names and everything below them: the address of this gateway, IPv4 and IPv6, whose certificate is made for them.
  Other types (TXT, NULL, HTTPS, ANY) have no data there, so a tunnel over them ends here;
* ``use-application-dns.net``, the canary by which a browser asks whether it may use DNS over HTTPS: it does not exist, so it may not.

Every query, reply and local answer is logged: the probes attribute a dead lookup to this resolver by its log.
"""

from __future__ import annotations

from curtilage.allowance import Role
from curtilage.region import Host, Region

CONTROL_SOCKET = "/run/unbound.ctl"
TTL_SECONDS = 60
DOH_CANARY = "use-application-dns.net"


def zone(region: Region) -> str:
    """The region's own zone."""
    return f"legal.{region.name}.internal"


def render_unbound(region: Region, host: Host) -> str:
    """The complete unbound.conf of a gateway host.

    Args:
        region: the region the host is part of.
        host: a host with role gateway.

    Returns:
        The text, the same for the same region.

    Raises:
        ValueError: the host is no gateway; only gateways resolve.
    """
    if host.role != Role.GATEWAY:
        raise ValueError(f"host '{host.name}' has role {host.role}; only a gateway resolves names")
    addresses = [str(item) for item in (host.ipv4, host.ipv6) if item is not None]
    networks = sorted({str(network) for segment in region.segments.values() for network in segment.networks})
    lines = [
        f"# Resolver of host {host.name} in region {region.name}. Derived; do not edit.",
        "server:",
        *(f"    interface: {address}" for address in addresses),
        "    port: 53",
        "    do-ip4: yes",
        f"    do-ip6: {'yes' if host.ipv6 is not None else 'no'}",
        "    do-udp: yes",
        "    do-tcp: yes",
        "    access-control: 0.0.0.0/0 refuse",
        "    access-control: ::0/0 refuse",
        *(f"    access-control: {network} allow" for network in networks),
        "    do-not-query-localhost: yes",
        "    do-not-query-address: 0.0.0.0/0",
        "    do-not-query-address: ::0/0",
        '    module-config: "iterator"',
        "    hide-identity: yes",
        "    hide-version: yes",
        "    minimal-responses: yes",
        "    deny-any: yes",
        "    qname-minimisation: yes",
        "    use-syslog: yes",
        "    log-queries: yes",
        "    log-replies: yes",
        "    log-local-actions: yes",
        "    log-servfail: yes",
        "    verbosity: 1",
        '    local-zone: "." always_refuse',
        *_own_zone(region),
        *_intercepted(region, addresses),
        f'    local-zone: "{DOH_CANARY}." always_nxdomain',
        "remote-control:",
        "    control-enable: yes",
        f"    control-interface: {CONTROL_SOCKET}",
        "    control-use-cert: no",
    ]
    return "\n".join(lines) + "\n"


def _own_zone(region: Region) -> list[str]:
    own = zone(region)
    lines = [f'    local-zone: "{own}." static']
    lines.append(f'    local-data: "{own}. {TTL_SECONDS} IN SOA {own}. hostmaster.{own}. 1 3600 600 86400 {TTL_SECONDS}"')
    for machine in sorted(region.hosts, key=lambda item: item.name):
        for kind, address in (("A", machine.ipv4), ("AAAA", machine.ipv6)):
            if address is not None:
                lines.append(f'    local-data: "{machine.name}.{own}. {TTL_SECONDS} IN {kind} {address}"')
    return lines


def _intercepted(region: Region, addresses: list[str]) -> list[str]:
    lines: list[str] = []
    for name in sorted(region.gateway.intercept):
        lines.append(f'    local-zone: "{name}." redirect')
        lines += [f'    local-data: "{name}. {TTL_SECONDS} IN {"AAAA" if ":" in address else "A"} {address}"' for address in addresses]
    return lines
