"""What survives a crash and a full disk: exactly what was acknowledged. If this breaks, a call could run without a record."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from curtilage.audit.errors import LedgerBusy, LedgerUnavailable
from curtilage.audit.ledger import Ledger
from curtilage.audit.note import Signer
from curtilage.audit.reader import read_records
from curtilage.audit.verify import verify
from curtilage.verdict import Verdict

WRITER = """
import asyncio, sys
from pathlib import Path
from curtilage.audit.ledger import Ledger
from curtilage.audit.note import Signer

async def main():
    ledger = Ledger.open(sys.argv[1], Signer.load(Path(sys.argv[2])), checkpoint_seconds=0.05)
    async def stream(worker):
        number = 0
        while True:
            call = f"{sys.argv[3]}-{worker}-{number}"
            index = await ledger.intent({"call": call, "matter": "M-1"})
            print("intent", index, call, flush=True)
            await asyncio.sleep(0.002)
            outcome = await ledger.outcome(index, {"result": "ok"})
            print("outcome", outcome, call, flush=True)
            number += 1
    await asyncio.gather(*(stream(worker) for worker in range(100)))

asyncio.run(main())
"""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.key"
    Signer.generate("gateway.example/ledger").save(path)
    return path


def start(ledger: Path, key: Path, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(ledger), str(key), name], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_after_kill_9_amid_a_hundred_streams_exactly_the_acknowledged_records_survive(tmp_path: Path, key: Path) -> None:
    directory, verifier = tmp_path / "ledger", str(Signer.load(key).verifier)
    rng = random.Random(7)
    acknowledged: dict[int, tuple[str, str]] = {}
    for turn in range(4):
        writer = start(directory, key, f"t{turn}")
        assert writer.stdout is not None
        lines: list[bytes] = []
        while len(lines) < 200 + rng.randrange(300):
            lines.append(writer.stdout.readline())
            assert lines[-1], writer.stderr and writer.stderr.read().decode()
        os.kill(writer.pid, signal.SIGKILL)
        rest, _ = writer.communicate(timeout=20)
        for line in b"".join([*lines, rest]).decode().splitlines(keepends=True):
            words = line.split()
            if line.endswith("\n") and len(words) == 3:
                acknowledged[int(words[1])] = (words[0], words[2])
        assert verify(directory, verifier).problems == [], "a crashed ledger is whole before anyone repairs it"
        Ledger.open(directory, Signer.load(key)).close()

        found = {record["index"]: record for record in read_records(directory)}
        for index, (kind, call) in acknowledged.items():
            assert (found[index]["kind"], found[index]["call"]) == (kind, call)
        intents = [record for record in found.values() if record["kind"] == "intent"]
        outcomes = [record for record in found.values() if record["kind"] == "outcome"]
        assert len({record["call"] for record in intents}) == len(intents)
        assert {record["intent"] for record in outcomes} == {record["index"] for record in intents}
        assert len(outcomes) == len(intents)
        result = verify(directory, verifier)
        assert (result.verdict, result.open_calls) == (Verdict.PASS, 0)
        assert result.interrupted > 0


def test_a_second_process_is_refused_while_the_first_writes(tmp_path: Path, key: Path) -> None:
    writer = start(tmp_path / "ledger", key, "first")
    try:
        assert writer.stdout is not None
        assert writer.stdout.readline().startswith(b"intent")
        with pytest.raises(LedgerBusy, match="another process writes"):
            Ledger.open(tmp_path / "ledger", Signer.load(key))
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.communicate(timeout=20)


@pytest.fixture
def file_limit() -> Iterator[None]:
    """A process whose files may not grow beyond a bound, which is what a full disk looks like to it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_real_write_limit_refuses_and_recovers_without_a_torn_record(tmp_path: Path, key: Path, file_limit: None) -> None:
    signer = Signer.load(key)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def run() -> tuple[int, int]:
        ledger = Ledger.open(tmp_path / "ledger", signer, checkpoint_seconds=3600)
        first = await ledger.intent({"call": "first"})
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
        done = refused = 0
        for number in range(60):
            try:
                await ledger.event({"event": "filling", "number": number})
                done += 1
            except LedgerUnavailable:
                refused += 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, before[1]))  # not even a new segment takes a record now
        with pytest.raises(LedgerUnavailable) as kept:
            await ledger.outcome(first, {"result": "ok"})
        assert kept.value.kept
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        for _ in range(300):
            if not ledger.open_calls:
                break
            await asyncio.sleep(0.01)
        await ledger.event({"event": "after"})
        ledger.close()
        return done, refused

    done, refused = asyncio.run(run())
    assert done > 3
    assert refused > 0
    found = list(read_records(tmp_path / "ledger"))
    assert [record["index"] for record in found] == list(range(len(found)))
    assert sum(record["data"].get("event") == "filling" for record in found) == done
    assert [record["kind"] for record in found if record.get("call") == "first"] == ["intent", "outcome"]
    assert verify(tmp_path / "ledger", str(signer.verifier)).problems == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root; run as root to fill a real one")
def test_a_really_full_file_system_refuses_recovers_and_loses_nothing(tmp_path: Path, key: Path) -> None:
    """In a mount namespace of its own, so that the mount ends with the process."""
    script = """
import asyncio, sys
from pathlib import Path
from curtilage.audit.errors import LedgerUnavailable
from curtilage.audit.ledger import Ledger
from curtilage.audit.note import Signer
from curtilage.audit.reader import read_records
from curtilage.audit.verify import verify

async def main(mount, signer):
    ballast = mount / "ballast"
    ledger = Ledger.open(mount / "ledger", signer, checkpoint_seconds=0.05)
    ballast.write_bytes(bytes(500_000))
    done, refused, first = [], 0, await ledger.intent({"call": "first"})
    for number in range(40_000):
        try:
            done.append(await ledger.event({"event": "filling", "number": number}))
        except LedgerUnavailable:
            refused += 1
            if refused > 20:
                break
    try:
        await ledger.outcome(first, {"result": "ok"})
    except LedgerUnavailable as error:
        assert error.kept
    assert refused > 20, refused
    ballast.unlink()
    for _ in range(500):
        if not ledger.open_calls:
            break
        await asyncio.sleep(0.01)
    await ledger.event({"event": "after"})
    ledger.close()
    found = list(read_records(mount / "ledger"))
    assert sorted(record["index"] for record in found if record["data"].get("event") == "filling") == done
    assert [record["kind"] for record in found if record.get("call") == "first"] == ["intent", "outcome"]
    assert verify(mount / "ledger", str(signer.verifier)).problems == []
    print("recovered", len(done), refused)

asyncio.run(main(Path(sys.argv[1]), Signer.load(Path(sys.argv[2]))))
"""
    mount = tmp_path / "small"
    mount.mkdir()
    command = 'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" -c "$4" "$1" "$3"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command, "sh", str(mount), sys.executable, str(key), script],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout.startswith("recovered"), done.stderr[-2000:]
