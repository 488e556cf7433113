"""The papers a region's run fills in: record of processing, transfer statement, impact assessment, measures, model cards.

Each states what the machine knows, marks what only people know as open, and claims nothing that no result stands behind. They are drafts
until somebody signs them: the sign-off lines are empty on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curtilage.evidence.coverage import Line
from curtilage.evidence.dossier import Dossier
from curtilage.evidence.flowmap import FlowMap
from curtilage.paper.blocks import Block, Facts, Heading, Listing, Note, Paper, SignOff, Statement, Table
from curtilage.verdict import Verdict, worst

OPEN = "OPEN – to be filled in by the controller"
DRAFT = "Generated draft. It is not legal advice; counsel and the data protection officer review it before it is used."


@dataclass(frozen=True, kw_only=True)
class Run:
    """What every paper is filled from."""

    dossier: Dossier
    lines: Sequence[Line]
    flows: FlowMap
    plan_digest: str
    collected: str
    verdicts: Mapping[str, Verdict]
    models: Mapping[str, str]

    @property
    def region(self) -> dict[str, Any]:
        """The region's own statement."""
        return self.dossier.region

    @property
    def retention(self) -> str:
        """How long records are kept, and who says so."""
        days = self.region.get("retention_days")
        if days:
            return f"{days} days (region file)"
        sourced = [f"{entry['what']}: {entry['days']} days ({entry['source']})" for entry in self.dossier.law.get("retention", ())]
        return "; ".join(sourced) or OPEN

    def paper(self, title: str, blocks: Sequence[Block]) -> Paper:
        """A paper with the facts that bind it to this run."""
        region = self.region
        facts = (
            ("Region", f"{region['name']} ({region['platform']}, site {region['site']})"),
            ("Jurisdiction", f"{self.dossier.law['name']} ({region['jurisdiction']})"),
            ("Owner", str(region["owner"])),
            ("Plan", self.plan_digest),
            ("Results of", self.collected),
        )
        return Paper(
            title=title,
            subtitle=f"Region {region['name']}",
            facts=facts,
            blocks=(Note(text=DRAFT), *blocks),
            footer=f"{title} · region {region['name']} · plan {self.plan_digest} · {self.collected}",
        )


def coverage_table(lines: Sequence[Line], caption: str) -> Table:
    """Lines of coverage as a table."""
    return Table(
        caption=caption,
        columns=("Article", "Asks", "Result", "Why, or what is missing"),
        rows=tuple((line.requirement.cite, line.requirement.asks, str(line.verdict), "; ".join(line.reasons) or "–") for line in lines),
    )


def _of(run: Run, *prefixes: str) -> list[Line]:
    return [line for line in run.lines if line.requirement.id.startswith(prefixes)]


def _recipients(run: Run) -> list[Block]:
    allowances = run.region.get("allowances", ())
    proof = run.verdicts.get("proof/no-packet-leaves", Verdict.NOT_RUN)
    if not allowances:
        known = Statement(
            text="The region file names no destination outside its segments, so it names no recipient outside them. "
            f"Proof that no packet can leave: {proof}."
        )
        return [known]
    return [
        Statement(text=f"The region file allows {len(allowances)} destinations outside its segments. Proof of all else: {proof}."),
        Table(
            caption="Destinations outside the segments",
            columns=("Allowance", "Destination", "Owner", "Reason", "Ends"),
            rows=tuple(
                (
                    str(item["id"]),
                    f"{item['destination']} {item['protocol']} {', '.join(map(str, item['ports']))}",
                    str(item["owner"]),
                    str(item["reason"]),
                    str(item["expires"]),
                )
                for item in allowances
            ),
        ),
    ]


def record_of_processing(run: Run) -> Paper:
    """GDPR Art. 30."""
    region = run.region
    blocks: list[Block] = [
        Heading(text="Who (Art. 30(1)(a))"),
        Facts(
            rows=(
                ("Controller", OPEN),
                ("Responsible unit", f"{region['owner']} (cost centre {region['cost_centre']})"),
                ("Data protection officer", OPEN),
                ("Joint controller, representative", OPEN),
            )
        ),
        Heading(text="Purposes (b)"),
        Statement(
            text="Answers to requests that the legal department's CRM would otherwise send to an outside model vendor: drafting, "
            "summarising and searching in legal matters, by models that run inside the region."
        ),
        Statement(text=f"Vendor interfaces answered locally: {', '.join(region['gateway']['intercept'])}."),
        Heading(text="Persons and data (c)"),
        Statement(text=f"Persons: {OPEN} (typically clients, opponents, witnesses, employees named in matters)."),
        Statement(
            text="Data: text of requests and answers, after privileged fields and, unless a matter's directive allows it, personal data "
            f"were replaced by placeholders at the gateway. Special categories and criminal data (Art. 9, 10): {OPEN}."
        ),
        Heading(text="Recipients (d)"),
        *_recipients(run),
        Heading(text="Third countries (e)"),
        Statement(text="See the transfer statement of the same run, which belongs to this record (Art. 49(6) included)."),
        Heading(text="Erasure (f)"),
        Facts(
            rows=(
                (
                    "Requests and answers",
                    "pass through memory of gateway and model host; stored only where the gateway's `content` setting asks for it, "
                    "sealed under the matter's key",
                ),
                ("Ledger", f"identifiers, counts and salted commitments, never text; kept: {run.retention}"),
                ("Commitments", "become meaningless when the matter's secret is destroyed; the ledger stays whole"),
            )
        ),
        Heading(text="Measures (g)"),
        coverage_table(_of(run, "gdpr-32"), "Art. 32, with the results of this run"),
        Heading(text="Record of a processor (Art. 30(2))"),
        Statement(text=f"Controllers on whose behalf the region processes: {OPEN}; none, where the owner processes for itself alone."),
        SignOff(fields=("For the controller: name, date, signature", "Data protection officer: name, date, signature")),
    ]
    return run.paper("Record of processing activities (GDPR Art. 30)", blocks)


