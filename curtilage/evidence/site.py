"""The report of one region: one HTML file that needs nothing else, made from a bundle that was verified and from nothing but it.

Whatever the bundle says, names of hosts and tests included, is text: everything is escaped, scripts and styles are allowed by digest, and
the page's policy forbids every fetch.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import orjson

from curtilage.audit.tiles import write_durably
from curtilage.evidence import diagram
from curtilage.evidence.archive import unpack
from curtilage.evidence.dossier import Dossier
from curtilage.evidence.flowmap import flow_map
from curtilage.evidence.site_parts import anchor, code, filtered, heading, items, markdown_tables, plain_table
from curtilage.evidence.verify import BundleResult
from curtilage.paper.html import cell, page, styles
from curtilage.verdict import Verdict, worst

STALE_DAYS = 31
MAX_BYTES = 2 * 1024 * 1024


def write_report(bundle: Path, result: BundleResult, path: Path, *, key_hint: str = "evidence.pub") -> Path:
    """Render a verified bundle's report to ``path``."""
    write_durably(path, render(unpack(bundle.read_bytes()), result, bundle.name, key_hint).encode())
    return path


def render(files: Mapping[str, bytes], result: BundleResult, name: str, key_hint: str) -> str:
    """The page.

    Args:
        files: the bundle's files.
        result: what the verifier said of them.
        name: the bundle's file name.
        key_hint: the file name of the public key.
    """
    found = _Found(files, result, name, key_hint)
    sections: list[tuple[str, str, Callable[[_Found], str]]] = [
        ("summary", "Summary", _summary),
        ("not-run", "Not run", _not_run),
        ("flows", "Data flows", _flows),
        ("probes", "Attacks", _probes),
        ("tests", "Decisions and tests", _tests),
        ("requirements", "Requirements", _requirements),
        ("tables", "Mutations and detection", _tables),
        ("models", "Models", _models),
        ("ledger", "Ledger", _ledger),
        ("files", "Files", _files),
        ("check", "Check it yourself", _check),
    ]
    region = result.region
    navigation = "".join(f'<li><a href="#{key}">{escape(title)}</a></li>' for key, title, _ in sections)
    body = (
        '<a class="skip" href="#main">Skip to the report</a>\n'
        f'<header><h1>Region {escape(region)}</h1><p class="subtitle">What was proved, attacked and recorded, and what was not</p>'
        f'<p class="top"><strong class="verdict {result.verdict}">{str(result.verdict).replace("_", "-")}</strong> '
        '<button type="button" class="print" hidden>Print</button></p></header>\n'
        f'<nav aria-label="Sections"><ul>{navigation}</ul></nav>\n<main id="main">\n'
        + "\n".join(f'<section aria-labelledby="{key}">{heading(key, title)}{make(found)}</section>' for key, title, make in sections)
        + f"\n</main>\n<footer>Region {escape(region)} · plan {escape(result.plan_digest)} · results of {escape(result.collected)} · "
        f"signed by {escape(result.fingerprint)}</footer>"
    )
    assets = package_files("curtilage.evidence").joinpath("page")
    sheet = styles() + diagram.STYLES + assets.joinpath("page.css").read_text(encoding="utf-8")
    script = assets.joinpath("page.js").read_text(encoding="utf-8")
    return page(title=f"Region {region}: {result.verdict}", styles=sheet, script=script, body=body)


class _Found:
    """The bundle, read."""

    def __init__(self, files: Mapping[str, bytes], result: BundleResult, name: str, key_hint: str) -> None:
        self.files, self.result, self.name, self.key_hint = files, result, name, key_hint
        self.cells: list[dict[str, Any]] = orjson.loads(files.get("probes.json", b"[]"))
        self.attacks = [item for item in self.cells if item.get("control")]
        self.others = [item for item in self.cells if not item.get("control")]
        self.coverage: dict[str, Any] = self._json("documents/coverage.json")
        self.dossier: Dossier | None = None
        if facts := self._json("documents/facts.json"):
            facts["flows"] = self._json("documents/flows.json").get("allowed", [])
            facts["observed"] = self._json("documents/observed.json") or None
            self.dossier = Dossier.model_validate(facts)

    def _json(self, name: str) -> dict[str, Any]:
        read = orjson.loads(self.files.get(name, b"{}"))
        return read if isinstance(read, dict) else {}


