"""Signature Version 4: botocore's signatures are taken, and every way to have less than one is refused (breaks: identity)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from curtilage.matters.opening import open_directory

HOST = "bedrock-runtime.us-east-1.amazonaws.com"
PATH = "/model/anthropic.claude-3-5-sonnet-20240620-v1%3A0/converse"
BODY = json.dumps({"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}).encode()


def signed(
    pair: tuple[str, str], *, region: str = "us-east-1", service: str = "bedrock", body: bytes = BODY, **headers: str
) -> dict[str, str]:
    request = AWSRequest("POST", f"https://{HOST}{PATH}", headers={"Content-Type": "application/json", **headers}, data=body)
    SigV4Auth(Credentials(*pair), service, region).add_auth(request)
    return dict(request.headers.items())


def ask(gateway: Any, headers: dict[str, str], *, path: str = PATH, body: bytes = BODY) -> Any:
    return gateway.request("POST", path, body, host=HOST, headers={"Authorization": "", **headers})


def refused(answer: Any) -> bool:
    assert answer.headers.get("x-amzn-errortype") == "AccessDeniedException", answer.raw
    return answer.status == 403 and answer.body["code"] == "curtilage.identity_unknown"


def test_a_signature_with_an_issued_pair_is_the_caller(shared) -> None:
    gateway, model = shared
    answer = ask(gateway, signed(gateway.signing))
    assert answer.status == 200, answer.raw
    assert answer.body["output"]["message"]["content"][0]["text"] == "The local model answers."
    assert gateway.signing[1] not in repr([seen.headers for seen in model.seen])


def test_whatever_is_changed_after_signing_is_refused(shared) -> None:
    gateway, model = shared
    headers = signed(gateway.signing, **{"X-Curtilage-Matter": "matter-1"})
    assert ask(gateway, headers).status == 200
    model.seen.clear()
    assert refused(ask(gateway, headers, body=BODY.replace(b"Hello", b"Other")))
    assert refused(ask(gateway, headers, path=PATH.replace("converse", "converse-stream")))
    assert refused(ask(gateway, {**headers, "X-Curtilage-Matter": "matter-2"}))
    assert refused(ask(gateway, {**headers, "X-Curtilage-Purpose": "other"})), "a header that decides and is not signed"
    assert refused(ask(gateway, {**headers, "X-Amz-Security-Token": "token"}))
    assert refused(ask(gateway, {**headers, "x-api-key": gateway.key})), "two credentials"
    last = "0" if headers["Authorization"][-1] != "0" else "1"
    assert refused(ask(gateway, {**headers, "Authorization": headers["Authorization"][:-1] + last}))
    assert not model.seen


@pytest.mark.parametrize("what", ["an unknown id", "another secret", "another region", "another service", "a plain key", "no signature"])
def test_anything_less_than_the_right_secret_is_refused(shared, what: str) -> None:
    gateway, model = shared
    key_id, secret = gateway.signing
    plain = gateway.key.split("-")[1]
    made = {
        "an unknown id": lambda: signed(("CT" + "A" * 18, secret)),
        "another secret": lambda: signed((key_id, secret[:-1] + "A")),
        "another region": lambda: signed((key_id, secret), region="eu-west-1"),
        "another service": lambda: signed((key_id, secret), service="s3"),
        "a plain key": lambda: signed((plain, gateway.key)),
        "no signature": lambda: {"Authorization": f"AWS4-HMAC-SHA256 Credential={key_id}/20260101/us-east-1/bedrock/aws4_request"},
    }[what]()
    assert refused(ask(gateway, made))
    assert not model.seen


def test_a_signature_of_another_hour_is_refused(shared, monkeypatch) -> None:
    gateway, model = shared
    earlier = lambda: datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=10)  # noqa: E731
    monkeypatch.setattr("botocore.auth.get_current_datetime", earlier)
    headers = signed(gateway.signing)
    stamp = datetime.strptime(headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert (datetime.now(UTC) - stamp).total_seconds() > 500, "positive control: it is old"
    assert refused(ask(gateway, headers))
    assert not model.seen


def test_a_key_that_signs_is_no_bearer_and_dies_when_it_is_revoked(shared) -> None:
    gateway, model = shared
    directory = open_directory(gateway.directory / "matters.db")
    key_id, secret = directory.issue_signing_key("service-1")
    assert ask(gateway, signed((key_id, secret))).status == 200
    model.seen.clear()
    for token in (secret, f"ct-{key_id}-{secret}", key_id):
        assert refused(ask(gateway, {"Authorization": f"Bearer {token}"}))
    directory.revoke_key(key_id)
    assert refused(ask(gateway, signed((key_id, secret))))
    late, late_secret = directory.issue_signing_key("service-1", valid_seconds=-1.0)
    assert refused(ask(gateway, signed((late, late_secret))))
    directory.close()
    assert not model.seen
