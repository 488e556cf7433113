"""Reads a plan: ``pulumi preview --json`` or ``pulumi stack export``, as the resources that will be there afterwards.

Values a preview does not know stand as :data:`UNKNOWN`; the engine records which resources a property depends on, and that resolves most
of them. Secrets are :data:`UNKNOWN` too: neither decided nor printed. What a document leaves out is found and named, because a resource
that is not listed is a hole in the proof, not an absence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from curtilage.errors import ConfigError

SIZE_LIMIT_MIB = 96
"""A region of 300 resources is about 1 MiB; a document is held in memory about eight times over while it is read."""

SENTINELS = frozenset(
    {
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",  # string
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)
"""sdk/go/common/resource/plugin/rpc.go: what a plan holds where a value is not known yet."""
_SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key that marks a secret, an output or an asset in place of a value."""
_GONE = frozenset({"delete", "delete-replaced", "remove-pending-replace", "discard-replaced", "read-discard"})
_THERE = frozenset(
    {"same", "create", "update", "create-replacement", "replace", "read", "read-replacement", "refresh", "import", "import-replacement"}
)


class _Unknown:
    """One value: not known, or not to be known."""

    def __repr__(self) -> str:
        return "(not known)"

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[_Unknown]:
        """A list that is not known holds something that is not known; a reader that finds no block in it notes a gap."""
        return iter((self,))


UNKNOWN = _Unknown()


def known(value: Any) -> bool:
    """Whether a value holds nothing unknown at any depth."""
    if value is UNKNOWN:
        return False
    if isinstance(value, dict):
        return all(known(item) for item in value.values())
    if isinstance(value, list):
        return all(known(item) for item in value)
    return True


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return UNKNOWN if value in SENTINELS or value == "[secret]" or any(item in value for item in SENTINELS) else value
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        if _SIGNATURE in value:
            return UNKNOWN
        return {key: _clean(item) for key, item in value.items() if key != "__defaults"}
    return value


@dataclass(frozen=True, eq=False)
class Resource:
    """A resource as it will be."""

    urn: str
    type: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    id: str | None
    depends: Mapping[str, tuple[str, ...]]
    provider: str
    custom: bool
    live: bool  # outputs are what is there, not what was there before the plan
    source: str = ""  # the file and line of the program that declares it

    @property
    def name(self) -> str:
        """The logical name, which a program gives it."""
        return self.urn.rsplit("::", 1)[-1]

    def __str__(self) -> str:
        return f"{self.type.rsplit(':', 1)[-1]} '{self.name}'"

    def get(self, key: str, default: Any = None) -> Any:
        """A property: what is asked for, else what the provider reported; in a state, what is there."""
        found = self.inputs.get(key)
        if self.live:
            there = self.outputs.get(key)
            found = found if there is None or not known(there) else there
        elif found is None:
            found = self.outputs.get(key)
        return default if found is None else found

    def wanted(self, key: str) -> Any:
        """A list that the provider also fills with what other resources add: in a plan only what is asked for counts."""
        return self.get(key) if self.live else self.inputs.get(key)


@dataclass(frozen=True)
class Gap:
    """Something that keeps the model from deciding."""

    resource: str
    what: str
    id: str = "AWS-UNKNOWN"


