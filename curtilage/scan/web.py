"""Code in the browser: Lightning components, Aura, Visualforce and static resources, read by the JavaScript and HTML grammars."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from tree_sitter import Node, Parser
from tree_sitter_language_pack import get_parser

from curtilage.scan.apex_model import text_of
from curtilage.scan.endpoints import Endpoint, Goes, classify
from curtilage.scan.index import Index
from curtilage.scan.model import Finding, Place, Severity
from curtilage.scan.texts import Texts, join
from curtilage.scan.vendors import vendor_of
from curtilage.scan.web_values import Scope

_VERBS = re.compile(r"get|post|put|patch|delete|head|options|request", re.IGNORECASE)
_SENDING = frozenset({"get", "post", "put", "patch", "delete", "head", "request", "ajax", "getjson", "getscript", "load"})
_CLIENTS = frozenset({"axios", "$", "jquery", "superagent", "ky", "$http", "got", "needle"})
_INDEXED = re.compile(r"\[['\"](\w+)['\"]\]")
_GLOBAL = re.compile(r"(?:window|self|globalthis|document\.defaultview|top|parent)\.", re.IGNORECASE)
_NAVIGATES = ("location", "window.open")
_LOADED = {
    "script": "src",
    "iframe": "src",
    "frame": "src",
    "embed": "src",
    "object": "data",
    "form": "action",
    "apex:includescript": "value",
    "apex:iframe": "src",
    "apex:form": "action",
    "ltng:require": "scripts",
}
_SHOWN = {"img": "src", "link": "href", "apex:stylesheet": "value", "apex:image": "value", "audio": "src", "video": "src", "source": "src"}


@functools.cache
def _parser(language: str) -> Parser:
    return get_parser("html" if language == "html" else "typescript" if language == "ts" else "javascript")


def nodes(root: Node) -> Iterator[Node]:
    """Every named node, in order."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(reversed(node.named_children))


def comments(data: bytes, *, markup: bool) -> Iterator[tuple[int, str]]:
    """(line, text) of every comment."""
    for node in nodes(_parser("html" if markup else "js").parse(data).root_node):
        if node.type == "comment":
            yield node.start_point[0] + 1, text_of(node)
        elif markup and node.type == "raw_text":
            for line, text in comments(text_of(node).encode(), markup=False):
                yield node.start_point[0] + line, text


def scan_script(path: str, data: bytes, index: Index, gateways: frozenset[str], first_line: int = 0) -> Iterator[Finding]:
    """The findings of one script."""
    root = _parser("ts" if path.lower().endswith(".ts") else "js").parse(data).root_node
    scope = Scope(root, index)
    library = "/staticresources/" in f"/{path}"
    for node in nodes(root):
        for what, target, base in _targets(node, scope):
            place = Place(path, first_line + node.start_point[0] + 1, node.start_point[1] + 1)
            texts = scope.text(target) if target is not None else frozenset()
            if base is not None:
                texts = join(scope.text(base), texts)
            if what in _NAVIGATES:
                # Where a person is sent is no call, unless data goes along or a service of AI is there.
                texts = frozenset(text for text in texts if _carries(text))
                if not texts:
                    continue
            yield from _judge(place, what, texts, index, gateways, library=library)


def _carries(text: tuple[object, ...]) -> bool:
    first = text[0] if text else ""
    whole = "".join(part if isinstance(part, str) else "{x}" for part in text)
    absolute = isinstance(first, str) and re.match(r"(?:https?:)?//[\w.-]+\.[a-z]{2,}(?:[:/?#]|$)", first, re.IGNORECASE) is not None
    return absolute and (len(text) > 1 or vendor_of(whole if "://" in whole else f"https:{whole}") is not None)


Target = tuple[str, Node | None, Node | None]


