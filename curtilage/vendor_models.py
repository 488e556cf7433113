"""Names that unmodified code asks for. A region's owner decides what each stands for; these are where a gateway alone begins.

Bedrock's identifiers carry the maker, a version and, as inference profiles, a part of the world; Azure's are deployments, which are called
after the model more often than not.
"""

from __future__ import annotations

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
