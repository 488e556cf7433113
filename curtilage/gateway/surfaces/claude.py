"""Claude elsewhere: Anthropic's bodies under the paths of Google's and Amazon's clouds, with the model in the path."""

from __future__ import annotations

import base64
from typing import ClassVar

import orjson

from curtilage.gateway.reasons import Reason
from curtilage.gateway.sse import Event, Parser
from curtilage.gateway.surfaces.anthropic import CountTokens, MessageRelay, Messages
from curtilage.gateway.surfaces.base import Call, MakeGuard, StreamRelay, Tree
from curtilage.gateway.surfaces.eventstream import CONTENT_TYPE, exception, message

_THEIRS = ("anthropic_version", "anthropic_beta", "stream")


class VertexMessages(Messages):
    """``:rawPredict``."""

    streams: ClassVar[bool] = False

    def accept(self, body: Tree) -> Call:
        return super().accept({key: value for key, value in body.items() if key not in _THEIRS} | {"stream": self.streams})


class VertexStream(VertexMessages):
    """``:streamRawPredict``."""

    streams: ClassVar[bool] = True


class VertexCount(CountTokens):
    """``count-tokens:rawPredict``: here the body names the model."""


class BedrockMessages(VertexMessages):
    """``/invoke`` of a model of Anthropic's."""


class BedrockMessagesStream(VertexMessages):
    """``/invoke-with-response-stream``: each of Anthropic's events in a frame of Amazon's."""

    streams: ClassVar[bool] = True
    stream_type = CONTENT_TYPE

    def relay(self, make_guard: MakeGuard) -> StreamRelay:
        return _Framed(make_guard)

    def error_event(self, reason: Reason, text: str, call: str) -> bytes:
        return exception(reason, text, call)


class _Framed(MessageRelay):
    """The same events, framed."""

    def feed(self, event: Event) -> tuple[bytes, bytes]:
        now, held = super().feed(event)
        return _frames(now), _frames(held)


def _frames(events: bytes) -> bytes:
    return b"".join(chunk(event.data) for event in Parser().feed(events)) if events else b""


def chunk(data: bytes) -> bytes:
    """One piece of a model's own stream."""
    return message("chunk", orjson.dumps({"bytes": base64.b64encode(data).decode()}))
