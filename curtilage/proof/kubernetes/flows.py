"""Answers flow by flow: would this connection come about, egress at its source and ingress at its destination.

A flow, one JSON object a line::

    {"id": "1", "source": "x/a", "destination": "y/b", "protocol": "TCP", "port": 80}

``source`` and ``destination`` are ``namespace/pod`` (a pod, a workload, or a pod that a workload makes), an address, or an object:
``{"namespace": "x", "pod": "a"}``, ``{"namespace": "x", "labels": {"app": "a"}}``, ``{"ip": "203.0.113.9"}``,
``{"namespace": "x", "service": "web"}`` (a destination). An address is one outside of pods unless a listed pod has it. Without a port
the answer holds for every port; without a family, for both. ``"direction": "egress"`` (or ``"ingress"``) asks one side alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator

from curtilage.proof.formula import Concrete, Kleene
from curtilage.proof.kubernetes.decision import DST, SRC, Cluster, Decision, decide
from curtilage.proof.kubernetes.objects import Template, string_map
from curtilage.proof.kubernetes.rules import PROTOCOLS
from curtilage.proof.kubernetes.select import ADDRESS, KIND, LABEL, NAMED, NAMESPACE, POD

NUMBERS = {"ICMP": 1, "TCP": 6, "UDP": 17, "ICMPV6": 58, "SCTP": 132}
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]


class End(BaseModel):
    """One end of a flow."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    namespace: str | None = None
    pod: Annotated[str | None, Field(validation_alias=AliasChoices("pod", "name", "workload"))] = None
    labels: Annotated[dict[str, str] | None, Field(validation_alias=AliasChoices("labels", "podLabels", "pod_labels"))] = None
    ip: Annotated[IPv4Address | IPv6Address | None, Field(validation_alias=AliasChoices("ip", "address"))] = None
    service: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return {"ip": str(ip_address(value))}
        except ValueError:
            space, found, name = value.partition("/")
            if not (space and found and name) or "/" in name:
                raise ValueError("an end is 'namespace/pod', an address, or an object") from None
            return {"namespace": space, "pod": name}

    @model_validator(mode="after")
    def _somewhere(self) -> End:
        if self.ip is None and self.namespace is None:
            raise ValueError("an end names an ip, or a namespace")
        if self.namespace is None and (self.pod or self.labels is not None or self.service):
            raise ValueError("a pod or a service has a namespace")
        return self


