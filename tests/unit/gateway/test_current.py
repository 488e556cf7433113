"""The directory as calls ask for it: never older than the question, asked once for many, and a refusal where there is no answer."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curtilage.gateway import current
from curtilage.gateway.current import CurrentDirectory
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.matters.store import DirectoryUnavailable


class Slow:
    """A directory that takes its time, and answers with what was so when it was asked."""

    waits = True

    def __init__(self, seconds: float = 0.1) -> None:
        self.now, self.asked, self._seconds, self._snapshot = 0, 0, seconds, "old"
        self.fails = False
        self.closed = threading.Event()

    def snapshot(self) -> Any:
        found = self.now
        self.asked += 1
        time.sleep(self._seconds)
        if self.fails:
            raise DirectoryUnavailable("gone", place=Path("matters.yaml"))
        return found

    def close(self) -> None:
        self.closed.set()


def test_an_answer_is_never_older_than_its_question_and_many_share_one() -> None:
    directory = Slow()

    async def go() -> None:
        ask = CurrentDirectory(directory)  # type: ignore[arg-type]
        first = asyncio.create_task(ask())
        await asyncio.sleep(0.05)
        directory.now = 1  # a key is revoked while the first question is under way
        later = [asyncio.create_task(ask()) for _ in range(50)]
        assert await first == 0
        assert await asyncio.gather(*later) == [1] * 50
        assert directory.asked == 2
        ask.close()

    asyncio.run(go())
    assert directory.closed.is_set()


def test_a_directory_that_does_not_answer_refuses_whoever_asked() -> None:
    directory = Slow(0.01)
    directory.fails = True

    async def go() -> None:
        ask = CurrentDirectory(directory)  # type: ignore[arg-type]
        for told in await asyncio.gather(*(ask() for _ in range(5)), return_exceptions=True):
            assert isinstance(told, Refusal)
            assert (told.reason, told.status) == (Reason.DIRECTORY_UNAVAILABLE, 503)
            assert "gone" not in told.message
        directory.fails = False
        assert await ask() == 0
        ask.close()

    asyncio.run(go())


def test_one_that_is_slow_beyond_its_bound_refuses_and_keeps_nothing_else_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "LONGEST_SECONDS", 0.1)

    async def go() -> None:
        ask = CurrentDirectory(Slow(0.5))  # type: ignore[arg-type]
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0.01)
                turns += 1

        other = asyncio.create_task(others())
        began = time.monotonic()
        with pytest.raises(Refusal):
            await ask()
        assert time.monotonic() - began < 0.4
        assert turns > 3
        other.cancel()
        ask.close()

    asyncio.run(go())


def test_a_directory_that_answers_at_once_is_asked_where_the_call_is() -> None:
    asked: list[int] = []
    directory = SimpleNamespace(waits=False, snapshot=lambda: asked.append(threading.get_ident()), close=lambda: None)

    async def go() -> None:
        await CurrentDirectory(directory)()  # type: ignore[arg-type]

    asyncio.run(go())
    assert asked == [threading.get_ident()]
