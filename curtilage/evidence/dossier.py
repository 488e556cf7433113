"""What a run knew besides its verdicts: the region and its law, the flows allowed and observed, models, components, what did not run.

A run collects it once and remembers it; every document of the bundle is a function of it and of the results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from curtilage.derive.flows import flows
from curtilage.derive.resolver import DOH_CANARY, zone
from curtilage.evidence.cluster import machines_and_flows
from curtilage.evidence.junit import TestOutcome
from curtilage.evidence.sbom import Component, locked_components
from curtilage.jurisdiction import load_jurisdiction
from curtilage.region import Host, Operator, Platform, Region


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AllowedFlow(_Part):
    """One conversation that the rulesets allow."""

    name: str
    client: str
    server: str
    protocol: str
    port: Annotated[int, Field(ge=1, le=65535)]


class Machine(_Part):
    """A host or an operator's place, with its addresses."""

    name: str
    role: str
    addresses: tuple[str, ...]


class NotRun(_Part):
    """Something that could not be shown here, why, and what would show it."""

    what: str
    reason: str
    command: str = ""


class Connection(_Part):
    """A conversation that a host's kernel had on its books."""

    host: str
    protocol: str
    source: str
    destination: str
    port: Annotated[int, Field(ge=0, le=65535)]
    count: Annotated[int, Field(ge=1)] = 1


class Asked(_Part):
    """What one client asked the resolver, by answer."""

    client: str
    answered: tuple[str, ...] = ()
    counts: Mapping[str, int] = {}


class Observed(_Part):
    """What was seen on the wire's books during the run.

    Attributes:
        at: when it was read.
        counters: host → named counter → packets.
        connections: from the kernels' connection tables.
        names: from the resolver's log.
        calls: from the ledger: ``{"result", "client", "upstream", "count"}``.
        unread: what could not be read, with the reason.
    """

    at: AwareDatetime
    counters: Mapping[str, Mapping[str, int]] = {}
    connections: tuple[Connection, ...] = ()
    names: tuple[Asked, ...] = ()
    calls: tuple[dict[str, Any], ...] = ()
    unread: tuple[str, ...] = ()


class Dossier(_Part):
    """Everything the documents are made of."""

    region: dict[str, Any]
    law: dict[str, Any]
    zones: tuple[str, ...] = ()
    machines: tuple[Machine, ...] = ()
    flows: tuple[AllowedFlow, ...] = ()
    proofs: tuple[dict[str, Any], ...] = ()
    observed: Observed | None = None
    tests: tuple[TestOutcome, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    models: Mapping[str, dict[str, Any]] = {}
    """Name → ``{"manifest": …, "card": …}``."""
    components: tuple[Component, ...] = ()
    tables: Mapping[str, str] = {}
    """Name → Markdown of tables that were generated beforehand (mutations, detection)."""


def dossier_of(
    region: Region,
    *,
    proofs: Iterable[dict[str, Any]] = (),
    observed: Observed | None = None,
    tests: Iterable[TestOutcome] = (),
    not_run: Iterable[NotRun] = (),
    models: Mapping[str, dict[str, Any]] | None = None,
    lock: Path | None = None,
    tables: Mapping[str, str] | None = None,
) -> Dossier:
    """The dossier of a region's run.

    Args:
        region: the region.
        proofs: the proof's document for each host.
        observed: what was seen.
        tests: the last outcomes of the product's own tests.
        not_run: what could not be shown here.
        models: manifests and cards.
        lock: the hash-locked requirements the hosts' Python trees are made of.
        tables: Markdown tables made beforehand.
    """
    places: list[tuple[str, Host | Operator]] = [(str(host.role), host) for host in region.hosts]
    places += [("operator", place) for place in region.operators]
    machines = [
        Machine(name=item.name, role=role, addresses=tuple(str(address) for address in (item.ipv4, item.ipv6) if address is not None))
        for role, item in places
    ]
    allowed = [
        AllowedFlow(name=flow.name, client=flow.client, server=flow.server, protocol=flow.protocol, port=flow.port)
        for flow in flows(region)
    ]
    if region.platform is not Platform.HOSTS:
        apps, conversations = machines_and_flows(region)
        machines = [Machine(name=name, role=role, addresses=addresses) for name, role, addresses in apps]
        allowed = [AllowedFlow(name=n, client=c, server=s, protocol=p, port=number) for n, c, s, p, number in conversations]
    return Dossier(
        region=region.model_dump(mode="json"),
        law=load_jurisdiction(region.jurisdiction).model_dump(mode="json"),
        zones=(zone(region), DOH_CANARY, *region.gateway.intercept),
        machines=tuple(machines),
        flows=tuple(allowed),
        proofs=tuple(proofs),
        observed=observed,
        tests=tuple(tests),
        not_run=tuple(not_run),
        models=models or {},
        components=locked_components(lock) if lock is not None and lock.is_file() else (),
        tables=tables or {},
    )
