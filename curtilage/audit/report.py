"""The privilege-waiver report of one matter: facts, each tied to ledger records; questions of the matter's law; lines to sign.

It does not conclude that privilege holds or is waived: that is counsel's to say. It is a work of the record, and says where the record
ends. The annex proves every cited record against the signed head, so that a reader needs no trust in whoever printed it.
"""

from __future__ import annotations

import base64
from collections import Counter
from datetime import UTC, datetime

from curtilage.audit.merkle import leaf_hash
from curtilage.audit.report_facts import Fact, Facts
from curtilage.audit.report_law import Template, Topic
from curtilage.audit.report_ledger import MatterLedger, Proved
from curtilage.matters.model import Snapshot
from curtilage.paper.blocks import Block, Heading, Listing, Note, Paper, SignOff, Statement, Table, Verbatim
from curtilage.paper.blocks import Facts as Rows

TITLES = {
    Topic.THIRD_PARTIES: "Third parties",
    Topic.READERS: "Readers able to read",
    Topic.LOCATION: "Location",
    Topic.RETENTION: "Retention and training",
    Topic.DIRECTION: "Counsel's direction and purpose",
    Topic.REDACTIONS: "Redactions",
    Topic.REFUSALS: "Refusals",
    Topic.CONTROLS: "State of the record",
}
_MAX_REFS = 12


def compose(
    ledger: MatterLedger,
    facts: Facts,
    law: Template,
    *,
    directory: Snapshot | None,
    region: str | None,
    made: datetime,
    compared_with: int | None,
) -> Paper:
    """The whole report.

    Args:
        ledger: the matter's records.
        facts: what they and the directory show.
        law: the questions to ask.
        directory: the matter directory, if given.
        region: the region's name, if given.
        made: when.
        compared_with: size of the head kept elsewhere that the ledger was compared with.
    """
    blocks: list[Block] = [
        Note(
            text="Prepared for counsel. It records facts and asks the questions of the matter's law; it draws no legal conclusion. "
            f"Law as data, reviewed by counsel: {law.counsel_reviewed or 'not yet'}. "
            "'Shown' rests on ledger records proved in the annex; 'stated' on design or on today's directory; 'open' is for people."
        ),
        *_matter(ledger, directory),
        *_interactions(ledger),
    ]
    for topic in Topic:
        blocks.append(Heading(text=TITLES[topic], anchor=f"topic-{topic}"))
        blocks += [_said(fact) for fact in facts.by_topic[topic]]
    blocks += _law(law, facts)
    blocks += _residual(facts, ledger, compared_with)
    blocks += [
        Heading(text="Sign-off"),
        SignOff(
            fields=(
                "Responsible counsel: privilege asserted / not asserted, reasons, name, date, signature",
                "Supervising counsel: name, date, signature",
                "Data protection officer, as far as personal data is concerned: name, date, signature",
            )
        ),
        *_annex(ledger),
    ]
    stamp = made.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Paper(
        title="Privilege report",
        subtitle=f"Matter {ledger.matter}",
        facts=(
            ("Matter", ledger.matter),
            ("Law", f"{law.title} ({law.code})"),
            ("Region", region or "not named"),
            ("Made", stamp),
            ("Ledger", f"{ledger.head.origin}, head of {ledger.head.size} records"),
            ("Compared with a head kept elsewhere", f"yes, of {compared_with} records" if compared_with is not None else "no"),
            ("Record", str(facts.verdict)),
        ),
        blocks=tuple(blocks),
        footer=f"Privileged and confidential · matter {ledger.matter} · ledger head {ledger.head.size} "
        f"{base64.b64encode(ledger.head.root).decode()} · {stamp}",
    )


def _cut(refs: tuple[int, ...]) -> tuple[int, ...]:
    return refs[:_MAX_REFS]


def _said(fact: Fact) -> Statement:
    more = len(fact.refs) - _MAX_REFS
    others = f" (and {more} more records: {_ranges(fact.refs[_MAX_REFS:])})" if more > 0 else ""
    return Statement(text=fact.text + others, refs=_cut(fact.refs))


def _ranges(indices: tuple[int, ...]) -> str:
    """``3, 5–9, 12``: every record is named, however many there are."""
    spans: list[list[int]] = []
    for index in sorted(set(indices)):
        if spans and spans[-1][1] == index - 1:
            spans[-1][1] = index
        else:
            spans.append([index, index])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in spans)


