"""Segments are private, in both families."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from policies.rules._rule import Rule

_PRIVATE = tuple(ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
_DOCUMENTATION = tuple(ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"))


def _private(props: Mapping[str, Any]) -> Iterator[str]:
    grounds = _PRIVATE + (_DOCUMENTATION if props["lab"] is True else ())
    if not props["networks"]:
        yield "A segment must name its networks."
    for text in props["networks"]:
        network = ip_network(text)
        if not any(network.version == ground.version and network.subnet_of(ground) for ground in grounds):  # type: ignore[arg-type]
            yield f"The segment's network {text} must be private (RFC 1918, RFC 4193); documentation ranges are the lab's alone."


RULES = (
    Rule(
        name="segment-private",
        description="A legal segment has private networks only.",
        resource_type=("curtilage:hosts:LegalSegment", "curtilage:aws:LegalSegment"),
        check=_private,
    ),
)
