"""The guard on answers: however a stream is cut, the caller gets what the unary answer would have said, and nothing before it is judged."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curtilage.gateway import sse
from curtilage.gateway.guard import TextGuard
from curtilage.sanitize.placeholders import Vault
from curtilage.sanitize.sanitizer import Sanitizer

SANITIZER = Sanitizer()
VAULT = Vault(b"k" * 32)
TOKEN = VAULT.placeholder("EMAIL", "jane@example.com")
TEXTS = [
    f"Write to {TOKEN}, please. Then call +49 30 901820 or pay DE89 3704 0044 0532 0130 00 at once; see [1] and [NOTE].",
    "Card 4111 1111 1111 1111. SSN 123-45-6789. bob@example.org (12 O 345/21)",
    "passport no. C01X00T47 was seen [EMAIL_AAAAAAAA] and XII ZR 123/20 too",
]


def guard() -> TextGuard:
    return TextGuard(SANITIZER, VAULT, personal_data=True, counts=Counter())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(TEXTS), st.lists(st.integers(1, 12), min_size=1, max_size=200))
def test_a_stream_says_what_the_whole_says(text, sizes) -> None:
    streamed, position, found = guard(), 0, ""
    for size in sizes:
        found += streamed.push(text[position : position + size])
        position += size
    found += streamed.push(text[position:]) + streamed.flush()
    assert found == guard().whole(text)
    assert not any(word in found for word in ("4111", "3704", "901820", "bob", "C01X"))


def test_words_leave_as_soon_as_the_next_one_begins() -> None:
    streamed = guard()
    assert [streamed.push(piece) for piece in ("The", " local", " model", " answers")] == ["", "The ", "local ", "model "]


def test_a_word_without_end_does_not_fill_the_memory() -> None:
    streamed = guard()
    assert len("".join(streamed.push("x" * 100) for _ in range(100))) > 9_000


def test_a_value_in_json_source_is_escaped() -> None:
    vault = Vault(b"k" * 32)
    token = vault.placeholder("EMAIL", 'a"b\\c@example.com')
    assert TextGuard(SANITIZER, vault, personal_data=True, counts=Counter(), in_json=True).whole(f'{{"to": "{token}"}}') == (
        '{"to": "a\\"b\\\\c@example.com"}'
    )


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 20), max_size=60), st.sampled_from([b"\n", b"\r\n"]))
def test_events_are_the_same_whatever_the_chunk_borders(sizes, newline) -> None:
    stream = newline.join((b"event: a", b"data: {1}", b"", b": note", b"", b"data: x", b"data: y", b"", b""))
    parser, events, position = sse.Parser(), [], 0
    for size in [*sizes, len(stream)]:
        events += parser.feed(stream[position : position + size])
        position += size
    assert events == [sse.Event("a", b"{1}"), sse.Event("", b"x\ny")]


def test_an_event_without_end_is_an_error() -> None:
    parser = sse.Parser()
    parser.feed(b"x" * sse.MAX_EVENT)
    with pytest.raises(ValueError, match="cap"):
        parser.feed(b"x")


@pytest.mark.parametrize("size", [1, 3, 7, 200])
def test_a_name_over_the_borders_of_chunks_is_taken_out_as_one(size) -> None:
    streamed = guard()
    text = "the witness Xanthippe Faerber said so, and that was it"
    out = "".join(streamed.push(text[start : start + size]) for start in range(0, len(text), size)) + streamed.flush()
    assert out == "the witness [PERSON_REMOVED] said so, and that was it"
