"""Reading the configuration again while calls go on: what may change does at the next call, what may not is named, and a broken file
changes nothing.

Keys, matters, walls, grants and dictionaries need none of this: the directory is read at each call when it has changed.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from curtilage.canonical import digest_of
from curtilage.errors import CurtilageError
from curtilage.gateway.app import Gateway
from curtilage.gateway.config import GatewayConfig, load_config
from curtilage.gateway.workers import files_of

log = logging.getLogger("curtilage.gateway")

LOOK_SECONDS = 1.0
FIXED = ("listen", "ledger", "matters", "region", "metrics", "evidence", "content", "workers", "console")
"""What a running gateway is built on; a change waits for a restart, and says so."""


def fingerprint(config: GatewayConfig) -> str:
    """A digest that names a configuration in logs and in the ledger."""
    return digest_of(config.model_dump(mode="json"))


class Reloader:
    """Reads the configuration again on SIGHUP, and when one of its files has changed.

    Args:
        gateway: what it changes.
        path: the ``gateway.yaml``.
        own: a worker's view of a configuration.
        renew: puts a certificate in place for new connections.
    """

    def __init__(
        self, gateway: Gateway, path: Path, own: Callable[[GatewayConfig], GatewayConfig], renew: Callable[[GatewayConfig], None]
    ) -> None:
        self._gateway, self._path, self._own, self._renew = gateway, path, own, renew
        self._seen = self._stamps(gateway.config)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look at the files."""
        self._task = asyncio.get_running_loop().create_task(self._watch(), name="reload")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _stamps(self, config: GatewayConfig) -> dict[Path, tuple[int, int, int] | None]:
        return {file: _stamp(file) for file in files_of(config, self._path)}

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            found = await asyncio.to_thread(self._stamps, self._gateway.config)
            if found != self._seen:
                # Once more when it has come to rest: a certificate and its key are two files, and one of them comes first.
                await asyncio.sleep(LOOK_SECONDS)
                self.now()

    def now(self) -> bool:
        """Read everything again; returns whether it is in force."""
        self._seen = self._stamps(self._gateway.config)
        try:
            config = self._own(load_config(self._path))
            changed = sorted(name for name in FIXED if getattr(config, name) != getattr(self._gateway.config, name))
            config = config.model_copy(update={name: getattr(self._gateway.config, name) for name in FIXED})
            self._renew(config)
            self._gateway.reconfigure(config)
        except (CurtilageError, OSError, ssl.SSLError, ValueError) as error:
            log.error("the configuration was not read again, the earlier one stays in force: %s", error)
            self._gateway.config_error = str(error)[:500]
            self._gateway.metrics.reloads.labels("refused").inc()
            return False
        self._seen = self._stamps(config)
        self._gateway.config_error = f"a restart is needed for: {', '.join(changed)}" if changed else ""
        if changed:
            log.warning("in force but for %s, which a restart changes", ", ".join(changed))
        log.info("the configuration was read again: %s", fingerprint(config))
        self._gateway.metrics.reloads.labels("done").inc()
        self._gateway.note_event({"change": "configuration", "digest": fingerprint(config), "waiting": changed})
        return True


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
