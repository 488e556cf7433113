"""Mistral: OpenAI's shapes with a few names of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from curtilage.gateway.reasons import Reason
from curtilage.gateway.surfaces.base import Call, Route, Tree, expect
from curtilage.gateway.surfaces.openai import ChatCompletions, OpenAI
from curtilage.gateway.surfaces.openai_more import Embeddings

_RENAMED = {"random_seed": "seed"}


class MistralChat(ChatCompletions):
    """``/v1/chat/completions``."""

    def accept(self, body: Tree) -> Call:
        given = {_RENAMED.get(key, key): value for key, value in body.items()}
        if given.get("tool_choice") == "any":
            given["tool_choice"] = "required"
        given["messages"] = [_message(message) for message in expect(body.get("messages"), list, "messages")]
        if isinstance(given.get("tools"), list):
            given["tools"] = [{"type": "function", **tool} if isinstance(tool, dict) else tool for tool in given["tools"]]
        return super().accept(given)


class MistralEmbeddings(Embeddings):
    """``/v1/embeddings``."""

    def accept(self, body: Tree) -> Call:
        return super().accept({"dimensions" if key == "output_dimension" else key: value for key, value in body.items()})


class Mistral(OpenAI):
    """``api.mistral.ai``."""

    name: ClassVar[str] = "mistral"
    routes: ClassVar[tuple[Route, ...]] = (
        Route("POST", "/v1/chat/completions", MistralChat),
        Route("POST", "/v1/embeddings", MistralEmbeddings),
        Route("GET", "/v1/models", None),
    )

    def error(self, reason: Reason, message: str, status: int, call: str) -> Tree:
        inner = super().error(reason, message, status, call)["error"]
        return {"object": "error", **inner, "raw_status_code": status}


def _message(message: Any) -> Any:
    """A message without what steers Mistral's own service, and without thoughts of earlier turns."""
    if not isinstance(message, dict):
        return message
    kept = {key: value for key, value in message.items() if key != "prefix"}
    if isinstance(kept.get("content"), list):
        kept["content"] = [part for part in kept["content"] if not (isinstance(part, dict) and part.get("type") == "thinking")]
    if isinstance(kept.get("tool_calls"), list):
        kept["tool_calls"] = [_tool_call(item) for item in kept["tool_calls"]]
    return kept


def _tool_call(item: Any) -> Any:
    """Mistral writes the type as null, and numbers a call in its message."""
    return {key: value for key, value in item.items() if key != "index" and value is not None} if isinstance(item, dict) else item
