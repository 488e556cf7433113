"""What a JavaScript expression may be as text: constants, templates, concatenation, object members, labels."""

from __future__ import annotations

import re

from tree_sitter import Node

from curtilage.scan.apex_model import text_of
from curtilage.scan.index import Index
from curtilage.scan.texts import NOTHING, Text, Texts, bound, hole, join, literal

_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_LABEL = re.compile(r"@salesforce/label/(?:\w+\.)?(\w+)")


def _unescape(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    return chr(min(int(code, 16), 0x10FFFF)) if code else match[4]


class Scope:
    """The names of one script, whatever block they are in: shadowing only adds alternatives.

    Args:
        root: the script.
        index: the project's names.
    """

    def __init__(self, root: Node, index: Index) -> None:
        self.index = index
        self.values: dict[str, list[Node]] = {}
        self.imports: dict[str, str] = {}
        self.clients: dict[str, Node | None] = {}  # HTTP clients made here, with the expression of their base address
        self.senders: set[str] = set()  # other names of fetch
        self.requests: set[str] = set()
        self.parameters: set[str] = set()
        pending = [root]
        while pending:
            node = pending.pop()
            self._take(node)
            pending.extend(node.named_children)

    def _take(self, node: Node) -> None:
        if node.type == "variable_declarator":
            name, value = text_of(node.child_by_field_name("name")), node.child_by_field_name("value")
            if value is not None:
                self._give(name, value)
        elif node.type in ("assignment_expression", "field_definition", "pair"):
            left = node.child_by_field_name("left") or node.child_by_field_name("property") or node.child_by_field_name("key")
            value = node.child_by_field_name("right") or node.child_by_field_name("value")
            if left is not None and value is not None:
                name = text_of(left).strip("'\"")
                self._give(name if node.type == "assignment_expression" else f".{name}", value)
        elif node.type == "method_definition":
            name = text_of(node.child_by_field_name("name"))
            if any(child.type == "get" for child in node.children):
                for value in _returned(node):
                    self._give(f".{name}", value)
        elif node.type == "import_statement":
            source = text_of(node.child_by_field_name("source")).strip("'\"")
            for child in node.named_children:
                if child.type == "import_clause":
                    for item in child.named_children:
                        if item.type == "identifier":
                            self.imports[text_of(item)] = source

    def _give(self, name: str, value: Node) -> None:
        self.values.setdefault(name, []).append(value)
        made = text_of(value.child_by_field_name("constructor") or value.child_by_field_name("function"))
        if re.fullmatch(r"(?:window\.)?XMLHttpRequest", made):
            self.requests.add(name.lower())
        if made.lower() in ("axios.create", "ky.create", "ky.extend"):
            given = value.child_by_field_name("arguments")
            first = next(iter(given.named_children), None) if given is not None else None
            base = self.member(first, "baseURL") or self.member(first, "prefixUrl") if first is not None else None
            self.clients[name.lower()] = base
        if re.fullmatch(r"(?:(?:window|self|globalThis)\.)?fetch(?:\.bind\(.*\))?", text_of(value)):
            self.senders.add(name.lower())

    def makes(self, name: str) -> bool:
        """Whether a name is an element made here that loads its ``src``."""
        for value in self.values.get(name, ()):
            text = text_of(value)
            if re.search(r"createElement\(\s*['\"](?:script|iframe|img|embed)['\"]", text) or text.startswith("new Image"):
                return True
        return False

    def member(self, node: Node, name: str, depth: int = 0) -> Node | None:
        """An object literal's member, through one variable."""
        if node.type == "call_expression" and text_of(node.child_by_field_name("function")) in ("Object.freeze", "Object.assign"):
            given = node.child_by_field_name("arguments")
            for inner in given.named_children if given is not None else ():
                if depth < 3 and (found := self.member(inner, name, depth + 1)) is not None:
                    return found
        if node.type == "object":
            for pair in node.named_children:
                key = pair.child_by_field_name("key")
                if pair.type == "pair" and key is not None and text_of(key).strip("'\"") == name:
                    return pair.child_by_field_name("value")
        elif node.type == "identifier" and depth < 3:
            for value in self.values.get(text_of(node), ()):
                if found := self.member(value, name, depth + 1):
                    return found
        return None

    def text(self, node: Node | None, depth: int = 0) -> Texts:
        """What an expression may be."""
        if node is None or depth > 20:
            return hole("unknown", "value")
        kind = node.type
        if kind == "string":
            return literal(_ESCAPE.sub(_unescape, text_of(node)[1:-1]))
        if kind in ("number", "true", "false"):
            return literal(text_of(node))
        if kind == "template_string":
            return self._template(node, depth)
        if kind == "binary_expression" and text_of(node.child_by_field_name("operator")) == "+":
            return join(self.text(node.child_by_field_name("left"), depth + 1), self.text(node.child_by_field_name("right"), depth + 1))
        if kind == "binary_expression":
            return bound(self.text(node.child_by_field_name("left"), depth + 1) | self.text(node.child_by_field_name("right"), depth + 1))
        if kind in ("parenthesized_expression", "await_expression") and node.named_children:
            return self.text(node.named_children[0], depth + 1)
        if kind == "ternary_expression":
            return bound(
                self.text(node.child_by_field_name("consequence"), depth + 1)
                | self.text(node.child_by_field_name("alternative"), depth + 1)
            )
        if kind == "identifier":
            return self._name(text_of(node), depth)
        if kind == "member_expression":
            return self._member(node, depth)
        if kind == "new_expression" and text_of(node.child_by_field_name("constructor")) in (
            "URL",
            "Request",
            "window.URL",
            "window.Request",
        ):
            return self._url(node, depth)
        if kind == "call_expression":
            return self._call(node, depth)
        return hole("unknown", text_of(node)[:60])

    def _template(self, node: Node, depth: int) -> Texts:
        parts: list[Texts] = []
        for child in node.named_children:
            if child.type == "template_substitution":
                parts.append(self.text(next(iter(child.named_children), None), depth + 1))
            else:
                parts.append(literal(_ESCAPE.sub(_unescape, text_of(child))))
        return join(*parts) if parts else literal("")

    def _name(self, name: str, depth: int) -> Texts:
        source = self.imports.get(name, "")
        if match := _LABEL.match(source):
            label = self.index.labels.get(match.group(1).lower())
            return literal(label) if label is not None else hole("label", f"label {match.group(1)}")
        if source.startswith(("@salesforce/resourceUrl", "@salesforce/contentAssetUrl")):
            return literal("/resource")
        found: set[Text] = set()
        for value in self.values.get(name, ()):
            found |= self.text(value, depth + 1)
        return bound(found) or hole("unknown", name)

    def _member(self, node: Node, depth: int) -> Texts:
        whole = text_of(node)
        if re.fullmatch(r"(?:window\.|document\.)?location(?:\.(?:href|origin|pathname))?", whole):
            return literal("/")
        found: set[Text] = set()
        for value in self.values.get(whole, ()):
            found |= self.text(value, depth + 1)
        if found:
            return bound(found)
        holder, name = node.child_by_field_name("object"), text_of(node.child_by_field_name("property"))
        if holder is not None and holder.type == "identifier" and (inner := self.member(holder, name)) is not None:
            return self.text(inner, depth + 1)
        if holder is not None and holder.type == "this":
            for value in self.values.get(f".{name}", ()):
                found |= self.text(value, depth + 1)
        if (
            holder is not None
            and text_of(holder).lower() in ("$a", "this.label")
            and (label := self.index.labels.get(name.lower())) is not None
        ):
            return literal(label)
        return bound(found) or hole("unknown", whole[:60])

    def _url(self, node: Node, depth: int) -> Texts:
        given = node.child_by_field_name("arguments")
        parts = given.named_children if given is not None else []
        if len(parts) == 2 and text_of(node.child_by_field_name("constructor")).endswith("URL"):
            return join(self.text(parts[1], depth + 1), self.text(parts[0], depth + 1))
        return self.text(parts[0], depth + 1) if parts else NOTHING

    def _call(self, node: Node, depth: int) -> Texts:
        function, given = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        called = text_of(function)
        if called == "$A.get" and given is not None and given.named_children:
            value = text_of(given.named_children[0]).strip("'\"")
            match = re.fullmatch(r"\$Label\.(?:\w+\.)?(\w+)", value)
            if match and (label := self.index.labels.get(match.group(1).lower())) is not None:
                return literal(label)
            if value.startswith("$Resource"):
                return literal("/resource")
        if called.endswith((".toString", ".trim", ".href")) and function is not None:
            return self.text(function.child_by_field_name("object"), depth + 1)
        if called.endswith(".concat") and function is not None and given is not None:
            return join(
                self.text(function.child_by_field_name("object"), depth + 1), *(self.text(item, depth + 1) for item in given.named_children)
            )
        if called.endswith(".join") and function is not None and (whole := function.child_by_field_name("object")) is not None:
            glue = given.named_children[0] if given is not None and given.named_children else None
            if whole.type == "array" and (glue is None or glue.type == "string"):
                between = literal(text_of(glue)[1:-1] if glue is not None else ",")
                parts = [part for item in whole.named_children for part in (between, self.text(item, depth + 1))]
                return join(*parts[1:]) if parts else literal("")
        if called in ("encodeURI", "String") and given is not None and given.named_children:
            return self.text(given.named_children[0], depth + 1)
        return hole("unknown", text_of(node)[:60])


def _returned(node: Node) -> list[Node]:
    found, pending = [], [node]
    while pending:
        current = pending.pop()
        if current.type == "return_statement":
            found += current.named_children[:1]
        pending.extend(current.named_children)
    return found
