"""From a text to where it goes: the gateway, this org, an outside host, an AI service, or what could not be told."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from curtilage.scan.index import Index
from curtilage.scan.texts import Hole, Text, show
from curtilage.scan.vendors import host_of, suspected, vendor_of

_CALLOUT = re.compile(r"callout:([A-Za-z0-9_]+)(.*)", re.IGNORECASE | re.DOTALL)
_ABSOLUTE = re.compile(r"\s*(?:https?|wss?)://(.*)", re.IGNORECASE | re.DOTALL)


class Goes(StrEnum):
    """Where a call goes."""

    GATEWAY = "gateway"
    OWN = "own"
    OUTSIDE = "outside"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One place a call may go to."""

    shown: str
    goes: Goes
    vendor: str | None = None


def classify(text: Text, index: Index, gateways: frozenset[str]) -> Endpoint:
    """Where one text goes. The gateway is recognised only when the whole host is known."""
    shown = show(text)
    first = text[0] if text else ""
    if isinstance(first, Hole):
        if first.kind == "own":
            return Endpoint(shown, Goes.OWN)
        if first.kind == "param" and not any(isinstance(part, str) for part in text):
            return Endpoint(shown, Goes.UNKNOWN)
        return Endpoint(shown, Goes.UNKNOWN, vendor_of("https://unknown.invalid" + _path_of(text)) or suspected(shown))
    if match := _CALLOUT.match(first):
        return _credential(match.group(1), match.group(2), text, shown, index, gateways)
    if match := _ABSOLUTE.match(first):
        rest = match.group(1)
        ended = re.search(r"[/?#]", rest)
        complete = ended is not None or len(text) == 1
        address = "https://" + rest + "".join(part if isinstance(part, str) else "{x}" for part in text[1:])
        host = host_of(address)
        vendor = vendor_of(address)
        if complete:
            return Endpoint(shown, Goes.GATEWAY if host in gateways else Goes.OUTSIDE, vendor)
        # The host is followed by a hole: a usual path, or more of the host. Never the gateway then.
        looks_whole = re.fullmatch(r"[a-z0-9.-]+\.[a-z]{2,}(:\d+)?", rest, re.IGNORECASE) is not None
        if vendor or looks_whole:
            return Endpoint(shown, Goes.OUTSIDE, vendor or vendor_of("https://" + rest))
        return Endpoint(shown, Goes.UNKNOWN, suspected(shown))
    return Endpoint(shown, Goes.UNKNOWN, suspected(shown))


def _path_of(text: Text) -> str:
    return "".join(part if isinstance(part, str) else "{x}" for part in text[1:])


def _credential(name: str, rest: str, text: Text, shown: str, index: Index, gateways: frozenset[str]) -> Endpoint:
    tail = rest + _path_of(text)
    unfinished = not rest and len(text) > 1 and not (isinstance(text[1], str) and text[1][:1] in "/?")
    known = index.named.get(name.lower())
    if known is None or not known.url:
        return Endpoint(shown, Goes.UNKNOWN, suspected(name))
    host = host_of(known.url)
    if rest and rest[0] not in "/?#":
        return Endpoint(shown, Goes.UNKNOWN, suspected(name))
    if host in gateways:
        # What follows the name directly may make it another name.
        return Endpoint(shown, Goes.UNKNOWN) if unfinished else Endpoint(f"{shown} = {known.url}", Goes.GATEWAY)
    return Endpoint(f"{shown} = {known.url}", Goes.OUTSIDE, vendor_of(known.url.rstrip("/") + tail) or vendor_of(known.url))
