"""What the model server says beside chat: its real shapes (vllm 0.32, entrypoints/openai, pooling, serve/tokenize), for the mock."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

VECTOR = [0.25, -0.5, 0.125, -0.75, 0.0625, 0.5, -0.25, 1.0]
USAGE = {"prompt_tokens": 7, "total_tokens": 9, "completion_tokens": 2}
RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "model": "lab-mistral", "parallel_tool_calls": True, "temperature": 1.0,
    "tool_choice": "auto", "tools": [], "top_p": 1.0, "background": False, "max_output_tokens": 16, "service_tier": "auto",
    "truncation": "disabled", "instructions": None, "metadata": None, "text": None, "reasoning": None,
}  # fmt: skip
RESPONSE_USAGE = {
    "input_tokens": 7, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 2,
    "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 9,
}  # fmt: skip


def whole(path: str, body: dict[str, Any], text: str, arguments: str | None) -> dict[str, Any] | None:
    """The complete answer of a path; None where it is not one of these."""
    if path == "/v1/completions":
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": "stop", "stop_reason": None}
        return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "lab-mistral", "choices": [choice], "usage": USAGE}
    if path == "/v1/responses":
        return {**RESPONSE, "status": "completed", "output": _items(text, arguments), "usage": RESPONSE_USAGE}
    if path == "/v1/embeddings":
        given = body["input"] if isinstance(body["input"], list) else [body["input"]]
        packed = base64.b64encode(struct.pack(f"<{len(VECTOR)}f", *VECTOR)).decode()
        vector = packed if body.get("encoding_format") == "base64" else VECTOR
        data = [{"index": place, "object": "embedding", "embedding": vector} for place, _ in enumerate(given)]
        return {"id": "embd-1", "object": "list", "created": 1, "model": "lab-embed", "data": data, "usage": USAGE}
    if path == "/rerank":
        found = [
            {"index": place, "document": {"text": said, "multi_modal": None}, "relevance_score": 0.5}
            for place, said in enumerate(body["documents"])
        ]
        return {"id": "rerank-1", "model": "lab-rerank", "usage": {"prompt_tokens": 7, "total_tokens": 7}, "results": found}
    if path == "/tokenize":
        return {"count": 7, "max_model_len": 2048, "tokens": [1, 2, 3, 4, 5, 6, 7], "token_strs": None}
    if path == "/v1/messages/count_tokens":
        return {"input_tokens": 7}
    return None


def _items(text: str, arguments: str | None) -> list[dict[str, Any]]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": None}
    items: list[dict[str, Any]] = [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}]
    if arguments is not None:
        items.append(
            {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "look", "arguments": arguments, "status": "completed"}
        )
    return items


def completion_events(text: str, pieces: Callable[[str], list[str]]) -> Iterator[bytes]:
    """A streamed completion."""
    for number, piece in enumerate([*pieces(text), ""]):
        choice = {"index": 0, "text": piece, "logprobs": None, "finish_reason": None if number < len(pieces(text)) else "stop"}
        document = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "lab-mistral", "choices": [choice]}
        yield b"data: " + json.dumps(document).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


def response_events(text: str, arguments: str | None, pieces: Callable[[str], list[str]]) -> Iterator[bytes]:
    """A streamed response."""
    number = 0

    def event(kind: str, **more: Any) -> bytes:
        nonlocal number
        number += 1
        return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': number - 1, **more})}\n\n".encode()

    started = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
    yield event("response.created", response=started)
    yield event("response.in_progress", response=started)
    items = _items(text, arguments)
    at: dict[str, Any] = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    yield event("response.output_item.added", output_index=0, item={**items[0], "content": [], "status": "in_progress"})
    yield event("response.content_part.added", **at, part={"type": "output_text", "text": "", "annotations": [], "logprobs": []})
    for piece in pieces(text):
        yield event("response.output_text.delta", **at, delta=piece, logprobs=[])
    yield event("response.output_text.done", **at, text=text, logprobs=[])
    yield event("response.content_part.done", **at, part=items[0]["content"][0])
    yield event("response.output_item.done", output_index=0, item=items[0])
    if arguments is not None:
        yield event("response.output_item.added", output_index=1, item={**items[1], "arguments": "", "status": "in_progress"})
        for piece in pieces(arguments):
            yield event("response.function_call_arguments.delta", item_id="fc_1", output_index=1, delta=piece)
        yield event("response.function_call_arguments.done", item_id="fc_1", output_index=1, arguments=arguments, name="look")
        yield event("response.output_item.done", output_index=1, item=items[1])
    yield event("response.completed", response={**RESPONSE, "status": "completed", "output": items, "usage": RESPONSE_USAGE})
