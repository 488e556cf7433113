"""What the ledger holds of one matter, each record with the proof that it is under the signed head.

The report trusts nothing it has not verified: the ledger is checked whole before, and every record it cites is proved once more here.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from curtilage.audit.merkle import inclusion_proof, leaf_hash, verify_inclusion
from curtilage.audit.note import Checkpoint, VerifierKey
from curtilage.audit.proofs import TileHashes
from curtilage.audit.reader import read_entries
from curtilage.errors import StepError


@dataclass(frozen=True, kw_only=True)
class Proved:
    """One record and its way to the root; ``proof`` is None for a record written after the signed head."""

    index: int
    raw: bytes
    record: Mapping[str, Any]
    proof: tuple[bytes, ...] | None

    def document(self) -> dict[str, Any]:
        """What another program needs to check it (RFC 9162 2.1.3.2)."""
        return {
            "index": self.index,
            "leaf_hash": base64.b64encode(leaf_hash(self.raw)).decode(),
            "proof": None if self.proof is None else [base64.b64encode(node).decode() for node in self.proof],
            "record": self.raw.decode(),
        }


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """One call on the matter: how it began, how it ended, and the records that say so."""

    index: int
    refs: tuple[int, ...]
    data: Mapping[str, Any]
    result: str
    time: str
    refused: bool


@dataclass(kw_only=True)
class MatterLedger:
    """Everything on record about a matter."""

    matter: str
    note: bytes
    head: Checkpoint
    total: int
    interactions: list[Interaction] = field(default_factory=list)
    events: list[Proved] = field(default_factory=list)
    records: dict[int, Proved] = field(default_factory=dict)

    @property
    def unproved(self) -> list[int]:
        """Records that no signed head covers yet."""
        return sorted(index for index, record in self.records.items() if record.proof is None)

    def proofs(self) -> dict[str, Any]:
        """Head and proofs as JSON, for other programs."""
        return {
            "checkpoint": self.note.decode(),
            "matter": self.matter,
            "records": [self.records[index].document() for index in sorted(self.records)],
            "size": self.head.size,
        }


def read_matter(directory: Path, matter: str, key: VerifierKey) -> MatterLedger:
    """Read a matter's records with their proofs.

    Raises:
        StepError: a record's proof does not lead to the signed root.
    """
    note = (directory / "checkpoint").read_bytes()
    head = Checkpoint.open(note, key)
    hashes = TileHashes(directory, head.size)
    found = MatterLedger(matter=matter, note=note, head=head, total=0)
    intents: dict[int, Proved] = {}
    ends: dict[int, Proved] = {}
    refusals: list[Proved] = []
    for index, raw in enumerate(read_entries(directory)):
        found.total += 1
        record = orjson.loads(raw)
        ours = record["data"].get("matter") == matter
        if not ours and not (record["kind"] == "outcome" and record.get("intent") in intents):
            continue
        proved = _prove(index, raw, record, head, hashes)
        found.records[index] = proved
        match record["kind"]:
            case "intent":
                intents[index] = proved
            case "outcome":
                ends[record["intent"]] = proved
            case "refused":
                refusals.append(proved)
            case _:
                found.events.append(proved)
    for index, begun in intents.items():
        ended = ends.get(index)
        data = dict(begun.record["data"])
        for name, value in (ended.record["data"] if ended else {}).items():
            if isinstance(value, Mapping) and isinstance(data.get(name), Mapping):
                data[name] = {**data[name], **value}
            elif value is not None:
                data[name] = value
        found.interactions.append(
            Interaction(
                index=index, refs=(index, ended.index) if ended else (index,), data=data, time=str(begun.record["time"]),
                result=str(data.get("result", "open")) if ended else "open", refused=False,
            )
        )  # fmt: skip
    for proved in refusals:
        found.interactions.append(
            Interaction(
                index=proved.index, refs=(proved.index,), data=proved.record["data"], time=str(proved.record["time"]),
                result="refused", refused=True,
            )
        )  # fmt: skip
    found.interactions.sort(key=lambda call: call.index)
    return found


def _prove(index: int, raw: bytes, record: Mapping[str, Any], head: Checkpoint, hashes: TileHashes) -> Proved:
    if index >= head.size:
        return Proved(index=index, raw=raw, record=record, proof=None)
    proof = tuple(inclusion_proof(index, head.size, hashes))
    if not verify_inclusion(leaf_hash(raw), index, head.size, proof, head.root):
        raise StepError(
            "report", f"record {index} is not under the signed head of {head.size}", fix="curtilage audit verify tells what is wrong"
        )
    return Proved(index=index, raw=raw, record=record, proof=proof)
