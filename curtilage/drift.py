"""What a refresh of a stack's state found changed behind its back, one finding a resource.

Drift is seen in what the program set. The official Kubernetes plugin does not look at fields that the program left out, so a rule added
there stays unseen: `curtilage verify` reads live objects itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NETWORK, IDENTITY, KEYS, OTHER = "network", "identity", "keys", "other"
RED = frozenset({NETWORK, IDENTITY, KEYS})
"""Areas in which a change by hand may have opened the region; elsewhere it is to be looked at, and is no breach."""

_AREAS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (KEYS, ("aws:kms/", "kubernetes:core/v1:Secret")),
    (
        IDENTITY,
        (
            "aws:iam/", "aws:eks/access", "aws:eks/podIdentity", "aws:s3/bucketPolicy:", "aws:ecr/repositoryPolicy:",
            "kubernetes:rbac.authorization.k8s.io/", "kubernetes:core/v1:ServiceAccount", "kubernetes:core/v1:Namespace",
            "kubernetes:admissionregistration.k8s.io/",
        ),
    ),
    (
        NETWORK,
        (
            "aws:ec2/", "aws:vpc/", "aws:route53/", "aws:lb/", "aws:eks/cluster:", "aws:eks/addon:", "kubernetes:networking.k8s.io/",
            "kubernetes:policy.networking.k8s.io/", "kubernetes:core/v1:Service", "kubernetes:apps/",
            "kubernetes:core/v1:ResourceQuota",
        ),
    ),
)  # fmt: skip
_ROLES = {"egress_firewall": NETWORK, "local_dns": NETWORK, "baseline": IDENTITY, "gateway": IDENTITY}
_SERVERS_OWN = frozenset({"generation", "managedFields", "resourceVersion", "uid", "creationTimestamp", "status"})
_CHANGES = frozenset({"update", "delete", "replace", "create"})
SHOWN_VALUE_LENGTH = 80


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One resource, or one task of a host, that is not as it was applied.

    Attributes:
        name: the resource's name, or the host's.
        type: its Pulumi type, or the host's role.
        area: network, identity, keys or other.
        change: ``update`` or ``delete``.
        details: what changed, one line a property; secrets by their path alone.
    """

    name: str
    type: str
    area: str
    change: str
    details: tuple[str, ...]

    @property
    def red(self) -> bool:
        """Whether the region may be open by it."""
        return self.area in RED

    def document(self) -> dict[str, Any]:
        """The finding as JSON."""
        return {
            "name": self.name,
            "type": self.type,
            "area": self.area,
            "red": self.red,
            "change": self.change,
            "details": list(self.details),
        }


def of_events(events: Iterable[Mapping[str, Any]]) -> tuple[Drift, ...]:
    """The findings in the engine's event log of a refresh, red ones first."""
    found = []
    for event in events:
        data = (event.get("resOutputsEvent") or {}).get("metadata") or {}
        kind = str(data.get("type") or "")
        if data.get("op") not in _CHANGES or kind.startswith("pulumi:pulumi:"):
            continue
        old, new = (((data.get(key) or {}).get("outputs") or {}) for key in ("old", "new"))
        gone = data["op"] == "delete"
        details = () if gone else tuple(_differences(old, new, "", secret=kind == "kubernetes:core/v1:Secret"))
        name = str(data["urn"]).rsplit("::", 1)[-1]
        found.append(Drift(name=name, type=kind, area=area(kind), change="delete" if gone else "update", details=details))
    return _sorted(found)


def of_hosts(changes: Iterable[tuple[str, str, str]]) -> tuple[Drift, ...]:
    """The findings of a check of hosts: host, role, task."""
    tasks: dict[tuple[str, str], list[str]] = {}
    for host, role, task in changes:
        tasks.setdefault((host, role), []).append(task)
    return _sorted(
        Drift(name=host, type=role or "playbook", area=_ROLES.get(role, OTHER), change="update", details=tuple(listed))
        for (host, role), listed in tasks.items()
    )


def area(kind: str) -> str:
    """Where a resource type belongs."""
    return next((name for name, prefixes in _AREAS if kind.startswith(prefixes)), OTHER)


def _sorted(found: Iterable[Drift]) -> tuple[Drift, ...]:
    return tuple(sorted(found, key=lambda item: (not item.red, item.area, item.type, item.name)))


def _differences(old: Any, new: Any, path: str, *, secret: bool) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            if key not in _SERVERS_OWN and not str(key).startswith("__"):
                yield from _differences(old.get(key), new.get(key), f"{path}.{key}" if path else str(key), secret=secret)
    elif old != new:
        shown = f"{path} changed" if secret or "[secret]" in f"{old}{new}" else f"{path}: {_short(old)} -> {_short(new)}"
        yield shown


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False) if value is not None else "(absent)"
    return text if len(text) <= SHOWN_VALUE_LENGTH else text[: SHOWN_VALUE_LENGTH - 1] + "…"
