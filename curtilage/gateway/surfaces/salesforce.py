"""Salesforce's Models API, at both of its bases.

Source: the Salesforce Mobile SDK and the Models API's reference: generations, chat generations, embeddings; text only, and no stream.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

from curtilage.gateway.reasons import Reason
from curtilage.gateway.surfaces.base import Dialect, Route, Tree, expect, texts
from curtilage.gateway.surfaces.bedrock_invoke import invoke, invoke_stream
from curtilage.gateway.surfaces.openai_responses import Responses
from curtilage.gateway.surfaces.translated import TranslatedChat, TranslatedEmbeddings, text_of

_QUALITY = {"scanToxicity": {"isDetected": False, "categories": []}}
_STATUS = {400: "BAD_REQUEST", 403: "FORBIDDEN", 413: "PAYLOAD_TOO_LARGE", 429: "TOO_MANY_REQUESTS", 503: "SERVICE_UNAVAILABLE"}


class _Generation(TranslatedChat):
    """What both kinds have in common."""

    known: ClassVar[frozenset[str]]

    def translate(self, body: Tree, dropped: Counter[str]) -> Tree:
        dropped["parameter"] += len(body.keys() - {"model", "localization", "tags", *self.known})
        return {"model": body.get("model"), "metadata": body.get("tags"), "messages": self.messages(body)}

    @abstractmethod
    def messages(self, body: Tree) -> list[Tree]:
        """The conversation."""


class Generations(_Generation):
    """``/generations``."""

    known = frozenset(("prompt",))

    def messages(self, body: Tree) -> list[Tree]:
        return [{"role": "user", "content": expect(body.get("prompt"), str, "prompt")}]

    def say(self, tree: Tree) -> Tree:
        text, finish, _ = text_of(tree)
        generation = {
            "id": tree.get("id"),
            "generatedText": text,
            "contentQuality": _QUALITY,
            "parameters": {"finish_reason": finish, "index": 0, "logprobs": None},
        }
        return {"id": tree.get("id"), "generation": generation, "moreGenerations": None, "prompt": None, "parameters": _parameters(tree)}


class ChatGenerations(_Generation):
    """``/chat-generations``."""

    known = frozenset(("messages",))

    def messages(self, body: Tree) -> list[Tree]:
        found = [expect(said, dict, "messages[]") for said in expect(body.get("messages"), list, "messages")]
        return [{"role": said.get("role"), "content": expect(said.get("content"), str, "messages[].content")} for said in found]

    def say(self, tree: Tree) -> Tree:
        text, finish, _ = text_of(tree)
        generation = {
            "id": tree.get("id"),
            "role": "assistant",
            "content": text,
            "timestamp": int(time.time() * 1000),
            "contentQuality": _QUALITY,
            "parameters": {"finish_reason": finish, "index": 0, "logprobs": None},
        }
        return {"id": tree.get("id"), "generationDetails": {"generations": [generation], "parameters": _parameters(tree)}}


class SalesforceEmbeddings(TranslatedEmbeddings):
    """``/embeddings``."""

    def translate(self, body: Tree) -> Tree:
        return {"model": body.get("model"), "input": texts(body.get("input"), "input"), "metadata": body.get("tags")}

    def say(self, vectors: list[list[float]], usage: Tree) -> Tree:
        return {
            "embeddings": [{"embedding": vector, "index": place} for place, vector in enumerate(vectors)],
            "parameters": {"usage": usage, "object": "list"},
        }


class Salesforce(Dialect):
    """``api.salesforce.com``."""

    name: ClassVar[str] = "salesforce"
    routes: ClassVar[tuple[Route, ...]] = (
        Route("POST", "/einstein/platform/v1/models/{model}/generations", Generations),
        Route("POST", "/einstein/platform/v1/models/{model}/chat-generations", ChatGenerations),
        Route("POST", "/einstein/platform/v1/models/{model}/embeddings", SalesforceEmbeddings),
        Route("POST", "/ai/gpt/v1/model/{model}/invoke", invoke, encoded=True),
        Route("POST", "/ai/gpt/v1/model/{model}/invoke-with-response-stream", invoke_stream, encoded=True),
        Route("POST", "/ai/gpt/v1/responses", Responses),
    )

    def error(self, reason: Reason, message: str, status: int, call: str) -> Tree:
        return {"errorCode": _STATUS.get(status, "INTERNAL_ERROR"), "message": f"{message} ({reason})", "code": reason.value, "call": call}

    def models(self, names: Iterable[str]) -> Tree:
        return {"models": [{"name": name} for name in names]}


def _parameters(tree: Tree) -> Any:
    return {
        "provider": "curtilage",
        "created": tree.get("created"),
        "usage": tree.get("usage"),
        "model": tree.get("model"),
        "system_fingerprint": None,
        "object": "chat.completion",
    }