def _counts(verdicts: Sequence[str]) -> str:
    counted = Counter(verdicts)
    return ", ".join(f"{counted[verdict]} {verdict.replace('_', '-')}" for verdict in map(str, Verdict) if counted[verdict]) or "none"


def _worst(verdicts: Sequence[str]) -> str:
    return str(worst(Verdict(verdict) for verdict in verdicts))


def _summary(found: _Found) -> str:
    by_id = {str(item["id"]): str(item["verdict"]) for item in found.cells}
    host_tests = [str(item["verdict"]) for item in found.others if str(item["id"]).startswith("host/")]
    attacks = [str(item["verdict"]) for item in found.attacks]
    lines = [str(line["verdict"]) for line in found.coverage.get("requirements", ())]
    flows = str(flow_map(found.dossier).verdict) if found.dossier else str(Verdict.NOT_RUN)
    tiles = (
        ("Policies", by_id.get("policy/pack", "NOT_RUN"), "the plan, judged by the policy pack"),
        ("Proof", by_id.get("proof/no-packet-leaves", "NOT_RUN"), "no packet leaves, decided before apply"),
        ("Attacks", _worst(attacks), _counts(attacks)),
        ("Host tests", _worst(host_tests), _counts(host_tests)),
        ("Observed flows", flows, "what machines saw, against what is allowed"),
        ("Requirements", f"{lines.count('PASS')} of {len(lines)} met", _counts(lines) if lines else "no coverage in this bundle"),
    )
    shown = "".join(
        f'<li><span class="name">{escape(title)}</span><strong>{cell(verdict)}</strong>{escape(told)}</li>'
        for title, verdict, told in tiles
    )
    result = found.result
    facts = [
        ("Results of", f'{escape(result.collected)} (<span id="age" data-time="{escape(result.collected)}" data-limit="{STALE_DAYS}">'
         "age not computed</span>)"),
        ("Plan", code(result.plan_digest)),
        ("Signed by", code(result.fingerprint) + (" (pinned)" if result.pinned else " (not pinned: compare it)")),
        ("Time stamp", escape(result.timestamp) if result.timestamp else "none that was verified"),
    ]  # fmt: skip
    if found.dossier:
        region = found.dossier.region
        allowances = region.get("allowances", ())
        facts.insert(0, ("Jurisdiction", escape(f"{found.dossier.law['name']} ({region['jurisdiction']}), platform {region['platform']}")))
        facts.insert(1, ("Owner", escape(str(region["owner"]))))
        facts.append(("Allowed outside", escape(f"{len(allowances)} allowances" if allowances else "nothing: no allowance")))
    findings = [[f"{item.verdict}", item.id, item.reason] for item in result.findings]
    return f'<ul class="tiles">{shown}</ul><dl>{"".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)}</dl>' + (
        plain_table("Why the bundle is not green", ("Verdict", "Id", "Reason"), findings) if findings else ""
    )


def _not_run(found: _Found) -> str:
    rows: list[list[str]] = []
    if found.dossier:
        rows += [[item.what, item.reason, item.command or "–"] for item in found.dossier.not_run]
        if found.dossier.observed is None:
            rows.append(
                ["Observed flows", "no connection table, counter or log was read in this run", f"curtilage up {found.result.region}"]
            )
        else:
            rows += [["Observed flows, a part", reason, "–"] for reason in found.dossier.observed.unread]
    rows += [[str(item["id"]), str(item.get("reason", "")), "–"] for item in found.cells if item["verdict"] == "NOT_RUN"]
    rows += [[item.id, item.reason, "–"] for item in found.result.findings if item.verdict is Verdict.NOT_RUN]
    missing = [line for line in found.coverage.get("requirements", ()) if line["verdict"] == "NOT_RUN"]
    note = f"<p>{len(missing)} requirements have no or no fresh evidence; they are listed under Requirements.</p>" if missing else ""
    if not rows:
        return "<p>Every claim of this report was tested in this run.</p>" + note
    return plain_table("What could not be shown here, why, and what shows it", ("What", "Reason", "Command"), rows) + note


