"""Salesforce LLM Open Connector: ``/chat/completions``, OpenAI's shape with fewer fields and a dictionary of the provider's own.

Source: Salesforce's published OpenAPI document of the connector, version v1.
"""

from __future__ import annotations

from typing import Any, ClassVar

from curtilage.gateway.reasons import Reason, Refusal
from curtilage.gateway.surfaces.base import Call, Route, Tree, expect
from curtilage.gateway.surfaces.openai import ChatCompletions, OpenAI

_ROLES = ("system", "user", "assistant")
_MAX_CHOICES = 128
_MAX_TEMPERATURE = 2


class ConnectorChat(ChatCompletions):
    """``/chat/completions``: answers are OpenAI's, as the document says."""

    def accept(self, body: Tree) -> Call:
        # `parameters` is for the provider: what it names joins the body, where the same list of known names decides. Nothing it says
        # replaces what the connector itself said.
        parameters = expect(body.get("parameters", {}), dict, "parameters")
        whole = parameters | {key: value for key, value in body.items() if key != "parameters"}
        self._check(whole)
        tokens = whole.get("max_tokens")
        unbounded = tokens is not None and tokens < 1
        # The document gives no lowest value; the model server knows no bound below one. So that is none, and it is counted.
        call = super().accept(whole | {"max_tokens": None} if unbounded else whole)
        call.dropped["parameter"] += unbounded
        return call

    def _check(self, body: Tree) -> None:
        messages = expect(body.get("messages"), list, "messages")
        if not messages:
            raise Refusal(Reason.BODY_MALFORMED, "messages is empty")
        for message in messages:
            if expect(message, dict, "messages[]").get("role") not in _ROLES:
                raise Refusal(Reason.BODY_MALFORMED, f"messages[].role is one of {', '.join(_ROLES)}")
            expect(message.get("content"), str, "messages[].content")
            if "name" in message:
                expect(message["name"], str, "messages[].name")
        _between(body.get("n"), int, "n", 1, _MAX_CHOICES)
        if body.get("max_tokens") is not None:
            expect(body["max_tokens"], int, "max_tokens")
        _between(body.get("temperature"), (int, float), "temperature", 0, _MAX_TEMPERATURE)


class OpenConnector(OpenAI):
    """The connector's path; errors are OpenAI's too."""

    name: ClassVar[str] = "open-connector"
    routes: ClassVar[tuple[Route, ...]] = (Route("POST", "/chat/completions", ConnectorChat),)


def _between(value: Any, kind: type | tuple[type, ...], what: str, lowest: int, highest: int) -> None:
    if value is not None and not lowest <= expect(value, kind, what) <= highest:
        raise Refusal(Reason.BODY_MALFORMED, f"{what} is at least {lowest} and at most {highest}")
