"""Reads the plans of a review: previews or exported states, a file each, or every ``*.json`` of a directory; one region is one stack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from curtilage.canonical import canonical_json
from curtilage.engine import plan_digest
from curtilage.errors import ConfigError
from curtilage.proof.aws.plan import SIZE_LIMIT_MIB, parse_plan
from curtilage.proof.aws.types import INERT
from curtilage.review.model import Change, Severity

FIREWALL, SEGMENT, REGION = "curtilage:hosts:EgressFirewall", "curtilage:hosts:LegalSegment", "curtilage:index:LegalRegion"
_REPLACING = frozenset({"replace", "create-replacement", "delete-replaced", "read-replacement", "import-replacement"})
_DELETING = frozenset({"delete", "remove-pending-replace", "read-discard"})
_NO_CHANGE = frozenset({"same", "refresh", "read"})


@dataclass(frozen=True)
class Planned:
    """One region's plan.

    Attributes:
        resources: what the plan leads to, by URN: type, inputs, provider.
        operations: what the engine will do to each resource, by URN; empty for a state.
    """

    region: str
    project: str
    document: Mapping[str, Any]
    digest: str
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    operations: dict[str, set[str]] = field(default_factory=dict)

    def of(self, *types: str) -> list[dict[str, Any]]:
        """Resources of some types, by URN."""
        return [item for _, item in sorted(self.resources.items()) if item["type"] in types]

    def has(self, prefix: str) -> bool:
        """Whether a resource's type starts so."""
        return any(item["type"].startswith(prefix) for item in self.resources.values())


def read_plans(path: Path) -> dict[str, Planned]:
    """The plans in a file or a directory, by region.

    Raises:
        ConfigError: nothing is there, it is no plan, or two files are of one region.
    """
    if path.is_dir():
        files = sorted(item for item in path.iterdir() if item.suffix == ".json" and item.is_file())
        if not files:
            raise ConfigError(
                "no *.json in it", rule="a directory of plans holds one file a region", fix="write each preview there", file=path
            )
    else:
        files = [path]
    found: dict[str, Planned] = {}
    origin: dict[str, Path] = {}
    for file in files:
        planned = read_planned(file)
        if planned.region in found:
            raise ConfigError(
                f"a second plan of region '{planned.region}'",
                rule="one plan a region",
                fix=f"remove it, or {origin[planned.region].name}",
                file=file,
            )
        found[planned.region], origin[planned.region] = planned, file
    return found


def read_planned(file: Path) -> Planned:
    """One file; messages name positions, never the text there, because a plan may hold secrets."""
    try:
        size = file.stat().st_size
        if size > SIZE_LIMIT_MIB << 20:
            raise ConfigError(
                f"the document has {size >> 20} MiB", rule=f"a plan has at most {SIZE_LIMIT_MIB} MiB", fix="one stack a region", file=file
            )
        document = orjson.loads(file.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"cannot read it: {error.strerror}", rule="a plan is a JSON file", fix="name one that exists", file=file
        ) from None
    except orjson.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise ConfigError(
            f"not JSON at {where}", rule="one JSON document", fix="write `pulumi preview --json --show-sames` to the file", file=file
        ) from None
    return planned_of(document, file)


def planned_of(document: Any, file: Path | str | None = None) -> Planned:
    """A document as a plan.

    Raises:
        ConfigError: it is neither a preview nor a state, or of several stacks.
    """
    try:
        checked = parse_plan(document)  # the same reading as the proof's: what it refuses cannot be reviewed
    except ConfigError as error:
        raise ConfigError(error.given, rule=error.rule, fix=error.fix, file=file, key=error.key) from None
    if not checked.resources and not _gone(document):
        raise ConfigError("no resource in it", rule="a plan names its stack by its resources", fix="preview with --show-sames", file=file)
    resources: dict[str, dict[str, Any]] = {}
    operations: dict[str, set[str]] = {}
    for operation, urn, state in _states(document):
        if operation is not None:
            operations.setdefault(urn, set()).add(operation)
        if state is not None:
            resources[urn] = {
                "urn": urn,
                "type": str(state["type"]),
                "inputs": state.get("inputs") or {},
                "provider": state.get("provider") or "",
                "protect": bool(state.get("protect")),
            }
    stack, project = checked.stack, checked.project
    if not stack:
        parts = str(next(iter(_gone(document)))).split("::")
        stack, project = parts[0].removeprefix("urn:pulumi:"), parts[1] if len(parts) > 1 else ""
    return Planned(stack, project, document, _digest(document), resources, operations)


