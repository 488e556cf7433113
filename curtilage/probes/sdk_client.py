"""Runs on the CRM's application server: the vendors' own SDKs, unmodified, given only their usual key slot.

Takes ``{"key", "model_openai", "model_anthropic"}`` as its argument; prints
``{"calls": [{"sdk", "version", "call", "outcome", "text", "code", "began", "seconds", "entry"}]}``; ``entry`` is the id under which the
gateway put the call on its ledger, where the SDK shows it.
Nothing here names the gateway: the name resolves to it, and its certificate is checked against the region's CA (``SSL_CERT_FILE``).
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Any

Calls = dict[str, Callable[[], Any]]

ORDER = json.loads(sys.argv[1])
RECORD = json.dumps(
    {
        "Name": "Sample matter",
        "Client_Email__c": "client.contact@client.example",
        "legal_case_strategy__c": "CANARY-STRATEGY settle below the reserve",
        "privileged_communication__c": "CANARY-PRIVILEGED counsel advises silence",
        "Account__r": {"margin_sensitive__c": "CANARY-NESTED 41 percent"},
    }
)
PROMPT = f"Summarise this record in one sentence: {RECORD}"
PLAIN = "What is a limitation of liability?"
ENTRIES: list[str] = []


def noted(answer: Any) -> Any:
    """The SDK's answer, its request's id kept."""
    ENTRIES.append(str(getattr(answer, "_request_id", None) or ""))
    return answer


def openai_calls() -> tuple[Any, Calls]:
    openai: Any = importlib.import_module("openai")
    client = openai.OpenAI(api_key=ORDER["key"], max_retries=0, timeout=60)
    message = [{"role": "user", "content": PROMPT}]
    model = ORDER["model_openai"]

    def plain() -> Any:
        question = [{"role": "user", "content": PLAIN}]
        return noted(client.chat.completions.create(model=model, messages=question, max_tokens=24)).choices[0].message.content

    def unary() -> Any:
        return noted(client.chat.completions.create(model=model, messages=message, max_tokens=24)).choices[0].message.content

    def stream() -> Any:
        chunks = client.chat.completions.create(model=model, messages=message, max_tokens=24, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    def files() -> Any:
        return client.files.list().data

    return openai, {"chat without a record": plain, "chat": unary, "chat stream": stream, "files": files}


def anthropic_calls() -> tuple[Any, Calls]:
    anthropic: Any = importlib.import_module("anthropic")
    client = anthropic.Anthropic(api_key=ORDER["key"], max_retries=0, timeout=60)
    message = [{"role": "user", "content": PROMPT}]
    model = ORDER["model_anthropic"]

    def unary() -> Any:
        return noted(client.messages.create(model=model, messages=message, max_tokens=24)).content[0].text

    def stream() -> Any:
        with client.messages.stream(model=model, messages=message, max_tokens=24) as chunks:
            return "".join(chunks.text_stream)

    return anthropic, {"messages": unary, "messages stream": stream}


def main() -> None:
    calls = []
    for build in (openai_calls, anthropic_calls):
        sdk, named = build()
        for name, call in named.items():
            began, clock = time.monotonic(), time.time()
            entry: dict[str, Any] = {"sdk": sdk.__name__, "version": sdk.__version__, "call": name}
            entry |= {"text": None, "code": None, "began": clock}
            ENTRIES.clear()
            try:
                entry |= {"outcome": "answered", "text": call()}
            except sdk.APIStatusError as error:
                body = error.body if isinstance(error.body, dict) else {}
                detail = body.get("error", body)
                ENTRIES.append(str(getattr(error, "request_id", None) or ""))
                entry |= {"outcome": f"refused {error.status_code}", "code": detail.get("code") or detail.get("message")}
            except sdk.APIError as error:
                entry |= {"outcome": "failed", "code": f"{type(error).__name__}: {error.__cause__ or error}"[:300]}
            entry["seconds"] = round(time.monotonic() - began, 2)
            entry["entry"] = ENTRIES[-1] if ENTRIES else None
            calls.append(entry)
    sys.stdout.write(json.dumps({"calls": calls}) + "\n")


if __name__ == "__main__":
    main()
