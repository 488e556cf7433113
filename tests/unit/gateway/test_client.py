"""The client for model hosts, held against servers that answer as no model host should."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from curtilage.gateway.client import MAX_HEAD, BrokenAnswer, Endpoint, NoAnswer, Unreachable

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: 2\r\n\r\n{}"


def with_server(answers: list[bytes], what: Callable[[Endpoint, list[int]], Awaitable[None]], *, close: bool = False) -> None:
    """Run against a server that gives these answers in turn, over whatever connections come."""

    async def run() -> None:
        connections: list[int] = []
        left = list(answers)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(0)
            while await reader.readuntil(b"\r\n\r\n") and left:
                connections[-1] += 1
                writer.write(left.pop(0))
                await writer.drain()
                if close:
                    break
            writer.close()

        async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(reader, writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_server(quiet, "127.0.0.1", 0)
        endpoint = Endpoint(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", 2.0)
        try:
            async with asyncio.timeout(10):
                await what(endpoint, connections)
        finally:
            endpoint.close()
            server.close()

    asyncio.run(run())


async def whole(endpoint: Endpoint) -> bytes:
    connection = await endpoint.open("GET", "/health")
    try:
        await connection.head()
        return b"".join([chunk async for chunk in connection.chunks()])
    finally:
        connection.release()


def test_a_connection_is_used_again_after_a_whole_answer() -> None:
    async def what(endpoint: Endpoint, connections: list[int]) -> None:
        assert [await whole(endpoint), await whole(endpoint)] == [b"{}", b"{}"]
        assert connections == [2]

    with_server([OK, OK], what)


def test_a_chunked_answer_is_whole_and_its_type_is_read() -> None:
    async def what(endpoint: Endpoint, connections: list[int]) -> None:
        connection = await endpoint.open("POST", "/x", b"{}")
        await connection.head()
        assert (connection.status, connection.content_type) == (200, "text/event-stream")
        assert b"".join([chunk async for chunk in connection.chunks()]) == b"abcde"
        connection.release()

    head = b"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream\r\ntransfer-encoding: chunked\r\n\r\n"
    with_server([head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"], what)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", NoAnswer),
        (b"nonsense\r\n\r\n", BrokenAnswer),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", BrokenAnswer),
        (b"HTTP/1.1 200 OK\r\n\r\nwithout a length", BrokenAnswer),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", BrokenAnswer),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, BrokenAnswer),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * (MAX_HEAD + 1), BrokenAnswer),
    ],
    ids=["nothing", "not http", "cut", "no length", "two lengths", "interim", "endless head"],
)
def test_an_answer_that_could_be_cut_or_read_in_two_ways_is_an_error(answer: bytes, error: type[Exception]) -> None:
    async def what(endpoint: Endpoint, connections: list[int]) -> None:
        with pytest.raises(error):
            await whole(endpoint)

    with_server([answer], what, close=True)


def test_what_comes_after_an_answer_never_becomes_the_next_calls_answer() -> None:
    async def what(endpoint: Endpoint, connections: list[int]) -> None:
        with pytest.raises(BrokenAnswer):
            await whole(endpoint)
        assert await whole(endpoint) == b"{}"
        assert connections == [1, 1]

    with_server([OK + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged", OK], what)


def test_an_answer_left_half_read_ends_its_connection() -> None:
    async def what(endpoint: Endpoint, connections: list[int]) -> None:
        connection = await endpoint.open("GET", "/")
        await connection.head()
        connection.release()
        assert connection.gone
        assert await whole(endpoint) == b"{}"
        assert connections == [1, 1]

    with_server([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", OK], what)


def test_a_port_where_nobody_listens_is_unreachable() -> None:
    async def run() -> None:
        with pytest.raises(Unreachable):
            await Endpoint("http://127.0.0.1:9", 1.0).open("GET", "/")

    asyncio.run(run())
