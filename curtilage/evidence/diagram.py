"""The region as a picture: one lane a role, one line a flow, drawn as SVG and bound by digest to the plan and to the data it shows.

Lanes instead of a mesh of boxes: with forty hosts a mesh is a knot, while a line between two lanes stays readable and prints. Meaning is
never in colour alone: a finding says so in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from curtilage.canonical import digest_of
from curtilage.evidence.dossier import Dossier, Machine
from curtilage.evidence.flowmap import FlowMap, Row

LANES = ("operator", "crm", "gateway", "gpu", "evidence", "outside")
TITLES = {
    "operator": "operators, monitoring", "crm": "CRM servers", "gateway": "gateways", "gpu": "model hosts", "evidence": "evidence store",
    "outside": "everything else",
}  # fmt: skip
LANE, MARGIN, ROW, SHOWN = 186, 16, 34, 5
_FITS = 27
STYLES = """
.flow { font: 12px system-ui, "DejaVu Sans", sans-serif; }
.flow text { fill: #1b1f24; } .flow .soft { fill: #4b5560; font-size: 10.5px; } .flow .title { font-weight: 600; }
.flow .ground { fill: #ffffff; } .flow .box { fill: #f1f4f7; stroke: #5b6672; } .flow .lane { stroke: #c6ccd3; stroke-dasharray: 2 4; }
.flow .frame { fill: none; stroke: #0b4fa8; stroke-width: 1.5; } .flow .line { stroke: #0b4fa8; stroke-width: 1.8; }
.flow .head { fill: #0b4fa8; }
.flow .quiet { stroke: #5b6672; stroke-width: 1.2; stroke-dasharray: 6 3; } .flow .quiet-head { fill: #5b6672; }
.flow .bad { stroke: #a31515; stroke-width: 3; } .flow .stop { stroke: #a31515; stroke-width: 2; }
.flow .bad-head, .flow text.bad-text { fill: #a31515; } .flow text.bad-text { font-weight: 700; }
@media (prefers-color-scheme: dark) {
.flow text { fill: #e6e9ec; } .flow .soft { fill: #aab3bc; } .flow .ground { fill: #14171a; }
.flow .box { fill: #1d2226; stroke: #7b8792; } .flow .lane { stroke: #3c444c; }
.flow .frame, .flow .line { stroke: #8ab8ff; } .flow .head { fill: #8ab8ff; }
.flow .quiet { stroke: #9aa5af; } .flow .quiet-head { fill: #9aa5af; }
.flow .bad, .flow .stop { stroke: #ff9a94; } .flow .bad-head, .flow text.bad-text { fill: #ff9a94; } }
@media print { .flow text { fill: #000; } .flow .ground { fill: #fff; } .flow .box { fill: #fff; stroke: #000; } }
"""


def _x(role: str) -> float:
    return MARGIN + LANE * (LANES.index(role) if role in LANES else len(LANES) - 1) + LANE / 2


def _text(x: float, y: float, value: str, kind: str = "", anchor: str = "middle") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{named}>{escape(value)}</text>'


def _cut(value: str, length: int) -> str:
    return value if len(value) <= length else value[: length - 1] + "…"


def _lines(machine: Machine) -> list[str]:
    """A machine's addresses, on one line where that fits into its lane."""
    joined = " ".join(machine.addresses)
    return [joined] if len(joined) <= _FITS else [_cut(address, _FITS) for address in machine.addresses]


def _tall(machines: list[Machine]) -> float:
    return sum(17 + 13 * len(_lines(machine)) for machine in machines[:SHOWN]) + (17 if len(machines) > SHOWN else 0)


def _machines(machines: list[Machine], x: float, y: float) -> list[str]:
    parts = []
    for machine in machines[:SHOWN]:
        parts.append(_text(x, y, _cut(machine.name, 24)))
        for address in _lines(machine):
            y += 13
            parts.append(_text(x, y, address, "soft"))
        y += 17
    if len(machines) > SHOWN:
        parts.append(_text(x, y, f"and {len(machines) - SHOWN} more", "soft"))
    return parts


def _line(row: Row, y: float) -> list[str]:
    start, end = _x(row.client), _x(row.server)
    if row.client == row.server:
        end = start + LANE / 2 - 12
    kind = "bad" if row.finding else "line" if row.seen else "quiet"
    sign = 1 if end > start else -1
    head = f'<polygon class="{ {"bad": "bad-head", "line": "head", "quiet": "quiet-head"}[kind] }" points="{end:g},{y:g} {end - sign * 9:g},{y - 4.5:g} {end - sign * 9:g},{y + 4.5:g}"/>'  # noqa: E501
    seen = "not observed" if row.seen is None else f"seen {row.seen}×" if row.seen else "not seen"
    port = f" {row.port}" if row.port else ""
    label = f"{'FINDING ' if row.finding else ''}{_cut(row.name, 60)} · {row.protocol}{port} · {seen}"
    return [
        f'<line class="{kind}" x1="{start:g}" y1="{y:g}" x2="{end - sign * 8:g}" y2="{y:g}"/>',
        f'<circle class="{"bad-head" if row.finding else "head" if row.seen else "quiet-head"}" cx="{start:g}" cy="{y:g}" r="3"/>',
        head,
        _label((start + end) / 2, y - 6, label, "bad-text" if row.finding else ""),
    ]


def _label(x: float, y: float, value: str, kind: str = "") -> str:
    """Text on a ground of its own, kept inside the picture whatever it says."""
    width = 6.4 * len(value) + 8
    x = min(max(x, MARGIN + width / 2), MARGIN + LANE * len(LANES) - width / 2)
    return f'<rect class="ground" x="{x - width / 2:g}" y="{y - 11:g}" width="{width:g}" height="14"/>' + _text(x, y, value, kind)


def draw(dossier: Dossier, found: FlowMap, *, plan_digest: str, standalone: bool = True) -> str:
    """The picture.

    Args:
        dossier: machines and segments.
        found: the flows.
        plan_digest: the plan the picture belongs to; it is part of the picture.
        standalone: with its own styles; the report's page carries them in its style sheet instead.
    """
    name = str(dossier.region["name"])
    by_role = {role: [machine for machine in dossier.machines if machine.role == role] for role in LANES}
    tall = 48 + max(30.0, *(_tall(machines) for machines in by_role.values()))
    # On hosts the CRM's servers stand inside the segment; a cluster's CRM is a network beside it.
    first = 1 if str(dossier.region.get("platform")) == "hosts" else 2
    top = 62
    begin = top + tall + 40
    rows = sorted(
        found.rows, key=lambda row: (not row.finding, LANES.index(row.client) if row.client in LANES else 9, row.name, row.server)
    )
    drops = [(role, counted) for role in LANES for counted in [found.dropped.get(role)] if counted]
    height = begin + ROW * (len(rows) + max(1, len(drops))) + 70
    width = MARGIN * 2 + LANE * len(LANES)
    data = digest_of(found.document())
    title = f"Data flows of region {name}"
    description = (
        f"{len(rows)} kinds of flow; {len(found.findings)} findings; verdict {found.verdict}. "
        "Lanes are roles; each line runs from the one who begins to the one who answers. The table of flows says the same."
    )
    segments = "; ".join(
        f"segment {key}: {' '.join(str(value[family]) for family in ('ipv4', 'ipv6') if value.get(family))}"
        for key, value in dossier.region.get("segments", {}).items()
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="flow" viewBox="0 0 {width} {height}" role="img" '
        'aria-labelledby="flow-title flow-desc">',
        f'<title id="flow-title">{escape(title)}</title><desc id="flow-desc">{escape(description)}</desc>',
        f"<metadata>plan {escape(plan_digest)} flows {data}</metadata>",
        f"<style>{STYLES}</style>" if standalone else "",
        f'<rect class="ground" x="0" y="0" width="{width}" height="{height}"/>',
        _text(MARGIN, 22, title, "title", "start"),
        _text(MARGIN, 40, f"plan {plan_digest} · flows {data[:23]}…", "soft", "start"),
        f'<rect class="frame" x="{MARGIN + LANE * first + 4:g}" y="{top - 10:g}" width="{LANE * (5 - first) - 8:g}" '
        f'height="{height - top - 24:g}" rx="10"/>',
        _label(MARGIN + LANE * (first + 5) / 2, top - 6, _cut(segments, 100), "soft"),
    ]
    for role in LANES:
        x = _x(role)
        parts.append(f'<line class="lane" x1="{x:g}" y1="{top + tall:g}" x2="{x:g}" y2="{height - 44:g}"/>')
        parts.append(f'<rect class="box" x="{x - LANE / 2 + 10:g}" y="{top + 8:g}" width="{LANE - 20:g}" height="{tall - 8:g}" rx="6"/>')
        parts.append(_text(x, top + 28, TITLES[role], "title"))
        if role == "outside":
            allowances = len(dossier.region.get("allowances", ()))
            parts.append(_text(x, top + 48, f"{allowances} allowances" if allowances else "no allowance", "soft"))
        else:
            parts += _machines(by_role[role], x, top + 50)
    for number, row in enumerate(rows):
        parts += _line(row, begin + number * ROW)
    below = begin + len(rows) * ROW
    for number, (role, counted) in enumerate(drops):
        parts += _stopped(role, counted, below + number * ROW)
    if not drops and dossier.machines:
        parts.append(_label(width / 2, below, "drop counters were not read", "soft"))
    parts.append(
        _text(MARGIN, height - 16, "solid: observed in this run · dashed: allowed, not seen · ✕: dropped and counted", "soft", "start")
    )
    return "\n".join(part for part in parts if part) + "\n</svg>\n"


def _stopped(role: str, counted: Mapping[str, int], y: float) -> list[str]:
    """A line that ends at the segment's edge."""
    start, end = _x(role), MARGIN + LANE * 5 + 4
    said = ", ".join(f"{control} {packets}" for control, packets in sorted(counted.items()))
    return [
        f'<line class="stop" x1="{start:g}" y1="{y:g}" x2="{end:g}" y2="{y:g}"/>',
        f'<path class="stop" d="M{end - 6:g} {y - 6:g}l12 12m0 -12l-12 12"/>',
        _label((start + end) / 2, y - 6, f"dropped and counted: {said}"),
    ]
