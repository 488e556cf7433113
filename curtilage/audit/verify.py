"""The independent verifier: reads a ledger's directory and believes nothing in it.

No line is shared with the code that writes (the layers test sees to it): hashing, tiles, notes, segments and pairing are read
again from their specifications, so that a mistake of the writer is not repeated here. Works on a live ledger and on a copy.
"""

from __future__ import annotations

import base64
import calendar
import fcntl
import os
import re
import time
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from curtilage.audit.verify_parse import (
    KINDS,
    STAMP,
    TILE,
    Gap,
    Head,
    Raced,
    VerifyResult,
    mth,
    parse_key,
    read_head,
    split_entries,
    tile_name,
)
from curtilage.errors import ConfigError


class _Reader:
    """One pass over the records of a directory."""

    def __init__(self, directory: Path, head: Head, compare: Head | None, result: VerifyResult, live: bool) -> None:
        self.directory, self.head, self.compare, self.result, self.live = directory, head, compare, result, live
        self.levels: list[list[bytes]] = []
        self.done: list[int] = []
        self.stack: list[tuple[int, bytes]] = []  # roots of runs of full level-0 tiles, largest first
        self.open: dict[int, str] = {}
        self.calls: set[str] = set()
        self.cuts: set[str] = set()
        self.newest = self.second = ""
        self.index = 0
        self.state = self._state()

    def run(self) -> None:
        """Read everything; contradictions go to the result."""
        tail = self._tail()
        total = self.head.size + len(tail)
        self.result.unsealed = len(tail)
        if self.compare and self.compare.size > total:
            self.result.add("audit.truncated", "checkpoint", f"the exported checkpoint has {self.compare.size} records, the ledger {total}")
        self._at_size([], 0)
        for bundle in range(-(-total // 256)):
            first = bundle * 256
            entries = self._bundle(bundle, min(256, self.head.size - first)) if first < self.head.size else []
            if entries is None:
                return
            entries += tail[max(0, first - self.head.size) : max(0, first + 256 - self.head.size)]
            leaves = [sha256(b"\x00" + entry).digest() for entry in entries]
            self._records(entries)
            self._at_size(leaves, first)
            self._level(0, leaves)
        for level, hashes in enumerate(self.levels):
            if hashes:
                self._tile(level, self.done[level], hashes)
        self.result.open_calls = len(self.open)
        self._files(total)

    # --- records -------------------------------------------------------------------------------------------------------

    def _records(self, entries: list[bytes]) -> None:
        result, counts = self.result, self.result.counts
        for entry in entries:
            index = self.index
            self.index += 1
            try:
                record = orjson.loads(entry)
                if orjson.dumps(record, option=orjson.OPT_SORT_KEYS) != entry:
                    result.add("audit.record", f"record {index}", "not canonical JSON")
                kind, stamp, call = record["kind"], record["time"], record.get("call")
                if record["index"] != index:
                    result.add("audit.order", f"record {index}", f"says it is record {record['index']}")
                same = (
                    stamp[:20] == self.second
                    and len(stamp) == 27
                    and stamp[26] == "Z"
                    and stamp[20:26].isascii()
                    and stamp[20:26].isdigit()
                )
                if kind not in KINDS or record["v"] != 1 or not isinstance(record["data"], dict) or not (same or STAMP.fullmatch(stamp)):
                    result.add("audit.record", f"record {index}", "not a record of version 1")
                    continue
                if not same:
                    datetime.fromisoformat(stamp)
                    self.second = stamp[:20]
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                result.add("audit.record", f"record {index}", f"not a record: {error}")
                continue
            counts[kind] += 1
            if "clock_back_us" in record:
                result.clock_steps += 1
            elif stamp < self.newest:
                result.add("audit.time", f"record {index}", "is older than the one before it and does not say so")
            self.newest = max(self.newest, stamp)
            if kind == "intent":
                if not call or call in self.calls:
                    result.add("audit.pairing", f"record {index}", "an intent without call id, or a second intent of the same call")
                self.calls.add(call)
                self.open[index] = call
            elif kind == "outcome":
                if self.open.pop(record.get("intent"), None) != call or not call:
                    result.add("audit.pairing", f"record {index}", f"no open intent {record.get('intent')} of this call")
                if record["data"].get("result") == "interrupted":
                    result.interrupted += 1
            elif kind == "event" and "cut_sha256" in record["data"]:
                self.cuts.add(str(record["data"]["cut_sha256"]))
            if self.state and self.state["size"] == self.index:
                self._compare_state()

    def _state(self) -> dict[str, Any] | None:
        path = self.directory / "open.json"
        if not path.exists():
            return None  # it only saves the writer a reading of all records; an export has none
        try:
            raw = path.read_bytes()
            state = orjson.loads(raw)
            if (
                set(state) != {"newest_us", "open", "size"}
                or orjson.dumps(state, option=orjson.OPT_SORT_KEYS) != raw
                or not isinstance(state["size"], int)
            ):
                raise ValueError("unexpected content")
        except (OSError, ValueError, TypeError) as error:
            self.result.add("audit.state", "open.json", str(error))
            return None
        if self.live and state["size"] > self.head.size:
            return None  # the writer is between the two files of a checkpoint
        return dict(state)

    def _compare_state(self) -> None:
        if self.state is None:
            return
        newest = calendar.timegm(time.strptime(self.newest[:19], "%Y-%m-%dT%H:%M:%S")) if self.newest else 0
        stated = {str(index): call for index, call in self.open.items()}
        if self.state["open"] != stated or self.state["newest_us"] != newest * 1_000_000 + int(self.newest[20:26] or 0):
            self.result.add("audit.state", "open.json", "does not fit the records")
        self.state["compared"] = True

    # --- tree ----------------------------------------------------------------------------------------------------------

    def _at_size(self, leaves: list[bytes], first: int) -> None:
        """Compare the root at each size that a checkpoint names and that lies in this bundle."""
        for head, where in ((self.head, "checkpoint"), (self.compare, "exported checkpoint")):
            if head is None or not (first < head.size <= first + len(leaves) or (head.size == 0 and not leaves)):
                continue
            root = mth(leaves[: head.size - first])
            for _, left in reversed(self.stack):
                root = sha256(b"\x01" + left + root).digest()
            if root != head.root:
                self.result.add("audit.root", where, f"the records do not hash to its root at size {head.size}")

    def _level(self, level: int, hashes: list[bytes]) -> None:
        if level == len(self.levels):
            self.levels.append([])
            self.done.append(0)
        self.levels[level] += hashes
        if len(self.levels[level]) == 256:
            full, self.levels[level] = self.levels[level], []
            self._tile(level, self.done[level], full)
            self.done[level] += 1
            root = mth(full)
            if level == 0:
                run = (1, root)
                while self.stack and self.stack[-1][0] == run[0]:
                    count, left = self.stack.pop()
                    run = (2 * count, sha256(b"\x01" + left + run[1]).digest())
                self.stack.append(run)
            self._level(level + 1, [root])

    def _read(self, name: str) -> bytes | None:
        try:
            return (self.directory / name).read_bytes()
        except OSError:
            return None

    def _tile(self, level: int, index: int, hashes: list[bytes]) -> None:
        """The tile's files: the one the checkpoint needs must be there; every one must hold these hashes."""
        needed = min(256, self.head.size // 256**level - index * 256)
        raw = b"".join(hashes)
        self._variants(level, index, needed, raw, [32 * (at + 1) for at in range(len(hashes))])

    def _variants(self, level: int | str, index: int, needed: int, raw: bytes, ends: list[int]) -> None:
        full = tile_name(level, index, 256)
        found: dict[int, bytes | None] = {}
        if len(ends) == 256 and (self.directory / full).is_file():
            found[256] = self._read(full)
        for name in _names(self.directory / (full + ".p")):
            if name.isdigit():
                found[int(name)] = self._read(f"{full}.p/{name}")
        if needed > 0 and needed not in found and 256 not in found:
            content = self._read(full) if self.live else None  # it has filled up since this checkpoint
            if content is None or content[: len(raw)] != raw:
                self.result.add("audit.tile", tile_name(level, index, needed), "missing")
        for width, content in found.items():
            if not 0 < width <= len(ends):
                if not self.live:
                    self.result.add("audit.tile", tile_name(level, index, width), "holds more than the ledger")
            elif content is None or content != raw[: ends[width - 1]]:
                if content is None and self.live:
                    continue  # replaced by its full tile while we read
                self.result.add("audit.tile", tile_name(level, index, width), "does not hold the hashes of the records")

    def _bundle(self, index: int, width: int) -> list[bytes] | None:
        raw = self._read(tile_name("entries", index, width))
        if raw is None and width < 256:  # the bundle has filled up since this checkpoint
            raw = self._read(tile_name("entries", index, 256))
        entries = None if raw is None else split_entries(raw)
        if raw is None or entries is None or len(entries) < width:
            self.result.add("audit.entries", tile_name("entries", index, width), "missing, cut or malformed")
            return None
        if len(entries) > width and width == 256:
            self.result.add("audit.entries", tile_name("entries", index, width), "holds more than 256 records")
        folder = self.directory / (tile_name("entries", index, 256) + ".p")
        if width < 256 or folder.is_dir():
            ends, at = [], 0
            for entry in entries:
                at += 2 + len(entry)
                ends.append(at)
            self._variants("entries", index, width, raw, ends)
        return entries[:width]

    # --- the records after the checkpoint, and everything else in the directory ----------------------------------------

    def _tail(self) -> list[bytes]:
        folder, next_index, tail = self.directory / "wal", self.head.size, list[bytes]()
        names = _names(folder)
        for place, name in enumerate(names):
            raw = self._read(f"wal/{name}")
            if raw is None:
                raise Raced
            if not re.fullmatch(r"[0-9]{20}", name):
                self.result.add("audit.wal", f"wal/{name}", "unexpected file")
                continue
            index, at, previous = int(name), 0, bytes(32)
            if index > next_index:
                raise Raced if self.live else Gap(f"wal/{name}", f"records {next_index} to {index - 1} are missing")
            while at < len(raw):
                head, digest = raw[at : at + 20], raw[at + 20 : at + 52]
                length = int.from_bytes(head[16:20], "big")
                body = raw[at + 52 : at + 52 + length]
                entries = split_entries(body)
                if (
                    len(head) < 20
                    or head[:4] != b"CWAL"
                    or int.from_bytes(head[4:12], "big") != index
                    or len(body) != length
                    or sha256(previous + head + body).digest() != digest
                    or entries is None
                    or len(entries) != int.from_bytes(head[12:16], "big")
                ):
                    if not (self.live and place == len(names) - 1):  # the writer is writing it
                        self.result.add(
                            "audit.wal",
                            f"wal/{name}",
                            f"the commit at byte {at} is torn or altered; opening the ledger cuts only what was never acknowledged",
                        )
                    return tail
                tail += entries[max(0, next_index - index) :]
                index, at, previous = index + len(entries), at + 52 + length, digest
                next_index = max(next_index, index)
        return tail

    def _files(self, total: int) -> None:
        if self.state and "compared" not in self.state and (self.state["size"] != 0 or total):
            self.result.add("audit.state", "open.json", f"is of size {self.state['size']}, which the ledger does not have")
        elif self.state and self.state["size"] < self.head.size and not self.live:
            self.result.add("audit.state", "open.json", "is older than the checkpoint")
        for folder, _, names in os.walk(self.directory):
            for name in names:
                file = Path(folder, name)
                path = str(file.relative_to(self.directory))
                # What a crash leaves half-written beside its final name is no part of the ledger; the next opening removes it.
                path = path.removesuffix(".tmp")
                if (
                    path in ("checkpoint", "open.json")
                    or path.startswith("wal/")
                    or (path != str(file.relative_to(self.directory)) and TILE.fullmatch(path))
                ):
                    continue
                if path == "lock":
                    if file.stat().st_size:
                        self.result.add("audit.file", path, "is not empty")
                elif path.startswith("recovered/"):
                    digest = sha256(file.read_bytes()).hexdigest()
                    if digest not in self.cuts or path.rpartition("-")[2] != digest[:16]:
                        self.result.add("audit.file", path, "no record tells of these cut bytes")
                elif not self._expected(path, total):
                    self.result.add("audit.file", path, "does not belong to the ledger")

    def _expected(self, path: str, total: int) -> bool:
        match = TILE.fullmatch(path)
        if not match:
            return False
        width = int(match[3] or 256)
        index = int(match[2].replace("x", "").replace("/", ""))
        count = total if match[1] == "entries" else total // 256 ** int(match[1])
        return self.live or (path == tile_name(match[1], index, width) and width <= 256 and index * 256 + width <= count)


def _names(folder: Path) -> list[str]:
    """What a directory holds, sorted; nothing when there is none, or when its writer took it away as it was read."""
    try:
        return sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_live(directory: Path) -> bool:
    """Whether a writer holds the lock."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def verify(directory: Path | str, public_key: str, checkpoint: bytes | None = None) -> VerifyResult:
    """Verify a ledger directory.

    Args:
        directory: the ledger or a copy of it.
        public_key: the verifier key line of the ledger's signer, from a place other than the directory.
        checkpoint: a checkpoint kept elsewhere; only with one can truncation and replacement of the whole be noticed.
    """
    directory, key, started = Path(directory), parse_key(public_key), time.perf_counter()
    if not directory.is_dir():
        raise ConfigError(f"no directory {directory}", rule="audit verify reads a ledger's directory", fix="check the path")
    result = VerifyResult()
    for _ in range(20):
        result = VerifyResult()
        try:
            _verify_once(directory, key, checkpoint, result)
            break
        except Raced:
            time.sleep(0.05)
        except Gap as gap:
            result.add("audit.wal", gap.where, gap.reason)
            break
    else:
        result.add("audit.live", str(directory), "the writer moved on faster than it could be read; verify a copy")
    result.seconds = time.perf_counter() - started
    return result


def _verify_once(directory: Path, key: tuple[str, bytes, bytes], checkpoint: bytes | None, result: VerifyResult) -> None:
    live = _is_live(directory)
    compare = None
    if checkpoint is not None:
        read = read_head(checkpoint, key)
        if isinstance(read, str):
            result.add("audit.checkpoint", "exported checkpoint", read)
        else:
            compare, result.compared_with = read, read.size
    try:
        note = (directory / "checkpoint").read_bytes()
    except OSError as error:
        result.add("audit.checkpoint", "checkpoint", f"cannot be read: {error.strerror}")
        return
    head = read_head(note, key)
    if isinstance(head, str):
        result.add("audit.checkpoint", "checkpoint", head)
        return
    result.origin, result.size, result.root = head.origin, head.size, base64.b64encode(head.root).decode()
    if compare and compare.origin != head.origin:
        result.add("audit.checkpoint", "exported checkpoint", f"of another ledger: {compare.origin}")
    _Reader(directory, head, compare, result, live).run()
