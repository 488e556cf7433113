"""The whole project's Apex: parses a file when it is asked for and keeps only the last ones, so memory does not grow with the project."""

from __future__ import annotations

import re
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from curtilage.scan import files
from curtilage.scan.apex_model import ApexFile, Class, Method, arguments, name_of, parse, text_of
from curtilage.scan.index import Index

_KEPT = 48
_WORD = re.compile(rb"[A-Za-z_]\w*")
_BITS = 4096
_ELEMENT = re.compile(r"^(?:list|set|iterable|iterator|map<[^,]+,)<?(.*?)>*$")


def bloom(data: bytes) -> int:
    """A small set of the names in a file: may say yes wrongly, never no wrongly."""
    bits = 0
    for name in set(_WORD.findall(data.lower())):
        code = zlib.crc32(name)
        bits |= (1 << (code % _BITS)) | (1 << ((code >> 16) % _BITS))
    return bits


def anonymous(path: str, data: bytes) -> bytes:
    """A script of statements becomes a class's method, on the same lines."""
    return b"class Anonymous { void run() { " + data + b"\n} }" if path.endswith(".apex") else data


def _mask(name: str) -> int:
    code = zlib.crc32(name.lower().encode())
    return (1 << (code % _BITS)) | (1 << ((code >> 16) % _BITS))


def element_type(kind: str) -> str:
    """What a list, set or map holds; the type itself when it is none."""
    kind = kind.removesuffix("[]")
    if kind.startswith("map<"):
        return kind[4:].partition(",")[2].removesuffix(">") or kind
    for outer in ("list<", "set<", "iterable<", "iterator<"):
        if kind.startswith(outer):
            return kind[len(outer) :].removesuffix(">")
    return kind


@dataclass(slots=True)
class Entry:
    """What stays in memory of a file."""

    source: files.SourceFile
    names: int
    classes: tuple[str, ...]


