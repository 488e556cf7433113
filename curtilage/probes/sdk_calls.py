"""Every call that the vendors' own SDKs make, made by them, unmodified; runs wherever a tree of them is on the path.

Takes one JSON argument, ``{"key", "access_key_id", "secret_access_key", "azure", "foundry"}`` (the last two are names of resources), and
prints ``{"versions": {sdk: version}, "calls": [{"sdk", "call", "outcome", "size", "detail", "seconds"}]}``. An outcome is ``answered`` (the
size counts the characters, tokens, numbers or results that came), ``refused`` (with the reason code, where the SDK raised its own error for
it), ``absent`` (this generation has no such call) or ``failed``.
Nothing here names the gateway: the vendors' names resolve to it, and its certificate is checked against the CA in ``SSL_CERT_FILE`` and
``AWS_CA_BUNDLE``.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import json
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

ORDER: dict[str, Any] = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
QUESTION = "Say hello."
ASKED = [{"role": "user", "content": QUESTION}]
REGION = "us-east-1"
CLAUDE = "anthropic.claude-3-5-sonnet-20240620-v1:0"
Call = Callable[[], Any]
SECONDS = 120.0


class Absent(Exception):
    """This generation of the SDK has no such call."""


def full(text: Any) -> Any:
    """A text that is there."""
    if not isinstance(text, str) or not text:
        raise AssertionError("no text came")
    return len(text)


def joined(pieces: Iterator[Any]) -> Any:
    """A stream's text."""
    return full("".join(piece for piece in pieces if piece))


def vector(numbers: Any) -> Any:
    """A vector that is there."""
    found = list(numbers)
    if not found or not all(isinstance(number, int | float) for number in found):
        raise AssertionError("no vector came")
    return len(found)


def openai_calls() -> Iterator[tuple[str, Call]]:
    openai: Any = importlib.import_module("openai")
    client = openai.OpenAI(api_key=ORDER["key"], max_retries=0, timeout=SECONDS)
    dated = openai.AzureOpenAI(
        api_key=ORDER["key"], azure_endpoint=f"https://{ORDER['azure']}", api_version="2024-10-21", max_retries=0, timeout=SECONDS
    )
    v1 = openai.OpenAI(api_key=ORDER["key"], base_url=f"https://{ORDER['azure']}/openai/v1/", max_retries=0, timeout=SECONDS)
    chat, small = {"model": "gpt-4o", "messages": ASKED, "max_tokens": 16}, {"model": "gpt-4o", "input": QUESTION, "max_output_tokens": 16}

    def deltas(chunks: Any) -> Any:
        return joined(chunk.choices[0].delta.content for chunk in chunks if chunk.choices)

    def events(made: Any) -> Any:
        return joined(event.delta for event in made if event.type == "response.output_text.delta")

    embed: dict[str, Any] = {"model": "text-embedding-3-small", "input": [QUESTION]}
    yield "chat", lambda: full(client.chat.completions.create(**chat).choices[0].message.content)
    yield "chat stream", lambda: deltas(client.chat.completions.create(**chat, stream=True))
    yield "completions", lambda: full(client.completions.create(model="gpt-4o", prompt=QUESTION, max_tokens=16).choices[0].text)
    yield (
        "completions stream",
        lambda: joined(
            chunk.choices[0].text for chunk in client.completions.create(model="gpt-4o", prompt=QUESTION, max_tokens=16, stream=True)
        ),
    )
    yield "responses", lambda: full(client.responses.create(**small).output_text)
    yield "responses stream", lambda: events(client.responses.create(**small, stream=True))
    yield "embeddings", lambda: vector(client.embeddings.create(**embed).data[0].embedding)
    yield "embeddings float", lambda: vector(client.embeddings.create(**embed, encoding_format="float").data[0].embedding)
    yield "models", lambda: len(client.models.list().data)
    yield "files", lambda: client.files.list().data
    yield "azure chat", lambda: full(dated.chat.completions.create(**chat).choices[0].message.content)
    yield "azure chat stream", lambda: deltas(dated.chat.completions.create(**chat, stream=True))
    yield "azure embeddings", lambda: vector(dated.embeddings.create(**embed).data[0].embedding)
    yield "azure v1 chat", lambda: full(v1.chat.completions.create(**chat).choices[0].message.content)
    yield "azure v1 responses", lambda: full(v1.responses.create(**small).output_text)


