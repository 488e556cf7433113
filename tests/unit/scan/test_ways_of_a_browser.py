"""If these fail, code in a browser sends to an AI service, or puts data into an address, and the scan is silent, or cries at a link."""

from __future__ import annotations

from pathlib import Path

import pytest

from curtilage.scan.engine import scan

SENT = {
    "called through call": ("a.js", "fetch.call(null, 'https://openrouter.ai/api/v1/chat/completions');", "SF051"),
    "called through apply": ("a.js", "window.fetch.apply(window, ['https://api.x.ai/v1']);", "SF051"),
    "a host joined of parts": ("a.js", "fetch('https://' + ['api', 'openai', 'com'].join('.') + '/v2');", "SF051"),
    "typescript": ("a.ts", "export const ask = (text: string): Promise<Response> => fetch('https://api.openai.com/v1');", "SF051"),
    "an image's address": ("a.js", "new Image().src = 'https://in.example.com/?q=' + t;", "SF050"),
    "an element's attribute": (
        "a.js",
        "const i = document.createElement('img'); i.setAttribute('src', 'https://in.example.com/?q=' + t);",
        "SF050",
    ),
    "a page of an AI service": ("a.js", "window.open('https://chatgpt.com/');", "SF051"),
    "data in the address of a page": ("a.js", "window.location.href = `https://in.example.com/?q=${t}`;", "SF050"),
    "Azure of a government": ("a.js", "fetch('https://legal.openai.azure.us/x');", "SF051"),
    "Anthropic at AWS": ("a.js", "fetch('https://aws-external-anthropic.us-east-1.api.aws/x');", "SF051"),
}


@pytest.mark.parametrize("what", SENT)
def test_a_way_out_is_found(what: str, tmp_path: Path) -> None:
    name, text, rule = SENT[what]
    (tmp_path / "lwc").mkdir()
    (tmp_path / "lwc" / name).write_text(text)
    assert [item.finding.rule for item in scan(tmp_path).reported] == [rule]


@pytest.mark.parametrize(
    "text",
    ["window.open('https://help.example.com/');", "window.open(url);", "location.href = '/lightning/r/' + id;", "f.call(null, url);"],
)
def test_sending_a_person_to_a_page_is_no_finding(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text(text)
    assert not scan(tmp_path).reported


def test_types_without_code_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.d.ts").write_text("declare const a: string; fetch('https://api.openai.com/v1');")
    assert not scan(tmp_path).reported
