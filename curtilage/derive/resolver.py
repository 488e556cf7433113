"""The configuration of the segment's only resolver: unbound on a gateway host.

It answers three kinds of names and refuses every other, so no question can carry a word out: it has no forwarder, no root hints it could
follow (``local-zone: "." always_refuse`` answers before recursion) and no trust anchor to fetch.

* the region's own zone, from the region's hosts;
* intercepted vendor names and everything below them: the address of this gateway, IPv4 and IPv6, whose certificate is made for them.
  Other types (TXT, NULL, HTTPS, ANY) have no data there, so a tunnel over them ends here;
* ``use-application-dns.net``, the canary by which a browser asks whether it may use DNS over HTTPS: it does not exist, so it may not.

Every query, reply and local answer is logged: the probes attribute a dead lookup to this resolver by its log.

Where a region has several gateways, no address floats between them: an address that moves needs a protocol of its own between hosts, frames
to every neighbour, and rulesets that trust a source which is now here and now there. Names move instead. Each gateway's resolver holds two
texts (:func:`render_answers`): its own gateway, and the others. A checker on the host (role ``gateway``) turns a link from one to the other
when its own gateway stops answering and back when it answers again. Everything that can ever be answered is derived here, no packet more is
allowed than before, and a host that is gone altogether is passed over by the callers' second ``nameserver``.
"""

from __future__ import annotations

from curtilage.allowance import Role
from curtilage.region import Host, Region

CONTROL_SOCKET = "/run/unbound.ctl"
FAILOVER_CONTROL_SOCKET = "/var/lib/unbound/unbound.ctl"
"""The same for a resolver that is told to read its texts again: it is not root any more then, and makes the socket anew, where it may."""
TTL_SECONDS = 60
FAILOVER_TTL_SECONDS = 5
"""How long a caller may keep an answer that a failover changes."""
ANSWERS = "/var/lib/unbound/answers.conf"
"""Where a resolver reads its answers for intercepted names when there are several gateways: a link to one of the texts below."""
ANSWERS_OWN, ANSWERS_OTHERS = "/etc/unbound/answers-own.conf", "/etc/unbound/answers-others.conf"
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
    alone = len(region.hosts_by_role(Role.GATEWAY)) == 1
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
        *(_intercepted(region, addresses, TTL_SECONDS) if alone else [f'    include: "{ANSWERS}"']),
        f'    local-zone: "{DOH_CANARY}." always_nxdomain',
        "remote-control:",
        "    control-enable: yes",
        f"    control-interface: {CONTROL_SOCKET if alone else FAILOVER_CONTROL_SOCKET}",
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


def render_answers(region: Region, host: Host) -> dict[str, str] | None:
    """What a gateway's resolver may answer for intercepted names, as two texts of which one holds at a time.

    Args:
        region: the region the host is part of.
        host: a host with role gateway.

    Returns:
        ``own``: this gateway, while it answers; ``others``: every other one, while it does not. None where there is no other: then the
        answers stand in unbound.conf itself.
    """
    others = [item for item in region.hosts_by_role(Role.GATEWAY) if item.name != host.name]
    if not others:
        return None

    def text(what: str, gateways: list[Host]) -> str:
        addresses = [str(item) for gateway in gateways for item in (gateway.ipv4, gateway.ipv6) if item is not None]
        lines = [f"# Answers of host {host.name} in region {region.name} {what}. Derived; do not edit."]
        return "\n".join([*lines, *_intercepted(region, addresses, FAILOVER_TTL_SECONDS)]) + "\n"

    return {"own": text("while its gateway answers", [host]), "others": text("while its gateway does not answer", others)}


def _intercepted(region: Region, addresses: list[str], seconds: int) -> list[str]:
    lines: list[str] = []
    for name in sorted(region.gateway.intercept):
        lines.append(f'    local-zone: "{name}." redirect')
        lines += [f'    local-data: "{name}. {seconds} IN {"AAAA" if ":" in address else "A"} {address}"' for address in addresses]
    return lines
