"""The guard on answers: however a stream is cut, the caller gets what the unary answer would have said, and nothing before it is judged."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curtilage.gateway import sse
from curtilage.gateway.guard import TextGuard
from curtilage.gateway.surfaces.openai import ChatRelay
from curtilage.sanitize.placeholders import Vault
from curtilage.sanitize.sanitizer import Sanitizer

SANITIZER = Sanitizer()
VAULT = Vault(b"k" * 32)
TOKEN = VAULT.placeholder("EMAIL", "jane@example.com")
TEXTS = [
    f"Write to {TOKEN}, please. Then call +49 30 901820 or pay DE89 3704 0044 0532 0130 00 at once; see [1] and [NOTE].",
    "Card 4111 1111 1111 1111. SSN 123-45-6789. bob@example.org (12 O 345/21)",
    'Thus Marieke van \'t Hof, "Kowalczyk, Maria" and Mathilde de la Rochefoucauld at jane.roe @ example.com said so.',
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


def frames(text: str, sizes: list[int]) -> list[bytes]:
    """A streamed chat completion, its text in pieces of these sizes, as the model host writes it."""
    pieces, position = [], 0
    for size in sizes:
        pieces.append(text[position : position + size])
        position += size
    deltas = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in (*pieces, text[position:])), {}]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks[-1]["choices"][0]["finish_reason"] = "stop"
    return [*(sse.encode(json.dumps(chunk).encode()) for chunk in chunks), sse.encode(b"[DONE]")]


def relayed(reads: list[bytes]) -> tuple[list[str], int]:
    """What left after each read, and how many events in all."""
    relay, parser, texts, count = ChatRelay(lambda _: guard()), sse.Parser(), [], 0
    for read in reads:
        out = b"".join(now + end for now, end in relay.feed_all(parser.feed(read)))
        events = [event.data for event in sse.Parser().feed(out) if event.data != b"[DONE]"]
        count += len(events)
        texts.append("".join(json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events))
    return texts, count


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TEXTS), st.lists(st.integers(1, 12), min_size=1, max_size=100), st.integers(2, 20))
def test_frames_read_together_say_the_same_by_the_same_number_of_frames_and_hold_back_no_more(text, sizes, together) -> None:
    written = frames(text, sizes)
    joined = [b"".join(written[at : at + together]) for at in range(0, len(written), together)]
    (one_by_one, count), (at_once, same) = relayed(written), relayed(joined)
    assert "".join(at_once) == "".join(one_by_one) == guard().whole(text)
    assert same == count == len(written) - 1
    position = 0
    for number, said in enumerate(at_once):
        position += len(said)
        assert position >= len("".join(one_by_one[: (number + 1) * together]))


def test_text_of_two_choices_read_together_does_not_wait_for_the_other() -> None:
    chunk = '{"choices": [{"index": %d, "delta": {"content": "Some text "}, "finish_reason": null}]}'
    relay = ChatRelay(lambda _: guard())
    events = [sse.Event("", (chunk % number).encode()) for number in (0, 1, 0, 1)]
    assert [now.count(b"text ") for now, _ in relay.feed_all(events)] == [1, 1, 1, 1]


def test_what_came_before_an_event_that_is_none_leaves_before_it_is_told() -> None:
    relay, out = ChatRelay(lambda _: guard()), list[bytes]()
    good = sse.Event("", b'{"choices": [{"index": 0, "delta": {"content": "Some text "}, "finish_reason": null}]}')
    with pytest.raises(ValueError, match="string key"):
        out.extend(now for now, _ in relay.feed_all([good, good, sse.Event("", b"{not json")]))
    sound = [now for now, _ in ChatRelay(lambda _: guard()).feed_all([good, good])]
    assert b"".join(out) == b"".join(sound)
    assert b"Some text" in b"".join(out)
