"""A paper as one HTML file that needs nothing else and may fetch nothing: styles are inside and named by digest in its policy."""

from __future__ import annotations

import base64
from hashlib import sha256
from html import escape
from importlib.resources import files

from curtilage.paper.blocks import Block, Facts, Heading, Listing, Note, Paper, SignOff, Statement, Table, Verbatim
from curtilage.verdict import Verdict

_VERDICTS = frozenset(str(verdict) for verdict in Verdict)


def policy(styles: str, script: str = "") -> str:
    """The content security policy of a page with this style sheet and, where there is one, this script."""

    def named(text: str) -> str:
        return "'sha256-" + base64.b64encode(sha256(text.encode()).digest()).decode() + "'"

    allowed = f"default-src 'none'; style-src {named(styles)}; base-uri 'none'; form-action 'none'"
    return allowed + (f"; script-src {named(script)}" if script else "")


def page(*, title: str, styles: str, body: str, script: str = "", language: str = "en") -> str:
    """A whole page. ``body`` is markup that its caller escaped."""
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy(styles, script))}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)}</title>\n<style>{styles}</style>\n</head>\n<body>\n{body}\n"
        + (f"<script>{script}</script>\n" if script else "")
        + "</body>\n</html>\n"
    )


def links(refs: tuple[int, ...]) -> str:
    """References to ledger records, each a link to its entry in the annex."""
    return "".join(f' <a class="ref" href="#record-{index}">[record {index}]</a>' for index in refs)


def cell(text: str) -> str:
    """A cell's content; a verdict is marked as one."""
    return f'<span class="{text}">{text.replace("_", "-")}</span>' if text in _VERDICTS else escape(text)


def table(found: Table) -> str:
    """A table with row and column headings, which a screen reader can follow."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in found.columns)
    rows = []
    for number, row in enumerate(found.rows):
        refs = links(found.refs[number]) if found.refs else ""
        cells = "".join(f"<td>{cell(text)}</td>" for text in row[1:])
        rows.append(f'<tr><th scope="row">{cell(row[0])}{refs}</th>{cells}</tr>')
    caption = f"<caption>{escape(found.caption)}</caption>" if found.caption else ""
    body = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(found.caption or "table")}">{body}</div>'


def block(found: Block) -> str:
    """One block as markup."""
    match found:
        case Heading():
            anchor = f' id="{escape(found.anchor)}"' if found.anchor else ""
            return f"<h{found.level}{anchor}>{escape(found.text)}</h{found.level}>"
        case Statement():
            return f"<p>{escape(found.text)}{links(found.refs)}</p>"
        case Note():
            return f'<p class="note">{escape(found.text)}</p>'
        case Facts():
            return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{cell(value)}</dd>" for name, value in found.rows) + "</dl>"
        case Table():
            return table(found)
        case Listing():
            return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in found.items) + "</ul>"
        case Verbatim():
            return f"<pre>{escape(found.text)}</pre>"
        case SignOff():
            return '<div class="sign">' + "".join(f"<div>{escape(name)}</div>" for name in found.fields) + "</div>"


def styles() -> str:
    """The style sheet of papers."""
    return files("curtilage.paper").joinpath("paper.css").read_text(encoding="utf-8")


def render_html(paper: Paper) -> str:
    """The paper as a page."""
    body = (
        f'<header><h1>{escape(paper.title)}</h1><p class="subtitle">{escape(paper.subtitle)}</p>'
        f"{block(Facts(rows=paper.facts))}</header>\n<main>\n"
        + "\n".join(block(found) for found in paper.blocks)
        + f"\n</main>\n<footer>{escape(paper.footer)}</footer>"
    )
    return page(title=f"{paper.title} – {paper.subtitle}", styles=styles(), body=body, language=paper.language)
