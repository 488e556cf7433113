"""The ledger's promises to the gateway: durable when awaited, one outcome per intent, nothing lost, one writer."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from curtilage.audit import records, store, wal
from curtilage.audit.errors import LedgerBusy, LedgerCorrupt, LedgerUnavailable
from curtilage.audit.ledger import Ledger
from curtilage.audit.merkle import leaf_hash, verify_consistency, verify_inclusion
from curtilage.audit.note import Checkpoint, Signer
from curtilage.audit.reader import read_entries, read_records
from curtilage.audit.records import commitment, encode_body
from curtilage.audit.verify import verify
from curtilage.verdict import Verdict

pytestmark = pytest.mark.anyio


def quiet(directory: Path, signer: Signer, **options: Any) -> Ledger:
    """A ledger that signs only when told."""
    return Ledger.open(directory, signer, **({"checkpoint_seconds": 3600, "checkpoint_records": 10**9} | options))


def kinds(directory: Path) -> list[str]:
    return [record["kind"] for record in read_records(directory)]


async def test_records_are_numbered_in_order_and_readable_before_any_checkpoint(tmp_path: Path, signer: Signer) -> None:
    ledger = quiet(tmp_path / "l", signer)
    first = await ledger.intent({"call": "a", "matter": "M-1"})
    second = await ledger.refused({"call": "b", "reason": "curtilage.matter.unknown"})
    third = await ledger.outcome(first, {"result": "ok"})
    fourth = await ledger.event({"event": "key.revoked"})
    assert [first, second, third, fourth] == [0, 1, 2, 3]
    found = list(read_records(tmp_path / "l"))
    assert [record["index"] for record in found] == [0, 1, 2, 3]
    assert found[2]["intent"] == 0
    assert found[2]["call"] == "a"
    assert found[0]["data"] == {"matter": "M-1"}
    ledger.close()
    assert list(read_records(tmp_path / "l")) == found


async def test_a_thousand_calls_at_once_share_commits(tmp_path: Path, signer: Signer) -> None:
    ledger = quiet(tmp_path / "l", signer)

    async def call(number: int) -> None:
        await ledger.outcome(await ledger.intent({"call": f"c{number}"}), {"result": "ok"})

    await asyncio.gather(*(call(number) for number in range(1000)))
    assert ledger.size == ledger.stats.records == 2000
    assert ledger.stats.groups < 200
    ledger.close()
    assert verify(tmp_path / "l", str(signer.verifier)).verdict is Verdict.PASS


async def test_an_intent_takes_exactly_one_outcome(tmp_path: Path, signer: Signer) -> None:
    ledger = quiet(tmp_path / "l", signer)
    index = await ledger.intent({"call": "a"})
    first = asyncio.ensure_future(ledger.outcome(index, {"result": "ok"}))
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="waits for an outcome"):
        await ledger.outcome(index, {"result": "ok"})
    await first
    for wrong in (index, 1, 99):
        with pytest.raises(ValueError, match="waits for an outcome"):
            await ledger.outcome(wrong, {"result": "ok"})
    ledger.close()
    assert kinds(tmp_path / "l") == ["intent", "outcome"]


async def test_content_and_what_json_cannot_carry_never_reach_the_disk(tmp_path: Path, signer: Signer) -> None:
    ledger = quiet(tmp_path / "l", signer)
    for record in ({"prompt": "x"}, {"a": {"messages": []}}, {"a": "x" * 2000}, {"Bad Key": 1}, {"a": object()}, {"a": ["y" * 1000] * 100}):
        with pytest.raises(ValueError, match=r"content|store a commitment|lower_snake_case|not JSON|at most|Type is not"):
            await ledger.intent({"call": "a", **record})
    for call in (None, "", "x" * 201, 7):
        with pytest.raises(ValueError, match="call"):
            await ledger.intent({"call": call})
    assert ledger.size == 0
    ledger.close()


async def test_a_second_writer_is_refused_and_the_first_goes_on(tmp_path: Path, signer: Signer) -> None:
    ledger = quiet(tmp_path / "l", signer)
    with pytest.raises(LedgerBusy, match="another process writes"):
        Ledger.open(tmp_path / "l", signer)
    await ledger.event({"event": "still-here"})
    ledger.close()
    quiet(tmp_path / "l", signer).close()


async def test_dangling_intents_are_closed_as_interrupted_on_close_and_on_the_next_open(tmp_path: Path, signer: Signer) -> None:
    ledger = quiet(tmp_path / "l", signer)
    await ledger.intent({"call": "a"})
    ledger.close()
    with pytest.raises(LedgerUnavailable, match="closed"):
        await ledger.intent({"call": "b"})
    assert [record["data"].get("result") for record in read_records(tmp_path / "l")] == [None, "interrupted"]
    again = quiet(tmp_path / "l", signer)
    assert again.size == 2
    again.close()


async def test_a_cancelled_caller_leaves_no_open_intent(tmp_path: Path, signer: Signer) -> None:
    ledger = quiet(tmp_path / "l", signer)
    for turns in range(6):
        task = asyncio.ensure_future(ledger.intent({"call": f"c{turns}"}))
        for _ in range(turns):
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            await ledger.outcome(task.result(), {"result": "ok"})
    for _ in range(200):
        if not ledger.open_calls:
            break
        await asyncio.sleep(0.01)
    assert ledger.open_calls == 0
    ledger.close()
    assert verify(tmp_path / "l", str(signer.verifier)).verdict is Verdict.PASS


async def test_a_full_disk_refuses_new_calls_keeps_outcomes_and_recovers(
    tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = quiet(tmp_path / "l", signer)
    before = await ledger.intent({"call": "before"})
    real, full = os.pwrite, True

    def pwrite(descriptor: int, data: bytes, offset: int) -> int:
        if full:
            real(descriptor, bytes(data)[: len(data) // 2], offset)
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, data, offset)

    monkeypatch.setattr(wal.os, "pwrite", pwrite)
    with pytest.raises(LedgerUnavailable) as refused:
        await ledger.intent({"call": "during"})
    assert not refused.value.kept
    with pytest.raises(LedgerUnavailable) as kept:
        await ledger.outcome(before, {"result": "ok"})
    assert kept.value.kept
    with pytest.raises(ValueError, match="waits for an outcome"):
        await ledger.outcome(before, {"result": "ok"})
    assert verify(tmp_path / "l", str(signer.verifier)).verdict is Verdict.PASS
    full = False
    for _ in range(200):
        if not ledger.open_calls:
            break
        await asyncio.sleep(0.01)
    after = await ledger.intent({"call": "after"})
    await ledger.outcome(after, {"result": "ok"})
    ledger.close()
    assert [record["call"] for record in read_records(tmp_path / "l")] == ["before", "before", "after", "after"]
    assert verify(tmp_path / "l", str(signer.verifier)).verdict is Verdict.PASS


async def test_a_failed_sync_moves_the_records_to_tiles_and_a_new_segment(
    tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = quiet(tmp_path / "l", signer)
    await ledger.event({"event": "one"})
    real = os.fdatasync

    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(wal.os, "fdatasync", broken)
    with pytest.raises(LedgerUnavailable):
        await ledger.event({"event": "lost"})
    monkeypatch.setattr(wal.os, "fdatasync", real)
    for _ in range(200):
        if ledger.checkpoint_size == 1:
            break
        await asyncio.sleep(0.01)
    await ledger.event({"event": "two"})
    ledger.close()
    assert [record["data"]["event"] for record in read_records(tmp_path / "l")] == ["one", "two"]
    assert verify(tmp_path / "l", str(signer.verifier)).verdict is Verdict.PASS


@pytest.mark.parametrize("step", ["tiles", "open.json", "checkpoint"])
async def test_a_checkpoint_that_fails_anywhere_is_repeated_whole(
    step: str, tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = quiet(tmp_path / "l", signer)
    for number in range(300):
        await ledger.event({"event": f"e{number}"})

    def fails(path: Path, content: bytes) -> None:
        if step == "tiles" or path.name == step:
            raise OSError(errno.ENOSPC, "No space left on device")
        durably(path, content)

    durably = store.write_durably
    monkeypatch.setattr(store, "write_file" if step == "tiles" else "write_durably", fails)
    with pytest.raises(LedgerUnavailable):
        ledger.checkpoint()
    assert ledger.checkpoint_size == 0
    await ledger.event({"event": "meanwhile"})
    monkeypatch.undo()
    ledger.checkpoint()
    assert ledger.checkpoint_size == 301
    ledger.close()
    assert verify(tmp_path / "l", str(signer.verifier)).size == 301
    assert verify(tmp_path / "l", str(signer.verifier)).problems == []


async def test_a_clock_that_jumps_back_is_recorded_and_order_stays_by_index(
    tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_900_000_000_000_000_000
    monkeypatch.setattr(records.time, "time_ns", lambda: now)
    ledger = quiet(tmp_path / "l", signer)
    await ledger.event({"event": "one"})
    now -= 3_600_000_000_000
    await ledger.event({"event": "two"})
    ledger.close()
    ledger = quiet(tmp_path / "l", signer)
    await ledger.event({"event": "three"})
    ledger.close()
    found = list(read_records(tmp_path / "l"))
    assert [record.get("clock_back_us") for record in found] == [None, 3_600_000_000, 3_600_000_000]
    assert [record["index"] for record in found] == [0, 1, 2]
    result = verify(tmp_path / "l", str(signer.verifier))
    assert result.verdict is Verdict.PASS, result.problems
    assert result.clock_steps == 2


async def test_proofs_from_tiles_verify_against_the_signed_head(tmp_path: Path, signer: Signer) -> None:
    ledger = quiet(tmp_path / "l", signer)
    heads: list[Checkpoint] = []
    for size in (1, 255, 256, 257, 700):
        await asyncio.gather(*(ledger.event({"event": f"e{number}"}) for number in range(size - ledger.size)))
        heads.append(Checkpoint.open(ledger.checkpoint(), signer.verifier))
    entries = list(read_entries(tmp_path / "l"))
    for index in (0, 1, 254, 255, 256, 511, 512, 699):
        note, proof = ledger.inclusion(index)
        head = Checkpoint.open(note, signer.verifier)
        assert verify_inclusion(leaf_hash(entries[index]), index, head.size, proof, head.root)
    for old in heads:
        note, proof = ledger.consistency(old.size)
        new = Checkpoint.open(note, signer.verifier)
        assert verify_consistency(old.size, new.size, old.root, new.root, proof)
    ledger.close()


async def test_opening_with_another_key_or_under_another_name_is_refused(tmp_path: Path, signer: Signer) -> None:
    quiet(tmp_path / "l", signer).close()
    with pytest.raises(LedgerCorrupt, match="not signed by"):
        Ledger.open(tmp_path / "l", Signer.generate("gateway.example/ledger"))
    with pytest.raises(LedgerCorrupt, match="the ledger of"):
        Ledger.open(tmp_path / "l", signer, origin="other")
    (tmp_path / "l" / "checkpoint").unlink()
    (tmp_path / "l" / "open.json").write_text("{}")
    with pytest.raises(LedgerCorrupt, match="no checkpoint"):
        Ledger.open(tmp_path / "l", signer)


def test_a_record_is_canonical_json(tmp_path: Path) -> None:
    body = encode_body({"b": 1, "a": [True, None]})
    entry = records.envelope(records.Kind.OUTCOME, 7, "2030-01-02T03:04:05.000006Z", body, call=b'"c"', intent=3, clock_back_us=12)
    assert orjson.dumps(orjson.loads(entry), option=orjson.OPT_SORT_KEYS) == entry
    assert orjson.loads(entry)["clock_back_us"] == 12


def test_commitments_bind_matter_call_field_and_content() -> None:
    key = b"k" * 32
    base = commitment(key, "c", "prompt", b"text")
    assert base == commitment(key, "c", "prompt", b"text")
    assert (
        len(
            {
                base,
                commitment(b"j" * 32, "c", "prompt", b"text"),
                commitment(key, "d", "prompt", b"text"),
                commitment(key, "c", "answer", b"text"),
                commitment(key, "c", "prompt", b"texT"),
            }
        )
        == 5
    )
    with pytest.raises(ValueError, match="16 bytes"):
        commitment(b"short", "c", "prompt", b"text")
