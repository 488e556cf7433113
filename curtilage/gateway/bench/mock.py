"""A model host that costs next to nothing, so that what is measured is what stands before it: ``python -m curtilage.gateway.bench.mock``.

It speaks the chat completions dialect, unary and stream. A streamed frame carries in ``created`` when it was sent (CLOCK_MONOTONIC, in
nanoseconds), which every process of one machine reads alike; the receiver so knows how long each frame was on its way.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import cast

import httptools
import uvloop

FRAMES = 64
PACE_SECONDS = 0.02
_SENTENCE = "The clause stands as drafted and the parties may rely on it until notice is given under the agreement"
_WORDS = _SENTENCE.split()
_TEXT = " ".join(_WORDS * 8)[:800]


def _answer(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return head + body


_UNARY = _answer(
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"lab-mistral","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"' + _TEXT.encode() + b'"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":200,"completion_tokens":160,"total_tokens":360}}'
)
_MODELS = _answer(b'{"object":"list","data":[{"id":"lab-mistral","object":"model"}]}')
_HEALTH = _answer(b"{}")
_STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"


def _frame(delta: bytes, finish: bytes = b"null") -> bytes:
    data = (
        b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":%d,"model":"lab-mistral","choices":'
        b'[{"index":0,"delta":{%b},"finish_reason":%b}]}\n\n' % (time.monotonic_ns(), delta, finish)
    )
    return b"%x\r\n%b\r\n" % (len(data), data)


class _Host(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)
        self._streaming: asyncio.Task[None] | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._streaming is not None:
            self._streaming.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def on_message_begin(self) -> None:
        self._url, self._body = b"", b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            self._transport.write(_MODELS if self._url.endswith(b"/models") else _HEALTH)
        elif b'"stream":true' in self._body or b'"stream": true' in self._body:
            self._streaming = asyncio.get_running_loop().create_task(self._stream())
        else:
            self._transport.write(_UNARY)

    async def _stream(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport.write(_STREAM + _frame(b'"role":"assistant","content":""'))
        due = loop.time()
        for number in range(FRAMES):
            due += PACE_SECONDS
            await asyncio.sleep(due - loop.time())
            self._transport.write(_frame(b'"content":"%b"' % (_WORDS[number % len(_WORDS)] + " ").encode()))
        self._transport.write(_frame(b"", b'"stop"') + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Host, "127.0.0.1", port, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the port is its one answer
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
