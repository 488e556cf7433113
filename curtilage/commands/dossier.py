"""What a run hands to its documents: proofs, models, what hosts saw, the product's own tests, what did not run.

Reading what hosts saw never stops a run: a host that cannot be read is named as unread, and the picture's verdict is then NOT_RUN.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curtilage.commands.ask import HOST_PYTHON, LEDGER
from curtilage.commands.prepare import Prepared
from curtilage.commands.reach import Reach
from curtilage.commands.up_platform import PlatformOutcome
from curtilage.engine import Plan
from curtilage.errors import ConfigError, CurtilageError
from curtilage.evidence import observed as seen
from curtilage.evidence.dossier import Asked, Connection, Dossier, NotRun, Observed, dossier_of
from curtilage.evidence.inputs import BundleInputs
from curtilage.evidence.junit import TestOutcome, read_reports, reports
from curtilage.paths import CHECKOUT
from curtilage.region import Region

CARD, MANIFEST = "model-card.json", "manifest.json"
TABLES = {"Controls, taken out one at a time": "mutations.md", "Detection of personal data and secrets": "detection.md"}
LOG_LINES = 20000
_MARK = "--- connection table"


@dataclass(kw_only=True)
class _Book:
    """What one reading gave."""

    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    connections: list[Connection] = field(default_factory=list)
    names: list[Asked] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def collect(
    region: Region,
    *,
    plan: Plan,
    prepared: Prepared,
    not_run: Mapping[str, Sequence[str]],
    where: Reach,
    since: datetime,
) -> Dossier:
    """The dossier of a run that just ended.

    Args:
        region: the region.
        plan: the plan that was applied.
        prepared: what was staged.
        not_run: what configuration could not do, by host.
        where: how hosts are reached.
        since: when the run began; older calls are of earlier runs.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="proof") as beside:  # deciding takes the processor, reading the network
        proofs = beside.submit(proof_documents, region, plan)
        observed = observe(region, where, since)
    tests, unread = _own_tests()
    return dossier_of(
        region,
        proofs=proofs.result(),
        observed=observed,
        tests=tests,
        not_run=[*_not_run(region, not_run), *unread],
        models=_models(prepared),
        lock=CHECKOUT / "requirements.lock",
        tables=tables(),
    )


def platform_inputs(applied: PlatformOutcome) -> BundleInputs:
    """The bundle of a region that its platform converges: decisions, papers, and attacks that are required and were not run."""
    region, decision = applied.region, applied.decision
    tests, unread = _own_tests()
    attacks = NotRun(
        what="attacks from inside, observed flows, the ledger's head",
        reason=f"nothing attacked this {region.platform} region from inside in this run",
        command="docs/regions.md: the first time, by hand",
    )
    return BundleInputs(
        region=region.name,
        plan_digest=decision.plan.digest,
        collected=datetime.now(UTC),
        required=["policy/pack", "proof/no-packet-leaves", "verify/attacks-from-inside"],
        images={model.name: model.image.rpartition("@")[2] for model in region.models if model.image},
        models={model.name: model.weights for model in region.models if model.weights},
        probe_results=[
            {"id": "policy/pack", "verdict": str(decision.policies)},
            {"id": "proof/no-packet-leaves", "verdict": str(decision.proof)},
        ],
        dossier=dossier_of(region, tests=tests, not_run=[attacks, *unread], lock=CHECKOUT / "requirements.lock", tables=tables()),
    )


def proof_documents(region: Region, plan: Plan) -> list[dict[str, Any]]:
    """What the proof says of each host's planned ruleset, and what that rests on; without the seconds, which differ from run to run."""
    from curtilage.proof.regions import prove_host  # z3 takes a second to load, which `--help` need not wait for

    planned = plan.rulesets()
    found = [prove_host(region, host, planned[host.name]).document() for host in region.hosts if host.name in planned]
    return [{key: value for key, value in document.items() if key != "seconds"} for document in found]


