"""Ledger figures on this machine: ``python -m curtilage.gateway.bench.ledger [--records N] [--directory DIR]`` prints one JSON document.

* ``append_per_second``: records made durable in groups of 512, checkpoints running beside, until all are under a signed head;
* ``async_per_second``: the gateway's own view, intents and outcomes awaited by 512 concurrent calls in one event loop;
* ``intent_ms``: how long one caller alone waits for a durable intent;
* ``verify_per_second``: the independent verifier over the first ledger.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from curtilage.audit.ledger import Ledger
from curtilage.audit.note import Signer
from curtilage.audit.records import Kind, encode_body
from curtilage.audit.store import Pending, Store
from curtilage.audit.verify import verify
from curtilage.output import print_json

GROUP = 512
INTENT = {
    "identity": "svc:crm",
    "matter": "M-2030-017",
    "model": "mistral-7b",
    "prompt_commitment": "hmac-sha256:" + "0" * 64,
    "surface": "openai.chat",
}
OUTCOME = {"result": "ok", "removed": {"iban": 1, "field": 2}, "tokens_in": 311, "tokens_out": 87}


def append(directory: Path, signer: Signer, records: int) -> float:
    """Records per second until the last one is under a signed head."""
    store, done = Store(directory, signer, signer.name), threading.Event()

    def seal() -> None:
        while not done.wait(0.25):
            store.checkpoint()

    sealer = threading.Thread(target=seal)
    sealer.start()
    started = time.perf_counter()
    for first in range(0, records, GROUP):
        batch = []
        for number in range(first, first + GROUP, 2):
            call = b'"call-%d"' % number
            batch.append(Pending(Kind.INTENT, encode_body(INTENT), call, None, lambda result: None))
            batch.append(Pending(Kind.OUTCOME, encode_body(OUTCOME), call, number, lambda result: None))
        store.append(batch)
    done.set()
    sealer.join()
    store.checkpoint()
    seconds = time.perf_counter() - started
    size = store.size
    store.close()
    return size / seconds


async def through_the_loop(directory: Path, signer: Signer, records: int) -> tuple[float, list[float]]:
    """``(records per second, seconds of single intents)``."""
    ledger = Ledger.open(directory, signer)

    async def calls(worker: int, count: int) -> None:
        for number in range(count):
            await ledger.outcome(await ledger.intent({"call": f"{worker}-{number}", **INTENT}), OUTCOME)

    alone = []
    for number in range(200):
        started = time.perf_counter()
        index = await ledger.intent({"call": f"alone-{number}", **INTENT})
        alone.append(time.perf_counter() - started)
        await ledger.outcome(index, OUTCOME)
    count = max(1, records // GROUP // 2)
    started = time.perf_counter()
    await asyncio.gather(*(calls(worker, count) for worker in range(GROUP)))
    seconds = time.perf_counter() - started
    ledger.close()
    return GROUP * count * 2 / seconds, alone


def measure(records: int, folder: Path) -> dict[str, Any]:
    """All figures."""
    signer = Signer.generate("bench.example/ledger")
    appended = append(folder / "append", signer, records)
    looped, alone = asyncio.run(through_the_loop(folder / "loop", signer, records // 4))
    result = verify(folder / "append", str(signer.verifier))
    if result.problems or verify(folder / "loop", str(signer.verifier)).problems:
        raise SystemExit("the ledger that was written does not verify")
    return {
        "append_per_second": round(appended),
        "async_per_second": round(looped),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "intent_ms": {"p50": round(statistics.median(alone) * 1000, 3), "p99": round(statistics.quantiles(alone, n=100)[98] * 1000, 3)},
        "records": result.size,
        "verify_per_second": round(result.size / result.seconds),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200 * 1024)
    parser.add_argument("--directory", type=Path, default=None, help="where to write; a temporary directory unless told")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.directory) as temporary:
        print_json(measure(given.records, Path(temporary)))
