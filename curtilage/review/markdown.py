"""Renders a review as one comment: hostile names stay text, and the comment fits where it is posted.

Everything that comes from a plan stands in a code span: there GitHub and GitLab render no markup, no link, no mention and no reference.
A code span ends only at a run of backticks as long as its own, so the fence is longer than any run inside (CommonMark 6.1).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from curtilage.review.model import Change, Flow, RegionReview, Review, Severity
from curtilage.verdict import Verdict

COMMENT_LIMIT = 65_536
"""GitHub: 'Body is too long (maximum is 65536 characters)'. Counted in bytes here, which is never fewer."""
MARGIN = 512
LONGEST_SPAN = 300
LEVELS = (60, 20, 8, 3, 1, 0)
"""How many items of a list are shown, tried in this order until the comment fits."""
MARK = {Severity.RED: "🔴", Severity.YELLOW: "🟡", Severity.GREEN: "🟢"}
VERDICT = {Verdict.PASS: "PASS", Verdict.FAIL: "**FAIL**", Verdict.NOT_PROVEN: "**NOT-PROVEN**", Verdict.NOT_RUN: "**NOT-RUN**"}
WORD = {"create": "create", "update": "update", "replace": "**replace**", "delete": "**delete**"}


def code(text: Any, longest: int = LONGEST_SPAN) -> str:
    """Any text as one code span on one line."""
    shown = "".join(char if char.isprintable() else " " if char in "\n\r\t" else f"\\u{{{ord(char):x}}}" for char in str(text))
    shown = " ".join(shown.split(" ")).strip() or "(empty)"
    if len(shown) > longest:
        shown = shown[: longest - 1] + "…"
    fence = "`" * (max((len(run) for run in re.findall(r"`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def render(review: Review, *, limit: int = COMMENT_LIMIT) -> str:
    """The comment, at most ``limit`` bytes."""
    room = limit - MARGIN
    for most in LEVELS:
        text = "\n".join(_comment(review, most, len(review.regions))) + "\n"
        if len(text.encode()) <= room:
            return text
    count = len(review.regions)
    while count > 1:
        count = count * 3 // 4
        text = "\n".join(_comment(review, 0, count, table_only=True)) + "\n"
        if len(text.encode()) <= room:
            return text
    return "\n".join(_comment(review, 0, 1, table_only=True)).encode()[:room].decode(errors="ignore") + "\n"


def _comment(review: Review, most: int, count: int, *, table_only: bool = False) -> Iterator[str]:
    yield "## Curtilage review"
    yield ""
    yield f"{MARK[review.severity]} **{_headline(review)}** Proof and policies: {VERDICT.get(review.verdict, str(review.verdict))}."
    yield ""
    yield "| | region | resources | egress | policies | proof | plan |"
    yield "|---|---|---|---|---|---|---|"
    for item in review.regions[:count]:
        yield _row(item)
    if count < len(review.regions):
        yield ""
        yield f"… and {len(review.regions) - count} more regions; the worst are shown."
    if not table_only:
        for item in review.regions[:count]:
            if item.status != "unchanged" or item.verdict is not Verdict.PASS:
                yield ""
                yield from _region(item, most)
    if most < LEVELS[0]:
        yield ""
        yield "_Shortened to fit into a comment; `curtilage review --json` has everything._"
    yield ""
    yield "_Red: something is replaced, deleted, newly possible, or not proved."
    yield "Apply exactly this plan with_ `curtilage up REGION --plan-digest DIGEST`."


def _headline(review: Review) -> str:
    regions = review.regions
    opened = sum(item.delta.widens for item in regions)
    changed = sum(item.status != "unchanged" for item in regions)
    what = f"{changed} of {len(regions)} region{'s' if len(regions) != 1 else ''} change{'s' if changed == 1 else ''}."
    if opened:
        return f"{what} Egress widens in {opened}."
    if any(item.delta.undecided for item in regions):
        return f"{what} Whether egress widens is not decided everywhere."
    return f"{what} No egress is added."


def _row(item: RegionReview) -> str:
    counts: dict[str, int] = {}
    for change in item.changes:
        counts[change.operation] = counts.get(change.operation, 0) + 1
    changes = ", ".join(f"{number} {WORD[name]}" for name, number in sorted(counts.items())) or "none"
    delta = item.delta
    outside = [flow for flow in delta.added if not flow.inside]
    leaving, fewer = sum(flow.leaves for flow in outside), sum(not flow.inside for flow in delta.removed)
    parts = [
        f"**+{leaving} destinations**" if leaving else "",
        f"+{len(outside) - leaving} past one lock" if len(outside) - leaving else "",
        f"+{len(delta.names_added)} names" if delta.names_added else "",
        f"+{len(delta.principals)} principals" if delta.principals else "",
        f"−{len(delta.denies_removed)} denies" if delta.denies_removed else "",
        f"−{fewer} destinations" if fewer else "",
        f"{len(delta.undecided)} not decided" if delta.undecided else "",
    ]
    egress = ", ".join(part for part in parts if part) or "no change"
    policies = VERDICT.get(item.policies.verdict, "–") if item.policies.verdict is not None else "–"
    digest = f"`{item.digests[1][:19]}…`" if item.digests[1] else "–"
    proof = "–" if item.status == "removed" else VERDICT.get(item.proof.verdict, str(item.proof.verdict))
    name = code(item.region, 60).replace("|", "\\|")
    return f"| {MARK[item.severity]} | {name} ({item.status}) | {changes} | {egress} | {policies} | {proof} | {digest} |"


def _region(item: RegionReview, most: int) -> Iterator[str]:
    opened = " open" if item.severity is Severity.RED else ""
    yield f"<details{opened}><summary>{MARK[item.severity]} {_html(item.region)} — {item.status}, {_html(item.platform)}</summary>"
    yield ""
    if item.digests[1]:
        yield f"Plan `{item.digests[1]}`" + (f", was `{item.digests[0]}`" if item.digests[0] not in (None, item.digests[1]) else "")
        yield ""
    yield from _egress(item, most)
    yield from _list("Resources", item.changes, _change, most)
    if item.policies.verdict is not None:
        yield from _list(f"Policies: {item.policies.verdict}", item.policies.violations, code, most)
    if item.status != "removed":
        yield from _list(f"Proof: {item.proof.verdict}", item.proof.findings, _finding, most)
    yield from _list("Allowances that nothing can use", item.proof.unused_allowances, code, most, quiet=True)
    yield "</details>"


def _egress(item: RegionReview, most: int) -> Iterator[str]:
    delta = item.delta
    if item.status == "unchanged":
        yield "**Egress**: no change; the plan leads to the same resources."
        yield ""
        return
    if delta.empty:
        yield "**Egress**: no packet, name or request becomes possible or impossible (decided over all of them)."
        yield ""
    leaving = [flow for flow in delta.added if flow.leaves and not flow.inside]
    yield from _list("Newly leaves", leaving, _flow, most, quiet=True)
    yield from _list("Newly passes one lock (another still holds it)", [f for f in delta.added if not f.leaves], _flow, most, quiet=True)
    yield from _list("Names newly resolved", delta.names_added, code, most, quiet=True)
    yield from _list("Requests newly allowed", delta.principals, _access, most, quiet=True)
    yield from _list("Denies removed", delta.denies_removed, code, most, quiet=True)
    yield from _list("Allowances added", delta.allowances_added, code, most, quiet=True)
    yield from _list("Not decided", delta.undecided, code, most, quiet=True)
    yield from _list("No longer leaves, or no longer passes one lock", [f for f in delta.removed if not f.inside], _flow, most, quiet=True)
    yield from _list("Newly allowed inside the segment (no egress)", [f for f in delta.added if f.inside], _flow, most, quiet=True)
    yield from _list("No longer allowed inside the segment", [f for f in delta.removed if f.inside], _flow, most, quiet=True)
    yield from _list("Names no longer resolved", delta.names_removed, code, most, quiet=True)
    yield from _list("Allowances removed", delta.allowances_removed, code, most, quiet=True)


def _list(title: str, items: Iterable[Any], show: Callable[[Any], str], most: int, *, quiet: bool = False) -> Iterator[str]:
    found = list(items)
    if not found:
        if not quiet:
            yield f"**{title}**"
            yield ""
        return
    yield f"**{title}** ({len(found)})"
    yield ""
    for item in found[:most]:
        yield f"- {show(item)}"
    if len(found) > most:
        yield f"- … {len(found) - most} more" if most else f"- {len(found)}, not shown here"
    yield ""


def _change(item: Change) -> str:
    said = f": {', '.join(code(name, 60) for name in item.properties[:12])}" if item.properties else ""
    return f"{MARK[item.severity]} {WORD[item.operation]} {code(item.name, 120)} ({code(item.type, 120)}){said}"


def _flow(flow: Flow) -> str:
    ports = f" port {code(flow.ports, 60)}" if flow.ports not in ("-", "any") else ""
    text = f"{code(flow.where, 120)} → {code(flow.destination, 120)} {code(flow.protocol, 20)}{ports}"
    if flow.witness:
        text += f"; for example {code(packet(flow.witness))}"
    return text if flow.certain else f"{text} (not decided: a rule whose effect the model does not know)"


def packet(witness: dict[str, Any]) -> str:
    """A witness on one line."""
    port = f" port {witness['port']}" if witness.get("port") is not None else ""
    state = f" ({witness['state']})" if witness.get("state") not in (None, "new") else ""
    return f"{witness.get('family')} {witness.get('protocol')} {witness.get('source')} -> {witness.get('destination')}{port}{state}"


def _access(item: Any) -> str:
    sure = "" if item.certain else " (needs a condition that is not modelled)"
    by = f"{code(item.resource, 120)}, {code(item.policy, 120)}"
    return f"{code(item.principal)} may {code(item.action, 80)} on {code(item.target)} by {by}{sure}"


def _finding(finding: dict[str, Any]) -> str:
    where = f"{finding['host']} " if finding.get("host") else ""
    text = f"{finding['verdict']} {code(where + str(finding['id']), 80)}: {code(finding['reason'], 600)}"
    shown = finding.get("counterexample")
    if shown:
        text += (
            f"\n  - packet {code(packet(shown))}"
            if "family" in shown and shown.get("family") != "api"
            else f"\n  - {code(_request(shown))}"
        )
    for number, step in enumerate(finding.get("path") or [], start=1):
        text += f"\n  - {number}. {code(step)}"
    return text


def _request(shown: dict[str, Any]) -> str:
    return f"{shown.get('principal')} {shown.get('action')} {shown.get('resource')}"


def _html(text: str) -> str:
    """A name inside a tag: markup as text, and nothing that is a link, a mention or a reference."""
    plain = "".join(char if char.isprintable() else f"\\u{{{ord(char):x}}}" for char in text)[:80]
    return "<code>" + "".join(char if char.isalnum() or char in " -_.," else f"&#{ord(char)};" for char in plain) + "</code>"
