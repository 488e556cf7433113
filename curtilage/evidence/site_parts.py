"""Small pieces of the report page; every string that enters is escaped here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from curtilage.paper.blocks import Table
from curtilage.paper.html import cell, table

_TICKS = re.compile(r"`([^`]*)`")


def heading(key: str, title: str) -> str:
    """A section's heading with its anchor."""
    return f'<h2 id="{key}">{escape(title)}</h2>'


def anchor(*parts: str) -> str:
    """An identifier for HTML, whatever the parts hold."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-") or "part"


def code(text: str) -> str:
    """Text to be compared character by character."""
    return f"<code>{escape(text)}</code>"


def items(texts: Sequence[str]) -> str:
    """A list."""
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def plain_table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table without filter."""
    return table(Table(caption=caption, columns=tuple(columns), rows=tuple(tuple(row) for row in rows)))


def filtered(
    key: str,
    caption: str,
    columns: Sequence[str],
    rows: Sequence[tuple[Mapping[str, str], Sequence[str]]],
    choices: Sequence[tuple[str, str]],
) -> str:
    """A table whose rows can be narrowed by words and by some of their values. Without scripts all rows show, and no control does."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = []
    for data, texts in rows:
        attributes = "".join(f' data-{name}="{escape(value)}"' for name, value in data.items())
        cells = "".join(f"<td>{cell(text)}</td>" for text in texts[1:])
        body.append(f'<tr{attributes}><th scope="row" class="id">{escape(texts[0])}</th>{cells}</tr>')
    selects = []
    for name, label in choices:
        options = "".join(f'<option value="{escape(value)}">{escape(value)}</option>' for value in sorted({data[name] for data, _ in rows}))
        selects.append(f'<label>{escape(label)}<select name="{name}"><option value="">all</option>{options}</select></label>')
    form = (
        f'<form class="controls" data-table="{key}" hidden aria-label="Filter: {escape(caption)}">'
        f'<label>Words<input name="words" type="search" autocomplete="off"></label>{"".join(selects)}'
        '<button type="reset">Show all</button><output aria-live="polite"></output></form>'
    )
    return (
        f'{form}<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table id="{key}"><caption>{escape(caption)}'
        f"</caption><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def markdown_tables(text: str, name: str) -> str:
    """The tables of a Markdown text; code spans are kept, everything else is text."""
    found: list[str] = []
    rows: list[list[str]] = []

    def close() -> None:
        if len(rows) > 1:
            found.append(_markdown_table(rows, f"{name}, table {len(found) + 1}"))
        rows.clear()

    for line in [*text.splitlines(), ""]:
        stripped = line.strip()
        if not stripped.startswith("|"):
            close()
        elif not re.fullmatch(r"\|[\s|:-]+\|?", stripped):
            rows.append([part.strip().replace("\\|", "|") for part in re.split(r"(?<!\\)\|", stripped.strip("|"))])
    return "".join(found)


def _markdown_table(rows: list[list[str]], caption: str) -> str:
    def inline(text: str) -> str:
        return _TICKS.sub(lambda match: f"<code>{match[1]}</code>", escape(text))

    head = "".join(f'<th scope="col">{inline(part)}</th>' for part in rows[0])
    body = "".join(
        f'<tr><th scope="row">{inline(row[0])}</th>' + "".join(f"<td>{inline(part)}</td>" for part in row[1:]) + "</tr>" for row in rows[1:]
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
