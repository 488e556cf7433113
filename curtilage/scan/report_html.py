# ruff: noqa: E501 -- the page's text
"""One HTML page without any outside resource or script; whatever comes from the scanned files is escaped."""

from __future__ import annotations

import base64
import hashlib

from jinja2 import Environment, select_autoescape

from curtilage.scan.engine import Result
from curtilage.scan.report_table import printable, summary
from curtilage.scan.rules import RULES

_STYLE = """
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:75rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.4rem .6rem;border-bottom:1px solid #8886}
code{font-family:ui-monospace,monospace;overflow-wrap:anywhere}.s{font-weight:600;white-space:nowrap}.off{opacity:.6}
caption{text-align:left;font-weight:600;padding:.5rem 0}@media print{body{max-width:none;margin:0}}
"""
_PAGE = Environment(autoescape=select_autoescape(default=True, default_for_string=True)).from_string(
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{{ digest }}'">
<title>Ways out: {{ verdict }}</title><style>{{ style|safe }}</style></head><body>
<main><h1>Ways out of the org</h1>
<p>Verdict: <strong>{{ verdict }}</strong>. {{ summary }}</p>
<table><caption>Findings</caption>
<thead><tr><th scope="col">Severity</th><th scope="col">Rule</th><th scope="col">Place</th><th scope="col">What</th></tr></thead><tbody>
{% for item in items %}<tr{% if not item.counts %} class="off"{% endif %} id="f{{ loop.index }}">
<td class="s">{{ item.finding.severity.label }}{% if item.finding.vendor %}, AI{% endif %}{% if item.finding.cannot_tell %}, cannot tell{% endif %}</td>
<td><a href="#{{ item.finding.rule }}">{{ item.finding.rule }}</a> {{ rules[item.finding.rule].name }}</td>
<td><code>{{ show(item.finding.place.path) }}:{{ item.finding.place.line }}</code></td>
<td>{{ show(item.finding.message) }}
{% if item.finding.fields %}<br>Sensitive: {{ item.finding.fields|map("e")|join(", ")|safe }}{% endif %}
{% if item.finding.mitigations %}<br>Mitigated by: {{ item.finding.mitigations|join(", ") }}{% endif %}
{% if item.finding.context %}<br>Runs as: {{ item.finding.context|join(", ") }}{% endif %}
{% for place in item.finding.trace %}<br>from <code>{{ show(place.path) }}:{{ place.line }}</code>{% endfor %}
{% if item.suppressed is not none %}<br>Suppressed: {{ show(item.suppressed) }}{% elif item.baseline %}<br>In the baseline{% endif %}</td></tr>
{% else %}<tr><td colspan="4">Nothing was found.</td></tr>{% endfor %}</tbody></table>
{% if mitigated %}<h2>Goes to the gateway</h2><ul>{% for line in mitigated %}<li><code>{{ show(line) }}</code></li>{% endfor %}</ul>{% endif %}
<h2>Rules</h2><dl>{% for rule in used %}<dt id="{{ rule.id }}"><strong>{{ rule.id }} {{ rule.name }}</strong>: {{ rule.title }}</dt>
<dd>{{ rule.text }} What to do: {{ rule.fix }}</dd>{% endfor %}</dl></main></body></html>
"""
)


def html(result: Result, verdict: str) -> str:
    """The page."""
    used = sorted({item.finding.rule for item in result.reported})
    return _PAGE.render(
        style=_STYLE,
        digest=base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode(),
        verdict=verdict,
        summary=summary(result),
        items=result.reported,
        mitigated=result.counts.mitigated,
        rules=RULES,
        used=[RULES[rule] for rule in used],
        show=printable,
    )
