"""Apex as classes, methods and assignments, read by the tree-sitter grammar; broken code is read as far as it goes and is said to be."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node, Parser
from tree_sitter_language_pack import get_parser

from curtilage.scan.model import Place

MUTATORS = re.compile(r"(?:add|put|set|append|write|with|insert)[a-z]*", re.IGNORECASE)
_BRANCHES = frozenset(
    {"if_statement", "switch_expression", "try_statement", "for_statement", "enhanced_for_statement", "while_statement", "do_statement"}
)
_LOOPS = frozenset({"for_statement", "enhanced_for_statement", "while_statement", "do_statement"})
_TYPES = frozenset({"class_declaration", "interface_declaration", "enum_declaration"})
_SPACE = re.compile(r"\s+")
Chain = tuple[tuple[int, int], ...]


@functools.cache
def parser() -> Parser:
    """The Apex parser; one a process."""
    return get_parser("apex")


def text_of(node: Node | None) -> str:
    """A node's source text."""
    return node.text.decode("utf-8", "replace") if node is not None and node.text is not None else ""


def name_of(node: Node | None) -> str:
    """A node's text as a key: Apex does not tell case apart, and white space may stand anywhere in a type."""
    return _SPACE.sub("", text_of(node)).lower()


@dataclass(slots=True)
class Assign:
    """A value that a variable takes, or that is put into it."""

    node: Node
    op: str  # '=', '+=', 'each', 'put'
    start: int


@dataclass(slots=True)
class Method:
    """A method, constructor (``<init>``), initialiser or trigger body."""

    owner: Class
    name: str
    display: str
    parameters: list[tuple[str, str]]
    node: Node
    is_static: bool = False
    annotations: tuple[str, ...] = ()
    assigns: dict[str, list[Assign]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    calls: list[Node] = field(default_factory=list)
    creations: list[Node] = field(default_factory=list)
    returns: list[Node] = field(default_factory=list)
    branches: list[tuple[int, int, int, int, bool]] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str, int]:
        """What call sites are matched with."""
        return (self.owner.name, self.name, len(self.parameters))

    def chain(self, position: int) -> Chain:
        """The branches a position lies in, outermost first."""
        return tuple((statement, index) for start, end, statement, index, _ in self.branches if start <= position < end)

    def loops(self, position: int) -> set[int]:
        """The loops a position lies in."""
        return {statement for start, end, statement, _, loop in self.branches if loop and start <= position < end}


@dataclass(slots=True)
class Field:
    """A field or property."""

    name: str
    type: str
    values: list[Node] = field(default_factory=list)
    getter: Method | None = None


@dataclass(slots=True)
class Class:
    """A class, interface, enum or trigger."""

    name: str  # 'outer.inner', lower case
    display: str
    file: ApexFile
    supers: tuple[str, ...] = ()
    outer: Class | None = None
    is_test: bool = False
    trigger_object: str = ""
    fields: dict[str, Field] = field(default_factory=dict)
    methods: dict[str, list[Method]] = field(default_factory=dict)

    def all_methods(self) -> Iterator[Method]:
        """Every method, and the getters."""
        for same in self.methods.values():
            yield from same
        for item in self.fields.values():
            if item.getter:
                yield item.getter


@dataclass(slots=True)
class ApexFile:
    """A parsed file."""

    path: str
    root: Node
    bodies: bool = True
    classes: dict[str, Class] = field(default_factory=dict)
    broken: tuple[int, str] | None = None

    def place(self, node: Node) -> Place:
        """Where a node stands."""
        row, column = node.start_point
        return Place(self.path, row + 1, column + 1)


def parse(path: str, data: bytes, *, bodies: bool = True) -> ApexFile:
    """Read a class or trigger; without its bodies when only its head is wanted, which is most of the time."""
    tree = parser().parse(data)
    found = ApexFile(path, tree.root_node, bodies)
    if tree.root_node.has_error:
        found.broken = _first_error(tree.root_node)
    for node in tree.root_node.named_children:
        if node.type in _TYPES:
            _read_type(found, node, None)
        elif node.type == "trigger_declaration":
            _read_trigger(found, node)
        elif node.type == "ERROR":
            # A broken head must not hide the body: what is inside is read as one nameless class.
            _read_fragment(found, node)
    return found