@dataclass
class Plan:
    """All resources of one stack, and the indexes that resolve references between them."""

    kind: str
    stack: str
    project: str
    resources: dict[str, Resource]
    gaps: list[Gap] = field(default_factory=list)
    digest: str = ""
    leaving: tuple[Resource, ...] = ()  # what the plan deletes

    def __post_init__(self) -> None:
        self._by_type: dict[str, list[Resource]] = {}
        self._by_value: dict[str, list[Resource]] = {}
        for item in self.resources.values():
            self._by_type.setdefault(item.type, []).append(item)
            names = [item.id, *(item.get(key) for key in ("id", "arn", "prefixListId", "serviceName", "bucket", "name"))]
            for value in {name for name in names if isinstance(name, str)}:
                self._by_value.setdefault(value, []).append(item)

    def of(self, *types: str) -> list[Resource]:
        """Resources of the types."""
        return [item for name in types for item in self._by_type.get(name, [])]

    def gap(self, resource: Resource | str, what: str, id: str = "AWS-UNKNOWN") -> None:
        """Note what cannot be decided."""
        found = Gap(resource if isinstance(resource, str) else resource.urn, what, id)
        if found not in self.gaps:
            self.gaps.append(found)

    def named(self, value: str, *types: str) -> Resource | None:
        """The one resource of the types that a known identifier names."""
        bare = value.removeprefix("arn:aws:s3:::").split("/", 1)[0] if value.startswith("arn:aws:s3:::") else value
        found = {id(item): item for key in (value, bare) for item in self._by_value.get(key, []) if item.type in types}
        return next(iter(found.values())) if len(found) == 1 else None

    def behind(self, resource: Resource, prop: str, *types: str) -> list[Resource]:
        """The resources of the types that a property depends on."""
        found = (self.resources.get(urn) for urn in resource.depends.get(prop, ()))
        return [item for item in found if item is not None and item.type in types]

    def one(self, resource: Resource, prop: str, value: Any, *types: str) -> Resource | None:
        """What a reference refers to; None when it is none of the plan's, or undecided (a known value tells which)."""
        if isinstance(value, str):
            return self.named(value, *types)
        if value is UNKNOWN:
            found = self.behind(resource, prop, *types)
            return found[0] if len(found) == 1 else None
        return None

    def many(self, resource: Resource, prop: str, value: Any, *types: str) -> tuple[list[Resource], bool]:
        """What a list refers to, and whether that is all of it."""
        if value is None:
            return [], True
        behind = self.behind(resource, prop, *types)
        if value is UNKNOWN:
            return behind, False
        items = value if isinstance(value, list) else [value]
        found = [self.named(item, *types) for item in items if isinstance(item, str)]
        missing = sum(1 for item in items if not isinstance(item, str))
        hits = [item for item in found if item is not None]
        rest = [item for item in behind if item not in hits] if missing else []
        return hits + rest, len(hits) == len(found) and (not missing or len(rest) == missing)


def read_plan(file: Path, kind: str | None = None) -> Plan:
    """The plan in a file; ``kind`` is what it has to be, ``preview`` or ``state``.

    Raises:
        ConfigError: it cannot be read, is too large, or is no plan.
    """
    try:
        size = file.stat().st_size
        if size > SIZE_LIMIT_MIB << 20:
            raise ConfigError(
                f"the document has {size >> 20} MiB",
                rule=f"a plan of at most {SIZE_LIMIT_MIB} MiB is read: it is held in memory whole",
                fix="give each region a stack of its own; move large values out of the program into files",
                file=file,
            )
        data = file.read_bytes()
    except OSError as exc:
        raise ConfigError(f"cannot read it: {exc.strerror}", rule="a plan is a JSON file", fix="name one that exists", file=file) from exc
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        # The parser's message names a position, never the text there: a plan may hold secrets.
        where = f"line {exc.lineno} column {exc.colno}"
        raise ConfigError(
            f"not JSON at {where}", rule="one JSON document", fix="write `pulumi preview --json --show-sames` to a file", file=file
        ) from None
    try:
        plan = parse_plan(document)
    except ConfigError as error:
        raise ConfigError(error.given, rule=error.rule, fix=error.fix, file=file, key=error.key) from None
    if kind not in (None, plan.kind):
        raise ConfigError(
            f"it is a {plan.kind}",
            rule="--plan reads a preview, --state an exported state: one is what will be, the other what is",
            fix=f"give it as --{'plan' if plan.kind == 'preview' else 'state'}",
            file=file,
        )
    plan.digest = "sha256:" + hashlib.sha256(data).hexdigest()
    return plan


def parse_plan(document: Any) -> Plan:
    """The plan a document holds: a preview by its ``steps``, a state by its ``deployment``."""
    if not isinstance(document, dict):
        raise _malformed("the document is not an object")
    gaps: list[Gap] = []
    leaving: list[Resource] = []
    if isinstance(document.get("deployment"), dict):
        kind, found = "state", list(_of_state(document["deployment"], gaps))
    elif isinstance(document.get("steps"), list):
        kind, found = "preview", list(_of_preview(document, gaps, leaving))
    elif "steps" in document or "deployment" in document:
        raise _malformed("'steps' is not a list, or 'deployment' not an object")
    else:
        raise _malformed("neither 'steps' (preview) nor 'deployment' (export) in it")
    owners = sorted({tuple(item.urn.split("::")[:2]) for item in found})
    if len(owners) > 1:
        raise ConfigError(
            f"resources of {len(owners)} stacks",
            rule="a plan is of one project and one stack",
            fix="make one document a stack",
        )
    stack, project = (owners[0][0].removeprefix("urn:pulumi:"), owners[0][1]) if owners else ("", "")
    resources: dict[str, Resource] = {}
    for item in found:
        # A replacement is listed several times; the goal is the same in each. What is retained stands beside what replaces it.
        resources[f"{item.urn} (retained)" if item.live and kind == "preview" else item.urn] = item
    return Plan(kind=kind, stack=stack, project=project, resources=resources, gaps=gaps, leaving=tuple(leaving))


