"""One scan: names first, then Apex as a whole, then what needed both; file by file, so that memory stays flat."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from curtilage.scan import apex_model, files, metadata, web
from curtilage.scan.apex_program import Program
from curtilage.scan.apex_sinks import SINK_WORDS, Sinks
from curtilage.scan.endpoints import Goes, classify
from curtilage.scan.files import Kind, SourceFile
from curtilage.scan.index import Index
from curtilage.scan.model import Counts, Finding, Place, Reported, Severity, Suppression
from curtilage.scan.suppress import read_comment, report
from curtilage.scan.vendors import suspected
from curtilage.scan.xmlread import BrokenXml, Document, read_xml

_IGNORE = re.compile(rb"curtilage:ignore", re.IGNORECASE)
_METADATA = re.compile(rb"\s*(?:<\?xml|<(?:" + b"|".join(sorted(name.encode() for name in metadata.WANTED)) + rb")\b)")
_MAX_DATA = 1 << 20


@dataclass(slots=True)
class Result:
    """What a scan gives."""

    reported: list[Reported]
    counts: Counts


@dataclass(slots=True)
class _Scan:
    gateways: frozenset[str]
    index: Index = field(default_factory=Index)
    counts: Counts = field(default_factory=Counts)
    findings: list[Finding] = field(default_factory=list)
    suppressions: list[Suppression] = field(default_factory=list)
    flows: list[tuple[str, str, Place, bool]] = field(default_factory=list)

    def comment(self, path: str, text: str, line: int, last: int) -> None:
        found = read_comment(path, text, line, last)
        if isinstance(found, Suppression):
            self.suppressions.append(found)
        elif found is not None:
            self.findings.append(found)

    def unread(self, path: str, reason: str, line: int = 1) -> None:
        self.findings.append(Finding("SF090", Place(path, line), reason, Severity.MEDIUM, reason[:60], cannot_tell=True))

    def data(self, source: SourceFile) -> bytes | None:
        try:
            return files.read(source)
        except (OSError, ValueError) as error:
            self.unread(source.path, f"not read: {getattr(error, 'strerror', None) or error}")
            return None


def scan(root: Path, *, gateways: frozenset[str] = frozenset(), baseline: frozenset[str] = frozenset()) -> Result:
    """Scan a directory or a file.

    Args:
        root: where the retrieved metadata is.
        gateways: host names of the gateway; what provably goes there is mitigated.
        baseline: fingerprints that were accepted.
    """
    state = _Scan(frozenset(host.lower().rstrip(".") for host in gateways))
    program = Program(state.index)
    sinks = Sinks(program, state.gateways)
    late: list[SourceFile] = []
    apex: list[SourceFile] = []
    for item in files.walk(root):
        if isinstance(item, tuple):
            state.counts.skipped += 1
            state.unread(item[0], item[1])
            continue
        state.counts.files += 1
        state.counts.bytes += item.size
        if item.kind is Kind.XML:
            _first_look(state, item, late)
        elif item.kind is Kind.APEX:
            _take_in(state, program, item, apex)
        elif item.kind is Kind.DATA:
            _settings(state, item)
        elif item.kind in (Kind.SCRIPT, Kind.MARKUP, Kind.ARCHIVE):
            late.append(item)
    for source in late:
        _second_look(state, source)
    for source in _in_order(state, program, apex):
        if (file := program.file(source.path)) is not None:
            try:
                state.findings += list(sinks.findings(file))
            except RecursionError:
                state.unread(source.path, "nested too deep to be followed")
    _flows(state, program, sinks)
    _services(state)
    state.counts.mitigated = sorted(set(sinks.mitigated))
    return Result(report(state.findings, state.suppressions, baseline), state.counts)


def _read_document(state: _Scan, source: SourceFile, *, quiet: bool = False) -> Document | None:
    if (data := state.data(source)) is None:
        return None
    shared = source.path.endswith(files.SHARED_SUFFIXES) and not source.path.endswith("-meta.xml")
    if shared and not _METADATA.match(data):
        return None  # README.md, pom.xml and the like
    try:
        return read_xml(data, metadata.WANTED)
    except BrokenXml as error:
        if not quiet:
            state.unread(source.path, f"broken XML: {error}", error.line)
        return None


def _first_look(state: _Scan, source: SourceFile, late: list[SourceFile]) -> None:
    """Read what declares names; leave what uses them for later."""
    state.counts.metadata += 1
    document = _read_document(state, source)
    if document is None or document.root.tag not in metadata.WANTED:
        return
    if document.root.tag in metadata.DECLARING:
        _read(state, source, document)
    if document.root.tag not in metadata.DECLARING or document.root.tag == "CustomObject":
        late.append(source)


def _read(state: _Scan, source: SourceFile, document: Document) -> None:
    context = metadata.Context(source.path, state.index, state.gateways)
    state.findings += metadata.READERS[document.root.tag](document.root, context)
    state.flows += context.flows
    for comment in document.comments:
        last = 1 << 30 if comment.whole_file else max(comment.next_line, comment.line)
        first = 1 if comment.whole_file else comment.line
        if _IGNORE.search(comment.text.encode("utf-8", "replace")):
            last = last if comment.whole_file else _block_end(document, comment.next_line, last)
            found = read_comment(source.path, comment.text, comment.line, last)
            if isinstance(found, Suppression):
                found.lines = (first, last)
                state.suppressions.append(found)
            elif found is not None:
                state.findings.append(found)


def _block_end(document: Document, line: int, default: int) -> int:
    """The last line of the element that starts on a line."""
    for element in document.root.walk():
        if element.line == line:
            return max(item.line for item in element.walk())
    return default


def _second_look(state: _Scan, source: SourceFile) -> None:
    if source.kind is Kind.XML:
        document = _read_document(state, source, quiet=True)
        if document is not None:
            _read(state, source, document)
        return
    state.counts.web += 1
    if source.kind is Kind.ARCHIVE:
        _archive(state, source)
        return
    if (data := state.data(source)) is not None:
        _web(state, source.path, data, source.kind)


def _web(state: _Scan, path: str, data: bytes, kind: Kind) -> None:
    markup = kind is Kind.MARKUP
    if markup and re.match(rb"\s*(?:<\?xml[^>]*\?>\s*)?<CustomApplication\b", data):
        return
    reader = web.scan_markup if markup else web.scan_script
    try:
        state.findings += list(reader(path, data, state.index, state.gateways))
    except RecursionError:
        state.unread(path, "nested too deep to be followed")
    if _IGNORE.search(data):
        for line, text in web.comments(data, markup=markup):
            state.comment(path, text, line, line + text.count("\n") + 1)


def _archive(state: _Scan, source: SourceFile) -> None:
    try:
        if not zipfile.is_zipfile(source.absolute):
            data = files.read(source) if source.size <= files.MAX_BYTES else b""
            if source.path.endswith(".resource") and data:
                kind = Kind.MARKUP if data.lstrip()[:1] == b"<" else Kind.SCRIPT
                _web(state, source.path, data, kind)
            return
        for name, data in files.members(source):
            _web(state, f"{source.path}/{name}", data, files.kind_of(name))
    except ValueError as error:
        if "binary" not in str(error):  # an image is no way out
            state.unread(source.path, f"not read: {error}")
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        state.unread(source.path, f"not read: {error}")


def _take_in(state: _Scan, program: Program, source: SourceFile, apex: list[SourceFile]) -> None:
    state.counts.apex += 1
    if (data := state.data(source)) is None:
        return
    try:
        file = program.take_in(source, data)
    except RecursionError:
        state.unread(source.path, "nested too deep to be read")
        return
    if file.broken:
        state.unread(source.path, f"broken Apex: {file.broken[1]}", file.broken[0])
    lower = data.lower()
    if any(word in lower for word in SINK_WORDS):
        apex.append(source)
    if b"curtilage:ignore" in lower:
        for node in apex_model.comments(file.root):
            text = apex_model.text_of(node)
            if _IGNORE.search(text.encode()):
                state.comment(source.path, text, node.start_point[0] + 1, node.end_point[0] + 2)


def _in_order(state: _Scan, program: Program, apex: list[SourceFile]) -> list[SourceFile]:
    """The files with sinks, and those that name an installed package, which is known only after everything was walked."""
    if not state.index.namespaces:
        return apex
    wanted, chosen = (
        re.compile(rb"\b(?:" + b"|".join(map(re.escape, sorted(name.encode() for name in state.index.namespaces))) + rb")\s*\.", re.I),
        {source.path for source in apex},
    )
    more = []
    for path, entry in program.entries.items():
        if path not in chosen:
            try:
                if wanted.search(files.read(entry.source)):
                    more.append(entry.source)
            except (OSError, ValueError):
                continue  # said when it was first read
    return sorted([*apex, *more], key=lambda source: source.path)


def _settings(state: _Scan, source: SourceFile) -> None:
    """Exported records of custom settings (``sf data export tree``): values that metadata does not hold."""
    if source.size > _MAX_DATA:
        return
    try:
        document = json.loads(source.absolute.read_bytes())
    except (OSError, ValueError, RecursionError):
        return
    records = document.get("records") if isinstance(document, dict) else None
    for record in records if isinstance(records, list) else ():
        kind = record.get("attributes", {}).get("type") if isinstance(record, dict) and isinstance(record.get("attributes"), dict) else None
        if isinstance(kind, str) and kind.endswith("__c"):
            known = state.index.settings.setdefault(kind.lower(), {})
            for name, value in record.items():
                if isinstance(value, str):
                    known.setdefault(name.lower(), []).append(value)


def _flows(state: _Scan, program: Program, sinks: Sinks) -> None:
    for symbol, action, place, active in state.flows:
        name = action.lower()
        space = name.partition("__")[0] if "__" in name else ""
        if space and program.class_named(name) is None:
            hidden = f"runs {action} of an installed package, whose code cannot be read"
            state.findings.append(
                Finding(
                    "SF032", place, hidden, Severity.MEDIUM if active else Severity.LOW, symbol, vendor=suspected(action), cannot_tell=True
                )
            )
        elif name in sinks.calls_out or _reaches(program, sinks, name):
            message = f"runs the Apex class {action}, which calls out"
            vendors = {item.vendor for item in state.findings if item.vendor and item.symbol.lower().startswith(f"{name}.")}
            vendor = next(iter(sorted(vendors)), None)
            severity = (Severity.HIGH if vendor else Severity.MEDIUM) if active else Severity.LOW
            if (
                any(
                    item.rule in ("SF010", "SF011", "SF012", "SF013", "SF014", "SF015")
                    for item in state.findings
                    if item.symbol.lower().startswith(f"{name}.")
                )
                or name not in sinks.calls_out
            ):
                state.findings.append(Finding("SF032", place, message, severity, symbol, vendor=vendor))


def _reaches(program: Program, sinks: Sinks, name: str, depth: int = 3) -> bool:
    """Whether a class calls, directly or through others, one that calls out."""
    seen, pending = {name}, [(name, 0)]
    while pending:
        current, level = pending.pop()
        item = program.class_named(current)
        if item is None or level > depth:
            continue
        for method in item.all_methods():
            for node in (*method.calls, *method.creations):
                targets = {target.owner.name for target in program.targets(node, method)} if node.type == "method_invocation" else set()
                if node.type != "method_invocation":
                    made = program.class_named(apex_model.name_of(node.child_by_field_name("type")), item)
                    targets = {made.name} if made else set()
                for target in targets - seen:
                    if target in sinks.calls_out:
                        return True
                    seen.add(target)
                    pending.append((target, level + 1))
    return False


def _services(state: _Scan) -> None:
    """Give external services and flows the AI service behind their named credential; leave out those behind the gateway."""
    kept: list[Finding] = []
    for item in state.findings:
        if item.rule in ("SF005", "SF030"):
            service = item.symbol if item.rule == "SF005" else item.endpoints[0].partition(":")[2].partition(".")[0]
            credential = state.index.services.get(service.lower(), "")
            endpoint = classify((f"callout:{credential}",), state.index, state.gateways) if credential else None
            if endpoint is not None and endpoint.goes is Goes.GATEWAY:
                continue
            if endpoint is not None and endpoint.goes is Goes.OUTSIDE:
                vendor = endpoint.vendor or item.vendor
                severity = Severity.HIGH if vendor and item.severity is not Severity.LOW else item.severity
                item = Finding(item.rule, item.place, item.message, severity, item.symbol, (*item.endpoints, endpoint.shown), vendor)
        kept.append(item)
    state.findings = kept
