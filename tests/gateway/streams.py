"""Reading answers of any dialect: every JSON document in them, and what is said, piece by piece."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from botocore.eventstream import EventStreamBuffer

_TEXT_KEYS = ("text", "content", "delta", "generation", "generatedText")


def documents_in(raw: bytes, content_type: str) -> list[Any]:
    """The JSON documents of an answer; frames are checked by botocore, checksums included."""
    if content_type.startswith("application/vnd.amazon.eventstream"):
        buffer = EventStreamBuffer()
        buffer.add_data(raw)
        found = []
        for event in buffer:
            document = json.loads(event.payload)
            found.append(json.loads(base64.b64decode(document["bytes"])) if "bytes" in document else document)
            if event.headers[":message-type"] == "event":
                found[-1] = {event.headers[":event-type"]: found[-1]}
        return found
    text = raw.decode()
    if content_type.startswith("text/event-stream"):
        data = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
        return [json.loads(line) if line.startswith("{") else line for line in data]
    if content_type.startswith("application/stream+json"):
        return [json.loads(line) for line in text.splitlines()]
    tree = json.loads(text)
    return tree if isinstance(tree, list) else [tree]


def said_in(raw: bytes, content_type: str) -> str:
    """What is said in an answer, its pieces put together."""
    return "".join(piece for document in documents_in(raw, content_type) for piece in _texts(document))


def _texts(node: Any, key: str = "") -> Iterator[str]:
    if isinstance(node, str) and key in _TEXT_KEYS:
        yield node
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from _texts(value, name)
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item, "")