def transfer_statement(run: Run) -> Paper:
    """GDPR Art. 44–49."""
    region, law = run.region, run.dossier.law
    inside = {"gateway", "gpu", "evidence"} | ({"crm"} if region["platform"] == "hosts" else set())
    rows = [
        (machine.name, machine.role, " ".join(machine.addresses), str(region["site"]) if machine.role in inside else OPEN)
        for machine in run.dossier.machines
    ]
    blocks: list[Block] = [
        Heading(text="Is there an importer?"),
        *_recipients(run),
        Statement(
            text="A transfer needs an exporter, an importer in a third country, and disclosure to it (EDPB Guidelines 05/2021). Where "
            "nothing can leave the segments, only people who look in from a third country could be importers: see places of operators."
        ),
        Heading(text="Where data is processed"),
        Table(caption="Machines and places", columns=("Machine", "Role", "Addresses", "Place"), rows=tuple(rows))
        if rows
        else Facts(rows=(("Place", str(region["site"])), ("Platform", str(region["platform"])))),
        Heading(text="Law of the region"),
        Facts(
            rows=(
                ("At home", f"{law['home']['basis']} ({law['home']['source']})"),
                *((f"Also: {', '.join(entry['jurisdictions'])}", f"{entry['basis']} ({entry['source']})") for entry in law["residency"]),
            )
        ),
        Table(
            caption="Instruments on record for personal data; none of them opens a route by itself",
            columns=("To", "Basis", "Conditions", "Source"),
            rows=tuple(
                (", ".join(entry["to"]), entry["basis"], "; ".join(entry["conditions"]) or "–", entry["source"])
                for entry in law["transfers"]
            ),
        ),
        Heading(text="Orders of third countries (Art. 48)"),
        Statement(text=f"Owner of site and machines, and the courts that can compel the owner: {OPEN}."),
        Heading(text="Derogations (Art. 49)"),
        Statement(text="None is used by the region. Whoever uses one notes it in the record of processing."),
        coverage_table(_of(run, "gdpr-44", "gdpr-45", "gdpr-48", "gdpr-49"), "Chapter V, with the results of this run"),
        *([Note(text="Not read by anybody: " + "; ".join(law["not_read"]))] if law.get("not_read") else []),
        SignOff(fields=("Counsel: name, date, signature",)),
    ]
    return run.paper("Transfer statement (GDPR Art. 44–49)", blocks)


_RISKS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Text of a matter leaves through an application's call to an outside vendor", "gateway answers in the vendor's place", ("cells:dns",)),
    ("Text leaves in packets of a compromised service", "output drop, both families", ("control:output",)),
    ("Text leaves in raw frames", "netdev egress chain", ("control:netdev",)),
    ("Text leaves through a container or a nested namespace", "forward drop", ("control:forward",)),
    ("Text leaves in names asked of a resolver", "resolver refuses every foreign name", ("control:resolver",)),
    ("Someone inside reaches a model without the gateway", "ingress of model hosts from the gateway alone", ("control:vllm-ingress",)),
)


def _risk(run: Run, names: tuple[str, ...], controls: Mapping[str, str]) -> str:
    found = [
        verdict
        for identifier, verdict in run.verdicts.items()
        if any(
            (name.startswith("control:") and controls.get(identifier) == name.removeprefix("control:"))
            or (name == "cells:dns" and "/dns4" in identifier)
            for name in names
        )
    ]
    return str(worst(found))


