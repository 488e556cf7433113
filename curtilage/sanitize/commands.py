"""``curtilage redact``: the very code the gateway runs, on records from a file or standard input."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from curtilage.errors import ConfigError
from curtilage.sanitize.redact import redact_text
from curtilage.sanitize.sanitizer import Sanitizer, SanitizerRefusal

app = typer.Typer(rich_markup_mode=None)


@app.command("redact", epilog='Example: echo \'{"id": "1", "text": "mail jane@example.com"}\' | curtilage redact')
def redact(
    records: Annotated[Path | None, typer.Option("--records", help="JSON lines with id and text; standard input when not given.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON list instead of JSON lines.")] = False,
) -> None:
    """Redact records: {"id","text"} in, {"id","text","spans":[{"type","start","end"}]} out; spans are offsets in the given text."""
    sanitizer, key = Sanitizer(), secrets.token_bytes(32)
    shown = (_redacted(record, sanitizer, key) for record in _read(records))
    if json:
        sys.stdout.write(orjson.dumps(list(shown)).decode() + "\n")
        return
    for record in shown:
        sys.stdout.write(orjson.dumps(record).decode() + "\n")


def _redacted(record: dict[str, Any], sanitizer: Sanitizer, key: bytes) -> dict[str, Any]:
    try:
        text, spans = redact_text(record["text"], sanitizer, key)
    except SanitizerRefusal as error:
        raise ConfigError(
            f"record {record['id']!r}: {error}", rule="what cannot be shown clean is not printed", fix="shorten the record"
        ) from error
    return {"id": record["id"], "text": text, "spans": [{"type": span.type, "start": span.start, "end": span.end} for span in spans]}


def _read(path: Path | None) -> Iterator[dict[str, Any]]:
    stream = sys.stdin.buffer if path is None else path.open("rb")
    with stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                record = None
                reason = str(error)
            else:
                reason = "no object with id and a text"
            if not isinstance(record, dict) or "id" not in record or not isinstance(record.get("text"), str):
                raise ConfigError(
                    f"line {number}: {reason}",
                    rule='each line is a JSON object {"id", "text"}',
                    fix="correct the line",
                    file=path or "standard input",
                )
            yield record
