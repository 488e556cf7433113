"""The independent verifier notices any change; if this breaks, a tampered ledger passes for a good one."""

from __future__ import annotations

import ast
import asyncio
import base64
import os
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

import curtilage.audit.verify
import curtilage.audit.verify_parse
from curtilage.audit.commands import app
from curtilage.audit.export import export_ledger
from curtilage.audit.ledger import Ledger
from curtilage.audit.merkle import fold, leaf_hash
from curtilage.audit.note import Checkpoint, Signer
from curtilage.audit.query import Filter, counts, select, to_csv
from curtilage.audit.tiles import Edge, decode_bundle, encode_bundle, index_path, tile_path
from curtilage.audit.verify import verify
from curtilage.audit.wal import frame
from curtilage.verdict import Verdict

Write = Callable[..., Path]


def files_of(directory: Path) -> Iterator[Path]:
    return (path for path in sorted(directory.rglob("*")) if path.is_file())


def running_copy(directory: Path, signer: Signer, out: Path) -> Path:
    """A copy of a ledger taken while its writer runs: three records under the head, three after it, one call open."""

    async def run() -> None:
        ledger = Ledger.open(directory, signer, checkpoint_seconds=3600)
        for call in ("a", "b"):
            index = await ledger.intent({"call": call, "matter": "M-1"})
            await ledger.event({"event": "between"})
            if call == "a":
                await ledger.outcome(index, {"result": "ok"})
                await asyncio.to_thread(ledger.checkpoint)
        await ledger.event({"event": "end"})
        assert verify(directory, str(signer.verifier)).verdict is Verdict.PASS
        shutil.copytree(directory, out)
        ledger.close()

    asyncio.run(run())
    return out


def resign(directory: Path, entries: list[bytes], signer: Signer) -> None:
    """What an attacker who holds the key would leave: other records, everything else made to fit."""
    shutil.rmtree(directory)
    directory.mkdir()
    edge, files = Edge.empty().extend(entries)
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    (directory / "checkpoint").write_bytes(Checkpoint(signer.name, edge.size, edge.root()).sign(signer))


def test_a_good_ledger_passes_with_and_without_an_exported_checkpoint(write: Write, signer: Signer) -> None:
    directory = write(200, every=37)
    exported = (directory / "checkpoint").read_bytes()
    for checkpoint in (None, exported):
        result = verify(directory, str(signer.verifier), checkpoint)
        assert result.problems == []
        assert (result.size, result.unsealed, result.counts["intent"], result.counts["outcome"], result.open_calls) == (400, 0, 200, 200, 0)
    write(100, directory=directory)
    assert verify(directory, str(signer.verifier), exported).compared_with == 400
    assert verify(directory, str(signer.verifier), exported).verdict is Verdict.PASS


def test_the_verifier_shares_no_code_with_the_writer() -> None:
    trees = [ast.parse(Path(module.__file__).read_text()) for module in (curtilage.audit.verify, curtilage.audit.verify_parse)]
    modules = {node.module for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert {module for module in modules if module.startswith("curtilage")} <= {
        "curtilage.errors",
        "curtilage.verdict",
        "curtilage.audit.verify_parse",
    }


def test_every_removed_cut_or_added_file_is_noticed(write: Write, signer: Signer, tmp_path: Path) -> None:
    key = str(signer.verifier)
    for directory in (write(150), running_copy(tmp_path / "live", signer, tmp_path / "copy")):
        for path in files_of(directory):
            good = path.read_bytes()
            if path.name not in ("open.json", "lock") and path.parent.name != "wal":
                path.unlink()
                assert verify(directory, key).problems, f"removed {path}"
                path.write_bytes(good)
            if good:
                path.write_bytes(good[:-1])
                assert verify(directory, key).problems, f"cut {path}"
            path.write_bytes(good + b"x")
            assert verify(directory, key).problems, f"grown {path}"
            path.write_bytes(good)
        for name in ("tile/0/x000/000", "tile/5/000", "tile/entries/999", "tile/0/000.p/7x", "other", "recovered/x"):
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * 32)
            assert verify(directory, key).problems, f"added {name}"
            path.unlink()
        assert verify(directory, key).verdict is Verdict.PASS


