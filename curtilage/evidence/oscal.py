"""OSCAL 1.2.1: what is implemented, how it is assessed, what came of it, and what is left to do.

Four documents of one run. Identifiers are name-based, so the same run gives the same bytes. Built as plain objects; the tests have them
read by compliance-trestle, whose newest model is 1.2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curtilage import __version__
from curtilage.evidence.coverage import STAMP, Line
from curtilage.evidence.requirements import Framework
from curtilage.evidence.sbom import identifier
from curtilage.verdict import Verdict

OSCAL_VERSION = "1.2.1"


@dataclass(frozen=True, kw_only=True)
class Run:
    """Which run the documents are about."""

    region: str
    plan_digest: str
    collected: str

    def uuid(self, *parts: str) -> str:
        """An identifier of this run."""
        return identifier(self.region, self.plan_digest, self.collected, *parts)

    def metadata(self, title: str) -> dict[str, Any]:
        """What every OSCAL document begins with."""
        return {
            "last-modified": self.collected,
            "oscal-version": OSCAL_VERSION,
            "props": [{"name": "plan-digest", "ns": "https://curtilage.example/ns/oscal", "value": self.plan_digest}],
            "title": f"{title} of region {self.region}",
            "version": __version__,
        }


def documents(run: Run, lines: Sequence[Line]) -> dict[str, dict[str, Any]]:
    """All four, by file name."""
    return {
        "component-definition.json": {"component-definition": _definition(run, lines)},
        "assessment-plan.json": {"assessment-plan": _plan(run, lines)},
        "assessment-results.json": {"assessment-results": _results(run, lines)},
        "plan-of-action-and-milestones.json": {"plan-of-action-and-milestones": _actions(run, lines)},
    }


def _sources(lines: Sequence[Line]) -> list[Framework]:
    return list({line.framework.framework: line.framework for line in lines}.values())


def _matter(run: Run, lines: Sequence[Line]) -> dict[str, Any]:
    """Back matter: the laws and standards, and the plan that stands in for a system security plan."""
    return {
        "resources": [
            {"citation": {"text": f"{found.title}. {found.source}"}, "title": found.title, "uuid": run.uuid("source", found.framework)}
            for found in _sources(lines)
        ]
        + [{"description": f"The applied plan, {run.plan_digest}", "title": "Plan", "uuid": run.uuid("plan")}]
    }


def _selected(run: Run, lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "control-selections": [
            {
                "description": found.title,
                "include-controls": [{"control-id": line.requirement.id} for line in lines if line.framework is found],
            }
            for found in _sources(lines)
        ]
    }


def _definition(run: Run, lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "back-matter": _matter(run, lines),
        "components": [
            {
                "control-implementations": [
                    {
                        "description": f"What the region contributes to {found.title}.",
                        "implemented-requirements": [
                            {
                                "control-id": line.requirement.id,
                                "description": _implements(line),
                                "uuid": run.uuid("implements", line.requirement.id),
                            }
                            for line in lines
                            if line.framework is found
                        ],
                        "source": f"#{run.uuid('source', found.framework)}",
                        "uuid": run.uuid("implementation", found.framework),
                    }
                    for found in _sources(lines)
                ],
                "description": "A sealed region in which a legal department's model calls are answered by local models.",
                "title": f"Region {run.region}",
                "type": "system",
                "uuid": run.uuid("component"),
            }
        ],
        "metadata": run.metadata("Component definition"),
        "uuid": run.uuid("component-definition"),
    }


def _implements(line: Line) -> str:
    requirement = line.requirement
    if requirement.organisational:
        return f"Not implemented by the region; to be shown by people: {requirement.people}"
    shown = f"Shown by {', '.join(name for name, _ in line.artefacts)}; tested by {', '.join(requirement.tests)}."
    return shown + (f" Beside it, people must show: {requirement.people}" if requirement.people else "")


def _plan(run: Run, lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "assessment-subjects": [{"description": f"Every host of region {run.region}", "include-all": {}, "type": "component"}],
        "back-matter": _matter(run, lines),
        "import-ssp": {"href": f"#{run.uuid('plan')}"},
        "metadata": run.metadata("Assessment plan"),
        "reviewed-controls": _selected(run, lines),
        "tasks": [
            {
                "description": f"{line.requirement.cite}: {', '.join(line.requirement.tests)}; results at most "
                f"{line.requirement.max_age_days} days old",
                "title": f"Test {line.requirement.id}",
                "type": "action",
                "uuid": run.uuid("task", line.requirement.id),
            }
            for line in lines
            if line.requirement.tests
        ],
        "uuid": run.uuid("assessment-plan"),
    }


def _results(run: Run, lines: Sequence[Line]) -> dict[str, Any]:
    observations: list[dict[str, Any]] = []
    findings: list[dict[str, Any]] = []
    seen = set[str]()
    for line in lines:
        for test in line.tests:
            if test.selector in seen or test.oldest is None:
                continue
            seen.add(test.selector)
            observations.append(
                {
                    "collected": test.oldest.strftime(STAMP),
                    "description": f"{test.selector}: {len(test.ids)} results, {test.verdict}. {test.reason}".strip(),
                    "methods": ["TEST"],
                    "relevant-evidence": [{"description": "results in the bundle", "href": _evidence(test.selector)}],
                    "title": test.selector,
                    "uuid": run.uuid("observation", test.selector),
                }
            )
        finding: dict[str, Any] = {
            "description": "; ".join(line.reasons) or "Every artefact is there and every test passed.",
            "target": {
                "status": {"state": "satisfied" if line.verdict is Verdict.PASS else "not-satisfied", "reason": str(line.verdict).lower()},
                "target-id": line.requirement.id,
                "type": "objective-id",
            },
            "title": f"{line.requirement.cite}: {line.verdict}",
            "uuid": run.uuid("finding", line.requirement.id),
        }
        related = [{"observation-uuid": run.uuid("observation", test.selector)} for test in line.tests if test.oldest is not None]
        findings.append(finding | ({"related-observations": related} if related else {}))
    result: dict[str, Any] = {
        "description": "Generated from the signed results of this run; a missing result is not satisfied.",
        "end": run.collected,
        "findings": findings,
        "reviewed-controls": _selected(run, lines),
        "start": min([str(item["collected"]) for item in observations] + [run.collected]),
        "title": f"Run of {run.collected}",
        "uuid": run.uuid("result"),
    }
    return {
        "import-ap": {"href": "assessment-plan.json"},
        "metadata": run.metadata("Assessment results"),
        "results": [result | ({"observations": observations} if observations else {})],
        "uuid": run.uuid("assessment-results"),
    }


def _evidence(selector: str) -> str:
    return "../tests.json" if selector.startswith("pytest:") else "../../probes.json"


def _actions(run: Run, lines: Sequence[Line]) -> dict[str, Any]:
    """Every requirement that is not met: what is missing, and whose turn it is."""
    open_lines = [line for line in lines if line.verdict is not Verdict.PASS or line.requirement.people]
    items = [
        {
            "description": "; ".join([*line.reasons, *([f"People: {line.requirement.people}"] if line.requirement.people else [])]),
            "title": f"{line.requirement.cite} ({line.framework.framework})",
            "uuid": run.uuid("item", line.requirement.id),
        }
        for line in open_lines
    ]
    nothing = {"description": "Nothing is open.", "title": "No open item", "uuid": run.uuid("item", "none")}
    return {
        "metadata": run.metadata("Plan of action and milestones"),
        "poam-items": items or [nothing],
        "system-id": {"id": run.uuid("component"), "identifier-type": "http://ietf.org/rfc/rfc4122"},
        "uuid": run.uuid("plan-of-action-and-milestones"),
    }