def _gone(document: Mapping[str, Any]) -> list[str]:
    return [str(step.get("urn")) for step in document.get("steps") or [] if str(step.get("urn", "")).startswith("urn:pulumi:")]


def _states(document: Mapping[str, Any]) -> Iterator[tuple[str | None, str, Mapping[str, Any] | None]]:
    if isinstance(document.get("deployment"), dict):
        for state in document["deployment"].get("resources") or []:
            if not state.get("delete"):
                yield None, state["urn"], state
        return
    for step in document["steps"]:
        operation, state = str(step["op"]), step.get("newState")
        urn = str(step.get("urn") or (state or step.get("oldState") or {}).get("urn") or "")
        gone = operation in _DELETING or operation == "delete-replaced" or not isinstance(state, dict)
        yield operation, urn, None if gone else state


def _digest(document: Mapping[str, Any]) -> str:
    """The name that ``curtilage up --plan-digest`` compares; a state is named as the preview that would leave it as it is."""
    if isinstance(document.get("deployment"), dict):
        steps = [{"op": "same", "newState": state} for _, _, state in _states(document)]
        return plan_digest({"steps": steps})
    return plan_digest(document)


_HARMLESS = ("pulumi:", "random:", "tls:", "time:")
"""The engine's own, and values in the state; of AWS's types the proof knows which can let nothing out. A new one of another is read."""


def changes_between(old: Planned | None, new: Planned | None) -> tuple[Change, ...]:
    """What changes from one plan to the other, and what the engine will replace or delete; worst first."""
    before, after = old.resources if old else {}, new.resources if new else {}
    found: list[Change] = []
    operations = new.operations if new else {}
    for urn in sorted({*before, *after, *operations}):
        planned = operations.get(urn, set())
        there, will = before.get(urn), after.get(urn)
        properties: tuple[str, ...] = ()
        if planned & _REPLACING:
            operation = "replace"
            properties = _changed(there, will) if there and will else ()
        elif will is None and (there is not None or planned & _DELETING):
            operation = "delete"
        elif will is None:
            continue
        elif there is None:
            operation = "create"
        else:
            properties = _changed(there, will)
            if not properties:
                continue
            operation = "update"
        kind = str((will or there or {}).get("type") or _type_of(urn))
        if kind == "pulumi:pulumi:Stack" and operation in ("create", "update"):
            continue
        plain = kind in INERT or kind.startswith(_HARMLESS)
        red = operation in ("replace", "delete")
        severity = Severity.RED if red else Severity.YELLOW if operation == "update" or not plain else Severity.GREEN
        found.append(
            Change(operation=operation, type=kind, name=urn.rsplit("::", 1)[-1], urn=urn, properties=properties, severity=severity)
        )
    order = list(Severity)
    return tuple(sorted(found, key=lambda item: (order.index(item.severity), item.urn)))


def _type_of(urn: str) -> str:
    parts = urn.split("::")
    return parts[2].rsplit("$", 1)[-1] if len(parts) > 3 else "unknown"


def _changed(there: Mapping[str, Any], will: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of inputs that differ. A secret's ciphertext differs from run to run, so it is named as possibly changed, never compared."""
    keys = sorted({*there["inputs"], *will["inputs"]} - {"__defaults"})
    changed = [key for key in keys if canonical_json(there["inputs"].get(key)) != canonical_json(will["inputs"].get(key))]
    changed += [key for key in ("provider", "protect") if there[key] != will[key] and key == "protect"]
    return tuple(changed)