def test_removed_reordered_replaced_and_truncated_records_fail_against_an_exported_checkpoint_even_when_resigned(
    write: Write, signer: Signer
) -> None:
    directory = write(10)
    exported, key = (directory / "checkpoint").read_bytes(), str(signer.verifier)
    entries = decode_bundle((directory / tile_path("entries", 0, 20)).read_bytes())

    def renumbered(found: list[bytes]) -> list[bytes]:
        documents = [orjson.loads(entry) for entry in found]
        places = {document["index"]: at for at, document in enumerate(documents)}
        for at, document in enumerate(documents):
            document["index"] = at
            if "intent" in document:
                document["intent"] = places[document["intent"]]
        return [orjson.dumps(document, option=orjson.OPT_SORT_KEYS) for document in documents]

    swapped = [*entries[2:4], *entries[0:2], *entries[4:]]
    replaced = [entry.replace(b"M-1", b"M-9") for entry in entries]
    for forged in (renumbered(entries[2:]), renumbered(swapped), replaced, entries[:-2], []):
        resign(directory, forged, signer)
        assert verify(directory, key, exported).verdict is Verdict.FAIL
    resign(directory, entries, signer)
    assert verify(directory, key, exported).verdict is Verdict.PASS


def test_pairing_is_checked(signer: Signer, tmp_path: Path) -> None:
    def record(index: int, kind: str, **more: object) -> bytes:
        return orjson.dumps(
            {"data": {}, "index": index, "kind": kind, "time": "2030-01-01T00:00:00.000000Z", "v": 1, **more}, option=orjson.OPT_SORT_KEYS
        )

    good = [record(0, "intent", call="a"), record(1, "outcome", call="a", intent=0)]
    cases = {
        "good": (good, True),
        "outcome of nothing": ([record(0, "outcome", call="a", intent=5)], False),
        "two outcomes": ([*good, record(2, "outcome", call="a", intent=0)], False),
        "outcome of another call": ([good[0], record(1, "outcome", call="b", intent=0)], False),
        "two intents of a call": ([*good, record(2, "intent", call="a")], False),
        "wrong index": ([good[0], record(2, "event")], False),
        "unknown kind": ([record(0, "other")], False),
        "white space": ([good[0].replace(b":", b": ", 1)], False),
        "time goes back silently": ([good[0], record(1, "event", time="2029-01-01T00:00:00.000000Z")], False),
        "time goes back and says so": ([good[0], record(1, "event", time="2029-01-01T00:00:00.000000Z", clock_back_us=5)], True),
    }
    for name, (entries, passes) in cases.items():
        directory = tmp_path / name.replace(" ", "-")
        directory.mkdir()
        resign(directory, entries, signer)
        result = verify(directory, str(signer.verifier))
        assert (result.verdict is Verdict.PASS) is passes, (name, result.problems)


def test_a_replaced_key_and_another_ledgers_checkpoint_fail(write: Write, signer: Signer) -> None:
    directory = write(3)
    other = Signer.generate(signer.name)
    assert verify(directory, str(other.verifier)).verdict is Verdict.FAIL
    head = Checkpoint.open((directory / "checkpoint").read_bytes(), signer.verifier)
    assert verify(directory, str(signer.verifier), head.sign(other)).verdict is Verdict.FAIL
    foreign = Checkpoint("elsewhere", head.size, head.root).sign(signer)
    assert verify(directory, str(signer.verifier), foreign).verdict is Verdict.FAIL