def observe(region: Region, where: Reach, since: datetime) -> Observed:
    """What the hosts' kernels, the resolver and the ledger have on their books; each book is read beside the others."""
    # One login reads both of a kernel's books: a login costs more than the reading.
    kernel = ["sh", "-c", f"nft -j list counters && echo '{_MARK}' && cat /proc/net/nf_conntrack"]
    log = ["journalctl", "--no-pager", "-q", "-o", "cat", "-u", "unbound", "-n", str(LOG_LINES)]
    query = [*HOST_PYTHON, "audit", "query", LEDGER, "--from", since.astimezone(UTC).isoformat(), "--json"]
    orders = [(host.name, "kernel", kernel) for host in region.hosts]
    orders += [(host.name, book, argv) for host in region.hosts_by_role("gateway") for book, argv in (("resolver", log), ("ledger", query))]

    def read(order: tuple[str, str, list[str]]) -> _Book:
        host, book, argv = order
        try:
            return _parsed(host, book, where.run(host, argv, step="observe", timeout_seconds=60))
        except (CurtilageError, ValueError, KeyError, TypeError) as error:
            return _Book(unread=[f"{book} of {host}: {str(error).splitlines()[0][:200]}"])

    with ThreadPoolExecutor(max_workers=4, thread_name_prefix="observe") as readers:
        books = list(readers.map(read, orders))
    return Observed(
        at=datetime.now(UTC),
        counters={host: counted for book in books for host, counted in book.counters.items()},
        connections=tuple(item for book in books for item in book.connections),
        names=tuple(item for book in books for item in book.names),
        calls=tuple(item for book in books for item in book.calls),
        unread=tuple(item for book in books for item in book.unread),
    )


def _parsed(host: str, book: str, text: str) -> _Book:
    if book == "resolver":
        return _Book(names=seen.names(text))
    if book == "ledger":
        return _Book(calls=seen.calls(json.loads(text)["rows"]))
    listing, mark, table = text.partition(f"{_MARK}\n")
    if not mark:
        raise ValueError("drop counters came without the connection table")
    connections, unread = seen.connections(host, table)
    return _Book(counters={host: seen.counters(listing)}, connections=connections, unread=unread)


def _own_tests() -> tuple[list[TestOutcome], list[NotRun]]:
    """What the product's own tests said last on this machine; a report that cannot be read is told, and does not stop a run."""
    try:
        found = read_reports(reports())
    except ConfigError as error:
        return [], [NotRun(what="the product's own tests", reason=str(error).splitlines()[0][:300], command="make test")]
    return found, [] if found else [
        NotRun(what="the product's own tests", reason="no report of theirs on this machine", command="make test")
    ]


def _not_run(region: Region, by_host: Mapping[str, Sequence[str]]) -> list[NotRun]:
    """What configuration reported, and what a lab can never show."""
    reasons: dict[str, list[str]] = {}
    for host, found in by_host.items():
        for reason in found:
            reasons.setdefault(reason, []).append(host)
    told = [
        NotRun(what=f"configuration of {', '.join(sorted(hosts))}", reason=reason, command="curtilage configure REGION, on such hosts")
        for reason, hosts in sorted(reasons.items())
    ]
    if region.lab:
        told.append(
            NotRun(
                what="a site's own hardware, switches and upstream filter",
                reason="the lab's hosts are machines in network namespaces of one computer",
                command="curtilage up REGION, from an operator's machine at the site",
            )
        )
    return told


def _models(prepared: Prepared) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, digest in prepared.models.items():
        folder = prepared.store / name / digest.removeprefix("sha256:")
        found[name] = {"manifest": _json(folder / MANIFEST), "card": _json(folder / CARD)}
    return found


def _json(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def tables() -> dict[str, str]:
    """Generated tables of the documentation that this checkout has."""
    found = {title: CHECKOUT / "docs" / name for title, name in TABLES.items()}
    return {title: path.read_text(encoding="utf-8") for title, path in found.items() if path.is_file()}
