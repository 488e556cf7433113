"""Which dialect and operation a request is for: exact tables of names, methods and paths, no pattern anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.surfaces import SURFACES, Route, Surface


class Router:
    """The tables of one gateway.

    Args:
        names: host name to dialect ('any': every dialect, told apart by path).
        ports: the ports the gateway listens on; a Host header may name one of them, or 443.
    """

    def __init__(self, names: Mapping[str, str], ports: frozenset[int]) -> None:
        self._names, self._ports = dict(names), ports | {443}

    def dialect(self, host: str, headers: Mapping[bytes, bytes]) -> Surface:
        """The dialect in which even a refusal is told."""
        name = self._names.get(host, "any")
        if name in SURFACES:
            return SURFACES[name]
        return SURFACES["anthropic" if b"anthropic-version" in headers else "openai"]

    def host_of(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str:
        """The name asked for, when Host, SNI and the tables agree."""
        host, _, port = _split(headers.get(b"host", b""))
        facts = scope.get("extensions", {}).get("curtilage", {})
        if not facts.get("origin_form", True):
            raise Refusal(Reason.ROUTE_UNKNOWN, "the request target is a path")
        if host not in self._names or (port and (not port.isdigit() or int(port) not in self._ports)):
            raise Refusal(Reason.ROUTE_UNKNOWN, "the gateway does not answer for this name")
        sni = facts.get("sni")
        # An address is never sent as SNI (RFC 6066 section 3), so only a name must be there.
        if sni != host and not (sni is None and _is_address(host)) and facts.get("tls", False):
            raise Refusal(Reason.HOST_MISMATCH, "the TLS server name and the Host header are not the same")
        return host

    def find(self, host: str, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> tuple[Surface, Route]:
        """The surface and what the path does there."""
        path = scope["path"]
        if scope.get("raw_path", path.encode()) != path.encode() or not path.isascii():
            raise Refusal(Reason.ROUTE_UNKNOWN, "a path with escapes is none of the gateway's")
        name = self._names[host]
        candidates = [SURFACES[name]] if name in SURFACES else [self.dialect(host, headers), *SURFACES.values()]
        for surface in candidates:
            route = surface.routes.get((scope["method"], path))
            if route is not None:
                return surface, route
        served = sorted({f"{method} {known}" for surface in candidates for method, known in surface.routes})
        raise Refusal(Reason.ROUTE_UNKNOWN, f"this gateway serves {', '.join(served)}; everything else stays closed")


def _split(value: bytes) -> tuple[str, str, str]:
    try:
        text = value.decode("ascii").lower()
    except UnicodeDecodeError:
        return "", "", ""
    if text.startswith("["):
        inside, bracket, rest = text[1:].partition("]")
        return inside if bracket else "", ":" if rest else "", rest.removeprefix(":")
    return text.partition(":")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
