"""Names that unmodified code asks for, by what it asks; a region's models stand for them.

Bedrock's identifiers carry the maker, a version and, as inference profiles, a part of the world; Azure's are deployments, which are called
after the model more often than not.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Task(StrEnum):
    """What a served model is for; a model is asked for nothing else."""

    GENERATE = "generate"
    EMBED = "embed"
    RERANK = "rerank"

    def covers(self, asked: Task) -> bool:
        """Whether a model of this task does what is asked: vLLM ranks with one that embeds, by the cosine of its vectors."""
        return self is asked or (self is Task.EMBED and asked is Task.RERANK)


_CLAUDE_ON_BEDROCK = (
    "anthropic.claude-3-haiku-20240307-v1:0",
    "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "anthropic.claude-3-7-sonnet-20250219-v1:0",
    "anthropic.claude-sonnet-4-20250514-v1:0",
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "anthropic.claude-haiku-4-5-20251001-v1:0",
)
GENERATING = (
    *("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-5", "gpt-5-mini", "gpt-3.5-turbo", "gpt-3.5-turbo-instruct", "gpt-4"),
    *("o3-mini", "o4-mini"),
    *("claude-sonnet-4-5", "claude-opus-4-1", "claude-haiku-4-5", "claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
    *("claude-3-5-haiku-latest", "claude-sonnet-4-5@20250929", "claude-3-5-sonnet-v2@20241022", "claude-sonnet-4@20250514"),
    *("gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.5-flash-lite", "gemini-2.0-flash", "gemini-1.5-pro", "gemini-1.5-flash"),
    *_CLAUDE_ON_BEDROCK,
    *(f"{place}.{name}" for place in ("us", "eu", "apac", "global") for name in _CLAUDE_ON_BEDROCK),
    *("amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0", "meta.llama3-1-8b-instruct-v1:0", "mistral.mistral-large-2407-v1:0"),
    *("command-a-03-2025", "command-r-plus-08-2024", "command-r-08-2024", "command-r", "command-r-plus"),
    *("mistral-large-latest", "mistral-medium-latest", "mistral-small-latest", "open-mistral-7b", "ministral-8b-latest"),
    *("sfdc_ai__DefaultGPT4Omni", "sfdc_ai__DefaultOpenAIGPT4OmniMini", "sfdc_ai__DefaultBedrockAnthropicClaude4Sonnet"),
)
EMBEDDING = (
    *("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002"),
    *("gemini-embedding-001", "text-embedding-004", "text-embedding-005", "text-multilingual-embedding-002"),
    *("amazon.titan-embed-text-v1", "amazon.titan-embed-text-v2:0", "cohere.embed-english-v3", "cohere.embed-multilingual-v3"),
    *("embed-v4.0", "embed-english-v3.0", "embed-multilingual-v3.0", "mistral-embed", "sfdc_ai__DefaultOpenAITextEmbeddingAda_002"),
)
RERANKING = ("rerank-v3.5", "rerank-english-v3.0", "rerank-multilingual-v3.0", "rerank-v4.0-fast", "rerank-v4.0-pro")
_USUAL = {Task.GENERATE: GENERATING, Task.EMBED: EMBEDDING, Task.RERANK: RERANKING}


def stands_for(served: Mapping[str, Task]) -> dict[str, str]:
    """Which served model stands for each name: the first one made for what the name is asked for, else the first that can do it.

    Args:
        served: models and what they are for; each answers to its own name too.
    """
    found: dict[str, str] = {}
    for asked, names in _USUAL.items():
        able = [model for model, task in served.items() if task.covers(asked)]
        able.sort(key=lambda model: served[model] is not asked)
        if able:
            found |= dict.fromkeys(names, able[0])
    return found | {model: model for model in served}