def _targets(node: Node, scope: Scope) -> Iterator[Target]:
    """What a node sends with, the expression of its address, and that of the base before it."""
    if node.type == "call_expression":
        yield from _calls(node, scope)
    elif node.type == "new_expression":
        given = _arguments(node)
        made = _GLOBAL.sub("", text_of(node.child_by_field_name("constructor"))).lower()
        if made in ("websocket", "eventsource", "worker", "sharedworker", "webtransport") and given:
            yield f"new {text_of(node.child_by_field_name('constructor'))}", given[0], None
    elif node.type == "import_statement":
        source = node.child_by_field_name("source")
        if source is not None and text_of(source).strip("'\"").startswith(("http:", "https:", "//")):
            yield "import", source, None
    elif node.type == "assignment_expression":
        left = text_of(node.child_by_field_name("left"))
        if left.endswith(".src") and (scope.makes(left[:-4]) or left.startswith("new Image")):
            yield "element.src", node.child_by_field_name("right"), None
        elif _GLOBAL.sub("", left) in ("location", "location.href", "document.location", "document.location.href"):
            yield "location", node.child_by_field_name("right"), None


def _calls(node: Node, scope: Scope) -> Iterator[Target]:
    given = _arguments(node)
    written = text_of(node.child_by_field_name("function")).replace("?.", ".").replace(" ", "")
    called = _GLOBAL.sub("", _INDEXED.sub(r".\1", written))
    lower = called.lower()
    if lower.endswith((".call", ".apply")) and len(given) > 1:
        # f.call(this, a) and f.apply(this, [a]) are f(a).
        given = given[1].named_children if lower.endswith(".apply") else given[1:]
        called, lower = called.rpartition(".")[0], lower.rpartition(".")[0]
    owner, _, method = lower.rpartition(".")
    first = given[0] if given else None
    if lower == "fetch" or lower in scope.senders or lower.endswith("navigator.sendbeacon") or lower == "importscripts":
        yield called, first, None
    elif lower == "import":
        if first is not None and first.type in ("string", "template_string"):
            yield called, first, None
    elif owner in scope.clients or lower in scope.clients:
        if lower in scope.clients or _VERBS.fullmatch(method):
            yield called, _option(given, scope), scope.clients[owner if owner in scope.clients else lower]
    elif (lower in _CLIENTS and lower not in ("$", "jquery")) or (owner in _CLIENTS and method in _SENDING):
        yield called, _option(given, scope), None
    elif method == "open" and len(given) >= 2 and (owner in scope.requests or _is_verb(given[0])):
        yield "XMLHttpRequest", given[1], None
    elif (
        method == "setattribute" and len(given) > 1 and text_of(given[0]).strip("'\"") == "src" and scope.makes(written.rpartition(".")[0])
    ):
        yield "element.src", given[1], None
    elif (written == "window.open" or lower in ("location.assign", "location.replace", "document.location.assign")) and given:
        yield "window.open" if written == "window.open" else "location", first, None
    elif lower in ("loadscript", "loadstyle") and len(given) >= 2:
        yield called, given[1], None


def _is_verb(node: Node) -> bool:
    return node.type == "string" and _VERBS.fullmatch(text_of(node).strip("'\"")) is not None


def _arguments(node: Node) -> list[Node]:
    holder = node.child_by_field_name("arguments")
    return [child for child in holder.named_children if child.type != "comment"] if holder is not None else []


def _option(given: list[Node], scope: Scope) -> Node | None:
    """The address in ``axios(url)``, ``axios({url})``, ``$.ajax(url, ...)`` or ``$.ajax({url})``."""
    first = given[0] if given else None
    return (scope.member(first, "url") or first) if first is not None else None


