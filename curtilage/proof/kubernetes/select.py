"""Label selectors as formulas over pods, also pods that nobody has written yet.

A label is a field of its pod whose value is a number: 0 where the pod lacks the label, 1 for a value that no selector names, and a number
for each value one names. That is exact: a selector cannot tell two unnamed values apart. Namespaces are numbers too: those that the
manifests hold, those that a selector names, one ordinary namespace with a name of its own, and one for each set of labels that a selector
asks for and none of them has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from curtilage.proof.formula import FALSE, All, Either, Formula, Not, Test, Unknown, equals, one_of
from curtilage.proof.kubernetes.objects import NAME_LABEL

ABSENT, OTHER = 0, 1
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
KIND, ADDRESS, POD = "kind", 0, 1
NAMESPACE, LABEL, NAMED = "ns", "label:", "named:"
Note = Callable[[str], None]


@dataclass(frozen=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet it (apimachinery labels/selector.go: NotIn holds of what lacks the label)."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case _:
                return self.key not in labels


@dataclass(frozen=True)
class Selector:
    """A label selector: all requirements hold; none selects everything. ``doubt`` says why it cannot be read."""

    requirements: tuple[Requirement, ...] = ()
    doubt: str = ""

    def __str__(self) -> str:
        if self.doubt:
            return f"({self.doubt})"
        return ", ".join(
            f"{item.key} {item.operator} {' '.join(item.values)}".strip()
            if item.operator != "In"
            else f"{item.key}={'|'.join(item.values)}"
            for item in self.requirements
        )


EVERYTHING = Selector()


def read_selector(value: Any, where: str, note: Note) -> Selector:
    """A selector as the API defines it (metav1.LabelSelector); what it does not define is noted and left open."""
    doubts: list[str] = []

    def doubt(what: str) -> None:
        doubts.append(what)
        note(what)

    if value is None:
        return EVERYTHING
    if not isinstance(value, dict):
        doubt(f"{where} is not known, or no selector")
        return Selector(doubt=doubts[0])
    for key in value:
        if key not in ("matchLabels", "matchExpressions"):
            doubt(f"{where}.{key} is no field of a selector")
    found: list[Requirement] = []
    labels = value.get("matchLabels")
    if isinstance(labels, dict):
        for key, text in labels.items():
            if isinstance(key, str) and isinstance(text, str):
                found.append(Requirement(key, "In", (text,)))
            else:
                doubt(f"{where}.matchLabels has a value that is not known, or no text")
    elif labels is not None:
        doubt(f"{where}.matchLabels is not known, or no map")
    expressions = value.get("matchExpressions")
    if expressions is not None and not isinstance(expressions, list):
        doubt(f"{where}.matchExpressions is not known, or no list")
        expressions = None
    for number, item in enumerate(expressions or []):
        requirement = _requirement(item)
        if requirement is None:
            doubt(f"{where}.matchExpressions[{number}] is not known, or none the API accepts")
        else:
            found.append(requirement)
    return Selector(tuple(found), doubts[0] if doubts else "")


def _requirement(item: Any) -> Requirement | None:
    if not isinstance(item, dict) or set(item) - {"key", "operator", "values"}:
        return None
    key, operator, values = item.get("key"), item.get("operator"), item.get("values")
    values = [] if values is None else values
    if not isinstance(key, str) or operator not in OPERATORS or not isinstance(values, list):
        return None
    if not all(isinstance(text, str) for text in values) or bool(values) != (operator in ("In", "NotIn")):
        return None
    return Requirement(key, str(operator), tuple(values))


@dataclass
class Namespace:
    """A namespace: one that the manifests hold, or one that may be there besides."""

    code: int
    name: str
    labels: Mapping[str, str] | None
    """None where the manifests do not hold the object itself, so that all but its name is open."""
    listed: bool

    def holds(self, selector: Selector) -> bool | None:
        """Whether a selector selects it; None where that is open."""
        if selector.doubt:
            return None
        if self.labels is not None:
            return all(item.holds(self.labels) for item in selector.requirements)
        own = [item.holds({NAME_LABEL: self.name}) for item in selector.requirements if item.key == NAME_LABEL]
        if not all(own):
            return False
        return True if len(own) == len(selector.requirements) else None


@dataclass
class World:
    """Every label and namespace that selectors can tell apart."""

    namespaces: list[Namespace] = field(default_factory=list)
    values: dict[str, dict[str, int]] = field(default_factory=dict)
    _by_name: dict[str, Namespace] = field(default_factory=dict)
    relied: set[str] = field(default_factory=set)
    """Namespace selectors by label that only namespaces of the manifests meet."""

    def add(self, name: str, labels: Mapping[str, str] | None, *, listed: bool) -> Namespace:
        """A namespace; its name label is the API server's."""
        known = None if labels is None else {**labels, NAME_LABEL: name}
        found = Namespace(len(self.namespaces), name, known, listed)
        self.namespaces.append(found)
        self._by_name.setdefault(name, found)
        return found

    def named(self, name: str) -> Namespace | None:
        """The namespace of a name."""
        return self._by_name.get(name)

    def code(self, key: str, value: str | None) -> int:
        """The number of a label's value, for a selector that names it."""
        known = self.values.setdefault(key, {})
        return ABSENT if value is None else known.setdefault(value, len(known) + 2)

    def known_code(self, key: str, value: str | None) -> int:
        """The number of a pod's value."""
        return ABSENT if value is None else self.values.get(key, {}).get(value, OTHER)

    def complete(self, selectors: Iterable[Selector]) -> None:
        """Make room for the namespaces that selectors speak of and the manifests do not hold."""
        asked = [item for item in dict.fromkeys(selectors) if not item.doubt]
        for selector in asked:
            for item in selector.requirements:
                if item.key == NAME_LABEL:
                    for name in item.values:
                        if self.named(name) is None:
                            self.add(name, {}, listed=False)
        other = "another-namespace"
        while self.named(other):
            other += "-1"
        self.add(other, {}, listed=False)
        if any(self._open(selector) for selector in asked):
            self.add("a-namespace-with-labels-not-known", None, listed=False)
        for selector in asked:
            if any(item.holds(selector) is not False for item in self.namespaces):
                continue
            labels = {
                item.key: item.values[0] if item.values and item.operator == "In" else "any"
                for item in selector.requirements
                if item.operator in ("In", "Exists") and item.key != NAME_LABEL
            }
            name = f"a-namespace-with-{len(self.namespaces)}"
            made = self.add(name, labels, listed=False)
            if made.holds(selector) is not True:
                # Nothing meets it: it contradicts itself.
                self.namespaces.pop()
                del self._by_name[name]

    def _open(self, selector: Selector) -> bool:
        """Only namespaces whose labels are not in the manifests may meet it: so may one that nothing is known of."""
        found = {item.holds(selector) for item in self.namespaces}
        return None in found and True not in found

    def pods(self, side: str, selector: Selector) -> Formula:
        """The pod on a side has labels that a selector selects."""
        if selector.doubt:
            return Unknown(selector.doubt)
        return All(tuple(self._requirement(side, item) for item in selector.requirements))

    def _requirement(self, side: str, item: Requirement) -> Formula:
        name = f"{side}.{LABEL}{item.key}"
        self.values.setdefault(item.key, {})
        match item.operator:
            case "In":
                return one_of(name, tuple(self.code(item.key, value) for value in item.values))
            case "NotIn":
                return Not(one_of(name, tuple(self.code(item.key, value) for value in item.values)))
            case "Exists":
                return Test(name, OTHER, 2**16 - 1)
            case _:
                return equals(name, ABSENT)

    def spaces(self, side: str, selector: Selector) -> Formula:
        """The pod on a side stands in a namespace that a selector selects."""
        if selector.doubt:
            return Unknown(selector.doubt)
        certain: list[int] = []
        parts: list[Formula] = []
        for item in self.namespaces:
            holds = item.holds(selector)
            if holds is None:
                here = equals(f"{side}.{NAMESPACE}", item.code)
                parts.append(All((here, Unknown(f"the labels of namespace {item.name} are not in the manifests"))))
            elif holds:
                certain.append(item.code)
        parts = [among(f"{side}.{NAMESPACE}", certain), *parts] if certain else parts
        if any(item.key != NAME_LABEL and item.operator in ("In", "Exists") for item in selector.requirements) and not any(
            item.key == NAME_LABEL and item.operator == "In" for item in selector.requirements
        ):
            self.relied.add(str(selector))
        return Either(tuple(parts)) if parts else FALSE


def among(name: str, codes: Iterable[int]) -> Formula:
    """A field has one of some numbers; neighbours are asked for as one range."""
    ranges: list[list[int]] = []
    for code in sorted(set(codes)):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return Either(tuple(Test(name, low, high) for low, high in ranges))


def is_pod(side: str) -> Formula:
    """The end of a flow is a pod with a network of its own."""
    return equals(f"{side}.{KIND}", POD)