@dataclass(slots=True)
class Program:
    """Finds classes, methods and callers by name.

    Args:
        index: the project's names.
    """

    index: Index
    entries: dict[str, Entry] = field(default_factory=dict)  # by path
    classes: dict[str, str] = field(default_factory=dict)  # class -> path
    below: dict[str, set[str]] = field(default_factory=dict)  # super -> classes
    _parsed: OrderedDict[str, ApexFile] = field(default_factory=OrderedDict)
    _callers: OrderedDict[tuple[str, str, int], list[tuple[Method, Node]]] = field(default_factory=OrderedDict)

    def take_in(self, source: files.SourceFile, data: bytes) -> ApexFile:
        """Read a file for the first time."""
        found = parse(source.path, anonymous(source.path, data), bodies=False)
        self.entries[source.path] = Entry(source, bloom(data), tuple(found.classes))
        for name, item in found.classes.items():
            if name != "<broken>":
                self.classes.setdefault(name, source.path)
            for parent in item.supers:
                self.below.setdefault(parent, set()).add(name)
                if item.outer:
                    self.below.setdefault(f"{item.outer.name}.{parent}", set()).add(name)
        return found

    def _keep(self, found: ApexFile) -> None:
        self._parsed[found.path] = found
        self._parsed.move_to_end(found.path)
        while len(self._parsed) > _KEPT:
            self._parsed.popitem(last=False)

    def file(self, path: str) -> ApexFile | None:
        """A file, parsed again when it was let go."""
        if path in self._parsed:
            self._parsed.move_to_end(path)
            return self._parsed[path]
        try:
            found = parse(path, anonymous(path, files.read(self.entries[path].source)))
        except (OSError, ValueError):  # it was there a moment ago; its own finding says so
            return None
        self._keep(found)
        return found

    def class_named(self, name: str, near: Class | None = None) -> Class | None:
        """A class by its name, looked for inside the asking class first."""
        name = name.lower()
        candidates = []
        scope = near
        while scope is not None:
            candidates.append(f"{scope.name}.{name}")
            scope = scope.outer
        candidates.append(name)
        if near is not None:
            candidates += [f"{parent}.{name}" for parent in near.supers]
        for candidate in candidates:
            if near is not None and candidate in near.file.classes:
                return near.file.classes[candidate]
            path = self.classes.get(candidate)
            if path is not None and (file := self.file(path)) is not None:
                return file.classes.get(candidate)
        return None

    def family(self, item: Class) -> list[Class]:
        """A class and what it inherits from, nearest first."""
        found: list[Class] = []
        pending = [item]
        while pending and len(found) < 12:
            current = pending.pop(0)
            if current not in found:
                found.append(current)
                pending += [parent for name in current.supers if (parent := self.class_named(name, current)) is not None]
        return found

    def heirs(self, item: Class) -> list[Class]:
        """Classes below one, bounded."""
        names = sorted(self.below.get(item.name, set()) | self.below.get(item.name.rpartition(".")[2], set()))[:12]
        return [heir for name in names if (heir := self.class_named(name)) is not None]

    def type_of(self, node: Node, method: Method) -> str:
        """The declared type of an expression, as far as declarations tell; empty when they do not."""
        kind = node.type
        if kind == "parenthesized_expression" and node.named_children:
            return self.type_of(node.named_children[0], method)
        if kind in ("object_creation_expression", "cast_expression"):
            return name_of(node.child_by_field_name("type"))
        if kind == "this":
            return method.owner.name
        if kind == "identifier":
            return self.variable_type(name_of(node), method)
        if kind == "field_access":
            holder = node.child_by_field_name("object")
            name = name_of(node.child_by_field_name("field"))
            if holder is not None and (owner := self.receiver(holder, method)) is not None:
                return next((item.fields[name].type for item in self.family(owner) if name in item.fields), "")
        if kind == "array_access" and (array := node.child_by_field_name("array")) is not None:
            return element_type(self.type_of(array, method))
        if kind == "method_invocation":
            targets = self.targets(node, method)
            held = node.child_by_field_name("object")
            if not targets and held is not None and name_of(node.child_by_field_name("name")) in ("get", "remove", "next"):
                kind = self.type_of(held, method)
                return element_type(kind) if kind.startswith(("map<", "list<", "iterator<")) else ""
            if targets and (declared := targets[0].node.parent) is not None:
                return name_of(declared.child_by_field_name("type"))
        return ""

    def variable_type(self, name: str, method: Method) -> str:
        """A local's, parameter's or field's declared type."""
        if name in method.types:
            return method.types[name]
        scope: Class | None = method.owner
        while scope is not None:
            for item in self.family(scope):
                if name in item.fields:
                    return item.fields[name].type
            scope = scope.outer
        return ""

    def receiver(self, node: Node, method: Method) -> Class | None:
        """The project's class an expression is of, or names."""
        if node.type in ("this", "super"):
            return method.owner
        kind = self.type_of(node, method)
        if kind:
            return self.class_named(kind, method.owner)
        if node.type in ("identifier", "field_access"):
            return self.class_named(name_of(node), method.owner)
        return None

    def targets(self, node: Node, method: Method) -> list[Method]:
        """The project's methods a call may reach."""
        name, count = name_of(node.child_by_field_name("name")), len(arguments(node))
        holder = node.child_by_field_name("object")
        if holder is None:
            owners: list[Class] = []
            scope: Class | None = method.owner
            while scope is not None:
                owners += self.family(scope)
                scope = scope.outer
        else:
            owner = self.receiver(holder, method)
            if owner is None:
                return []
            owners = self.family(owner)
        found = self._pick(owners, name, count)
        heirs = [] if found and found[0].is_static else [heir for item in owners[:1] for heir in self.heirs(item)]
        return (found + [item for heir in heirs for item in self._pick([heir], name, count)])[:8]

    @staticmethod
    def _pick(owners: list[Class], name: str, count: int) -> list[Method]:
        for item in owners:
            same = [found for found in item.methods.get(name, ()) if len(found.parameters) == count]
            if same:
                return same
        return []

    def callers(self, key: tuple[str, str, int]) -> list[tuple[Method, Node]]:
        """Every call of a method (or creation, for ``<init>``) outside of tests, bounded."""
        if key in self._callers:
            return self._callers[key]
        owner, name, count = key
        wanted = owner.rpartition(".")[2] if name == "<init>" else name
        mask, found = _mask(wanted), list[tuple[Method, Node]]()
        # Who calls a method names its class, or one above or below it, somewhere.
        item = self.class_named(owner)
        kin = {part for each in ([*self.family(item), *self.heirs(item)] if item else []) for part in (each.name, *each.supers)} | {owner}
        masks = [_mask(name.rpartition(".")[2].partition("<")[0]) for name in kin]
        for path, entry in self.entries.items():
            if entry.names & mask != mask or not any(entry.names & other == other for other in masks):
                continue
            file = self.file(path)
            for item in file.classes.values() if file else ():
                if not item.is_test:
                    found += self._calls_in(item, owner, name, wanted, count)
            if len(found) > 64:
                break
        self._callers[key] = found
        while len(self._callers) > 128:
            self._callers.popitem(last=False)
        return found

    def _calls_in(self, item: Class, owner: str, name: str, wanted: str, count: int) -> Iterator[tuple[Method, Node]]:
        for method in item.all_methods():
            if name == "<init>":
                for node in method.creations:
                    made = name_of(node.child_by_field_name("type"))
                    if made.rpartition(".")[2] == wanted and len(arguments(node)) == count:
                        target = self.class_named(made, item)
                        if target is not None and target.name == owner:
                            yield method, node
                continue
            for node in method.calls:
                called = node.child_by_field_name("name")
                if name_of(called) != wanted or len(arguments(node)) != count:
                    continue
                targets = self.targets(node, method)
                holder = node.child_by_field_name("object")
                # A receiver of unknown type may be ours; one of a known, other type is not.
                unknown = holder is not None and not targets and self.receiver(holder, method) is None and not self.type_of(holder, method)
                if any(target.owner.name == owner for target in targets) or (unknown and not text_of(holder)[:1].isupper()):
                    yield method, node