def test_a_ledger_verifies_while_it_is_written(tmp_path: Path, signer: Signer) -> None:
    async def run() -> None:
        ledger = Ledger.open(tmp_path / "l", signer, checkpoint_seconds=0.01)
        running = True

        async def load(worker: int) -> None:
            number = 0
            while running:
                index = await ledger.intent({"call": f"{worker}-{number}"})
                await ledger.outcome(index, {"result": "ok"})
                number += 1

        workers = [asyncio.ensure_future(load(worker)) for worker in range(8)]
        for _ in range(15):
            await asyncio.sleep(0.05)
            result = await asyncio.to_thread(verify, tmp_path / "l", str(signer.verifier), ledger.checkpoint_note)
            assert result.problems == []
        running = False
        await asyncio.gather(*workers)
        ledger.close()
        assert ledger.stats.checkpoints > 3

    asyncio.run(run())


def test_partial_tiles_that_are_taken_away_while_they_are_read_are_no_fault(
    write: Write, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = write(300, every=100)
    litter = directory / "tile/0/000.p"
    litter.mkdir()
    (litter / "1").write_bytes((directory / "tile/0/000").read_bytes()[:32])
    listed, taken = os.listdir, list[str]()

    def take(path: Any) -> list[str]:
        if Path(path) == litter:
            shutil.rmtree(litter)
            taken.append(str(path))
        return listed(path)

    monkeypatch.setattr(os, "listdir", take)
    assert verify(directory, str(signer.verifier)).problems == []
    assert taken


def test_an_export_is_a_whole_log_that_verifies(write: Write, signer: Signer, tmp_path: Path) -> None:
    directory = write(300, every=100)
    size, files = export_ledger(directory, tmp_path / "export", tiles=True)
    assert size == 600
    assert files == len(list(files_of(tmp_path / "export")))
    result = verify(tmp_path / "export", str(signer.verifier), (directory / "checkpoint").read_bytes())
    assert (result.problems, result.size) == ([], 600)


def test_tile_paths_and_widths_follow_the_specification() -> None:
    assert index_path(1234067) == "x001/x234/067"
    assert index_path(7) == "007"
    entries = [b"%d" % number for number in range(70_000)]
    edge, files = Edge.empty().extend(entries)
    assert sum(name.startswith("tile/0/") and ".p/" not in name for name in files) == 273
    assert {name for name in files if ".p/" in name} == {"tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1", "tile/entries/273.p/112"}
    assert edge.root() == fold([leaf_hash(entry) for entry in entries])
    assert all(len(content) == 8192 for name, content in files.items() if not name.startswith("tile/entries") and ".p/" not in name)
    assert decode_bundle(encode_bundle(entries[:256])) == entries[:256]


def test_growing_in_any_steps_gives_the_same_files(signer: Signer) -> None:
    entries = [b"%d" % number for number in range(1000)]
    whole, files = Edge.empty().extend(entries)
    edge, seen = Edge.empty(), {}
    for start in range(0, 1000, 77):
        edge, more = edge.extend(entries[start : start + 77])
        seen |= more
    assert edge.root() == whole.root()
    assert files.items() <= seen.items()


def test_a_damaged_commit_before_a_good_one_is_not_taken_for_a_torn_end(tmp_path: Path, signer: Signer) -> None:
    copy = running_copy(tmp_path / "live", signer, tmp_path / "copy")
    (segment,) = (copy / "wal").iterdir()
    data = segment.read_bytes()
    segment.write_bytes(data[:60] + bytes([data[60] ^ 1]) + data[61:])
    with pytest.raises(Exception, match="a later frame follows"):
        Ledger.open(copy, signer)


def test_a_torn_end_is_cut_kept_aside_and_told(tmp_path: Path, signer: Signer) -> None:
    copy = running_copy(tmp_path / "live", signer, tmp_path / "copy")
    (segment,) = (copy / "wal").iterdir()
    torn = frame(sha256(b"any").digest(), 6, [b"never acknowledged"])[0][:-3]
    segment.write_bytes(segment.read_bytes() + torn)
    Ledger.open(copy, signer).close()
    result = verify(copy, str(signer.verifier))
    assert result.problems == []
    assert (result.counts["event"], result.interrupted, result.open_calls) == (4, 1, 0)
    (kept,) = (copy / "recovered").iterdir()
    assert kept.read_bytes() == torn
    kept.write_bytes(b"other")
    assert verify(copy, str(signer.verifier)).verdict is Verdict.FAIL


def test_a_row_joins_what_intent_and_outcome_say() -> None:
    records = [
        {"index": 0, "kind": "intent", "time": "2030", "call": "a", "data": {"matter": "M", "commitments": {"sent": "x"}, "reason": None}},
        {"index": 1, "kind": "intent", "time": "2031", "call": "b", "data": {"matter": "M"}},
        {
            "index": 2,
            "kind": "outcome",
            "time": "2032",
            "call": "a",
            "intent": 0,
            "data": {"result": "=1+1", "commitments": {"returned": "y"}},
        },
    ]
    first, second = select(records, Filter(matter="M"))
    assert (first["commitments"], first["result"], first["ended"]) == ({"sent": "x", "returned": "y"}, "=1+1", "2032")
    assert "result" not in second
    assert counts([first, second])["by_result"] == {"=1+1": 1, "open": 1}
    assert "'=1+1" in to_csv([first], ("result",)), "a value a spreadsheet would run is quoted"


def test_the_verbs_answer_with_the_contract_s_exit_codes(write: Write, signer: Signer, tmp_path: Path) -> None:
    directory, run = write(6), CliRunner()
    key = tmp_path / "ledger.pub"
    key.write_text(f"{signer.verifier}\n")
    good = run.invoke(app, ["verify", str(directory), "--key", str(key), "--json"])
    assert (good.exit_code, orjson.loads(good.stdout)["verdict"], orjson.loads(good.stdout)["size"]) == (0, "PASS", 12)
    head = run.invoke(app, ["export", str(directory), "--out", str(tmp_path / "head"), "--json"])
    assert orjson.loads(head.stdout) == {"files": 1, "out": str(tmp_path / "head"), "size": 12}
    rows = orjson.loads(run.invoke(app, ["query", str(directory), "--matter", "M-1", "--json", "--key", str(key)]).stdout)
    assert [row["matter"] for row in rows["rows"]] == ["M-1", "M-1"]
    assert rows["counts"]["by_result"] == {"ok": 2}
    assert rows["counts"]["removed"] == {"iban": 1}
    csv = run.invoke(app, ["query", str(directory), "--from", "2999-01-01", "--format", "csv"])
    assert csv.stdout.strip().startswith("index,time,kind")
    assert len(csv.stdout.strip().splitlines()) == 1
    tile = directory / tile_path("entries", 0, 12)
    tile.write_bytes(tile.read_bytes().replace(b"M-1", b"M-2", 1))
    bad = run.invoke(app, ["verify", str(directory), "--key", str(key), "--json"])
    assert (bad.exit_code, orjson.loads(bad.stdout)["verdict"]) == (1, "FAIL")
    assert run.invoke(app, ["query", str(directory), "--key", str(key)]).exit_code == 1
    assert base64.b64encode(b"M-1") not in bad.stdout.encode()


def test_a_checkpoint_that_says_nothing_is_not_reported_as_none_given(write: Write, signer: Signer, tmp_path: Path) -> None:
    directory, key, other = write(2), tmp_path / "ledger.pub", tmp_path / "other"
    key.write_text(str(signer.verifier))
    other.write_text("something else")
    told = CliRunner().invoke(app, ["verify", str(directory), "--key", str(key), "--checkpoint", str(other)])
    assert told.exit_code == 1
    assert "exported checkpoint: not a checkpoint" in told.stdout
    assert "no exported checkpoint given" not in told.stdout
