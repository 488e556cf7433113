"""A request as it comes: bounded, strict, and refused wherever two readers could read two things."""

# ruff: noqa: E501 - one case after the other

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.wire import Disconnected, headers_of, parse_object, read_body


def refused(body: bytes) -> Reason:
    with pytest.raises(Refusal) as error:
        parse_object(body)
    return error.value.reason


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 2}', b'{"a": {"b": 1, "b": 2}}', b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1} {"b": 2}', b'{"a": 1}x', b"[]", b'"a"', b"",
        b'{"a": "\\ud800"}', b'\xff{"a": 1}', b'{"a": 1,}', b"{'a': 1}", b'{"a": 01}', b'\xef\xbb\xbf{"a": 1}', b'{"a": 1}\x00', b'{"a": "\x01"}',
        b'{"a": "' + "é".encode("latin-1") + b'"}', b'{"\\u0061": 1, "a": 2}',
    ],
)  # fmt: skip
def test_what_two_parsers_could_read_differently_is_refused(body) -> None:
    assert refused(body) is Reason.BODY_MALFORMED


@pytest.mark.parametrize("opening", [b'{"a":', b'{"a":['])
def test_nesting_has_an_end(opening) -> None:
    closing = b"}" if opening.endswith(b":") else b"]}"
    assert parse_object(opening * 20 + b"1" + closing * 20)
    for depth in (200, 100_000):
        assert refused(opening * depth + b"1" + closing * depth) is Reason.BODY_MALFORMED


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_refusal(body) -> None:
    with contextlib.suppress(Refusal):  # and nothing else is raised
        assert isinstance(parse_object(body), dict)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner, max_size=3),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), values, max_size=4), st.booleans())
def test_every_plain_object_is_read_as_it_is(tree, ascii_only) -> None:
    assert parse_object(json.dumps(tree, ensure_ascii=ascii_only).encode()) == tree


@pytest.mark.parametrize("name", [b"host", b"authorization", b"x-api-key", b"content-length", b"transfer-encoding", b"x-curtilage-matter"])
def test_a_header_that_decides_something_comes_once(name) -> None:
    assert headers_of({"headers": [(name, b"1"), (b"accept", b"a"), (b"accept", b"b")]})[name] == b"1"
    with pytest.raises(Refusal):
        headers_of({"headers": [(name, b"1"), (name, b"1")]})


def _read(
    chunks: list[bytes], headers: dict[bytes, bytes] | None = None, *, limit: int = 10, seconds: float = 5.0, pause: float = 0.0
) -> bytes:
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> dict:
        await asyncio.sleep(pause)
        return messages.pop(0)

    return asyncio.run(read_body({}, headers or {}, receive, limit=limit, seconds=seconds))


def test_a_body_is_bounded_in_size_whatever_it_says_of_itself() -> None:
    assert _read([b"12345", b"67890"]) == b"1234567890"
    for chunks, headers in (
        ([b"12345", b"678901"], {}),
        ([b"1"], {b"content-length": b"11"}),
        ([b"123456", b"78901"], {b"content-length": b"5"}),
    ):
        with pytest.raises(Refusal) as error:
            _read(chunks, headers)
        assert error.value.reason is Reason.BODY_TOO_LARGE


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"zstd", b"deflate, gzip", b"GZIP", b"x-unknown"])
def test_nothing_that_grows_on_the_way_in_is_taken(encoding) -> None:
    with pytest.raises(Refusal) as error:
        _read([b"\x1f\x8b"], {b"content-encoding": encoding})
    assert error.value.reason is Reason.ENCODING_REFUSED


def test_a_body_that_does_not_come_in_time_is_refused() -> None:
    with pytest.raises(Refusal) as error:
        _read([b"1", b"2", b"3"], seconds=0.05, pause=0.03)
    assert error.value.reason is Reason.BODY_TOO_SLOW


def test_a_client_that_leaves_before_its_request_is_whole_is_no_request() -> None:
    async def receive() -> dict:
        return {"type": "http.disconnect"}

    with pytest.raises(Disconnected):
        asyncio.run(read_body({}, {}, receive, limit=10, seconds=1))
