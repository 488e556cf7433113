"""Whether a bundle's documents say what its own results say.

A signature shows who says something, not that it follows. So what can be computed again is: coverage from results and mapping, the
picture's plan, the region the papers are about, the plan inside OSCAL. Also the key's owner cannot claim more than was tested.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from curtilage.evidence import coverage as cover
from curtilage.evidence.junit import TestOutcome
from curtilage.evidence.requirements import mapping_digest
from curtilage.verdict import Verdict

_OUTCOMES = TypeAdapter(list[TestOutcome])


def contradictions(files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> list[str]:
    """Reasons why the documents cannot be believed; none for a bundle without documents."""
    names = sorted(name for name in files if name.startswith("documents/"))
    if not names:
        return []
    try:
        return [*_region(files, manifest), *_plan(files, manifest, names), *_coverage(files, manifest)]
    except (KeyError, ValueError, TypeError, AttributeError, ValidationError) as error:
        return [f"a document is not what this product writes: {error}"]


def _region(files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> list[str]:
    told = orjson.loads(files["documents/facts.json"])["region"]["name"]
    return [] if told == manifest["region"] else [f"documents/facts.json is about region {told}"]


def _plan(files: Mapping[str, bytes], manifest: Mapping[str, Any], names: list[str]) -> list[str]:
    """Every paper, the picture and every OSCAL document name the plan."""
    plan = str(manifest["plan_digest"]).encode()
    bound = [name for name in names if name.endswith((".html", ".svg")) or name.startswith("documents/oscal/") or "sbom" in name]
    return [f"{name} does not name the plan {manifest['plan_digest']}" for name in bound if plan not in files[name]]


def _coverage(files: Mapping[str, bytes], manifest: Mapping[str, Any]) -> list[str]:
    told = orjson.loads(files["documents/coverage.json"])
    if told["mapping"] != mapping_digest():
        return []  # another release's mapping: its lines cannot be computed here
    collected = datetime.strptime(manifest["collected"], cover.STAMP).replace(tzinfo=UTC)
    results = [
        cover.Result(
            id=str(cell["id"]), verdict=Verdict(cell["verdict"]), time=collected, control=str(cell.get("control") or ""),
            catalogue=str(cell.get("catalogue") or ""),
        )
        for cell in orjson.loads(files["probes.json"])
    ]  # fmt: skip
    tests = _OUTCOMES.validate_json(files["documents/tests.json"]) if "documents/tests.json" in files else []
    results += [cover.Result(id=test.id, verdict=test.verdict, time=test.time) for test in tests]
    expected = cover.document(cover.coverage(results, [name for name in files if not name.startswith("timestamp/")], collected), collected)
    return [] if orjson.loads(orjson.dumps(expected)) == told else ["documents/coverage.json does not follow from the bundle's results"]
