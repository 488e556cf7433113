"""Cohere's embeddings and ranking. The kind of input (query or document) is not told to the model: the local one knows no such word."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any, ClassVar

from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.surfaces.base import Call, MakeGuard, Operation, Tree, expect, guarded, part, texts
from curtilage.gateway.surfaces.translated import TranslatedEmbeddings, only_text, tokens_of
from curtilage.vendor_models import Task


def _packed(vector: list[float]) -> bytes:
    """One bit a number, set where it is not negative; eight to a byte, the first the highest."""
    if len(vector) % 8:
        raise ValueError("a vector that does not fill its last byte")
    bits = int("".join("1" if number >= 0 else "0" for number in vector), 2)
    return bits.to_bytes(len(vector) // 8, "big")


_TYPES: dict[str, Callable[[list[float]], Any]] = {
    "float": lambda vector: vector,
    "base64": lambda vector: base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode(),
    "ubinary": lambda vector: list(_packed(vector)),
    "binary": lambda vector: [byte - 128 for byte in _packed(vector)],
}


class EmbedV2(TranslatedEmbeddings):
    """``/v2/embed``."""

    def translate(self, body: Tree) -> Tree:
        if body.get("images"):
            raise only_text("images")
        given = texts(body["texts"], "texts") if body.get("texts") is not None else _inputs(body)
        self.given = [given] if isinstance(given, str) else given
        self.types = expect(body.get("embedding_types") or ["float"], list, "embedding_types")
        unknown = [kind for kind in self.types if not isinstance(kind, str) or kind not in _TYPES]
        if unknown:
            raise Refusal(Reason.FEATURE_REFUSED, f"embedding_types: {', '.join(_TYPES)} are made here")
        return {"model": body.get("model"), "input": self.given, "dimensions": body.get("output_dimension")}

    def say(self, vectors: list[list[float]], usage: Tree) -> Tree:
        return {
            "id": "",
            "response_type": "embeddings_by_type",
            "embeddings": {kind: [_TYPES[kind](vector) for vector in vectors] for kind in self.types},
            "texts": self.given,  # the caller's own, as they came
            "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": tokens_of(usage)[0]}},
        }


class EmbedV1(EmbedV2):
    """``/v1/embed``: plain vectors unless types are named."""

    def translate(self, body: Tree) -> Tree:
        self.plain = not body.get("embedding_types")
        return super().translate(body)

    def say(self, vectors: list[list[float]], usage: Tree) -> Tree:
        said = super().say(vectors, usage)
        said["meta"]["api_version"]["version"] = "1"
        return said | ({"response_type": "embeddings_floats", "embeddings": vectors} if self.plain else {})


def _inputs(body: Tree) -> list[str]:
    found = []
    for item in expect(body.get("inputs"), list, "texts"):
        pieces = expect(expect(item, dict, "inputs[]").get("content"), list, "inputs[].content")
        if any(not isinstance(piece, dict) or piece.get("type") != "text" for piece in pieces):
            raise only_text("inputs[].content[]")
        found.append("\n".join(expect(piece.get("text"), str, "inputs[].content[].text") for piece in pieces))
    return found


def _document(item: Any) -> str:
    return item if isinstance(item, str) else str(expect(expect(item, dict, "documents[]").get("text"), str, "documents[].text"))


class Rerank(Operation):
    """``/v2/rerank`` and ``/v1/rerank``."""

    upstream_path: ClassVar[str] = "/rerank"
    task: ClassVar[Task] = Task.RERANK

    def accept(self, body: Tree) -> Call:
        call = Call(model=expect(body.get("model"), str, "model"), stream=False, body={})
        known = {"model", "query", "documents", "top_n", "max_tokens_per_doc", "return_documents"}
        call.dropped["parameter"] += len(body.keys() - known)
        self.returned = body.get("return_documents") is True
        self.given = expect(body.get("documents"), list, "documents")
        if not self.given:
            raise Refusal(Reason.BODY_MALFORMED, "documents is empty")
        documents = [_document(item) for item in self.given]
        call.body = {"query": expect(body.get("query"), str, "query"), "documents": documents}
        for key in ("top_n", "max_tokens_per_doc"):
            if body.get(key) is not None:
                call.body[key] = expect(body[key], int, key)
        return call

    def recheck(self, body: Tree) -> Tree:
        expect(body.get("query"), str, "query")
        texts(body.get("documents"), "documents")
        return body

    def answer(self, tree: Any, make_guard: MakeGuard) -> Tree:
        results = []
        for item in part(tree["results"], list):
            index, score = part(item["index"], int), item["relevance_score"]
            if not 0 <= index < len(self.given) or not isinstance(score, int | float):
                raise ValueError("not a place in the list")
            found: Tree = {"index": index, "relevance_score": score}
            if self.returned:  # the caller's own document, as it came; the server's copy of it is not needed
                document = self.given[index]
                found["document"] = {"text": document} if isinstance(document, str) else document
            results.append(found)
        return {
            "id": guarded(tree.get("id"), make_guard, "id"),
            "results": results,
            "meta": {"billed_units": {"search_units": 1}},
        }
