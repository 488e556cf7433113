"""in-toto statements: what a run tested and what it was made from (in-toto.io/Statement/v1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curtilage.errors import ConfigError
from curtilage.verdict import Verdict

STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
PROVENANCE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://curtilage.example/region/v1"


def digest_set(digest: str) -> dict[str, str]:
    """``sha256:<hex>`` as in-toto writes it."""
    algorithm, colon, value = digest.partition(":")
    if algorithm != "sha256" or not colon or len(value) != 64 or set(value) - set("0123456789abcdef"):
        raise ConfigError(f"digest {digest!r}", rule="digests read sha256:<64 hex digits>", fix="pass the digest of the thing itself")
    return {algorithm: value}


def descriptor(name: str, digest: str) -> dict[str, Any]:
    """A resource descriptor."""
    return {"digest": digest_set(digest), "name": name}


def statement(subject: Sequence[Mapping[str, Any]], predicate_type: str, predicate: Mapping[str, Any]) -> dict[str, Any]:
    """A statement about its subjects."""
    return {"_type": STATEMENT, "predicate": dict(predicate), "predicateType": predicate_type, "subject": list(subject)}


def test_result(
    subject: Sequence[Mapping[str, Any]], verdicts: Mapping[str, Verdict], configuration: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The run as test-result v0.1. A required test that did not pass is never left out: what proves nothing is a warning, not a pass."""
    groups: dict[str, list[str]] = {"failedTests": [], "passedTests": [], "warnedTests": []}
    for identifier, verdict in sorted(verdicts.items()):
        groups[{Verdict.PASS: "passedTests", Verdict.FAIL: "failedTests"}.get(verdict, "warnedTests")].append(identifier)
    result = "FAILED" if groups["failedTests"] else "WARNED" if groups["warnedTests"] or not groups["passedTests"] else "PASSED"
    return statement(subject, TEST_RESULT, {"configuration": list(configuration), "result": result, **groups})


def provenance(
    subject: Sequence[Mapping[str, Any]],
    *,
    region: str,
    plan_digest: str,
    dependencies: Sequence[Mapping[str, Any]],
    collected: str,
    version: str,
) -> dict[str, Any]:
    """Where rulesets come from: this plan, these images and models."""
    return statement(
        subject,
        PROVENANCE,
        {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"planDigest": plan_digest, "region": region},
                "resolvedDependencies": list(dependencies),
            },
            "runDetails": {"builder": {"id": BUILD_TYPE, "version": {"curtilage": version}}, "metadata": {"finishedOn": collected}},
        },
    )
