"""Every document of a bundle, from its dossier and its results: one function, so that the same run gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from curtilage.evidence import coverage as cover
from curtilage.evidence import oscal, papers
from curtilage.evidence.diagram import draw
from curtilage.evidence.dossier import Dossier
from curtilage.evidence.flowmap import flow_map
from curtilage.evidence.sbom import sbom
from curtilage.paper.html import render_html
from curtilage.verdict import Verdict

FOLDER = "documents"
NAMES = (
    "coverage.json", "dpia.html", "facts.json", "flows.json", "flows.svg", "measures.html", "model-cards.html", "observed.json",
    "oscal/assessment-plan.json", "oscal/assessment-results.json", "oscal/component-definition.json",
    "oscal/plan-of-action-and-milestones.json", "record-of-processing.html", "sbom.cdx.json", "tests.json", "transfer-statement.html",
)  # fmt: skip
"""Every document there is. ``model-cards.html``, ``observed.json``, ``sbom.cdx.json`` and ``tests.json`` only where there is something to
tell: an empty one would count as evidence."""


def readable(document: Any) -> bytes:
    """JSON with sorted keys, indented: people read these."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2, default=str) + b"\n"


def results_of(cells: Sequence[Mapping[str, Any]], dossier: Dossier, collected: datetime) -> list[cover.Result]:
    """Every last result: the run's cells, host tests and decisions, and the product's own tests."""
    found = [
        cover.Result(
            id=str(cell["id"]), verdict=Verdict(cell["verdict"]), time=collected, control=str(cell.get("control") or ""),
            catalogue=str(cell.get("catalogue") or ""),
        )
        for cell in cells
    ]  # fmt: skip
    return found + [cover.Result(id=test.id, verdict=test.verdict, time=test.time) for test in dossier.tests]


def generate(
    dossier: Dossier,
    *,
    region: str,
    plan_digest: str,
    collected: datetime,
    cells: Sequence[Mapping[str, Any]],
    images: Mapping[str, str],
    models: Mapping[str, str],
    others: Sequence[str],
) -> dict[str, bytes]:
    """The documents, by their name in the bundle.

    Args:
        dossier: what the run knew.
        region: its name.
        plan_digest: the applied plan.
        collected: when the run ended.
        cells: the run's results.
        images: name → digest.
        models: name → digest.
        others: names of the bundle's other files, which requirements may rest on.
    """
    collected = collected.astimezone(UTC)
    stamp = collected.strftime(cover.STAMP)
    there = {
        "model-cards.html": models,
        "observed.json": dossier.observed,
        "sbom.cdx.json": dossier.components,
        "tests.json": dossier.tests,
    }
    absent = {name for name, content in there.items() if not content}
    planned = [f"{FOLDER}/{name}" for name in NAMES if name not in absent]
    lines = cover.coverage(results_of(cells, dossier, collected), [*others, *planned], collected)
    flows = flow_map(dossier)
    run = papers.Run(
        dossier=dossier, lines=lines, flows=flows, plan_digest=plan_digest, collected=stamp,
        verdicts={str(cell["id"]): Verdict(cell["verdict"]) for cell in cells}, models=models,
    )  # fmt: skip
    controls = {str(cell["id"]): str(cell.get("control") or "") for cell in cells}
    told: dict[str, bytes] = {
        "coverage.json": readable(cover.document(lines, collected)),
        "dpia.html": render_html(papers.impact_assessment(run, controls)).encode(),
        "facts.json": readable(dossier.model_dump(mode="json", exclude={"observed", "tests", "flows", "components"})),
        "flows.json": readable(flows.document() | {"allowed": [flow.model_dump(mode="json") for flow in dossier.flows]}),
        "flows.svg": draw(dossier, flows, plan_digest=plan_digest).encode(),
        "measures.html": render_html(papers.measures(run)).encode(),
        "model-cards.html": render_html(papers.model_cards(run)).encode(),
        "record-of-processing.html": render_html(papers.record_of_processing(run)).encode(),
        "transfer-statement.html": render_html(papers.transfer_statement(run)).encode(),
    }
    if dossier.observed:
        told["observed.json"] = readable(dossier.observed.model_dump(mode="json"))
    if dossier.tests:
        told["tests.json"] = readable([test.model_dump(mode="json") for test in dossier.tests])
    for name, document in oscal.documents(oscal.Run(region=region, plan_digest=plan_digest, collected=stamp), lines).items():
        told[f"oscal/{name}"] = readable(document)
    if dossier.components:
        told["sbom.cdx.json"] = readable(
            sbom(
                region, collected=stamp, plan_digest=plan_digest, components=dossier.components, images=images, models=models,
                model_documents=dossier.models,
            )
        )  # fmt: skip
    return {f"{FOLDER}/{name}": told[name] for name in NAMES if name not in absent}
