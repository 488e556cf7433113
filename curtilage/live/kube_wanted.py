"""What the region derives against what stands there: each object that is missing, and each lock that says something else.

A refresh sees drift in fields that the program set and in no other. Here a lock (policy, admission, right, quota, label, list of images)
has to be what is derived and nothing more: a rule appended to a list, a condition that the program left out, a key added are drift.
Of other objects what is derived has to be there; what a server or a controller adds to them is judged by the proof.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from curtilage.derive.kubernetes.manifests import manifests
from curtilage.live.report import DRIFT, MISSING
from curtilage.proof.kubernetes.kinds import ADMISSION, CLUSTER_NET, NET, RBAC
from curtilage.proof.kubernetes.objects import Manifest, make_object
from curtilage.proof.report import Finding
from curtilage.region import Region
from curtilage.verdict import Verdict

LOCKS: dict[tuple[str, str], str] = {
    (NET, "NetworkPolicy"): "packets that it held back may leave, or others come in",
    (CLUSTER_NET, "ClusterNetworkPolicy"): "the admin tier no longer denies what a namespace's policies open",
    (ADMISSION, "ValidatingAdmissionPolicy"): "objects that it refused are taken",
    (ADMISSION, "ValidatingAdmissionPolicyBinding"): "its policy refuses nothing without it",
    ("", "ConfigMap"): "admission and workloads read it",
    ("", "Namespace"): "policies and admission go by its labels",
    ("", "ResourceQuota"): "it bounds what may run",
    (RBAC, "ClusterRole"): "it says who may open the seal",
    (RBAC, "Role"): "it says who may open the seal",
    (RBAC, "ClusterRoleBinding"): "it says who may open the seal",
    (RBAC, "RoleBinding"): "it says who may open the seal",
}
"""Kinds that are compared whole, each with what its loss means."""
_PARTS: dict[str, tuple[str, ...]] = {
    "Namespace": (),
    "ConfigMap": ("data", "binaryData"),
    "ClusterRole": ("rules", "aggregationRule"),
    "Role": ("rules",),
    "ClusterRoleBinding": ("roleRef", "subjects"),
    "RoleBinding": ("roleRef", "subjects"),
}
"""What of a lock is compared beside its labels; elsewhere its ``spec``."""
_DEFAULTS: tuple[tuple[str, Any], ...] = (
    # What an API server writes where a program says nothing, and no other value.
    (r"spec\.failurePolicy", "Fail"),
    (r"spec\.(matchConstraints|matchResources)\.matchPolicy", "Equivalent"),
    (r"spec\.(matchConstraints|matchResources)\.(namespaceSelector|objectSelector)", {}),
    (r"spec\.(matchConstraints|matchResources)\.resourceRules\[\d+\]\.scope", "*"),
    (r"spec\.(egress|ingress)\[\d+\]\.ports\[\d+\]\.protocol", "TCP"),
    (r"spec\.podSelector", {}),
    (r"subjects\[\d+\]\.apiGroup", RBAC),
    (r"roleRef\.apiGroup", RBAC),
    (r"metadata\.labels\.kubernetes\.io/metadata\.name", None),
    (r"spec\.paramRef\.parameterNotFoundAction", "Deny"),
)
_QUANTITY = re.compile(r"^([+-]?[0-9.]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")
_SCALE = {"m": Decimal("0.001"), "": Decimal(1)} | {
    unit: Decimal(base) ** power
    for base, units in ((1000, ("k", "M", "G", "T", "P", "E")), (1024, ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")))
    for power, unit in enumerate(units, start=1)
}
_COUNTED = re.compile(r"\.(hard|limits|requests|default|defaultRequest|max|min|sizeLimit|capacity)(\.|\[|$)")
"""Where amounts stand, which a server writes its own way."""
_SCALED = re.compile(r"^spec\.replicas$")
"""A controller's own: how many pods there are is what it is for."""
MOST = 6


