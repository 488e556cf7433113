"""The matter directory as it is now, for the event loop: no answer is older than its question, and none keeps other calls waiting."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from curtilage.errors import CurtilageError
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.matters.directory import Directory
from curtilage.matters.model import Snapshot

log = logging.getLogger("curtilage.gateway")

LONGEST_SECONDS = 3.0
_NO_DIRECTORY = "who may do what cannot be looked up now, so the call is not made"


class CurrentDirectory:
    """Asks a directory once for all the calls that want to know at the same moment.

    Args:
        directory: one that may wait for a database is asked from a thread of its own.
    """

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._thread = ThreadPoolExecutor(1, "directory") if directory.waits else None
        self._running: asyncio.Task[Snapshot] | None = None
        self._next: asyncio.Task[Snapshot] | None = None

    async def __call__(self) -> Snapshot:
        """The directory, read after this was called.

        Raises:
            Refusal: it does not answer, or not in time; a call that nobody can decide is not made.
        """
        try:
            if self._thread is None:
                return self._directory.snapshot()
            async with asyncio.timeout(LONGEST_SECONDS):
                return await asyncio.shield(self._asked())
        except (CurtilageError, TimeoutError) as error:
            log.error("the matter directory: %s", "no answer in time" if isinstance(error, TimeoutError) else error)
            raise Refusal(Reason.DIRECTORY_UNAVAILABLE, _NO_DIRECTORY) from None

    def _asked(self) -> asyncio.Task[Snapshot]:
        # One question is under way at most, and one waits. Whoever comes meanwhile gets the answer to the one that waits: what is under
        # way may have been answered before a key was revoked that this call comes with.
        if self._next is None:
            self._next = asyncio.create_task(self._ask(self._running), name="directory")
            self._next.add_done_callback(_seen)
        return self._next

    async def _ask(self, before: asyncio.Task[Snapshot] | None) -> Snapshot:
        if before is not None:
            await asyncio.wait({before})
        self._running, self._next = self._next, None
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._directory.snapshot)

    def close(self) -> None:
        """End the thread, then the directory."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
        self._directory.close()


def _seen(task: asyncio.Task[Snapshot]) -> None:
    """An answer that comes when nobody waits any more is no news."""
    if not task.cancelled():
        task.exception()
