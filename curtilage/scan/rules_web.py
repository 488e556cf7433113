# ruff: noqa: E501 -- each example stands on one line
"""Rules about code in the browser; see :mod:`curtilage.scan.rules`."""

from __future__ import annotations

from curtilage.scan.model import Severity
from curtilage.scan.rule import Rule

WEB_RULES: tuple[Rule, ...] = (
    Rule(
        "SF050", "script-callout", "Browser code sends to an outside address", Severity.MEDIUM,
        "fetch, XMLHttpRequest, sendBeacon, WebSocket, EventSource, axios and jQuery in Lightning components, Aura, Visualforce and static "
        "resources, with the address resolved through constants, templates and labels.",
        "Call an Apex method that uses the package's service.",
        (("lwc/ping/ping.js", "const BASE = 'https://hooks.example.com';\nexport function ping(id) {\n    return fetch(`${BASE}/in/${id}`, { method: 'POST' });\n}\n"),),
        (("lwc/own/own.js", "export function load(id) {\n    // fetch('https://hooks.example.com')\n    return fetch(`/services/data/v62.0/sobjects/Case/${id}`);\n}\n"),),
        "JavaScript",
    ),
    Rule(
        "SF051", "script-ai-callout", "Browser code calls an AI service", Severity.HIGH,
        "As script-callout, with the address of an AI service. A key used in the browser is readable by every user.",
        "Replace it by the package's component.",
        (("lwc/ask/ask.js", "export async function ask(text) {\n    return fetch('https://api.openai.com/v1/chat/completions', { method: 'POST', body: text });\n}\n"),),
        (("lwc/say/say.js", "export const HELP = 'See https://api.openai.com/v1/chat/completions';\n"),),
        "JavaScript",
    ),
    Rule(
        "SF052", "external-resource", "A page loads a script, frame, image or form target from outside", Severity.MEDIUM,
        "A script from outside may do whatever the user may; frames, images and forms carry data in their addresses. Low for images and styles.",
        "Ship the file as a static resource.",
        (("pages/Chat.page", "<apex:page>\n    <script src=\"https://cdn.example.com/chat.js\"></script>\n</apex:page>\n"),),
        (("pages/Own.page", "<apex:page>\n    <script src=\"{!$Resource.chat}\"></script>\n    <a href=\"https://example.com\">Help</a>\n</apex:page>\n"),),
        "Visualforce, Aura and LWC markup",
    ),
    Rule(
        "SF053", "script-callout-unresolved", "Browser code sends to an address that could not be told", Severity.MEDIUM,
        "The address comes from data or from code the scanner does not follow. A note in static resources, which are mostly libraries.",
        "Make the address a constant, or call Apex.",
        (("lwc/free/free.js", "export function go(target) {\n    return fetch(target);\n}\n"),),
        (("lwc/label/label.js", "import URL_ from '@salesforce/resourceUrl/data';\nexport const go = () => fetch(URL_);\n"),),
        "JavaScript",
    ),
)  # fmt: skip
