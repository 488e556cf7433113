"""Privileged fields written into prose: ``name: value``, quoted, escaped, XML, YAML, delimited tables.

JSON is parsed and never gets here; this is for everything else, so it prefers taking too much: an unclosed quote or bracket takes the
rest of the text, an unquoted value takes its paragraph up to the next ``key:`` line.
"""

from __future__ import annotations

import csv
import io
import re

from curtilage.sanitize.detect import Span
from curtilage.sanitize.fields import FieldRules
from curtilage.sanitize.unicode import fold, fold_with_offsets, original_span

PRIVILEGED = "PRIVILEGED_FIELD"

_CLOSERS = re.compile(r"[\\\"'`*)\]>]*\s*")
_SEPARATOR = re.compile(
    r"(?::=|=>|->|:|=|-{1,2}(?=\s)|,(?=\s*[\"'])|\b(?:is|was|are|reads|says|contains|equals|value|lautet|ist|est|vaut)\b\s*:?)[ \t]*",
    re.IGNORECASE,
)
_VALUES = re.compile(r"[^()]{0,4000}\)\s*(?:values|select)\b", re.IGNORECASE)
_STATEMENT_END = re.compile(r"(?<=\));\s*(?:\n|$)")
_QUOTE = re.compile(r"(\\*)([\"'`]{3}|[\"'`])")
_NEXT_KEY = re.compile(r"\n(?=\s*(?:\n|[\"'*\-]{0,3}\s?[A-Za-z_][\w .]{0,60}[\"'*]{0,3}\s*[:=]))")
_DELIMITERS = "\t|;,"
csv.field_size_limit(1 << 25)  # a cell may be as large as a request; the default would refuse it


def privileged_spans(text: str, rules: FieldRules) -> list[Span]:
    """What to cut from a text, in its own offsets: each privileged field's name and value."""
    folded, offsets = fold_with_offsets(text)
    spans: list[Span] = []
    position, mentions = 0, rules.mentions(folded)
    while mention := mentions.after(position):
        start, end = _extent(folded, *mention)
        spans.append(Span(PRIVILEGED, *original_span(offsets, start, end)))
        position = end
    return spans


def _extent(text: str, start: int, end: int) -> tuple[int, int]:
    if start and text[start - 1] in "</":
        return _element(text, start, end)
    if (values := _VALUES.match(text, end)) is not None:  # INSERT INTO x (…, the name, …) VALUES (…)
        stop = _STATEMENT_END.search(text, values.end())
        return start, stop.start() if stop else len(text)
    after = _CLOSERS.match(text, end)
    position = after.end() if after else end
    separator = _SEPARATOR.match(text, position)
    if separator is None:
        return start, end
    return start, _value_end(text, separator.end())


def _element(text: str, start: int, end: int) -> tuple[int, int]:
    """An XML element: from its opening bracket to the end of its closing tag, or of the text."""
    opening = text.rfind("<", 0, start)
    close = re.compile(rf"</\s*{re.escape(text[start:end])}\s*>", re.IGNORECASE).search(text, end)
    tag_end = text.find(">", end)
    if close is None and tag_end > 0 and text[tag_end - 1] == "/":
        return opening, tag_end + 1
    return opening, close.end() if close else len(text)


def _value_end(text: str, position: int) -> int:
    position = _skip_spaces(text, position)
    if position >= len(text):
        return len(text)
    quote = _QUOTE.match(text, position)
    if quote:
        return _after_quote(text, quote)
    if text[position] in "{[(":
        return _after_bracket(text, position)
    stop = _NEXT_KEY.search(text, position)
    return stop.start() if stop else len(text)


def _skip_spaces(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _after_quote(text: str, opening: re.Match[str]) -> int:
    """Past the closing quote at the same level of escaping; a deeper one (more backslashes) belongs to the value."""
    level = len(opening.group(1))
    quote, position = opening.group(2), opening.end()
    while (found := text.find(quote, position)) >= 0:
        before = found
        while before > position and text[before - 1] == "\\":
            before -= 1
        if found - before == level:
            return found + len(quote)
        position = found + len(quote)
    return len(text)


def _after_bracket(text: str, position: int) -> int:
    depth = 0
    for index in range(position, len(text)):
        if text[index] in "{[(":
            depth += 1
        elif text[index] in "}])":
            depth -= 1
            if depth == 0:
                return index + 1
    return len(text)


def drop_columns(text: str, rules: FieldRules) -> str:
    """Cut a privileged column from delimited tables; the header line is the one that has the name as a whole cell."""
    if not rules.is_mentioned(fold(text)):
        return text
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        for delimiter in _DELIMITERS:
            cells = _cells(line, delimiter)
            columns = {index for index, cell in enumerate(cells) if rules.matches(cell.strip(" `*\"'"))}
            if columns and len(cells) > 1:
                before = "".join(lines[:number])
                rest = "".join(lines[number:])
                return before + _without_columns(rest, delimiter, columns, len(cells), rules)
    return text


def unix_lines(text: str) -> str:
    """The text with one kind of line end; a lone carriage return is one too, which the table reader would refuse."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
    except csv.Error:
        return []


def _without_columns(text: str, delimiter: str, columns: set[int], width: int, rules: FieldRules) -> str:
    """Rows as wide as the header lose the columns; a row of another width may have shifted cells, so it goes as a whole."""
    kept = io.StringIO()
    writer = csv.writer(kept, delimiter=delimiter, lineterminator="\n")
    stream = io.StringIO(unix_lines(text))
    reader = csv.reader(stream, delimiter=delimiter)
    for row in reader:
        if not row:
            break
        if len(row) == width:
            writer.writerow([cell for index, cell in enumerate(row) if index not in columns])
        elif len(row) == 1:
            kept.write(row[0] + "\n")
            break
    return kept.getvalue() + drop_columns(stream.read(), rules)
