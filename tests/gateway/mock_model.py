"""A model host for tests of the gateway: it answers as vLLM does, fails as it is told to, and remembers every byte it saw."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.gateway import vllm_shapes


@dataclass
class Seen:
    """One request as the model host saw it."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.raw)


@dataclass
class MockModel:
    """Speaks both dialects as vLLM does; says what ``say`` returns for a request body, word by word."""

    mode: str = "ok"
    say: Callable[[dict[str, Any]], str] = lambda body: "The local model answers."
    arguments: str | None = None
    pace_seconds: float = 0.0
    chunk: int = 0  # characters per chunk; 0: by words
    seen: list[Seen] = field(default_factory=list)
    open_streams: int = 0
    port: int = 0
    models: tuple[str, ...] = ("lab-mistral", "lab-embed", "lab-rerank")  # what it says it serves
    root: str = ""  # where it says it loaded its model from
    adapters: dict[str, str] = field(default_factory=dict)  # name -> where it says it loaded that adapter from

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(self._serve())
            ready.set()
            self._loop.run_forever()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    async def _serve(self) -> None:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response()

    async def _models(self, request: web.Request) -> web.Response:
        served = dict.fromkeys(self.models, self.root) | self.adapters
        listed = [{"id": name, "object": "model", "root": root} for name, root in served.items()]
        return web.json_response({"object": "list", "data": listed})

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(Seen(request.path_qs, dict(request.headers), await request.read()))
        body = self.seen[-1].body
        if self.mode == "hang":
            await asyncio.sleep(30)
        if self.mode == "500":
            return web.Response(status=500, text="stack trace with secrets")
        if self.mode == "400":
            return web.json_response({"error": {"message": "too many tokens", "code": 400}}, status=400)
        if self.mode == "redirect":
            return web.Response(status=307, headers={"location": "http://192.0.2.99/elsewhere"})
        if self.mode == "garbage":
            return web.Response(body=b"\x00\xffnot json", content_type="text/html")
        if self.mode == "drop":
            request.transport.close()  # type: ignore[union-attr]
            return web.Response()
        text = self.say(body)
        anthropic = request.path == "/v1/messages"
        if not body.get("stream"):
            found = vllm_shapes.whole(request.path, body, text, self.arguments)
            return web.json_response(found or (self._anthropic(text) if anthropic else self._openai(text)))
        events: Any = self._anthropic_events if anthropic else self._openai_events
        if request.path == "/v1/completions":
            events = lambda said: vllm_shapes.completion_events(said, self._pieces)  # noqa: E731
        elif request.path == "/v1/responses":
            events = lambda said: vllm_shapes.response_events(said, self.arguments, self._pieces)  # noqa: E731
        return await self._stream(request, text, events)

    async def _stream(self, request: web.Request, text: str, events: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        self.open_streams += 1
        try:
            for number, event in enumerate(events(text)):
                if self.mode == "cut" and number == 3:
                    request.transport.close()  # type: ignore[union-attr]
                    return response
                if self.mode == "clean-cut" and number == 3:
                    break
                if self.mode == "stall" and number == 3:
                    await asyncio.sleep(30)
                if self.mode == "mid-garbage" and number == 3:
                    event = b"data: {not json}\n\n"
                await response.write(event)
                if self.pace_seconds:
                    await asyncio.sleep(self.pace_seconds)
        finally:
            self.open_streams -= 1
        return response

    def _pieces(self, text: str) -> list[str]:
        if self.chunk:
            return [text[at : at + self.chunk] for at in range(0, len(text), self.chunk)]
        return [word if at == 0 else " " + word for at, word in enumerate(text.split(" "))]

    def _openai(self, text: str) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if self.arguments is not None:
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": {"name": "look", "arguments": self.arguments}}]
        return {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "lab-mistral",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": vllm_shapes.USAGE,
        }  # fmt: skip

    def _openai_events(self, text: str) -> Iterator[bytes]:
        def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
            document = {
                "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "lab-mistral",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            }  # fmt: skip
            return b"data: " + json.dumps(document).encode() + b"\n\n"

        yield chunk({"role": "assistant", "content": ""})
        for piece in self._pieces(text):
            yield chunk({"content": piece})
        if self.arguments is not None:
            yield chunk({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": ""}}]})
            for piece in self._pieces(self.arguments):
                yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        yield chunk({}, "stop")
        yield b"data: [DONE]\n\n"

    def _anthropic(self, text: str) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "text", "text": text}]
        if self.arguments is not None:
            content.append({"type": "tool_use", "id": "toolu_1", "name": "look", "input": json.loads(self.arguments)})
        return {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "lab-mistral", "content": content,
            "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
        }  # fmt: skip

    def _anthropic_events(self, text: str) -> Iterator[bytes]:
        def event(name: str, **document: Any) -> bytes:
            return f"event: {name}\ndata: {json.dumps({'type': name, **document})}\n\n".encode()

        yield event("message_start", message={**self._anthropic(""), "content": [], "stop_reason": None})
        yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for piece in self._pieces(text):
            yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
        yield event("content_block_stop", index=0)
        if self.arguments is not None:
            yield event("content_block_start", index=1, content_block={"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}})
            for piece in self._pieces(self.arguments):
                yield event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": piece})
            yield event("content_block_stop", index=1)
        yield event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 1})
        yield event("message_stop")
