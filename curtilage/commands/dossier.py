"""What a run hands to its documents: proofs, models, what hosts saw, the product's own tests, what did not run.

Reading what hosts saw never stops a run: a host that cannot be read is named as unread, and the picture's verdict is then NOT_RUN.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curtilage.commands.ask import HOST_PYTHON, LEDGER
from curtilage.commands.prepare import Prepared
from curtilage.commands.reach import Reach
from curtilage.engine import Plan
from curtilage.errors import ConfigError, CurtilageError
from curtilage.evidence import observed as seen
from curtilage.evidence.dossier import Asked, Connection, Dossier, NotRun, Observed, dossier_of
from curtilage.evidence.junit import TestOutcome, read_reports, reports
from curtilage.paths import CHECKOUT
from curtilage.region import Region

CARD, MANIFEST = "model-card.json", "manifest.json"
TABLES = {"Controls, taken out one at a time": "mutations.md", "Detection of personal data and secrets": "detection.md"}
LOG_LINES = 20000


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


def proof_documents(region: Region, plan: Plan) -> list[dict[str, Any]]:
    """What the proof says of each host's planned ruleset, and what that rests on; without the seconds, which differ from run to run."""
    from curtilage.proof.regions import prove_host  # z3 takes a second to load, which `--help` need not wait for

    planned = plan.rulesets()
    found = [prove_host(region, host, planned[host.name]).document() for host in region.hosts if host.name in planned]
    return [{key: value for key, value in document.items() if key != "seconds"} for document in found]


def observe(region: Region, where: Reach, since: datetime) -> Observed:
    """What the hosts' kernels, the resolver and the ledger have on their books."""
    counters: dict[str, dict[str, int]] = {}
    connections: list[Connection] = []
    names: list[Asked] = []
    calls: list[dict[str, Any]] = []
    unread: list[str] = []

    def read(host: str, what: str, argv: list[str], take: Callable[[str], None]) -> None:
        try:
            take(where.run(host, argv, step="observe", timeout_seconds=60))
        except (CurtilageError, ValueError, KeyError) as error:
            unread.append(f"{what} of {host}: {str(error).splitlines()[0][:200]}")

    def tracked(host: str, text: str) -> None:
        found, unreadable = seen.connections(host, text)
        connections.extend(found)
        unread.extend(unreadable)

    for host in region.hosts:
        name = host.name
        read(name, "drop counters", ["nft", "-j", "list", "counters"], lambda text, name=name: counters.update({name: seen.counters(text)}))  # type: ignore[misc]
        read(name, "connection table", ["cat", "/proc/net/nf_conntrack"], lambda text, name=name: tracked(name, text))  # type: ignore[misc]
    for host in region.hosts_by_role("gateway"):
        log = ["journalctl", "--no-pager", "-q", "-o", "cat", "-u", "unbound", "-n", str(LOG_LINES)]
        read(host.name, "resolver's log", log, lambda text: names.extend(seen.names(text)))
        query = [*HOST_PYTHON, "audit", "query", LEDGER, "--from", since.astimezone(UTC).isoformat(), "--json"]
        read(host.name, "ledger", query, lambda text: calls.extend(seen.calls(json.loads(text)["rows"])))
    return Observed(
        at=datetime.now(UTC),
        counters=counters,
        connections=tuple(connections),
        names=tuple(names),
        calls=tuple(calls),
        unread=tuple(unread),
    )


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
