"""The CRM package's recorded requests, played against a real gateway: it serves what Apex sends, and answers what Apex reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "salesforce"
RECORDED: list[dict[str, Any]] = json.loads((PACKAGE / "contract" / "requests.json").read_bytes())


def matter_of(gateway: Any) -> str:
    from curtilage.matters.opening import open_directory

    directory = open_directory(gateway.directory / "matters.db")
    try:
        return next(iter(directory.snapshot().matters))
    finally:
        directory.close()


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda item: item["name"])
def test_a_recorded_request_gets_the_answer_the_package_reads(recorded: dict[str, Any], gateway: Any, model: Any) -> None:
    headers = {name: value.replace("{matter}", matter_of(gateway)) for name, value in recorded["headers"].items()}
    answer = gateway.request(recorded["method"], recorded["path"], recorded["body"], headers=headers)
    assert answer.status == recorded["expect"]["status"], answer.raw
    if answer.status == 200:
        assert answer.headers["x-curtilage-call"], "LocalModel.answerFrom shows nothing without a ledger reference"
        assert answer.body["choices"][0]["message"]["content"] == "The local model answers."
        assert model.seen[-1].body["messages"][-1]["content"] == recorded["body"]["messages"][-1]["content"]
    else:
        assert answer.body["error"]["code"] == recorded["expect"]["code"]
        assert not model.seen


def test_a_call_without_the_credentials_key_is_refused_in_the_packages_dialect(gateway: Any, model: Any) -> None:
    answer = gateway.request("POST", "/v1/chat/completions", RECORDED[0]["body"], headers={"Authorization": ""})
    assert answer.status in (401, 403)
    assert answer.body["error"]["code"] == "curtilage.identity_unknown"
    assert not model.seen


def test_a_sensitive_field_somebody_put_into_the_record_does_not_reach_the_model(gateway: Any, model: Any) -> None:
    body = json.loads(json.dumps(RECORDED[0]["body"]))
    body["messages"][-1]["content"] = 'Summarise.\n\n{"Status":"New","Strategy_Sensitive__c":"settle at 40"}'
    answer = gateway.request("POST", "/v1/chat/completions", body)
    assert answer.status == 200
    assert b"settle at 40" not in model.seen[-1].raw
