"""The facts of a privilege report, topic by topic: what the ledger shows, what the directory says now, and what nobody has shown.

A sentence begins with where it comes from. ``shown`` is under a signed head; ``stated`` is the product's design or today's directory;
``open`` is for people.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from curtilage.audit.records import CONTENT_KEYS
from curtilage.audit.report_law import Topic
from curtilage.audit.report_ledger import Interaction, MatterLedger
from curtilage.matters.model import Snapshot
from curtilage.region import Region
from curtilage.verdict import Verdict, worst


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One sentence, with the records it rests on."""

    text: str
    refs: tuple[int, ...] = ()
    verdict: Verdict = Verdict.PASS


@dataclass(kw_only=True)
class Facts:
    """Sentences by topic."""

    by_topic: dict[Topic, list[Fact]] = field(default_factory=lambda: {topic: [] for topic in Topic})

    def add(self, topic: Topic, text: str, refs: Iterable[int] = (), verdict: Verdict = Verdict.PASS) -> None:
        """Add a sentence."""
        self.by_topic[topic].append(Fact(text=text, refs=tuple(refs), verdict=verdict))

    @property
    def verdict(self) -> Verdict:
        """The worst of all sentences."""
        return worst(fact.verdict for facts in self.by_topic.values() for fact in facts)


def gather(ledger: MatterLedger, directory: Snapshot | None, region: Region | None, kept: int | None = None) -> Facts:
    """Every fact of a matter.

    Args:
        ledger: the matter's records.
        directory: the matter directory, if given.
        region: the region, if given.
        kept: how many sealed contents of the matter are stored; None where nobody looked.
    """
    facts = Facts()
    calls = [call for call in ledger.interactions if not call.refused]
    _third_parties(facts, ledger, calls, region)
    _readers(facts, ledger, calls, directory, region)
    _location(facts, calls, region)
    _retention(facts, ledger, kept)
    _direction(facts, calls)
    _redactions(facts, calls)
    _refusals(facts, ledger)
    _controls(facts, ledger, calls)
    return facts