def _judge(place: Place, what: str, texts: Texts, index: Index, gateways: frozenset[str], *, library: bool) -> Iterator[Finding]:
    endpoints = sorted({classify(_absolute(text), index, gateways) for text in texts if not _is_own(text)})
    if not texts:
        endpoints = [Endpoint("{address}", Goes.UNKNOWN)]
    outside = [endpoint for endpoint in endpoints if endpoint.goes is Goes.OUTSIDE]
    vendors = sorted({endpoint.vendor for endpoint in outside if endpoint.vendor})
    if vendors:
        shown = tuple(endpoint.shown for endpoint in outside if endpoint.vendor)
        yield Finding(
            "SF051", place, f"{what} calls {', '.join(vendors)}: {', '.join(shown)}", Severity.HIGH, f"{what}:{shown[0]}", shown, vendors[0]
        )
    plain = tuple(endpoint.shown for endpoint in outside if not endpoint.vendor)
    if plain:
        yield Finding("SF050", place, f"{what} sends to {', '.join(plain)}", Severity.MEDIUM, f"{what}:{plain[0]}", plain)
    unknown = [endpoint for endpoint in endpoints if endpoint.goes is Goes.UNKNOWN]
    if unknown:
        shown = tuple(endpoint.shown for endpoint in unknown)
        vendor = next((endpoint.vendor for endpoint in unknown if endpoint.vendor), None)
        severity = Severity.NOTE if library and not vendor else Severity.HIGH if vendor else Severity.MEDIUM
        yield Finding(
            "SF053",
            place,
            f"cannot tell where {what} sends: {', '.join(shown)}",
            severity,
            f"{what}:{shown[0]}",
            shown,
            vendor,
            cannot_tell=True,
        )


def _absolute(text: tuple[object, ...]) -> tuple:  # type: ignore[type-arg]
    first = text[0] if text else ""
    return ("https:" + first, *text[1:]) if isinstance(first, str) and first.startswith("//") else text


def _is_own(text: tuple[object, ...]) -> bool:
    """An address without a host is the page's own."""
    first = text[0] if text else ""
    return isinstance(first, str) and (
        first.startswith(("data:", "blob:", "#", "?", "./", "../"))
        or (first.startswith("/") and not first.startswith("//"))
        or first == ""
        or re.match(r"[\w-]+(?:/|\.\w{2,4}$)", first) is not None
    )


def scan_markup(path: str, data: bytes, index: Index, gateways: frozenset[str]) -> Iterator[Finding]:
    """The findings of a page or component, with the scripts inside it."""
    root = _parser("html").parse(data).root_node
    for node in nodes(root):
        if node.type in ("start_tag", "self_closing_tag"):
            yield from _tag(path, node, index, gateways)
        elif node.type == "raw_text" and node.parent is not None and node.parent.type == "script_element":
            yield from scan_script(path, _merged(text_of(node), index).encode(), index, gateways, node.start_point[0])


def _tag(path: str, node: Node, index: Index, gateways: frozenset[str]) -> Iterator[Finding]:
    tag = text_of(next((child for child in node.named_children if child.type == "tag_name"), None)).lower()
    wanted = _LOADED.get(tag) or _SHOWN.get(tag)
    for attribute in node.named_children:
        if wanted is None or attribute.type != "attribute" or not attribute.named_children:
            continue
        if text_of(attribute.named_children[0]).lower() != wanted:
            continue
        value = text_of(attribute.named_children[-1]).strip("\"'") if len(attribute.named_children) > 1 else ""
        for part in value.split(",") if tag == "ltng:require" else [value]:
            address = _with_labels(part.strip(), index)
            address = "https:" + address if address.startswith("//") else address
            if not re.match(r"https?://", address, re.IGNORECASE):
                continue
            endpoint = classify((address,), index, gateways)
            if endpoint.goes is Goes.GATEWAY:
                continue
            severity = Severity.HIGH if endpoint.vendor else Severity.LOW if tag in _SHOWN else Severity.MEDIUM
            row, column = node.start_point
            yield Finding(
                "SF052",
                Place(path, row + 1, column + 1),
                f"<{tag}> loads from {address}",
                severity,
                f"{tag}:{address}",
                (address,),
                endpoint.vendor,
            )


def _merged(script: str, index: Index) -> str:
    """A script of a page with the merge fields whose values are known."""
    return re.sub(r"\{!\s*(?:URLFOR\s*\(\s*)?\$(?:Resource|Page|Site)\b[^}]*\}", "/resource", _with_labels(script, index))


def _with_labels(value: str, index: Index) -> str:
    return re.sub(r"\{!\s*\$Label\.(?:c\.)?(\w+)\s*\}", lambda match: index.labels.get(match.group(1).lower(), match.group(0)), value)
