"""``curtilage evidence serve-store``: the store's configuration and its server.

Configuration (YAML)::

    listen: 192.0.2.41:8443          # or "[2001:db8:1::41]:8443"
    cert: /etc/curtilage/evidence.pem
    key: /etc/curtilage/evidence.key
    client_ca: /etc/curtilage/client-ca.pem   # only certificates of this CA may speak at all
    directory: /var/lib/curtilage/store
    logs: [/etc/curtilage/ledger-gw-1.pub]    # verifier keys of the ledgers whose heads are taken
    max_bytes: 67108864
"""

from __future__ import annotations

import logging
import ssl
from ipaddress import ip_address
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from curtilage.audit.note import VerifierKey
from curtilage.errors import ConfigError
from curtilage.evidence.store import EvidenceStore


class StoreConfig(BaseModel):
    """The file given by ``--config``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    listen: str
    cert: Path
    key: Path
    client_ca: Path
    directory: Path
    logs: list[Path] = []
    max_bytes: int = 64 * 1024 * 1024

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; a name is refused, because a resolver must not decide where evidence is served."""
        host, _, port = self.listen.rpartition(":")
        try:
            return str(ip_address(host.strip("[]"))), int(port)
        except ValueError as error:
            raise ConfigError(
                f"listen: {self.listen!r}", rule="an IP address and a port", fix="write e.g. 192.0.2.41:8443", key="listen"
            ) from error


def load_config(path: Path) -> StoreConfig:
    """Read and check the configuration; every file it names must be there."""
    try:
        config = StoreConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot be read: {error}", rule="a YAML file", fix="check the path", file=path) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(
            first["msg"],
            rule="see `curtilage evidence serve-store --help`",
            fix="correct the key",
            file=path,
            key=".".join(map(str, first["loc"])),
        ) from error
    for name in ("cert", "key", "client_ca"):
        if not getattr(config, name).is_file():
            raise ConfigError(
                f"{getattr(config, name)} is not there",
                rule=f"{name} names a PEM file",
                fix="configure the host first",
                file=path,
                key=name,
            )
    config.address  # noqa: B018 - a listen address that is none is told now, not at the first client
    return config


def serve(config: StoreConfig) -> None:
    """Serve until told to stop."""
    import uvicorn  # here, because building and verifying bundles needs no server

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    host, port = config.address
    store = EvidenceStore(config.directory, [VerifierKey.load(path) for path in config.logs], max_bytes=config.max_bytes)
    server = uvicorn.Config(
        store,
        host=host,
        port=port,
        ssl_certfile=str(config.cert),
        ssl_keyfile=str(config.key),
        ssl_ca_certs=str(config.client_ca),
        ssl_cert_reqs=ssl.CERT_REQUIRED,
        server_header=False,
        access_log=False,
        log_level="info",
        limit_concurrency=128,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )
    server.load()
    if server.ssl is None or server.ssl.verify_mode is not ssl.CERT_REQUIRED:
        raise ConfigError("mutual TLS is off", rule="the store speaks only with certified clients", fix="set client_ca")
    server.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
    uvicorn.Server(server).run()
