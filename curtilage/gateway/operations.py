"""What runs beside the calls for those who operate the gateway: metrics, the console, and what workers tell each other for both."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from curtilage.gateway.app import Gateway
from curtilage.gateway.console import LocalPages, console_routes
from curtilage.gateway.metrics import merged, write_textfile
from curtilage.gateway.status import Shared, of_worker, whole

log = logging.getLogger("curtilage.gateway")

_SHARE_SECONDS = 1.0
_TEXTFILE_SECONDS = 5.0


class Operations:
    """Metrics and console of one worker; the first one shows and writes for all.

    Args:
        gateway: what is told about.
        shared: what the other workers left.
    """

    def __init__(self, gateway: Gateway, shared: Shared) -> None:
        self._gateway, self._shared = gateway, shared
        self._tasks: list[asyncio.Task[None]] = []
        self._pages: list[LocalPages] = []

    async def start(self) -> None:
        """Begin."""
        config = self._gateway.config
        self._tasks.append(asyncio.create_task(self._publish()))
        if not self._shared.shows:
            return
        if config.metrics.listen is not None:
            self._pages.append(LocalPages(config.metrics.listen, {"/metrics": lambda: (b"text/plain; version=0.0.4", self._text())}))
        if config.console is not None:
            self._pages.append(LocalPages(config.console, console_routes(self._status)))
        for pages in self._pages:
            await pages.start()
        if config.metrics.textfile is not None:
            self._tasks.append(asyncio.create_task(self._write()))

    async def stop(self) -> None:
        """End."""
        for pages in self._pages:
            await pages.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _own(self) -> bytes:
        metrics, upstreams = self._gateway.metrics, self._gateway.upstreams
        for host in upstreams.hosts:
            metrics.upstream_healthy.labels(host.url).set(host.healthy)
            metrics.upstream_outstanding.labels(host.url).set(host.outstanding)
        metrics.queued_calls.set(upstreams.waiting)
        metrics.ledger_records.set(self._gateway.ledger.size)
        if self._gateway.push_stats is not None:
            metrics.witnessed(self._gateway.push_stats)
        return metrics.text()

    def _text(self) -> bytes:
        return merged(self._shared.metrics(self._own()))

    def _status(self) -> dict[str, Any]:
        return whole(self._gateway, self._shared.statuses(of_worker(self._gateway, self._shared.worker)))

    async def _publish(self) -> None:
        while self._shared.several:
            try:
                self._shared.publish(of_worker(self._gateway, self._shared.worker), self._own())
            except OSError as error:
                log.error("this worker's state is not shown: %s", error)
            await asyncio.sleep(_SHARE_SECONDS)

    async def _write(self) -> None:
        path = self._gateway.config.metrics.textfile
        assert path is not None  # noqa: S101 - started only then
        while True:
            try:
                await asyncio.to_thread(lambda: write_textfile(path, self._text()))
            except (OSError, ValueError) as error:
                log.error("metrics not written: %s", error)
            await asyncio.sleep(_TEXTFILE_SECONDS)
