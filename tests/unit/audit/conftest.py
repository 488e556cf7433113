"""Ledgers for the audit tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from curtilage.audit.ledger import Ledger
from curtilage.audit.note import Signer

SIGNER = Signer.generate("gateway.example/ledger")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def signer() -> Signer:
    return SIGNER


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write ``calls`` complete calls into a ledger, closed unless told."""

    def make(calls: int, *, directory: Path | None = None, every: int = 10**9) -> Path:
        folder = directory or tmp_path / "ledger"

        async def run() -> None:
            ledger = Ledger.open(folder, SIGNER, checkpoint_seconds=3600, checkpoint_records=10**9)
            for number in range(calls):
                index = await ledger.intent(
                    {"call": f"{folder.name}-{ledger.size}", "matter": f"M-{number % 3}", "identity": "svc:crm", "model": "m"}
                )
                await ledger.outcome(index, {"result": "ok", "removed": {"iban": number % 2}})
                if number % every == every - 1:
                    await asyncio.to_thread(ledger.checkpoint)
            ledger.close()

        asyncio.run(run())
        return folder

    return make
