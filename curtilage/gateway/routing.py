"""Which dialect and operation a request is for: exact tables of names, methods and paths; only a segment that names a model is free.

A path is compared as it came. Escapes are refused, but in the segment of a model where AWS's and Google's SDKs write them, and there for
four characters alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.surfaces import SURFACES, Asked, Dialect, Operation, Route
from curtilage.inside import is_address

_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")
_SEGMENT = r"[A-Za-z0-9._@~-]+"
_ENCODED = r"(?:[A-Za-z0-9._@~:-]|%(?:3[Aa]|2[Ff]|40))+"  # ':', '/' and '@'


@dataclass(frozen=True, slots=True)
class Match:
    """Where a request goes: the dialect it is answered in and the operation, None for the list of models."""

    dialect: Dialect
    operation: Operation | None
    asked: Asked


class _Table:
    """One dialect's routes, compiled."""

    def __init__(self, dialect: Dialect) -> None:
        self.literal = {(route.method, route.path): route for route in dialect.routes if "{" not in route.path}
        self._patterns = [(route, _compiled(route)) for route in dialect.routes if "{" in route.path]

    def find(self, method: str, path: str) -> tuple[Route, str] | None:
        """The route and the model that the path names, unescaped."""
        route = self.literal.get((method, path))
        if route is not None:
            return route, ""
        for candidate, pattern in self._patterns:
            found = pattern.fullmatch(path) if candidate.method == method else None
            if found is not None:
                model = found.groupdict().get("model", "")
                return candidate, unquote_to_bytes(model).decode("ascii") if candidate.encoded else model
        return None


def _compiled(route: Route) -> re.Pattern[str]:
    pieces = _PLACEHOLDER.split(route.path)
    names = pieces[1::2]
    free = _ENCODED if route.encoded else _SEGMENT
    groups = [f"(?P<model>{free})" if name == "model" else _SEGMENT for name in names]
    return re.compile("".join(re.escape(text) + group for text, group in zip(pieces[::2], [*groups, ""], strict=True)))


_TABLES = {name: _Table(dialect) for name, dialect in SURFACES.items()}


class Router:
    """The tables of one gateway.

    Args:
        names: host name to dialect ('any': every dialect, told apart by path).
        ports: the ports the gateway listens on; a Host header may name one of them, or 443.
    """

    def __init__(self, names: Mapping[str, str], ports: frozenset[int]) -> None:
        self._names, self._ports = dict(names), ports | {443}

    def dialect(self, host: str, headers: Mapping[bytes, bytes], path: str = "") -> Dialect:
        """The dialect in which even a refusal is told."""
        name = self._names.get(host, "any")
        if name not in SURFACES:
            name = next((found for found in self._candidates("any", headers) if any(_TABLES[found].find(m, path) for m in _METHODS)), "")
            name = name or ("anthropic" if b"anthropic-version" in headers else "openai")
        return SURFACES[name].speaking(path)

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
        if sni != host and not (sni is None and is_address(host)) and facts.get("tls", False):
            raise Refusal(Reason.HOST_MISMATCH, "the TLS server name and the Host header are not the same")
        return host

    def find(self, host: str, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> Match:
        """The dialect, the operation and what else the request line says."""
        path = scope["path"]
        raw = scope.get("raw_path", path.encode()).decode("latin-1")
        if not raw.isascii() or any(part in (".", "..") for part in raw.split("/")):
            raise Refusal(Reason.ROUTE_UNKNOWN, "a path with such segments is none of the gateway's")
        candidates = list(self._candidates(self._names[host], headers))
        for name in candidates:
            found = _TABLES[name].find(scope["method"], raw)
            if found is None:
                continue
            route, model = found
            asked = Asked(model, _query(scope.get("query_string", b"")))
            dialect = SURFACES[name].speaking(raw)
            return Match(dialect, None if route.operation is None else route.operation(dialect, asked), asked)
        served = sorted({f"{route.method} {route.path}" for name in candidates for route in SURFACES[name].routes})
        shown = ", ".join(served) if len(candidates) == 1 else "the model calls of the vendors' interfaces"
        raise Refusal(Reason.ROUTE_UNKNOWN, f"this gateway serves {shown}; everything else stays closed")

    def _candidates(self, name: str, headers: Mapping[bytes, bytes]) -> Iterable[str]:
        if name in SURFACES:
            return (name,)
        first = "anthropic" if b"anthropic-version" in headers else "openai"
        return (first, *(other for other in SURFACES if other != first))


_METHODS = ("POST", "GET")


def _query(raw: bytes) -> dict[str, str]:
    """The query's parameters; one that is given twice is read differently by different programs, so it is refused."""
    found: dict[str, str] = {}
    for pair in raw.decode("latin-1").split("&") if raw else ():
        name, _, value = pair.partition("=")
        try:
            name, value = (unquote_to_bytes(text.replace("+", " ")).decode("ascii") for text in (name, value))
        except UnicodeDecodeError:
            raise Refusal(Reason.BODY_MALFORMED, "the query is not ASCII") from None
        if name in found:
            raise Refusal(Reason.BODY_MALFORMED, "a query parameter is given more than once")
        found[name] = value
    return found


def _split(value: bytes) -> tuple[str, str, str]:
    try:
        text = value.decode("ascii").lower()
    except UnicodeDecodeError:
        return "", "", ""
    if text.startswith("["):
        inside, bracket, rest = text[1:].partition("]")
        return inside if bracket else "", ":" if rest else "", rest.removeprefix(":")
    return text.partition(":")
