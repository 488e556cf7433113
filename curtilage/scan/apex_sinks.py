"""The places in Apex where data leaves, and what is found there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from curtilage.scan.apex_model import ApexFile, Class, Method, arguments, name_of, text_of
from curtilage.scan.apex_program import Program
from curtilage.scan.apex_records import record_findings
from curtilage.scan.apex_taint import Taint
from curtilage.scan.apex_values import Values
from curtilage.scan.endpoints import Endpoint, Goes, classify
from curtilage.scan.model import Finding, Place, Severity
from curtilage.scan.texts import Texts, show
from curtilage.scan.vendors import suspected

# A file without any of these words has no sink; it is still indexed and read for callers.
SINK_WORDS = (b"setendpoint", b"webservicecallout", b"getcontent", b"connectapi", b"aiplatform", b"sendemail")
_REQUEST = frozenset({"httprequest", "system.httprequest"})
_BODIES = frozenset({"setbody", "setbodyasblob", "setbodydocument", "setheader", "setendpoint"})
_SECRET_HEADERS = re.compile(r"authorization|api-?key|x-api-key|token|secret|password", re.IGNORECASE)
_PREFIX = re.compile(r"^\s*(?:bearer|basic|token|apikey)\s+", re.IGNORECASE)
_EINSTEIN = re.compile(r"connectapi\.einstein\w*")


class Sinks:
    """Finds what leaves in one file.

    Args:
        program: the project.
        gateways: host names of the gateway.
    """

    def __init__(self, program: Program, gateways: frozenset[str]) -> None:
        self.program, self.gateways = program, gateways
        self.values = Values(program)
        self.taint = Taint(self.values)
        self.mitigated: list[str] = []
        self.calls_out: set[str] = set()  # classes with a callout, for flows

    def findings(self, file: ApexFile) -> Iterator[Finding]:
        """Everything found in a file, in no particular order."""
        for item in file.classes.values():
            if item.is_test:
                continue
            for method in item.all_methods():
                yield from self._method(file, item, method)

    def _method(self, file: ApexFile, item: Class, method: Method) -> Iterator[Finding]:
        context = self._context(item, method)
        requests: dict[str, list[Endpoint]] = {}
        for node in method.calls:
            called, given, holder = name_of(node.child_by_field_name("name")), arguments(node), node.child_by_field_name("object")
            if called == "setendpoint" and len(given) == 1 and holder is not None and self._is_request(holder, method):
                endpoints, trace = self._resolve(given[0], method)
                requests.setdefault(name_of(holder), []).extend(endpoints)
                self.calls_out.add(item.name)
                yield from self._endpoint_findings(file.place(node), method, endpoints, trace, context)
        for node in method.calls:
            yield from self._call(file, item, method, node, requests, context)
        for node in method.creations:
            made = name_of(node.child_by_field_name("type"))
            if made == "aiplatform.modelsapi":
                self.calls_out.add(item.name)
                yield self._platform_ai(file.place(node), method, text_of(node.child_by_field_name("type")), context)

    def _call(
        self, file: ApexFile, item: Class, method: Method, node: Node, requests: dict[str, list[Endpoint]], context: tuple[str, ...]
    ) -> Iterator[Finding]:
        called, given, holder = name_of(node.child_by_field_name("name")), arguments(node), node.child_by_field_name("object")
        if holder is None:
            return
        owner, place = name_of(holder), file.place(node)
        if owner in ("webservicecallout", "system.webservicecallout") and called in ("invoke", "begininvoke"):
            self.calls_out.add(item.name)
            yield from self._soap(place, method, given, context)
            yield from record_findings(self, method, node, given[1:2], self._soap_endpoints(method, given), place, context)
        elif called in ("getcontent", "getcontentaspdf") and self._is_page(holder, method):
            yield from self._get_content(place, method, holder, context, item)
        elif _EINSTEIN.fullmatch(owner):
            self.calls_out.add(item.name)
            yield self._platform_ai(place, method, f"{text_of(holder)}.{text_of(node.child_by_field_name('name'))}", context)
            there = [Endpoint("the platform's models", Goes.OUTSIDE, "Salesforce Models API")]
            yield from record_findings(self, method, node, given, there, place, context)
        elif owner in ("messaging", "system.messaging") and called == "sendemail":
            yield Finding(
                "SF022", place, "e-mail is sent", Severity.NOTE, f"{method.owner.display}.{method.display}:sendEmail", context=context
            )
        elif called in _BODIES and self._is_request(holder, method):
            there = requests.get(owner) or self._class_endpoints(item)
            yield from record_findings(self, method, node, given, there, place, context)
            if called == "setheader" and len(given) == 2:
                yield from self._secret(place, method, given, context)
        elif (space := owner.partition(".")[0]) in self.program.index.namespaces and space not in method.types:
            yield Finding(
                "SF020", place, f"a call into the installed package {space}, whose code cannot be read", Severity.LOW,
                f"{method.owner.display}.{method.display}:{owner}.{called}", vendor=suspected(owner), cannot_tell=True, context=context,
            )  # fmt: skip

    # ---- endpoints

    def _is_request(self, node: Node, method: Method) -> bool:
        kind = self.program.type_of(node, method)
        if kind:
            return kind in _REQUEST
        return self.program.receiver(node, method) is None

    def _is_page(self, node: Node, method: Method) -> bool:
        kind = self.program.type_of(node, method)
        return kind in ("pagereference", "system.pagereference") or (not kind and name_of(node).startswith("page."))

    def _resolve(self, node: Node, method: Method) -> tuple[list[Endpoint], tuple[Place, ...]]:
        self.values.fresh()
        texts, used = self.values.through_callers(self.values.text(node, method))
        return self._classified(texts), tuple(sorted({caller.owner.file.place(call) for caller, call in used}))[:8]

    def _classified(self, texts: Texts) -> list[Endpoint]:
        found = {classify(text, self.program.index, self.gateways) for text in texts if show(text) != ""}
        return sorted(found or {Endpoint("{nothing that could be followed}", Goes.UNKNOWN)})

    def _class_endpoints(self, item: Class) -> list[Endpoint]:
        found: list[Endpoint] = []
        for method in item.all_methods():
            for node in method.calls:
                given = arguments(node)
                if name_of(node.child_by_field_name("name")) == "setendpoint" and len(given) == 1:
                    found += self._resolve(given[0], method)[0]
        return found

    def _endpoint_findings(
        self, place: Place, method: Method, endpoints: list[Endpoint], trace: tuple[Place, ...], context: tuple[str, ...]
    ) -> Iterator[Finding]:
        rules = ("SF010", "SF011", "SF012")
        symbol = f"{method.owner.display}.{method.display}"
        outside = [endpoint for endpoint in endpoints if endpoint.goes is Goes.OUTSIDE]
        vendors = sorted({endpoint.vendor for endpoint in outside if endpoint.vendor})
        if vendors:
            shown = tuple(endpoint.shown for endpoint in outside if endpoint.vendor)
            yield Finding(
                rules[1],
                place,
                f"calls {', '.join(vendors)}: {', '.join(shown)}",
                Severity.HIGH,
                symbol,
                shown,
                vendors[0],
                context=context,
                trace=trace,
            )
        plain = tuple(endpoint.shown for endpoint in outside if not endpoint.vendor)
        if plain:
            yield Finding(rules[0], place, f"calls {', '.join(plain)}", Severity.MEDIUM, symbol, plain, context=context, trace=trace)
        unknown = [endpoint for endpoint in endpoints if endpoint.goes is Goes.UNKNOWN]
        if unknown:
            vendor = next((endpoint.vendor for endpoint in unknown if endpoint.vendor), None) or suspected(
                method.owner.display, method.display
            )
            shown = tuple(endpoint.shown for endpoint in unknown)
            severity = Severity.HIGH if vendor else Severity.MEDIUM
            yield Finding(
                rules[2],
                place,
                f"cannot tell where this goes: {', '.join(shown)}",
                severity,
                symbol,
                shown,
                vendor,
                cannot_tell=True,
                context=context,
                trace=trace,
            )
        if endpoints and all(endpoint.goes is Goes.GATEWAY for endpoint in endpoints):
            self.mitigated.append(f"{place.path}:{place.line}: calls the gateway ({', '.join(endpoint.shown for endpoint in endpoints)})")

    # ---- the other ways

    def _soap_endpoints(self, method: Method, given: list[Node]) -> list[Endpoint]:
        pairs = self.values.elements(given[3], method) if len(given) >= 4 else None
        return self._resolve(pairs[0][1], pairs[0][2])[0] if pairs else []

    def _soap(self, place: Place, method: Method, given: list[Node], context: tuple[str, ...]) -> Iterator[Finding]:
        endpoints = self._soap_endpoints(method, given) or [Endpoint("{address}", Goes.UNKNOWN)]
        if all(endpoint.goes is Goes.GATEWAY for endpoint in endpoints):
            self.mitigated.append(f"{place.path}:{place.line}: SOAP to the gateway")
            return
        shown = tuple(endpoint.shown for endpoint in endpoints)
        vendor = next((endpoint.vendor for endpoint in endpoints if endpoint.vendor), None)
        unknown = any(endpoint.goes is Goes.UNKNOWN for endpoint in endpoints)
        yield Finding(
            "SF013", place, f"calls a SOAP service: {', '.join(shown)}", Severity.HIGH if vendor else Severity.MEDIUM,
            f"{method.owner.display}.{method.display}", shown, vendor, cannot_tell=unknown, context=context,
        )  # fmt: skip

    def _get_content(self, place: Place, method: Method, holder: Node, context: tuple[str, ...], item: Class) -> Iterator[Finding]:
        endpoints, trace = self._resolve(holder, method)
        # A page of the org is named from the root, or by a constant of Page.
        endpoints = [endpoint for endpoint in endpoints if endpoint.goes is not Goes.OWN and not re.match(r"/(?!/)", endpoint.shown)]
        if not endpoints or all(endpoint.goes is Goes.GATEWAY for endpoint in endpoints):
            return
        self.calls_out.add(item.name)
        shown = tuple(endpoint.shown for endpoint in endpoints)
        vendor = next((endpoint.vendor for endpoint in endpoints if endpoint.vendor), None)
        unknown = all(endpoint.goes is Goes.UNKNOWN for endpoint in endpoints)
        yield Finding(
            "SF014", place, f"fetches {', '.join(shown)}", Severity.HIGH if vendor else Severity.MEDIUM,
            f"{method.owner.display}.{method.display}", shown, vendor, cannot_tell=unknown, context=context, trace=trace,
        )  # fmt: skip

    def _platform_ai(self, place: Place, method: Method, what: str, context: tuple[str, ...]) -> Finding:
        return Finding(
            "SF015",
            place,
            f"uses the platform's hosted models: {what}",
            Severity.HIGH,
            f"{method.owner.display}.{method.display}:{what}",
            vendor="Salesforce Models API",
            context=context,
        )

    def _secret(self, place: Place, method: Method, given: list[Node], context: tuple[str, ...]) -> Iterator[Finding]:
        self.values.fresh()
        names = [show(text) for text in self.values.text(given[0], method)]
        if not any(_SECRET_HEADERS.search(name) for name in names):
            return
        for text in self.values.text(given[1], method):
            if all(isinstance(part, str) for part in text):
                value = _PREFIX.sub("", show(text)).strip()
                if len(value) >= 8 and "{!" not in value and not re.fullmatch(r"[xX*]+|(?i:your|my|test|dummy|changeme).*", value):
                    yield Finding(
                        "SF019",
                        place,
                        f"the {names[0]} header is a literal in the code",
                        Severity.HIGH,
                        f"{method.owner.display}.{method.display}:{names[0]}",
                        context=context,
                    )
                    return

    @staticmethod
    def _context(item: Class, method: Method) -> tuple[str, ...]:
        found = set()
        for annotation in method.annotations:
            for word, name in (
                ("future", "future"),
                ("invocablemethod", "invocable"),
                ("auraenabled", "lightning"),
                ("remoteaction", "visualforce"),
                ("http", "rest-service"),
            ):
                if annotation.startswith(word):
                    found.add(name)
        scope: Class | None = item
        while scope is not None:
            for parent in scope.supers:
                bare = parent.rpartition(".")[2].partition("<")[0]
                if bare in ("queueable", "batchable", "schedulable", "finalizer"):
                    found.add(bare)
            scope = scope.outer
        if item.trigger_object:
            found.add("trigger")
        return tuple(sorted(found))