def _grouped(calls: Iterable[Interaction], key: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for call in calls:
        value = call.data.get(key)
        found["" if value is None else str(value)].append(call.index)
    return dict(sorted(found.items()))


def _third_parties(facts: Facts, ledger: MatterLedger, calls: list[Interaction], region: Region | None) -> None:
    if not calls:
        facts.add(Topic.THIRD_PARTIES, f"Shown: among {ledger.total} records of the ledger, none sends anything of this matter to a model.")
        return
    inside = {str(address) for host in (region.hosts if region else ()) for address in (host.ipv4, host.ipv6) if address is not None}
    for upstream, refs in _grouped(calls, "upstream").items():
        if not upstream:
            facts.add(Topic.THIRD_PARTIES, f"Shown: {len(refs)} calls were sent to no model host.", refs)
            continue
        place = _host_of(upstream)
        if region is None:
            text = f"Shown: {len(refs)} calls were answered by {upstream}. Not compared with the region's hosts: name it with --region."
            facts.add(Topic.THIRD_PARTIES, text, refs, Verdict.NOT_PROVEN)
        elif place in inside:
            facts.add(Topic.THIRD_PARTIES, f"Shown: {len(refs)} calls were answered by {upstream}, a host of region {region.name}.", refs)
        else:
            text = (
                f"Shown: {len(refs)} calls went to {upstream}, which is NOT a host of region {region.name}: a third party until explained."
            )
            facts.add(Topic.THIRD_PARTIES, text, refs, Verdict.FAIL)
    if region is not None and region.allowances:
        named = ", ".join(f"{item.id} ({item.destination}, {item.owner}: {item.reason})" for item in region.allowances)
        facts.add(Topic.THIRD_PARTIES, f"Stated: the region allows destinations outside its segments: {named}.", verdict=Verdict.NOT_PROVEN)
    elif region is not None:
        facts.add(Topic.THIRD_PARTIES, "Stated: the region file allows no destination outside its segments; its evidence bundle proves it.")


def _host_of(upstream: str) -> str:
    host = urlsplit(upstream).hostname or upstream
    try:
        return str(ip_address(host))
    except ValueError:
        return host


def _readers(facts: Facts, ledger: MatterLedger, calls: list[Interaction], directory: Snapshot | None, region: Region | None) -> None:
    at_calls: dict[str, list[int]] = defaultdict(list)
    untold: list[int] = []
    for call in calls:
        named = call.data.get("readers")
        if not isinstance(named, list):
            untold.append(call.index)
            continue
        for reader in named:
            at_calls[str(reader)].append(call.index)
        if int(call.data.get("readers_count") or 0) > len(named):
            facts.add(
                Topic.READERS, f"Shown: {call.data['readers_count']} readers in all; a record names 64.", (call.index,), Verdict.NOT_PROVEN
            )
    for reader, refs in sorted(at_calls.items()):
        facts.add(Topic.READERS, f"Shown: {reader} could have called on the matter when {len(refs)} of the calls were made.", refs)
    if untold:
        facts.add(Topic.READERS, f"Open: {len(untold)} calls do not record who could read.", untold, Verdict.NOT_PROVEN)
    broken = _grouped([call for call in calls if call.data.get("break_glass")], "break_glass")
    for grant, refs in broken.items():
        facts.add(Topic.READERS, f"Shown: break-glass {grant} was used for {len(refs)} calls.", refs)
    if calls and not broken:
        facts.add(Topic.READERS, "Shown: no call of the matter was made under break-glass.", [call.index for call in calls])
    if directory is None:
        facts.add(
            Topic.READERS,
            "Open: the matter directory was not given (--directory), so today's readers are not listed.",
            (),
            Verdict.NOT_PROVEN,
        )
    else:
        for text in _today(directory, ledger.matter):
            facts.add(Topic.READERS, text)
    if region is not None:
        places = ", ".join(f"{item.name} ({item.ipv4})" for item in region.operators) or "none"
        facts.add(
            Topic.READERS,
            "Stated: whoever is root on the gateway or a model host could read memory while a call runs. "
            f"Places operators come from: {places}. Who they are: open, for the site's own list.",
        )
    facts.add(
        Topic.READERS,
        "Stated: backups of the gateway hold the ledger (no text), the matter directory with the matters' secrets, and the content store "
        "where there is one; whoever has the last two can read what is kept. The evidence store holds signed heads alone.",
    )


def _today(directory: Snapshot, matter: str) -> list[str]:
    """Who could call on the matter now, and why; and who is kept out although a member."""
    now, told = time.time(), []
    found = directory.matters.get(matter)
    for identity in sorted(directory.identities.values(), key=lambda item: item.id):
        if not identity.active or matter not in directory.matters_of(identity.id, now):
            continue
        grant = directory.grant_for(identity.id, matter, now)
        how = f"by break-glass {grant.id}" if grant and matter not in directory.memberships.get(identity.id, frozenset()) else "as a member"
        if (identity.id, matter) in directory.walled_off:
            told.append(
                f"Stated (directory, now): {identity.id} ({identity.kind}) is a member, and an ethical wall keeps the matter closed."
            )
        elif found is not None and identity.clearance.rank < found.confidentiality.rank and grant is None:
            told.append(
                f"Stated (directory, now): {identity.id} ({identity.kind}) is a member and lacks the clearance ({identity.clearance})."
            )
        else:
            told.append(
                f"Stated (directory, now): {identity.id} ({identity.kind}, cleared {identity.clearance}) can call on the matter {how}."
            )
    for grant in directory.grants:
        if grant.matter == matter:
            ends = (
                "not yet begun"
                if grant.expires_at is None
                else datetime.fromtimestamp(grant.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            )
            told.append(
                f"Stated (directory, now): break-glass {grant.id} for {grant.identity}, approved by {grant.approved_by or 'nobody yet'}, "
                f"ends {ends}."
            )
    return told or [f"Stated (directory, now): nobody can call on {matter}."]


def _location(facts: Facts, calls: list[Interaction], region: Region | None) -> None:
    for name, refs in _grouped(calls, "region").items():
        basis = sorted({str(call.data.get("residency")) for call in calls if str(call.data.get("region") or "") == name})
        verdict = Verdict.PASS if name and (region is None or name == region.name) else Verdict.NOT_PROVEN
        where = f"in region {name}" if name else "in a region the record does not name"
        if region is not None and name == region.name:
            where += f" ({region.jurisdiction}, site {region.site})"
        facts.add(Topic.LOCATION, f"Shown: {len(refs)} calls were processed {where}; ground: {'; '.join(basis)}.", refs, verdict)
    if not calls:
        facts.add(Topic.LOCATION, "Shown: no call was processed.")


def _retention(facts: Facts, ledger: MatterLedger, kept: int | None) -> None:
    guilty = [index for index, proved in ledger.records.items() if _holds_content(proved.record)]
    if guilty:
        facts.add(Topic.RETENTION, f"Shown: {len(guilty)} records hold a field for content.", guilty, Verdict.FAIL)
    else:
        text = f"Shown: none of the {len(ledger.records)} records of the matter has a field that could keep text; they hold commitments."
        facts.add(Topic.RETENTION, text, sorted(ledger.records)[:50])
    if kept is None:
        text = "Open: whether the gateway keeps sealed content of the matter was not looked at (--content DIRECTORY, or --content none)."
        facts.add(Topic.RETENTION, text, (), Verdict.NOT_PROVEN)
    elif kept:
        facts.add(
            Topic.RETENTION,
            f"Stated (content store, now): {kept} contents of the matter are kept, sealed under its key. Whoever holds the matter "
            "directory and the store can open them; destroying the matter's secret ends that.",
        )
    else:
        facts.add(Topic.RETENTION, "Stated (content store, now): no content of the matter is kept; text passes through memory alone.")
    facts.add(Topic.RETENTION, "Stated: commitments in the ledger lose their meaning when the matter's secret is destroyed.")
    facts.add(
        Topic.RETENTION,
        "Stated: models are trained on generated documents in a namespace without a network; no input of a call can reach a training run. "
        "Training data of imported weights is what their supplier says.",
    )


def _holds_content(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(name in CONTENT_KEYS or _holds_content(inner) for name, inner in value.items())
    return isinstance(value, list) and any(_holds_content(inner) for inner in value)


def _direction(facts: Facts, calls: list[Interaction]) -> None:
    for direction, refs in _grouped(calls, "direction").items():
        if direction:
            facts.add(Topic.DIRECTION, f"Shown: {len(refs)} calls were made under counsel's direction {direction}.", refs)
        else:
            facts.add(Topic.DIRECTION, f"Open: {len(refs)} calls record no direction of counsel.", refs, Verdict.NOT_PROVEN)
    purposes = {purpose: refs for purpose, refs in _grouped(calls, "purpose").items() if purpose}
    for purpose, refs in purposes.items():
        facts.add(Topic.DIRECTION, f"Shown: {len(refs)} calls state the purpose {purpose}.", refs)
    if not calls:
        facts.add(Topic.DIRECTION, "Shown: there is no call that a direction could cover.")


def _redactions(facts: Facts, calls: list[Interaction]) -> None:
    total: Counter[str] = Counter()
    refs: dict[str, list[int]] = defaultdict(list)
    for call in calls:
        for key in ("removed", "removed_from_answer"):
            for name, number in (call.data.get(key) or {}).items() if isinstance(call.data.get(key), Mapping) else ():
                if isinstance(number, int) and number:
                    total[name] += number
                    refs[name].append(call.index)
    for name, number in sorted(total.items()):
        facts.add(
            Topic.REDACTIONS, f"Shown: {number} × {name} was taken out before the model or the caller saw it.", sorted(set(refs[name]))
        )
    if not total:
        facts.add(Topic.REDACTIONS, "Shown: nothing had to be taken out of any call.", [call.index for call in calls])
    allowed = [call.index for call in calls if call.data.get("personal_data") == "allow"]
    if allowed:
        facts.add(
            Topic.REDACTIONS, f"Shown: {len(allowed)} calls were made while the matter allowed personal data to reach the model.", allowed
        )


def _refusals(facts: Facts, ledger: MatterLedger) -> None:
    refused = [call for call in ledger.interactions if call.refused]
    for reason, refs in _grouped(refused, "reason").items():
        facts.add(Topic.REFUSALS, f"Shown: {len(refs)} calls were refused: {reason or 'no reason recorded'}.", refs)
    if not refused:
        facts.add(Topic.REFUSALS, f"Shown: among {ledger.total} records, no refusal names this matter.")


def _controls(facts: Facts, ledger: MatterLedger, calls: list[Interaction]) -> None:
    text = f"Shown: the ledger verifies whole; its signed head covers {ledger.head.size} records."
    facts.add(Topic.CONTROLS, text)
    for result in ("open", "interrupted"):
        refs = [call.index for call in calls if call.result == result]
        if refs:
            facts.add(Topic.CONTROLS, f"Shown: {len(refs)} calls are {result}: how they ended is not on record.", refs)
    if ledger.unproved:
        text = f"Open: {len(ledger.unproved)} records were written after the signed head and cannot be proved yet."
        facts.add(Topic.CONTROLS, text, ledger.unproved, Verdict.NOT_PROVEN)
    if ledger.events:
        facts.add(Topic.CONTROLS, f"Shown: {len(ledger.events)} other events name the matter.", [event.index for event in ledger.events])