def comments(root: Node) -> Iterator[Node]:
    """Every comment of a file."""
    pending = [root]
    while pending:
        node = pending.pop()
        if node.type.endswith("comment"):
            yield node
        pending.extend(reversed(node.children))


def _first_error(root: Node) -> tuple[int, str]:
    pending = [root]
    while pending:
        node = pending.pop()
        if node.is_error:
            return node.start_point[0] + 1, "cannot be parsed here"
        if node.is_missing:
            return node.start_point[0] + 1, f"{node.type!r} is missing"
        pending.extend(reversed([child for child in node.children if child.has_error or child.is_missing]))
    return 1, "cannot be parsed"


def _modifiers(node: Node) -> tuple[list[str], set[str]]:
    annotations, words = [], set()
    for child in node.children:
        if child.type == "modifiers":
            for modifier in child.named_children:
                if modifier.type == "annotation":
                    annotations.append(name_of(modifier).lstrip("@"))
                else:
                    words.add(name_of(modifier))
    return annotations, words


def _read_type(file: ApexFile, node: Node, outer: Class | None) -> None:
    display = text_of(node.child_by_field_name("name")) or "?"
    full = f"{outer.display}.{display}" if outer else display
    annotations, words = _modifiers(node)
    supers = []
    for child in node.children:
        if child.type in ("superclass", "interfaces", "extends_interfaces"):
            holder = next((item for item in child.named_children if item.type == "type_list"), child)
            supers += [name_of(item) for item in holder.named_children]
    test = any(item.startswith("istest") for item in annotations) or "testmethod" in words or bool(outer and outer.is_test)
    found = Class(full.lower(), full, file, tuple(supers), outer, test)
    file.classes[found.name] = found
    body = node.child_by_field_name("body")
    for member in body.named_children if body else ():
        if file.bodies or member.type in _TYPES:
            _read_member(found, member)


def _read_member(owner: Class, member: Node) -> None:
    if member.type in _TYPES:
        _read_type(owner.file, member, owner)
    elif member.type == "field_declaration":
        _read_field(owner, member)
    elif member.type in ("method_declaration", "constructor_declaration"):
        _read_method(owner, member)
    elif member.type in ("static_initializer", "block"):
        _add(owner, Method(owner, "<init-block>", "initialiser", [], member))
    elif member.type == "ERROR":
        _add(owner, Method(owner, "<broken>", "broken code", [], member))


def _read_field(owner: Class, node: Node) -> None:
    kind = name_of(node.child_by_field_name("type"))
    for child in node.children_by_field_name("declarator"):
        name = name_of(child.child_by_field_name("name"))
        found = owner.fields.setdefault(name, Field(name, kind))
        if value := child.child_by_field_name("value"):
            found.values.append(value)
    accessors = next((child for child in node.named_children if child.type == "accessor_list"), None)
    if accessors is not None and found.getter is None:
        found.getter = Method(owner, "<get>", found.name, [], accessors)
        _collect(found.getter)


def _read_method(owner: Class, node: Node) -> None:
    annotations, words = _modifiers(node)
    constructor = node.type == "constructor_declaration"
    display = text_of(node.child_by_field_name("name"))
    holder = node.child_by_field_name("parameters")
    parameters = [
        (name_of(item.child_by_field_name("name")), name_of(item.child_by_field_name("type")))
        for item in (holder.named_children if holder else ())
        if item.type == "formal_parameter"
    ]
    body = node.child_by_field_name("body")
    if any(item.startswith("istest") for item in annotations) or "testmethod" in words:
        return  # the platform refuses callouts in test methods
    method = Method(owner, "<init>" if constructor else display.lower(), display, parameters, body or node)
    method.is_static, method.annotations = "static" in words, tuple(annotations)
    method.types.update(parameters)
    _add(owner, method, collect=body is not None)