def _malformed(given: str, key: str | None = None) -> ConfigError:
    return ConfigError(
        given, rule="a plan is what `pulumi preview --json` or `pulumi stack export` prints", fix="write that output to a file", key=key
    )


def _of_preview(document: Mapping[str, Any], gaps: list[Gap], leaving: list[Resource]) -> Iterator[Resource]:
    listed: dict[str, int] = {}
    for number, step in enumerate(document["steps"]):
        if not isinstance(step, dict) or not isinstance(step.get("op"), str):
            raise _malformed("a step without an operation", f"steps.{number}")
        op = step["op"]
        listed[op] = listed.get(op, 0) + 1
        state, old = step.get("newState"), step.get("oldState")
        if op in _GONE or op == "discard":
            if isinstance(old, dict) and (old.get("retainOnDelete") or op == "discard"):
                # It leaves the state, not the account.
                yield _resource(old, f"steps.{number}.oldState", live=True)
            elif isinstance(old, dict):
                leaving.append(_resource(old, f"steps.{number}.oldState", live=True))
            continue
        if op not in _THERE:
            gaps.append(Gap(str(step.get("urn", "")), f"operation '{op}' is not modelled"))
        if not isinstance(state, dict):
            raise _malformed(f"step '{op}' without newState", f"steps.{number}")
        found = _resource(state, f"steps.{number}.newState", live=False)
        if found.live and not found.outputs:
            gaps.append(Gap(found.urn, "it is read from the account, and what it holds is not in the plan"))
        yield found
    summary = document.get("changeSummary")
    if isinstance(summary, dict):
        for op, count in summary.items():
            if isinstance(count, int) and count > listed.get(op, 0) and op in _THERE:
                gaps.append(Gap("the plan", f"{count - listed.get(op, 0)} resources ('{op}') are not listed; preview with --show-sames"))
    notes = document.get("diagnostics") or []
    if any(isinstance(item, dict) and item.get("severity") == "error" for item in notes):
        gaps.append(Gap("the plan", "the preview ended with an error, so it may be incomplete"))


def _of_state(deployment: Mapping[str, Any], gaps: list[Gap]) -> Iterator[Resource]:
    resources = deployment.get("resources")
    if resources is not None and not isinstance(resources, list):
        raise _malformed("'resources' is not a list", "deployment.resources")
    for number, state in enumerate(resources or []):
        if not isinstance(state, dict):
            raise _malformed("a resource is not an object", f"deployment.resources.{number}")
        # `delete: true` waits to be deleted: it is still there.
        found = _resource(state, f"deployment.resources.{number}", live=True)
        if state.get("delete"):
            gaps.append(Gap(found.urn, "waits to be deleted; it is still there"))
            continue
        yield found
    if deployment.get("pending_operations"):
        gaps.append(Gap("the state", "operations are pending: what they left behind is not known; refresh it"))


def _resource(state: Mapping[str, Any], key: str, *, live: bool) -> Resource:
    urn, kind = state.get("urn"), state.get("type")
    if not isinstance(urn, str) or not urn.startswith("urn:pulumi:") or urn.count("::") < 3:
        raise _malformed("a resource without a URN", f"{key}.urn")
    if not isinstance(kind, str) or not kind:
        raise _malformed("a resource without a type", f"{key}.type")
    if urn.split("::", 2)[2].split("::", 1)[0].rsplit("$", 1)[-1] != kind:
        raise _malformed("type and URN disagree", f"{key}.type")
    parts: list[Mapping[str, Any]] = []
    for name in ("inputs", "outputs", "propertyDependencies"):
        part = state.get(name) or {}
        if not isinstance(part, dict):
            raise _malformed(f"'{name}' is not an object", f"{key}.{name}")
        parts.append(part)
    depends = {str(prop): tuple(str(urn) for urn in _list(urns)) for prop, urns in parts[2].items()}
    # What a program reads instead of making is what the account says it is: its inputs are no more than its name.
    live = live or state.get("external") is True
    return Resource(
        urn=urn,
        type=kind,
        inputs=_clean(parts[0]) if isinstance(parts[0], dict) else {},
        outputs=_clean(parts[1]),
        id=state["id"] if isinstance(state.get("id"), str) and state["id"] not in SENTINELS | {""} else None,
        depends=depends,
        provider=str(state.get("provider") or ""),
        custom=bool(state.get("custom", True)),
        live=live,
        source=_source(state.get("sourcePosition")),
    )


def _source(given: Any) -> str:
    """``project:///components/region.py#9`` as a reader looks it up."""
    text = given if isinstance(given, str) else ""
    return text.removeprefix("project:///").replace("#", ":") if text.startswith("project:///") and "/../" not in text else ""


def _list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else ()
