"""The contamination guard: a corpus that holds a real record, whole, changed or in part, is refused.

It compares keyed fingerprints, so where it runs there is no record to read. What it cannot see, and says so in docs/finetuning.md: a
translation, a summary in other words, a record hidden by an encoding.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from curtilage.canonical import canonical_json, file_digest
from curtilage.errors import ConfigError
from curtilage.finetune.guard_hash import I64, U64, Hasher, derive, lay
from curtilage.finetune.guard_make import batches, prepare
from curtilage.finetune.guard_records import DATASET, texts
from curtilage.finetune.guard_store import Fingerprints, key_id
from curtilage.verdict import Verdict

RULES = ((5, 0.30), (12, 0.15), (40, 0.0))
"""Common shingles, and their share of the smaller of document and record, that make a near-duplicate: a few count when they are much of
the text, and a passage of some 130 letters counts whatever stands around it. When one word in five is changed at random, about half of the
shingles stay; when it is every fifth, a third."""
SHOWN = 100
_BITS = 24


class Finding(BaseModel):
    """One reason why a document is refused. It names the document, never the record: the guard does not know it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    document: str
    kind: str
    detail: str


class Report(BaseModel):
    """What a check found; ``seal`` authenticates it under the guard's key, so that a report cannot be written by hand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: Verdict
    dataset: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    documents: int
    refused: int
    by_kind: dict[str, int]
    findings: tuple[Finding, ...]
    fingerprints: dict[str, Any]
    checked: str
    key: str
    seal: str = ""

    def sealed(self, key: bytes) -> Report:
        """The report with its seal."""
        return self.model_copy(update={"seal": self._seal(key)})

    def is_sealed_by(self, key: bytes) -> bool:
        """True when the report was written by the key's owner and not changed since."""
        return hmac.compare_digest(self.seal.encode(), self._seal(key).encode())

    def _seal(self, key: bytes) -> str:
        return hmac.digest(derive(key, "report"), canonical_json(self.model_dump(mode="json", exclude={"seal"})), "sha256").hex()


class Guard:
    """Fingerprints and their key, ready to judge documents."""

    def __init__(self, fingerprints: Fingerprints, key: bytes) -> None:
        self.known = fingerprints
        self.hasher = Hasher(key)
        self._exact = {bytes.fromhex(digest.decode()) for digest in fingerprints.exact.tolist()}
        self._canaries = set(fingerprints.canaries.tolist())
        self._identifiers = set(fingerprints.identifiers.tolist())
        self._shingle_map = _bitmap(fingerprints.shingles)
        self._common_map = _bitmap(fingerprints.boilerplate)

    def judge(self, found: Iterable[tuple[str, list[str]]]) -> tuple[int, list[Finding]]:
        """Documents seen, and every reason to refuse one."""
        count, findings = 0, []
        for group in batches(prepare(name, values) for name, values in found):
            count += len(group)
            for parts in group:
                if any(self.hasher.exact(text) in self._exact for text in (parts.text, *parts.fields)):
                    findings.append(Finding(document=parts.name, kind="exact", detail="a real record or a field of one, letter for letter"))
                if parts.identifiers and any(self.hasher.identifier(text) in self._identifiers for text in parts.identifiers):
                    findings.append(
                        Finding(document=parts.name, kind="identifier", detail="an address, account or file number of a record")
                    )
            names = [parts.name for parts in group]
            batch = lay([parts.text for parts in group])
            sums = self.hasher.sums(batch)
            hashes, owners = self.hasher.shingles(batch, sums)
            findings += self._near(names, hashes, owners)
            hashes, owners = self.hasher.terms(batch, sums, self.known.shape)
            findings += self._terms(names, hashes, owners)
        return count, findings

    def _near(self, names: list[str], hashes: U64, owners: I64) -> list[Finding]:
        common = _among(hashes, self.known.boilerplate, self._common_map)
        mine = np.bincount(owners[~common], minlength=len(names))
        hit = np.flatnonzero(~common & _among(hashes, self.known.shingles, self._shingle_map))
        if not len(hit):
            return []
        first = np.searchsorted(self.known.shingles, hashes[hit], "left")
        counts = np.searchsorted(self.known.shingles, hashes[hit], "right") - first
        # One row for each pair of a document's shingle and a record that has it; the same shingle twice in a document counts once.
        index = np.repeat(first - np.concatenate(([0], np.cumsum(counts)[:-1])), counts) + np.arange(counts.sum())
        pairs = np.unique(np.stack((np.repeat(owners[hit], counts), index)), axis=1)
        both, matches = np.unique(np.stack((pairs[0], self.known.records[pairs[1]])), axis=1, return_counts=True)
        smaller = np.maximum(np.minimum(mine[both[0]], self.known.sizes[both[1]]), 1)
        share = matches / smaller
        enough = np.minimum(self.known.sizes[both[1]], RULES[0][0])  # a record of three shingles can give no more
        near = (matches >= np.maximum(enough, 3)) & (share >= RULES[0][1])
        for least, part_of in RULES[1:]:
            near |= (matches >= least) & (share >= part_of)
        best: dict[int, tuple[int, float]] = {}
        for document, match, part in zip(both[0][near].tolist(), matches[near].tolist(), share[near].tolist(), strict=True):
            best[document] = max(best.get(document, (0, 0.0)), (match, min(part, 1.0)))
        return [
            Finding(
                document=names[document], kind="near-duplicate", detail=f"{match} shingles of one record, {part:.0%} of the smaller text"
            )
            for document, (match, part) in sorted(best.items())
        ]

    def _terms(self, names: list[str], hashes: U64, owners: I64) -> list[Finding]:
        if not len(self.known.terms) or not len(hashes):
            return []
        hit = np.flatnonzero(_in_sorted(hashes, self.known.terms))
        kinds = {(int(owners[at]), "canary" if int(hashes[at]) in self._canaries else "dictionary") for at in hit}
        return [Finding(document=names[document], kind=kind, detail=f"a term of the {kind} list") for document, kind in sorted(kinds)]


