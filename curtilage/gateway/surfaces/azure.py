"""Azure: OpenAI by deployment and by the v1 paths, and the Foundry's endpoints for models of several makers. All are rewrites of paths.

A deployment's name is the model that the caller asks for: ``models`` in the configuration says what stands for it.
"""

from __future__ import annotations

from typing import ClassVar

from curtilage.gateway.surfaces.anthropic import Anthropic, CountTokens, Messages
from curtilage.gateway.surfaces.base import Dialect, Route
from curtilage.gateway.surfaces.openai import ChatCompletions, OpenAI
from curtilage.gateway.surfaces.openai_more import Completions, Embeddings
from curtilage.gateway.surfaces.openai_responses import Responses

_V1 = (
    Route("POST", "/openai/v1/chat/completions", ChatCompletions),
    Route("POST", "/openai/v1/completions", Completions),
    Route("POST", "/openai/v1/responses", Responses),
    Route("POST", "/openai/v1/embeddings", Embeddings),
    Route("GET", "/openai/v1/models", None),
)
_DEPLOYMENTS = (
    Route("POST", "/openai/deployments/{model}/chat/completions", ChatCompletions),
    Route("POST", "/openai/deployments/{model}/completions", Completions),
    Route("POST", "/openai/deployments/{model}/embeddings", Embeddings),
    Route("POST", "/openai/responses", Responses),
    Route("GET", "/openai/models", None),
)


class AzureOpenAI(OpenAI):
    """``{resource}.openai.azure.com``."""

    name: ClassVar[str] = "azure"
    routes: ClassVar[tuple[Route, ...]] = (*_DEPLOYMENTS, *_V1)


class Foundry(OpenAI):
    """``{resource}.services.ai.azure.com``: the same, the model inference API, and Claude."""

    name: ClassVar[str] = "foundry"
    routes: ClassVar[tuple[Route, ...]] = (
        *_DEPLOYMENTS,
        *_V1,
        Route("POST", "/models/chat/completions", ChatCompletions),
        Route("POST", "/models/embeddings", Embeddings),
        Route("POST", "/anthropic/v1/messages", Messages),
        Route("POST", "/anthropic/v1/messages/count_tokens", CountTokens),
    )

    def speaking(self, path: str) -> Dialect:
        return Anthropic() if path.startswith("/anthropic/") else self