class Flow(BaseModel):
    """One connection, or one datagram."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str | int | None = None
    source: Annotated[End, Field(validation_alias=AliasChoices("source", "src", "from"))]
    destination: Annotated[End, Field(validation_alias=AliasChoices("destination", "dst", "to"))]
    protocol: str | int = "TCP"
    port: Annotated[Port | str | None, Field(validation_alias=AliasChoices("port", "dport", "destination_port"))] = None
    family: Literal["ipv4", "ipv6"] | None = None
    direction: Literal["egress", "ingress"] | None = None
    """One direction alone, as policies are written; by default both, as connections come about."""
    expected: Any = None
    """What the file's author expects; not read."""

    @field_validator("port", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value

    @model_validator(mode="after")
    def _known_protocol(self) -> Flow:
        if isinstance(self.protocol, int):
            if not 0 <= self.protocol <= 255:
                raise ValueError("a protocol is 0 to 255")
        elif self.protocol.upper() not in NUMBERS:
            raise ValueError(f"protocol is one of {', '.join(NUMBERS)}, or a number")
        return self

    @property
    def number(self) -> int:
        """The protocol's number."""
        return self.protocol if isinstance(self.protocol, int) else NUMBERS[self.protocol.upper()]


@dataclass(frozen=True)
class Answer:
    """``allow``, ``deny`` or ``not_proven``, by which rules, and what was not decided."""

    verdict: str
    path: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Pod:
    """An end that was found: fields of it that are known."""

    fields: Mapping[str, int]
    named: Mapping[tuple[str, str], frozenset[int]] | None = None
    host: bool = False
    versions: Mapping[int, int] = field(default_factory=dict)
    label: str = ""


class Flows:
    """A cluster ready to be asked."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._decisions: dict[tuple[int | None, str], Decision] = {}
        # Formulas give labels their numbers, so all of them are made before the first pod is looked at.
        for item in cluster.world.namespaces:
            for direction in ("egress", "ingress"):
                self.decision(item.code, direction)

    def decision(self, namespace: int | None, direction: str) -> Decision:
        """The decision at pods of a namespace; None for a namespace that nothing is known of."""
        key = (namespace, direction)
        if key not in self._decisions:
            self._decisions[key] = decide(self.cluster, namespace, direction, strict=True)
        return self._decisions[key]

    def answer(self, flow: Flow) -> Answer:
        """Decide one flow."""
        if flow.destination.service is not None:
            return self._service(flow)
        source, destination = self._end(flow.source, SRC), self._end(flow.destination, DST)
        if source.label and source.label == destination.label and source.label.startswith("Pod "):
            return Answer("allow", ("a pod always reaches itself",))
        versions = sorted(set(source.versions) & set(destination.versions) or set(source.versions) | set(destination.versions) or {4, 6})
        if source.versions and destination.versions and not set(source.versions) & set(destination.versions):
            return Answer("not_proven", (), ("the ends have no address family in common",))
        if flow.family is not None:
            versions = [4 if flow.family == "ipv4" else 6]
        answers = [self._ask(flow, source, destination, version) for version in versions]
        if len({item.verdict for item in answers}) == 1:
            return answers[0]
        return Answer("not_proven", answers[0].path, ("the answer differs by address family", *answers[0].reasons))

    def _ask(self, flow: Flow, source: _Pod, destination: _Pod, version: int) -> Answer:
        values = {**source.fields, **destination.fields, "version": version, "protocol": flow.number}
        for side, end in ((SRC, source), (DST, destination)):
            if version in end.versions:
                values[f"{side}.ip{version}"] = end.versions[version]
        port = flow.port
        if isinstance(port, str):
            protocol = next((name for name, number in PROTOCOLS.items() if number == flow.number), "TCP")
            numbers = (destination.named or {}).get((protocol, port), frozenset())
            port = next(iter(numbers)) if len(numbers) == 1 else None
            if port is None:
                return Answer("not_proven", (), (f"no one port of the destination is named {flow.port}",))
        if port is not None:
            values["port"] = port
            values |= self._named(destination, port)
        path: list[str] = []
        reasons: list[str] = []
        verdict: Kleene[bool] = Kleene(True, True)
        for direction, end, side in (("egress", source, SRC), ("ingress", destination, DST)):
            if end.host or values.get(f"{side}.{KIND}") == ADDRESS or flow.direction not in (None, direction):
                continue
            algebra = Concrete(values)
            decision = self.decision(values.get(f"{side}.{NAMESPACE}"), direction)
            found = algebra.value(decision.allowed)
            verdict = algebra.both(verdict, found)
            if found.must != found.may:
                reasons += algebra.reasons
            path += self._path(decision, direction, values, allowed=found.may)
        name = "allow" if verdict.must else "not_proven" if verdict.may else "deny"
        return Answer(name, tuple(path), tuple(dict.fromkeys(reasons)) if name == "not_proven" else ())

    @staticmethod
    def _path(decision: Decision, direction: str, values: Mapping[str, int], *, allowed: bool) -> Iterator[str]:
        algebra = Concrete(values)
        for tier in (decision.admin, decision.baseline):
            yield from (f"{rule} {rule.action}" for rule, formula in tier.rules if algebra.value(formula).must)
        if algebra.value(decision.isolated).may:
            hits = [str(rule) for rule, formula in decision.rules if algebra.value(formula).may]
            yield from hits if allowed and hits else [f"{direction}: isolated, and no rule lets it through"] if not hits else []
        else:
            yield f"{direction}: no NetworkPolicy isolates the pod"

    def _named(self, destination: _Pod, port: int) -> dict[str, int]:
        fields = {}
        wanted = {(str(item.protocol), item.name) for rule in self.cluster.rules for item in rule.ports or () if item.name}
        for protocol, name in wanted:
            for one in PROTOCOLS if protocol == "None" else (protocol,):
                key = f"{DST}.{NAMED}{one}:{name}"
                if destination.fields.get(f"{DST}.{KIND}") == ADDRESS:
                    fields[key] = 0
                elif destination.named is not None:
                    fields[key] = int(port in destination.named.get((one, name or ""), frozenset()))
        return fields

    def _service(self, flow: Flow) -> Answer:
        wanted = flow.destination
        item = next(
            (
                one
                for one in self.cluster.objects
                if one.kind == "Service" and (one.namespace, one.name) == (wanted.namespace, wanted.service)
            ),
            None,
        )
        if item is None:
            return Answer("not_proven", (), (f"no Service {wanted.namespace}/{wanted.service} is in the manifests",))
        selector = string_map(item.spec.get("selector"))
        if not selector:
            return Answer("not_proven", (), (f"{item} selects no pods; where it leads is not in the manifests",))
        backends = [one for one in self.cluster.templates if one.namespace == item.namespace and self._backs(one, selector)]
        if not backends:
            return Answer("not_proven", (), (f"no pod of the manifests backs {item}",))
        ports = item.spec.get("ports")
        entry = (
            next((one for one in ports if isinstance(one, dict) and flow.port in (one.get("port"), one.get("name"))), None)
            if isinstance(ports, list)
            else None
        )
        if flow.port is not None and entry is None:
            return Answer("deny", (f"{item} has no port {flow.port}",))
        answers = []
        for backend in backends:
            end = End(namespace=backend.namespace, pod=backend.owner.name)
            port = (entry or {}).get("targetPort", (entry or {}).get("port", flow.port))
            answers.append(self.answer(flow.model_copy(update={"destination": end, "port": port})))
        verdicts = {one.verdict for one in answers}
        if len(verdicts) == 1:
            return replace(answers[0], path=(f"{item} leads to {backends[0].owner}", *answers[0].path))
        return Answer("not_proven", answers[0].path, (f"it depends on which pod {item} chooses",))

    @staticmethod
    def _backs(item: Template, selector: Mapping[str, str]) -> bool:
        return item.labels is not None and all(item.labels.get(key) == text for key, text in selector.items())

    def _end(self, end: End, side: str) -> _Pod:
        if end.namespace is None and end.ip is not None:
            owner = self._holder(end.ip)
            if owner is None:
                return _Pod({f"{side}.{KIND}": ADDRESS}, {}, versions={end.ip.version: int(end.ip)})
            end = End(namespace=owner.namespace, pod=owner.owner.name, ip=end.ip)
        template, extra = self._template(end)
        host = template.host_network if template is not None else False
        fields: dict[str, int] = {} if host or host is None else {f"{side}.{KIND}": POD}
        space = self.cluster.world.named(end.namespace or "")
        if space is not None:
            fields[f"{side}.{NAMESPACE}"] = space.code
        labels = end.labels if end.labels is not None else template.labels if template is not None else None
        loose = template.loose if template is not None and end.labels is None else frozenset()
        if labels is not None:
            labels = {**labels, **extra}
            for key in self.cluster.world.values:
                if key in labels or key not in loose:
                    fields[f"{side}.{LABEL}{key}"] = self.cluster.world.known_code(key, labels.get(key))
        versions = self._addresses(template)
        if end.ip is not None:
            versions = {int(end.ip.version): int(end.ip)}
        return _Pod(
            fields, template.named_ports() if template is not None else None, bool(host), versions, str(template.owner) if template else ""
        )

    def _template(self, end: End) -> tuple[Template | None, dict[str, str]]:
        """The listed pod or workload of a name, or the workload whose pods are named like it, with the labels its number gives."""
        here = [item for item in self.cluster.templates if item.namespace == end.namespace]
        if end.pod is None:
            fits = [
                item for item in here if end.labels is not None and item.labels is not None and item.labels.items() <= end.labels.items()
            ]
            return (fits[0] if len(fits) == 1 else None), {}
        exact = [item for item in here if item.owner.name == end.pod]
        if exact:
            return min(exact, key=lambda item: item.owner.kind != "Pod"), {}
        made = [item for item in here if item.owner.kind != "Pod" and end.pod.startswith(f"{item.owner.name}-")]
        if not made:
            return None, {}
        found = max(made, key=lambda item: len(item.owner.name))
        number = end.pod.removeprefix(f"{found.owner.name}-")
        if found.owner.kind == "StatefulSet" and number.isdigit():
            return found, {"statefulset.kubernetes.io/pod-name": end.pod, "apps.kubernetes.io/pod-index": number}
        return found, {}

    def _holder(self, address: IPv4Address | IPv6Address) -> Template | None:
        found = [item for item in self.cluster.templates if self._addresses(item).get(address.version) == int(address)]
        return found[0] if len(found) == 1 else None

    @staticmethod
    def _addresses(item: Template | None) -> dict[int, int]:
        status = item.owner.body.get("status") if item is not None and item.owner.kind == "Pod" else None
        found: dict[int, int] = {}
        if isinstance(status, dict):
            for one in [{"ip": status.get("podIP")}, *(status.get("podIPs") or [])]:
                try:
                    address = ip_address(one.get("ip"))
                except (ValueError, AttributeError):
                    continue
                found[address.version] = int(address)
        return found
