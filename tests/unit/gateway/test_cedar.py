"""The owner's policies: they refuse what the typed rules allow, and an error in one is a refusal, not a pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from curtilage.errors import ConfigError
from curtilage.gateway.access import Access
from curtilage.gateway.cedar import CedarPolicies
from curtilage.gateway.identity import Caller
from curtilage.gateway.reasons import Reason, Refusal
from curtilage.matters.model import Confidentiality, Identity, IdentityKind, Matter, PersonalData

PERMIT = "permit (principal, action, resource);"


def policies(folder: Path, *texts: str) -> CedarPolicies:
    for number, text in enumerate(texts):
        (folder / f"{number}.cedar").write_text(text)
    return CedarPolicies(folder, "lab", "DE")


def ask(found: CedarPolicies, *, identity: str = "jdoe", hold: bool = False, purpose: str = "", surface: str = "openai") -> bool:
    caller = Caller(Identity(identity, IdentityKind.PERSON, Confidentiality.PRIVILEGED, True), "k")
    matter = Matter("M-1", "DE", Confidentiality.CONFIDENTIAL, PersonalData.PLACEHOLDER, hold, True, b"s" * 32)
    try:
        found.check(caller, matter, Access(purpose), surface, "lab-mistral")
    except Refusal as refusal:
        return refusal.reason is not Reason.POLICY_DENIED
    return True


def test_a_policy_decides_on_what_the_directory_says(tmp_path) -> None:
    found = policies(
        tmp_path,
        PERMIT,
        "forbid (principal, action, resource) when { resource.legal_hold };",
        'forbid (principal == Curtilage::Identity::"temp", action, resource) unless { context.purpose == "research" };',
        'forbid (principal, action, resource) when { context.surface == "bedrock" || principal.clearance < resource.confidentiality };',
    )
    assert ask(found)
    assert not ask(found, hold=True)
    assert not ask(found, identity="temp")
    assert ask(found, identity="temp", purpose="research")
    assert not ask(found, surface="bedrock")


def test_nothing_permits_by_default(tmp_path) -> None:
    assert not ask(policies(tmp_path, "forbid (principal, action, resource) when { resource.legal_hold };"))


def test_a_forbid_that_errs_forbids_though_the_engine_says_allow(tmp_path) -> None:
    text = "forbid (principal, action, resource) when { resource.no_such_attribute };"
    found = policies(tmp_path, PERMIT, text)
    assert not ask(found)
    engine = found._engine
    result = engine.is_authorized({"principal": 'A::"a"', "action": 'A::"b"', "resource": 'A::"c"', "context": {}}, f"{PERMIT}{text}", [])
    assert result.decision == engine.Decision.Allow, "positive control: the engine alone lets it pass"


def test_a_name_that_looks_like_policy_text_is_a_name(tmp_path) -> None:
    found = policies(tmp_path, 'permit (principal == Curtilage::Identity::"boss", action, resource);')
    assert ask(found, identity="boss")
    assert not ask(found, identity='x" || Curtilage::Identity::"boss')
    assert not ask(found, identity="boss\\")


def test_an_engine_that_breaks_refuses(tmp_path, monkeypatch) -> None:
    found = policies(tmp_path, PERMIT)
    monkeypatch.setattr(found, "_policies", object())
    assert not ask(found)


@pytest.mark.parametrize("text", ["permit (principal", "permit (principal, action, resource) when { 1 + };"])
def test_what_does_not_parse_is_told_at_the_start(tmp_path, text) -> None:
    with pytest.raises(ConfigError):
        policies(tmp_path, PERMIT, text)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ConfigError):
        CedarPolicies(empty, "lab", "DE")
