"""Prometheus' rules and the Grafana dashboard of a region, on whichever platform: made from ``monitoring.yaml``, the one list of both.

The lab holds and looks back for seconds instead of minutes, so that its tests can make each alert fire; expressions and thresholds are the
same everywhere.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from curtilage.derive.yaml_text import yaml_text
from curtilage.region import Platform, Region

SOURCE = Path(__file__).with_name("monitoring.yaml")
LAG, LAB_LAG, LAB_HOLD = "2m", "20s", "10s"
_EVERYWHERE = tuple(Platform)

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9]{2,63}$")]
Hold = Annotated[str, Field(pattern=r"^[0-9]{1,3}[smh]$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Recorded(_Part):
    """A series that is reckoned once and named."""

    record: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(:[a-z0-9_]+)+$")]
    expr: str
    platforms: tuple[Platform, ...] = _EVERYWHERE


class Alert(_Part):
    """What somebody has to look at."""

    alert: Identifier
    expr: str
    severity: Literal["page", "ticket"]
    summary: Annotated[str, Field(min_length=10)]
    hold: Hold | None = None
    platforms: tuple[Platform, ...] = _EVERYWHERE


class Panel(_Part):
    """One picture of the dashboard."""

    title: str
    expr: str
    unit: str
    platforms: tuple[Platform, ...] = _EVERYWHERE


class Objectives(_Part):
    """What the region promises its callers."""

    calls_answered_share: float
    first_token_seconds: float
    gateway_overhead_seconds: float
    witnessed_seconds: float


class Watched(_Part):
    """All of ``monitoring.yaml``."""

    objectives: Objectives
    records: tuple[Recorded, ...]
    alerts: tuple[Alert, ...]
    panels: tuple[Panel, ...]


@functools.cache
def watched() -> Watched:
    """The list."""
    return Watched.model_validate(yaml.safe_load(SOURCE.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Advisory:
    """A published advisory about a package in a version that the hosts run."""

    advisory: str
    package: str
    severity: str
    published_seconds: int


def rule_groups(region: Region, advisories: Sequence[Advisory] = (), newest_seconds: int | None = None) -> list[dict[str, Any]]:
    """Groups of a Prometheus rule file, which are also those of a PrometheusRule.

    Args:
        region: the region.
        advisories: those that concern what its hosts run.
        newest_seconds: when the youngest record of the list they come from was changed; None when there is no list.
    """
    found = watched()
    rules: list[dict[str, Any]] = [*_allowances(region), *_advisories(advisories, newest_seconds)]
    rules += [{"record": one.record, "expr": _for(region, one.expr)} for one in found.records if region.platform in one.platforms]
    for one in found.alerts:
        if region.platform in one.platforms:
            hold = {} if one.hold is None else {"for": LAB_HOLD if _in_lab(region) else one.hold}
            rules.append(
                {"alert": one.alert, "expr": _for(region, one.expr), **hold, "labels": {"severity": one.severity, "region": region.name}}
                | {"annotations": {"summary": one.summary}}
            )
    return [{"name": "curtilage", "rules": rules}]


def rule_file(region: Region, advisories: Sequence[Advisory] = (), newest_seconds: int | None = None) -> str:
    """The rule file of a region's Prometheus; arguments as of :func:`rule_groups`."""
    groups = rule_groups(region, advisories, newest_seconds)
    return "# Managed by Curtilage.\n" + yaml_text({"groups": groups}, sort_keys=False)


def dashboard(region: Region) -> str:
    """The Grafana dashboard as JSON, to be provisioned from a file."""
    panels = [panel for panel in watched().panels if region.platform in panel.platforms]
    document = {
        "title": f"Curtilage {region.name}",
        "uid": f"curtilage-{region.name}"[:40],
        "schemaVersion": 39,
        "editable": False,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "30s",
        "panels": [
            {
                "id": number + 1,
                "type": "timeseries",
                "title": panel.title,
                "gridPos": {"h": 8, "w": 12, "x": 12 * (number % 2), "y": 8 * (number // 2)},
                "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
                "targets": [{"expr": _for(region, panel.expr), "refId": "A"}],
            }
            for number, panel in enumerate(panels)
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def metric_names(expression: str) -> set[str]:
    """Names of the series an expression reads: words that are not functions, labels, keywords or what stands in quotes and braces."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    bare = re.sub(r"\[[^\]]*\]", "", bare)
    words = re.findall(r"(?<![\w:.$])([A-Za-z_][\w:]*)(?![\w:])(?!\s*\()", bare)
    return {word for word in words if word == "up" or "_" in word or ":" in word}


def _allowances(region: Region) -> Iterator[dict[str, Any]]:
    """When each allowance ends, as constant series; it holds through its last day, in UTC."""
    for allowance in region.allowances:
        ends = datetime.combine(allowance.expires + timedelta(days=1), time.min, tzinfo=UTC)
        labels = {"allowance": allowance.id, "owner": allowance.owner}
        yield {"record": "curtilage_allowance_ends_seconds", "expr": f"vector({ends.timestamp():.0f})", "labels": labels}


def _advisories(advisories: Sequence[Advisory], newest_seconds: int | None) -> Iterator[dict[str, Any]]:
    for one in advisories:
        labels = {"advisory": one.advisory, "package": one.package, "severity": one.severity}
        yield {"record": "curtilage_advisory_published_seconds", "expr": f"vector({one.published_seconds})", "labels": labels}
    if newest_seconds is not None:
        yield {"record": "curtilage_advisories_newest_seconds", "expr": f"vector({newest_seconds})"}


def _for(region: Region, expression: str) -> str:
    replica = "host" if region.platform is Platform.HOSTS else "pod"
    return expression.replace("$by", replica).replace("$lag", LAB_LAG if _in_lab(region) else LAG)


def _in_lab(region: Region) -> bool:
    return region.lab and region.platform is Platform.HOSTS