def compare(region: Region, live: tuple[Manifest, ...]) -> Iterator[Finding]:
    """A finding for each derived object that is missing or says something else."""
    there = {(item.group, item.kind, item.namespace, item.name): item for item in live}
    for part, documents in manifests(region).items():
        for document in documents:
            wanted = make_object(document, part)
            found = there.get((wanted.group, wanted.kind, wanted.namespace, wanted.name))
            lock = LOCKS.get((wanted.group, wanted.kind))
            verdict = Verdict.FAIL if lock else Verdict.NOT_PROVEN
            segment = wanted.namespace or (wanted.name if wanted.kind == "Namespace" else "cluster")
            change = f"change: curtilage up {region.name}, which makes it as {part} derives it"
            if found is None:
                why = f": {lock}" if lock else ": the region is not whole"
                yield Finding(MISSING, segment, verdict, f"{wanted} is not there{why}", None, (f"{wanted} (derived by {part})", change))
                continue
            differs = list(_differences(wanted, found, whole=lock is not None))
            if differs:
                shown = "; ".join(differs[:MOST]) + (f"; and {len(differs) - MOST} more" if len(differs) > MOST else "")
                why = f" ({lock})" if lock else ""
                yield Finding(
                    DRIFT, segment, verdict, f"{wanted} is not what is derived{why}: {shown}", None, (f"{wanted} ({found.where})", change)
                )


def _differences(wanted: Manifest, live: Manifest, *, whole: bool) -> Iterator[str]:
    """Where the two differ, by path; never a value: a map may hold what no report should."""
    meta, given = wanted.body["metadata"], live.body["metadata"]
    yield from _differ("metadata.labels", meta.get("labels") or {}, given.get("labels") or {}, whole=whole)
    yield from _differ("metadata.annotations", meta.get("annotations") or {}, given.get("annotations") or {}, whole=False)
    if given.get("deletionTimestamp"):
        yield "it is being deleted"
    parts = (
        _PARTS.get(wanted.kind, ("spec",)) if whole else tuple(key for key in wanted.body if key not in ("apiVersion", "kind", "metadata"))
    )
    for key in parts:
        yield from _differ(key, wanted.body.get(key), live.body.get(key), whole=whole)


def _differ(path: str, wanted: Any, live: Any, *, whole: bool) -> Iterator[str]:
    if _SCALED.match(path) or (_empty(wanted) and _empty(live)):
        return
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for key in wanted:
            yield from _differ(f"{path}.{key}", wanted[key], live.get(key), whole=whole)
        for key in sorted(set(live) - set(wanted)) if whole else ():
            if not _empty(live[key]) and not _default(f"{path}.{key}", live[key]):
                yield f"{path}.{key} is there and not derived"
        return
    if isinstance(wanted, list) and isinstance(live, list):
        if len(wanted) != len(live):
            yield f"{path} has {len(live)} entries, derived are {len(wanted)}"
            return
        for number, (one, other) in enumerate(zip(wanted, live, strict=True)):
            yield from _differ(f"{path}[{number}]", one, other, whole=whole)
        return
    if live is None:
        yield f"{path} is not there"
    elif not _same(wanted, live, counted=_COUNTED.search(path) is not None):
        yield f"{path} has another value"


def _empty(value: Any) -> bool:
    """What an API server leaves out; an empty map is not: an empty selector takes everything."""
    return value is None or value == []


def _default(path: str, value: Any) -> bool:
    return any(re.fullmatch(pattern, path) and (expected is None or value == expected) for pattern, expected in _DEFAULTS)


def _same(wanted: Any, live: Any, *, counted: bool) -> bool:
    if type(wanted) is type(live) and wanted == live:
        return True
    if not counted or isinstance(wanted, bool) or isinstance(live, bool):
        return False
    one, other = _quantity(wanted), _quantity(live)
    return one is not None and one == other


def _quantity(value: Any) -> Decimal | None:
    """``2000m`` and ``2`` are one quantity."""
    match = _QUANTITY.match(str(value)) if isinstance(value, (str, int, float)) else None
    if match is None:
        return None
    try:
        return Decimal(match[1]) * _SCALE[match[2] or ""]
    except InvalidOperation:
        return None
