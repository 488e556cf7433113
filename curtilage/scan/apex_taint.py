"""Which records and fields reach a call out: from queries, triggers and parameters, through variables, methods, maps and serialisation."""

from __future__ import annotations

import re
from dataclasses import replace

from tree_sitter import Node

from curtilage.scan.apex_model import Class, Method, arguments, name_of, parser, text_of
from curtilage.scan.apex_program import element_type
from curtilage.scan.apex_sources import NONE, STRIPPED, USER_MODE, Source, Sources, descend, narrow
from curtilage.scan.apex_values import Values
from curtilage.scan.model import Place

_CLEAN = frozenset(
    {
        "size", "isempty", "contains", "containskey", "equals", "equalsignorecase", "length", "hashcode", "startswith", "endswith",
        "indexof",
        "getstatuscode", "getstatus", "issuccess",
        "generatedigest", "generatemac", "isblank", "isnotblank", "getsobjecttype", "getdescribe",
        "keyset", "enqueuejob", "send", "executebatch", "countquery", "debug", "getcontent",
    }
)  # fmt: skip
_NO_RECORD = frozenset(
    {
        "string",
        "integer",
        "long",
        "decimal",
        "double",
        "boolean",
        "date",
        "datetime",
        "time",
        "blob",
        "id",
        "object",
        "httprequest",
        "httpresponse",
        "http",
        "jsongenerator",
        "jsonparser",
        "exception",
    }
)
_STANDARD = re.compile(
    r"(?:account|contact|lead|opportunity|case|user|task|event|campaign|campaignmember|contract|order|orderitem|product2|quote|asset|"
    r"attachment|contentversion|contentdocument|emailmessage|feeditem|note|opportunitylineitem|casecomment|knowledge__kav|individual|sobject)"
)
_COMPARISONS = frozenset({"==", "!=", "===", "!==", "<", ">", "<=", ">=", "&&", "||", "<>"})

_MOST = 64