def impact_assessment(run: Run, controls: Mapping[str, str]) -> Paper:
    """GDPR Art. 35(7): a skeleton, filled as far as the machine knows."""
    rows = tuple((risk, measure, _risk(run, names, controls)) for risk, measure, names in _RISKS)
    open_risks = [line for line in run.lines if line.verdict is not Verdict.PASS and line.framework.framework == "gdpr"]
    assumptions = sorted({str(text) for proof in run.dossier.proofs for text in proof.get("assumptions", ())})
    scope = sorted({str(text) for proof in run.dossier.proofs for text in proof.get("out_of_scope", ())})
    blocks: list[Block] = [
        Heading(text="Description (Art. 35(7)(a))"),
        Statement(text="The record of processing of the same run describes purposes, data and recipients; the diagram shows every flow."),
        Listing(
            items=(
                f"{len(run.dossier.machines)} machines, {len(run.flows.rows)} kinds of allowed flow",
                f"models: {', '.join(f'{name} {digest}' for name, digest in sorted(run.models.items())) or OPEN}",
                f"classification comes from identity and the matter's record, never from the request; retention: {run.retention}",
            )
        ),
        Heading(text="Necessity and proportionality (b)"),
        Statement(text=OPEN),
        Heading(text="Risks and measures (c), (d)"),
        Table(
            caption="Ways text could leave, the measure, and what the attacks of this run found",
            columns=("Risk", "Measure", "Result"),
            rows=rows,
        ),
        Statement(text="Likelihood and severity for the persons concerned: " + OPEN),
        Heading(text="What the results rest on"),
        Listing(items=tuple(assumptions) or ("no proof was recorded",)),
        Heading(text="Outside what was shown"),
        Listing(items=tuple(scope) or ("no proof was recorded",)),
        Heading(text="Open"),
        coverage_table(open_risks, "Requirements of the GDPR that this run does not show as met"),
        Heading(text="Views and advice (Art. 35(2), (9))"),
        Statement(text=OPEN),
        SignOff(fields=("Controller's decision: name, date, signature", "Data protection officer's advice: name, date, signature")),
    ]
    return run.paper("Data protection impact assessment (GDPR Art. 35(7)), skeleton", blocks)


def measures(run: Run) -> Paper:
    """GDPR Art. 32, with what was tested."""
    blocks: list[Block] = [
        Heading(text="Measures and their tests (Art. 32)"),
        coverage_table(_of(run, "gdpr-32"), "Requirements"),
        Heading(text="Every test behind them"),
        Table(
            caption="Selectors, how many results each found, and the worst of them",
            columns=("Tests", "Results", "Verdict", "Oldest"),
            rows=tuple(
                (
                    test.selector,
                    str(len(test.ids)),
                    str(test.verdict),
                    "–" if test.oldest is None else test.oldest.strftime("%Y-%m-%d %H:%M UTC"),
                )
                for test in {test.selector: test for line in _of(run, "gdpr-32") for test in line.tests}.values()
            ),
        ),
        Heading(text="Cryptography"),
        Listing(
            items=(
                "in transit: TLS from CRM to gateway, mutual TLS from gateway to evidence store, under the region's name-constrained CA",
                "ledger heads, bundles and models: Ed25519 and ECDSA P-256 signatures, a key for each purpose",
                "content: salted HMAC-SHA-256 commitments under a key of the matter; text, where kept at all, AES-256-GCM under that key",
                f"at rest: {OPEN} (disks and backups belong to the site)",
            )
        ),
        Heading(text="Not shown here"),
        Table(
            caption="What could not run in this region, and the command that shows it",
            columns=("What", "Reason", "Command"),
            rows=tuple((item.what, item.reason, item.command or "–") for item in run.dossier.not_run),
        )
        if run.dossier.not_run
        else Statement(text="Nothing was reported as not run."),
    ]
    return run.paper("Technical and organisational measures (GDPR Art. 32)", blocks)


def model_cards(run: Run) -> Paper:
    """What is known of each model that is served."""
    blocks: list[Block] = []
    for name, digest in sorted(run.models.items()):
        found = run.dossier.models.get(name, {})
        manifest, card = found.get("manifest") or {}, found.get("card") or {}
        blocks += [Heading(text=name, anchor=f"model-{name}"), Facts(rows=(("Digest", digest), *_flat(manifest, skip=("files", "digest"))))]
        if card:
            blocks += [Heading(text="Card", level=3), Facts(rows=tuple(_flat(card)))]
        else:
            blocks.append(Note(text="No model card was recorded with this run."))
        if manifest.get("files"):
            files = tuple((str(file["path"]), str(file["size_bytes"]), str(file["sha256"])) for file in manifest["files"])
            blocks.append(Table(caption=f"Signed files of {name}", columns=("File", "Bytes", "SHA-256"), rows=files))
    if not run.models:
        blocks.append(Note(text="No model is on record for this run."))
    return run.paper("Model cards and provenance", blocks)


def _flat(document: Mapping[str, Any], prefix: str = "", skip: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in document.items():
        if key in skip:
            continue
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            rows += _flat(value, f"{name}: ")
        elif value is not None:
            rows.append((name, ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)))
    return rows
