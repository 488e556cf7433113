"""Declarative metadata: fills the index, and finds the ways out that need no code. The root element tells what a file is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from curtilage.scan.index import Index, Named
from curtilage.scan.metadata_ai import AI_READERS
from curtilage.scan.metadata_flow import read_flow
from curtilage.scan.model import Finding, Place, Severity
from curtilage.scan.vendors import host_of, suspected, vendor_of
from curtilage.scan.xmlread import Element

_MERGE = re.compile(r"\{!\s*(\w+)\.([\w.]+)\s*\}")
_DATA_SCOPES = frozenset({"api", "full", "refreshtoken", "web", "chatter", "offlineaccess", "dataexplorer", "cdpapi", "content"})


@dataclass(slots=True)
class Context:
    """What a reader may use.

    Args:
        path: the file.
        index: the project's names, being filled.
        gateways: host names of the gateway.
        flows: (flow, action class, place, active), for the time when Apex has been read.
    """

    path: str
    index: Index
    gateways: frozenset[str]
    flows: list[tuple[str, str, Place, bool]] = field(default_factory=list)

    @property
    def stem(self) -> str:
        """The component's name: the file's name without its endings."""
        return PurePosixPath(self.path).name.removesuffix("-meta.xml").rpartition(".")[0]

    def place(self, element: Element) -> Place:
        """Where an element stands."""
        return Place(self.path, element.line, element.column)


Reader = Callable[[Element, Context], Iterator[Finding]]


def _remote_site(root: Element, context: Context) -> Iterator[Finding]:
    url = root.get("url")
    vendor = vendor_of(url)
    severity = Severity.HIGH if vendor else Severity.LOW
    if root.get("disableProtocolSecurity") == "true":
        severity = max(severity, Severity.MEDIUM)
    if root.get("isActive") == "false":
        severity = Severity.NOTE
    if host_of(url) in context.gateways:
        return
    at = root.first("url") or root
    yield Finding(
        "SF001", context.place(at), f"Apex may call {url or 'an address that is not given'}", severity, context.stem, (url,), vendor
    )


def _csp_site(root: Element, context: Context) -> Iterator[Finding]:
    url = root.get("endpointUrl")
    vendor = vendor_of(url if "://" in url else f"https://{url.removeprefix('*.')}")
    severity = Severity.HIGH if vendor else Severity.LOW
    if root.get("isActive") == "false":
        severity = Severity.NOTE
    if host_of(url) in context.gateways:
        return
    at = root.first("endpointUrl") or root
    yield Finding("SF002", context.place(at), f"browser code may reach {url}", severity, context.stem, (url,), vendor)


def _named_credential(root: Element, context: Context) -> Iterator[Finding]:
    url, at = root.get("endpoint"), root.first("endpoint")
    externals = []
    for parameter in root.all("namedCredentialParameters"):
        kind = parameter.get("parameterType").lower()
        if kind == "url":
            url, at = parameter.get("parameterValue"), parameter.first("parameterValue")
        elif kind == "authentication":
            externals.append(parameter.get("externalCredential"))
    place = context.place(at or root)
    context.index.named[context.stem.lower()] = Named(context.stem, url, place, tuple(externals))
    if host_of(url) in context.gateways:
        yield Finding(
            "SF003", place, f"named credential to the gateway: {url}", Severity.NOTE, context.stem, (url,), mitigations=("gateway",)
        )
        return
    vendor = vendor_of(url) or (suspected(context.stem) if not url else None)
    message = f"points to {url}" if url else "its address is not in the metadata"
    yield Finding(
        "SF003",
        place,
        f"named credential {context.stem} {message}",
        Severity.HIGH if vendor else Severity.LOW,
        context.stem,
        (url,) if url else (),
        vendor,
        cannot_tell=not url,
    )


def _external_credential(root: Element, context: Context) -> Iterator[Finding]:
    users = [item for item in context.index.named.values() if context.stem in item.external]
    if users and all(host_of(item.url) in context.gateways for item in users):
        return  # the gateway's own key
    names = " ".join((context.stem, root.get("label")))
    endpoint = next(
        (item.get("parameterValue") for item in root.walk() if item.get("parameterType") in ("AuthProviderUrl", "TokenEndpoint")), ""
    )
    yield Finding(
        "SF004",
        context.place(root),
        f"external credential {context.stem}",
        Severity.NOTE,
        context.stem,
        (endpoint,) if endpoint else (),
        vendor_of(endpoint) or suspected(names),
    )


def _external_service(root: Element, context: Context) -> Iterator[Finding]:
    credential = root.get("namedCredential") or root.get("namedCredentialReference")
    context.index.services[context.stem.lower()] = credential.lower()
    urls = re.findall(r'"url"\s*:\s*"(https?://[^"]+)"|\burl:\s*(https?://\S+)', root.get("schema"))
    addresses = tuple(first or second for first, second in urls) or (
        (root.get("schemaUrl"),) if root.get("schemaUrl").startswith("http") else ()
    )
    vendor = next((found for address in addresses if (found := vendor_of(address))), None) or suspected(context.stem, root.get("label"))
    through = f" through callout:{credential}" if credential else ""
    yield Finding(
        "SF005",
        context.place(root),
        f"external service {context.stem}{through}",
        Severity.HIGH if vendor else Severity.MEDIUM,
        context.stem,
        addresses or ((f"callout:{credential}",) if credential else ()),
        vendor,
    )


def _data_source(root: Element, context: Context) -> Iterator[Finding]:
    endpoint, kind = root.get("endpoint"), root.get("type")
    if not endpoint and kind.lower() in ("simpleurl", ""):
        return
    vendor = vendor_of(endpoint)
    yield Finding(
        "SF006",
        context.place(root.first("endpoint") or root),
        f"{kind or 'external'} data source at {endpoint or 'an address that is not given'}",
        Severity.HIGH if vendor else Severity.MEDIUM,
        context.stem,
        (endpoint,) if endpoint else (),
        vendor,
    )


def _outbound(message: Element, context: Context, owner: str) -> Finding:
    url, name = message.get("endpointUrl"), message.get("fullName") or message.get("name") or context.stem
    fields = tuple(
        sorted(f"{owner}.{item.text.strip()}" for item in message.all("fields") if context.index.why_sensitive(owner, item.text.strip()))
    )
    vendor = vendor_of(url)
    severity = Severity.HIGH if vendor or fields else Severity.MEDIUM
    return Finding(
        "SF040",
        context.place(message.first("endpointUrl") or message),
        f"outbound message {name} posts {owner} fields to {url}",
        severity,
        f"{owner}.{name}",
        (url,),
        vendor,
        fields,
    )


def _workflow(root: Element, context: Context) -> Iterator[Finding]:
    for message in root.all("outboundMessages"):
        yield _outbound(message, context, context.stem)


def _outbound_file(root: Element, context: Context) -> Iterator[Finding]:
    owner, _, _ = context.stem.partition(".")
    yield _outbound(root, context, owner)


def _event_relay(root: Element, context: Context) -> Iterator[Finding]:
    target, channel = root.get("destinationResourceName"), root.get("eventChannel")
    severity = Severity.MEDIUM if root.get("state", "RUN").upper() == "RUN" else Severity.LOW
    yield Finding(
        "SF041",
        context.place(root),
        f"{channel or 'a channel'} is relayed to {target or 'another cloud'}",
        severity,
        context.stem,
        (target,) if target else (),
    )


def _connected_app(root: Element, context: Context) -> Iterator[Finding]:
    scopes = sorted({item.text.strip() for item in root.walk() if item.tag in ("scopes", "commaSeparatedOauthScopes")} - {""})
    words = {word.strip().lower() for scope in scopes for word in scope.split(",")}
    url = next(
        (item.text.strip() for item in root.walk() if item.tag in ("callbackUrl", "canvasUrl", "startUrl") and item.text.strip()), ""
    )
    data = bool(words & _DATA_SCOPES) or root.first("canvasConfig") is not None
    vendor = vendor_of(url.split()[0]) if url else None
    vendor = vendor or suspected(context.stem, root.get("label"))
    severity = Severity.HIGH if vendor and data else Severity.MEDIUM if data else Severity.NOTE
    yield Finding(
        "SF042",
        context.place(root),
        f"{root.get('label') or context.stem} may use {', '.join(scopes) or 'no OAuth scope'}",
        severity,
        context.stem,
        (url,) if url else (),
        vendor,
    )


def _installed_package(root: Element, context: Context) -> Iterator[Finding]:
    context.index.namespaces[context.stem.lower()] = context.place(root)
    yield Finding(
        "SF045",
        context.place(root),
        f"package {context.stem} {root.get('versionNumber')} is installed; its code cannot be read",
        Severity.LOW,
        context.stem,
        vendor=suspected(context.stem),
        cannot_tell=True,
    )


def _web_link(link: Element, context: Context, name: str) -> Iterator[Finding]:
    url = link.get("url")
    merged = _MERGE.findall(url)
    fields = [(owner, item) for owner, item in merged if not owner.startswith("$")]
    if not host_of(url) or not fields or host_of(url) in context.gateways:
        return
    sensitive = tuple(sorted(f"{owner}.{item}" for owner, item in fields if context.index.why_sensitive(owner, item)))
    vendor = vendor_of(_MERGE.sub("x", url))
    severity = Severity.HIGH if vendor or sensitive else Severity.LOW
    yield Finding(
        "SF046",
        context.place(link.first("url") or link),
        f"link {name} sends {', '.join('.'.join(item) for item in fields)} to {host_of(url)}",
        severity,
        name,
        (url,),
        vendor,
        sensitive,
    )


def _web_link_file(root: Element, context: Context) -> Iterator[Finding]:
    yield from _web_link(root, context, context.stem)


def _custom_object(root: Element, context: Context) -> Iterator[Finding]:
    context.index.objects.add(context.stem.lower())
    if root.first("customSettingsType"):
        context.index.settings.setdefault(context.stem.lower(), {})
    for item in root.all("fields"):
        _declare(item, context, context.stem)
    for link in root.all("webLinks"):
        yield from _web_link(link, context, link.get("fullName"))


def _custom_field(root: Element, context: Context) -> Iterator[Finding]:
    parts = PurePosixPath(context.path).parts
    _declare(root, context, parts[-3] if len(parts) >= 3 else "")
    return iter(())


def _declare(item: Element, context: Context, owner: str) -> None:
    name = item.get("fullName") or context.stem
    context.index.declare_field(
        owner, name, kind=item.get("type"), classification=item.get("securityClassification"), groups=item.get("complianceGroup"),
        reference=item.get("referenceTo"), relation=item.get("relationshipName"),
    )  # fmt: skip
    default = item.get("defaultValue").strip("\"'")
    if default.startswith(("http", "callout:")):
        context.index.settings.setdefault(owner.lower(), {}).setdefault(name.lower(), []).append(default)


def _custom_metadata(root: Element, context: Context) -> Iterator[Finding]:
    kind, _, record = context.stem.partition(".")
    values = {item.get("field").lower(): item.get("value") for item in root.all("values")}
    context.index.records.setdefault(kind.lower(), {})[record.lower()] = values
    return iter(())


def _labels(root: Element, context: Context) -> Iterator[Finding]:
    for item in root.all("labels"):
        context.index.labels[item.get("fullName").lower()] = item.get("value")
    return iter(())


READERS: dict[str, Reader] = {
    "RemoteSiteSetting": _remote_site,
    "CspTrustedSite": _csp_site,
    "NamedCredential": _named_credential,
    "ExternalCredential": _external_credential,
    "ExternalServiceRegistration": _external_service,
    "ExternalDataSource": _data_source,
    "Flow": read_flow,
    "Workflow": _workflow,
    "WorkflowOutboundMessage": _outbound_file,
    "EventRelayConfig": _event_relay,
    "ConnectedApp": _connected_app,
    "ExternalClientApplication": _connected_app,
    "ExtlClntAppOauthSettings": _connected_app,
    "InstalledPackage": _installed_package,
    "WebLink": _web_link_file,
    "CustomPageWebLink": _web_link_file,
    "CustomObject": _custom_object,
    "CustomField": _custom_field,
    "CustomMetadata": _custom_metadata,
    "CustomLabels": _labels,
    **AI_READERS,
}
WANTED = frozenset(READERS)
# Read before the rest, so that findings can use what they declare.
DECLARING = frozenset({"CustomObject", "CustomField", "CustomMetadata", "CustomLabels", "NamedCredential", "InstalledPackage"})
