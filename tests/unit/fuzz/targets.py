"""What is fuzzed: every reader of bytes from outside. A target raises when something is not as it must be; a refusal is as it must be.

``tools/fuzz.py`` runs them under a coverage-guided fuzzer; ``test_seeds.py`` runs the kept inputs on every test run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

from curtilage.audit.tiles import decode_bundle
from curtilage.audit.verify_parse import read_head, split_entries
from curtilage.gateway import sse
from curtilage.gateway.guard import TextGuard
from curtilage.gateway.reasons import Refusal
from curtilage.gateway.wire import parse_object
from curtilage.sanitize.placeholders import Vault
from curtilage.sanitize.sanitizer import Findings, Sanitizer, SanitizerRefusal
from curtilage.sanitize.unicode import fold_with_offsets

SECRET = "zebra-settles-at-two-million"
KEY = ("fuzz.example/ledger", b"abcd", b"\x01" * 32)


@lru_cache(maxsize=1)
def sanitizer() -> Sanitizer:
    return Sanitizer()


def request_body(data: bytes) -> None:
    """A body is an object that is written and read back as it is, or a refusal."""
    try:
        tree = parse_object(data)
    except Refusal:
        return
    assert parse_object(json.dumps(tree).encode()) == tree


def text(data: bytes) -> None:
    """Any text is cleaned or refused; a privileged field put behind it is gone; what was cleaned is clean."""
    given = data.decode("utf-8", "replace")[:2000]
    findings = Findings(Vault(b"k" * 32))
    try:
        cleaned = sanitizer().clean({"content": [given, {"legal_case_strategy__c": SECRET}]}, findings)
    except SanitizerRefusal:
        return
    assert SECRET not in json.dumps(cleaned)


def tree(data: bytes) -> None:
    """Any JSON document keeps its type and loses a privileged field wherever it stands."""
    if b"zebra" in data:
        return  # under a key of its own the secret may stay
    try:
        given = json.loads(data)
        json.dumps(given, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return
    try:
        cleaned = sanitizer().clean(
            {"a": [given], "legal_case_strategy__c": given, "b": {"Legal_Case_Strategy__r": SECRET}}, Findings(Vault(b"k" * 32))
        )
    except SanitizerRefusal:
        return
    assert SECRET not in json.dumps(cleaned)
    assert set(cleaned) <= {"a", "b"}


def folding(data: bytes) -> None:
    """Each folded character came from one place, in order."""
    given = data.decode("utf-8", "replace")
    folded, offsets = fold_with_offsets(given)
    if offsets is None:
        assert len(folded) == len(given)
    else:
        assert len(offsets) == len(folded) + 1
        assert offsets == sorted(offsets)
        assert offsets[-1] == len(given)


def answer_stream(data: bytes) -> None:
    """An answer in pieces says what it says in one piece, or less."""
    given = data.decode("utf-8", "replace")[:600]
    size = 1 + len(data) % 7
    vault = Vault(b"k" * 32)
    whole = TextGuard(sanitizer(), vault, personal_data=True, counts=Counter()).whole(given)
    guard = TextGuard(sanitizer(), vault, personal_data=True, counts=Counter())
    pieces = "".join(guard.push(given[at : at + size]) for at in range(0, len(given), size)) + guard.flush()
    for said in (whole, pieces):
        assert "jane.roe@example.com" not in said
        assert "DE89370400440532013000" not in said


def events(data: bytes) -> None:
    """Events are the same whatever the borders of the chunks are."""
    at_once, bit_by_bit = sse.Parser(), sse.Parser()
    expected = at_once.feed(data)
    found = [event for at in range(0, len(data), 3) for event in bit_by_bit.feed(data[at : at + 3])]
    assert found == expected[: len(found)]
    assert len(expected) - len(found) <= 1  # a lone CR at the end waits for what comes


def ledger_files(data: bytes) -> None:
    """Heads and bundles that are not well-formed are said to be so, and nothing else happens; both readers agree."""
    assert isinstance(read_head(data, KEY), str)  # nobody can sign with this key
    entries = split_entries(data)
    try:
        other: list[bytes] | None = decode_bundle(data)
    except ValueError:
        other = None
    assert entries == other


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (request_body, text, tree, folding, answer_stream, events, ledger_files)
}