def _flows(found: _Found) -> str:
    if found.dossier is None:
        return "<p>This bundle holds no facts of the region, so there is no picture.</p>"
    flows = flow_map(found.dossier)
    picture = diagram.draw(found.dossier, flows, plan_digest=found.result.plan_digest, standalone=False)
    rows = [
        [row.name, row.client, row.server, f"{row.protocol} {row.port or ''}".strip(),
         "not observed" if row.seen is None else str(row.seen),
         row.source or "–", "FAIL" if row.finding else "allowed"]
        for row in flows.rows
    ]  # fmt: skip
    findings = items(flows.findings) if flows.findings else "<p>No observed flow lacks an allowance.</p>" if flows.observed else ""
    return (
        f'<p>Observed against allowed: {cell(str(flows.verdict))}.</p>{findings}<div class="picture" tabindex="0" role="region" '
        f'aria-label="Data flow picture">{picture}</div><details><summary>The same as a table</summary>'
        + plain_table("Flows", ("Flow", "From", "To", "Port", "Seen", "Where", "Judgement"), rows)
        + "</details>"
    )


def _probes(found: _Found) -> str:
    rows = [
        ({"verdict": str(item["verdict"]), "host": str(item.get("host", "")), "control": str(item["control"])},
         [str(item["id"]), str(item.get("host", "")), str(item["control"]), str(item.get("catalogue", "")), str(item["verdict"]),
          str(item.get("reason", ""))])
        for item in found.attacks
    ]  # fmt: skip
    told = (
        "<p>Each attack must fail and be seen to fail: the same tool reached a permitted target, a canary stood where the packet would "
        "have arrived, and a counter says what stopped it.</p>"
    )
    return told + filtered(
        "probe-table", f"{len(rows)} attacks", ("Attack", "From", "Stopped by", "Way out", "Verdict", "What was seen"), rows,
        (("verdict", "Verdict"), ("host", "From"), ("control", "Stopped by")),
    )  # fmt: skip


def _tests(found: _Found) -> str:
    rows = [[str(item["id"]), str(item["verdict"]), str(item.get("reason", "")) or "–"] for item in found.others]
    parts = [plain_table("Decisions before apply, and tests on the hosts", ("Id", "Verdict", "Reason"), rows)]
    if tests := orjson.loads(found.files.get("documents/tests.json", b"[]")):
        parts.append(
            filtered(
                "test-table", f"{len(tests)} of the product's own tests", ("Test", "Verdict", "When"),
                [({"verdict": str(test["verdict"])}, [test["id"], str(test["verdict"]), str(test["time"])[:19]]) for test in tests],
                (("verdict", "Verdict"),),
            )
        )  # fmt: skip
    else:
        parts.append("<p>No results of the product's own tests were on this machine; <code>make test</code> leaves them.</p>")
    return "".join(parts)


def _requirements(found: _Found) -> str:
    lines = found.coverage.get("requirements", ())
    if not lines:
        return "<p>This bundle holds no coverage.</p>"
    rows = [
        ({"verdict": line["verdict"], "framework": line["framework"]},
         [f"{_named(line['framework'])} {line['cite']}", line["asks"], line["verdict"],
          f"{line['age_days']} d" if line["age_days"] is not None else "–",
          "; ".join(line["reasons"]) or f"shown by {', '.join(item['name'] for item in line['artefacts'])}",
          line["people"] or "–"])
        for line in lines
    ]  # fmt: skip
    sources = [[item["title"], item["source"], item["counsel_reviewed"] or "nobody yet"] for item in found.coverage["frameworks"]]
    return (
        "<p>In our own words; a line is met only if every artefact is there and every test passed recently. Counsel reviews before use.</p>"
        + filtered(
            "requirement-table", f"{len(rows)} requirements",
            ("Requirement", "Asks", "Result", "Oldest", "Why, or shown by", "People must also show"), rows,
            (("verdict", "Result"), ("framework", "Source")),
        )
        + plain_table("Sources", ("Title", "Published", "Reviewed by counsel"), sources)
    )  # fmt: skip