def _matter(ledger: MatterLedger, directory: Snapshot | None) -> list[Block]:
    found = directory.matters.get(ledger.matter) if directory else None
    if found is None:
        return [Note(text="The matter directory was not given or does not know the matter; what it says about it is open.")]
    return [
        Heading(text="Matter (directory, now)"),
        Rows(
            rows=(
                ("Jurisdiction", found.jurisdiction),
                ("Confidentiality", str(found.confidentiality)),
                ("Personal data in prompts", str(found.personal_data)),
                ("Counsel's direction", found.direction or "none recorded"),
                ("Purposes", ", ".join(sorted(found.purposes)) or "not limited"),
                ("Legal hold", "yes" if found.legal_hold else "no"),
                ("State", "open" if found.is_open else "closed"),
            )
        ),
    ]


def _interactions(ledger: MatterLedger) -> list[Block]:
    calls = ledger.interactions
    if not calls:
        return [
            Heading(text="Interactions"),
            Statement(text=f"Shown: none of the {ledger.total} records of the ledger names this matter. The ledger verifies whole."),
        ]
    ended = Counter(call.result for call in calls)
    rows = tuple(
        (
            str(call.index),
            call.time[:19] + "Z",
            str(call.data.get("identity") or "–"),
            str(call.data.get("surface") or "–"),
            str(call.data.get("model") or call.data.get("model_requested") or "–"),
            str(call.data.get("purpose") or "–"),
            call.result,
            str(sum(number for number in (call.data.get("removed") or {}).values() if isinstance(number, int))
                if isinstance(call.data.get("removed"), dict) else "–"),
        )
        for call in calls
    )  # fmt: skip
    models = Counter(str(call.data.get("model")) for call in calls if call.data.get("model"))
    return [
        Heading(text="Interactions"),
        Statement(
            text=f"Shown: {len(calls)} interactions from {calls[0].time[:19]}Z to {calls[-1].time[:19]}Z: "
            + ", ".join(f"{number} {result}" for result, number in sorted(ended.items()))
            + ".",
            refs=(calls[0].index, calls[-1].index),
        ),
        *(
            _said(
                Fact(
                    text=f"Shown: model {name} was asked in {number} calls.",
                    refs=tuple(call.index for call in calls if str(call.data.get("model")) == name),
                )
            )
            for name, number in sorted(models.items())
        ),
        Table(
            caption="Every interaction, with its records",
            columns=("Record", "Time", "Identity", "Interface", "Model", "Purpose", "Result", "Removed"),
            rows=rows,
            refs=tuple(call.refs for call in calls),
        ),
    ]


def _law(law: Template, facts: Facts) -> list[Block]:
    rows = tuple(
        (
            factor.asks + ("" if factor.read else " [from commentary or memory: counsel compares the source]"),
            "; ".join(f"{TITLES[topic]}: {_on_record(facts.by_topic[topic])}" for topic in factor.rests_on),
            "",
        )
        for factor in law.factors
    )
    return [
        Heading(text=f"Questions of law: {law.title}"),
        Table(caption="For counsel", columns=("Question", "Facts above", "Counsel's answer"), rows=rows),
        Listing(items=law.sources),
    ]


def _on_record(found: list[Fact]) -> str:
    return f"{sum(fact.verdict == 'PASS' for fact in found)} of {len(found)} facts on record"


def _residual(facts: Facts, ledger: MatterLedger, compared_with: int | None) -> list[Block]:
    gaps = [fact for found in facts.by_topic.values() for fact in found if fact.verdict != "PASS"]
    standing = [
        "People with administrator access to a host can read its memory; nothing on that host can rule it out.",
        "The ledger itself may be sought in discovery; it shows that, when and by whom a model was used, not what was said.",
        "A court that can compel the owner of the site can compel access to the site (GDPR Art. 48 does not bind them).",
        *(
            ["No head kept elsewhere was compared: a ledger replaced whole by the holder of its key would not be noticed."]
            if compared_with is None
            else []
        ),
    ]
    return [Heading(text="Residual risk"), *(_said(fact) for fact in gaps), Listing(items=tuple(standing))]


def _annex(ledger: MatterLedger) -> list[Block]:
    blocks: list[Block] = [
        Heading(text="Annex A: the signed head"),
        Verbatim(text=ledger.note.decode()),
        Heading(text="Annex B: cited records and their inclusion proofs"),
        Statement(
            text="Leaf hash is SHA-256 of a zero byte and the record; a proof's nodes lead from it to the root above (RFC 9162, 2.1.3.2). "
            "Hashes are in base64."
        ),
    ]
    for index in sorted(ledger.records):
        blocks += _entry(ledger.records[index], ledger.head.size)
    return blocks


def _entry(proved: Proved, size: int) -> list[Block]:
    told = proved.document()
    path = "NOT under the signed head" if told["proof"] is None else " ".join(told["proof"]) or "(the root itself)"
    leaf = base64.b64encode(leaf_hash(proved.raw)).decode()
    return [
        Heading(text=f"Record {proved.index} of {size}", level=3, anchor=f"record-{proved.index}"),
        Verbatim(text=f"{told['record']}\nleaf {leaf}\nproof {path}"),
    ]
