"""The gateway on the wire: sockets, TLS, and uvicorn with the request line's facts passed on.

uvicorn tells an application neither the SNI nor the form of the request target; both decide the route here, so its protocol class is
extended to add them to the scope, and to bound what a client may send before its headers are complete.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from curtilage.audit.errors import LedgerError
from curtilage.audit.ledger import Ledger
from curtilage.audit.note import Signer
from curtilage.audit.push import CheckpointPusher, client_context
from curtilage.errors import ConfigError
from curtilage.gateway.app import Gateway
from curtilage.gateway.cedar import CedarPolicies
from curtilage.gateway.certificates import check_dates
from curtilage.gateway.config import GatewayConfig, Listen, load_config
from curtilage.gateway.operations import Operations
from curtilage.gateway.reload import Reloader
from curtilage.gateway.status import Shared
from curtilage.gateway.workers import notify, of_worker, supervise
from curtilage.jurisdiction import load_jurisdiction
from curtilage.matters.opening import open_directory

log = logging.getLogger("curtilage.gateway")

_MAX_HEADER_BYTES = 32 << 10
_MAX_HEADERS = 100


def _protocol(header_seconds: float) -> type[HttpToolsProtocol]:
    """Uvicorn's protocol, with facts for the router and bounds on headers."""

    class GatewayProtocol(HttpToolsProtocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._header_bytes = 0
            self._waiting = self.loop.call_later(header_seconds, transport.close)
            secure = transport.get_extra_info("ssl_object")
            self._facts: dict[str, Any] = {"tls": secure is not None, "sni": getattr(secure, "curtilage_sni", None)}
            if secure is not None and (certificate := secure.getpeercert(binary_form=True)):
                self._facts["client_certificate"] = certificate  # there only when the handshake has verified it

        def connection_lost(self, exc: Exception | None) -> None:
            self._waiting.cancel()
            super().connection_lost(exc)

        def shutdown(self) -> None:
            # close() would wait for the peer's close_notify, for as long as an idle client cares to keep its connection.
            cycle: RequestResponseCycle | None = self.cycle
            if cycle is None or cycle.response_complete:
                self.transport.abort()
            else:
                super().shutdown()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._header_bytes = 0
            self._waiting.cancel()
            self._waiting = self.loop.call_later(header_seconds, self.transport.close)

        def on_url(self, url: bytes) -> None:
            super().on_url(url)
            self._count(len(url))

        def on_header(self, name: bytes, value: bytes) -> None:
            super().on_header(name, value)
            self._count(len(name) + len(value))

        def _count(self, size: int) -> None:
            self._header_bytes += size
            if self._header_bytes > _MAX_HEADER_BYTES or len(self.headers) > _MAX_HEADERS:
                raise ValueError("headers larger than any client of these APIs sends")  # the parser answers 400 and closes

        def on_headers_complete(self) -> None:
            self._waiting.cancel()
            # "GET http://elsewhere/ HTTP/1.1" parses to the path alone; the form is a fact the router must see.
            facts: dict[object, object] = dict(self._facts.items())
            facts["origin_form"] = self.url.startswith(b"/")
            self.scope["extensions"] = {"curtilage": facts}
            super().on_headers_complete()

    return GatewayProtocol


def tls_context(config: GatewayConfig) -> ssl.SSLContext:
    """The server's TLS, with each connection's SNI kept for the router."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(config.tls.certificate, config.tls.key)
        check_dates(config.tls.certificate)
        if config.tls.client_ca is not None:
            context.load_verify_locations(config.tls.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
    except (OSError, ValueError, ssl.SSLError) as error:
        raise ConfigError(
            f"cannot use {config.tls.certificate} with {config.tls.key}: {error}",
            rule="tls names a PEM certificate chain and its key, both readable by the gateway",
            fix="check the paths, their mode and that they belong together",
            key="tls",
        ) from error

    def keep_name(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
        connection.curtilage_sni = name.lower() if name else None

    context.sni_callback = keep_name
    return context


def open_sockets(listen: Iterable[Listen], *, shared: bool = False) -> list[socket.socket]:
    """Bind every address; an IPv6 one takes no IPv4, so each family is there because the configuration says so.

    Args:
        listen: the addresses.
        shared: whether other workers of the same user bind them too.
    """
    opened: list[socket.socket] = []
    for entry in listen:
        family = socket.AF_INET6 if entry.address.version == 6 else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            bound.bind((str(entry.address), entry.port))
        except OSError as error:
            for other in [bound, *opened]:
                other.close()
            raise ConfigError(
                f"cannot listen on {entry.address} port {entry.port}: {error.strerror}",
                rule="each listen entry is an address of this host with a free port that this user may bind",
                fix=f"ss -ltnp 'sport = :{entry.port}'",
                key="listen",
            ) from error
        opened.append(bound)
    return opened


def signer_of(config: GatewayConfig) -> Signer:
    """The key that signs the ledger's checkpoints."""
    return Signer.load(config.ledger.signing_key, config.ledger.name)


def signer_of_worker(config: GatewayConfig, worker: int) -> Signer:
    """The same key under the worker's own name: two logs of one key and one name would contradict each other (ADR 0008)."""
    return Signer.load(config.ledger.signing_key, f"{signer_of(config).name}/{worker}")


def check(config: GatewayConfig) -> dict[str, Any]:
    """Everything that can be known before listening; raises what is wrong, returns what was found."""
    load_jurisdiction(config.region.jurisdiction)
    tls_context(config)
    signer = signer_of(config)
    if config.policies is not None:
        CedarPolicies(config.policies, config.region.name, config.region.jurisdiction)
    directory = open_directory(config.matters)
    try:
        snapshot = directory.snapshot()
        if not directory.verify_changes():
            raise ConfigError(
                "its record of changes does not add up", rule="changes are append-only", fix="restore it from a backup", file=config.matters
            )
    finally:
        directory.close()
    if config.evidence is not None:
        _push_context(config)
    return {
        "listen": [f"{entry.address}:{entry.port}" for entry in config.listen],
        "names": sorted(config.names),
        "upstreams": list(config.upstreams),
        "models": dict(sorted(config.models.items())),
        "ledger": {"directory": str(config.ledger.directory), "signer": signer.name},
        "identities": len(snapshot.identities),
        "matters": len(snapshot.matters),
    }


def _push_context(config: GatewayConfig) -> ssl.SSLContext:
    assert config.evidence is not None  # noqa: S101 - asked for only then
    try:
        return client_context(config.evidence.ca, config.evidence.certificate, config.evidence.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"cannot use the client certificate: {error}",
            rule="evidence names a CA, a certificate and its key",
            fix="check the paths",
            key="evidence",
        ) from error


def serve(path: Path) -> int:
    """Run until SIGTERM or SIGINT, then drain; returns an exit status.

    Args:
        path: the ``gateway.yaml``; read again on SIGHUP and when it changes.
    """
    config = load_config(path)
    check(config)
    if config.workers == 1:
        _work(config, path, lambda loaded: loaded, lambda: notify("READY=1"))
        return 0
    with tempfile.TemporaryDirectory(prefix="curtilage-workers-") as shared:
        return supervise(config, lambda index, ready: _work_of(config, path, index, ready, Path(shared)))


def _work_of(config: GatewayConfig, path: Path, index: int, ready: Callable[[], None], shared: Path) -> None:
    _work(of_worker(config, index), path, lambda loaded: of_worker(loaded, index), ready, index, shared)


def _work(
    config: GatewayConfig,
    path: Path,
    own: Callable[[GatewayConfig], GatewayConfig],
    ready: Callable[[], None],
    worker: int | None = None,
    shared: Path | None = None,
) -> None:
    """One process that answers."""
    context = tls_context(config)
    signer = signer_of(config) if worker is None else signer_of_worker(config, worker)
    # The ledger first: opening it closes what a crash left open, and without it nothing may listen.
    try:
        ledger = Ledger.open(config.ledger.directory, signer)
    except LedgerError as error:
        raise ConfigError(
            f"the ledger does not open: {error}", rule="no call without a ledger", fix="curtilage audit verify", key="ledger"
        ) from error
    if worker is not None:
        (config.ledger.directory.parent / f"{worker}.pub").write_text(f"{signer.verifier}\n", encoding="utf-8")
    gateway = Gateway(config, ledger, open_directory(config.matters))
    settings = uvicorn.Config(
        gateway,
        loop="uvloop",
        http=_protocol(config.limits.header_seconds),
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=config.limits.drain_seconds,
        backlog=2048,
        ssl_context_factory=lambda _config, _default: context,
    )
    reloader = Reloader(gateway, path, own, lambda loaded: _renew(context, loaded))
    server = _Server(settings, gateway, signer, ready, reloader, Operations(gateway, Shared(shared, worker or 0)))
    server.run(sockets=open_sockets(config.listen, shared=worker is not None))


def _renew(context: ssl.SSLContext, config: GatewayConfig) -> None:
    """A renewed certificate serves new connections; a broken one raises before anything is changed."""
    tls_context(config)
    context.load_cert_chain(config.tls.certificate, config.tls.key)
    if config.tls.client_ca is not None:
        context.load_verify_locations(config.tls.client_ca)  # adds; an authority that shall go needs a restart


class _Server(uvicorn.Server):
    """uvicorn's server with readiness, checkpoint push and reload."""

    def __init__(
        self,
        settings: uvicorn.Config,
        gateway: Gateway,
        signer: Signer,
        ready: Callable[[], None],
        reloader: Reloader,
        operations: Operations,
    ) -> None:
        super().__init__(settings)
        self._gateway, self._signer, self._ready, self._reloader, self._operations = gateway, signer, ready, reloader, operations
        self._pusher: CheckpointPusher | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        evidence = self._gateway.config.evidence
        if evidence is not None:
            self._pusher = CheckpointPusher(
                self._gateway.ledger,
                evidence.url,
                _push_context(self._gateway.config),
                origin=self._signer.name,
                seconds=evidence.every_seconds,
            )
            self._pusher.start()
            self._gateway.push_stats = self._pusher.stats
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reloader.now)
        self._reloader.start()
        await self._operations.start()
        # What is there now stays: without this, each full collection walks rules and word lists, and every stream waits for it.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        notify("STOPPING=1")
        await self._reloader.stop()
        await self._operations.stop()
        if self._pusher is not None:
            await self._pusher.stop()
        await super().shutdown(sockets)
