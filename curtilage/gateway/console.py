"""Read-only pages on loopback addresses: the console for operators who come over ssh, and metrics for the host's collector.

They answer GET, to a Host that is their own address (a page elsewhere that had its name rebound gets nothing), fetch nothing from
anywhere, and show neither content nor keys.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

import orjson
import uvicorn
from uvicorn.server import ServerState

from curtilage.gateway.config import Listen
from curtilage.gateway.wire import Receive, Scope, Send

_PAGE = files("curtilage.gateway").joinpath("console.html").read_text(encoding="utf-8")


Answer = Callable[[], tuple[bytes, bytes]]
"""What stands behind a path: its media type and its body; may block, so it is asked in a thread."""


def console_routes(status: Callable[[], dict[str, Any]]) -> dict[str, Answer]:
    """The console's paths."""
    return {
        "/": lambda: (b"text/html; charset=utf-8", _PAGE.encode()),
        "/status.json": lambda: (b"application/json", orjson.dumps(status())),
    }


class LocalPages:
    """A few paths on one address.

    Args:
        listen: a loopback address.
        routes: what stands behind each path.
    """

    def __init__(self, listen: Listen, routes: Mapping[str, Answer]) -> None:
        self._listen, self._routes = listen, routes
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        config = uvicorn.Config(self, lifespan="off", ws="none", access_log=False, log_level="warning", server_header=False)
        config.load()
        state = ServerState()
        self._server = await asyncio.get_running_loop().create_server(
            lambda: config.http_protocol_class(config=config, server_state=state, app_state={}),  # type: ignore[call-arg]
            str(self._listen.address),
            self._listen.port,
        )

    async def stop(self) -> None:
        """End."""
        if self._server is not None:
            self._server.close()

    def _own(self, host: bytes) -> bool:
        name, _, port = host.decode("latin-1").lower().rpartition(":")
        return name in ("localhost", "127.0.0.1", "[::1]", str(self._listen.address)) and port == str(self._listen.port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        status, kind, body, nonce = 404, b"text/plain", b"not here\n", secrets.token_urlsafe(16)
        route = self._routes.get(scope["path"])
        if not self._own(headers.get(b"host", b"")) or scope["method"] not in ("GET", "HEAD"):
            status, body = 403, b"this page answers GET on its own address\n"
        elif route is not None:
            kind, body = await asyncio.to_thread(route)
            status, body = 200, body.replace(b"NONCE", nonce.encode()) if kind.startswith(b"text/html") else body
        policy = f"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'; \
script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src data:"
        answer = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"content-security-policy", policy.encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"referrer-policy", b"no-referrer"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": answer})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
