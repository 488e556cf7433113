"""SARIF 2.1.0 (OASIS standard): what code-scanning viewers read. Valid against the standard's schema; the tests check it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from curtilage import __version__
from curtilage.scan.engine import Result
from curtilage.scan.model import Place, Reported, Severity
from curtilage.scan.rules import RULES

_LEVELS = {Severity.NOTE: "note", Severity.LOW: "note", Severity.MEDIUM: "warning", Severity.HIGH: "error", Severity.CRITICAL: "error"}
_SCORES = {Severity.NOTE: "1.0", Severity.LOW: "3.0", Severity.MEDIUM: "5.5", Severity.HIGH: "8.0", Severity.CRITICAL: "9.5"}


def sarif(result: Result) -> dict[str, Any]:
    """The document."""
    rules = list(RULES.values())
    position = {rule.id: index for index, rule in enumerate(rules)}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "curtilage scan",
                        "semanticVersion": __version__,
                        "rules": [
                            {
                                "id": rule.id,
                                "name": "".join(word.capitalize() for word in rule.name.split("-")),
                                "shortDescription": {"text": rule.title},
                                "fullDescription": {"text": rule.text},
                                "help": {"text": f"{rule.text}\n\nWhat to do: {rule.fix}"},
                                "defaultConfiguration": {"level": _LEVELS[rule.severity]},
                                "properties": {"tags": ["security", "egress"], "security-severity": _SCORES[rule.severity]},
                            }
                            for rule in rules
                        ],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "originalUriBaseIds": {"SRCROOT": {"description": {"text": "the scanned directory"}}},
                "results": [_result(item, position[item.finding.rule]) for item in result.reported],
            }
        ],
    }


def _result(item: Reported, position: int) -> dict[str, Any]:
    found = item.finding
    document: dict[str, Any] = {
        "ruleId": found.rule,
        "ruleIndex": position,
        "level": _LEVELS[found.severity],
        "message": {"text": _plain(found.message)},
        "locations": [_location(found.place)],
        "partialFingerprints": {"curtilage/v1": item.fingerprint},
        "baselineState": "unchanged" if item.baseline else "new",
        "properties": {
            "security-severity": _SCORES[found.severity],
            "severity": found.severity.label,
            "endpoints": [_plain(text) for text in found.endpoints],
            "ai": found.vendor,
            "sensitiveFields": list(found.fields),
            "mitigations": list(found.mitigations),
            "cannotTell": found.cannot_tell,
            "context": list(found.context),
        },
    }
    if found.trace:
        document["relatedLocations"] = [{"id": number, **_location(place)} for number, place in enumerate(found.trace)]
    if item.suppressed is not None:
        document["suppressions"] = [{"kind": "inSource", "status": "accepted", "justification": _plain(item.suppressed)}]
    return document


def _location(place: Place) -> dict[str, Any]:
    uri = quote(place.path.encode("utf-8", "surrogateescape"), safe="/")
    region = {"startLine": place.line, "startColumn": place.column}
    return {"physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": "SRCROOT"}, "region": region}}


def _plain(text: str) -> str:
    """A message has no place for control characters or half characters of a file name."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text.encode("utf-8", "replace").decode())