def check(dataset: Path, fingerprints: Fingerprints, key: bytes) -> Report:
    """Judge a dataset: a directory with ``documents.jsonl``, a JSON lines file, or a directory of texts.

    Raises:
        ConfigError: the dataset cannot be read, or it changed meanwhile.
    """
    digest = dataset_digest(dataset)
    count, findings = Guard(fingerprints, key).judge(texts(dataset))
    if dataset_digest(dataset) != digest:
        raise ConfigError(f"{dataset} changed while it was read", rule="a corpus is checked as it stands", fix="check it again")
    refused = len({finding.document for finding in findings})
    verdict = Verdict.NOT_RUN if not count else Verdict.FAIL if findings else Verdict.PASS
    return Report(
        verdict=verdict,
        dataset=digest,
        documents=count,
        refused=refused,
        by_kind=dict(sorted(Counter(finding.kind for finding in findings).items())),
        findings=tuple(findings[:SHOWN]),
        fingerprints=fingerprints.about,
        checked=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        key=key_id(key),
    ).sealed(key)


def dataset_digest(dataset: Path) -> str:
    """Digest of the file that is judged; a directory of texts is digested as the set of its files.

    Raises:
        ConfigError: no such dataset.
    """
    path = dataset / DATASET if (dataset / DATASET).is_file() else dataset
    if path.is_file():
        return file_digest(path)
    if not path.is_dir():
        raise ConfigError(f"no dataset at {dataset}", rule="a dataset is a file or a directory", fix="curtilage finetune generate")
    files = {str(file.relative_to(path)): file_digest(file) for file in sorted(path.rglob("*")) if file.is_file()}
    return "sha256:" + hashlib.sha256(canonical_json(files)).hexdigest()


def require_pass(data: Path, report: Path, key: bytes) -> Report:
    """The report of a passing check of exactly this dataset.

    Raises:
        ConfigError: no report, a forged or failed one, or one of another dataset.
    """
    fix = "curtilage finetune guard check DATASET --fingerprints FILE --key FILE --report FILE"
    rule = "a corpus is trained on after the guard passed it"
    try:
        found = Report.model_validate(orjson.loads(report.read_bytes()))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{report} is no report of the guard", rule=rule, fix=fix) from error
    if not found.is_sealed_by(key):
        raise ConfigError(f"{report} was not written under this key, or was changed", rule=rule, fix=fix)
    if found.verdict is not Verdict.PASS:
        raise ConfigError(f"{report} says {found.verdict}: {found.refused} documents refused", rule=rule, fix="remove them, check again")
    if found.dataset != dataset_digest(data):
        raise ConfigError(f"{report} is about {found.dataset}, {data} is {dataset_digest(data)}", rule=rule, fix=fix)
    return found


def _bitmap(hashes: U64) -> NDArray[np.bool_]:
    """Which upper bits occur: tells most absent values apart with one look."""
    found = np.zeros(1 << _BITS, dtype=bool)
    found[hashes >> np.uint64(64 - _BITS)] = True
    return found


def _among(hashes: U64, known: U64, bitmap: NDArray[np.bool_]) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = bitmap[hashes >> np.uint64(64 - _BITS)]
    maybe = np.flatnonzero(result)
    result[maybe] = _in_sorted(hashes[maybe], known)
    return result


def _in_sorted(hashes: U64, known: U64) -> NDArray[np.bool_]:
    if not len(known):
        return np.zeros(len(hashes), dtype=bool)
    at = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    found: NDArray[np.bool_] = known[at] == hashes
    return found
