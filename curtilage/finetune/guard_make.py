"""Fingerprints of real records: made where the records are, carried to where the corpus is."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from curtilage.errors import ConfigError, StepError
from curtilage.finetune.generator import TEMPLATES, documents, templates_digest
from curtilage.finetune.guard_hash import I64, U64, Hasher, lay
from curtilage.finetune.guard_store import Fingerprints, key_id
from curtilage.finetune.guard_text import fold, identifiers, strings, words

BATCH = 512
FIELD_LETTERS = 40
"""A single field this long is told apart by itself: a record's body may be slipped in without its other fields."""
TEMPLATE_SAMPLES = 12_000
_FIELD = "\x1e"
MAX_WORDS, MAX_LETTERS = 8, 96
MIN_TERM_LETTERS = 4
_TAG = re.compile(r"\{[{%#].*?[}%#]\}", re.DOTALL)
_QUOTED = re.compile(r'"([^"]*)"')


@dataclass
class Parts:
    """One document, ready for hashing."""

    name: str
    text: str
    fields: list[str]
    identifiers: set[str] = field(default_factory=set)


def prepare(name: str, values: list[str]) -> Parts:
    """Fold a document's strings."""
    folded = fold(_FIELD.join(value.replace(_FIELD, " ") for value in values))
    spoken = [words(value) for value in folded.split(_FIELD)]
    return Parts(
        name,
        " ".join(part for part in spoken if part),
        [part for part in spoken if len(part) >= FIELD_LETTERS],
        identifiers(folded),
    )


def batches(found: Iterable[Parts], size: int = BATCH) -> Iterator[list[Parts]]:
    """Documents in groups."""
    iterator = iter(found)
    while group := list(islice(iterator, size)):
        yield group


def boilerplate(hasher: Hasher, count: int = TEMPLATE_SAMPLES) -> U64:
    """Shingles of documents that the shipped templates give: wording of ours, whose presence proves nothing."""
    seen: list[U64] = []
    for group in batches(prepare(document["id"], list(strings(document))) for document in documents(count, seed=0)):
        batch = lay([parts.text for parts in group])
        seen.append(np.unique(hasher.shingles(batch, hasher.sums(batch))[0]))
    return np.unique(np.concatenate(seen))


def fixed_wording(hasher: Hasher, root: Path = TEMPLATES) -> U64:
    """Shingles of what the templates say whatever the seed: a record found here was pasted into a template."""
    said = []
    for path in sorted(root.glob("*/*.j2")):
        source = path.read_text(encoding="utf-8")
        said += _TAG.split(source) + [text for tag in _TAG.findall(source) for text in _QUOTED.findall(tag)]
    batch = lay([words(fold(text)) for text in said])
    return np.unique(hasher.shingles(batch, hasher.sums(batch))[0])


def _distinct(hashes: U64, owners: I64) -> tuple[U64, I64]:
    order = np.lexsort((hashes, owners))
    hashes, owners = hashes[order], owners[order]
    if len(hashes):
        first = np.concatenate(([True], (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])))
        hashes, owners = hashes[first], owners[first]
    return hashes, owners


