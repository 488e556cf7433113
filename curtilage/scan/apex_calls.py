"""What method calls and stored records give as text: string methods, the project's own methods, custom metadata, settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tree_sitter import Node

from curtilage.scan.apex_model import Method, arguments, name_of, text_of
from curtilage.scan.texts import NOTHING, Text, Texts, bound, hole, join, literal, only_literal

if TYPE_CHECKING:
    from curtilage.scan.apex_program import Program
    from curtilage.scan.index import Index

_SAME = frozenset(
    {
        "trim", "tolowercase", "touppercase", "normalizespace", "toexternalform", "geturl", "tostring", "escapehtml4", "unescapehtml4",
        "removestart", "removeend", "stripstart", "escapexml", "deletewhitespace", "intern", "clone",
    }
)  # fmt: skip
_OWN = frozenset(
    {
        "getsalesforcebaseurl",
        "getorgdomainurl",
        "getcurrentrequesturl",
        "getorgmydomainhostname",
        "getmydomainhostname",
        "getlightninghostname",
    }
)
_RECORDS = frozenset({"getinstance", "getorgdefaults", "getvalues", "getall"})


class Calls:
    """The part of the evaluation that looks through calls; :class:`~curtilage.scan.apex_values.Values` is the whole."""

    program: Program
    index: Index

    def text(self, node: Node | None, method: Method) -> Texts:
        """What an expression may be."""
        raise NotImplementedError

    def elements(self, node: Node, method: Method, depth: int = 0) -> list[tuple[Node | None, Node, Method]] | None:
        """What a collection holds."""
        raise NotImplementedError

    def _element(self, holder: Node | None, index: Node | None, node: Node | None, method: Method) -> Texts:
        raise NotImplementedError

    @staticmethod
    def substitute(texts: Texts, values: dict[tuple[tuple[str, str, int], int], Texts]) -> Texts:
        """Fill parameters in."""
        raise NotImplementedError

    def call(self, node: Node, method: Method) -> Texts:
        """What a method gives back."""
        holder, called, given = node.child_by_field_name("object"), name_of(node.child_by_field_name("name")), arguments(node)
        owner = name_of(holder)
        if owner in ("string", "system.string"):
            return self._string_class(called, given, node, method)
        if called in _OWN:
            return hole("own", "this org")
        if owner in ("label", "system.label") and called == "get" and len(given) >= 2:
            wanted = only_literal(self.text(given[1], method))
            value = self.index.labels.get((wanted or "").lower())
            return literal(value) if value is not None else hole("label", f"label {wanted or '?'}")
        if owner in ("encodingutil", "system.encodingutil"):
            return hole("encoded", "encoded text")
        targets = self.program.targets(node, method)
        if targets:
            return self._own_method(targets, given, method)
        if holder is None:
            return hole("unknown", text_of(node)[:60])
        if called == "get" and len(given) == 1:
            if (values := self._get_by_name(holder, given[0], node, method)) is not None:
                return values
            return self._element(holder, given[0], node, method)
        if called in _SAME and not given:
            return self.text(holder, method)
        return self._string_method(called, holder, given, node, method)

    def _own_method(self, targets: list[Method], given: list[Node], method: Method) -> Texts:
        found: set[Text] = set()
        for target in targets:
            if not target.returns and any(other.returns for other in targets):
                continue  # declared here, written in the classes below
            returned: set[Text] = set()
            for value in target.returns:
                returned |= self.text(value, target)
            if not target.returns:
                returned = set(hole("unknown", f"{target.owner.display}.{target.display}()"))
            values = {(target.key, position): self.text(value, method) for position, value in enumerate(given)}
            found |= self.substitute(frozenset(returned), values)
        return bound(found)

    def _string_class(self, called: str, given: list[Node], node: Node, method: Method) -> Texts:
        if called == "format" and len(given) == 2:
            return self._format(given[0], given[1], method)
        if called == "join" and len(given) == 2:
            pairs = self.elements(given[0], method)
            if pairs:
                separator = self.text(given[1], method)
                parts: list[Texts] = []
                for _, value, home in pairs[:40]:
                    parts += [separator, self.text(value, home)] if parts else [self.text(value, home)]
                return join(*parts)
        if called in ("valueof", "escapesinglequotes") and given:
            return self.text(given[0], method)
        return hole("unknown", text_of(node)[:60])

    def _format(self, pattern: Node, values: Node, method: Method) -> Texts:
        pairs = self.elements(values, method)
        found: set[Text] = set()
        for text in self.text(pattern, method):
            parts: list[Texts] = []
            for piece in text:
                if not isinstance(piece, str):
                    parts.append(frozenset({(piece,)}))
                    continue
                rest = piece.replace("''", "'")
                while "{" in rest:
                    head, _, tail = rest.partition("{")
                    number, closing, after = tail.partition("}")
                    if not closing or not number.strip().isdigit():
                        break
                    position = int(number)
                    value = hole("unknown", f"format argument {position}")
                    if pairs is not None and position < len(pairs):
                        value = self.text(pairs[position][1], pairs[position][2])
                    parts += [literal(head), value]
                    rest = after
                parts.append(literal(rest))
            found |= join(*parts)
        return bound(found)

    def _string_method(self, called: str, holder: Node, given: list[Node], node: Node, method: Method) -> Texts:
        if called == "replace" and len(given) == 2:
            old, new = only_literal(self.text(given[0], method)), self.text(given[1], method)
            if old:
                found: set[Text] = set()
                for text in self.text(holder, method):
                    pieces: list[Texts] = []
                    for part in text:
                        if not isinstance(part, str):
                            pieces.append(frozenset({(part,)}))
                            continue
                        for number, piece in enumerate(part.split(old)):
                            pieces += [new, literal(piece)] if number else [literal(piece)]
                    found |= join(*pieces)
                return bound(found)
        if called in ("removeend", "removestart", "remove") and len(given) == 1:
            end, texts = only_literal(self.text(given[0], method)), self.text(holder, method)
            whole = only_literal(texts)
            if end is not None and whole is not None:
                if called == "remove":
                    return literal(whole.replace(end, ""))
                return literal(whole.removesuffix(end) if called == "removeend" else whole.removeprefix(end))
            return texts
        return hole("unknown", text_of(node)[:60])

    # ---- records of custom metadata and custom settings

    def _get_by_name(self, holder: Node, key: Node, node: Node, method: Method) -> Texts | None:
        """``record.get('Field__c')``."""
        if not self._record_types(holder, method):
            return None
        name = only_literal(self.text(key, method))
        return self.record_values(holder, name.lower(), node, method) if name and not self._is_all(holder) else None

    @staticmethod
    def _is_all(node: Node) -> bool:
        return node.type == "method_invocation" and name_of(node.child_by_field_name("name")) == "getall"

    def record_values(self, holder: Node, name: str, node: Node, method: Method) -> Texts | None:
        """The values a field may have in the records an expression stands for; ``None`` when it stands for none."""
        records = self._record_types(holder, method)
        if not records:
            return None
        found: set[Text] = set()
        for kind, record in sorted(records, key=str):
            if kind.endswith("__mdt"):
                rows = self.index.records.get(kind.removesuffix("__mdt"), {})
                chosen = (
                    [rows[record]]
                    if record is not None and record in rows
                    else ([] if record is not None and rows else list(rows.values()))
                )
                values = [row[name] for row in chosen if name in row]
                found |= {(value,) for value in values} or hole("metadata", f"{kind}.{name}")
            else:
                known = self.index.settings.get(kind, {}).get(name, [])
                found |= {(value,) for value in known} or hole("setting", f"custom setting {kind}.{name}")
        return bound(found)

    def _record_types(self, node: Node, method: Method, depth: int = 0) -> set[tuple[str, str | None]]:
        """Which metadata or setting records an expression may be: (type, record name or ``None`` for any)."""
        if depth > 6:
            return set()
        kind = node.type
        if kind in ("parenthesized_expression", "cast_expression"):
            inner = node.child_by_field_name("value") or next(iter(node.named_children), None)
            return self._record_types(inner, method, depth + 1) if inner is not None else set()
        if kind == "query_expression":
            return self._queried(node, method)
        if kind == "array_access":
            inner = node.child_by_field_name("array")
            return self._record_types(inner, method, depth + 1) if inner is not None else set()
        if kind == "method_invocation":
            return self._called_records(node, method, depth)
        if kind in ("identifier", "field_access"):
            return self._variable_records(node, method, depth)
        return set()

    def _called_records(self, node: Node, method: Method, depth: int) -> set[tuple[str, str | None]]:
        holder, called, given = node.child_by_field_name("object"), name_of(node.child_by_field_name("name")), arguments(node)
        owner = name_of(holder)
        if called in _RECORDS and owner.endswith(("__mdt", "__c")):
            if owner.endswith("__mdt") and called == "getinstance" and given:
                wanted = only_literal(self.text(given[0], method))
                return {(owner, wanted.lower() if wanted else None)}
            return {(owner, None)}
        if called == "get" and holder is not None and given and self._is_all(holder):
            wanted = only_literal(self.text(given[0], method))
            return {
                (kind, wanted.lower() if wanted and kind.endswith("__mdt") else None)
                for kind, _ in self._record_types(holder, method, depth + 1)
            }
        if called in ("values", "get", "next", "iterator", "clone") and holder is not None:
            found = self._record_types(holder, method, depth + 1)
            if found:
                return found
        found = set()
        for target in self.program.targets(node, method):
            for value in target.returns:
                found |= self._record_types(value, target, depth + 1)
        return found

    def _variable_records(self, node: Node, method: Method, depth: int) -> set[tuple[str, str | None]]:
        name = name_of(node)
        found: set[tuple[str, str | None]] = set()
        homes = [(item.node, method) for item in method.assigns.get(name, ()) if item.op in ("=", "each")]
        bare = name.removeprefix("this.")
        if name not in method.types and bare in method.owner.fields:
            homes += [(value, Method(method.owner, "<field>", bare, [], value)) for value in method.owner.fields[bare].values]
            for other in method.owner.all_methods():
                homes += [(item.node, other) for each in (bare, f"this.{bare}") for item in other.assigns.get(each, ()) if item.op == "="]
        for value, home in homes:
            if value.start_byte != node.start_byte or home is not method:
                found |= self._record_types(value, home, depth + 1)
        if not found:
            kind = self.program.type_of(node, method)
            bare = kind.partition("<")[2].rstrip(">").rpartition(",")[2] if "<" in kind else kind.removesuffix("[]")
            if bare.endswith("__mdt") or bare in self.index.settings:
                found = {(bare, None)}
        return found

    def _queried(self, node: Node, method: Method) -> set[tuple[str, str | None]]:
        kinds = {name_of(child) for child in _descend(node) if child.type == "storage_identifier"}
        found: set[tuple[str, str | None]] = set()
        for kind in kinds:
            if not kind.endswith("__mdt") and kind not in self.index.settings:
                continue
            record: str | None = None
            for child in _descend(node):
                parts = child.named_children
                if child.type == "comparison_expression" and len(parts) >= 3 and name_of(parts[0]) in ("developername", "qualifiedapiname"):
                    value = parts[-1]
                    if value.type == "bound_apex_expression" and value.named_children:
                        value = value.named_children[0]
                    wanted = only_literal(self.text(value, method))
                    record = wanted.lower() if wanted else None
            found.add((kind, record))
        return found


def _descend(node: Node) -> list[Node]:
    found, pending = [], [node]
    while pending:
        current = pending.pop()
        found.append(current)
        pending.extend(current.named_children)
    return found


__all__ = ["NOTHING", "Calls"]