def _read_trigger(file: ApexFile, node: Node) -> None:
    display = text_of(node.child_by_field_name("name")) or "?"
    found = Class(f"trigger {display}".lower(), display, file, trigger_object=text_of(node.child_by_field_name("object")))
    file.classes[found.name] = found
    body = node.child_by_field_name("body")
    if body is not None:
        _add(found, Method(found, "<trigger>", display, [], body, is_static=True))


def _read_fragment(file: ApexFile, node: Node) -> None:
    found = file.classes.setdefault("<broken>", Class("<broken>", "broken code", file))
    loose = Method(found, "<broken>", "broken code", [], node)
    for member in node.named_children:
        if member.type in _TYPES or member.type in ("field_declaration", "method_declaration", "constructor_declaration"):
            _read_member(found, member)
    _add(found, loose)


def _add(owner: Class, method: Method, *, collect: bool = True) -> None:
    owner.methods.setdefault(method.name, []).append(method)
    if collect and owner.file.bodies:
        _collect(method)


def _collect(method: Method) -> None:
    """One walk over a body: what each name is given, what is called, made and returned."""
    pending = [method.node]
    while pending:
        node = pending.pop()
        kind = node.type
        if kind in _TYPES or (kind == "method_declaration" and node != method.node):
            continue
        if kind == "method_invocation":
            method.calls.append(node)
            _mutation(method, node)
        elif kind == "object_creation_expression":
            method.creations.append(node)
        elif kind == "local_variable_declaration":
            _declaration(method, node)
        elif kind == "assignment_expression":
            _assignment(method, node)
        elif kind == "return_statement":
            method.returns += node.named_children[:1]
        elif kind == "enhanced_for_statement":
            name, value = name_of(node.child_by_field_name("name")), node.child_by_field_name("value")
            method.types[name] = name_of(node.child_by_field_name("type"))
            if value is not None:
                method.assigns.setdefault(name, []).append(Assign(value, "each", value.start_byte))
        if kind in _BRANCHES:
            _branch(method, node)
        pending.extend(reversed(node.named_children))


def _branch(method: Method, node: Node) -> None:
    loop = node.type in _LOOPS
    if node.type == "if_statement":
        parts = [node.child_by_field_name("consequence"), node.child_by_field_name("alternative")]
    elif node.type == "switch_expression":
        body = node.child_by_field_name("body")
        parts = list(body.named_children) if body else []
    elif node.type == "try_statement":
        parts = [child for child in node.named_children if child.type == "catch_clause"]  # the body itself usually runs through
    else:
        parts = [node.child_by_field_name("body")]
    for index, part in enumerate(parts):
        if part is not None:
            method.branches.append((part.start_byte, part.end_byte, node.start_byte, index, loop))


def _declaration(method: Method, node: Node) -> None:
    kind = name_of(node.child_by_field_name("type"))
    for child in node.children_by_field_name("declarator"):
        name = name_of(child.child_by_field_name("name"))
        method.types[name] = kind
        if value := child.child_by_field_name("value"):
            method.assigns.setdefault(name, []).append(Assign(value, "=", child.start_byte))


def _assignment(method: Method, node: Node) -> None:
    left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
    if left is None or right is None:
        return
    operator = name_of(node.child_by_field_name("operator")) or "="
    if left.type == "array_access":
        left, operator = left.child_by_field_name("array") or left, "put"
    # It takes effect when its right side is done.
    method.assigns.setdefault(name_of(left), []).append(Assign(right, operator, node.end_byte))


def _mutation(method: Method, node: Node) -> None:
    target, called = node.child_by_field_name("object"), text_of(node.child_by_field_name("name"))
    if target is None or not MUTATORS.fullmatch(called):
        return
    while target.type == "method_invocation":  # a.b().put(x): the innermost name is what grows
        inner = target.child_by_field_name("object")
        if inner is None:
            return
        target = inner
    if target.type in ("identifier", "field_access"):
        method.assigns.setdefault(name_of(target), []).append(Assign(node, "put", node.end_byte))


def arguments(node: Node) -> list[Node]:
    """The arguments of a call or creation."""
    holder = node.child_by_field_name("arguments")
    return [child for child in holder.named_children if not child.type.endswith("comment")] if holder else []