def fingerprint(
    records: Iterable[tuple[str, list[str]]],
    key: bytes,
    *,
    terms: Iterable[str] = (),
    canaries: Iterable[str] = (),
    samples: int = TEMPLATE_SAMPLES,
) -> Fingerprints:
    """Fingerprints of records, dictionary terms and canaries.

    Args:
        records: name and strings of each; the names are kept nowhere.
        key: the guard's key.
        terms: names of clients, matters, products.
        canaries: planted sentences.
        samples: documents of the templates whose wording is set aside; fewer is quicker and raises more false alarms.

    Raises:
        ConfigError: there is no record, or a term is too short to mean anything.
        StepError: a record stands in the shipped templates word for word.
    """
    hasher = Hasher(key)
    common = boilerplate(hasher, samples)
    exact: set[bytes] = set()
    named: set[int] = set()
    shingles, owners, sizes = [np.empty(0, np.uint64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    count = repeated = unseen = 0
    names: list[str] = []
    for group in batches(prepare(name, values) for name, values in records):
        fresh = []
        for parts in group:
            count += 1
            digest = hasher.exact(parts.text)
            named.update(map(hasher.identifier, parts.identifiers))
            exact.update(map(hasher.exact, parts.fields))
            if digest in exact and parts.text not in parts.fields:
                repeated += 1
                continue
            exact.add(digest)
            unseen += not parts.text
            fresh.append(parts)
        batch = lay([parts.text for parts in fresh])
        hashes, whose = _distinct(*hasher.shingles(batch, hasher.sums(batch)))
        shingles.append(hashes)
        owners.append(whose + len(names))
        sizes.append(np.bincount(whose, minlength=len(fresh)))
        names += [parts.name for parts in fresh]
    if not count or unseen == count:
        raise ConfigError("no record with text", rule="a guard without records would pass everything", fix="name the real records")
    values, whose, lengths = np.concatenate(shingles), np.concatenate(owners), np.concatenate(sizes)
    ours = np.isin(values, common)
    pasted = np.bincount(whose[np.isin(values, fixed_wording(hasher))], minlength=len(names))
    inside = np.flatnonzero((lengths >= 10) & (pasted > 0.9 * lengths))
    if len(inside):
        raise StepError(
            "fingerprint", f"record {names[int(inside[0])]} stands in the templates", fix="take it out of curtilage/finetune/templates"
        )
    shared, often = np.unique(values, return_counts=True)
    # Wording that very many records share is a form of the house, not of a client; a record itself may come in many versions.
    forms = shared[often > min(max(50, len(names) // 20), 1000)]
    kept = ~ours & ~np.isin(values, forms)
    values, whose = values[kept], whose[kept]
    order = np.argsort(values, kind="stable")
    dictionary, shape = _dictionary(hasher, terms)
    secret, more = _dictionary(hasher, canaries)
    return Fingerprints(
        exact=np.array(sorted(digest.hex() for digest in exact), dtype="S32"),
        shingles=values[order],
        records=whose[order],
        sizes=np.bincount(whose, minlength=len(names)).astype(np.int64),
        boilerplate=np.unique(np.concatenate((common, forms))),
        terms=np.unique(np.array([*dictionary, *secret], dtype=np.uint64)),
        canaries=np.array(sorted(secret), dtype=np.uint64),
        shape=shape | more,
        identifiers=np.array(sorted(named), dtype=np.uint64),
        about={
            "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "key": key_id(key),
            "templates": templates_digest(),
            "records": count,
            "repeated_records": repeated,
            "records_without_text": unseen,
            "records_known_exactly_only": int((np.bincount(whose, minlength=len(names)) < 4).sum()),
            "terms": len(dictionary),
            "canaries": len(secret),
            "identifiers": len(named),
            "fingerprints": len(exact) + len(values) + len(dictionary) + len(secret) + len(named),
        },
    )


def _dictionary(hasher: Hasher, terms: Iterable[str]) -> tuple[set[int], np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    shape = np.zeros((MAX_WORDS + 1, MAX_LETTERS + 1), dtype=bool)
    found: set[int] = set()
    for number, term in enumerate(terms, start=1):
        spoken = words(fold(term))
        letters = len(spoken.replace(" ", "").encode())
        count = spoken.count(" ") + 1
        if letters < MIN_TERM_LETTERS or letters >= MAX_LETTERS or count > MAX_WORDS:
            raise ConfigError(
                f"term {number} has {letters} letters in {count} words",
                rule=f"a term has {MIN_TERM_LETTERS} to {MAX_LETTERS - 1} letters in at most {MAX_WORDS} words",
                fix="write a longer or a shorter form of it",
            )
        # Also as fewer words: a name may be written without its space.
        shape[1 : count + 1, letters] = True
        found.add(hasher.term(spoken))
    return found, shape