class Taint:
    """Evaluates which records an expression carries.

    Args:
        values: the text evaluation, for queries built as strings.
    """

    def __init__(self, values: Values) -> None:
        self.values, self.program, self.index = values, values.program, values.index
        self._steps, self._active = 0, set[tuple[int, int, str, str]]()

    def fresh(self) -> None:
        """Before another sink."""
        self._steps = 0
        self._active.clear()

    def of(self, node: Node | None, method: Method) -> Sources:
        """The records an expression carries."""
        if node is None:
            return NONE
        key = (node.start_byte, node.end_byte, method.owner.name, method.name)
        self._steps += 1
        if key in self._active or len(self._active) > 40 or self._steps > 6_000:
            return NONE
        self._active.add(key)
        try:
            return self._of(node, method)
        finally:
            self._active.discard(key)

    def _all(self, nodes: list[Node], method: Method) -> Sources:
        found: set[Source] = set()
        for node in nodes:
            found |= self.of(node, method)
            if len(found) > _MOST:
                break
        return frozenset(found)

    def _of(self, node: Node, method: Method) -> Sources:
        kind = node.type
        if kind == "query_expression":
            return self._query(node, method.owner.file.place(node))
        if kind == "identifier":
            return self._variable(name_of(node), node, method)
        if kind == "this":
            return self._fields_of(method.owner)
        if kind == "field_access":
            return self._field(node, method)
        if kind == "method_invocation":
            return self._call(node, method)
        if kind == "object_creation_expression":
            return self._all([item.child_by_field_name("right") or item for item in arguments(node)], method)
        if kind == "ternary_expression":
            return self.of(node.child_by_field_name("consequence"), method) | self.of(node.child_by_field_name("alternative"), method)
        if kind == "cast_expression":
            return self.of(node.child_by_field_name("value"), method)
        if kind == "binary_expression" and any(text_of(child) in _COMPARISONS for child in node.children):
            return NONE
        if kind == "assignment_expression":
            return self.of(node.child_by_field_name("right"), method)
        if kind in ("instanceof_expression", "unary_expression", "string_literal", "int", "boolean", "null_literal"):
            return NONE
        return self._all(node.named_children, method)

    # ---- sources

    def _query(self, node: Node, place: Place, marks: frozenset[str] = frozenset()) -> Sources:
        found: set[Source] = set()
        bodies = [item for item in descend(node) if item.type in ("soql_query_body", "sobject_return")]
        for body in bodies:
            select = next((child for child in body.children if child.type in ("select_clause", "selected_fields")), None)
            origin = next((item for item in descend(body) if item.type in ("from_clause", "sobject_return") or item == body), None)
            source = next((child for child in body.named_children if child.type == "from_clause"), None)
            name = text_of(
                next((item for item in descend(source or origin or body) if item.type in ("storage_identifier", "identifier")), None)
            )
            if "." in name or body is not bodies[0]:
                name = self.index.relations.get(f"{name.lower()}", name.removesuffix("s") if name.lower().endswith("s") else name)
            if name.lower().endswith("__mdt"):
                continue
            fields, wildcard = set(), False
            for child in select.named_children if select is not None else ():
                if child.type == "subquery":
                    continue
                if child.type == "fields_expression" or "fields(" in name_of(child):
                    wildcard = True
                elif child.type in ("count_expression", "function_expression") or name_of(child).startswith("count("):
                    continue
                elif child.type == "alias_expression":
                    fields.add(text_of(child.named_children[0]))
                elif "curtilage_hole" in text_of(child):
                    wildcard = True
                else:
                    fields.add(text_of(child))
            if not fields and not wildcard and select is not None:
                continue  # COUNT() and the like: a number
            outer = [item.marks for item in found if USER_MODE in item.marks] if body is not bodies[0] else []
            with_words = {name_of(item) for item in descend(body) if item.type == "with_type"}
            mode = marks.union(*outer) | ({USER_MODE} if with_words & {"user_mode", "security_enforced"} else set())
            found.add(Source(name, frozenset(fields), True, wildcard, frozenset(mode), place))
        return frozenset(found)

    def _dynamic(self, node: Node, method: Method) -> Sources:
        given = arguments(node)
        marks = frozenset({USER_MODE}) if any("user_mode" in name_of(item) for item in given[1:]) else frozenset()
        place = method.owner.file.place(node)
        found: set[Source] = set()
        texts, _ = self.values.through_callers(self.values.text(given[0], method)) if given else (frozenset(), [])
        for text in sorted(texts, key=str):
            source = "".join(part if isinstance(part, str) else " curtilage_hole__x " for part in text)
            parsed = parser().parse(f"class Q {{ Object o = [{source}]; }}".encode())
            query = next((item for item in descend(parsed.root_node) if item.type == "query_expression"), None)
            if query is None or parsed.root_node.has_error:
                # What is asked for is only known at run time: any field of any object.
                name = re.search(r"\bfrom\s+(\w+)", source, re.IGNORECASE)
                known = name.group(1) if name and "curtilage_hole" not in name.group(1) else ""
                found.add(Source(known, frozenset(), True, True, marks, place))
            else:
                found |= self._query(query, place, marks)
        return frozenset(found)

    def _record_type(self, kind: str) -> str:
        bare = element_type(kind)
        if bare.endswith("__mdt") or self.program.class_named(bare) is not None:
            return ""
        if bare.endswith(("__c", "__e", "__x", "__b", "__kav")) or bare in self.index.objects or _STANDARD.fullmatch(bare):
            return bare
        return ""

    # ---- flow

    def _variable(self, name: str, node: Node, method: Method) -> Sources:
        if name == "trigger" and method.owner.trigger_object:
            return frozenset({Source(method.owner.trigger_object, whole=True, place=method.owner.file.place(node))})
        found: set[Source] = set()
        assigns = self.values.before(method.assigns.get(name, []), node, method)
        replaced = any(item.op == "=" and self.values._certain(item, node, method) for item in assigns[:1])
        index = next((number for number, (parameter, _) in enumerate(method.parameters) if parameter == name), None)
        if index is not None and not replaced:
            record = self._record_type(method.parameters[index][1])
            bare = element_type(method.parameters[index][1])
            if record or bare not in _NO_RECORD - {"object", "string", "blob"}:
                found.add(Source(record, whole=bool(record), place=method.owner.file.place(node), ref=(method.key, index)))
        if name not in method.types and index is None and not replaced:
            found |= self._class_field(name, method.owner, method)
        for item in assigns:
            if item.op == "put" and item.node.type == "method_invocation":
                found |= self._all(arguments(item.node), method)
            else:
                found |= self.of(item.node, method)
        prefix = f"{name}."
        for key, items in method.assigns.items():
            if key.startswith(prefix):
                for item in items:
                    if item.start <= node.start_byte:
                        found |= (
                            self._all(arguments(item.node), method)
                            if item.op == "put" and item.node.type == "method_invocation"
                            else self.of(item.node, method)
                        )
        return frozenset(found)

    def _class_field(self, name: str, owner: Class, method: Method) -> Sources:
        scope: Class | None = owner
        while scope is not None:
            for item in self.program.family(scope):
                if name not in item.fields:
                    continue
                found: set[Source] = set()
                for value in item.fields[name].values:
                    found |= self.of(value, Method(item, "<field>", name, [], value))
                for other in item.all_methods():
                    for key in (f"this.{name}", name):
                        if key == name and (name in other.types or other is method):
                            continue
                        for assign in other.assigns.get(key, ()):
                            found |= (
                                self._all(arguments(assign.node), other)
                                if assign.op == "put" and assign.node.type == "method_invocation"
                                else self.of(assign.node, other)
                            )
                record = self._record_type(item.fields[name].type)
                if not found and record:
                    found.add(Source(record, whole=True, place=method.owner.file.place(method.node)))
                return frozenset(found)
            scope = scope.outer
        return NONE

    def _fields_of(self, owner: Class) -> Sources:
        found: set[Source] = set()
        for name in owner.fields:
            found |= self._class_field(name, owner, Method(owner, "<this>", "this", [], owner.file.root))
        return frozenset(found)

    def _field(self, node: Node, method: Method) -> Sources:
        holder, field = node.child_by_field_name("object"), text_of(node.child_by_field_name("field"))
        whole = name_of(node).replace("?.", ".")
        if whole.startswith("trigger.") and whole.count(".") == 1:
            return (
                frozenset({Source(method.owner.trigger_object, whole=True, place=method.owner.file.place(node))})
                if field.lower() in ("new", "old", "newmap", "oldmap")
                else NONE
            )
        if holder is None:
            return NONE
        if holder.type == "this":
            found = self._class_field(field.lower(), method.owner, method)
            for item in self.values.before(method.assigns.get(whole, []), node, method):
                found |= (
                    self._all(arguments(item.node), method)
                    if item.op == "put" and item.node.type == "method_invocation"
                    else self.of(item.node, method)
                )
            return found
        owner = self.program.receiver(holder, method)
        if owner is not None:  # an object of ours: what was put into that field, here or in its class
            found = self._class_field(field.lower(), owner, method)
            assigns = self.values.before(method.assigns.get(whole, []), node, method)
            return found | self._all([item.node for item in assigns], method)
        found = narrow(self.of(holder, method), field)
        record = self._record_type(self.program.type_of(holder, method))
        if not found and record and field.lower() != "id":
            return frozenset({Source(record, frozenset({field}), place=method.owner.file.place(node))})
        return found

    def _call(self, node: Node, method: Method) -> Sources:
        holder, called, given = node.child_by_field_name("object"), name_of(node.child_by_field_name("name")), arguments(node)
        owner = name_of(holder)
        if owner in ("database", "system.database") and called in (
            "query",
            "querywithbinds",
            "getquerylocator",
            "getquerylocatorwithbinds",
        ):
            if given and given[0].type == "query_expression":
                return self.of(given[0], method)
            return self._dynamic(node, method)
        if called == "stripinaccessible" and len(given) >= 2:
            return frozenset(replace(source, marks=source.marks | {STRIPPED}) for source in self.of(given[1], method))
        if called in _CLEAN or (
            called == "getbody" and self.program.type_of(holder, method).endswith("httpresponse") if holder is not None else False
        ):
            return NONE
        if owner in ("schema", "userinfo", "limits", "label", "system.label", "test"):
            return NONE
        targets = self.program.targets(node, method)
        if targets:
            return self._own(targets, holder, given, method)
        if called == "get" and holder is not None and len(given) == 1 and given[0].type == "string_literal":
            base = self.of(holder, method)
            kind = self.program.type_of(holder, method)
            return narrow(base, text_of(given[0])[1:-1]) if self._record_type(kind) or kind == "sobject" else base
        found = self._all(given, method)
        return found | self.of(holder, method) if holder is not None else found

    def _own(self, targets: list[Method], holder: Node | None, given: list[Node], method: Method) -> Sources:
        found: set[Source] = set()
        for target in targets:
            returned: set[Source] = set()
            for value in target.returns:
                returned |= self.of(value, target)
            for source in returned:
                if source.ref is None or source.ref[0] != target.key:
                    found.add(source)
                elif source.ref[1] < len(given):
                    found |= self._fill(source, self.of(given[source.ref[1]], method))
        if (
            holder is not None
            and holder.type in ("identifier", "object_creation_expression")
            and any(not target.is_static for target in targets)
        ):
            found |= self.of(holder, method)
        return frozenset(found)

    @staticmethod
    def _fill(source: Source, given: Sources) -> set[Source]:
        if not given:
            return {replace(source, ref=None)} if source.object else set()
        found = given
        for step in source.path.split(".") if source.path else ():
            found = narrow(found, step)
        if not source.whole and source.fields:  # fields of a typed record parameter
            found = frozenset(
                replace(item, whole=False, wildcard=False, fields=source.fields, object=item.object or source.object) for item in found
            )
        return {replace(item, marks=item.marks | source.marks) for item in found}

    def through_callers(self, sources: Sources, depth: int = 4) -> tuple[Sources, list[tuple[Method, Node]]]:
        """The sources with parameters replaced by what callers give, and those calls."""
        used: list[tuple[Method, Node]] = []
        done: set[Source] = set()
        pending = set(sources)
        for _ in range(depth):
            waiting = {source for source in pending if source.ref is not None}
            done |= pending - waiting
            if not waiting:
                break
            pending = set()
            for source in sorted(waiting, key=str):
                key, position = source.ref  # type: ignore[misc]
                calls = self.program.callers(key)
                if not calls and source.object:
                    done.add(replace(source, ref=None))
                for caller, node in calls:
                    given = arguments(node)
                    if position < len(given):
                        filled = self._fill(source, self.of(given[position], caller))
                        if filled:
                            used.append((caller, node))
                        pending |= filled
        return frozenset(done | {source for source in pending if source.object or source.ref is None}), used
