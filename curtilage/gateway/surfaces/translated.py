"""What dialects have in common that the model server does not speak: they are translated into chat completions, and back.

The walker cleans the translation, so what it sees is what goes on; the way back begins with the guarded answer, so what a dialect writes is
what the guard let through.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from typing import Any

import orjson

from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.surfaces.base import Call, MakeGuard, Tree, expect, guarded, part
from curtilage.gateway.surfaces.openai import ChatCompletions, ChatRelay
from curtilage.gateway.surfaces.openai_more import Embeddings, vectors_of

_NO_TOOLS = "a tool call in a dialect without tools"


class TranslatedChat(ChatCompletions):
    """A chat of another dialect."""

    def accept(self, body: Tree) -> Call:
        dropped: Counter[str] = Counter()
        call = super().accept({key: value for key, value in self.translate(body, dropped).items() if value is not None})
        call.dropped += dropped
        if call.stream:
            call.body["stream_options"] = {"include_usage": True}
        return call

    def answer(self, tree: Any, make_guard: MakeGuard) -> Tree:
        return self.say(super().answer(tree, make_guard))

    @abstractmethod
    def translate(self, body: Tree, dropped: Counter[str]) -> Tree:
        """The caller's body as one of chat completions, model and stream included."""

    @abstractmethod
    def say(self, tree: Tree) -> Tree:
        """A guarded chat completion in the caller's dialect."""


class TranslatedEmbeddings(Embeddings):
    """Vectors in another dialect's shape."""

    def accept(self, body: Tree) -> Call:
        return super().accept({key: value for key, value in self.translate(body).items() if value is not None})

    def answer(self, tree: Any, make_guard: MakeGuard) -> Tree:
        return self.say([part(vector, list) for vector in vectors_of(tree)], guarded(part(tree.get("usage") or {}, dict), make_guard))

    @abstractmethod
    def translate(self, body: Tree) -> Tree:
        """The caller's body as one of embeddings: model, input, dimensions."""

    @abstractmethod
    def say(self, vectors: list[list[float]], usage: Tree) -> Tree:
        """The vectors in the caller's dialect."""


class TranslatedRelay(ChatRelay):
    """Chunks of one choice, as text, calls and an end; a dialect writes each in its own way."""

    def __init__(self, make_guard: MakeGuard) -> None:
        super().__init__(make_guard)
        self.usage: Tree = {}
        self.finish = ""
        self.stop_sequence: str | None = None
        self.id = self.model = ""
        self.calls: dict[int, Tree] = {}

    def next(self, chunk: Tree) -> bytes:
        first = not self.id
        self.id, self.model = self.id or str(chunk.get("id") or "call"), str(chunk.get("model") or "")
        self.usage = chunk.get("usage") or self.usage
        sent = self.begin() if first else b""
        for choice in chunk["choices"]:
            if choice["index"]:
                raise ValueError("more than one choice")
            delta = choice["delta"]
            calls = delta.get("tool_calls") or ()
            before = [item for item in calls if item["index"] in self.calls]  # the rest of a call that text comes after
            sent += b"".join(map(self._call, before))
            if delta.get("content"):
                sent += self.text(part(delta["content"], str))
            sent += b"".join(self._call(item) for item in calls if item not in before)
            if choice.get("finish_reason"):
                self.finish = part(choice["finish_reason"], str)
                self.stop_sequence = choice.get("stop_reason") if isinstance(choice.get("stop_reason"), str) else None
        return sent

    def _call(self, item: Tree) -> bytes:
        function = item.get("function") or {}
        known = self.calls.get(item["index"])
        sent = b""
        if known is None:
            known = self.calls[item["index"]] = {"id": item.get("id") or f"call_{item['index']}", "name": "", "arguments": ""}
            known["name"] = function.get("name") or ""
            sent = self.call_begins(item["index"], known)
        elif function.get("name"):
            known["name"] += function["name"]
        arguments = function.get("arguments") or ""
        known["arguments"] += arguments
        return sent + (self.call_goes_on(item["index"], arguments) if arguments else b"")

    def begin(self) -> bytes:
        """What comes before any text."""
        return b""

    @abstractmethod
    def text(self, text: str) -> bytes:
        """Some text."""

    @abstractmethod
    def call_begins(self, index: int, call: Tree) -> bytes:
        """A tool call begins. Raises ValueError where the dialect has none."""

    @abstractmethod
    def call_goes_on(self, index: int, arguments: str) -> bytes:
        """A piece of a tool call's arguments."""


class TextRelay(TranslatedRelay):
    """A stream in a dialect without tools: a tool call can be neither told nor left out, so the answer is none."""

    def call_begins(self, index: int, call: Tree) -> bytes:
        raise ValueError(_NO_TOOLS)

    def call_goes_on(self, index: int, arguments: str) -> bytes:
        raise ValueError(_NO_TOOLS)


def arguments_of(source: Any) -> Tree:
    """A tool call's arguments, parsed. Raises ValueError when they are none: an answer cut off is not made whole here."""
    return part(orjson.loads(source or "{}"), dict)


def tool(name: Any, description: Any, schema: Any) -> Tree:
    """A tool in the shape of chat completions."""
    function = {"name": expect(name, str, "the name of a tool"), "parameters": schema if schema is not None else {"type": "object"}}
    if description is not None:
        function["description"] = description
    return {"type": "function", "function": function}


def call_of(identifier: str, name: Any, arguments: Any) -> Tree:
    """A tool call of an earlier turn."""
    source = arguments if isinstance(arguments, str) else orjson.dumps(arguments if arguments is not None else {}).decode()
    return {"id": identifier, "type": "function", "function": {"name": expect(name, str, "the name of a tool call"), "arguments": source}}


def result_of(identifier: str, content: Any) -> Tree:
    """What a tool gave."""
    text = content if isinstance(content, str) else orjson.dumps(content).decode()
    return {"role": "tool", "tool_call_id": identifier, "content": text}


def only_text(what: str) -> Refusal:
    """The refusal of a part that is no text."""
    return Refusal(
        Reason.ATTACHMENT_REFUSED,
        f"{what}: only text and tool calls; images, documents, audio and addresses to fetch are refused",
    )


def first_choice(tree: Tree) -> tuple[str, list[Tree], str, str | None]:
    """Text, tool calls, why it ended and the stop sequence that was met, of a guarded chat completion."""
    choice = tree["choices"][0]
    message = choice["message"]
    stop = choice.get("stop_reason")
    return message.get("content") or "", message.get("tool_calls") or [], choice["finish_reason"], stop if isinstance(stop, str) else None


def text_of(tree: Tree) -> tuple[str, str, str | None]:
    """Text, why it ended and the stop sequence that was met, in a dialect without tools. Raises ValueError on a tool call."""
    text, calls, finish, stop = first_choice(tree)
    if calls:
        raise ValueError(_NO_TOOLS)
    return text, finish, stop


def tokens_of(usage: Any) -> tuple[int, int]:
    """Tokens read and written."""
    usage = usage if isinstance(usage, dict) else {}
    return int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
