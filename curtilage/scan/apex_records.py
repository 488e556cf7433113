"""What the records that reach a sink amount to: whole graphs, wildcards, sensitive fields, and what already mitigates them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tree_sitter import Node

from curtilage.scan.apex_model import Method, name_of
from curtilage.scan.apex_sources import Source
from curtilage.scan.endpoints import Endpoint, Goes
from curtilage.scan.model import Finding, Place, Severity

if TYPE_CHECKING:
    from curtilage.scan.apex_sinks import Sinks


def record_findings(
    sinks: Sinks, method: Method, node: Node, given: list[Node], endpoints: list[Endpoint], place: Place, context: tuple[str, ...]
) -> Iterator[Finding]:
    """The findings about records in a sink's arguments."""
    sources: set[Source] = set()
    used = []
    for item in given:
        sinks.taint.fresh()
        sinks.values.fresh()
        found, calls = sinks.taint.through_callers(sinks.taint.of(item, method))
        sources |= found
        used += calls
    sources = {source for source in sources if source.object or source.whole}
    if not sources:
        return
    if endpoints and all(endpoint.goes in (Goes.GATEWAY, Goes.OWN) for endpoint in endpoints):
        sinks.mitigated.append(f"{place.path}:{place.line}: records go to the gateway or stay in the org")
        return
    trace = tuple(sorted({source.place for source in sources if source.place} | {caller.owner.file.place(call) for caller, call in used}))[
        :8
    ]
    vendor = next((endpoint.vendor for endpoint in endpoints if endpoint.vendor), None)
    shown = tuple(endpoint.shown for endpoint in endpoints)
    symbol = f"{method.owner.display}.{method.display}:{name_of(node.child_by_field_name('name'))}"

    def finding(rule: str, message: str, severity: Severity, about: set[Source], fields: tuple[str, ...]) -> Finding:
        common = frozenset.intersection(*(source.marks for source in about))
        if common and severity > Severity.MEDIUM:
            severity = Severity(severity - 1)  # the user could have read it; it still leaves
        why = f" ({', '.join(sorted(common))})" if common else ""
        return Finding(
            rule, place, message + why, severity, symbol, shown, vendor, fields, tuple(sorted(common)), context=context, trace=trace
        )

    wildcard = {source for source in sources if source.wildcard}
    whole = {source for source in sources if source.whole and not source.wildcard}
    sensitive = _sensitive(sinks, sources)
    worse = Severity.CRITICAL if vendor else Severity.HIGH
    if wildcard:
        names = ", ".join(sorted({source.object or "records of any object" for source in wildcard}))
        yield finding("SF018", f"every field of {names} reaches this call", worse, wildcard, sensitive)
    if whole:
        names = "; ".join(sorted(_describe(source) for source in whole))
        yield finding("SF016", f"whole records reach this call: {names}", worse, whole, sensitive)
    if sensitive:
        why = sorted({f"{name}: {_why(sinks, sources, name)}" for name in sensitive})
        yield finding("SF017", f"sensitive fields reach this call: {'; '.join(why)}", worse, sources, sensitive)


def _describe(source: Source) -> str:
    fields = f" with {', '.join(sorted(source.fields)[:12])}" if source.fields else ", with whatever its caller queried"
    return (source.object or "records") + fields


def _sensitive(sinks: Sinks, sources: set[Source]) -> tuple[str, ...]:
    index = sinks.program.index
    found: set[str] = set()
    for source in sources:
        if source.fields:
            found |= {f"{source.object}.{field}" for field in source.fields if index.why_sensitive(source.object, field)}
        elif source.whole and source.object:
            # All fields, or whichever a caller queried: those declared for the object may go along.
            found |= {f"{source.object}.{field}" for field in index.sensitive_of(source.object)}
    return tuple(sorted(found))


def _why(sinks: Sinks, sources: set[Source], name: str) -> str:
    owner, _, field = name.partition(".")
    return sinks.program.index.why_sensitive(owner, field) or "declared sensitive"
