"""Every single byte of a ledger and of a bundle, changed one at a time: if one change passes, tampering has a place to hide."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from curtilage.audit.ledger import Ledger
from curtilage.audit.note import Checkpoint, Signer
from curtilage.audit.verify import verify
from curtilage.evidence.bundle import build_bundle
from curtilage.evidence.verify import verify_bundle
from curtilage.verdict import Verdict

SIGNER = Signer.generate("gateway.example/ledger")
KEY = Signer.generate("curtilage/evidence")
WHEN = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


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


def small_bundle(folder: Path) -> Path:
    return build_bundle(
        "lab",
        plan_digest="sha256:" + "1" * 64,
        rulesets={"gpu-1": "table inet curtilage {}\n"},
        images={},
        models={"tiny": "sha256:" + "3" * 64},
        probe_results=[{"id": "gpu-1/tcp4/198.51.100.7:443", "host": "gpu-1", "verdict": "PASS"}],
        required=["gpu-1/tcp4/198.51.100.7:443"],
        key=KEY,
        audit_checkpoint=Checkpoint(SIGNER.name, 7, bytes(32)).sign(SIGNER),
        audit_key=str(SIGNER.verifier),
        collected=WHEN,
        out=folder / "lab.tar",
    )


@pytest.mark.parametrize("state", ["closed", "running"])
def test_every_flipped_byte_of_every_file_is_noticed(state: str, tmp_path: Path) -> None:
    running_copy(tmp_path / "live", SIGNER, tmp_path / "copy")
    directory = tmp_path / "live" if state == "closed" else tmp_path / "copy"
    key = str(SIGNER.verifier)
    assert verify(directory, key).verdict is Verdict.PASS
    tried = 0
    for path in files_of(directory):
        good = path.read_bytes()
        for at in range(len(good)):
            path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
            assert verify(directory, key).problems, f"{path.relative_to(directory)} byte {at}"
            tried += 1
        path.write_bytes(good)
    assert verify(directory, key).verdict is Verdict.PASS
    assert tried > 1000


def test_every_changed_byte_makes_it_fail(tmp_path: Path) -> None:
    data, changed = small_bundle(tmp_path).read_bytes(), tmp_path / "changed.tar"
    # Padding between members is zeros; one byte of each run of 64 stands for it, every other byte is tried.
    tried = 0
    for at in range(len(data)):
        if data[at] == 0 and at % 64 and not any(data[at - at % 64 : at - at % 64 + 64]):
            continue
        changed.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert verify_bundle(changed, key=KEY.verifier, now=WHEN).verdict is Verdict.FAIL, f"byte {at}"
        tried += 1
    assert tried > 5000
    for cut in (data[:-512], data + bytes(512), data[512:], b""):
        changed.write_bytes(cut)
        assert verify_bundle(changed, key=KEY.verifier, now=WHEN).verdict is Verdict.FAIL
