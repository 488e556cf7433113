"""Every test id that exists, so that no requirement can rest on a test nobody can run.

Cells come from the region, host tests from the live suite's own source, decisions from the verbs that make them, and the product's tests
from the files under ``tests/``: read, not imported.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from curtilage.evidence.coverage import Result, matches
from curtilage.evidence.documents import FOLDER, NAMES
from curtilage.evidence.requirements import every_requirement
from curtilage.probes.cells import region_cells
from curtilage.region import Region
from curtilage.verdict import Verdict

DECISIONS = ("flows/observed", "policy/pack", "proof/no-packet-leaves")
"""What ``curtilage up`` decides of the plan before it applies it, and of what was observed after (:mod:`curtilage.commands.up`)."""

FILES = (
    "manifest.dsse.json", "attestations/test-result.dsse.json", "attestations/provenance.dsse.json", "rulesets/*.nft", "probes.json",
    "audit/checkpoint", *(f"{FOLDER}/{name}" for name in NAMES),
)  # fmt: skip
"""Everything a bundle can hold."""


def functions(path: Path) -> list[str]:
    """Names of the test functions of a file, in classes too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    ]


def universe(region: Region, tests: Path) -> list[Result]:
    """Every id, as if it had passed just now."""
    now = datetime.now(UTC)
    found = [
        Result(id=cell.id, verdict=Verdict.PASS, time=now, control=cell.control, catalogue=cell.catalogue) for cell in region_cells(region)
    ]
    suite = Path(str(files("curtilage.probes").joinpath("suite")))
    ids = [f"host/{name}" for path in sorted(suite.glob("test_host*.py")) for name in functions(path)]
    ids += list(DECISIONS)
    ids += [f"{path.relative_to(tests.parent).as_posix()}::{name}" for path in sorted(tests.rglob("test_*.py")) for name in functions(path)]
    return found + [Result(id=name, verdict=Verdict.PASS, time=now) for name in ids]


def dangling(known: Iterable[Result], artefacts: Iterable[str] = FILES) -> list[str]:
    """Claims of the mapping that no existing test or artefact can ever meet."""
    results, names = list(known), set(artefacts)
    found = []
    for framework, requirement in every_requirement():
        found += [
            f"{framework.framework} {requirement.id}: no such artefact: {name}" for name in requirement.artefacts if name not in names
        ]
        found += [
            f"{framework.framework} {requirement.id}: no such test: {selector}"
            for selector in requirement.tests
            if not any(matches(selector, result) for result in results)
        ]
    return found
