"""What a string expression in Apex may be: constants, concatenation, formats, labels, metadata, settings, maps, other classes, callers.

Assignments are followed in order: one that certainly ran before replaces earlier ones, one in another branch is added, one in the opposite
branch is left out. Whatever is not understood is a hole with a name; nothing is dropped.
"""

from __future__ import annotations

import re

from tree_sitter import Node

from curtilage.scan.apex_calls import Calls
from curtilage.scan.apex_model import Assign, Class, Method, arguments, name_of, text_of
from curtilage.scan.apex_program import Program, element_type
from curtilage.scan.texts import NOTHING, Hole, Text, Texts, bound, hole, join, literal, only_literal, show

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_IN_TESTS = frozenset({"test.isrunningtest", "system.test.isrunningtest"})
MAX_STEPS = 6_000
MAX_DEPTH = 40


def unquote(source: str) -> str:
    """An Apex string literal's value."""
    inner = source[1:-1] if len(source) >= 2 else ""
    return _ESCAPE.sub(
        lambda match: chr(int(match[1][1:], 16)) if match[1][0] == "u" and len(match[1]) == 5 else _ESCAPES.get(match[1], match[1]), inner
    )


class Values(Calls):
    """Evaluates texts.

    Args:
        program: the project.
    """

    def __init__(self, program: Program) -> None:
        self.program, self.index = program, program.index
        self._steps, self._active = 0, set[tuple[int, str, str]]()

    def text(self, node: Node | None, method: Method) -> Texts:
        """What an expression may be."""
        if node is None:
            return hole("unknown", "nothing")
        key = (node.start_byte, node.type, f"{method.owner.name}.{method.name}.{node.end_byte}")
        self._steps += 1
        if key in self._active:
            return NOTHING  # a value made of itself adds nothing; a sink with no value at all counts as not told
        if len(self._active) > MAX_DEPTH or self._steps > MAX_STEPS:
            return hole("unknown", text_of(node)[:60])
        self._active.add(key)
        try:
            return self._text(node, method)
        finally:
            self._active.discard(key)

    def fresh(self) -> None:
        """Before another sink: its own bound on work."""
        self._steps = 0
        self._active.clear()

    def _text(self, node: Node, method: Method) -> Texts:
        kind = node.type
        children = node.named_children
        if kind == "string_literal":
            return literal(unquote(text_of(node)))
        if kind in ("int", "decimal", "boolean", "number", "long", "double"):
            return literal(text_of(node))
        if kind in ("parenthesized_expression", "expression_statement") and children:
            return self.text(children[0], method)
        if kind == "cast_expression":
            return self.text(node.child_by_field_name("value"), method)
        if kind == "assignment_expression":
            return self.text(node.child_by_field_name("right"), method)
        if kind == "ternary_expression" and name_of(node.child_by_field_name("condition")).strip("()") in _IN_TESTS:
            return self.text(node.child_by_field_name("alternative"), method)
        if kind == "ternary_expression":
            return self._either(node, method, "consequence", "alternative")
        if kind == "binary_expression":
            if any(text_of(child) == "+" for child in node.children):
                return join(*(self.text(operand, method) for operand in _operands(node)))
            if any(text_of(child) == "??" for child in node.children):
                return self._either(node, method, "left", "right")
        if kind == "null_coalescing_expression" and len(children) >= 2:
            return bound(self.text(children[0], method) | self.text(children[-1], method))
        if kind == "identifier":
            return self.variable(name_of(node), node, method)
        if kind == "field_access":
            return self._field_access(node, method)
        if kind == "array_access":
            return self._element(node.child_by_field_name("array"), node.child_by_field_name("index"), node, method)
        if kind == "method_invocation":
            return self.call(node, method)
        if kind == "object_creation_expression":
            return self._creation(node, method)
        if kind == "null_literal":
            return NOTHING
        return hole("unknown", text_of(node)[:60])

    def _either(self, node: Node, method: Method, *names: str) -> Texts:
        found: set[Text] = set()
        for name in names:
            found |= self.text(node.child_by_field_name(name), method)
        return bound(found)

    # ---- variables

    def before(self, assigns: list[Assign], node: Node, method: Method) -> list[Assign]:
        """The assignments that may hold at a place, in order, without those certainly replaced."""
        position = node.start_byte
        here, loops = method.chain(position), method.loops(position)
        found: list[Assign] = []
        later: list[Assign] = []
        for item in sorted(assigns, key=lambda entry: entry.start):
            if item.start > position:
                if loops & method.loops(item.start - 1):
                    later.append(item)
                continue
            there = method.chain(item.start - 1)
            if any(statement == other and index != branch for statement, index in there for other, branch in here):
                continue
            if item.op == "=" and set(there) <= set(here):
                found = []
            found.append(item)
        return found + later

    def variable(self, name: str, node: Node, method: Method) -> Texts:
        """A name's texts at a place."""
        found: Texts = NOTHING
        index = next((number for number, (parameter, _) in enumerate(method.parameters) if parameter == name), None)
        local = name in method.types or index is not None
        assigns = self.before(method.assigns.get(name, []), node, method)
        if index is not None and not (assigns and assigns[0].op == "=" and self._certain(assigns[0], node, method)):
            found = hole("param", method.parameters[index][0], (method.key, index))
        if not local:
            if assigns and assigns[0].op == "=" and self._certain(assigns[0], node, method):
                found = NOTHING
            else:
                found = self.field(name, method.owner, method)
        found = self._follow(found, assigns, method)
        return found or hole("unknown", text_of(node)[:60])

    def _certain(self, item: Assign, node: Node, method: Method) -> bool:
        return item.start <= node.start_byte and set(method.chain(item.start - 1)) <= set(method.chain(node.start_byte))

    def _follow(self, found: Texts, assigns: list[Assign], method: Method) -> Texts:
        certain = NOTHING
        for item in assigns:
            if item.op == "=":
                found = bound(found | self.text(item.node, method))
            elif item.op == "+=":
                longer = join(found or literal(""), self.text(item.node, method))
                found = bound(longer if not method.chain(item.start - 1) else found | longer)
            elif item.op == "each":
                found = bound(found | self._all_elements(item.node, method))
        return found | certain

    def _inside(self, getter: Method) -> bool:
        return any(
            getter.node.start_byte <= start < getter.node.end_byte
            for start, _, home in self._active
            if home.startswith(f"{getter.owner.name}.<get>")
        )

    def field(self, name: str, owner: Class, method: Method) -> Texts:
        """A field's texts: initialisers, getter, and every assignment in its class."""
        found: set[Text] = set()
        scope: Class | None = owner
        while scope is not None:
            for item in self.program.family(scope):
                if name not in item.fields:
                    continue
                field = item.fields[name]
                home = Method(item, "<field>", name, [], field.values[0] if field.values else method.node)
                for value in field.values:
                    found |= self.text(value, home)
                if field.getter:
                    for value in field.getter.returns:
                        found |= self.text(value, field.getter)
                for other in item.all_methods():
                    if other is field.getter:
                        continue
                    names = [f"this.{name}", f"{item.name}.{name}"] + ([name] if name not in other.types else [])
                    for assign in (entry for each in names for entry in other.assigns.get(each, ())):
                        if assign.op == "=":
                            found |= self.text(assign.node, other)
                        elif assign.op == "+=":
                            found |= {(*text, *tail) for text in (found or {("",)}) for tail in self.text(assign.node, other)}
                if field.getter and self._inside(field.getter):
                    return bound(found)  # a getter that keeps its own value: the assignment beside it says what it is
                return bound(found) or hole("unknown", f"{item.display}.{name}")
            scope = scope.outer
        return NOTHING

    def _field_access(self, node: Node, method: Method) -> Texts:
        holder, name = node.child_by_field_name("object"), name_of(node.child_by_field_name("field"))
        whole = name_of(node).replace("?.", ".")
        if holder is None:
            return hole("unknown", text_of(node)[:60])
        outer = name_of(holder)
        if outer in ("label", "system.label") or outer.startswith(("label.", "system.label.")):
            value = self.index.labels.get(name)
            return literal(value) if value is not None else hole("label", f"label {text_of(node.child_by_field_name('field'))}")
        if outer == "page":
            return hole("own", f"page {name}")
        assigns = self.before(method.assigns.get(whole, []), node, method)
        if assigns and assigns[0].op == "=" and self._certain(assigns[0], node, method):
            return self._follow(NOTHING, assigns, method)
        if holder.type == "this":
            found = self.field(name, method.owner, method)
        elif (values := self.record_values(holder, name, node, method)) is not None:
            return values
        elif (owner := self.program.receiver(holder, method)) is not None:
            found = self.field(name, owner, method)
            # Values given to this very object beat what the class says of all of them only when they certainly ran; else both count.
        else:
            found = NOTHING
        found = self._follow(found, assigns, method)
        return found or hole("unknown", text_of(node)[:60])

    def _creation(self, node: Node, method: Method) -> Texts:
        made, given = name_of(node.child_by_field_name("type")), arguments(node)
        if made.rpartition(".")[2] in ("pagereference", "url", "string") and given:
            texts = self.text(given[0], method)
            if made.rpartition(".")[2] == "url" and len(given) >= 3:  # protocol, host, [port,] file
                return join(texts, literal("://"), self.text(given[1], method), self.text(given[-1], method))
            return join(texts, *(self.text(item, method) for item in given[1:])) if len(given) > 1 else texts
        return hole("unknown", text_of(node)[:60])

    # ---- callers

    def through_callers(self, texts: Texts, depth: int = 4) -> tuple[Texts, list[tuple[Method, Node]]]:
        """The texts with parameters replaced by what callers give, and those calls."""
        used: list[tuple[Method, Node]] = []
        for _ in range(depth):
            refs = {part.ref for text in texts for part in text if isinstance(part, Hole) and part.kind == "param" and part.ref}
            if not refs:
                break
            replaced: dict[tuple[tuple[str, str, int], int], Texts] = {}
            for key, position in sorted(refs):
                found: set[Text] = set()
                for caller, node in self.program.callers(key):
                    given = arguments(node)
                    if position < len(given):
                        found |= self.text(given[position], caller)
                        used.append((caller, node))
                replaced[key, position] = bound(found)
            if not any(replaced.values()):
                break
            texts = self.substitute(texts, {ref: value for ref, value in replaced.items() if value})
        return texts, used

    @staticmethod
    def substitute(texts: Texts, values: dict[tuple[tuple[str, str, int], int], Texts]) -> Texts:
        """The texts with some parameters' holes filled."""
        found: set[Text] = set()
        for text in texts:
            parts = [
                values.get(part.ref, frozenset({(part,)})) if isinstance(part, Hole) and part.ref else frozenset({(part,)}) for part in text
            ]
            found |= join(*parts)
        return bound(found)

    # ---- collections

    def _all_elements(self, node: Node | None, method: Method) -> Texts:
        return self._element(node, None, node, method)

    def _element(self, holder: Node | None, index: Node | None, node: Node | None, method: Method) -> Texts:
        """Elements of a list, set or map: the one under a known key, else all."""
        if holder is None or node is None:
            return hole("unknown", "element")
        pairs = self.elements(holder, method)
        if pairs is None:
            return hole("unknown", text_of(node)[:60])
        wanted = only_literal(self.text(index, method)) if index is not None else None
        if wanted is not None:
            keyed = [pair for pair in pairs if pair[0] is not None and only_literal(self.text(pair[0], pair[2])) == wanted]
            if keyed:
                pairs = keyed[-1:]
            elif all(pair[0] is None for pair in pairs) and wanted.isdigit() and int(wanted) < len(pairs):
                pairs = [pairs[int(wanted)]]
        found: set[Text] = set()
        for _, value, home in pairs:
            found |= self.text(value, home)
        return bound(found) or hole("unknown", text_of(node)[:60])

    def elements(self, node: Node, method: Method, depth: int = 0) -> list[tuple[Node | None, Node, Method]] | None:
        """The (key, value, method they are read in) of a collection; ``None`` when its making is out of sight."""
        if depth > 8:
            return None
        kind = node.type
        if kind in ("parenthesized_expression", "cast_expression"):
            inner = node.child_by_field_name("value") or next(iter(node.named_children), None)
            return self.elements(inner, method, depth + 1) if inner is not None else None
        if kind in ("array_creation_expression", "map_creation_expression"):
            value = node.child_by_field_name("value")
            found: list[tuple[Node | None, Node, Method]] = []
            for child in value.named_children if value is not None else ():
                parts = child.named_children
                if child.type == "map_key_initializer" and len(parts) >= 2:
                    found.append((parts[0], parts[-1], method))
                elif not child.type.endswith("comment"):
                    found.append((None, child, method))
            return found
        if kind == "object_creation_expression":
            given = arguments(node)
            return self.elements(given[0], method, depth + 1) if given else []
        if kind == "method_invocation":
            holder = node.child_by_field_name("object")
            called = name_of(node.child_by_field_name("name"))
            if holder is not None and called in ("values", "clone", "deepclone"):
                return self.elements(holder, method, depth + 1)
            if holder is not None and called == "split":
                return None
            return self._returned(node, method, depth)
        if kind in ("identifier", "field_access"):
            return self._named_elements(node, method, depth)
        return None

    def _returned(self, node: Node, method: Method, depth: int) -> list[tuple[Node | None, Node, Method]] | None:
        found: list[tuple[Node | None, Node, Method]] = []
        for target in self.program.targets(node, method):
            for value in target.returns:
                found += self.elements(value, target, depth + 1) or []
        return found or None

    def _named_elements(self, node: Node, method: Method, depth: int) -> list[tuple[Node | None, Node, Method]] | None:
        name = name_of(node).removeprefix("this.")
        sources: list[tuple[Assign, Method]] = [(item, method) for item in self.before(method.assigns.get(name_of(node), []), node, method)]
        known = bool(sources)
        if name not in method.types:
            owner: Class | None = method.owner
            if "." in name:
                holder = node.child_by_field_name("object")
                owner = self.program.receiver(holder, method) if holder is not None else None
                name = name.rpartition(".")[2]
            while owner is not None and name not in owner.fields:
                owner = owner.outer
            if owner is not None:
                known = True
                home = Method(owner, "<field>", name, [], node)
                sources = [(Assign(value, "=", 0), home) for value in owner.fields[name].values] + sources
                for other in owner.all_methods():
                    if other is not method and name not in other.types:
                        sources += [(item, other) for each in (name, f"this.{name}") for item in other.assigns.get(each, ())]
        found: list[tuple[Node | None, Node, Method]] = []
        for item, home in sources:
            if item.op == "=":
                found += self.elements(item.node, home, depth + 1) or []
            elif item.op == "put" and item.node.type == "method_invocation":
                given = arguments(item.node)
                if len(given) == 2:
                    found.append((given[0], given[1], home))
                elif len(given) == 1 and name_of(item.node.child_by_field_name("name")).endswith("all"):
                    found += self.elements(given[0], home, depth + 1) or []
                elif given:
                    found.append((None, given[0], home))
            elif item.op == "put":
                found.append((None, item.node, home))
        return found if known else None


def _operands(node: Node) -> list[Node]:
    """The operands of a chain of ``+``, without recursion: generated code concatenates thousands."""
    found: list[Node] = []
    current: Node | None = node
    while current is not None and current.type == "binary_expression" and any(text_of(child) == "+" for child in current.children):
        right = current.child_by_field_name("right")
        if right is not None:
            found.append(right)
        current = current.child_by_field_name("left")
    if current is not None:
        found.append(current)
    return found[::-1]


__all__ = ["Values", "element_type", "show", "unquote"]
