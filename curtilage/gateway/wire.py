"""Reading a request: bounded, strict, and never decided on anything but the raw scope.

Starlette's ``request.url`` class of bug (CVE-2026-48710) comes from rebuilding an address out of a header; here the Host, the SNI and
the request target are compared, each as it came, with exact tables.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from curtilage.gateway.reasons import Reason, Refusal

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

MAX_DEPTH = 60


class Disconnected(Exception):
    """The client went away before its request was complete."""


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """The headers by lower-case name; one that is repeated and decides something makes the request ambiguous, so it is refused."""
    found: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in found and name in _ONCE:
            raise Refusal(Reason.BODY_MALFORMED, f"the header {name.decode('latin-1')} is given more than once")
        found[name] = value
    return found


_ONCE = frozenset(
    (
        b"host",
        b"authorization",
        b"x-api-key",
        b"api-key",
        b"x-goog-api-key",
        b"x-amz-date",
        b"x-curtilage-purpose",
        b"content-length",
        b"content-type",
        b"content-encoding",
        b"x-curtilage-matter",
        b"transfer-encoding",
    )
)


async def read_body(scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, *, limit: int, seconds: float) -> bytes:
    """The whole body, within a size and a time; compressed ones are refused, so nothing can grow on the way in."""
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Refusal(Reason.ENCODING_REFUSED, "compressed request bodies are refused; send the body as it is")
    length = headers.get(b"content-length")
    if length is not None and int(length) > limit:
        raise Refusal(Reason.BODY_TOO_LARGE, f"the body is larger than {limit} bytes")
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > limit:
                    raise Refusal(Reason.BODY_TOO_LARGE, f"the body is larger than {limit} bytes")
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError:
        raise Refusal(Reason.BODY_TOO_SLOW, f"the body did not arrive within {seconds:g} seconds") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) != len(pairs):
        raise ValueError("an object has the same key twice")
    return built


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object, strictly: UTF-8, each key once, no NaN, no lone surrogate, not nested deeper than anyone needs.

    Two parsers that read a duplicate key differently are a way around every rule, so such a body is refused, not repaired.
    """
    try:
        text = body.decode()
        tree, end = _DECODER.raw_decode(text.lstrip(" \t\r\n"))
        if text.lstrip(" \t\r\n")[end:].strip(" \t\r\n"):
            raise ValueError("something follows the document")
        if not isinstance(tree, dict):
            raise ValueError("the document is not an object")  # noqa: TRY004 - one kind of error: not acceptable JSON
        if "\\u" in text or "\\U" in text:
            json.dumps(tree, ensure_ascii=False).encode()
        check_depth(tree)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else _plain(error)
        raise Refusal(Reason.BODY_MALFORMED, f"the body is not acceptable JSON: {reason}") from None
    return tree


def _plain(error: ValueError) -> str:
    """The error without the text it is about."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    return "not UTF-8" if isinstance(error, UnicodeError) else str(error)[:80]


def check_depth(tree: Any) -> None:
    """Refuse trees deeper than :data:`MAX_DEPTH`, level by level, without recursion."""
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level if isinstance(node, dict | list) for child in (node.values() if isinstance(node, dict) else node)]
        if not level:
            return
    raise ValueError("nested too deep")
