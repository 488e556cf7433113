"""Kubernetes objects as the proof sees them: who they are, where they were read, and the pods they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from curtilage.errors import ConfigError
from curtilage.proof.aws.plan import UNKNOWN
from curtilage.proof.kubernetes.kinds import CLUSTER_KINDS, POD_KINDS

DEFAULT_NAMESPACE, NOWHERE = "default", "(not known)"
NAME_LABEL = "kubernetes.io/metadata.name"
"""Written by the API server on every namespace; nobody can change it."""

_GIVEN_BY_CONTROLLER = {
    "Deployment": ("pod-template-hash",),
    "ReplicaSet": ("pod-template-hash",),
    "StatefulSet": ("controller-revision-hash", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"),
    "DaemonSet": ("controller-revision-hash", "pod-template-generation"),
    "Job": ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"),
    "CronJob": ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"),
}


@dataclass(frozen=True, eq=False)
class Manifest:
    """One object, and where it was read."""

    group: str
    kind: str
    version: str
    namespace: str
    name: str
    body: Mapping[str, Any]
    where: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def spec(self) -> Mapping[str, Any]:
        """The specification; empty where there is none to read."""
        found = self.body.get("spec")
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Manifests:
    """All objects of one reading."""

    objects: tuple[Manifest, ...]
    digest: str
    gaps: tuple[tuple[str, str], ...] = ()
    """What the source itself left open, as (what it is about, what is missing)."""


def make_object(document: Mapping[str, Any], where: str) -> Manifest:
    """The object of a document.

    Raises:
        ConfigError: it has no name or its metadata is none.
    """
    meta = document.get("metadata")
    kind, version = str(document["kind"]), str(document["apiVersion"])
    if not isinstance(meta, dict):
        raise ConfigError(f"{kind} without metadata", rule="an object has metadata", fix="add metadata.name", file=where)
    name = meta.get("name", meta.get("generateName"))
    space = meta.get("namespace")
    if not (isinstance(name, str) and name) and name is not UNKNOWN:
        raise ConfigError(f"{kind} without a name", rule="an object has metadata.name", fix="add it", file=where)
    if space is not UNKNOWN and space is not None and not isinstance(space, str):
        raise ConfigError(f"{kind} {name}: its namespace is no text", rule="metadata.namespace is a name", fix="correct it", file=where)
    group, _, bare = version.rpartition("/")
    cluster = (group, kind) in CLUSTER_KINDS
    if kind == "Secret":
        document = {key: value for key, value in document.items() if key not in ("data", "stringData")}
    if not isinstance(space, str):
        space = DEFAULT_NAMESPACE if space is None else NOWHERE
    return Manifest(
        group=group,
        kind=kind,
        version=bare,
        namespace="" if cluster else (space or DEFAULT_NAMESPACE),
        name="(not known)" if name is UNKNOWN else str(name),
        body=document,
        where=where,
    )


@dataclass(frozen=True, eq=False)
class Template:
    """The pods of one workload: what they are labelled and what they run."""

    owner: Manifest
    labels: Mapping[str, str] | None
    """None where they are not known."""
    loose: frozenset[str]
    """Labels whose value a controller chooses."""
    spec: Mapping[str, Any] | None
    annotations: Mapping[str, Any] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """Where the pods are."""
        return self.owner.namespace

    @property
    def host_network(self) -> bool | None:
        """Whether the pods stand in their node's network; None where that is not known."""
        value = (self.spec or {}).get("hostNetwork", False) if self.spec is not None else None
        return bool(value) if value in (True, False, None) and self.spec is not None else None

    def containers(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every container of every sort, with its path."""
        for key in ("initContainers", "containers", "ephemeralContainers"):
            found = (self.spec or {}).get(key)
            for number, item in enumerate(found if isinstance(found, list) else []):
                if isinstance(item, dict):
                    yield f"{key}[{number}]", item

    def named_ports(self) -> dict[tuple[str, str], frozenset[int]] | None:
        """Container ports by (protocol, name); None where they are not known."""
        if self.spec is None or not isinstance(self.spec.get("containers", []), list):
            return None
        found: dict[tuple[str, str], set[int]] = {}
        for _, container in self.containers():
            ports = container.get("ports") or []
            for port in ports if isinstance(ports, list) else [UNKNOWN]:
                if not isinstance(port, dict):
                    return None
                name, number, protocol = port.get("name"), port.get("containerPort"), port.get("protocol") or "TCP"
                if UNKNOWN in (name, number, protocol):
                    return None
                if isinstance(name, str) and isinstance(number, int):
                    found.setdefault((str(protocol), name), set()).add(number)
        return {key: frozenset(value) for key, value in found.items()}


def template_of(item: Manifest) -> Template | None:
    """The pods that an object makes; None for an object that makes none."""
    if (item.group, item.kind) not in POD_KINDS:
        return None
    body: Any = item.body
    if item.kind != "Pod":
        body = item.body.get("spec")
        for key in ("jobTemplate", "spec", "template") if item.kind == "CronJob" else ("template",):
            body = body.get(key) if isinstance(body, dict) else body
    if not isinstance(body, dict):
        return Template(item, None, frozenset(), None)
    meta, spec = body.get("metadata"), body.get("spec")
    notes = meta.get("annotations") if isinstance(meta, dict) else {} if meta is None else UNKNOWN
    return Template(
        owner=item,
        labels=None if meta is UNKNOWN else string_map(meta.get("labels") if isinstance(meta, dict) else None),
        loose=frozenset(_GIVEN_BY_CONTROLLER.get(item.kind, ())),
        spec=spec if isinstance(spec, dict) else None,
        annotations=notes if isinstance(notes, dict) else {} if notes is None else {"(not known)": UNKNOWN},
    )


def string_map(value: Any) -> dict[str, str] | None:
    """A map of texts; None where it is not one, or not all known."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) and isinstance(text, str) for key, text in value.items()):
        return None
    return dict(value)
