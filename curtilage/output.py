"""What a command prints: one JSON document or a human's text on stdout, progress and logs on stderr."""

from __future__ import annotations

from typing import Any

import orjson
from rich.console import Console

stdout = Console(highlight=False, soft_wrap=True)
stderr = Console(stderr=True, highlight=False, soft_wrap=True)


_documents = 0


def print_json(document: Any) -> None:
    """Print exactly one JSON document on stdout (the ``--json`` contract)."""
    global _documents
    _documents += 1
    stdout.file.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS, default=str).decode() + "\n")


def print_json_error(message: str, exit_code: int) -> None:
    """The document of a command that could not answer; none where it has printed one already."""
    if not _documents:
        print_json({"error": message, "exit_code": exit_code})


def progress(message: str) -> None:
    """One line of progress on stderr."""
    stderr.print(message, markup=False)
