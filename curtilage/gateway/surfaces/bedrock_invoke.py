"""InvokeModel: the body is the model maker's own. Anthropic's, and the plain prompts and embeddings of the makers Bedrock has longest."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from typing import Any, ClassVar

import orjson

from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.surfaces.base import Asked, Call, Dialect, MakeGuard, Operation, StreamRelay, Tree, expect, texts
from curtilage.gateway.surfaces.claude import BedrockMessages, BedrockMessagesStream, chunk
from curtilage.gateway.surfaces.eventstream import CONTENT_TYPE, exception
from curtilage.gateway.surfaces.translated import TextRelay, TranslatedChat, TranslatedEmbeddings, text_of, tokens_of

_STOP_LLAMA = {"length": "length"}


class _Prompt(TranslatedChat):
    """A prompt and nothing else; it goes to the model as one message, whose template is the local model's own."""

    streams: ClassVar[bool] = False
    stream_type = CONTENT_TYPE
    tokens: ClassVar[str]

    def translate(self, body: Tree, dropped: Counter[str]) -> Tree:
        known = {"model", "prompt", self.tokens, "temperature", "top_p", "top_k", "stop"}
        dropped["parameter"] += len(body.keys() - known)
        built = {key: body.get(key) for key in ("model", "temperature", "top_p", "top_k", "stop")}
        prompt = expect(body.get("prompt"), str, "prompt")
        return built | {
            "max_tokens": body.get(self.tokens),
            "stream": self.streams,
            "messages": [{"role": "user", "content": prompt}],
        }

    @abstractmethod
    def piece(self, text: str, finish: str | None, usage: Any) -> Tree:
        """An answer, or a piece of one, in the maker's shape."""

    def say(self, tree: Tree) -> Tree:
        text, finish, _ = text_of(tree)
        return self.piece(text, finish, tree.get("usage"))

    def relay(self, make_guard: MakeGuard) -> StreamRelay:
        return _PromptRelay(make_guard, self)

    def error_event(self, reason: Reason, text: str, call: str) -> bytes:
        return exception(reason, text, call)


class _PromptRelay(TextRelay):
    def __init__(self, make_guard: MakeGuard, operation: _Prompt) -> None:
        super().__init__(make_guard)
        self._operation = operation

    def text(self, text: str) -> bytes:
        return chunk(orjson.dumps(self._operation.piece(text, None, None)))

    def last(self) -> bytes:
        return chunk(orjson.dumps(self._operation.piece("", self.finish, self.usage)))


class Llama(_Prompt):
    """Meta's."""

    tokens = "max_gen_len"

    def piece(self, text: str, finish: str | None, usage: Any) -> Tree:
        read, written = tokens_of(usage)
        reason = None if finish is None else _STOP_LLAMA.get(finish, "stop")
        return {"generation": text, "prompt_token_count": read, "generation_token_count": written, "stop_reason": reason}


class LlamaStream(Llama):
    """Meta's, streamed."""

    streams: ClassVar[bool] = True


class MistralPrompt(_Prompt):
    """Mistral's."""

    tokens = "max_tokens"

    def piece(self, text: str, finish: str | None, usage: Any) -> Tree:
        del usage
        return {"outputs": [{"text": text, "stop_reason": finish}]}


class MistralPromptStream(MistralPrompt):
    """Mistral's, streamed."""

    streams: ClassVar[bool] = True


class Titan(TranslatedEmbeddings):
    """Amazon's embeddings."""

    def translate(self, body: Tree) -> Tree:
        return {
            "model": body.get("model"),
            "input": [expect(body.get("inputText"), str, "inputText")],
            "dimensions": body.get("dimensions"),
        }

    def say(self, vectors: list[list[float]], usage: Tree) -> Tree:
        return {"embedding": vectors[0], "embeddingsByType": {"float": vectors[0]}, "inputTextTokenCount": tokens_of(usage)[0]}


class CohereOnBedrock(TranslatedEmbeddings):
    """Cohere's embeddings. The texts are not said again: the caller has them."""

    def translate(self, body: Tree) -> Tree:
        if body.get("images"):
            raise Refusal(Reason.ATTACHMENT_REFUSED, "images: only text is taken")
        return {"model": body.get("model"), "input": texts(body.get("texts"), "texts"), "dimensions": body.get("output_dimension")}

    def say(self, vectors: list[list[float]], usage: Tree) -> Tree:
        del usage
        return {"id": "", "response_type": "embeddings_floats", "embeddings": vectors, "texts": []}


class _Unknown(Operation):
    """A maker whose shape is not known."""

    upstream_path: ClassVar[str] = ""

    def accept(self, body: Tree) -> Call:
        raise Refusal(
            Reason.FEATURE_REFUSED,
            "InvokeModel takes the bodies of Anthropic, Meta, Mistral, and embeddings of Amazon and Cohere; use Converse for others",
        )

    def answer(self, tree: Any, make_guard: MakeGuard) -> Tree:
        raise ValueError("nothing was asked")


_UNARY: dict[str, type[Operation]] = {
    "anthropic.": BedrockMessages,
    "meta.": Llama,
    "mistral.": MistralPrompt,
    "amazon.titan-embed": Titan,
    "cohere.embed": CohereOnBedrock,
}
_STREAMED: dict[str, type[Operation]] = {"anthropic.": BedrockMessagesStream, "meta.": LlamaStream, "mistral.": MistralPromptStream}


def _of_maker(known: dict[str, type[Operation]], dialect: Dialect, asked: Asked) -> Operation:
    """The maker is in the identifier: alone, after a part of the world, or in an ARN."""
    name = asked.model.rpartition("/")[2]
    head, _, rest = name.partition(".")
    names = (name, rest) if head in ("us", "eu", "apac", "global", "us-gov", "jp", "au") else (name,)
    found = next((kind for prefix, kind in known.items() if any(each.startswith(prefix) for each in names)), _Unknown)
    return found(dialect, asked)


def invoke(dialect: Dialect, asked: Asked) -> Operation:
    """``/invoke``."""
    return _of_maker(_UNARY, dialect, asked)


def invoke_stream(dialect: Dialect, asked: Asked) -> Operation:
    """``/invoke-with-response-stream``."""
    return _of_maker(_STREAMED, dialect, asked)