def anthropic_calls() -> Iterator[tuple[str, Call]]:
    anthropic: Any = importlib.import_module("anthropic")
    shared = {"max_retries": 0, "timeout": SECONDS}
    client = anthropic.Anthropic(api_key=ORDER["key"], **shared)
    signed = {"aws_access_key": ORDER["access_key_id"], "aws_secret_key": ORDER["secret_access_key"], "aws_region": REGION}
    bedrock = anthropic.AnthropicBedrock(**signed, **shared)
    vertex = anthropic.AnthropicVertex(region="europe-west1", project_id="p1", access_token=ORDER["key"], **shared)

    def foundry() -> Any:
        kind = getattr(anthropic, "AnthropicFoundry", None)
        if kind is None:
            raise Absent
        resource = ORDER["foundry"].partition(".")[0]
        return kind(resource=resource, api_key=ORDER["key"], **shared)

    def said(made: Any, model: str) -> Any:
        return full(made.messages.create(model=model, max_tokens=16, messages=ASKED).content[0].text)

    def streamed(made: Any, model: str) -> Any:
        with made.messages.stream(model=model, max_tokens=16, messages=ASKED) as stream:
            return joined(stream.text_stream)

    def counted(made: Any, model: str) -> Any:
        return int(made.messages.count_tokens(model=model, messages=ASKED).input_tokens)

    name, dated = "claude-sonnet-4-5", "claude-sonnet-4-5@20250929"
    yield "messages", lambda: said(client, name)
    yield "messages stream", lambda: streamed(client, name)
    yield "count tokens", lambda: counted(client, name)
    yield "models", lambda: len(client.models.list().data)
    yield "batches", lambda: client.messages.batches.list().data
    yield "bedrock messages", lambda: said(bedrock, CLAUDE)
    yield "bedrock messages stream", lambda: streamed(bedrock, CLAUDE)
    yield "vertex messages", lambda: said(vertex, dated)
    yield "vertex messages stream", lambda: streamed(vertex, dated)
    yield "vertex count tokens", lambda: counted(vertex, dated)
    yield "foundry messages", lambda: said(foundry(), name)
    yield "foundry messages stream", lambda: streamed(foundry(), name)


def google_calls() -> Iterator[tuple[str, Call]]:
    genai: Any = importlib.import_module("google.genai")
    oauth: Any = importlib.import_module("google.oauth2.credentials")
    options = genai.types.HttpOptions(timeout=int(SECONDS * 1000))
    gemini = genai.Client(api_key=ORDER["key"], http_options=options)
    token = oauth.Credentials(token=ORDER["key"])
    vertex = genai.Client(vertexai=True, project="p1", location="europe-west1", credentials=token, http_options=options)
    asked = {"model": "gemini-2.5-flash", "contents": QUESTION}
    config = {"max_output_tokens": 16}

    def generated(client: Any) -> Any:
        return full(client.models.generate_content(**asked, config=config).text)

    def streamed(client: Any) -> Any:
        return joined(chunk.text for chunk in client.models.generate_content_stream(**asked, config=config))

    def counted(client: Any) -> Any:
        return int(client.models.count_tokens(**asked).total_tokens)

    def embedded(client: Any, model: str) -> Any:
        return vector(client.models.embed_content(model=model, contents=QUESTION).embeddings[0].values)

    for where, client, embedder in (("gemini", gemini, "gemini-embedding-001"), ("vertex", vertex, "text-embedding-005")):
        yield f"{where} generate", functools.partial(generated, client)
        yield f"{where} generate stream", functools.partial(streamed, client)
        yield f"{where} count tokens", functools.partial(counted, client)
        yield f"{where} embed", functools.partial(embedded, client, embedder)
    yield "gemini files", lambda: list(gemini.files.list())


def boto_calls() -> Iterator[tuple[str, Call]]:
    boto3: Any = importlib.import_module("boto3")
    config: Any = importlib.import_module("botocore.config").Config(retries={"max_attempts": 0}, read_timeout=SECONDS)
    signed = boto3.Session(aws_access_key_id=ORDER["access_key_id"], aws_secret_access_key=ORDER["secret_access_key"])
    client = signed.client("bedrock-runtime", region_name=REGION, config=config)
    asked = {"modelId": CLAUDE, "messages": [{"role": "user", "content": [{"text": QUESTION}]}], "inferenceConfig": {"maxTokens": 16}}
    body = json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 16, "messages": ASKED})

    def said(made: Any) -> Any:
        return full(made.converse(**asked)["output"]["message"]["content"][0]["text"])

    def streamed() -> Any:
        events = client.converse_stream(**asked)["stream"]
        return joined(event["contentBlockDelta"]["delta"].get("text") for event in events if "contentBlockDelta" in event)

    def invoked() -> Any:
        return full(json.loads(client.invoke_model(modelId=CLAUDE, body=body)["body"].read())["content"][0]["text"])

    def invoked_stream() -> Any:
        events = client.invoke_model_with_response_stream(modelId=CLAUDE, body=body)["body"]
        found = [json.loads(event["chunk"]["bytes"]) for event in events]
        return joined(event["delta"].get("text") for event in found if event["type"] == "content_block_delta")

    def embedded() -> Any:
        given = json.dumps({"inputText": QUESTION})
        return vector(json.loads(client.invoke_model(modelId="amazon.titan-embed-text-v2:0", body=given)["body"].read())["embedding"])

    def bearer() -> Any:
        import os

        os.environ["AWS_BEARER_TOKEN_BEDROCK"] = ORDER["key"]
        try:
            return said(boto3.Session().client("bedrock-runtime", region_name=REGION, config=config))
        finally:
            del os.environ["AWS_BEARER_TOKEN_BEDROCK"]

    yield "converse", lambda: said(client)
    yield "converse stream", streamed
    yield "invoke", invoked
    yield "invoke stream", invoked_stream
    yield "invoke titan embed", embedded
    yield "converse with a bearer token", bearer
    yield "async invoke", lambda: client.list_async_invokes()


