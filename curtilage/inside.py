"""Where the gateway's other ends may stand: model hosts, and the database of a matter directory. Nothing else is ever connected to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# RFC 1918 and 4193, loopback, and the documentation ranges the lab region uses. Link-local is not among them: 169.254.169.254 is a
# cloud's metadata service.
NETWORKS = tuple(
    map(
        ip_network,
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "127.0.0.0/8",
            "192.0.2.0/24",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "::1/128",
            "fc00::/7",
            "2001:db8::/32",
        ),
    )
)


def is_inside(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is a private, loopback or documentation address."""
    return any(address in network for network in NETWORKS)


def is_address(text: str) -> bool:
    """Whether a host's text is an address rather than a name."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