def _named(framework: str) -> str:
    return framework.upper().replace("NIST-AI-", "NIST AI ").replace("NIST-", "NIST ")


def _tables(found: _Found) -> str:
    tables = found.dossier.tables if found.dossier else {}
    parts = [f"<h3>{escape(name)}</h3>{markdown_tables(text, name)}" for name, text in sorted(tables.items())]
    return "".join(parts) or "<p>No mutation or detection table was recorded with this run.</p>"


def _models(found: _Found) -> str:
    documents = found.dossier.models if found.dossier else {}
    manifest = _manifest(found.files)
    parts = []
    for name, digest in sorted(manifest.get("models", {}).items()):
        told = documents.get(name, {})
        made, card = told.get("manifest") or {}, told.get("card") or {}
        provenance = made.get("provenance") or {}
        rows = [
            ["Digest", digest],
            *([key, str(made[key])] for key in ("architecture", "parameters", "dtype", "variant", "licence") if key in made),
        ]
        rows += [[f"Provenance: {key}", str(value)] for key, value in provenance.items() if value and not isinstance(value, dict)]
        rows += [[key, str(card[key])] for key in ("intended_use", "limits") if card.get(key)]
        rows += [["Training network", str(card["training"]["network"])]] if "network" in (card.get("training") or {}) else []
        parts.append(f'<h3 id="{anchor("model", name)}">{escape(name)}</h3>' + plain_table(f"Model {name}", ("What", "Value"), rows))
    images = [[name, digest] for name, digest in sorted(manifest.get("images", {}).items())]
    if images:
        parts.append(plain_table("Images and trees", ("Name", "Digest"), images))
    return "".join(parts) or "<p>No model is on record for this run.</p>"


def _manifest(files: Mapping[str, bytes]) -> dict[str, Any]:
    envelope = orjson.loads(files["manifest.dsse.json"])
    read: dict[str, Any] = orjson.loads(base64.b64decode(envelope["payload"]))
    return read


def _ledger(found: _Found) -> str:
    note = found.files.get("audit/checkpoint")
    if note is None:
        return "<p>No ledger head is in this bundle.</p>"
    key = found.files.get("audit/key.pub", b"").decode(errors="replace").strip()
    return (
        f"<p>The signed head of {found.result.audit_size if found.result.audit_size is not None else 'an unverified number of'} records. "
        "Keep it elsewhere: a ledger cut short or replaced is found against it.</p>"
        f"<pre>{escape(note.decode(errors='replace'))}</pre><p>Key: {code(key)}</p>"
    )


def _files(found: _Found) -> str:
    entries = _manifest(found.files).get("files", {})
    rows = [[name, str(entry["size"]), entry["sha256"]] for name, entry in sorted(entries.items())]
    return "<p>Everything the signature covers.</p>" + plain_table(found.name, ("File", "Bytes", "SHA-256"), rows)


def _check(found: _Found) -> str:
    commands = (
        (f"curtilage evidence verify {found.name} --key {found.key_hint}", "with the product"),
        (f"python3 verify_evidence.py {found.name} --key {found.key_hint}", "with one file and nothing installed"),
        (f"tar -xf {found.name} documents", "take the papers out"),
        (f"curtilage up {found.result.region}", "run all of it again"),
    )
    return plain_table("Commands", ("Command", "What it does"), [list(command) for command in commands])