def cohere_calls() -> Iterator[tuple[str, Call]]:
    cohere: Any = importlib.import_module("cohere")
    v2 = cohere.ClientV2(api_key=ORDER["key"], timeout=SECONDS)
    v1 = cohere.Client(api_key=ORDER["key"], timeout=SECONDS)
    asked = {"model": "command-a-03-2025", "messages": ASKED, "max_tokens": 16}
    old = {"model": "command-r", "message": QUESTION, "max_tokens": 16}
    embed = {"model": "embed-v4.0", "texts": [QUESTION], "input_type": "search_document"}
    rank = {"model": "rerank-v3.5", "query": QUESTION, "documents": ["one", "two"]}

    def streamed() -> Any:
        return joined(event.delta.message.content.text for event in v2.chat_stream(**asked) if event.type == "content-delta")

    def streamed_v1() -> Any:
        return joined(event.text for event in v1.chat_stream(**old) if event.event_type == "text-generation")

    yield "v2 chat", lambda: full(v2.chat(**asked).message.content[0].text)
    yield "v2 chat stream", streamed
    yield "v1 chat", lambda: full(v1.chat(**old).text)
    yield "v1 chat stream", streamed_v1
    yield "v2 embed", lambda: vector(v2.embed(**embed, embedding_types=["float"]).embeddings.float_[0])
    yield "v1 embed", lambda: vector(v1.embed(**embed).embeddings[0])
    yield "v2 rerank", lambda: len(v2.rerank(**rank).results)
    yield "v1 rerank", lambda: len(v1.rerank(**rank).results)
    yield "datasets", lambda: v1.datasets.list()


def mistral_calls() -> Iterator[tuple[str, Call]]:
    try:
        mistral: Any = importlib.import_module("mistralai.client").Mistral  # 2 and later
    except (ImportError, AttributeError):
        mistral = importlib.import_module("mistralai").Mistral
    client = mistral(api_key=ORDER["key"], timeout_ms=int(SECONDS * 1000))
    asked = {"model": "mistral-small-latest", "messages": ASKED, "max_tokens": 16}

    def streamed() -> Any:
        return joined(event.data.choices[0].delta.content for event in client.chat.stream(**asked) if event.data.choices)

    yield "chat", lambda: full(client.chat.complete(**asked).choices[0].message.content)
    yield "chat stream", streamed
    yield "embeddings", lambda: vector(client.embeddings.create(model="mistral-embed", inputs=[QUESTION]).data[0].embedding)
    yield "files", lambda: client.files.list().data


SDKS: dict[str, Callable[[], Iterator[tuple[str, Call]]]] = {
    "openai": openai_calls,
    "anthropic": anthropic_calls,
    "google-genai": google_calls,
    "boto3": boto_calls,
    "cohere": cohere_calls,
    "mistralai": mistral_calls,
}


def told(error: Exception) -> tuple[str, str]:
    """What an SDK's own error says: refused with a reason code, or failed."""
    text = f"{error} {getattr(error, 'body', '')} {getattr(error, 'details', '')} {getattr(error, 'response', '')}"
    found = re.search(r"curtilage\.[a-z_]+", text)
    if found:
        return "refused", f"{type(error).__name__} {found.group()}"
    where = traceback.extract_tb(error.__traceback__)[-1]
    return "failed", f"{type(error).__name__}: {error} ({where.name})"[:400]


def main() -> None:
    calls, versions = [], {}
    for sdk, build in SDKS.items():
        versions[sdk] = importlib.metadata.version(sdk)
        for name, call in build():
            began = time.monotonic()
            entry: dict[str, Any] = {"sdk": sdk, "call": name, "size": None, "detail": ""}
            try:
                made = call()
                entry |= {"outcome": "answered", "size": made if isinstance(made, int) else None}
            except Absent:
                entry["outcome"] = "absent"
            except Exception as error:  # noqa: BLE001 - whatever the SDK raised is the finding
                entry["outcome"], entry["detail"] = told(error)
            entry["seconds"] = round(time.monotonic() - began, 2)
            calls.append(entry)
    sys.stdout.write(json.dumps({"versions": versions, "calls": calls}) + "\n")


if __name__ == "__main__":
    main()
