"""Pushes signed tree heads to the evidence store, so that the ledger's host cannot shorten its own history unseen.

Never in the way of a call: it reads tiles in a thread, talks in the background, and counts what fails. Each push carries a proof
that the new head extends the last one the store took, in the format of C2SP tlog-witness *add-checkpoint*.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from curtilage.audit.ledger import Ledger
from curtilage.audit.reader import checkpoint_size

log = logging.getLogger("curtilage.audit")


@dataclass
class PushStats:
    """Counters for metrics."""

    pushed: int = 0
    failures: int = 0
    refused: int = 0
    """The store says that our head contradicts one it keeps: somebody must look."""
    kept_size: int = 0


def client_context(ca: Path, cert: Path, key: Path) -> ssl.SSLContext:
    """Mutual TLS towards the store, trusting the segment's CA and no other."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(ca))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(str(cert), str(key))
    return context


class CheckpointPusher:
    """A background task; ``async with`` it, or :meth:`start` and :meth:`stop` it.

    Args:
        ledger: the ledger to push for.
        url: the store, e.g. ``https://192.0.2.41:8443``.
        context: from :func:`client_context`.
        origin: the ledger's origin, as its checkpoints say it.
        seconds: how often.
    """

    def __init__(self, ledger: Ledger, url: str, context: ssl.SSLContext, *, origin: str, seconds: float = 5.0) -> None:
        self._ledger, self._url, self._context, self._seconds = ledger, url.rstrip("/"), context, seconds
        self._log = re.sub(r"[^A-Za-z0-9_-]", "-", origin).strip("-")[:80] or "log"
        self.stats = PushStats()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> CheckpointPusher:
        """Start."""
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    def start(self) -> None:
        """Begin pushing."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="checkpoint-push")

    async def stop(self) -> None:
        """End; the last head is pushed at the next start."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        known: int | None = None
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(
            timeout=timeout, connector=aiohttp.TCPConnector(ssl=self._context, limit=1), trust_env=False
        ) as session:
            while True:
                try:
                    if known is None:
                        known = await self._kept(session)
                    known = await self._push(session, known)
                except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                    self.stats.failures += 1
                    known = None
                    log.warning("no checkpoint pushed: %s", error)
                await asyncio.sleep(self._seconds)

    async def _kept(self, session: aiohttp.ClientSession) -> int:
        """The size of the newest head the store keeps for this ledger."""
        async with session.get(f"{self._url}/v1/checkpoint/{self._log}.latest", allow_redirects=False) as answer:
            if answer.status == 404:
                return 0
            answer.raise_for_status()
            return checkpoint_size((await answer.read()).partition(b"\n\n")[2])

    async def _push(self, session: aiohttp.ClientSession, known: int) -> int | None:
        """Push the newest head if it is news; returns what the store keeps now, or None when that must be asked again."""
        size = self._ledger.checkpoint_size
        self.stats.kept_size = known
        if size == known:
            return known
        if size < known:
            self.stats.refused += 1
            log.error("the store keeps a head of %d records, this ledger has %d: it was rolled back", known, size)
            return None
        note, proof = await asyncio.to_thread(self._ledger.consistency, known)
        size = checkpoint_size(note)
        body = f"old {known}\n".encode() + b"".join(base64.b64encode(node) + b"\n" for node in proof) + b"\n" + note
        async with session.put(f"{self._url}/v1/checkpoint/{self._log}.{size:020d}", data=body, allow_redirects=False) as answer:
            reason = (await answer.text())[:300]
            if answer.status == 201:
                self.stats.pushed += 1
                self.stats.kept_size = size
                return size
            if answer.status in (403, 409, 422):
                self.stats.refused += 1
            self.stats.failures += 1
            log.error("the store refused the head of %d records: %d %s", size, answer.status, reason)
            return None
